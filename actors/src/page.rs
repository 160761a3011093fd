//! Pages of lists: bounded, and continued by cursors that are opaque and tell of any tampering.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac};
use serde::Serialize;
use sha2::Sha256;
use sl_store::{Code, Fault, Filter};
use uuid::Uuid;

use crate::action::Tenant;

/// How many items a page has where the caller does not say.
pub const DEFAULT_LIMIT: usize = 25;
/// How many items a page has at most; more is clamped.
pub const MAX_LIMIT: usize = 500;

/// Which page of a list.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// How many items, 1 to [`MAX_LIMIT`].
    pub limit: usize,
    /// The cursor an earlier page ended with.
    pub cursor: Option<String>,
    /// Only what was created at or after this instant.
    pub since: Option<DateTime<Utc>>,
    /// Only what was created before this instant.
    pub until: Option<DateTime<Utc>>,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { limit: DEFAULT_LIMIT, cursor: None, since: None, until: None }
    }
}

/// A page of a list.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// The items, newest first unless the operation says otherwise.
    pub items: Vec<T>,
    /// Continues the list; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl PageRequest {
    /// All there is, up to the longest page: what a short list answers where the caller does not say.
    #[must_use]
    pub fn whole() -> Self {
        Self { limit: MAX_LIMIT, ..Self::default() }
    }

    /// The conditions on time.
    #[must_use]
    pub fn times(&self) -> Vec<Filter> {
        crate::resource::time_filters(self.since, self.until)
    }

    /// The id after which the page begins.
    ///
    /// # Errors
    /// [`Code::Malformed`] where the cursor was not made for this list of this account.
    pub fn position(&self, tenant: &Tenant, list: &str) -> Result<Option<Uuid>, Fault> {
        self.place(tenant, list).map(|place| place.map(Uuid::from_bytes))
    }

    /// The place after which the page begins, where a list is not in the order of ids.
    ///
    /// # Errors
    /// [`Code::Malformed`] where the cursor was not made for this list of this account.
    pub fn place<const N: usize>(&self, tenant: &Tenant, list: &str) -> Result<Option<[u8; N]>, Fault> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let refused = || Fault::new(Code::Malformed, "?cursor: not a cursor of this list; begin without one");
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).map_err(|_| refused())?;
        let (place, tag) = bytes.split_first_chunk::<N>().ok_or_else(refused)?;
        mac(tenant, list, place).verify_truncated_left(tag).map_err(|_| refused())?;
        if tag.len() == TAG { Ok(Some(*place)) } else { Err(refused()) }
    }

    /// A page of a short list that is there whole, in the order of its names; no two are alike.
    ///
    /// # Errors
    /// As [`PageRequest::place`].
    pub fn by_name<T>(
        &self,
        tenant: &Tenant,
        list: &str,
        mut all: Vec<T>,
        name: impl Fn(&T) -> &str,
    ) -> Result<Page<T>, Fault> {
        let after = self.place::<NAME>(tenant, list)?;
        all.retain(|item| after.is_none_or(|after| padded(name(item)) > after));
        all.sort_by(|left, right| name(left).cmp(name(right)));
        let more = all.len() > self.limit;
        all.truncate(self.limit);
        let end = all.last().filter(|_| more);
        let next_cursor = end.map(|item| Self::mark(tenant, list, &padded(name(item))));
        Ok(Page { items: all, next_cursor })
    }

    /// The cursor of the page that begins after a place.
    #[must_use]
    pub fn mark(tenant: &Tenant, list: &str, place: &[u8]) -> String {
        let tag = mac(tenant, list, place).finalize().into_bytes();
        BASE64_URL_SAFE_NO_PAD.encode([place, &tag[..TAG]].concat())
    }
}

const TAG: usize = 12;

/// Names of lists in the order of names are no longer.
pub(crate) const NAME: usize = 64;

/// A name as a place, in the order of names.
fn padded(name: &str) -> [u8; NAME] {
    let mut place = [0; NAME];
    for (to, from) in place.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    place
}

fn mac(tenant: &Tenant, list: &str, place: &[u8]) -> Hmac<Sha256> {
    let mut mac = tenant.core.cursor_mac.clone();
    mac.update(tenant.account_id.as_bytes());
    mac.update(list.as_bytes());
    mac.update(place);
    mac
}
