//! Names in place of ids: where an id is wanted and a name was typed, the list of such things tells the id.

use std::collections::BTreeMap;

use clap::ArgMatches;
use reqwest::Method;
use serde_json::Value;

use crate::{
    call,
    document::Operation,
    exit::Exit,
    failure::{Failure, Outcome},
    flags::{Flag, Place},
    request::Request,
    schema::Role,
    session::{Session, flag},
    text,
};

/// The parameters of an operation's path as they were typed, with the ids behind typed names.
pub async fn resolve(
    session: &Session,
    operation: &Operation,
    typed: impl Fn(&str) -> Outcome<String>,
) -> Outcome<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for parameter in &operation.path_parameters {
        let name = parameter.name.as_str();
        let mut value = typed(name)?;
        let named = parameter.role == Role::Id && name != "account" && !value.is_empty() && !is_id(&value);
        let above = operation.path.split(&format!("/{{{name}}}")).next().unwrap_or_default();
        if let Some(list) = list(session, |list| list.path == above).filter(|_| named) {
            let request = Request::fill(Method::GET, &list.path, |name| {
                found.get(name).cloned().map_or_else(|| typed(name), Ok)
            })?;
            value = only(&ids_of(session, list, request, &value).await?, name, &value)?;
        }
        found.insert(name.to_owned(), value);
    }
    Ok(found)
}

/// Puts the ids behind typed names into the query and the body: `--function-id hello`.
pub async fn resolve_flags(
    session: &Session,
    flags: &[Flag<'_>],
    matches: &ArgMatches,
    request: &mut Request,
) -> Outcome<()> {
    for flag in flags.iter().filter(|flag| flag.property.role == Role::Id) {
        let name = flag.property.name.as_str();
        let typed = self::flag(matches, &flag.id()).filter(|typed| !typed.is_empty() && !is_id(typed));
        let kind = name.strip_suffix("_id").unwrap_or_default();
        let list = list(session, |list| {
            is_named(list)
                && list.id.split('.').rev().nth(1).is_some_and(|many| kind.ends_with(&singular(many)))
        });
        let (Some(typed), Some(list)) = (typed, list.filter(|_| !kind.is_empty())) else { continue };
        let id = only(&ids_of(session, list, of_account(session, list)?, &typed).await?, kind, &typed)?;
        match (flag.place, &mut request.body) {
            (Place::Query, _) => request.set_query(name, id),
            (Place::Body, Some(Value::Object(members))) => drop(members.insert(name.to_owned(), id.into())),
            (Place::Body, _) => {}
        }
    }
    Ok(())
}

/// The id of the only thing of the account that is called so, whatever it is.
pub async fn of_anything(session: &Session, typed: &str) -> Outcome<String> {
    if is_id(typed) || typed.is_empty() {
        return Ok(typed.to_owned());
    }
    let mut ids = Vec::new();
    for list in session.document.operations.iter().filter(|list| list.is_list() && is_named(list)) {
        ids.extend(ids_of(session, list, of_account(session, list)?, typed).await?);
    }
    only(&ids, "thing", typed)
}

/// The id of what a path ends in: `/accounts/{account}/executions/{execution}`.
pub async fn at_end(session: &Session, path: &str, typed: &str) -> Outcome<String> {
    let found = session.document.operations.iter().find(|found| found.path == path && found.is_read());
    let Some(operation) = found else { return Ok(typed.to_owned()) };
    let named = resolve(session, operation, |name| match name {
        "account" => session.account().map(str::to_owned),
        _ => Ok(typed.to_owned()),
    });
    let last = operation.path_parameters.last().map(|last| last.name.as_str()).unwrap_or_default();
    Ok(named.await?.remove(last).unwrap_or_default())
}

fn list(session: &Session, fits: impl Fn(&Operation) -> bool) -> Option<&Operation> {
    session.document.operations.iter().find(|list| list.is_list() && fits(list))
}

/// Whether it lists things of the account that have an id and a name.
fn is_named(list: &Operation) -> bool {
    let has = |column: &str| list.columns.iter().any(|known| known == column);
    list.path_parameters.len() == 1 && list.path_parameters[0].name == "account" && has("id") && has("name")
}

fn of_account(session: &Session, list: &Operation) -> Outcome<Request> {
    Request::fill(Method::GET, &list.path, |_| session.account().map(str::to_owned))
}

/// The ids of those in the list that are called so. A list that shows no names is not asked.
async fn ids_of(
    session: &Session,
    list: &Operation,
    mut request: Request,
    name: &str,
) -> Outcome<Vec<String>> {
    if !list.columns.is_empty() && !list.columns.iter().any(|column| column == "name") {
        return Ok(Vec::new());
    }
    request.set_query("limit", "500");
    let all = call::all(session, request).await?;
    let items = all["items"].as_array().into_iter().flatten();
    let ids = items.filter(|item| item["name"] == name).filter_map(|item| item["id"].as_str());
    Ok(ids.map(str::to_owned).collect())
}

fn only(ids: &[String], kind: &str, name: &str) -> Outcome<String> {
    let (kind, shown) = (kind.replace('_', " "), text::one_line(name));
    match ids {
        [id] => Ok(id.clone()),
        [] => Err(Failure::new(Exit::NotFound, format!("no {kind} is called `{shown}`"))),
        _ => Err(Failure::new(
            Exit::Conflict,
            format!("more than one {kind} is called `{shown}`: give the id"),
        )),
    }
}

/// One of many. `system` has one only.
pub fn singular(plural: &str) -> String {
    match plural {
        name if name.ends_with("ies") => format!("{}y", &name[..name.len() - 3]),
        name if name.ends_with("ss") => name.to_owned(),
        name => name.strip_suffix('s').unwrap_or(name).to_owned(),
    }
}

/// Whether this is a UUID.
fn is_id(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [8, 4, 4, 4, 12] && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::singular;

    #[test]
    fn things_are_named_in_the_singular() {
        for (many, one) in
            [("functions", "function"), ("duties", "duty"), ("system", "system"), ("jobs", "job")]
        {
            assert_eq!(singular(many), one);
        }
    }
}
