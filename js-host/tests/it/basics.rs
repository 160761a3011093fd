//! Sources, what stays between runs and what does not, and the talk beside them.

use crate::client::Host;
use sl_js_protocol::*;
use std::time::{Duration, Instant};

#[test]
fn a_source_that_is_no_function_is_refused_with_its_place() {
    let mut host = Host::spawn();
    let fault = |host: &mut Host, source: &str| {
        let fault = host.compile(source).unwrap_or_else(|| panic!("it compiles: {source}"));
        (fault.class, fault.message, fault.line, fault.column)
    };
    let told =
        |class: &str, message: &str, line, column| (class.to_owned(), message.to_owned(), line, column);
    for (source, expected) in [
        ("(params) => {\n  return 1 +;\n}", told("SyntaxError", "Unexpected token ';'", 2, 13)),
        (
            "export default (params) => {\n  const a = ;\n};",
            told("SyntaxError", "Unexpected token ';'", 2, 13),
        ),
        ("() => { let a; let a; }", told("SyntaxError", "Identifier 'a' has already been declared", 1, 20)),
        (
            "",
            told(
                "FormError",
                "The source is neither a module with a default export nor one expression",
                1,
                1,
            ),
        ),
        (
            "const a = 1;\nexport const b = a;",
            told(
                "FormError",
                "The source is neither a module with a default export nor one expression",
                1,
                1,
            ),
        ),
        ("() => (", told("SyntaxError", "Unexpected end of input", 1, 8)),
        ("() => [\n 1,  \n\n", told("SyntaxError", "Unexpected end of input", 2, 4)),
        ("() => `a", told("SyntaxError", "Unexpected end of input", 1, 9)),
        ("() => 1); for(;;); (1", told("SyntaxError", "Unexpected token ')'", 1, 8)),
        ("1); (2", told("SyntaxError", "Unexpected token ')'", 1, 2)),
        ("1]; [2", told("SyntaxError", "Unexpected token ']'", 1, 2)),
        ("1) + (2", told("SyntaxError", "Unexpected token ')'", 1, 2)),
        (
            "import a from 'b';\nexport default () => a;",
            told("ImportError", "A function imports nothing, and this one imports \"b\"", 1, 15),
        ),
    ] {
        assert_eq!(fault(&mut host, source), expected, "{source}");
    }
    for source in
        ["() => 1", "async (a, b) => 1;", "function (a) {}", "export default 1", "/* only */ 1 // end"]
    {
        assert_eq!(host.compile(source), None, "{source}");
    }
}

#[test]
fn compiling_runs_nothing() {
    let mut host = Host::spawn();
    assert_eq!(host.compile("globalThis.leak = 1"), None);
    assert_eq!(host.compile("export default (() => { for (;;); })()"), None);
    assert_eq!(host.run("() => typeof leak").output(), r#"{"result":"undefined"}"#);
}

#[test]
fn a_source_that_does_not_compile_ends_its_run() {
    let mut host = Host::spawn();
    let outcome = host.run("(params) =>\n  ]");
    let Ending::Uncompilable(fault) = outcome.done.ending else { panic!("{outcome:?}") };
    assert_eq!((fault.line, fault.column), (2, 3));
}

#[test]
fn nothing_stays_between_runs() {
    let mut host = Host::spawn();
    host.run(
        "() => {
            globalThis.left = 'secret';
            Object.prototype.left = 'secret';
            Array.prototype.map = () => 'secret';
            JSON.stringify = () => 'secret';
            Promise.prototype.then = () => 'secret';
            console.log = () => 'secret';
            Devpack.left = 'secret';
            setTimeout(() => console.warn('secret'), 1);
            setInterval(() => { Object.prototype.late = 1; }, 1);
            Promise.resolve().then(() => new Promise(() => {})).then(() => console.warn('secret'));
            delete globalThis.URL;
        }",
    );
    let next = host.run(
        "async () => {
            await new Promise((resolve) => setTimeout(resolve, 5));
            return {
                left: typeof left, late: ({}).late, own: Object.keys(Object.prototype), map: [1].map((n) => n + 1),
                json: JSON.stringify(1), devpack: Devpack.left, url: typeof URL, params, secrets,
            };
        }",
    );
    assert_eq!(
        next.output(),
        r#"{"left":"undefined","own":[],"map":[2],"json":"1","url":"function","params":{},"secrets":{}}"#
    );
    assert!(next.logs.is_empty());
}

