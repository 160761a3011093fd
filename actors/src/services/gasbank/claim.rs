//! What belongs to one gas account of all accounts: a wallet, a transaction on the chain.
//!
//! A claim is a row of the system's whose id follows from what is claimed, so that two cannot be there at once.

use chrono::DateTime;
use sha2::{Digest as _, Sha256};
use sl_store::{Batch, Cell, Cells, Code, Column, Entity, Fault, Head, Key, Kind, SYSTEM, Store, Table};
use uuid::Uuid;

use crate::{action::Tenant, neo::ScriptHash, services::accounts::Account};

/// A claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GasClaim {
    /// The row's head; its account is the system.
    pub head: Head,
    /// What is claimed.
    pub what: String,
    /// By which account.
    pub owner: Uuid,
    /// For which gas account.
    pub gas_account_id: Uuid,
}

/// The claim of a wallet.
pub(super) fn wallet(hash: &ScriptHash) -> String {
    format!("wallet/{hash}")
}

/// The claim of a transaction on the chain.
pub(super) fn transaction(chain_id: &str) -> String {
    format!("transaction/{chain_id}")
}

impl GasClaim {
    fn new(what: &str, gas_account_id: Uuid, tenant: &Tenant) -> Self {
        let head = Head::new(SYSTEM, id_of(what), tenant.now());
        Self { head, what: what.to_owned(), owner: tenant.account_id, gas_account_id }
    }
}

fn id_of(what: &str) -> Uuid {
    let digest = Sha256::new().chain_update("gasbank/").chain_update(what).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// Who has claimed something.
pub(super) async fn find(store: &Store, what: &str) -> Result<Option<GasClaim>, Fault> {
    store.find(Key::new(SYSTEM, id_of(what))).await
}

/// Adds a claim to the batch; a conflict on commit where somebody has it.
pub(super) fn claim(what: &str, gas_account_id: Uuid, tenant: &Tenant, batch: &mut Batch) {
    batch.insert(&GasClaim::new(what, gas_account_id, tenant));
}

/// The same, refused where somebody has it.
///
/// # Errors
/// [`Code::Conflict`].
pub(super) async fn take(
    what: &str,
    gas_account_id: Uuid,
    tenant: &Tenant,
    batch: &mut Batch,
) -> Result<(), Fault> {
    if find(&tenant.core.store, what).await?.is_some() {
        return Err(Fault::new(Code::Conflict, "this transaction was deposited already, and not refused"));
    }
    claim(what, gas_account_id, tenant, batch);
    Ok(())
}

/// Adds to the batch that something is nobody's any more.
pub(super) async fn release(what: &str, tenant: &Tenant, batch: &mut Batch) -> Result<(), Fault> {
    if let Some(found) = find(&tenant.core.store, what).await? {
        batch.remove(&found);
    }
    Ok(())
}

/// Adds to the batch that a claim passes to this account, where the account that had it was removed; answers whether it
/// does.
pub(super) async fn inherit(
    mut found: GasClaim,
    gas_account_id: Uuid,
    tenant: &Tenant,
    batch: &mut Batch,
) -> Result<bool, Fault> {
    let owner: Option<Account> = tenant.core.store.find(Key::new(SYSTEM, found.owner)).await?;
    if owner.is_some() {
        return Ok(false);
    }
    (found.owner, found.gas_account_id) = (tenant.account_id, gas_account_id);
    batch.replace(&mut found, tenant.now());
    Ok(true)
}

impl Entity for GasClaim {
    const TABLE: &'static Table = &Table {
        name: "gas_claims",
        noun: "gas claim",
        columns: &[
            Column::new("what", Kind::Text),
            Column::new("owner", Kind::Uuid),
            Column::new("gas_account_id", Kind::Uuid),
        ],
        uniques: &[],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        vec![self.what.clone().into(), self.owner.into(), self.gas_account_id.into()]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        Ok(Self { head, what: cells.text()?, owner: cells.uuid()?, gas_account_id: cells.uuid()? })
    }

    fn samples() -> Vec<Self> {
        let what = transaction("0x00");
        vec![Self {
            head: Head::new(SYSTEM, id_of(&what), DateTime::UNIX_EPOCH),
            what,
            owner: Uuid::from_u128(1),
            gas_account_id: Uuid::from_u128(2),
        }]
    }
}
