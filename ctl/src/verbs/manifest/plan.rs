//! What is to be done so that things are what manifests say.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Map, Value};
use similar::TextDiff;

use super::{
    compare,
    export::ordered_yaml,
    file::{FUNCTIONS, Manifest},
};
use crate::{
    call,
    client::Answer,
    exit::Exit,
    failure::{Failure, Outcome},
    request::Request,
    session::Session,
    text,
};

/// All steps, in the order of the manifests.
#[derive(Debug)]
pub struct Plan {
    /// One step for each manifest.
    pub steps: Vec<Step>,
}

/// What is to be done for one manifest.
#[derive(Debug)]
pub struct Step {
    /// What should be.
    pub manifest: Manifest,
    found: Option<Found>,
}

/// The thing as it is.
#[derive(Debug)]
struct Found {
    id: String,
    tag: Option<String>,
    fields: Map<String, Value>,
}

impl Plan {
    /// Compares the manifests with what there is. Nothing is changed.
    pub async fn make(session: &Session, manifests: Vec<Manifest>) -> Outcome<Self> {
        let ids = ids(session).await?;
        let mut steps = Vec::new();
        for manifest in manifests {
            let found = match ids.get(&manifest.name) {
                Some(id) => Some(Found::fetch(session, id).await?),
                None => None,
            };
            steps.push(Step { manifest, found });
        }
        Ok(Self { steps })
    }
}

/// The id of each function, by name.
pub async fn ids(session: &Session) -> Outcome<BTreeMap<String, String>> {
    let mut list = functions(session, Method::GET, None)?;
    list.set_query("limit", "500");
    let all = call::all(session, list).await?;
    let items = all["items"].as_array().into_iter().flatten();
    let named =
        items.filter_map(|item| Some((item["name"].as_str()?.to_owned(), item["id"].as_str()?.to_owned())));
    Ok(named.collect())
}

/// One function as the server has it.
pub async fn fetch(session: &Session, id: &str) -> Outcome<Answer> {
    session.client.send(&functions(session, Method::GET, Some(id))?).await
}

fn functions(session: &Session, method: Method, id: Option<&str>) -> Outcome<Request> {
    let mut request = Request::fill(method, FUNCTIONS, |_| session.account().map(str::to_owned))?;
    request.path.extend(id.map(str::to_owned));
    Ok(request)
}

impl Found {
    async fn fetch(session: &Session, id: &str) -> Outcome<Self> {
        let answer = fetch(session, id).await?;
        let tag = answer.header("etag").map(str::to_owned);
        let Value::Object(fields) = answer.value()? else {
            return Err(Failure::new(Exit::Other, format!("function {} is no object", text::one_line(id))));
        };
        let version = fields.get("version").filter(|version| !version.is_null()).map(text::plain);
        let tag = tag.or_else(|| version.map(|version| call::entity_tag(&version)));
        Ok(Self { id: id.to_owned(), tag, fields })
    }
}

impl Step {
    /// Whether there is nothing to do.
    pub fn is_nothing(&self) -> bool {
        self.found.as_ref().is_some_and(|found| self.changes(found).is_empty())
    }

    /// What is done, or with `ahead` what would be.
    pub fn action(&self, ahead: bool) -> &'static str {
        match (&self.found, self.is_nothing(), ahead) {
            (_, true, _) => "unchanged",
            (None, _, false) => "created",
            (Some(_), _, false) => "updated",
            (None, _, true) => "create",
            (Some(_), _, true) => "update",
        }
    }

    /// Does it.
    pub async fn carry_out(&self, session: &Session) -> Outcome<()> {
        if self.is_nothing() {
            return Ok(());
        }
        let mut request = match &self.found {
            None => Request {
                body: Some(Value::Object(self.manifest.fields.clone())),
                ..functions(session, Method::POST, None)?
            },
            Some(found) => self.amendment(session, found)?,
        };
        request.key = Some(call::fresh_key()?);
        session.client.send(&request).await.map(drop)
    }

    fn amendment(&self, session: &Session, found: &Found) -> Outcome<Request> {
        let mut request = functions(session, Method::PATCH, Some(&found.id))?;
        request.body = Some(Value::Object(self.changes(found)));
        request.headers.extend(found.tag.iter().map(|tag| ("if-match".to_owned(), tag.clone())));
        Ok(request)
    }

    fn changes(&self, found: &Found) -> Map<String, Value> {
        let differs = |(name, wanted): &(&String, &Value)| {
            !compare::agrees(found.fields.get(*name).unwrap_or(&Value::Null), wanted)
        };
        let amended = |(name, wanted): (&String, &Value)| {
            (name.clone(), compare::amended(found.fields.get(name), wanted))
        };
        self.manifest.fields.iter().filter(differs).map(amended).collect()
    }

    /// The change as a unified diff of the manifests before and after.
    pub fn diff(&self) -> Outcome<String> {
        let name = format!("{}/{}", self.manifest.kind, self.manifest.name);
        let before = match &self.found {
            Some(found) => ordered_yaml(&compare::side(&found.fields, &self.manifest.fields))?,
            None => String::new(),
        };
        let after = ordered_yaml(&self.manifest.fields)?;
        let diff = TextDiff::from_lines(&before, &after);
        let (old, new) = (format!("server {name}"), format!("manifest {name}"));
        Ok(text::lines(&diff.unified_diff().header(&old, &new).to_string()))
    }
}
