//! How a daemon starts, refuses to start, and ends.

use std::time::{Duration, Instant};

use serde_json::json;
use sl_store::{KeyRing, testing::postgres::Database};

use crate::world::{
    KEY, on_threads,
    process::{Daemon, command, resident},
    text,
};

fn refused(variables: &[(&str, &str)]) -> String {
    match Daemon::try_start(variables) {
        Ok(_) => panic!("it started"),
        Err((status, said)) => {
            assert_eq!(status.code(), Some(78), "{said}");
            said
        }
    }
}

#[test]
fn postgres_without_a_good_key_is_refused_with_what_to_do() {
    let database = ("DATABASE_URL", "host=/nowhere dbname=none");
    for key in [None, Some("short"), Some("changemechangemechangemechangeme")] {
        let mut variables = vec![database];
        variables.extend(key.map(|key| ("SECRET_ENCRYPTION_KEY", key)));
        let said = refused(&variables);
        assert!(said.contains("SECRET_ENCRYPTION_KEY") && said.contains("openssl rand"), "{said}");
        assert!(!key.is_some_and(|key| key.len() > 8 && said.contains(key)), "{said}");
    }
}

#[test]
fn a_key_that_opens_nothing_of_the_database_is_refused_by_its_id() {
    on_threads(async {
        let database = Database::empty().await;
        let dsn = database.dsn();
        let start = |key| [("DATABASE_URL", dsn.as_str()), ("SECRET_ENCRYPTION_KEY", key)];
        let daemon = Daemon::start(&start(KEY));
        let account = daemon.client().post("/accounts", &json!({"owner": "ada"})).await.expect(201);
        let secrets = format!("/accounts/{}/secrets", text(&account, "id"));
        daemon.client().post(&secrets, &json!({"name": "K", "value": "hunter2!"})).await.expect(201);
        let other = "2c7e9b04f1a86d35e0b7c4922f6d18a53b90e4c7d2815f6a0e9d3c48b7165fa2";
        let said = refused(&start(other));
        let ids = [KEY, other].map(|key| KeyRing::parse("k", key).expect("a key").key_ids().remove(0));
        assert!(ids.iter().all(|id| said.contains(id)) && said.contains("SECRET_ENCRYPTION_KEY"), "{said}");
        assert!(!said.contains(KEY) && !said.contains(other), "{said}");
        let both = format!("{other},{KEY}");
        Daemon::start(&start(&both)).client().get("/readyz").await.expect(200);
    });
}

#[test]
fn no_token_is_refused_with_what_to_do() {
    let said = refused(&[("API_TOKENS", "")]);
    assert!(said.contains("API_TOKENS") && said.contains("openssl rand"), "{said}");
}

#[test]
fn a_database_that_is_not_there_is_no_wrong_configuration() {
    let variables = [("DATABASE_URL", "host=/nowhere user=x dbname=none"), ("SECRET_ENCRYPTION_KEY", KEY)];
    let Err((status, said)) = Daemon::try_start(&variables) else { panic!("it started") };
    assert_eq!(status.code(), Some(69), "{said}");
    assert!(said.contains("DATABASE_URL"), "{said}");
}

#[test]
fn a_database_that_the_server_does_not_know_is_a_wrong_configuration() {
    on_threads(async {
        let database = Database::empty().await;
        let dsn = database.dsn();
        let name = dsn.split('?').next().and_then(|dsn| dsn.rsplit(['=', '/']).next()).expect("a name");
        let dsn = dsn.replace(name, "nodb");
        let said = refused(&[("DATABASE_URL", &dsn), ("SECRET_ENCRYPTION_KEY", KEY)]);
        assert!(said.contains("database \"nodb\" does not exist"), "{said}");
    });
}

#[test]
fn an_address_in_use_is_named() {
    let daemon = Daemon::start(&[]);
    let address = daemon.base.trim_start_matches("http://").to_owned();
    let Err((status, said)) = Daemon::try_start(&[("SERVICE_LAYER_LISTEN", &address)]) else {
        panic!("it started")
    };
    assert_eq!(status.code(), Some(71), "{said}");
    assert!(said.contains(&address) && said.contains("--listen"), "{said}");
}

#[test]
fn it_is_ready_within_a_second_and_small() {
    let began = Instant::now();
    let daemon = Daemon::start(&[]);
    let ready = began.elapsed();
    let memory = resident(daemon.id()) >> 20;
    println!("ready after {ready:?} with {memory} MiB");
    assert!(ready < Duration::from_secs(1), "{ready:?}");
    assert!(memory <= 80, "{memory} MiB");
}

#[test]
fn terminate_ends_it_well() {
    let mut daemon = Daemon::start(&[]);
    daemon.signal("TERM");
    let status = daemon.ended(Duration::from_secs(30));
    assert!(status.success(), "{status}: {}", daemon.log());
}

#[test]
fn a_word_to_reload_changes_the_log_level_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("sld.toml");
    std::fs::write(&file, "log_level = \"info\"\n").expect("written");
    let mut daemon = Daemon::start(&[("SERVICE_LAYER_CONFIG", file.to_str().expect("UTF-8"))]);
    std::fs::write(&file, "log_level = \"warn\"\n[store]\nconnections = 3\n").expect("written");
    daemon.signal("HUP");
    let began = Instant::now();
    while !daemon.log().contains("read again") {
        assert!(began.elapsed() < Duration::from_secs(5), "{}", daemon.log());
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(daemon.log().contains("store.connections"), "{}", daemon.log());
    daemon.signal("TERM");
    assert!(daemon.ended(Duration::from_secs(30)).success());
}

#[test]
fn five_daemons_start_at_once_on_an_empty_database() {
    on_threads(async {
        let database = Database::empty().await;
        let dsn = database.dsn();
        let variables = [("DATABASE_URL", dsn.as_str()), ("SECRET_ENCRYPTION_KEY", KEY)];
        let started: Vec<Daemon> = std::thread::scope(|scope| {
            let starting: Vec<_> = (0..5).map(|_| scope.spawn(|| Daemon::start(&variables))).collect();
            starting.into_iter().map(|start| start.join().expect("it starts")).collect()
        });
        for daemon in &started {
            daemon.client().get("/readyz").await.expect(200);
        }
        let admin = database.admin().await;
        let twice = "SELECT count(*) - count(DISTINCT version) FROM refinery_schema_history";
        assert_eq!(admin.number(twice).await, 0);
        let applied = usize::try_from(admin.number("SELECT count(*) FROM refinery_schema_history").await);
        assert_eq!(applied, Ok(sl_store::postgres::migrations().len()));
        drop(started);

        admin.run("UPDATE refinery_schema_history SET checksum = '1' WHERE version = 1").await;
        let said = refused(&variables);
        assert!(said.contains("V1") || said.contains("migration"), "{said}");
    });
}

#[test]
fn the_schema_can_be_a_step_of_its_own() {
    on_threads(async {
        let database = Database::empty().await;
        let dsn = database.dsn();
        let database_url = ("DATABASE_URL", dsn.as_str());
        let mut variables =
            vec![database_url, ("SECRET_ENCRYPTION_KEY", KEY), ("SERVICE_LAYER_MIGRATE", "false")];
        let said = refused(&variables);
        assert!(said.contains("sld migrate"), "{said}");
        let migrated =
            command("migrate", &[database_url]).env_remove("API_TOKENS").output().expect("it runs");
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        variables.push(("SERVICE_LAYER_LOG_LEVEL", "info"));
        Daemon::start(&variables).client().get("/readyz").await.expect(200);
    });
}
