//! What can be asked of randomness.

use serde::Deserialize;
use serde_json::json;
use sl_store::{Batch, Cell, Code, Fault, Filter, Head, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{DEFAULT_LENGTH, MAX_LENGTH, derive::Encoding, entity::RandomValue, view::RandomView};
use crate::{
    action::{Action, Order, Tenant},
    page::{Page, PageRequest},
};

/// How long a `request_id` may be, in bytes.
const MAX_REQUEST_ID: usize = 200;
/// How often a request is tried that collides with an equal one.
const ATTEMPTS: usize = 3;

/// What asks for random bytes.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRandom {
    /// How many bytes; 32 where absent or 0.
    #[schema(minimum = 0, maximum = 1024)]
    pub length: Option<i64>,
    /// Makes the request repeatable: up to 200 bytes without control characters, an empty one is none. The same is answered
    /// again to the same length and encoding, and 409 to others.
    #[schema(max_length = 200)]
    pub request_id: Option<String>,
    /// How they are written; `base64` where absent.
    pub encoding: Option<Encoding>,
}

/// Makes a random value, or answers the one of the same `request_id`.
#[derive(Clone, Debug)]
pub struct Generate(pub NewRandom);

impl Action for Generate {
    type Output = RandomView;
    const ORDER: Order = Order::Concurrent;

    async fn run(self, tenant: &Tenant) -> Result<RandomView, Fault> {
        let mut collision = None;
        for _ in 0..ATTEMPTS {
            let mut batch = Batch::new();
            let value = draw(&self.0, tenant, &mut batch).await?;
            match tenant.commit(batch, value.view()?).await {
                Err(fault) if fault.code == Code::Conflict => collision = Some(fault),
                answer => return answer,
            }
        }
        Err(collision.unwrap_or_else(|| Fault::new(Code::Conflict, "equal requests collide; try again")))
    }
}

/// The value of a request: the one there is, or a new one, which the batch then adds.
///
/// # Errors
/// [`Code::Invalid`] naming the field, [`Code::Conflict`] where the `request_id` is another request's,
/// [`Code::InvalidState`] where there is no key.
pub(super) async fn draw(new: &NewRandom, tenant: &Tenant, batch: &mut Batch) -> Result<RandomValue, Fault> {
    let length = new.length.filter(|length| *length != 0).unwrap_or(DEFAULT_LENGTH);
    let encoding = new.encoding.unwrap_or_default();
    let request_id = new.request_id.as_deref().filter(|id| !id.is_empty());
    check(length, request_id)?;
    if let Some(request_id) = request_id
        && let Some(found) = find(tenant, request_id).await?
    {
        return same(found, length, encoding);
    }
    let value = sign(tenant, length, encoding, request_id.map(str::to_owned)).await?;
    let told = json!({"counter": value.counter, "length": length, "request_id": value.request_id});
    batch.insert(&value).event(tenant.event("random", "random.generated", value.head.id, told));
    Ok(value)
}

fn check(length: i64, request_id: Option<&str>) -> Result<(), Fault> {
    if !(1..=MAX_LENGTH).contains(&length) {
        let detail = format!("must be 1 to {MAX_LENGTH} bytes, or 0 for {DEFAULT_LENGTH}, not {length}");
        return Err(Fault::field("/length", "bounds", detail));
    }
    let Some(request_id) = request_id else { return Ok(()) };
    let size = request_id.len();
    if size > MAX_REQUEST_ID {
        let detail = format!("must have at most {MAX_REQUEST_ID} bytes, not {size}");
        return Err(Fault::field("/request_id", "length", detail));
    }
    if request_id.chars().any(char::is_control) {
        return Err(Fault::field("/request_id", "characters", "must have no control characters"));
    }
    Ok(())
}

async fn find(tenant: &Tenant, request_id: &str) -> Result<Option<RandomValue>, Fault> {
    let query = Query::of(tenant.account_id).equal("request_id", request_id);
    tenant.core.store.first(query).await
}

fn same(found: RandomValue, length: i64, encoding: Encoding) -> Result<RandomValue, Fault> {
    if (found.length, found.encoding) == (length, encoding) {
        return Ok(found);
    }
    let (had, wrote) = (found.length, found.encoding.as_str());
    let detail = format!(
        "this request_id was answered with {had} bytes in {wrote}; ask for the same, or name another"
    );
    Err(Fault::new(Code::Conflict, detail))
}

async fn sign(
    tenant: &Tenant,
    length: i64,
    encoding: Encoding,
    request_id: Option<String>,
) -> Result<RandomValue, Fault> {
    let core = &tenant.core;
    let signer = core.signer.as_ref().ok_or_else(|| {
        let detail = "there is no key to sign random values with: the operator sets RANDOM_SIGNING_KEY";
        Fault::new(Code::InvalidState, detail)
    })?;
    let head = Head::new(tenant.account_id, tenant.next_id(), tenant.now());
    let mut value = RandomValue {
        request_id: request_id.unwrap_or_else(|| head.id.to_string()),
        head,
        length,
        encoding,
        counter: core.random.next(core, signer).await?,
        ephemeral: signer.is_ephemeral(),
        public_key: signer.public_key().to_vec(),
        signature: Vec::new(),
    };
    value.signature = signer.sign(value.signed().message()?.as_bytes()).to_vec();
    Ok(value)
}

/// Reads one value.
#[derive(Clone, Copy, Debug)]
pub struct FetchRandom(pub Uuid);

impl Action for FetchRandom {
    type Output = RandomView;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<RandomView, Fault> {
        tenant.core.store.get::<RandomValue>(tenant.key(self.0)).await?.view()
    }
}

/// What the history is narrowed by.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RandomFilters {
    /// Only the value of this `request_id`.
    pub request_id: Option<String>,
}

/// A page of the history, newest first.
#[derive(Clone, Debug)]
pub struct ListRandom {
    /// Narrowed by.
    pub filters: RandomFilters,
    /// Which page.
    pub page: PageRequest,
}

impl Action for ListRandom {
    type Output = Page<RandomView>;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<Self::Output, Fault> {
        let named = self.filters.request_id.map(|id| Filter::Equal("request_id", Cell::from(id)));
        let rows = crate::resource::list::<RandomValue, _>(
            tenant,
            self.page,
            named.into_iter().collect(),
            RandomValue::view,
        )
        .await?;
        let items = rows.items.into_iter().collect::<Result<Vec<_>, Fault>>()?;
        Ok(Page { items, next_cursor: rows.next_cursor })
    }
}
