//! Triggers, their deliveries, and the URLs of inbound webhooks.

use actix_web::http::Method;
use serde_json::Value;
use sl_actors::{
    caller::Scope,
    pause::{NewPause, Resume, Target},
    services::triggers::{
        DeliveryFilters, DeliveryView, EnableTrigger, FetchDelivery, FireTrigger, Inbound, ListDeliveries,
        NewFire, NewSecret, ProveHook, ProvenHook, RATE, ReceiveHook, Redeliver, RotateSecret, Trigger,
    },
};

use crate::{
    input::Input,
    json,
    operation::{Operation, operation},
    resource::{Place, resource},
    routes::system::{pause, resume},
};

const ONE: &str = "/accounts/{account}/triggers/{trigger}";
const ENABLE: &str = "/accounts/{account}/triggers/{trigger}/enable";
const DISABLE: &str = "/accounts/{account}/triggers/{trigger}/disable";
const FIRE: &str = "/accounts/{account}/triggers/{trigger}/fire";
const PAUSE: &str = "/accounts/{account}/triggers/{trigger}/pause";
const RESUME: &str = "/accounts/{account}/triggers/{trigger}/resume";
const ROTATE: &str = "/accounts/{account}/triggers/{trigger}/rotate-secret";
const DELIVERIES: &str = "/accounts/{account}/triggers/{trigger}/deliveries";
const DELIVERY: &str = "/accounts/{account}/triggers/{trigger}/deliveries/{delivery}";
const REDELIVER: &str = "/accounts/{account}/triggers/{trigger}/deliveries/{delivery}/redeliver";
const HOOK: &str = "/hooks/{hook_token}";

const COLUMNS: &[&str] = &["id", "type", "rule", "function_id", "enabled", "created_at"];
const PLACE: Place = Place { id: "triggers", one: "a trigger", path: ONE, columns: COLUMNS };

pub(super) fn table() -> Vec<Operation> {
    let mut all = resource::<Trigger>(PLACE);
    all.extend(doings());
    all.extend(deliveries());
    let mut hook =
        operation(Method::POST, HOOK, "hooks.receive", "Take a request to a webhook's URL")
            .told("Verified by the webhook's scheme before it is read. A request that is sent again is answered as the first time. A body that is no JSON is given to the function as text, unless its media type says JSON: then it is malformed.")
            .proven(&RATE)
            .status(202)
            .proven_action(
                |path, unproven| {
                    let inbound = Inbound::new(unproven.headers(), unproven.body.clone());
                    Ok(ProveHook { token: path.name("hook_token")?, inbound })
                },
                |proven: &ProvenHook, _, reading| {
                    json::read_or_text(&proven.document(), proven.is_said_json(), reading)
                },
                |proven, payload: Value| Ok(ReceiveHook { proven, payload }),
            );
    hook.signed_body = true;
    all.push(hook);
    all
}

fn doings() -> Vec<Operation> {
    let enable = |enabled| {
        move |input: Input| Ok(EnableTrigger { id: input.id("trigger")?, enabled, expected: input.expected })
    };
    vec![
        operation(Method::POST, ENABLE, "triggers.enable", "Let a trigger fire by itself")
            .scope(Scope::Write)
            .versioned()
            .action(enable(true)),
        operation(Method::POST, DISABLE, "triggers.disable", "Let a trigger fire no more by itself")
            .scope(Scope::Write)
            .versioned()
            .action(enable(false)),
        operation(Method::POST, FIRE, "triggers.fire", "Fire a trigger by hand")
            .told("Whether or not it is enabled.")
            .scope(Scope::Run)
            .status(202)
            .with::<NewFire>()
            .action(|input: Input<(), Option<NewFire>>| {
                Ok(FireTrigger { id: input.id("trigger")?, new: input.body.unwrap_or_default() })
            }),
        operation(Method::POST, PAUSE, "triggers.pause", "Pause a trigger")
            .told("What it fires for waits; what runs goes on.")
            .scope(Scope::Write)
            .with::<NewPause>()
            .action(|input: Input<(), Option<NewPause>>| {
                Ok(pause(Target::of::<Trigger>(input.id("trigger")?), input.body))
            }),
        operation(Method::POST, RESUME, "triggers.resume", "Resume a trigger")
            .scope(Scope::Write)
            .with::<Resume>()
            .action(|input: Input<(), Option<Resume>>| {
                Ok(resume(Target::of::<Trigger>(input.id("trigger")?), input.body))
            }),
        operation(Method::POST, ROTATE, "triggers.rotate_secret", "Give a webhook another secret")
            .told("The earlier secret holds for a time of grace.")
            .scope(Scope::Write)
            .with::<NewSecret>()
            .action(|input: Input<(), Option<NewSecret>>| {
                Ok(RotateSecret { id: input.id("trigger")?, new: input.body.unwrap_or_default() })
            }),
    ]
}

fn deliveries() -> Vec<Operation> {
    vec![
        operation(Method::GET, DELIVERIES, "triggers.deliveries.list", "List the deliveries of a trigger")
            .told("One row for every time it fired.")
            .with::<DeliveryView>()
            .pages(&["id", "cause", "status", "execution_id", "created_at", "reason"])
            .action(|input: Input<DeliveryFilters>| {
                Ok(ListDeliveries {
                    trigger_id: input.id("trigger")?,
                    page: input.page,
                    filters: input.query,
                })
            }),
        operation(Method::GET, DELIVERY, "triggers.deliveries.get", "Read a delivery of a trigger").action(
            |input: Input| {
                Ok(FetchDelivery { trigger_id: input.id("trigger")?, delivery_id: input.id("delivery")? })
            },
        ),
        operation(Method::POST, REDELIVER, "triggers.deliveries.redeliver", "Deliver again")
            .told("A new delivery with the same input.")
            .scope(Scope::Run)
            .status(202)
            .action(|input: Input| {
                Ok(Redeliver { trigger_id: input.id("trigger")?, delivery_id: input.id("delivery")? })
            }),
    ]
}