#[test]
fn microtasks_of_a_stopped_run_do_not_reach_the_next() {
    let mut host = Host::spawn();
    for _ in 0..20 {
        let mut run = host.ask(
            "() => {
                for (let i = 0; i < 1000; i++) queueMicrotask(() => console.log('left behind'));
                for (let i = 0; i < 1000; i++) Promise.resolve('left behind').then(console.log);
                return { toJSON() { for (;;); } };
            }",
        );
        run.limits.cpu = Duration::from_millis(30);
        run.limits.log_lines = 100_000;
        assert_eq!(host.perform(run).code(), Some("cpu_limit"));
        let next = host.run("async () => { await null; await null; return params; }");
        assert_eq!((next.output(), next.logs.len()), ("{}", 0));
    }
}

#[test]
fn math_random_is_not_the_same_in_every_run() {
    let mut host = Host::spawn();
    let one = host.run("() => Math.random()").output().to_owned();
    let other = host.run("() => Math.random()").output().to_owned();
    let elsewhere = Host::spawn().run("() => Math.random()").output().to_owned();
    assert!(one != other && one != elsewhere, "{one} {other} {elsewhere}");
}

#[test]
fn a_function_may_keep_its_context() {
    let mut host = Host::spawn();
    let source = "let count = 0; export default (params) => ({ count: ++count, n: params.n });";
    let mut outputs = Vec::new();
    for n in 0..3 {
        let mut run = host.ask(source);
        run.options.keep_context = true;
        run.params_json = format!("{{\"n\":{n}}}");
        if n > 0 {
            run.source = Source::Known;
        }
        outputs.push(host.perform(run).output().to_owned());
    }
    assert_eq!(outputs, [r#"{"count":1,"n":0}"#, r#"{"count":2,"n":1}"#, r#"{"count":3,"n":2}"#]);
    assert_eq!(host.run(source).output(), r#"{"count":1}"#, "a run that does not ask for it has its own");
    let mut stopped = host.ask(source);
    stopped.options.keep_context = true;
    stopped.params_json = "{\"n\":{\"toJSON\":1}}".to_owned();
    assert_eq!(host.perform(stopped).output(), r#"{"count":4,"n":{"toJSON":1}}"#);
}

#[test]
fn a_kept_context_is_left_when_a_secret_is_another() {
    let mut host = Host::spawn();
    let source = "let client, count = 0;
        export default (params, { secrets }) => ({ count: ++count, client: client ??= secrets.KEY + '!' });";
    let outputs = ["old", "old", "new", "old"].map(|key| {
        let mut run = host.ask(source);
        run.options.keep_context = true;
        run.secrets.0.insert("KEY".to_owned(), key.to_owned());
        host.perform(run).output().to_owned()
    });
    let told = |count, client| format!("{{\"count\":{count},\"client\":\"{client}!\"}}");
    assert_eq!(outputs, [told(1, "old"), told(2, "old"), told(1, "new"), told(1, "old")]);
}

#[test]
fn a_kept_context_is_given_up_when_its_run_is_stopped() {
    let mut host = Host::spawn();
    let source = "let count = 0; export default (params) => { count++; if (params.loop) for (;;); return { count }; };";
    let mut ask = |json: &str| {
        let mut run = host.ask(source);
        run.options.keep_context = true;
        run.params_json = json.to_owned();
        run.limits.cpu = Duration::from_millis(30);
        host.perform(run)
    };
    assert_eq!(ask("{}").output(), r#"{"count":1}"#);
    assert_eq!(ask("{\"loop\":true}").code(), Some("cpu_limit"));
    assert_eq!(ask("{}").output(), r#"{"count":1}"#);
}

#[test]
fn known_code_is_not_sent_again() {
    let mut host = Host::spawn();
    let mut run = host.ask("() => ({ n: 1 })");
    run.source = Source::Known;
    assert_eq!(host.perform(run.clone()).done.ending, Ending::SourceUnknown);
    run.source = Source::Text("() => ({ n: 1 })".to_owned());
    assert_eq!(host.perform(run.clone()).output(), r#"{"n":1}"#);
    run.source = Source::Known;
    assert_eq!(host.perform(run).output(), r#"{"n":1}"#);
}

#[test]
fn a_run_is_cancelled_wherever_it_is() {
    let mut host = Host::spawn();
    for source in [
        "() => { console.log('begun'); for (;;); }",
        "async () => { console.log('begun'); await new Promise((resolve) => setTimeout(resolve, 1e6)); }",
    ] {
        let mut run = host.ask(source);
        run.limits.cpu = Duration::from_secs(10);
        let id = run.id;
        host.send(&ToHost::Run(Box::new(run)));
        assert!(matches!(host.receive(), Some(ToDaemon::Log(_))));
        let begun = Instant::now();
        host.send(&ToHost::Cancel(id));
        let Some(ToDaemon::Done(done)) = host.receive() else { panic!("no answer") };
        assert_eq!(done.ending, Ending::Cancelled);
        assert!(begun.elapsed() < Duration::from_secs(2));
    }
    let run = host.ask("() => { for (;;); }");
    host.send(&ToHost::Cancel(run.id));
    assert_eq!(host.perform(run).code(), Some("cancelled"), "also before it has begun");
    assert_eq!(host.run("() => ({ n: 1 })").output(), r#"{"n":1}"#);
}

#[test]
fn a_busy_host_answers_pings() {
    let mut host = Host::spawn();
    let run = host.ask("() => { for (;;); }");
    host.send(&ToHost::Run(Box::new(run)));
    host.send(&ToHost::Ping(7));
    assert_eq!(host.receive(), Some(ToDaemon::Pong(7)));
    assert!(matches!(host.receive(), Some(ToDaemon::Done(_))));
    host.send(&ToHost::Ping(8));
    assert_eq!(host.receive(), Some(ToDaemon::Pong(8)));
}

#[test]
fn logs_are_told_while_the_function_runs() {
    let mut host = Host::spawn();
    let run = host.ask("async () => { console.log('early'); await fetch('https://example.org/'); }");
    host.send(&ToHost::Run(Box::new(run)));
    let Some(ToDaemon::Log(log)) = host.receive() else { panic!("no line") };
    assert_eq!((log.text.as_str(), log.sequence, log.level), ("early", 1, LogLevel::Info));
    let Some(ToDaemon::FetchRequest(request)) = host.receive() else { panic!("no request") };
    let outcome = FetchOutcome::Response(FetchResponse { status: 204, ..FetchResponse::default() });
    host.send(&ToHost::FetchReply(FetchReply { run: request.run, id: request.id, outcome }));
    assert!(matches!(host.receive(), Some(ToDaemon::Done(_))));
}

#[test]
fn replies_that_nobody_waits_for_do_nothing() {
    let mut host = Host::spawn();
    let stray = |run| {
        ToHost::FetchReply(FetchReply {
            run,
            id: 1,
            outcome: FetchOutcome::Response(FetchResponse { status: 200, ..FetchResponse::default() }),
        })
    };
    host.send(&stray(RunId(99)));
    let run = host.ask("async () => ({ ok: (await fetch('https://example.org/')).status })");
    let id = run.id;
    host.send(&ToHost::Run(Box::new(run)));
    assert!(matches!(host.receive(), Some(ToDaemon::FetchRequest(_))));
    host.send(&stray(RunId(99)));
    host.send(&stray(id));
    host.send(&stray(id));
    let Some(ToDaemon::Done(done)) = host.receive() else { panic!("no answer") };
    assert_eq!(done.ending, Ending::Returned { output_json: r#"{"ok":200}"#.to_owned() });
    assert_eq!(host.run("() => 1").output(), r#"{"result":1}"#);
}

#[test]
fn the_host_goes_when_it_is_told_to_or_the_daemon_does() {
    let mut host = Host::spawn();
    host.send(&ToHost::Quit);
    assert!(host.exit().success());

    let mut host = Host::spawn();
    host.send(&ToHost::Assign(Assign { account_id: "another".to_owned() }));
    assert_eq!(host.receive(), None, "a second account is never served");

    let host = Host::spawn();
    host.stream.shutdown(std::net::Shutdown::Both).expect("closed");
    assert!(host.exit().success());

    let mut host = Host::spawn();
    let run = host.ask("() => { for (;;); }");
    host.send(&ToHost::Run(Box::new(run)));
    host.stream.shutdown(std::net::Shutdown::Both).expect("closed");
    assert!(host.exit().success(), "also while it runs something");
}

#[test]
fn usage_is_told() {
    let mut host = Host::spawn();
    let done = host
        .run("async () => { let n = 0; for (let i = 0; i < 2e7; i++) n += i; const b = new Uint8Array(3e6); await new Promise((resolve) => setTimeout(resolve, 30)); return b.length; }")
        .done;
    let usage = done.usage;
    assert!(usage.cpu > Duration::from_millis(2) && usage.cpu < usage.wall, "{usage:?}");
    assert!(usage.wall >= Duration::from_millis(30), "{usage:?}");
    assert!((3_000_000..4_000_000).contains(&usage.buffer_peak_bytes), "{usage:?}");
    assert!((300_000..20_000_000).contains(&usage.heap_peak_bytes), "{usage:?}");
    let heavy = host
        .run("() => { const all = []; for (let i = 0; i < 3e5; i++) all.push({ i }); return all.length; }");
    assert!(heavy.done.usage.heap_peak_bytes > usage.heap_peak_bytes + 3_000_000, "{heavy:?}");
}

#[test]
fn a_run_whose_process_dies_of_memory_tells_what_it_took() {
    let burn = "let n = 0; for (const until = Date.now() + 60; Date.now() < until;) n++;";
    let grow = ["const all = []; for (;;) all.push({});", "'a'.repeat(2 ** 28).split('');"];
    for grow in grow {
        let mut host = Host::spawn();
        let mut run = host.ask(&format!("() => {{ {burn} {grow} }}"));
        run.limits.heap_bytes = 16 << 20;
        run.limits.cpu = Duration::from_secs(5);
        let outcome = host.try_perform(run, &mut |request| panic!("{request:?}"));
        let Some(done) = outcome.map(|outcome| outcome.done) else { continue };
        assert_eq!(done.ending.code(), Some("memory_limit"), "{done:?}");
        assert!(done.usage.cpu >= Duration::from_millis(30), "{grow}: {:?}", done.usage);
        // A single allocation that is too large ends it before anything was collected, and seen.
        let least = if grow.starts_with("const") { 8 << 20 } else { 0 };
        assert!(done.usage.heap_peak_bytes >= least, "{grow}: {:?}", done.usage);
    }
}

/// Runs a source under changed limits; the one that ended it.
fn limit_hit(host: &mut Host, source: &str, change: fn(&mut RunLimits)) -> LimitHit {
    let mut run = host.ask(source);
    change(&mut run.limits);
    let outcome = host.try_perform(run, &mut |request| panic!("{request:?}"));
    match outcome.unwrap_or_else(|| panic!("no answer: {source}")).done.ending {
        Ending::Limit(hit) => hit,
        other => panic!("{source}: {other:?}"),
    }
}

#[test]
fn limits_are_told_with_their_bounds() {
    let mut host = Host::spawn();
    let mut hit = |source: &str, change: fn(&mut RunLimits)| {
        let hit = limit_hit(&mut host, source, change);
        (hit.limit, hit.bound)
    };
    let log = "() => { console.log('12345'); console.log('12345'); }";
    assert_eq!(
        hit("() => { for (;;); }", |limits| limits.cpu = Duration::from_millis(20)),
        (LimitKind::Cpu, 20_000)
    );
    assert_eq!(hit(log, |limits| limits.log_lines = 1), (LimitKind::LogLines, 1));
    assert_eq!(hit(log, |limits| limits.log_bytes = 9), (LimitKind::LogBytes, 9));
    assert_eq!(hit("() => 'x'.repeat(100)", |limits| limits.output_bytes = 99), (LimitKind::Output, 99));
    assert_eq!(
        hit("() => new ArrayBuffer(101)", |limits| limits.buffer_bytes = 100),
        (LimitKind::Buffers, 100)
    );
    let recursion = "() => { const f = () => f() + 1; return f(); }";
    assert_eq!(hit(recursion, |limits| limits.stack_bytes = 256 << 10), (LimitKind::Stack, 256 << 10));
    assert_eq!(
        hit("() => { Devpack.random.generate({}); }", |limits| limits.actions = 0),
        (LimitKind::Actions, 0)
    );
    let sleep = "async () => { await new Promise((resolve) => setTimeout(resolve, 1e6)); }";
    assert_eq!(hit(sleep, |limits| limits.wall = Duration::from_millis(20)), (LimitKind::Wall, 20_000));
    assert_eq!(hit(sleep, |limits| limits.timers = 0), (LimitKind::Timers, 0));
    let grow = "() => { const all = []; for (;;) all.push({}); }";
    assert_eq!(hit(grow, |limits| limits.heap_bytes = 16 << 20), (LimitKind::Heap, 16 << 20));
}

#[test]
fn a_limit_tells_where_it_was_hit() {
    let mut host = Host::spawn();
    let mut place = |source: &str, change: fn(&mut RunLimits)| -> Vec<(String, u32)> {
        let stack = limit_hit(&mut host, source, change).stack;
        stack.into_iter().map(|frame| (frame.function, frame.line)).collect()
    };
    let within = [("spin".to_owned(), 1), ("outer".to_owned(), 3)];
    let source = |body: &str| {
        format!("(p) => {{ const spin = () => {{ {body} }};\nfunction outer() {{\nspin(); }}\nouter(); }}")
    };
    let looping = source("for (;;);");
    let found = place(&looping, |limits| limits.cpu = Duration::from_millis(20));
    assert_eq!(found.get(..2), Some(&within[..]), "{found:?}");
    let found = place(&looping, |limits| limits.wall = Duration::from_millis(20));
    assert_eq!(found.get(..2), Some(&within[..]), "{found:?}");
    let logging = source("for (;;) console.log('12345');");
    let found = place(&logging, |limits| limits.log_lines = 3);
    assert_eq!(found.get(..2), Some(&within[..]), "{found:?}");
    let waiting = place("async () => new Promise(() => setTimeout(() => {}, 1e6))", |limits| {
        limits.wall = Duration::from_millis(20);
    });
    assert_eq!(waiting, [], "nothing of it runs while it waits");
}

/// A limit that tenant code can live with: the error is caught, and the run goes on.
#[test]
fn a_refused_buffer_can_be_caught() {
    let mut host = Host::spawn();
    let source =
        "() => { try { new ArrayBuffer(1e9); } catch (error) { return `${error.name}: ${error.message}`; } }";
    assert_eq!(host.run(source).output(), r#"{"result":"RangeError: Array buffer allocation failed"}"#);
}

#[test]
fn buffers_of_earlier_runs_do_not_count() {
    let mut host = Host::spawn();
    for _ in 0..20 {
        assert_eq!(host.run("() => new Uint8Array(20e6).length").output(), r#"{"result":20000000}"#);
    }
}

#[test]
fn an_answer_that_fits_into_no_frame_is_an_output_limit() {
    let mut host = Host::spawn();
    let mut run = host.ask("() => 'x'.repeat(9e6)");
    run.limits.output_bytes = 1 << 30;
    assert_eq!(host.perform(run).code(), Some("output_limit"));
}

#[test]
fn waiting_costs_no_cpu_time() {
    let mut host = Host::spawn();
    let mut run = host.ask("async () => { await fetch('https://slow.example/'); return 1; }");
    run.limits.cpu = Duration::from_millis(50);
    let outcome = host.perform_with(run, |_| {
        std::thread::sleep(Duration::from_millis(200));
        FetchOutcome::Response(FetchResponse { status: 200, ..FetchResponse::default() })
    });
    assert_eq!(outcome.output(), r#"{"result":1}"#);
}
