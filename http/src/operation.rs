//! An operation of the API as a value: from it follow route, document, permission, metric label and tests.

use std::{collections::BTreeMap, future::Future, sync::Arc};

use actix_web::{http::Method, web::Bytes};
use futures_util::{FutureExt as _, future::BoxFuture};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sl_actors::{
    Action, Fault,
    caller::Scope,
    page::{DEFAULT_LIMIT, PageRequest},
    settings::Setting,
};
use utoipa::ToSchema;

use crate::{
    front::Front,
    input::{Input, Path, Received, Unproven},
    json,
    live::Session,
    query,
    schemas::Schemas,
};

mod parts;

pub use parts::{Answer, Body, Form, Needs, Performer};

/// A request that was read without a fault and can be performed.
pub type Prepared = Box<dyn FnOnce(Performer) -> BoxFuture<'static, Result<Answer, Fault>> + Send>;
/// Reads a request; awaits nothing but the proof of one that no token speaks for.
type Prepare =
    Box<dyn Fn(Received, usize, Performer) -> BoxFuture<'static, Result<Prepared, Fault>> + Send + Sync>;
/// The properties of a type, each with its schema and whether it is required.
pub type Properties = fn(&mut Schemas) -> BTreeMap<String, (Value, bool)>;
/// Adds a type to the document's schemas and answers how to refer to it; nothing for the unit type.
pub type Shape = fn(&mut Schemas) -> Option<Value>;

/// One operation of the API.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, said once in a table")]
pub struct Operation {
    /// The method.
    pub method: Method,
    /// The path with its parameters in braces.
    pub path: &'static str,
    /// The dotted id, which is also the words of its command.
    pub id: String,
    /// One line about it.
    pub summary: String,
    /// More about it.
    pub description: &'static str,
    /// Who may call it.
    pub needs: Needs,
    /// The status of success.
    pub status: u16,
    /// The statuses of success besides, each with its meaning.
    pub also: BTreeMap<u16, &'static str>,
    /// The columns of a table of its items.
    pub columns: &'static [&'static str],
    /// Whether it answers a page of a list.
    pub lists: bool,
    /// Whether that list is short and timeless: one page has all of it where nothing else is asked for.
    pub short: bool,
    /// Whether it changes a thing that stands already, though its method does not say so.
    versioned: bool,
    /// Whether headers repeat what its answer tells: the version as entity tag, the place of what was created.
    pub tells_facts: bool,
    /// The form of its answer.
    pub form: Form,
    /// The parameters of its query, those of pages left out.
    pub query_parameters: Properties,
    /// The type of its body.
    pub body: Shape,
    /// Whether a request without a body is refused.
    pub body_required: bool,
    /// The type of its answer.
    pub answer: Shape,
    /// The types within lists, pages and optional bodies, which those do not name themselves.
    pub within: Vec<Shape>,
    /// The largest body it takes, where that is not what all others take.
    pub body_limit: Option<&'static Setting>,
    /// Whether it takes bodies of any media type that are signed.
    pub signed_body: bool,
    /// How often a second one path of it is asked for at most, where it is open and takes a proof instead of a token.
    pub rate: Option<&'static Setting>,
    prepare: Prepare,
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Operation").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Operation {
    /// Whether it changes anything: such operations take an `Idempotency-Key`.
    #[must_use]
    pub fn mutates(&self) -> bool {
        self.method != Method::GET
    }

    /// Whether it changes a thing that stands already, at the version that `If-Match` names.
    #[must_use]
    pub fn takes_version(&self) -> bool {
        self.versioned || matches!(self.method, Method::PUT | Method::PATCH | Method::DELETE)
    }

    /// Whether it takes a body that says anything.
    #[must_use]
    pub fn takes_body(&self) -> bool {
        (self.body)(&mut Schemas::default()).is_some()
    }

    /// The first word of its id: what the document groups it under.
    #[must_use]
    pub fn group(&self) -> &str {
        self.id.split_once('.').map_or(self.id.as_str(), |(group, _)| group)
    }

    /// The parameters of its path, in order.
    pub fn path_parameters(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(|step| step.strip_prefix('{')?.strip_suffix('}'))
    }

    /// Reads a request; JSON may be `depth` levels deep. A proof that it carries is seen first.
    ///
    /// # Errors
    /// What is wrong with the request.
    pub fn prepare(
        &self,
        received: Received,
        depth: usize,
        performer: Performer,
    ) -> BoxFuture<'static, Result<Prepared, Fault>> {
        (self.prepare)(received, depth, performer)
    }
}

/// An operation whose action is still to be said.
#[derive(Debug)]
pub struct Draft {
    method: Method,
    path: &'static str,
    id: String,
    summary: String,
    description: &'static str,
    needs: Needs,
    rate: Option<&'static Setting>,
    status: u16,
    also: BTreeMap<u16, &'static str>,
    columns: &'static [&'static str],
    lists: bool,
    short: bool,
    versioned: bool,
    within: Vec<Shape>,
}

