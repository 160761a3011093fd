//! Promise 13: hostile programs, each at top level, in async code, and in traps of the returned value, end with an error
//! of their own, and the host goes on or goes away.

use crate::client::{Host, Outcome};
use sl_js_protocol::*;
use std::{
    fmt::Write,
    time::{Duration, Instant},
};

/// A hostile piece of code and the codes with which it may end. More than one where machine and moment decide what runs
/// out first.
struct Attack {
    name: &'static str,
    code: &'static str,
    ends: &'static [&'static str],
}

const fn attack(name: &'static str, code: &'static str, ends: &'static [&'static str]) -> Attack {
    Attack { name, code, ends }
}

const CPU: &[&str] = &["cpu_limit"];
const MEMORY: &[&str] = &["memory_limit"];
/// It eats memory and time alike.
const EITHER: &[&str] = &["memory_limit", "cpu_limit"];
const DENIED: &[&str] = &["denied"];

/// Each of these does its harm wherever it stands.
const EVERYWHERE: &[Attack] = &[
    attack("endless loop", "for (;;);", CPU),
    attack("endless loop over a counter", "let n = 0; while (true) n++;", CPU),
    attack("termination swallowed by finally", "for (;;) { try { for (;;); } finally { continue; } }", CPU),
    attack("termination swallowed by catch", "for (;;) { try { for (;;); } catch {} }", CPU),
    attack(
        "termination swallowed by a generator",
        "function* g() { for (;;) { try { yield 1; } finally { for (;;); } } } for (const x of g()) break;",
        CPU,
    ),
    attack(
        "endless iterator",
        "for (const x of { [Symbol.iterator]() { return { next: () => ({ done: false }) }; } });",
        CPU,
    ),
    attack("endless getter", "({ get x() { for (;;); } }).x;", CPU),
    attack("endless proxy", "const p = new Proxy({}, { get: (t, k, r) => { for (;;); } }); p.x;", CPU),
    attack("strings", "let all = []; for (let i = 0; ; i++) all.push('x'.repeat(1e5) + i);", EITHER),
    attack(
        "one string, doubled",
        "let s = 'x'; for (;;) { s += s; s.charCodeAt(s.length - 1); }",
        &["memory_limit", "threw", "cpu_limit"],
    ),
    attack("objects", "let all = []; for (;;) all.push({ a: 1, b: [], c: {} });", EITHER),
    attack("linked objects", "let head = null; for (;;) head = { head };", EITHER),
    attack("closures", "let all = []; for (let i = 0; ; i++) all.push(() => i);", EITHER),
    attack("a map", "const all = new Map(); for (let i = 0; ; i++) all.set(i, i + '');", EITHER),
    attack("a set of objects", "const all = new Set(); for (;;) all.add({});", EITHER),
    attack("arrays", "let all = []; for (;;) all.push(new Array(1000).fill(1.5));", EITHER),
    attack("one array", "const all = []; for (;;) all.push(1.5);", EITHER),
    attack("a filled array", "const all = []; for (;;) all.push(new Array(33554431).fill(1.1));", EITHER),
    attack("a sparse array", "const a = []; for (let i = 0; ; i += 1e4) a[i] = i;", EITHER),
    attack("properties", "const o = {}; for (let i = 0; ; i++) o['k' + i] = i;", EITHER),
    attack("symbols", "const o = {}; for (;;) o[Symbol()] = 1;", EITHER),
    attack("typed arrays", "const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1));", MEMORY),
    attack("one large buffer", "new ArrayBuffer(2 ** 33);", MEMORY),
    attack("small buffers", "const all = []; for (;;) all.push(new ArrayBuffer(1024));", EITHER),
    attack(
        "a buffer that grows",
        "const b = new ArrayBuffer(1, { maxByteLength: 2 ** 31 }); for (let n = 1 << 20; ; n += 1 << 20) { b.resize(n); new Uint8Array(b, n - (1 << 20)).fill(1); }",
        DENIED,
    ),
    attack("deep recursion", "const f = () => f() + 1; f();", &["stack_limit"]),
    attack("deep recursion through natives", "const f = () => [1].map(f); f();", &["stack_limit"]),
    attack(
        "deep recursion through proxies",
        "let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); p.x;",
        &["stack_limit", "memory_limit", "cpu_limit"],
    ),
    attack("deep recursion that goes on", "const f = () => { try { f(); } catch { for (;;); } }; f();", CPU),
    attack("regular expression", "/^(a+)+$/.test('a'.repeat(50) + 'b');", CPU),
    attack("regular expression with a backreference", "/^(a+)+\\1$/.test('a'.repeat(50) + 'b');", CPU),
    attack("regular expression, replaced", "'a'.repeat(50).concat('b').replace(/(a|aa)+$/, '');", CPU),
    attack("regular expression, sticky and unicode", "/(?:\\p{L}+)*\\d/uy.test('\\u00e9'.repeat(50));", CPU),
    attack("big integers, squared", "let x = 3n; for (;;) x *= x;", &["cpu_limit", "memory_limit", "threw"]),
    attack("big integers, as text", "const x = 7n ** 9000000n; x.toString();", EITHER),
    attack("big integers, parsed", "BigInt('9'.repeat(2e7));", EITHER),
    attack(
        "native loop: join",
        "new Array(2 ** 32 - 1).join('ab');",
        &["cpu_limit", "memory_limit", "threw"],
    ),
    attack("native loop: search", "Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1);", CPU),
    attack("native loop: reverse", "Array.prototype.reverse.call({ length: 2 ** 53 - 1 });", EITHER),
    attack("native loop: fill", "Array.prototype.fill.call({ length: 2 ** 53 - 1 }, 1);", EITHER),
    attack("native loop: copy", "Array.prototype.copyWithin.call({ length: 2 ** 53 - 1 }, 0, 1);", EITHER),
    attack(
        "native loop: sort",
        "const a = new Float64Array(3e6); for (;;) { crypto.getRandomValues(new Uint8Array(a.buffer, 0, 65536)); a.sort(); }",
        EITHER,
    ),
    attack(
        "native loop: includes in a string",
        "const s = 'a'.repeat(1 << 24) + 'b'; for (;;) s.includes('ab' + 'c');",
        EITHER,
    ),
    attack("native loop: replace", "'x'.repeat(1 << 26).replace(/x/g, '$&$&$&$&');", EITHER),
    attack("native loop: split", "'a'.repeat(2 ** 28).split('');", &["memory_limit", "cpu_limit", "crashed"]),
    attack("native loop: pad", "const all = []; for (;;) all.push('x'.padEnd(2 ** 26, 'ab'));", EITHER),
    attack("native loop: normalise", "'\\u0390'.repeat(2e7).normalize('NFD');", EITHER),
    attack("native loop: array from", "Array.from({ length: 2 ** 32 - 1 });", EITHER),
    attack(
        "native loop: flat",
        "let a = [1]; for (let i = 0; i < 30; i++) a = [a, a]; a.flat(Infinity);",
        EITHER,
    ),
    attack("native loop: concat", "let a = [1, 2]; for (;;) a = a.concat(a);", EITHER),
    attack(
        "native loop: parse",
        "JSON.parse('['.repeat(3e7));",
        &["memory_limit", "cpu_limit", "threw", "stack_limit"],
    ),
    attack(
        "native loop: stringify",
        "let a = [1]; for (let i = 0; i < 30; i++) a = [a, a]; JSON.stringify(a);",
        &["memory_limit", "cpu_limit", "threw"],
    ),
    attack(
        "native loop: clone",
        "let a = [1]; for (let i = 0; ; i++) { a = [a, structuredClone(a)]; }",
        EITHER,
    ),
    attack("native loop: encode", "for (;;) new TextEncoder().encode('\\u20ac'.repeat(1e6));", EITHER),
    attack("native loop: address", "for (;;) new URL('http://a/' + '%'.repeat(1e6));", EITHER),
    attack("native loop: form", "for (;;) new URLSearchParams('a=b&'.repeat(1e5));", EITHER),
    attack("native loop: base64", "for (;;) atob(btoa('x'.repeat(1e6)));", EITHER),
    attack(
        "native loop: formats",
        "for (;;) new Intl.NumberFormat('en', { style: 'unit', unit: 'liter' }).format(1);",
        EITHER,
    ),
    attack("hashes that collide", "const m = new Map(); for (let i = 0; ; i++) m.set(NaN + i, 1);", EITHER),
    attack("microtasks, queued", "for (;;) queueMicrotask(() => {});", EITHER),
    attack("promises", "const all = []; for (;;) all.push(Promise.resolve().then(() => all));", EITHER),
    attack("log flood", "for (;;) console.log('x');", &["log_limit"]),
    attack("one long line", "console.log('x'.repeat(1e6));", &["log_limit"]),
    attack("inspection that does not end", "console.log(new Proxy({}, { ownKeys() { for (;;); } }));", CPU),
    attack("action flood", "for (;;) Devpack.random.generate({});", &["action_limit"]),
    attack("large actions", "for (;;) Devpack.random.generate({ x: 'x'.repeat(3e5) });", &["output_limit"]),
    attack("timer flood", "for (;;) setTimeout(() => {}, 1e6);", &["timer_limit"]),
    attack("fetch flood", "for (;;) fetch('https://example.org/').catch(() => {});", &["fetch_limit"]),
    attack("eval", "eval('1');", DENIED),
    attack("indirect eval", "(0, eval)('1');", DENIED),
    attack("function constructor", "new Function('return 1');", DENIED),
    attack("function constructor by way of a constructor", "(() => {}).constructor('return 1');", DENIED),
    attack("generator constructor", "(function* () {}).constructor('yield 1');", DENIED),
    attack("async constructor", "(async () => {}).constructor('return 1');", DENIED),
    attack("shared memory", "new SharedArrayBuffer(1);", DENIED),
    attack(
        "shared memory by way of WebAssembly",
        "new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });",
        DENIED,
    ),
    attack("WebAssembly", "new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));", DENIED),
    attack("blocking wait", "Atomics.wait(new Int32Array(4), 0, 0, 1e9);", DENIED),
    attack(
        "stack preparation that does not end",
        "Error.prepareStackTrace = () => { for (;;); }; throw new Error('x');",
        &["cpu_limit", "threw"],
    ),
    attack(
        "message that does not end",
        "const e = new Error(); Object.defineProperty(e, 'message', { get() { for (;;); } }); throw e;",
        CPU,
    ),
    attack(
        "name that does not end",
        "const e = new Error(); Object.defineProperty(e, 'name', { get() { for (;;); } }); throw e;",
        CPU,
    ),
    attack(
        "thrown proxy",
        "throw new Proxy({}, { get() { for (;;); }, getPrototypeOf() { for (;;); }, ownKeys() { for (;;); } });",
        &["threw", "cpu_limit"],
    ),
    attack("thrown object whose JSON does not end", "throw { toJSON() { for (;;); } };", CPU),
    attack("long message", "throw new Error('x'.repeat(1e7));", &["threw"]),
    attack(
        "patched intrinsics that do not end",
        "Object.defineProperty(Object.prototype, 'toJSON', { get() { for (;;); } }); throw {};",
        CPU,
    ),
];

