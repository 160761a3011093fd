//! Which events are named by which patterns, and which are public.

use chrono::DateTime;
use serde_json::Value;

use super::*;

fn event(account: Uuid, service: &str, kind: &str) -> Event {
    Event {
        position: Position::default(),
        account,
        service: service.to_owned(),
        kind: kind.to_owned(),
        subject: Uuid::nil(),
        actor: String::new(),
        request_id: None,
        origin: None,
        data: Value::Null,
        at: DateTime::UNIX_EPOCH,
    }
}

#[test]
fn a_star_stands_for_any_ending_and_for_nothing_public() {
    let account = Uuid::from_u128(1);
    for (pattern, whose, kind, named) in [
        ("execution.failed", account, "execution.failed", true),
        ("execution.*", account, "execution.failed", true),
        ("execution", account, "execution.failed", false),
        ("execution.failed", account, "execution.failed.twice", false),
        ("job.*", account, "job", false),
        ("*", account, "anything", true),
        ("*", account, "request.refused", false),
        ("req*", account, "request.refused", false),
        ("request.*", account, "request.refused", true),
        ("request.refused", account, "request.refused", true),
        ("neo.notification", SYSTEM, "neo.notification", true),
        ("neo.n*", SYSTEM, "neo.notification", true),
        ("neo.*", SYSTEM, "neo.block", true),
        ("neo.block", SYSTEM, "neo.notification", false),
        ("neo*", SYSTEM, "neo.block", false),
        ("*", SYSTEM, "neo.block", false),
    ] {
        assert_eq!(is_named(pattern, &event(whose, "neo", kind)), named, "{pattern} {kind}");
    }
}

#[test]
fn only_what_a_service_calls_public_is() {
    for kind in ["neo.block", "neo.notification", "neo.log_omitted"] {
        assert!(is_public(&event(SYSTEM, "neo", kind)));
        assert!(!is_public(&event(SYSTEM, "control", kind)), "of another service");
        assert!(!is_public(&event(Uuid::from_u128(1), "neo", kind)), "of an account");
    }
    for kind in ["neo_node.failing", "neo_node.began", "neo.anything", "event_reader.skipped"] {
        assert!(!is_public(&event(SYSTEM, "neo", kind)), "{kind}");
    }
    for service in publishers() {
        let start = format!("{}.", service.name);
        assert!(service.public.iter().all(|kind| kind.starts_with(&start)), "{start}");
    }
}
