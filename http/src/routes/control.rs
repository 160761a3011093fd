//! What tells about an account's work and steers it: pauses, why, limits, audit, events, dead letters.

use std::sync::Arc;

use actix_web::http::Method;
use serde::Deserialize;
use sl_actors::{
    Fault,
    caller::Scope,
    page::Page,
    pause::{ListPauses, NewPause, PauseView, Resume, Target},
    services::{
        control::{AccountLimits, AuditFilter, AuditView, LimitView, ListAudit},
        dead_letters::{
            DeadLetterView, DiscardDeadLetter, DiscardDeadLetters, FetchDeadLetter, ListDeadLetters,
            ManyLetters, Reason, RedriveDeadLetter, RedriveDeadLetters,
        },
    },
    why::Why,
};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    events::follow,
    front::Front,
    input::Input,
    operation::{Operation, operation},
    routes::system::{pause, resume},
    settings::ACCOUNT_STREAMS,
};

const PAUSES: &str = "/accounts/{account}/pauses";
const PAUSE: &str = "/accounts/{account}/pause";
const RESUME: &str = "/accounts/{account}/resume";
const LETTERS: &str = "/accounts/{account}/dead-letters";
const LETTER: &str = "/accounts/{account}/dead-letters/{dead_letter}";

/// What the audit is narrowed by.
#[derive(Debug, Deserialize, ToSchema)]
struct AuditQuery {
    /// Only by this actor: `operator:alice`, `token:<id>`.
    actor: Option<String>,
    /// Only this; a trailing `*` matches any ending.
    action: Option<String>,
    /// Only in this service.
    service: Option<String>,
    /// Only to this.
    subject: Option<Uuid>,
    /// Only in this request.
    request_id: Option<String>,
}

/// What a list of dead letters is narrowed by.
#[derive(Debug, Deserialize, ToSchema)]
struct LetterQuery {
    /// Given up by this duty.
    duty: Option<String>,
    /// Given up for this reason.
    reason: Option<Reason>,
}

pub(super) fn table() -> Vec<Operation> {
    let mut all = dead_letters();
    all.extend([
        operation(Method::POST, PAUSE, "accounts.pause", "Pause an account's work")
            .scope(Scope::Admin)
            .with::<NewPause>()
            .action(|input: Input<(), Option<NewPause>>| Ok(pause(Target::Account, input.body))),
        operation(Method::POST, RESUME, "accounts.resume", "Resume an account's work")
            .scope(Scope::Admin)
            .with::<Resume>()
            .action(|input: Input<(), Option<Resume>>| Ok(resume(Target::Account, input.body))),
        operation(Method::GET, PAUSES, "pauses.list", "List the pauses of an account and its things")
            .with::<PauseView>()
            .pages(&["scope", "target", "reason", "actor", "since", "until"])
            .action(|input: Input| Ok(ListPauses(input.page))),
        operation(Method::GET, "/accounts/{account}/why/{id}", "why.get", "Why something waits")
            .action(|input: Input| Ok(Why(input.id("id")?))),
        operation(Method::GET, "/accounts/{account}/limits", "limits.get", "The limits of an account")
            .with::<LimitView>()
            .told("A rate's current is how many requests a second of it were used of late; it is refused at its value.")
            .short_pages(&["name", "text", "source", "current"])
            .read(limits),
        operation(Method::GET, "/accounts/{account}/audit", "audit.list", "Who did what, and when")
            .scope(Scope::Admin)
            .with::<AuditView>()
            .pages(&["at", "actor", "action", "subject", "outcome"])
            .action(|input: Input<AuditQuery>| {
                let AuditQuery { actor, action, service, subject, request_id } = input.query;
                let filter = AuditFilter { actor, action, service, subject, request_id };
                Ok(ListAudit { page: input.page, filter })
            }),
        operation(
            Method::GET,
            "/accounts/{account}/events",
            "events.follow",
            "Follow what happens in an account",
        )
        .told("Begins with what comes from now on, or after the event that Last-Event-ID or ?after names.")
        .stream(follow),
    ]);
    all
}

async fn limits(front: Arc<Front>, input: Input) -> Result<Page<LimitView>, Fault> {
    let account = input.id("account")?;
    let mut kept_elsewhere = front.runtime.uses(account);
    kept_elsewhere.extend(front.limiter.rates_of(&input.caller, account));
    kept_elsewhere.push((&ACCOUNT_STREAMS, Some(front.live.of(account))));
    let limits = AccountLimits { page: input.page, kept_elsewhere };
    front.runtime.perform(account, input.caller, None, limits).await
}

fn dead_letters() -> Vec<Operation> {
    vec![
        operation(Method::GET, LETTERS, "dead_letters.list", "List the dead letters")
            .with::<DeadLetterView>()
            .pages(&["id", "duty", "subject", "reason", "attempts", "created_at"])
            .action(|input: Input<LetterQuery>| {
                let LetterQuery { duty, reason } = input.query;
                Ok(ListDeadLetters { page: input.page, duty, reason })
            }),
        operation(Method::GET, LETTER, "dead_letters.get", "Read a dead letter")
            .action(|input: Input| Ok(FetchDeadLetter(input.id("dead_letter")?))),
        operation(
            Method::POST,
            "/accounts/{account}/dead-letters/{dead_letter}/redrive",
            "dead_letters.redrive",
            "Put a dead letter back into the queue",
        )
        .scope(Scope::Write)
        .status(204)
        .action(|input: Input| Ok::<_, Fault>(RedriveDeadLetter(input.id("dead_letter")?))),
        operation(
            Method::POST,
            "/accounts/{account}/dead-letters/{dead_letter}/discard",
            "dead_letters.discard",
            "Discard a dead letter",
        )
        .scope(Scope::Write)
        .status(204)
        .action(|input: Input| Ok::<_, Fault>(DiscardDeadLetter(input.id("dead_letter")?))),
        operation(
            Method::POST,
            "/accounts/{account}/dead-letters/redrive",
            "dead_letters.redrive_many",
            "Put many dead letters back into the queue",
        )
        .scope(Scope::Write)
        .with::<ManyLetters>()
        .action(|input: Input<(), Option<ManyLetters>>| {
            Ok(RedriveDeadLetters(input.body.unwrap_or_default()))
        }),
        operation(
            Method::POST,
            "/accounts/{account}/dead-letters/discard",
            "dead_letters.discard_many",
            "Discard many dead letters",
        )
        .scope(Scope::Write)
        .with::<ManyLetters>()
        .action(|input: Input<(), Option<ManyLetters>>| {
            Ok(DiscardDeadLetters(input.body.unwrap_or_default()))
        }),
    ]
}
