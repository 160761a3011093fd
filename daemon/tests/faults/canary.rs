//! No secret is told: two hundred planted values go through everything that holds, uses, mistreats or breaks on them, and
//! then logs, database, metrics, events and answers are searched for them in every usual encoding.

use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

use aho_corasick::AhoCorasick;
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};
use reqwest::Method;
use serde_json::{Value, json};
use sl_store::{Chance as _, OsChance, testing::postgres::Database};

use crate::world::{self, Client, KEY, SIGNING_KEY, on_threads, process::Daemon, sink::Sink, text, until};

mod doors;

const ACCOUNTS: usize = 4;
/// As many as a function may name.
const SECRETS: usize = 50;
/// What is no secret and has to be found, so that a search that finds nothing means something.
const MARKER: &str = "this-is-no-secret";

/// Does with its secrets what it should not.
const LEAKS: &str = r"export default async (params, { secrets }) => {
    const hex = (text) => Array.from(new TextEncoder().encode(text), (b) => b.toString(16).padStart(2, '0')).join('');
    const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
    const values = Object.values(secrets).slice(params.from, params.from + 5);
    const forms = (value) => [value, base64(value), base64('x' + value), base64('xy' + value), hex(value), hex(value).toUpperCase(),
        base64(value).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, ''), encodeURIComponent(value), encodeURI(value),
        JSON.stringify(value), `before${value}after`];
    const all = values.flatMap(forms);
    console.log('this-is-no-secret', params.way);
    switch (params.way) {
        case 'sends':
            for (const value of values) {
                await fetch(params.sink, { method: 'POST', headers: { 'x-key': hex(value) }, body: JSON.stringify({ key: value }) });
                await fetch(params.sink + '?key=' + encodeURIComponent(value)).catch(() => 0);
            }
            return { sent: values.length };
        case 'sends badly':
            for (const value of values) {
                for (const url of ['http://127.0.0.1:1/' + hex(value), 'http://' + hex(value).slice(0, 40) + '.invalid/' + encodeURIComponent(value), 'no url ' + value, 'ftp://x/' + value]) {
                    try { await fetch(url, { headers: { 'x-key': value } }); } catch (error) { console.error(String(error), error); }
                }
            }
            return {};
        case 'logs':
            console.log(all); console.error('%s', ...all); console.warn({ nested: all }); console.debug(new Error(values[0]));
            return { length: all.length };
        case 'returns':
            return { all, keyed: Object.fromEntries(all.map((form, n) => [form, n])), secrets, deep: [[{ all }]] };
        case 'throws': {
            const error = new TypeError(all.join(' '), { cause: values[0] });
            error.name = values[1];
            throw error;
        }
        case 'throws bare': throw values[0];
        case 'acts':
            for (const form of all.slice(0, 30)) Devpack.random.generate({ requestId: form });
            Devpack.automation.schedule({ name: values[0], schedule: values[1], description: { [values[2]]: values[3] } });
            Devpack.oracle.createRequest({ dataSourceId: 'd', payload: values[4] });
            return Devpack.respond.failure(values[0], { values });
        case 'spins': for (;;) all.push(values[0].length);
        case 'bursts': for (let text = values[0]; ; ) text = text + text + values[1];
        case 'sleeps': console.log(values[0]); await new Promise((done) => setTimeout(done, 20_000));
    }
};";

const WAYS: [&str; 9] =
    ["sends", "sends badly", "logs", "returns", "throws", "throws bare", "acts", "spins", "bursts"];

fn planted(number: usize) -> String {
    let mut bytes = [0; 12];
    OsChance.fill(&mut bytes);
    let random = bytes.iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    });
    format!("cänary {number}/{random}+&\"?")
}

fn percent(value: &str, keep: bool) -> String {
    value.bytes().fold(String::new(), |mut text, byte| {
        let plain = keep && (byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte));
        let _infallible =
            if plain { write!(text, "{}", char::from(byte)) } else { write!(text, "%{byte:02X}") };
        text
    })
}

/// A value as it is, in JSON, in base64 and base64url wherever it stands in a longer text, in hex, percent-encoded.
fn forms(value: &str) -> BTreeSet<String> {
    let quoted = Value::from(value).to_string();
    let hex: String = percent(value, false).replace('%', "");
    let mut forms = BTreeSet::from([
        value.to_owned(),
        quoted[1..quoted.len() - 1].to_owned(),
        hex.to_lowercase(),
        hex,
        percent(value, true),
        percent(value, false),
        // The random part alone, which nothing escapes; of what is random as a whole, no short piece of it.
        value.split(['/', '+']).nth(1).filter(|part| part.len() >= 16).unwrap_or(value).to_owned(),
    ]);
    for ahead in 0..3 {
        let shifted = [&[0; 2][..ahead], value.as_bytes()].concat();
        // Only the characters that depend on nothing but the value.
        let (first, last) = ((ahead * 8).div_ceil(6), shifted.len() * 8 / 6);
        for encoded in [BASE64_STANDARD_NO_PAD.encode(&shifted), BASE64_URL_SAFE_NO_PAD.encode(&shifted)] {
            forms.insert(encoded[first..last].to_owned());
        }
    }
    forms
}

