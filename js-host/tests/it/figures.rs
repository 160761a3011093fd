//! How fast it is, printed. Not a test: `cargo nextest run -p sl-js-host --run-ignored only figures --no-capture`.

#![expect(clippy::print_stdout, reason = "it prints figures")]

use crate::client::Host;
use sl_js_protocol::{Source, ToDaemon, ToHost};
use std::time::{Duration, Instant};

fn median(mut times: Vec<Duration>) -> [Duration; 3] {
    times.sort();
    [times[0], times[times.len() / 2], times[times.len() * 99 / 100]]
}

fn show(what: &str, times: Vec<Duration>) {
    let [min, p50, p99] = median(times);
    println!("{what:40} min {min:>10.1?} p50 {p50:>10.1?} p99 {p99:>10.1?}");
}

fn runs(host: &mut Host, count: usize, pause: Duration, keep: bool, source: &str) -> Vec<Duration> {
    let mut warm = host.ask(source);
    warm.options.keep_context = keep;
    host.perform(warm);
    (0..count)
        .map(|_| {
            let mut run = host.ask(source);
            run.source = Source::Known;
            run.options.keep_context = keep;
            std::thread::sleep(pause);
            let begun = Instant::now();
            let outcome = host.perform(run);
            let took = begun.elapsed();
            outcome.output();
            took
        })
        .collect()
}

/// CPU time of the whole process so far, to ten milliseconds.
fn cpu_time(host: &Host) -> Duration {
    let path = format!("/proc/{}/stat", host.child.id());
    let stat = std::fs::read_to_string(path).unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 =
        after.split_whitespace().skip(11).take(2).filter_map(|text| text.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// As [`runs`], and prints what CPU time each took, the next realm's making included.
fn runs_with_cost(host: &mut Host, what: &str, count: u32, keep: bool, source: &str) {
    let before = cpu_time(host);
    let times = runs(host, count as usize, Duration::ZERO, keep, source);
    let each = cpu_time(host).saturating_sub(before) / count;
    show(what, times);
    println!("{what:40} CPU time each {each:?}, resident {}", resident(host));
}

fn resident(host: &Host) -> String {
    let path = format!("/proc/{}/status", host.child.id());
    let status = std::fs::read_to_string(path).unwrap_or_default();
    status
        .lines()
        .filter(|line| line.starts_with("VmRSS") || line.starts_with("RssAnon"))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join(", ")
}

#[test]
#[ignore = "prints figures"]
fn figures() {
    let spawned = (0..20)
        .map(|_| {
            let begun = Instant::now();
            let host = Host::spawn();
            let took = begun.elapsed();
            drop(host);
            took
        })
        .collect();
    show("spawn to Hello", spawned);
    let mut host = Host::spawn();
    for wall in &host.hello.walls {
        println!("{:40} {}", wall.name.as_str(), wall.missing.as_deref().unwrap_or("stands"));
    }
    println!("resident before the first run: {}", resident(&host));
    let first = host.ask("(p) => ({ n: 1 })");
    let begun = Instant::now();
    host.perform(first);
    println!("first run in a ready host: {:?}", begun.elapsed());
    println!("resident after the first run: {}", resident(&host));
    let trivial = "(p) => ({ n: 1 })";
    let module = "export default (p) => ({ n: 1 });";
    let rest = Duration::from_millis(2);
    runs_with_cost(&mut host, "trivial, fresh, back to back", 5_000, false, trivial);
    show("trivial, fresh, with rests", runs(&mut host, 500, rest, false, trivial));
    show("trivial module, fresh, with rests", runs(&mut host, 500, rest, false, module));
    runs_with_cost(&mut host, "trivial, kept, back to back", 5_000, true, trivial);
    show("trivial, kept, with rests", runs(&mut host, 500, rest, true, trivial));
    let fib = "(p) => { const f = (n) => (n < 2 ? n : f(n - 1) + f(n - 2)); return f(24); }";
    show("fib(24), fresh", runs(&mut host, 200, rest, false, fib));
    let late = (0..30)
        .map(|_| {
            let mut run = host.ask("() => { for (;;); }");
            run.limits.cpu = Duration::from_millis(50);
            host.perform(run).done.usage.cpu.saturating_sub(Duration::from_millis(50))
        })
        .collect();
    show("stopped after the CPU limit by", late);
    let pings = (0..1_000)
        .map(|number| {
            let begun = Instant::now();
            host.send(&ToHost::Ping(number));
            assert_eq!(host.receive(), Some(ToDaemon::Pong(number)));
            begun.elapsed()
        })
        .collect();
    show("ping", pings);
    println!("resident at the end: {}", resident(&host));
    std::thread::sleep(Duration::from_secs(4));
    println!("resident after a rest: {}", resident(&host));
}
