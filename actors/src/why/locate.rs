//! Finds the thing of an id.

use sl_store::{Cell, Entity as _, Fault, Key, SYSTEM, Table};
use uuid::Uuid;

use super::Explained;
use crate::{
    action::Tenant,
    services::{self, accounts::Account},
};

/// The thing of this id of the tenant's account, as its service tells it or as its row does.
pub(crate) async fn locate(tenant: &Tenant, id: Uuid) -> Result<Option<Explained>, Fault> {
    for explain in services::ALL.iter().filter_map(|service| service.explain) {
        if let Some(explained) = explain(&tenant.core, tenant.account_id, id).await? {
            return Ok(Some(explained));
        }
    }
    if id == tenant.account_id {
        return row(tenant, Account::TABLE, Key::new(SYSTEM, id)).await;
    }
    for service in services::ALL {
        for table in service.tables {
            if let Some(found) = row(tenant, table, tenant.key(id)).await? {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

async fn row(tenant: &Tenant, table: &'static Table, key: Key) -> Result<Option<Explained>, Fault> {
    let Some(row) = tenant.core.store.find_row(table, key).await? else { return Ok(None) };
    let status = table.position("status").and_then(|position| match row.cells.get(position) {
        Some(Cell::Text(status)) => Some(status.clone()),
        _ => None,
    });
    Ok(Some(Explained {
        kind: table.noun,
        status: status.unwrap_or_default(),
        gates: Vec::new(),
        causes: Vec::new(),
    }))
}