/// What was seen, by where.
struct Seen {
    client: Client,
    places: Vec<(String, String)>,
}

impl Seen {
    async fn ask(&mut self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let answer = self.client.ask(method.clone(), path, body).await;
        assert!(answer.status != 500, "{answer}");
        let headers = format!("{:?}", answer.headers);
        self.places.push((format!("the answer to {method} {path}"), format!("{headers}\n{}", answer.text)));
        answer.body
    }

    async fn post(&mut self, path: &str, body: &Value) -> Value {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// Everything that can be read of an account, by the document's own list.
    async fn read_all(&mut self, known: &[(&str, &str)]) {
        let document = self.client.get("/openapi.json").await.expect(200);
        let paths = document["paths"].as_object().expect("paths");
        for (path, operations) in paths.iter().filter(|(_, operations)| operations.get("get").is_some()) {
            let streams = operations["get"]["responses"]["200"]["content"].get("text/event-stream").is_some();
            let path = known
                .iter()
                .fold(path.clone(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value));
            if !path.contains('{') && (!streams || path.ends_with("/logs")) {
                self.ask(Method::GET, &path, None).await;
            }
        }
    }

    /// Where values were told, and how.
    fn hits(&self, values: &[String]) -> Vec<String> {
        let search = AhoCorasick::new(values.iter().flat_map(|value| forms(value))).expect("needles");
        let mut hits = Vec::new();
        for (place, text) in &self.places {
            for hit in search.find_overlapping_iter(text) {
                let around = text.floor_char_boundary(hit.start().saturating_sub(200));
                hits.push(format!("{place}: …{}", &text[around..hit.end()]));
            }
        }
        hits
    }
}

/// Plants an account's secrets, mistreats them and runs everything on them.
async fn live(seen: &mut Seen, account: &str, values: &[String], sink: &Sink) {
    let secrets = format!("{account}/secrets");
    let names: Vec<String> = (0..values.len()).map(|number| format!("secret_{number}")).collect();
    for (name, value) in names.iter().zip(values) {
        let keyed = Seen { client: seen.client.with_header("idempotency-key", name), places: Vec::new() };
        let mut keyed = Seen { places: std::mem::take(&mut seen.places), ..keyed };
        keyed.post(&secrets, &json!({"name": name, "value": value})).await;
        keyed.post(&secrets, &json!({"name": name, "value": value})).await;
        seen.places = keyed.places;
    }
    for (name, value) in names.iter().zip(values).take(10) {
        for refused in [
            json!({"name": name, "value": value}),
            json!({"name": "bad|name", "value": value}),
            json!({"name": name, "value": [value]}),
            json!({"name": name, "value": {"inner": value}}),
            json!({"name": name, "value": value, "bogus": value}),
            json!({"name": [value], "value": value}),
        ] {
            let answer = seen.post(&secrets, &refused).await;
            assert!(answer["code"].is_string(), "{answer}");
        }
        let path = format!("{secrets}/{name}");
        seen.ask(Method::PUT, &path, Some(&json!({"value": value}))).await;
        seen.post(&format!("{path}/rollback"), &json!({"version": 1})).await;
        seen.ask(Method::GET, &format!("{path}/versions"), None).await;
    }
    let new = json!({"name": "leaks", "source": LEAKS, "secrets": names, "limits": {"cpu": "300ms"}});
    let made = seen.post(&format!("{account}/functions"), &new).await;
    let function = format!("{account}/functions/{}", text(&made, "id"));
    for way in WAYS {
        for from in (0..values.len()).step_by(if way == "sends" { 5 } else { 25 }) {
            let params = json!({"way": way, "from": from, "sink": format!("http://{}/", sink.address)});
            let ran = seen.post(&format!("{function}/execute"), &params).await;
            read(seen, account, text(&ran, "id")).await;
        }
    }
    let params = json!({"way": "throws", "from": 0});
    let queued = seen.post(&format!("{function}/execute?wait=0s"), &params).await;
    let path = format!("{account}/executions/{}", text(&queued, "id"));
    until(&seen.client, &path, Duration::from_secs(20), |seen| seen["status"] == "failed").await;
    seen.ask(Method::POST, &format!("{path}/replay"), None).await;
    let sleeps =
        seen.post(&format!("{function}/execute?wait=300ms"), &json!({"way": "sleeps", "from": 0})).await;
    seen.ask(Method::POST, &format!("{account}/executions/{}/cancel", text(&sleeps, "id")), None).await;
    read(seen, account, text(&sleeps, "id")).await;
    let execution = text(&queued, "id").to_owned();
    let id = account.trim_start_matches("/accounts/").to_owned();
    let known = [
        ("account", &*id),
        ("function", text(&made, "id")),
        ("execution", &execution),
        ("id", &execution),
        ("name", &names[0]),
    ];
    seen.read_all(&known).await;
}

async fn read(seen: &mut Seen, account: &str, execution: &str) {
    for path in ["", "/logs"] {
        seen.ask(Method::GET, &format!("{account}/executions/{execution}{path}"), None).await;
    }
}

async fn dump(database: &Database) -> String {
    let admin = database.admin().await;
    let tables = "SELECT format('%I', tablename) FROM pg_tables WHERE schemaname = 'public'";
    let mut dump = String::new();
    for table in admin.query(tables, &[]).await {
        let table: String = table.get(0);
        for row in admin.query(&format!("SELECT t::text FROM {table} t"), &[]).await {
            let row: String = row.get(0);
            let _infallible = writeln!(dump, "{table}: {row}");
        }
    }
    dump
}

#[test]
fn no_planted_secret_is_ever_told() {
    on_threads(async {
        let (database, sink) = (Database::fresh().await, Sink::start());
        let dsn = database.dsn();
        let daemon = Daemon::start(&[
            ("DATABASE_URL", &dsn),
            ("SECRET_ENCRYPTION_KEY", KEY),
            ("RANDOM_SIGNING_KEY", SIGNING_KEY),
            ("SERVICE_LAYER_LOG_LEVEL", "trace"),
            ("SERVICE_LAYER_EGRESS_ALLOW", &sink.address),
            ("SERVICE_LAYER_HTTP_TOKEN_RATE", "100000"),
            ("SERVICE_LAYER_HTTP_ACCOUNT_RATE", "100000"),
        ]);
        let mut seen = Seen { client: daemon.client(), places: Vec::new() };
        let mut values: Vec<String> = (0..ACCOUNTS * SECRETS).map(planted).collect();
        for planted in values.chunks(SECRETS) {
            let account = world::account(&seen.client).await;
            live(&mut seen, &account, planted, &sink).await;
        }
        let used: BTreeSet<String> = sink.effects().into_keys().filter(|key| !key.is_empty()).collect();
        assert_eq!(used, values.iter().cloned().collect(), "each was used for what it is for");

        // Keys and tokens are no less secret; a token is answered once, which is not looked at.
        let account = world::account(&seen.client).await;
        let token =
            seen.client.post(&format!("{account}/tokens"), &json!({"name": "t", "scopes": ["read"]})).await;
        let token = text(&token.expect(201), "token").to_owned();
        values.extend(doors::open(&mut seen, &account, &sink).await);
        let nonce = doors::challenge(&seen.client, &account).await;
        seen.client.with_token(&token).get(&format!("{account}/secrets")).await.expect(200);
        values.extend([token, world::TOKEN.to_owned(), KEY.to_owned(), SIGNING_KEY.to_owned()]);

        let metrics = seen.client.get("/metrics").await.text;
        seen.places.push(("the metrics".to_owned(), metrics));
        seen.places.push(("the database".to_owned(), dump(&database).await));
        seen.places.push(("the log".to_owned(), daemon.log()));
        for (place, expected) in
            [("the metrics", "service_layer_"), ("the database", MARKER), ("the log", "Serving")]
        {
            let found = seen.places.iter().find(|(name, _)| name == place);
            assert!(found.is_some_and(|(_, text)| text.contains(expected)), "{place} was looked at");
        }
        assert!(seen.places.iter().any(|(place, text)| place.contains("/logs") && text.contains(MARKER)));
        let told = vec![("the sink".to_owned(), format!("{used:?}"))];
        let control = Seen { client: seen.client.clone(), places: told };
        assert!(control.hits(&values).len() >= used.len(), "what is told is found");
        doors::is_told_nowhere(&nonce, &seen, &account).await;
        let hits = seen.hits(&values);
        assert!(
            hits.is_empty(),
            "{} hits, among them\n{}",
            hits.len(),
            hits[..hits.len().min(10)].join("\n\n")
        );
        let size: usize = seen.places.iter().map(|(_, text)| text.len()).sum();
        println!("{} values, {} places, {} KiB: no hit", values.len(), seen.places.len(), size >> 10);
    });
}
