//! Tokens of an account: what each may do, and that it may do it nowhere else.

use serde_json::json;

use crate::world::{account, each_store, text};

#[test]
fn a_token_is_shown_once_and_does_what_its_scopes_say() {
    each_store(async |world| {
        let account = world.account().await;
        let tokens = format!("{account}/tokens");
        let made =
            world.client.post(&tokens, &json!({"name": "reader", "scopes": ["read"]})).await.expect(201);
        let secret = text(&made, "token").to_owned();
        assert!(secret.starts_with("slk_"), "{made}");
        let listed = world.client.get(&tokens).await.expect(200);
        assert!(!listed.to_string().contains(&secret), "a token is shown once");
        assert!(secret.starts_with(text(&listed["items"][0], "prefix")), "{listed}");

        let reader = world.client.with_token(&secret);
        reader.get(&account).await.expect(200);
        let secrets = format!("{account}/secrets");
        let new = json!({"name": "s", "value": "sesame"});
        reader.post(&secrets, &new).await.problem(403, "forbidden");
        let seen = world.client.get(&tokens).await.expect(200);
        assert!(seen["items"][0]["last_used_at"].is_string(), "{seen}");

        world.client.delete(&format!("{tokens}/{}", text(&made, "id"))).await;
        reader.get(&account).await.problem(401, "unauthorized");
    });
}

#[test]
fn another_account_is_answered_like_none() {
    each_store(async |world| {
        let (mine, theirs) = (world.account().await, account(&world.client).await);
        let new = json!({"name": "t", "scopes": ["read", "write", "admin", "run"]});
        let made = world.client.post(&format!("{mine}/tokens"), &new).await.expect(201);
        let tenant = world.client.with_token(text(&made, "token"));
        let none = "/accounts/0190d7a2-0000-7000-8000-000000000000";
        for path in ["", "/secrets", "/functions", "/tokens"] {
            let foreign = tenant.get(&format!("{theirs}{path}")).await.problem(404, "not_found");
            let missing = tenant.get(&format!("{none}{path}")).await.problem(404, "not_found");
            assert_eq!(
                (&foreign["title"], &foreign["detail"]),
                (&missing["title"], &missing["detail"]),
                "{path}"
            );
        }
    });
}

#[test]
fn a_token_that_has_run_out_is_none() {
    each_store(async |world| {
        let account = world.account().await;
        let new = json!({"name": "late", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"});
        let refused = world.client.post(&format!("{account}/tokens"), &new).await.problem(422, "invalid");
        assert_eq!(refused["errors"][0]["pointer"], "/expires_at", "{refused}");
    });
}