/// Whole functions whose harm depends on where it stands.
const FUNCTIONS: &[Attack] = &[
    attack(
        "endless microtasks",
        "async () => { const again = () => Promise.resolve().then(again); await again(); }",
        EITHER,
    ),
    attack(
        "endless microtasks left behind",
        "() => { const again = () => Promise.resolve().then(again); again(); return 1; }",
        EITHER,
    ),
    attack("endless microtasks by await", "async () => { for (;;) await null; }", CPU),
    attack(
        "endless async generator",
        "async () => { async function* g() { for (;;) yield 1; } for await (const x of g()); }",
        CPU,
    ),
    attack("never-settling promise", "async () => { await new Promise(() => {}); }", &["unsettled"]),
    attack(
        "never-settling promise at top level",
        "export default await new Promise(() => {});",
        &["unsettled"],
    ),
    attack(
        "endless interval",
        "async () => { setInterval(() => {}, 1); await new Promise(() => {}); }",
        &["wall_limit"],
    ),
    attack(
        "endless timers",
        "async () => { const again = () => setTimeout(again, 0); again(); await new Promise(() => {}); }",
        &["wall_limit", "cpu_limit"],
    ),
    attack(
        "long sleep",
        "async () => { await new Promise((resolve) => setTimeout(resolve, 1e9)); }",
        &["wall_limit"],
    ),
    attack(
        "fetch that is never answered",
        "async () => { await fetch('https://silent.example/'); }",
        &["wall_limit"],
    ),
    attack(
        "timer that does not end",
        "async () => { setTimeout(() => { for (;;); }, 1); await new Promise(() => {}); }",
        CPU,
    ),
    attack(
        "fetched callback that does not end",
        "async () => { const r = await fetch('https://example.org/'); for (;;); }",
        CPU,
    ),
    attack("dynamic import", "async () => { await import('node:fs'); }", DENIED),
    attack("dynamic import of data", "async () => { await import('data:text/javascript,1'); }", DENIED),
    attack("static import", "import fs from 'node:fs'; export default () => fs;", &["uncompilable"]),
    attack("huge text", "() => 'x'.repeat(2e6)", &["output_limit"]),
    attack("huge object", "() => ({ x: 'x'.repeat(2e6) })", &["output_limit"]),
    attack("huge array", "() => new Array(1e6).fill(1)", &["output_limit"]),
    attack("output that escapes to more", "() => '\\u0001'.repeat(4e5)", &["output_limit"]),
    attack("output that grows in UTF-8", "() => '\\u20ac'.repeat(6e5)", &["output_limit"]),
    attack(
        "output that doubles",
        "() => { let a = [1]; for (let i = 0; i < 40; i++) a = [a, a]; return a; }",
        &["output_limit", "memory_limit", "cpu_limit", "threw"],
    ),
    attack(
        "output without end by toJSON",
        "() => { const make = () => ({ toJSON: () => ({ a: make() }) }); return make(); }",
        &["stack_limit", "memory_limit", "cpu_limit"],
    ),
    attack(
        "output without end by getters",
        "() => { class A { get a() { return new A(); } } Object.defineProperty(A.prototype, 'a', { enumerable: true }); const o = (n) => ({ get a() { return o(n + 1); } }); return o(0); }",
        &["stack_limit", "memory_limit", "cpu_limit"],
    ),
    attack(
        "keys without end",
        "() => new Proxy({}, { ownKeys() { return Array.from({ length: 1e7 }, (_, i) => 'k' + i); }, getOwnPropertyDescriptor: () => ({ value: 1, enumerable: true, configurable: true }) })",
        &["memory_limit", "cpu_limit", "output_limit"],
    ),
    attack(
        "length without end",
        "() => new Proxy([], { get: (t, k) => (k === 'length' ? 2 ** 32 : 1) })",
        &["memory_limit", "cpu_limit", "output_limit", "threw"],
    ),
    attack(
        "deep output",
        "() => { let a = {}; for (let i = 0; i < 1e6; i++) a = { a }; return a; }",
        &["stack_limit", "memory_limit", "output_limit", "cpu_limit"],
    ),
    attack("another thenable", "() => ({ then() { for (;;); } })", &["returned"]),
    attack("awaited thenable", "async () => { await { then() { for (;;); } }; }", CPU),
    attack(
        "promise with hostile constructor",
        "() => { const p = Promise.resolve(1); p.constructor = { get [Symbol.species]() { for (;;); } }; return p; }",
        &["returned"],
    ),
    attack(
        "callback thrown late",
        "async () => { setTimeout(() => { throw new Error('late'); }, 1); await new Promise(() => {}); }",
        &["threw"],
    ),
    attack("deep source", "DEEP", &["uncompilable", "stack_limit", "cpu_limit"]),
    attack("source of a kind of its own", "}); (() => { throw 1 })(); ({", &["threw", "uncompilable"]),
];

