use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta};

use super::{
    named::Scheme,
    verify::{Request, StripeHeader, stripe_header, verify},
};

const WINDOW: i64 = 300;

fn check(scheme: Scheme, secrets: &[&str], headers: &[(&str, &str)], body: &str, now: i64) -> Option<String> {
    let find = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let request = Request {
        headers: &find,
        body: body.as_bytes(),
        now: DateTime::from_timestamp(now, 0).unwrap_or_default(),
        window: TimeDelta::seconds(WINDOW),
    };
    verify(scheme, secrets, &request).ok().map(|proof| proof.source.unwrap_or_default())
}

const STANDARD_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const STANDARD_BODY: &str = r#"{"email":"test@example.com","username":"test_user"}"#;
const AT: i64 = 1_649_367_553;

fn standard(signature: &str, secrets: &[&str], now: i64) -> bool {
    let headers = [
        ("webhook-id", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk"),
        ("webhook-timestamp", "1649367553"),
        ("webhook-signature", signature),
    ];
    check(Scheme::Standard, secrets, &headers, STANDARD_BODY, now).is_some()
}

#[test]
fn standard_webhooks_are_verified_as_published() {
    let right = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";
    assert!(standard(right, &[STANDARD_SECRET], AT));
    assert!(standard(&format!("v1a,xx v1,AAAA {right}"), &[STANDARD_SECRET], AT), "one of several is enough");
    let other = format!("whsec_{}", STANDARD.encode([9; 32]));
    assert!(standard(right, &[&other, STANDARD_SECRET], AT), "either secret holds");
    assert!(!standard(right, &[&other], AT) && !standard(right, &[], AT));
    for wrong in ["v1,R3PTzyfHASBKHH98a7yexTwaJ4yNIcGhFQc1yuN+BPU=", "v1,", "v1,tZ1I4", "", &right[3..]] {
        assert!(!standard(wrong, &[STANDARD_SECRET], AT), "{wrong:?}");
    }
}

#[test]
fn the_window_has_two_edges() {
    let right = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";
    for (now, holds) in
        [(AT - WINDOW - 1, false), (AT - WINDOW, true), (AT + WINDOW, true), (AT + WINDOW + 1, false)]
    {
        assert_eq!(standard(right, &[STANDARD_SECRET], now), holds, "{}", now - AT);
    }
    let headers = [("stripe-signature", "t=-1,v1=00")];
    assert!(check(Scheme::Stripe, &["x"], &headers, "", 0).is_none());
}

#[test]
fn github_signs_the_body() {
    let secret = "It's a Secret to Everybody";
    let right = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let headers = [("x-hub-signature-256", right), ("x-github-delivery", "1")];
    let first = check(Scheme::Github, &[secret], &headers, "Hello, World!", 0);
    assert!(first.is_some());
    let renamed = [("x-hub-signature-256", right), ("x-github-delivery", "2")];
    let second = check(Scheme::Github, &[secret], &renamed, "Hello, World!", 0);
    assert!(second.is_some() && second != first, "another name, another delivery");
    let unnamed = [("x-hub-signature-256", right), ("x-github-delivery", "")];
    let by_body = check(Scheme::Github, &[secret], &unnamed, "Hello, World!", 0);
    assert_eq!(
        by_body,
        check(Scheme::Github, &[secret], &unnamed[..1], "Hello, World!", 0),
        "known by the body"
    );
    assert!(by_body.is_some() && by_body != first);
    assert!(check(Scheme::Github, &[secret], &headers, "Hello, World", 0).is_none());
    assert!(check(Scheme::Github, &["other"], &headers, "Hello, World!", 0).is_none());
    let bare = [("x-hub-signature-256", &right[7..])];
    assert!(check(Scheme::Github, &[secret], &bare, "Hello, World!", 0).is_none());
}

#[test]
fn stripe_headers_are_read_and_verified() {
    let published = "t=1492774577,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd,v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39";
    let signatures = vec!["5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd"];
    assert_eq!(stripe_header(published), StripeHeader { time: Some("1492774577"), signatures });
    let right = "t=1492774577,v1=22f7d74836ddad3284a2b80853dd2fe731655c1bfddcff3c3666a500cf3abd80";
    let holds = |header: &str, secret: &str, now| {
        check(Scheme::Stripe, &[secret], &[("stripe-signature", header)], r#"{"id":"evt_test"}"#, now)
            .is_some()
    };
    let at = 1_492_774_577;
    assert!(holds(right, "whsec_test_secret", at + WINDOW));
    assert!(!holds(right, "whsec_test_secret", at + WINDOW + 1));
    assert!(!holds(right, "test_secret", at), "the prefix is a part of the key");
    assert!(!holds(&right.replace("v1=", "v0="), "whsec_test_secret", at));
}

#[test]
fn a_shared_secret_is_compared_whole() {
    let holds = |name: &str, value: &str| {
        check(Scheme::SharedSecret, &["a shared secret"], &[(name, value)], "{}", 0).is_some()
    };
    assert!(holds("x-webhook-secret", "a shared secret") && holds("authorization", "Bearer a shared secret"));
    assert!(holds("authorization", "bearer a shared secret"), "the scheme is read in any case");
    assert!(
        holds("authorization", "BEARER  a shared secret") && !holds("authorization", "Basic a shared secret")
    );
    assert!(!holds("x-webhook-secret", "a shared secre") && !holds("x-webhook-secret", ""));
    assert!(!holds("authorization", "a shared secret") && !holds("x-other", "a shared secret"));
}
