//! Names in place of ids: where a path wants an id and a name was typed, the list above it tells the id.

use std::collections::BTreeMap;

use clap::ArgMatches;
use reqwest::Method;

use crate::{
    call,
    document::Operation,
    exit::Exit,
    failure::{Failure, Outcome},
    request::Request,
    schema::{Property, Role},
    session::{Session, flag},
    text,
};

/// The ids behind the typed names, by parameter. A typed id is taken as it is.
pub async fn resolve(
    session: &Session,
    operation: &Operation,
    matches: &ArgMatches,
) -> Outcome<BTreeMap<String, String>> {
    let mut ids = BTreeMap::new();
    let wanted = |parameter: &&Property| parameter.role == Role::Id && parameter.name != "account";
    for parameter in operation.path_parameters.iter().filter(wanted) {
        let name = parameter.name.as_str();
        let typed = flag(matches, &format!("path:{name}")).filter(|typed| !typed.is_empty() && !is_id(typed));
        let above = operation.path.split(&format!("/{{{name}}}")).next().unwrap_or_default();
        let list = session.document.operations.iter().find(|list| list.path == above && list.is_list());
        if let (Some(typed), Some(list)) = (typed, list) {
            let mut request = Request::fill(Method::GET, &list.path, |name| {
                ids.get(name).cloned().map_or_else(|| call::parameter(session, operation, matches, name), Ok)
            })?;
            request.set_query("limit", "500");
            ids.insert(name.to_owned(), id_of(session, request, name, &typed).await?);
        }
    }
    Ok(ids)
}

/// The id of the only thing of this name in the list.
async fn id_of(session: &Session, list: Request, kind: &str, name: &str) -> Outcome<String> {
    let all = call::all(session, list).await?;
    let items = all["items"].as_array().into_iter().flatten();
    let mut ids = items.filter(|item| item["name"] == name).filter_map(|item| item["id"].as_str());
    let shown = text::one_line(name);
    match (ids.next(), ids.next()) {
        (Some(id), None) => Ok(id.to_owned()),
        (None, _) => Err(Failure::new(Exit::NotFound, format!("no {kind} is called `{shown}`"))),
        _ => Err(Failure::new(
            Exit::Conflict,
            format!("more than one {kind} is called `{shown}`: give the id"),
        )),
    }
}

/// Whether this is a UUID.
fn is_id(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [8, 4, 4, 4, 12] && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