fn places(code: &str) -> [(&'static str, String); 6] {
    [
        ("at top level of a module", format!("{code}\nexport default () => 1;")),
        ("at top level of an expression", format!("(() => {{ {code} }})()")),
        ("in a function", format!("(params, secrets) => {{ {code} }}")),
        ("in async code", format!("async () => {{ await null; {code} }}")),
        ("in toJSON of the result", format!("() => ({{ toJSON() {{ {code} }} }})")),
        (
            "in a trap of the result",
            format!("async () => new Proxy({{}}, {{ ownKeys() {{ {code}; return []; }} }})"),
        ),
    ]
}

/// A host, replaced when it leaves; the daemon's pool in small.
struct Pool {
    host: Option<Host>,
    replaced: u32,
}

impl Pool {
    fn host(&mut self) -> &mut Host {
        self.host.get_or_insert_with(Host::spawn)
    }

    /// Runs a hostile source; answers the code and what is wrong with the way it ended.
    fn suffer(&mut self, source: &str, ends: &[&str]) -> (&'static str, Option<String>) {
        let host = self.host();
        let mut run = host.ask(source);
        run.limits.cpu = Duration::from_millis(60);
        run.limits.heap_bytes = 32 << 20;
        if ends == ["wall_limit"] {
            run.limits.wall = Duration::from_millis(700);
        }
        let begun = Instant::now();
        let answered = host.try_perform(run, &mut |request| answer(&request));
        let took = begun.elapsed();
        let (code, leaving) = match &answered {
            Some(Outcome { done, .. }) => (done.ending.code().unwrap_or("returned"), done.leaving),
            None => ("crashed", true),
        };
        let mut wrong = (took > Duration::from_secs(12)).then(|| format!("it took {took:?}"));
        if leaving {
            self.replaced += 1;
            let status = self.host.take().expect("it is there").exit();
            if answered.is_some() && !status.success() {
                wrong = Some(format!("it left with {status}"));
            }
        }
        // Whoever comes next is not hurt.
        let host = self.host();
        let run = host.ask("export default (params) => ({ well: Object.keys(params).length === 0 });");
        let next = host.try_perform(run, &mut |request| answer(&request)).map(|next| next.done.ending);
        if next != Some(Ending::Returned { output_json: r#"{"well":true}"#.to_owned() }) {
            let status = next.is_none().then(|| self.host.take().expect("it is there").exit());
            wrong = Some(format!("the next run: {next:?} {status:?}"));
        }
        (code, wrong)
    }
}

fn answer(request: &FetchRequest) -> FetchOutcome {
    if request.url.contains("silent") {
        std::thread::sleep(Duration::from_secs(1));
    }
    FetchOutcome::Response(FetchResponse { status: 200, ..FetchResponse::default() })
}

fn check(report: &mut String, pool: &mut Pool, attack: &Attack, place: &str, source: &str) {
    let (code, wrong) = pool.suffer(source, attack.ends);
    if !attack.ends.contains(&code) || wrong.is_some() {
        writeln!(report, "{} {place}: {code} {}", attack.name, wrong.unwrap_or_default()).expect("a text");
    }
}

/// Every fourth attack from `from` on, so that four tests share the corpus.
fn everywhere(from: usize) {
    let mut pool = Pool { host: None, replaced: 0 };
    let mut report = String::new();
    for attack in EVERYWHERE.iter().skip(from).step_by(4) {
        for (place, source) in places(attack.code) {
            check(&mut report, &mut pool, attack, place, &source);
        }
    }
    assert!(report.is_empty(), "{report}");
}

#[test]
fn hostile_code_ends_typed_wherever_it_stands_1() {
    everywhere(0);
}

#[test]
fn hostile_code_ends_typed_wherever_it_stands_2() {
    everywhere(1);
}

#[test]
fn hostile_code_ends_typed_wherever_it_stands_3() {
    everywhere(2);
}

#[test]
fn hostile_code_ends_typed_wherever_it_stands_4() {
    everywhere(3);
}

#[test]
fn hostile_functions_end_typed() {
    let mut pool = Pool { host: None, replaced: 0 };
    let mut report = String::new();
    for attack in FUNCTIONS {
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        let source = attack.code.replace("DEEP", &deep);
        check(&mut report, &mut pool, attack, "", &source);
    }
    assert!(report.is_empty(), "{report}");
}
