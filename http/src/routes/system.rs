//! The daemon itself, for operators.

use std::sync::Arc;

use actix_web::http::Method;
use serde::Serialize;
use sl_actors::{
    Fault, SYSTEM,
    caller::{Caller, Scope},
    pause::{ListPauses, NewPause, PauseView, PauseWork, Resume, ResumeWork, Target},
    services::control::{Descriptors, Duties, DutyView, FetchDuty, LimitView, SystemLimits, SystemStatus},
};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    events::follow,
    front::Front,
    input::Input,
    operation::{Operation, operation},
};

/// Which program answers.
#[derive(Debug, Serialize, ToSchema)]
struct ProgramVersion {
    /// `sld`.
    name: &'static str,
    /// The version of the program and of the document it serves.
    version: &'static str,
}

/// Who asks.
#[derive(Debug, Serialize, ToSchema)]
struct Whoami {
    /// `operator:<name>` or `token:<id>`.
    actor: String,
    /// The account of an account's token; absent for operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<Uuid>,
    /// What the token covers; empty for operators, who may do everything.
    scopes: Vec<Scope>,
}

/// A service of the system.
#[derive(Debug, Serialize, ToSchema)]
struct Descriptor {
    /// Its name.
    name: &'static str,
    /// Its domain.
    domain: &'static str,
    /// Its layer: `ingress`, `adapter`, `engine`, `data` or `security`.
    layer: &'static str,
    /// What it can do.
    capabilities: &'static [&'static str],
    /// Its operations: method and path.
    routes: Vec<String>,
}

pub(super) fn table() -> Vec<Operation> {
    let mut all = about();
    all.extend(pauses());
    all
}

fn about() -> Vec<Operation> {
    vec![
        operation(Method::GET, "/system/version", "system.version", "Which program answers").read(
            |_, _: Input| async { Ok(ProgramVersion { name: "sld", version: env!("CARGO_PKG_VERSION") }) },
        ),
        operation(Method::GET, "/system/whoami", "system.whoami", "Who asks, and what they may do").read(
            |_, input: Input| async move {
                let Caller { actor, account, scopes, .. } = (*input.caller).clone();
                Ok(Whoami { actor, account_id: account, scopes })
            },
        ),
        operation(Method::GET, "/system/descriptors", "system.descriptors", "Every service with its routes")
            .with::<Descriptor>()
            .columns(&["name", "domain", "layer", "capabilities"])
            .read(descriptors),
        operation(Method::GET, "/system/status", "system.status", "How the daemon is")
            .operator()
            .action(|_: Input| Ok(SystemStatus)),
        operation(Method::GET, "/system/limits", "system.limits", "Every setting that is a number")
            .operator()
            .with::<LimitView>()
            .short_pages(&["name", "text", "source"])
            .action(|input: Input| Ok(SystemLimits(input.page))),
        operation(
            Method::GET,
            "/system/duties",
            "system.duties.list",
            "Whoever performs the work of the queue",
        )
        .operator()
        .with::<DutyView>()
        .short_pages(&["name", "status", "waiting", "running", "later", "dead"])
        .action(|input: Input| Ok(Duties(input.page))),
        operation(Method::GET, "/system/duties/{duty}", "system.duties.get", "Read a duty")
            .operator()
            .action(|input: Input| Ok(FetchDuty(input.name("duty")?))),
        operation(Method::GET, "/system/events", "system.events", "Follow what happens anywhere")
            .told(
                "Begins with what comes from now on, or after the event that Last-Event-ID or ?after names.",
            )
            .operator()
            .stream(follow),
    ]
}

fn pauses() -> Vec<Operation> {
    vec![
        operation(Method::GET, "/system/pauses", "system.pauses.list", "List the pauses that hold")
            .operator()
            .with::<PauseView>()
            .pages(&["scope", "target", "reason", "actor", "since", "until"])
            .action(|input: Input| Ok(ListPauses(input.page))),
        operation(Method::POST, "/system/pause", "system.pause", "Pause all work")
            .operator()
            .with::<NewPause>()
            .action(|input: Input<(), Option<NewPause>>| Ok(pause(Target::System, input.body))),
        operation(Method::POST, "/system/resume", "system.resume", "Resume all work")
            .operator()
            .with::<Resume>()
            .action(|input: Input<(), Option<Resume>>| Ok(resume(Target::System, input.body))),
        operation(Method::POST, "/system/duties/{duty}/pause", "system.duties.pause", "Pause a duty")
            .operator()
            .with::<NewPause>()
            .action(|input: Input<(), Option<NewPause>>| {
                Ok(pause(Target::Duty(input.name("duty")?), input.body))
            }),
        operation(Method::POST, "/system/duties/{duty}/resume", "system.duties.resume", "Resume a duty")
            .operator()
            .with::<Resume>()
            .action(|input: Input<(), Option<Resume>>| {
                Ok(resume(Target::Duty(input.name("duty")?), input.body))
            }),
    ]
}

/// Pauses something.
pub(super) fn pause(target: Target, new: Option<NewPause>) -> PauseWork {
    PauseWork { target, new: new.unwrap_or_default() }
}

/// Resumes something.
pub(super) fn resume(target: Target, how: Option<Resume>) -> ResumeWork {
    ResumeWork { target, how: how.unwrap_or_default() }
}

async fn descriptors(front: Arc<Front>, input: Input) -> Result<Vec<Descriptor>, Fault> {
    let services = front.runtime.perform(SYSTEM, input.caller, None, Descriptors).await?;
    let routes = |service: &str| {
        let of_it = front.table.iter().filter(|operation| super::service_of(operation) == service);
        of_it.map(|operation| format!("{} {}", operation.method, operation.path)).collect()
    };
    let told = services.into_iter().map(|service| Descriptor {
        name: service.name,
        domain: service.domain,
        layer: service.layer,
        capabilities: service.capabilities,
        routes: routes(service.name),
    });
    Ok(told.collect())
}
