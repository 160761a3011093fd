//! Sealed values in the rows of services: bound to their table and row, sealed again when the root key is rotated.
//!
//! A table that carries one has the columns `key_id` (text) and `envelope` (bytes), both nullable where the value may be
//! absent, and stands in [`crate::services::Service::sealed`].

use sl_store::{Cell, Fault, Key, Row, Table};
use zeroize::Zeroizing;

use crate::Core;

/// A sealed value and the id of the root key it is under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The root key's id; goes into `key_id`.
    pub key_id: String,
    /// The sealed value; goes into `envelope`.
    pub envelope: Vec<u8>,
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
    /// [`sl_store::Code::Integrity`] where it was sealed for another row, was changed, or its root key is not in the ring.
    pub fn open(&self, core: &Core, table: &Table, key: Key) -> Result<Zeroizing<Vec<u8>>, Fault> {
        core.keys.open(key.account, &context(table, key), &self.envelope)
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
