//! Values for a run.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::SecretString;
use serde_json::json;
use sl_store::{Cell, Code, Fault, Filter, NewEvent, Query};
use uuid::Uuid;

use super::{Secret, rules};
use crate::Core;

/// What values are resolved for; told in the event log.
#[derive(Clone, Debug)]
pub struct Purpose {
    /// The execution, or whatever else is given the values.
    pub subject: Uuid,
    /// Who caused it.
    pub actor: String,
    /// The request behind it, where there was one.
    pub request_id: Option<String>,
    /// From where the request came, where there was one.
    pub origin: Option<String>,
}

/// Values, and the event that tells of them.
#[derive(Debug)]
pub struct Resolved {
    /// The values, by the names asked for.
    pub values: BTreeMap<String, SecretString>,
    /// `secret.resolved` with names and versions, never values; for the batch that begins or ends the run. None where
    /// nothing was asked for.
    pub event: Option<NewEvent>,
}

/// The values of these secrets as they are in force: one look-up for all of them.
///
/// # Errors
/// [`Code::NotFound`] naming every secret that does not exist; [`Code::Integrity`] where a value does not open,
/// [`Code::Unavailable`] where this daemon has not the root key of one.
pub async fn resolve(
    core: &Core,
    account: Uuid,
    names: &[String],
    purpose: &Purpose,
) -> Result<Resolved, Fault> {
    if names.is_empty() {
        return Ok(Resolved { values: BTreeMap::new(), event: None });
    }
    let found = found(core, account, names).await?;
    let lacking = lacking(names, &found);
    if !lacking.is_empty() {
        let told = lacking.join(", ");
        return Err(Fault::new(Code::NotFound, format!("there is no secret of the name {told}")));
    }
    let mut values = BTreeMap::new();
    let mut told = Vec::new();
    for name in names {
        let Some(secret) = found.get(&rules::name_key(name)) else { continue };
        let value = secret.place(secret.active).open(core, &secret.key_id, &secret.envelope).await?;
        values.insert(name.clone(), value);
        told.push(json!({"name": secret.name, "version": secret.active}));
    }
    let event = NewEvent {
        account,
        service: "secrets",
        kind: "secret.resolved",
        subject: purpose.subject,
        actor: purpose.actor.clone(),
        request_id: purpose.request_id.clone(),
        origin: purpose.origin.clone(),
        data: json!({"secrets": told}),
    };
    Ok(Resolved { values, event: Some(event) })
}

/// Which of these names no secret of the account has, whatever their case.
///
/// # Errors
/// As [`sl_store::Store::list`].
pub async fn missing(core: &Core, account: Uuid, names: &[String]) -> Result<Vec<String>, Fault> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    Ok(lacking(names, &found(core, account, names).await?))
}

async fn found(core: &Core, account: Uuid, names: &[String]) -> Result<BTreeMap<String, Secret>, Fault> {
    let keys: BTreeSet<String> = names.iter().map(|name| rules::name_key(name)).collect();
    let limit = keys.len();
    let keys = keys.into_iter().map(Cell::from).collect();
    let query = Query::of(account).filter(Filter::In("name_key", keys)).limit(limit);
    let rows: Vec<Secret> = core.store.list(query).await?;
    Ok(rows.into_iter().map(|secret| (secret.name_key.clone(), secret)).collect())
}

fn lacking(names: &[String], found: &BTreeMap<String, Secret>) -> Vec<String> {
    names.iter().filter(|name| !found.contains_key(&rules::name_key(name))).cloned().collect()
}
