//! Sealed values in the rows of services: bound to their table and row, sealed again when the root key is rotated.
//!
//! A table that carries one has the columns `key_id` (text) and `envelope` (bytes), both nullable where the value may be
//! absent, and stands in [`crate::services::Service::sealed`].

use std::collections::BTreeSet;

use sl_store::{Cell, Code, Entity as _, Fault, Filter, Key, KeyRing, Query, Row, Store, Table};
use zeroize::Zeroizing;

use crate::{
    Core,
    services::{
        self,
        secrets::{Secret, SecretVersion},
    },
};

/// A sealed value and the id of the root key it is under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The root key's id; goes into `key_id`.
    pub key_id: String,
    /// The sealed value; goes into `envelope`.
    pub envelope: Vec<u8>,
}

/// Every table whose rows carry a sealed value.
fn carriers() -> Vec<&'static Table> {
    let others = services::ALL.iter().flat_map(|service| service.sealed).copied();
    [Secret::TABLE, SecretVersion::TABLE].into_iter().chain(others).collect()
}

/// Refuses root keys that open nothing of what the store holds sealed. Keys that open a part of it are let in: while a key
/// is rotated, each daemon holds the one that the most recent values are under, or the one before. How much no key of the
/// list opens, the rotation's status tells.
///
/// # Errors
/// [`Code::InvalidState`] naming the ids of both kinds of keys. As [`Store::list_rows`].
pub async fn check_keys(store: &Store, keys: &KeyRing) -> Result<(), Fault> {
    for table in carriers() {
        let held = Filter::In("key_id", keys.key_ids().into_iter().map(Cell::from).collect());
        let query = Query { filters: vec![held], limit: 1, ..Query::of_all_accounts() };
        if !store.list_rows(table, query).await?.is_empty() {
            return Ok(());
        }
    }
    let mut closed = 0;
    for table in carriers() {
        let empty = Filter::Equal("key_id", Cell::Null);
        let all = store.count_rows(table, None, Vec::new()).await?;
        closed += all.saturating_sub(store.count_rows(table, None, vec![empty]).await?);
    }
    if closed == 0 {
        return Ok(());
    }
    let (theirs, ours) = (stored_ids(store).await?.join(", "), keys.key_ids().join(", "));
    let detail = format!(
        "the database holds {closed} values that are sealed under the key {theirs}, and none that the key {ours} opens"
    );
    Err(Fault::new(Code::InvalidState, detail))
}

/// Ids of the keys that stored values are under: those of the first of each table.
async fn stored_ids(store: &Store) -> Result<Vec<String>, Fault> {
    let mut ids = BTreeSet::new();
    for table in carriers() {
        let rows = store.list_rows(table, Query::of_all_accounts()).await?;
        let cells = rows.iter().filter_map(|row| row.cells.get(table.position("key_id")?));
        ids.extend(cells.filter_map(|cell| if let Cell::Text(id) = cell { Some(id.clone()) } else { None }));
    }
    Ok(ids.into_iter().collect())
}

/// What binds a value to its row, besides the account.
fn context(table: &Table, key: Key) -> String {
    format!("row/{}/{}", table.name, key.id)
}

impl Sealed {
    /// Seals a value for the row of a key under the current root key.
    #[must_use]
    pub fn new(core: &Core, table: &Table, key: Key, value: &[u8]) -> Self {
        let key_id = core.keys.key_ids().into_iter().next().unwrap_or_default();
        let envelope = core.keys.seal(&*core.chance, key.account, &context(table, key), value);
        Self { key_id, envelope }
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`Code::Integrity`] where it was sealed for another row or was changed, [`Code::Unavailable`] where its root key is
    /// not in the ring of this daemon.
    pub fn open(&self, core: &Core, table: &Table, key: Key) -> Result<Zeroizing<Vec<u8>>, Fault> {
        core.keys.open_under(&self.key_id, key.account, &context(table, key), &self.envelope)
    }
}

/// Seals a row's value again under the current root key; none where the row has no value.
///
/// # Errors
/// As [`Sealed::open`].
pub(crate) fn reseal(core: &Core, table: &Table, mut row: Row) -> Result<Option<Row>, Fault> {
    let (Some(key_id), Some(envelope)) = (table.position("key_id"), table.position("envelope")) else {
        return Ok(None);
    };
    let (Some(Cell::Text(id)), Some(Cell::Bytes(bytes))) = (row.cells.get(key_id), row.cells.get(envelope))
    else {
        return Ok(None);
    };
    let sealed = Sealed { key_id: id.clone(), envelope: bytes.clone() };
    let value = sealed.open(core, table, row.head.key())?;
    let fresh = Sealed::new(core, table, row.head.key(), &value);
    row.cells[key_id] = fresh.key_id.into();
    row.cells[envelope] = fresh.envelope.into();
    Ok(Some(row))
}
