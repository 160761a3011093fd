//! The sandbox with the host that tenants get.

use std::{
    collections::{BTreeSet, HashMap},
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use sl_actors::{
    egress::{Egress, EgressLimits, SystemResolver},
    sandbox::{CompileError, LogLevel, fetch},
};

use super::*;

/// Programs that take too much of something, and what may be made of each. A bomb of the last kind can kill V8 itself.
const BOMBS: [(&str, &[&str]); 13] = [
    ("for (;;) {}", &["cpu_limit"]),
    ("for (;;) await null;", &["cpu_limit"]),
    ("const spin = () => Promise.resolve().then(spin); await spin();", &["cpu_limit", "memory_limit"]),
    ("try { for (;;) {} } finally { for (;;) {} }", &["cpu_limit"]),
    ("/^(a+)+$/.test('a'.repeat(40) + 'b');", &["cpu_limit"]),
    ("await new Promise((done) => setTimeout(done, 60000));", &["wall_limit"]),
    ("await new Promise(() => {});", &["unsettled"]),
    ("const all = []; for (;;) all.push('x'.repeat(1000) + all.length);", &["memory_limit"]),
    ("const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1));", &["memory_limit"]),
    ("let x = 2n; for (;;) x = x * x;", &["memory_limit", "cpu_limit", "threw"]),
    ("return { x: 'x'.repeat(3 << 20) };", &["output_limit"]),
    ("for (;;) console.log('x'.repeat(100));", &["log_limit"]),
    ("'a'.repeat(2 ** 28).split('');", &["memory_limit", "crashed", "threw"]),
];

async fn bench() -> Bench {
    let path = program("sl-js-host", "--bin", "sl-js-host");
    Bench::start(small(), HostProgram { path, arguments: Vec::new() }).await
}

/// A run of a module whose function has this body.
fn module(account: u128, body: &str) -> Run {
    let source = format!("export default async (params, context) => {{\n{body}\n}}");
    let mut run = run(account, "{}");
    run.version_id = version(&source);
    run.source = source.into();
    run.limits = RunLimits {
        cpu: Duration::from_millis(200),
        wall: Duration::from_secs(10),
        heap_bytes: 32 << 20,
        resident_bytes: 200 << 20,
        ..RunLimits::default()
    };
    run
}

/// An id that follows from the source, as ids of versions do.
fn version(source: &str) -> Uuid {
    let mut hasher = DefaultHasher::new();
    source.hash(&mut hasher);
    Uuid::from_u128(hasher.finish().into())
}

impl Bench {
    async fn real(&self, run: Run) -> Report {
        self.sandbox.run(run, Arc::new(Calls::default()), CancellationToken::new()).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_has_its_params_secrets_context_and_answers() {
    let bench = bench().await;
    let body = "console.log('to', params.who); Devpack.gasBank.balance({ gas_account_id: 'g' });
        return { hello: params.who, key: secrets.API_KEY.length, run: context.executionId };";
    let mut asked = module(1, body);
    asked.params_json = r#"{"who":"Ärger"}"#.to_owned();
    asked.context.execution_id = "e-1".to_owned();
    let calls = Arc::new(Calls::default());
    let report = bench.sandbox.run(asked, calls.clone(), CancellationToken::new()).await.unwrap();
    assert_eq!(output(&report), serde_json::json!({"hello": "Ärger", "key": 6, "run": "e-1"}));
    let Ending::Returned { actions, .. } = &report.ending else { unreachable!("it returned") };
    assert_eq!(
        (actions[0].kind.as_str(), &actions[0].params["gas_account_id"]),
        ("gasbank.balance", &"g".into())
    );
    assert_eq!((report.logs.len(), report.logs[0].level), (1, LogLevel::Info));
    assert_eq!(report.logs[0].text, "to Ärger");
    assert_eq!(*calls.0.lock().unwrap(), report.logs);
    assert!(report.cpu > Duration::ZERO && report.wall >= report.cpu && report.heap_peak_bytes > 100_000);

    let mut existing = run(1, r#"{"n":20}"#);
    existing.version_id = Uuid::from_u128(77);
    existing.source = Arc::from(
        "function (params, secrets) { return { twice: params.n * 2, key: secrets.API_KEY.length } }",
    );
    assert_eq!(output(&bench.real(existing).await), serde_json::json!({"twice": 40, "key": 6}));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_has_class_message_and_place() {
    let bench = bench().await;
    let report = bench.real(module(1, "null.x;")).await;
    let told = failure(&report);
    assert_eq!((told.code, told.class.as_str(), told.stack[0].line), ("threw", "TypeError", 2), "{told:?}");
    assert!(told.message.contains("null"), "{told:?}");
    let report = bench.real(module(1, "return eval('1');")).await;
    assert_eq!(failure(&report).code, "denied");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_is_compiled_without_being_run() {
    let bench = bench().await;
    let account = Uuid::from_u128(1);
    let compile = |source: &str| bench.sandbox.compile(account, source.into());
    assert_eq!(compile("throw 1; export default () => ({})").await.unwrap(), Ok(()));
    let CompileError { message, line, column } =
        compile("export default () => {\n  let x = ;\n}").await.unwrap().unwrap_err();
    assert!(message.starts_with("SyntaxError: "), "{message}");
    assert_eq!((line, column), (2, 11));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bomb_has_its_own_ending_and_no_effect_on_a_neighbour() {
    let bench = bench().await;
    let mut replaced = Vec::new();
    for (body, codes) in BOMBS {
        let mut bomb = module(1, body);
        if codes == ["wall_limit"] {
            bomb.limits.wall = Duration::from_millis(500);
        }
        // However slow the machine is, it gets to fill its heap.
        if codes == ["memory_limit"] {
            bomb.limits.cpu = Duration::from_secs(5);
        }
        let latest = bomb.limits.wall + Duration::from_millis(700);
        let neighbour = async {
            let mut walls = Vec::new();
            for n in 0..20 {
                let report = bench.real(module(2, &format!("return {{ n: {n} }};"))).await;
                assert_eq!(output(&report)["n"], n);
                walls.push(report.wall);
            }
            median(&mut walls)
        };
        let (report, neighbour) = tokio::join!(bench.real(bomb), neighbour);
        let told = failure(&report);
        assert!(codes.contains(&told.code), "{body}: {told:?}");
        assert!(report.wall < latest, "{body} took {:?}", report.wall);
        assert!(neighbour < Duration::from_millis(500), "{body}: the neighbour took {neighbour:?}");
        let began = Instant::now();
        assert_eq!(
            output(&bench.real(module(1, "return { well: true };")).await)["well"],
            true,
            "after {body}"
        );
        replaced.push(began.elapsed());
        bench.until(Duration::from_secs(5), body, |status| status.warm == 1).await;
    }
    let replaced = median(&mut replaced);
    assert!(replaced < Duration::from_millis(200), "{replaced:?}");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_can_be_cancelled_while_it_loops_and_while_it_waits() {
    let bench = bench().await;
    for body in ["for (;;) {}", "await new Promise((done) => setTimeout(done, 60000));"] {
        let mut endless = module(1, body);
        (endless.limits.cpu, endless.limits.wall) = (Duration::from_secs(20), Duration::from_secs(20));
        let cancel = CancellationToken::new();
        let running = bench.sandbox.run(endless, Arc::new(Calls::default()), cancel.clone());
        let cancelling = async {
            bench.until(Duration::from_secs(2), "busy", |status| status.busy == 1).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            cancel.cancel();
        };
        let (report, ()) = tokio::join!(running, cancelling);
        let report = report.unwrap();
        assert_eq!(failure(&report).code, "cancelled", "{body}");
        assert!(report.wall < Duration::from_secs(1), "{body}: {:?}", report.wall);
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_kept_between_runs_nor_shared_between_accounts() {
    let bench = bench().await;
    let body = "globalThis.seen = (globalThis.seen ?? 0) + 1; Array.prototype.mark = 1; return { seen: globalThis.seen };";
    let mut owners: HashMap<u32, BTreeSet<Uuid>> = HashMap::new();
    for round in 0..30 {
        let report = bench.real(module(round % 3, body)).await;
        assert_eq!(output(&report)["seen"], 1);
        for account in bench.sandbox.status().accounts {
            for pid in account.pids {
                owners.entry(pid).or_default().insert(account.account_id);
            }
        }
    }
    assert_eq!(owners.len(), 3);
    assert!(owners.values().all(|accounts| accounts.len() == 1), "{owners:?}");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetch_goes_through_the_egress_guard() {
    struct Guarded(Egress);
    impl HostCalls for Guarded {
        fn log(&self, _: &LogLine) {}
        fn fetch(&self, request: FetchRequest) -> BoxFuture<'static, Result<FetchResponse, Fault>> {
            fetch(&self.0, Uuid::from_u128(1), request)
        }
    }
    let origin =
        crate::egress::Origin::saying("HTTP/1.1 201 Made\r\ncontent-length: 7\r\n\r\n{\"a\":1}").await;
    let allow = format!("127.0.0.1:{}", origin.port).parse().unwrap();
    let egress = Egress::new(EgressLimits::default(), allow, Arc::new(SystemResolver::new(2))).unwrap();
    let bench = bench().await;
    let body = format!(
        "const answer = await fetch('{}', {{ method: 'POST', body: 'x', headers: {{ 'X-Key': 'k' }} }});
        const refused = await fetch('http://169.254.169.254/').catch((error) => error.message);
        return {{ status: answer.status, a: (await answer.json()).a, refused }};",
        origin.url("/")
    );
    let report = bench
        .sandbox
        .run(module(1, &body), Arc::new(Guarded(egress)), CancellationToken::new())
        .await
        .unwrap();
    let told = output(&report);
    assert_eq!((&told["status"], &told["a"]), (&201.into(), &1.into()));
    assert!(told["refused"].as_str().unwrap().contains("link local"), "{told}");
    assert!(origin.last_head().to_ascii_lowercase().contains("x-key: k"));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_warm_run_costs_little_more_than_the_host_takes() {
    let bench = bench().await;
    let mut over: Vec<Duration> = Vec::new();
    let mut walls: Vec<Duration> = Vec::new();
    for _ in 0..300 {
        let asked = module(1, "return { ok: true };");
        let began = Instant::now();
        let report = bench.real(asked).await;
        output(&report);
        walls.push(began.elapsed());
        over.push(began.elapsed().saturating_sub(report.cpu));
    }
    let (wall, over) = (median(&mut walls), median(&mut over));
    println!("a warm run takes {wall:?}, {over:?} over its CPU time");
    assert!(wall < Duration::from_millis(20), "{wall:?}");
    bench.stop().await;
}
