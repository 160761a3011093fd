//! `dev`: a server on this machine to play with, and a context that points at it.

use std::{path::PathBuf, process::Stdio, time::Duration};

use clap::{Arg, ArgMatches, Command};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::{
    process::{Child, Command as Process},
    signal::unix::{self, SignalKind, signal},
};

use crate::{
    client::{Client, Settings},
    contexts::{Context, Contexts},
    exit::Exit,
    failure::{Failure, Outcome},
    note,
    request::Request,
    session::{Session, flag},
    surroundings,
    token::Token,
};

/// The name of the context that exists as long as the server does.
const CONTEXT: &str = "dev";

/// How often to ask whether the server is up, and the time between two questions.
const ASKED_MAX: u32 = 200;
const ASK_PAUSE: Duration = Duration::from_millis(50);

/// Variables of this program that are no settings of the server.
const OWN_VARIABLES: [&str; 8] = [
    "SERVICE_LAYER_ACCOUNT",
    "SERVICE_LAYER_ADDR",
    "SERVICE_LAYER_CA_FILE",
    "SERVICE_LAYER_CONTEXT",
    "SERVICE_LAYER_OPENAPI",
    "SERVICE_LAYER_OUTPUT",
    "SERVICE_LAYER_TOKEN",
    "SERVICE_LAYER_TOKEN_FILE",
];

/// The command.
pub fn command() -> Command {
    Command::new("dev")
        .about("Start `sld dev` on this machine, with a token and an account to work with")
        .after_help(
            "As long as it runs, the context `dev` is in use; when it ends, the one before is again. Nothing is kept.",
        )
        .arg(Arg::new("listen").long("listen").value_name("ADDRESS").default_value("127.0.0.1:8080").help("Where to listen"))
        .arg(Arg::new("arguments").value_name("ARGUMENT").num_args(0..).last(true).help("Further arguments for `sld dev`"))
}

/// Runs it.
pub async fn run(_session: &Session, matches: &ArgMatches) -> Outcome<()> {
    let listen = flag(matches, "listen").unwrap_or_default();
    let token = token()?;
    let mut asked = Asked::listen()?;
    let mut child = start(matches, &listen, &token)?;
    let addr = format!("http://{listen}");
    let result = tokio::select! {
        ended = child.wait() => return outcome(ended),
        ready = ready(&addr, &token) => ready,
        () = asked.once() => {
            stop(&mut child).await;
            return Ok(());
        }
    };
    let account = match result {
        Ok(account) => account,
        Err(failure) => {
            stop(&mut child).await;
            return Err(failure);
        }
    };
    let before = enter(Context {
        addr: Some(addr.clone()),
        account: Some(account.clone()),
        token: Some(token),
        ..Context::default()
    })?;
    note(&format!("context `{CONTEXT}` is in use: {addr}, account {account}; stop with Ctrl-C"));
    let ended = attend(&mut child, &mut asked).await;
    leave(before)?;
    ended
}

/// The first of the tokens that the environment gives the server, else a fresh one.
fn token() -> Outcome<Token> {
    let given = surroundings::variable("API_TOKENS");
    let first = given
        .as_deref()
        .and_then(|tokens| tokens.split(',').next())
        .map(|entry| entry.split_once(':').map_or(entry, |(_, token)| token));
    let fresh = || surroundings::random::<24>().map(hex::encode);
    Ok(Token::new(&first.map_or_else(fresh, |token| Ok(token.to_owned()))?))
}

fn start(matches: &ArgMatches, listen: &str, token: &Token) -> Outcome<Child> {
    let program = program()?;
    let mut process = Process::new(&program);
    process.arg("dev").args(["--listen", listen]).stdin(Stdio::null()).kill_on_drop(true);
    // The terminal's interrupt reaches this program alone, which passes it on, as it does one that only it was sent.
    process.process_group(0);
    for name in OWN_VARIABLES {
        process.env_remove(name);
    }
    process.args(matches.get_many::<String>("arguments").into_iter().flatten());
    if surroundings::variable("API_TOKENS").is_none() {
        process.env("API_TOKENS", format!("{CONTEXT}:{}", token.reveal()));
    }
    process
        .spawn()
        .map_err(|error| Failure::new(Exit::Other, format!("{} does not start: {error}", program.display())))
}

fn program() -> Outcome<PathBuf> {
    let found = surroundings::program_folders()
        .into_iter()
        .map(|folder| folder.join("sld"))
        .find(|path| path.is_file());
    found.ok_or_else(|| Failure::usage("`sld` is neither beside this program nor in PATH"))
}

/// Waits until the server answers and makes an account in it.
async fn ready(addr: &str, token: &Token) -> Outcome<String> {
    let client = Client::new(Settings {
        addr: addr.to_owned(),
        token: Some(token.clone()),
        ca_file: None,
        timeout: Duration::from_secs(10),
        attempts: 1,
        verbose: false,
    })?;
    let mut asked = 0;
    while let Err(failure) = client.send_once(&Request::get("/readyz")).await {
        asked += 1;
        if asked > ASKED_MAX {
            return Err(failure.note("`sld dev` did not get ready"));
        }
        tokio::time::sleep(ASK_PAUSE).await;
    }
    let body = Some(json!({"owner": CONTEXT}));
    let request = Request { body, ..Request::new(reqwest::Method::POST, "/accounts") };
    let account = client.send_once(&request).await?.value()?;
    let id = account["id"].as_str().map(str::to_owned);
    id.ok_or_else(|| Failure::new(Exit::Other, "the server made an account without an id"))
}

/// Puts the context in use and gives the name of the one before.
fn enter(context: Context) -> Outcome<Option<String>> {
    let mut contexts = Contexts::load()?;
    contexts.contexts.insert(CONTEXT.to_owned(), context);
    let before = contexts.current.replace(CONTEXT.to_owned()).filter(|name| name != CONTEXT);
    contexts.save()?;
    Ok(before)
}

/// Forgets the context: its token opens nothing any more.
fn leave(before: Option<String>) -> Outcome<()> {
    let mut contexts = Contexts::load()?;
    contexts.contexts.remove(CONTEXT);
    if contexts.current.as_deref() == Some(CONTEXT) {
        contexts.current = before;
    }
    contexts.save()
}

/// What asks this program to stop.
struct Asked([unix::Signal; 3]);

impl Asked {
    fn listen() -> Outcome<Self> {
        let listen =
            |kind| signal(kind).map_err(|error| Failure::new(Exit::Other, format!("no signals: {error}")));
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [interrupt, terminate, hangup] = kinds.map(listen);
        Ok(Self([interrupt?, terminate?, hangup?]))
    }

    async fn once(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// Waits for the server's end and passes on what asks us to stop.
async fn attend(child: &mut Child, asked: &mut Asked) -> Outcome<()> {
    loop {
        tokio::select! {
            ended = child.wait() => return outcome(ended),
            () = asked.once() => send(child, Signal::TERM),
        }
    }
}

async fn stop(child: &mut Child) {
    send(child, Signal::TERM);
    let _ = child.wait().await;
}

fn send(child: &Child, signal: Signal) {
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(id) = id {
        let _ = kill_process(id, signal);
    }
}

fn outcome(ended: std::io::Result<std::process::ExitStatus>) -> Outcome<()> {
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::new(Exit::Other, format!("`sld dev` ended: {status}"))),
        Err(error) => Err(Failure::new(Exit::Other, format!("`sld dev` is lost: {error}"))),
    }
}