/// Begins an operation. Without a further word it reads what needs the scope `read`.
#[must_use]
pub fn operation(
    method: Method,
    path: &'static str,
    id: impl Into<String>,
    summary: impl Into<String>,
) -> Draft {
    Draft {
        method,
        path,
        id: id.into(),
        summary: summary.into(),
        description: "",
        needs: Needs::Scope(Scope::Read),
        rate: None,
        status: 200,
        also: BTreeMap::new(),
        columns: &[],
        lists: false,
        short: false,
        versioned: false,
        within: Vec::new(),
    }
}

impl Draft {
    /// Says more about it.
    #[must_use]
    pub fn told(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    /// Asks for a scope.
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.needs = Needs::Scope(scope);
        self
    }

    /// Only for operators.
    #[must_use]
    pub fn operator(mut self) -> Self {
        self.needs = Needs::Operator;
        self
    }

    /// For anybody, without a token.
    #[must_use]
    pub fn open(mut self) -> Self {
        self.needs = Needs::Open;
        self
    }

    /// For anybody whose request proves itself; each path of it is asked for so often a second at most.
    #[must_use]
    pub fn proven(self, rate: &'static Setting) -> Self {
        Self { rate: Some(rate), ..self.open() }
    }

    /// Answers this status where it succeeds.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Changes a thing that stands already, though it is a POST: `If-Match` names its version.
    #[must_use]
    pub const fn versioned(mut self) -> Self {
        self.versioned = true;
        self
    }

    /// May answer this status as well where it succeeds.
    #[must_use]
    pub fn also(mut self, status: u16, meaning: &'static str) -> Self {
        self.also.insert(status, meaning);
        self
    }

