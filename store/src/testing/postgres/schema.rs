//! Whether the database's tables are what the entities say.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use super::Admin;
use crate::{Column, Kind, Table};

/// The SQL that makes a table as its description says.
#[must_use]
pub fn create_table(table: &Table) -> String {
    let mut text = format!("CREATE TABLE \"{}\" (", table.name);
    for column in columns(table) {
        let null = if column.nullable { "" } else { " NOT NULL" };
        let _ = write!(text, "\"{}\" {}{null}, ", column.name, sql_type(column.kind));
    }
    text.push_str("PRIMARY KEY (account_id, id));");
    for unique in table.uniques {
        let columns: Vec<String> = unique.columns.iter().map(|column| format!(", \"{column}\"")).collect();
        let (name, columns) = (unique.name, columns.concat());
        let _ = write!(text, "CREATE UNIQUE INDEX \"{name}\" ON \"{}\" (account_id{columns});", table.name);
    }
    text
}

/// Where the database's tables differ from their descriptions: columns, types, nulls, primary key, unique sets.
pub async fn differences(admin: &Admin, tables: &[&'static Table]) -> Vec<String> {
    let mut differences = Vec::new();
    for table in tables {
        let mut differ = |what: String| differences.push(format!("{}: {what}", table.name));
        let (described, found) = (described_columns(table), found_columns(admin, table).await);
        compare("column", &described, &found, &mut differ);
        let (described, found) = (described_keys(table), found_keys(admin, table).await);
        compare("unique set", &described, &found, &mut differ);
    }
    differences
}

fn compare(
    what: &str,
    described: &BTreeMap<String, String>,
    found: &BTreeMap<String, String>,
    differ: &mut impl FnMut(String),
) {
    let names: BTreeSet<&String> = described.keys().chain(found.keys()).collect();
    for name in names {
        match (described.get(name), found.get(name)) {
            (Some(described), Some(found)) if described == found => {}
            (Some(described), Some(found)) => {
                differ(format!("{what} {name} is described as {described} and is {found}"));
            }
            (Some(described), None) => differ(format!("{what} {name} ({described}) is not in the database")),
            (None, found) => differ(format!("{what} {name} ({}) is not described", found.map_or("", |v| v))),
        }
    }
}

fn columns(table: &Table) -> impl Iterator<Item = &Column> {
    const HEAD: &[Column] = &Table::HEAD;
    HEAD.iter().chain(table.columns)
}

const fn sql_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "boolean",
        Kind::Int => "bigint",
        Kind::Text | Kind::Word => "text",
        Kind::Uuid => "uuid",
        Kind::Time => "timestamp with time zone",
        Kind::Bytes => "bytea",
        Kind::Json => "json",
    }
}

fn shape(sql_type: &str, nullable: bool) -> String {
    format!("{sql_type}{}", if nullable { "" } else { " not null" })
}

fn described_columns(table: &Table) -> BTreeMap<String, String> {
    columns(table)
        .map(|column| (column.name.to_owned(), shape(sql_type(column.kind), column.nullable)))
        .collect()
}

async fn found_columns(admin: &Admin, table: &Table) -> BTreeMap<String, String> {
    let rows = admin
        .query(
            "SELECT column_name::text, data_type::text, is_nullable = 'YES' FROM information_schema.columns \
             WHERE table_schema = 'public' AND table_name = $1",
            &[&table.name],
        )
        .await;
    rows.iter().map(|row| (row.get(0), shape(row.get(1), row.get(2)))).collect()
}

fn described_keys(table: &Table) -> BTreeMap<String, String> {
    let unique = |columns: &[&str]| format!("({})", columns.join(", "));
    let mut keys = BTreeMap::from([("primary key".to_owned(), unique(&["account_id", "id"]))]);
    keys.extend(table.uniques.iter().map(|set| {
        let columns = [&["account_id"], set.columns].concat();
        (set.name.to_owned(), unique(&columns))
    }));
    keys
}

async fn found_keys(admin: &Admin, table: &Table) -> BTreeMap<String, String> {
    let rows = admin
        .query(
            "SELECT CASE WHEN i.indisprimary THEN 'primary key' ELSE c.relname::text END, \
             '(' || string_agg(coalesce(a.attname::text, 'an expression'), ', ' ORDER BY k.place) || ')' || \
             CASE WHEN i.indpred IS NULL THEN '' ELSE ' of some rows' END \
             FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
             CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place) \
             LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number \
             WHERE i.indrelid = to_regclass(quote_ident($1)) AND i.indisunique \
             GROUP BY i.indisprimary, c.relname, i.indpred IS NULL",
            &[&table.name],
        )
        .await;
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}
