//! Which layer speaks, and what a wrong word is told.

use std::fs;

use sl_actors::settings::Source;
use sl_daemon::{
    command::Words,
    refusal::Refusal,
    settings::{Config, Environment, Layers, Mode, Schema, catalogue, file, render},
};

use crate::house;

const TOKEN: (&str, &str) = ("API_TOKENS", "alice:f3a94c0e71d8b256");
const KEY: &str = "6b1f0a3c9d5e7f2a4c8b6d0e1f3a5c7e9b2d4f6a8c0e1d3b5f7a9c2e4d6b8f01";

/// Layers of a daemon whose JavaScript host lies where it should.
fn layers(variables: &[(&str, &str)], text: &str, set: &[(&str, &str)]) -> Layers {
    let pairs = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Layers {
        flags: pairs.collect(),
        environment: Environment::of(&[&[("SERVICE_LAYER_JS_HOST", "/bin/sh")], variables].concat()),
        file: file::parse("sld.toml", text).expect("the file is TOML"),
    }
}

fn refused(layers: &Layers) -> String {
    let Refusal { exit, message, .. } =
        Config::resolve(layers, Mode::Serve).expect_err("the configuration is wrong");
    assert_eq!(exit, 78, "{message}");
    message
}

/// A number setting whose smallest and largest values differ from its default.
fn some_number() -> &'static sl_actors::settings::Setting {
    catalogue()
        .into_iter()
        .find(|setting| setting.min < setting.default && setting.default < setting.max)
        .expect("one")
}

#[test]
fn the_later_layer_speaks() {
    let setting = some_number();
    let (low, high) = (setting.format(setting.min), setting.format(setting.max));
    let variable = setting.environment();
    let (group, key) = setting.name.rsplit_once('.').expect("names have a group");
    let text = format!("listen = \"[::1]:1\"\n[{group}]\n{key} = {low:?}\n");
    let value = |layers: &Layers| Config::resolve(layers, Mode::Serve).expect("good").limits.value(setting);

    assert_eq!(value(&layers(&[TOKEN], "", &[])), (setting.default, Source::Default));
    assert_eq!(value(&layers(&[TOKEN], &text, &[])), (setting.min, Source::File));
    assert_eq!(value(&layers(&[TOKEN, (&variable, &high)], &text, &[])), (setting.max, Source::Environment));
    let all = layers(&[TOKEN, (&variable, &high)], &text, &[(setting.name, &low)]);
    assert_eq!(value(&all), (setting.min, Source::Flag));
    assert_eq!(Config::resolve(&all, Mode::Serve).expect("good").listen, "[::1]:1");
}

#[test]
fn an_unknown_key_is_refused_with_file_line_and_suggestion() {
    let message = refused(&layers(&[TOKEN], "\nlog_levl = \"info\"\n[no]\nsuch = 1\n", &[]));
    assert!(message.contains("sld.toml:2: log_levl is no setting; did you mean log_level?"), "{message}");
    assert!(message.contains("sld.toml:4: no.such is no setting"), "{message}");
    let message = refused(&layers(&[TOKEN], "", &[("lisen", "x")]));
    assert!(message.contains("--set: lisen is no setting; did you mean listen?"), "{message}");
}