    /// Answers a page of a list, shown in these columns.
    #[must_use]
    pub fn pages(mut self, columns: &'static [&'static str]) -> Self {
        self.lists = true;
        self.columns = columns;
        self
    }

    /// Answers a page of a list in the order of names that is short and has no times, shown in these columns.
    #[must_use]
    pub fn short_pages(mut self, columns: &'static [&'static str]) -> Self {
        self.short = true;
        self.pages(columns)
    }

    /// Names the type within a list, a page or an optional body.
    #[must_use]
    pub fn with<T: ToSchema + 'static>(mut self) -> Self {
        self.within.push(shape::<T>);
        self
    }

    /// Answers a list that has no pages, shown in these columns.
    #[must_use]
    pub fn columns(mut self, columns: &'static [&'static str]) -> Self {
        self.columns = columns;
        self
    }

    /// Does this action.
    pub fn action<Q, B, A>(
        self,
        make: impl Fn(Input<Q, B>) -> Result<A, Fault> + Send + Sync + 'static,
    ) -> Operation
    where
        Q: DeserializeOwned + ToSchema + 'static,
        B: DeserializeOwned + ToSchema + 'static,
        A: Action,
        A::Output: Serialize + ToSchema,
    {
        self.action_with(make, |_| None)
    }

    /// Does this action, whose output says the status.
    pub fn action_with<Q, B, A>(
        self,
        make: impl Fn(Input<Q, B>) -> Result<A, Fault> + Send + Sync + 'static,
        status: fn(&A::Output) -> Option<u16>,
    ) -> Operation
    where
        Q: DeserializeOwned + ToSchema + 'static,
        B: DeserializeOwned + ToSchema + 'static,
        A: Action,
        A::Output: Serialize + ToSchema,
    {
        let form = if is_unit::<A::Output>() { Form::Nothing } else { Form::Json };
        self.finish::<Q, B, A::Output>(form, move |input| Ok(performed(make(input)?, status)))
    }

    /// Does this action once the request has proved itself. What `seen` makes sees the proof and answers what it proves;
    /// only then is the body read, by what that says.
    pub fn proven_action<B, P, A>(
        self,
        seen: impl Fn(&Path, Unproven) -> Result<P, Fault> + Send + Sync + 'static,
        read: json::Read<P::Output, B>,
        make: impl Fn(P::Output, B) -> Result<A, Fault> + Clone + Send + Sync + 'static,
    ) -> Operation
    where
        B: DeserializeOwned + ToSchema + 'static,
        P: Action,
        A: Action,
        A::Output: Serialize + ToSchema,
    {
        let object = Schemas::is_object::<B>();
        let mut operation = self.finish::<(), B, A::Output>(Form::Json, |_| Err(Fault::internal("unproven")));
        operation.prepare = Box::new(move |received, depth, performer| {
            let (make, seen) = (make.clone(), seen(&received.path, received.unproven));
            let Performer { front, account, caller, .. } = performer;
            async move {
                let proven = front.runtime.perform(account, caller, None, seen?).await?;
                let body = read(&proven, &received.body, json::Reading { depth, object })?;
                Ok(performed(make(proven, body)?, |_| None))
            }
            .boxed()
        });
        operation
    }

    /// Answers what the front end itself knows.
    pub fn read<Q, T, F>(self, read: fn(Arc<Front>, Input<Q>) -> F) -> Operation
    where
        Q: DeserializeOwned + ToSchema + Send + 'static,
        T: Serialize + ToSchema + Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        self.finish::<Q, (), T>(Form::Json, move |input| {
            Ok(Box::new(move |performer: Performer| {
                async move { Ok(Answer { status: None, body: written(&read(performer.front, input).await?)? }) }
                    .boxed()
            }))
        })
    }

    /// Answers text that the front end itself knows.
    pub fn text(self, media_type: &'static str, text: fn(&Front) -> Result<Bytes, Fault>) -> Operation {
        self.finish::<(), (), ()>(Form::Text(media_type), move |_| {
            Ok(Box::new(move |performer: Performer| {
                let told = text(&performer.front);
                async move { told.map(|told| Answer { status: None, body: Body::Text(media_type, told) }) }
                    .boxed()
            }))
        })
    }

    /// Answers a live stream.
    pub fn stream<Q, F>(
        self,
        open: impl Fn(Performer, Input<Q>) -> F + Clone + Send + Sync + 'static,
    ) -> Operation
    where
        Q: DeserializeOwned + ToSchema + Send + 'static,
        F: Future<Output = Result<Session, Fault>> + Send + 'static,
    {
        self.finish::<Q, (), ()>(Form::Events, move |input| {
            let open = open.clone();
            Ok(Box::new(move |performer: Performer| {
                async move {
                    Ok(Answer { status: None, body: Body::Events(Box::new(open(performer, input).await?)) })
                }
                .boxed()
            }))
        })
    }

    fn finish<Q, B, T>(
        self,
        form: Form,
        prepare: impl Fn(Input<Q, B>) -> Result<Prepared, Fault> + Send + Sync + 'static,
    ) -> Operation
    where
        Q: DeserializeOwned + ToSchema + 'static,
        B: DeserializeOwned + ToSchema + 'static,
        T: ToSchema + 'static,
    {
        let (lists, short) = (self.lists, self.short);
        let default_limit = if short { PageRequest::whole().limit } else { DEFAULT_LIMIT };
        let object = Schemas::is_object::<B>();
        let mut parameters = Schemas::default().parameters::<Q>().into_keys().collect::<Vec<_>>();
        if lists {
            parameters.extend(query::page_parameters(short).iter().map(|name| (*name).to_owned()));
        }
        Operation {
            method: self.method,
            path: self.path,
            id: self.id,
            summary: self.summary,
            description: self.description,
            needs: self.needs,
            status: self.status,
            also: self.also,
            columns: self.columns,
            tells_facts: self.status == 201 || Schemas::default().parameters::<T>().contains_key("version"),
            lists,
            short,
            versioned: self.versioned,
            form,
            query_parameters: Schemas::parameters::<Q>,
            body: shape::<B>,
            body_required: serde_json::from_slice::<B>(b"null").is_err(),
            answer: shape::<T>,
            within: self.within,
            body_limit: None,
            signed_body: false,
            rate: self.rate,
            prepare: Box::new(move |received, depth, _| {
                let read = |received: Received| {
                    let mut query = query::Query::parse(&received.query, &parameters)?;
                    let page = if lists { query.page(default_limit)? } else { PageRequest::default() };
                    Ok(Input {
                        query: query.read()?,
                        body: body_of::<B>(&received.body, json::Reading { depth, object })?,
                        caller: received.caller,
                        path: received.path,
                        page,
                        expected: received.expected,
                        last_event_id: received.last_event_id,
                    })
                };
                std::future::ready(read(received).and_then(&prepare)).boxed()
            }),
        }
    }
}

/// An action that waits for whom it is done.
fn performed<A>(action: A, status: fn(&A::Output) -> Option<u16>) -> Prepared
where
    A: Action,
    A::Output: Serialize + ToSchema,
{
    Box::new(move |performer: Performer| {
        let Performer { front, account, caller, ticket, .. } = performer;
        async move {
            let output = front.runtime.perform(account, caller, ticket, action).await?;
            let status = status(&output);
            if is_unit::<A::Output>() {
                return Ok(Answer { status, body: Body::Nothing });
            }
            Ok(Answer { status, body: written(&output)? })
        }
        .boxed()
    })
}

fn written<T: Serialize>(output: &T) -> Result<Body, Fault> {
    serde_json::to_vec(output).map(Body::Json).map_err(Fault::internal)
}

/// An operation that takes no body takes an object without members.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Reads the body into what an operation takes.
fn body_of<B: DeserializeOwned + ToSchema + 'static>(
    body: &[u8],
    reading: json::Reading,
) -> Result<B, Fault> {
    if !is_unit::<B>() {
        return json::read(body, reading);
    }
    json::read::<Option<Nothing>>(body, json::Reading { object: true, ..reading })?;
    json::read(b"", reading)
}

fn is_unit<T: 'static>() -> bool {
    std::any::TypeId::of::<T>() == std::any::TypeId::of::<()>()
}

fn shape<T: ToSchema + 'static>(schemas: &mut Schemas) -> Option<Value> {
    (!is_unit::<T>()).then(|| schemas.reference::<T>())
}
