//! Tenants: an operator makes, changes, suspends and removes them.

use serde_json::json;

use crate::world::{each_store, text};

#[test]
fn an_account_is_made_changed_and_removed() {
    each_store(async |world| {
        let operator = &world.client;
        let made = operator
            .post("/accounts", &json!({"owner": "ada", "metadata": {"plan": "free"}}))
            .await
            .expect(201);
        assert_eq!(
            (&made["owner"], &made["status"], &made["version"]),
            (&json!("ada"), &json!("active"), &json!(1))
        );
        let path = format!("/accounts/{}", text(&made, "id"));
        assert_eq!(operator.get(&path).await.expect(200), made);

        let changed = operator.patch(&path, &json!({"owner": "grace"})).await.expect(200);
        assert_eq!((&changed["owner"], &changed["version"]), (&json!("grace"), &json!(2)));
        assert_eq!(changed["metadata"], json!({"plan": "free"}));

        let gone = operator.delete(&path).await;
        assert!(gone.status < 300, "{gone}");
        crate::world::gone(operator, &path).await;
    });
}

#[test]
fn a_change_names_the_version_it_saw() {
    each_store(async |world| {
        let path = world.account().await;
        let seen = world.client.get(&path).await;
        let tag = seen.header("etag").expect("an account has an entity tag").to_owned();
        let stale = world.client.with_header("if-match", &tag);
        stale.patch(&path, &json!({"owner": "one"})).await.expect(200);
        stale.patch(&path, &json!({"owner": "two"})).await.problem(412, "version_mismatch");
        assert_eq!(world.client.get(&path).await.expect(200)["owner"], "one");
    });
}

#[test]
fn a_field_that_is_unknown_is_refused_with_the_one_that_was_meant() {
    each_store(async |world| {
        let refused = world.client.post("/accounts", &json!({"ownr": "ada"})).await.problem(422, "invalid");
        assert!(refused.to_string().contains("owner"), "{refused}");
        assert!(refused["errors"].as_array().is_some_and(|errors| !errors.is_empty()), "{refused}");
    });
}

#[test]
fn pages_neither_skip_nor_repeat() {
    each_store(async |world| {
        for number in 0..7 {
            world.client.post("/accounts", &json!({"owner": format!("owner-{number}")})).await.expect(201);
        }
        let pages = world.client.pages("/accounts", 3).await;
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1]);
        let owners: Vec<String> = pages.iter().flatten().map(|item| text(item, "owner").to_owned()).collect();
        assert_eq!(owners, (0..7).rev().map(|number| format!("owner-{number}")).collect::<Vec<_>>());
    });
}

#[test]
fn a_cursor_that_was_tampered_with_is_refused() {
    each_store(async |world| {
        for _ in 0..2 {
            world.account().await;
        }
        let page = world.client.get("/accounts?limit=1").await.expect(200);
        let cursor = text(&page, "next_cursor").to_owned();
        let last = if cursor.ends_with('A') { 'B' } else { 'A' };
        let forged = format!("{}{last}", &cursor[..cursor.len() - 1]);
        let refused = world.client.get(&format!("/accounts?limit=1&cursor={forged}")).await;
        assert_eq!(refused.status, 400, "{refused}");
    });
}
