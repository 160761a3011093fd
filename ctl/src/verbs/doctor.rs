//! `doctor`: what stands between this program and a server that works.

use std::time::Instant;

use chrono::DateTime;
use clap::Command;
use serde_json::{Value, json};

use crate::{
    client::Answer,
    contexts::Contexts,
    exit::Exit,
    failure::{Failure, Outcome},
    output,
    request::Request,
    session::Session,
    surroundings,
    table::Table,
    text,
};

/// How far the clocks may be apart, in seconds, before signatures with timestamps are refused soon.
const SKEW_MAX: i64 = 30;

/// From which share of a limit on it is told, in percent.
const NEAR: u64 = 80;

/// The command.
pub fn command() -> Command {
    Command::new("doctor")
        .about("Check address, token, versions, clock, health and limits")
        .after_help("A warning is no failure; the exit code is that of the first check that fails.")
}

/// What was found so far.
#[derive(Default)]
struct Findings {
    rows: Vec<(&'static str, &'static str, String)>,
    failed: Option<Exit>,
}

impl Findings {
    fn ok(&mut self, check: &'static str, detail: impl Into<String>) {
        self.rows.push((check, "ok", detail.into()));
    }

    fn warn(&mut self, check: &'static str, detail: impl Into<String>) {
        self.rows.push((check, "warn", detail.into()));
    }

    fn fail(&mut self, check: &'static str, failure: &Failure) {
        self.rows.push((check, "fail", failure.message.clone()));
        self.failed.get_or_insert(failure.exit);
    }
}

/// Runs it.
pub async fn run(session: &Session) -> Outcome<()> {
    let mut findings = Findings::default();
    if let Some(warning) = Contexts::loose_permissions() {
        findings.warn("contexts", warning);
    }
    if reach(session, &mut findings).await {
        health(session, &mut findings).await;
        token(session, &mut findings).await;
        limits(session, &mut findings).await;
    }
    show(session, &findings)?;
    findings.failed.map_or(Ok(()), |exit| Err(Failure::silent(exit)))
}

/// Whether anything answers at the address, how fast, and by which clock.
async fn reach(session: &Session, findings: &mut Findings) -> bool {
    let base = session.client.base();
    let began = Instant::now();
    match session.client.send_once(&Request::get("/livez")).await {
        Ok(answer) => {
            findings.ok("address", format!("{base} answers in {} ms", began.elapsed().as_millis()));
            clock(&answer, findings);
            true
        }
        Err(failure) => {
            findings.fail("address", &failure);
            false
        }
    }
}

fn clock(answer: &Answer, findings: &mut Findings) {
    let theirs = answer.header("date").and_then(|date| DateTime::parse_from_rfc2822(date).ok());
    let Some(theirs) = theirs else {
        return findings.warn("clock", "the server tells no time");
    };
    let apart = theirs.timestamp() - surroundings::unix_seconds();
    if apart.abs() > SKEW_MAX {
        let way = if apart > 0 { "ahead of" } else { "behind" };
        findings.warn("clock", format!("the server is {} s {way} this machine", apart.abs()));
    } else {
        findings.ok("clock", format!("{apart} s apart"));
    }
}

async fn health(session: &Session, findings: &mut Findings) {
    for (check, path) in [("health", "/healthz"), ("readiness", "/readyz")] {
        match session.client.send_once(&Request::get(path)).await {
            Ok(answer) => {
                let status = answer.json().map(|value| text::plain(&value["status"])).unwrap_or_default();
                findings.ok(check, if status.is_empty() { "ok".to_owned() } else { status });
            }
            Err(failure) => findings.fail(check, &failure),
        }
    }
}

async fn token(session: &Session, findings: &mut Findings) {
    if !session.client.has_token() {
        let none = Failure::new(Exit::Unauthorized, "none: SERVICE_LAYER_TOKEN, --token-file, or a context");
        return findings.fail("token", &none);
    }
    match session.client.get("/system/version").await {
        Ok(answer) => {
            findings.ok("token", "accepted");
            version(session, &answer, findings);
        }
        Err(failure) => findings.fail("token", &failure),
    }
}

fn version(session: &Session, answer: &Value, findings: &mut Findings) {
    let (ours, theirs) = (&session.document.version, text::plain(&answer["version"]));
    if *ours == theirs {
        findings.ok("version", theirs);
    } else {
        findings.warn("version", format!("the server is {theirs}, this program was built for {ours}"));
    }
}

/// The limits of the account, where there is one to look at.
async fn limits(session: &Session, findings: &mut Findings) {
    let Ok(account) = session.account() else {
        return findings.warn("limits", "no account chosen: --account, SERVICE_LAYER_ACCOUNT or the context");
    };
    let path = ["accounts", account, "limits"].map(str::to_owned).to_vec();
    match session.client.send(&Request { path, ..Request::get("/") }).await {
        Ok(answer) => near(&answer.json().unwrap_or_default(), findings),
        Err(failure) => findings.fail("limits", &failure),
    }
}

fn near(answer: &Value, findings: &mut Findings) {
    let items = output::items(answer).map_or(&[][..], Vec::as_slice);
    let mut close = 0_usize;
    for item in items {
        let (Some(limit), Some(current)) = (item["value"].as_u64(), item["current"].as_u64()) else {
            continue;
        };
        if limit > 0 && current.saturating_mul(100) >= limit.saturating_mul(NEAR) {
            let name = item["name"].as_str().unwrap_or("?");
            findings.warn("limits", format!("{name}: {current} of {limit} used"));
            close += 1;
        }
    }
    if close == 0 {
        findings.ok("limits", format!("{} limits, none above {NEAR} %", items.len()));
    }
}

fn show(session: &Session, findings: &Findings) -> Outcome<()> {
    let mut table = Table::new(&["check", "status", "detail"]);
    let mut items = Vec::new();
    for (check, status, detail) in &findings.rows {
        table.row(&[*check, *status, detail.as_str()]);
        items.push(json!({"name": check, "status": status, "detail": detail}));
    }
    session.output.show_table(&json!({"items": items}), &table)
}
