//! Secrets: they go in, functions get them, nobody else does.

use serde_json::json;

use crate::world::{each_store, text};

#[test]
fn a_secret_goes_in_and_never_comes_out() {
    each_store(async |world| {
        let account = world.account().await;
        let secrets = format!("{account}/secrets");
        let made = world
            .client
            .post(&secrets, &json!({"name": "api_key", "value": "open sesame"}))
            .await
            .expect(201);
        assert_eq!((&made["name"], &made["version"]), (&json!("api_key"), &json!(1)));
        let changed = world
            .client
            .put(&format!("{secrets}/api_key"), &json!({"value": "other sesame"}))
            .await
            .expect(200);
        assert_eq!((&changed["version"], &changed["versions"]), (&json!(2), &json!([1, 2])));
        for path in ["/secrets", "/secrets/api_key", "/secrets/api_key/versions", "/audit"] {
            let answer = world.client.get(&format!("{account}{path}")).await;
            assert_eq!(answer.status, 200, "{answer}");
            assert!(!answer.text.contains("sesame"), "{answer}");
        }
        let again = json!({"name": "API_KEY", "value": "third sesame"});
        world.client.post(&secrets, &again).await.problem(409, "conflict");
    });
}

#[test]
fn a_function_gets_the_secrets_it_declares_and_no_others() {
    each_store(async |world| {
        let account = world.account().await;
        for name in ["given", "kept"] {
            let new = json!({"name": name, "value": format!("the value of {name}")});
            world.client.post(&format!("{account}/secrets"), &new).await.expect(201);
        }
        let source = "export default (params, { secrets }) => \
                      ({ names: Object.keys(secrets), right: secrets.given === 'the value of ' + 'given', leak: secrets.given })";
        let new = json!({"name": "f", "source": source, "secrets": ["given"]});
        let made = world.client.post(&format!("{account}/functions"), &new).await.expect(201);
        let execute = format!("{account}/functions/{}/execute", text(&made, "id"));
        let ran = world.client.post(&execute, &json!({})).await.expect(200);
        assert_eq!(ran["output"]["names"], json!(["given"]), "{ran}");
        assert_eq!(ran["output"]["right"], json!(true), "{ran}");
        assert!(!ran.to_string().contains("the value of given"), "values are redacted: {ran}");
        let used = world.client.get(&format!("{account}/secrets/given")).await.expect(200);
        assert_eq!(used["used_by"], json!(["f"]), "{used}");
        let missing = json!({"name": "g", "source": "() => 1", "secrets": ["nowhere"]});
        world.client.post(&format!("{account}/functions"), &missing).await.problem(422, "invalid");
    });
}

#[test]
fn the_entity_tag_of_a_secret_follows_every_change() {
    each_store(async |world| {
        let secrets = format!("{}/secrets", world.account().await);
        let made = world.client.post(&secrets, &json!({"name": "my key/1", "value": "v1"})).await;
        assert_eq!(made.header("location"), Some(format!("{secrets}/my%20key%2F1").as_str()), "{made}");
        let made = made.expect(201);
        assert_eq!((&made["redacted"], made["id"].is_string()), (&json!(false), true), "{made}");
        let one = format!("{secrets}/my%20key%2F1");
        world.client.put(&one, &json!({"value": "a second value"})).await.expect(200);
        let before = world.client.get(&one).await.header("etag").expect("a tag").to_owned();
        let seen = world.client.with_header("if-match", &before);
        seen.post(&format!("{one}/pin"), &json!({"version": 2})).await.expect(200);
        seen.put(&one, &json!({"value": "a lost update"})).await.problem(412, "version_mismatch");
        let known = world.client.with_header("if-none-match", &before);
        let now = known.get(&one).await.expect(200);
        assert_eq!((&now["version"], &now["pinned"], &now["revision"]), (&json!(2), &json!(true), &json!(3)));
    });
}