#[test]
fn a_value_of_the_wrong_type_is_told_with_file_and_line() {
    let message = refused(&layers(&[TOKEN], "\nlisten = 5\njs_host = true\nmigrate = 3\n", &[]));
    for part in [
        "sld.toml:2: listen: must be text in quotes, not of the type integer",
        "sld.toml:3: js_host: must be text in quotes, not of the type boolean",
        "sld.toml:4: migrate: \"3\" is neither true nor false",
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
}

#[test]
fn what_prints_the_configuration_knows_its_names_as_well() {
    assert!(layers(&[], "listen = \"[::1]:1\"\n", &[]).known().is_ok());
    let refusal = layers(&[], "log_levl = \"info\"\n", &[("lisen", "x")]).known().expect_err("unknown names");
    assert_eq!(refusal.exit, 78);
    for part in ["sld.toml:1: log_levl is no setting", "--set: lisen is no setting"] {
        assert!(refusal.message.contains(part), "{part} in {}", refusal.message);
    }
}

#[test]
fn a_value_out_of_bounds_names_setting_bound_and_place() {
    let setting = some_number();
    let (group, key) = setting.name.rsplit_once('.').expect("names have a group");
    let message = refused(&layers(&[TOKEN], &format!("[{group}]\n{key} = \"soon\"\n"), &[]));
    assert!(message.contains(&format!("sld.toml:2: {}: \"soon\" is not", setting.name)), "{message}");
    let message = refused(&layers(&[TOKEN, (&setting.environment(), "999999999999999999")], "", &[]));
    assert!(message.contains(&setting.environment()), "{message}");
}

#[test]
fn every_number_is_named_once() {
    let all = catalogue();
    for pair in all.windows(2) {
        assert_ne!(pair[0].name, pair[1].name);
    }
    for setting in all {
        assert_eq!(setting.parse(&setting.format(setting.default)), Ok(setting.default), "{}", setting.name);
    }
}

#[test]
fn every_problem_is_told_at_once() {
    let message = refused(&layers(
        &[("DATABASE_URL", "postgres://x")],
        "listen = \"nowhere\"\nmigrate = \"maybe\"\n",
        &[],
    ));
    for part in ["listen: \"nowhere\"", "migrate: \"maybe\"", "API_TOKENS", "SECRET_ENCRYPTION_KEY"] {
        assert!(message.contains(part), "{part} in {message}");
    }
}

#[test]
fn postgres_without_a_good_key_is_refused_with_the_remedy() {
    let database = ("DATABASE_URL", "postgres://localhost/x");
    let missing = refused(&layers(&[TOKEN, database], "", &[]));
    assert!(missing.contains("SECRET_ENCRYPTION_KEY") && missing.contains("openssl rand"), "{missing}");
    for bad in ["5h0rt", "changemechangemechangemechangeme", "00000000000000000000000000000000"] {
        let message = refused(&layers(&[TOKEN, database, ("SECRET_ENCRYPTION_KEY", bad)], "", &[]));
        assert!(message.contains("SECRET_ENCRYPTION_KEY") && !message.contains(bad), "{message}");
    }
    let good = layers(&[TOKEN, database, ("SECRET_ENCRYPTION_KEY", KEY)], "", &[]);
    assert!(Config::resolve(&good, Mode::Serve).expect("good").keys.is_some());
}

#[test]
fn dev_starts_with_nothing_at_all_and_stays_in_memory() {
    let config =
        Config::resolve(&layers(&[("DATABASE_URL", "postgres://x")], "", &[]), Mode::Dev).expect("good");
    assert!(config.database_url.is_none() && config.tokens.is_empty() && config.keys.is_none());
}

#[test]
fn a_secret_comes_from_a_file_or_a_credential_and_not_from_two_places() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("api_tokens");
    fs::write(&path, "bob:5e0c92d7a1f4836b\n").expect("written");
    let path_text = path.to_str().expect("UTF-8");
    let ids = |layers: &Layers| -> Vec<String> {
        Config::resolve(layers, Mode::Serve).expect("good").tokens.into_iter().map(|token| token.id).collect()
    };
    assert_eq!(ids(&layers(&[("API_TOKENS_FILE", path_text)], "", &[])), ["bob"]);
    assert_eq!(ids(&layers(&[], &format!("api_tokens_file = {path_text:?}\n"), &[])), ["bob"]);
    let credentials = folder.path().to_str().expect("UTF-8");
    assert_eq!(ids(&layers(&[("CREDENTIALS_DIRECTORY", credentials)], "", &[])), ["bob"]);
    let message = refused(&layers(&[TOKEN, ("API_TOKENS_FILE", path_text)], "", &[]));
    assert!(message.contains("both set") && !message.contains("there is no operator token"), "{message}");
    let message = refused(&layers(&[("API_TOKENS_FILE", "/nowhere/at/all")], "", &[]));
    assert!(message.contains("/nowhere/at/all"), "{message}");
}

#[test]
fn a_secret_in_the_configuration_file_is_refused_and_not_repeated() {
    let message = refused(&layers(&[TOKEN], "secret_encryption_key = \"0123456789\"\n", &[]));
    assert!(message.contains("sld.toml:1") && message.contains("secret_encryption_key_file"), "{message}");
    assert!(!message.contains("0123456789"), "{message}");
}

#[test]
fn a_slip_in_a_variable_is_a_warning() {
    let config =
        Config::resolve(&layers(&[TOKEN, ("SERVICE_LAYER_LISTN", "x")], "", &[]), Mode::Serve).expect("good");
    assert_eq!(
        config.warnings,
        ["SERVICE_LAYER_LISTN is set and is no setting; did you mean SERVICE_LAYER_LISTEN?"]
    );
}

#[test]
fn printed_settings_can_be_read_back_and_show_no_secret() {
    let setting = some_number();
    let before = layers(&[TOKEN], "", &[(setting.name, &setting.format(setting.min))]);
    let printed = render::toml(&before);
    let json = render::json(&before);
    assert!(!printed.contains("f3a94c0e71d8b256") && !json.contains("f3a94c0e71d8b256"));
    assert!(printed.contains("# set") && json.contains("\"value\": \"set\""), "{printed}");
    let after = Layers { file: file::parse("printed", &printed).expect("TOML"), ..layers(&[TOKEN], "", &[]) };
    let config = Config::resolve(&after, Mode::Serve).expect("good");
    assert_eq!(config.limits.value(setting), (setting.min, Source::File));
}

