//! Reads of rows.

use deadpool_postgres::Client;
use tokio_postgres::Row as SqlRow;
use uuid::Uuid;

use super::{
    failure,
    sql::{Condition, Place, select},
    tables,
    value::{Param, read, read_row},
};
use crate::{Fault, Filter, Key, Order, Query, Row, Table, check};

/// The rows of these keys that are there, in no order.
pub async fn get(client: &Client, table: &'static Table, keys: &[Key]) -> Result<Vec<Row>, Fault> {
    let statements = tables::statements(table);
    let found = if let [key] = keys {
        rows(client, &statements.get, vec![Param::Lent(&key.account), Param::Lent(&key.id)]).await?
    } else {
        let accounts: Vec<Uuid> = keys.iter().map(|key| key.account).collect();
        let ids: Vec<Uuid> = keys.iter().map(|key| key.id).collect();
        rows(client, &statements.get_many, vec![Param::own(accounts), Param::own(ids)]).await?
    };
    found.iter().map(|row| read_row(table, row)).collect()
}

/// A page of rows.
pub async fn list(client: &Client, table: &'static Table, query: &Query) -> Result<Vec<Row>, Fault> {
    check::filters(table, &query.filters)?;
    let (after, direction) = match query.order {
        Order::Oldest => (">", "ASC"),
        Order::Newest => ("<", "DESC"),
    };
    let mut condition = Condition::default();
    if let Some(account) = &query.account {
        condition.compare("account_id", "=", Place::Uuid(account));
    }
    if let Some(id) = &query.after {
        condition.compare("id", after, Place::Uuid(id));
    }
    condition.filters(table, &query.filters);
    let limit = condition.number(query.limit);
    let select = select(table);
    let text = format!(
        "{select}{} ORDER BY \"id\" {direction}, \"account_id\" {direction} LIMIT {limit}",
        condition.text
    );
    rows(client, &text, condition.params()).await?.iter().map(|row| read_row(table, row)).collect()
}

/// How many rows match.
pub async fn count(
    client: &Client,
    table: &'static Table,
    account: Option<Uuid>,
    filters: &[Filter],
) -> Result<u64, Fault> {
    check::filters(table, filters)?;
    let mut condition = Condition::default();
    if let Some(account) = &account {
        condition.compare("account_id", "=", Place::Uuid(account));
    }
    condition.filters(table, filters);
    let text = format!("SELECT count(*) FROM \"{}\"{}", table.name, condition.text);
    number(rows(client, &text, condition.params()).await?.first(), 0)
}

/// A count of an answer.
pub fn number(row: Option<&SqlRow>, position: usize) -> Result<u64, Fault> {
    let row = row.ok_or_else(|| Fault::internal("a count without an answer"))?;
    Ok(read::<i64>(row, position)?.unsigned_abs())
}

/// Runs a statement.
pub async fn rows(client: &Client, text: &str, params: Vec<Param<'_>>) -> Result<Vec<SqlRow>, Fault> {
    let run = async {
        let statement = client.prepare_cached(text).await?;
        let params: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> =
            params.iter().map(|param| param as _).collect();
        client.query(&statement, &params).await
    };
    run.await.map_err(|error| failure::fault(&error))
}
