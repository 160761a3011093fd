//! `Idempotency-Key`: one effect, equal answers.

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::server::{Answer, OPERATOR, Running, send, start};

async fn create(server: &Running, key: &str, owner: &str) -> Answer {
    let request = server.request(Method::POST, "/accounts", OPERATOR).header("idempotency-key", key);
    send(request.json(&json!({"owner": owner}))).await
}

#[tokio::test(flavor = "local")]
async fn fifty_equal_requests_at_once_have_one_effect() {
    let server = start().await;
    let answers = join_all((0..50).map(|_| create(&server, "one-key", "Ada"))).await;
    let made: Vec<&Answer> = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).collect();
    assert!(!made.is_empty());
    let fresh = made.iter().filter(|answer| answer.header("idempotency-replayed").is_none()).count();
    assert_eq!(fresh, 1, "exactly one is no replay");
    for answer in &answers {
        match answer.status {
            StatusCode::CREATED => assert_eq!(answer.json(), made[0].json()),
            StatusCode::CONFLICT => {
                assert_eq!(answer.problem(), "in_flight");
                assert!(answer.header("retry-after").is_some());
            }
            _ => panic!("{answer:?}"),
        }
    }
    let listed = server.get("/accounts").await.json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));

    let later = create(&server, "one-key", "Ada").await;
    assert_eq!((later.status, later.header("idempotency-replayed")), (StatusCode::CREATED, Some("true")));
    assert_eq!((later.json(), later.header("etag")), (made[0].json(), Some("\"1\"")));
    assert!(
        later.header("location").is_some_and(|place| Some(place) == made[0].header("location")),
        "{later:?}"
    );
    let other = create(&server, "one-key", "Grace").await;
    assert_eq!((other.status.as_u16(), other.problem().as_str()), (422, "idempotency_mismatch"));
    server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn a_token_shown_once_is_shown_again_to_a_repeat() {
    let server = start().await;
    let path = format!("{}/tokens", server.account().await);
    let ask = || {
        let request = server.request(Method::POST, &path, OPERATOR).header("idempotency-key", "t");
        send(request.json(&json!({"name": "t", "scopes": ["read"]})))
    };
    let (first, second) = (ask().await, ask().await);
    assert_eq!(first.status, StatusCode::CREATED, "{first:?}");
    assert_eq!(first.json(), second.json());
    server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn keys_are_bounded() {
    let server = start().await;
    for key in ["", " ", "a b", &"x".repeat(256)] {
        let answer = create(&server, key, "Ada").await;
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (400, "malformed"), "{key:?}");
    }
    assert_eq!(create(&server, &"x".repeat(255), "Ada").await.status, StatusCode::CREATED);
    server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn the_answer_to_an_accounts_removal_outlives_it() {
    let server = start().await;
    let account = server.account().await;
    let remove =
        || send(server.request(Method::DELETE, &account, OPERATOR).header("idempotency-key", "gone"));
    assert_eq!(remove().await.status, StatusCode::NO_CONTENT);
    while server.get(&account).await.status != StatusCode::NOT_FOUND {
        tokio::task::yield_now().await;
    }
    let again = remove().await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (StatusCode::NO_CONTENT, Some("true")));
    server.stop().await;
}

#[tokio::test(flavor = "local")]
async fn a_refused_request_stays_refused_and_a_corrected_one_may_have_its_key() {
    let server = start().await;
    let account = server.account().await;
    let put = |secret: &'static str, value: &'static str| {
        let path = format!("{account}/secrets/{secret}");
        let request = server.request(Method::PUT, &path, OPERATOR).header("idempotency-key", "again");
        send(request.json(&json!({"value": value})))
    };
    let refused = put("later", "long enough").await;
    assert_eq!((refused.status.as_u16(), refused.header("idempotency-replayed")), (404, None));
    let secret = json!({"name": "later", "value": "another value"});
    assert_eq!(server.post(&format!("{account}/secrets"), secret).await.status, StatusCode::CREATED);

    let repeated = put("later", "long enough").await;
    assert_eq!(repeated.header("idempotency-replayed"), Some("true"), "{repeated:?}");
    assert_eq!((repeated.status, &repeated.text), (refused.status, &refused.text));
    assert_eq!(repeated.header("content-type"), Some("application/problem+json"));
    let corrected = put("later", "corrected value").await;
    assert_eq!(
        (corrected.status, corrected.header("idempotency-replayed")),
        (StatusCode::OK, None),
        "{corrected:?}"
    );
    let other = put("later", "yet another value").await;
    assert_eq!((other.status.as_u16(), other.problem().as_str()), (422, "idempotency_mismatch"));

    assert_eq!(create(&server, "again", " ").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(create(&server, "again", "Ada").await.status, StatusCode::CREATED);
    server.stop().await;
}