#[test]
fn every_setting_is_printed_with_unit_bounds_source_and_meaning() {
    let all: Vec<serde_json::Value> = serde_json::from_str(&render::json(&Layers::default())).expect("JSON");
    for setting in catalogue() {
        let shown = all
            .iter()
            .find(|shown| shown["name"] == setting.name)
            .unwrap_or_else(|| panic!("{}", setting.name));
        for part in ["value", "unit", "default", "min", "max", "source", "environment", "doc"] {
            assert!(shown[part].as_str().is_some_and(|text| !text.is_empty()), "{} {part}", setting.name);
        }
    }
}

#[test]
fn the_sample_configuration_is_fresh() {
    house::is_fresh("configs/sld.toml", &render::sample());
    house::is_fresh("configs/sld.env", &render::sample_environment());
}

#[test]
fn flags_are_layers() {
    let words = Words {
        listen: Some("0.0.0.0:1".to_owned()),
        dsn: Some("postgres://y".to_owned()),
        set: vec![("log_level".to_owned(), "debug".to_owned())],
        ..Words::default()
    };
    let layers =
        words.layers(Environment::of(&[("SERVICE_LAYER_LISTEN", "127.0.0.1:2"), TOKEN])).expect("no file");
    let mut problems = Vec::new();
    assert_eq!(
        layers.named(&sl_daemon::settings::named::LISTEN, &mut problems).0.as_deref(),
        Some("0.0.0.0:1")
    );
    assert_eq!(
        layers.named(&sl_daemon::settings::named::LOG_LEVEL, &mut problems).0.as_deref(),
        Some("debug")
    );
    assert!(problems.is_empty(), "{problems:?}");
}

#[test]
fn a_signing_key_that_can_be_guessed_is_for_memory_only() {
    let key = ("RANDOM_SIGNING_KEY", &*"11".repeat(32));
    let config = Config::resolve(&layers(&[TOKEN, key], "", &[]), Mode::Serve).expect("good in memory");
    assert!(config.signer.is_some());
    let warned = config.warnings.iter().any(|warning| warning.starts_with("RANDOM_SIGNING_KEY"));
    assert!(warned, "{:?}", config.warnings);
    let database = ("DATABASE_URL", "host=/nowhere dbname=none");
    let durable = layers(&[TOKEN, key, database, ("SECRET_ENCRYPTION_KEY", KEY)], "", &[]);
    assert!(refused(&durable).contains("RANDOM_SIGNING_KEY"));
}

#[test]
fn a_token_that_can_be_guessed_is_for_trying_only() {
    for bad in ["changeme", "x", "abc", "xxxxxxxxxxxxxxxxxxxx", "my-password-for-the-api", "0123456789abcdef"]
    {
        let token = ("API_TOKENS", format!("alice:f3a94c0e71d8b256,bob:{bad}"));
        let layers = layers(&[(token.0, &token.1)], "", &[]);
        let message = refused(&layers);
        assert!(message.contains("the token of bob") && message.contains("openssl rand"), "{message}");
        assert!(bad.len() < 8 || !message.contains(bad), "{message}");
        assert_eq!(Config::resolve(&layers, Mode::Dev).expect("good enough").tokens.len(), 2);
    }
}

#[test]
fn a_connection_string_that_cannot_be_read_is_told_by_its_part() {
    for (dsn, part) in [
        ("mysql://user:hunter2@db/x", "postgres://"),
        ("postgres://u:hunter2@db/x?sslmode=verify-full", "require proves the host"),
        ("postgres://u:hunter2@db/x?sslmode=on", "`sslmode` is disable, prefer or require"),
        ("postgres://u:hunter2@db:port/x", "`port`"),
        ("host=db password=a hunter2=b", "an option that is not known"),
        ("host=db sslrootcert=/hunter2", "`sslrootcert`"),
        ("host=db password='hunter2", "ends too early"),
        ("hunter2", "ends too early"),
    ] {
        let layers = layers(&[TOKEN, ("DATABASE_URL", dsn), ("SECRET_ENCRYPTION_KEY", KEY)], "", &[]);
        let migration = Schema::resolve(&layers).expect_err("no connection string").message;
        for message in [refused(&layers), migration] {
            assert!(message.contains("database_url") && message.contains(part), "{part}: {message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}

#[test]
fn a_migration_needs_the_database_alone() {
    let variables = [("DATABASE_URL", "host=/nowhere dbname=none"), ("SERVICE_LAYER_JS_HOST", "/nowhere")];
    assert!(Schema::resolve(&layers(&variables, "", &[])).is_ok());
    let none = Schema::resolve(&layers(&[TOKEN], "", &[])).expect_err("there is no database");
    assert_eq!(none.exit, 78);
    assert!(none.message.contains("DATABASE_URL"), "{none}");
}
