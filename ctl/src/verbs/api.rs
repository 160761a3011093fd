//! `api`: any request, for what has no command of its own.

use clap::{Arg, ArgAction, ArgMatches, Command};
use reqwest::Method;

use crate::{
    call,
    failure::{Failure, Outcome},
    output,
    request::Request,
    session::{Session, flag},
    text,
};

/// The command.
pub fn command() -> Command {
    let many = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).action(ArgAction::Append).help(help)
    };
    Command::new("api")
        .about("Send any request to the server")
        .arg(Arg::new("method").value_name("METHOD").required(true).help("GET, POST, PUT, PATCH, DELETE"))
        .arg(
            Arg::new("path")
                .value_name("PATH")
                .required(true)
                .help("The path, not encoded; {account} in it is the account of the context"),
        )
        .arg(many("query", "NAME=VALUE", "A query parameter [repeatable]"))
        .arg(many("header", "NAME: VALUE", "A header [repeatable]").short('H'))
        .arg(
            Arg::new("body")
                .long("body")
                .value_name("JSON|@FILE|-")
                .help("The body")
                .allow_hyphen_values(true),
        )
        .arg(
            Arg::new("idempotency-key")
                .long("idempotency-key")
                .value_name("KEY")
                .help("The key; made if left out"),
        )
        .arg(
            Arg::new("include")
                .long("include")
                .short('i')
                .action(ArgAction::SetTrue)
                .help("Show status and headers"),
        )
}

/// Runs it.
pub async fn run(session: &Session, matches: &ArgMatches) -> Outcome<()> {
    let request = request(session, matches)?;
    let answer = session.client.send(&request).await?;
    if matches.get_flag("include") {
        output::write(&format!("{}\n", answer.status))?;
        for (name, value) in &answer.headers {
            output::write(&format!(
                "{name}: {}\n",
                text::one_line(&String::from_utf8_lossy(value.as_bytes()))
            ))?;
        }
        output::write("\n")?;
    }
    match answer.json() {
        Some(value) => session.output.show(&value, &[]),
        None => output::write_bytes(&answer.body),
    }
}

fn request(session: &Session, matches: &ArgMatches) -> Outcome<Request> {
    let method = flag(matches, "method").unwrap_or_default().to_uppercase();
    let typed = flag(matches, "path").unwrap_or_default();
    let (path, query) = typed.split_once('?').unwrap_or((&typed, ""));
    if !path.starts_with('/') {
        return Err(Failure::usage(format!("path `{path}` does not begin with /")));
    }
    let method = Method::from_bytes(method.as_bytes())
        .map_err(|_| Failure::usage(format!("`{method}` is no method")))?;
    let mut request = Request::fill(method, path, |name| match name {
        "account" => session.account().map(str::to_owned),
        _ => Err(Failure::usage(format!("{{{name}}} in the path: write the value itself"))),
    })?;
    for pair in
        query.split('&').filter(|pair| !pair.is_empty()).map(str::to_owned).chain(many(matches, "query"))
    {
        request.query.push(pair_of(&pair, '=')?);
    }
    for header in many(matches, "header") {
        request.headers.push(pair_of(&header, ':')?);
    }
    request.body = flag(matches, "body").map(|text| call::json(&text)).transpose()?;
    if request.method != Method::GET && request.method != Method::HEAD {
        request.key = Some(flag(matches, "idempotency-key").map_or_else(call::fresh_key, Ok)?);
    }
    Ok(request)
}

fn many(matches: &ArgMatches, name: &str) -> Vec<String> {
    matches.get_many::<String>(name).into_iter().flatten().cloned().collect()
}

fn pair_of(text: &str, between: char) -> Outcome<(String, String)> {
    let pair = text.split_once(between);
    let (name, value) = pair.ok_or_else(|| Failure::usage(format!("`{text}` has no `{between}`")))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}
