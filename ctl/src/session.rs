//! What a run of the program works with: where the server is, who we are, and how to show what it answers.

use std::time::Duration;

use clap::ArgMatches;

use crate::{
    client::{Client, Settings},
    contexts::{Context, Contexts},
    document::Document,
    failure::{Failure, Outcome},
    output::{Mode, Output},
    surroundings,
    token::Token,
    value,
};

/// Where a server is when nobody says anything.
pub const DEFAULT_ADDR: &str = "http://127.0.0.1:8080";

/// One run of the program.
#[derive(Debug)]
pub struct Session {
    /// The operations.
    pub document: Document,
    /// The way to the server.
    pub client: Client,
    /// How to show what it answers.
    pub output: Output,
    account: Option<String>,
}

impl Session {
    /// Puts together what flags, environment and context say, in this order of weight.
    pub fn open(document: Document, matches: &ArgMatches) -> Outcome<Self> {
        let contexts = Contexts::load()?;
        let name = flag(matches, "context").or_else(|| surroundings::variable("SERVICE_LAYER_CONTEXT"));
        let context = match name.as_ref().or(contexts.current.as_ref()) {
            Some(name) => contexts.get(name)?.clone(),
            None => Context::default(),
        };
        let said = flag(matches, "addr").or_else(|| surroundings::variable("SERVICE_LAYER_ADDR"));
        let addr = said.clone().or_else(|| context.addr.clone()).unwrap_or_else(|| DEFAULT_ADDR.to_owned());
        let settings = Settings {
            token: token(matches, &context, &addr)?,
            ca_file: flag(matches, "ca-file")
                .or_else(|| surroundings::variable("SERVICE_LAYER_CA_FILE"))
                .or_else(|| context.ca_file.clone()),
            timeout: duration(matches, "request-timeout")?.unwrap_or(Duration::from_mins(1)),
            attempts: matches.get_one::<u32>("attempts").copied().unwrap_or(1),
            verbose: matches.get_flag("verbose"),
            addr,
        };
        let account = flag(matches, "account").or_else(|| surroundings::variable("SERVICE_LAYER_ACCOUNT"));
        Ok(Self {
            client: Client::new(settings)?,
            output: output(matches)?,
            account: account.or(context.account),
            document,
        })
    }

    /// The account that the command is about.
    pub fn account(&self) -> Outcome<&str> {
        self.account.as_deref().ok_or_else(|| {
            Failure::usage("which account?")
                .note("give --account ID, set SERVICE_LAYER_ACCOUNT, or keep it in the context: slctl context set NAME --account ID")
        })
    }
}

/// How to show things, where no server is needed.
pub fn output(matches: &ArgMatches) -> Outcome<Output> {
    let said = flag(matches, "output").or_else(|| surroundings::variable("SERVICE_LAYER_OUTPUT"));
    let mode = said.map_or(Ok(Mode::Table), |name| {
        Mode::parse(&name).ok_or_else(|| {
            Failure::usage(format!("output `{name}` is none of table, json, jsonl, yaml, name"))
        })
    })?;
    Ok(Output::new(mode, matches.get_one::<String>("color").map_or("auto", String::as_str)))
}

/// The token. One that a context keeps is only sent to that context's server.
fn token(matches: &ArgMatches, context: &Context, addr: &str) -> Outcome<Option<Token>> {
    let file = flag(matches, "token-file");
    let variable = || surroundings::variable("SERVICE_LAYER_TOKEN").map(|token| Token::new(&token));
    let file_variable = || surroundings::variable("SERVICE_LAYER_TOKEN_FILE");
    let token = if let Some(path) = file {
        Some(Token::new(&value::file(&path)?))
    } else if let Some(token) = variable() {
        Some(token)
    } else if let Some(path) = file_variable() {
        Some(Token::new(&value::file(&path)?))
    } else if context.addr.as_deref().unwrap_or(DEFAULT_ADDR) == addr {
        context.token()?
    } else {
        None
    };
    Ok(token.filter(|token| !token.is_empty()))
}

/// The text of a flag, where it was given or has a default.
pub fn flag(matches: &ArgMatches, name: &str) -> Option<String> {
    matches.try_get_one::<String>(name).ok().flatten().cloned()
}

/// A flag with a duration: `90s`, `5m`, `1h30m`.
pub fn duration(matches: &ArgMatches, name: &str) -> Outcome<Option<Duration>> {
    let read = |text: String| {
        humantime::parse_duration(&text).map_err(|error| {
            Failure::usage(format!("--{name}: `{text}` is no duration such as 90s or 5m: {error}"))
        })
    };
    flag(matches, name).map(read).transpose()
}
