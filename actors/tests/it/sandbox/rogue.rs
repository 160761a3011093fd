//! Nothing a host says is believed, and nothing it does reaches further than its own run.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_lie_ends_the_host_and_only_its_own_run() {
    let bench = Bench::rogue(small()).await;
    for lie in [
        "flood_logs",
        "huge_log",
        "log_out_of_order",
        "log_of_another_run",
        "flood_fetches",
        "fetch_of_another_run",
        "fetch_twice",
        "pong",
        "hello",
        "compiled",
        "done_of_another_run",
        "huge_frame",
        "garbage",
        "half_a_frame",
        "no_json",
        "no_object",
        "large_output",
        "source_unknown",
        "action_flood",
        "action_out_of_order",
        "action_without_json",
        "large_actions",
    ] {
        let began = Instant::now();
        let before = bench.sandbox.status().ended;
        let params = format!("{{\"do\":\"lie\",\"how\":\"{lie}\"}}");
        let (liar, neighbour) = tokio::join!(bench.run(1, &params), bench.run(2, "{}"));
        assert_eq!(failure(&liar).code, "crashed", "{lie}");
        output(&neighbour);
        bench.until(Duration::from_secs(2), lie, |status| status.ended == before + 1).await;
        assert!(began.elapsed() < Duration::from_secs(2), "{lie} took {:?}", began.elapsed());
        output(&bench.run(1, "{}").await);
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_goes_on_after_its_last_word_is_not_used_again() {
    let bench = Bench::rogue(small()).await;
    let report = bench.run(1, r#"{"do":"lie","how":"last_word_twice"}"#).await;
    assert_eq!(failure(&report).code, "cancelled", "its first word stands");
    bench.until(Duration::from_secs(2), "killed", |status| status.ended == 1).await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compilation_takes_no_answer_but_its_own() {
    let bench = Bench::rogue(small()).await;
    let account = Uuid::from_u128(1);
    assert_eq!(bench.sandbox.compile(account, "1".into()).await.unwrap(), Ok(()));
    let fault = bench.sandbox.compile(account, "lie".into()).await.unwrap_err();
    assert_eq!((fault.code, fault.fields[0].rule), (Code::Invalid, "too_complex"));
    assert_eq!(bench.sandbox.compile(account, "1".into()).await.unwrap(), Ok(()));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_hangs_is_killed_at_its_wall_limit_and_grace() {
    let limits = SandboxLimits { grace: Duration::from_millis(100), ..small() };
    let bench = Bench::rogue(limits).await;
    let mut hanging = run(1, r#"{"do":"hang"}"#);
    hanging.limits.wall = Duration::from_millis(150);
    let report =
        bench.sandbox.run(hanging, Arc::new(Calls::default()), CancellationToken::new()).await.unwrap();
    assert_eq!((failure(&report).code, failure(&report).limit), ("wall_limit", Some(("wall", 150_000))));
    assert!(
        report.wall >= Duration::from_millis(250) && report.wall < Duration::from_millis(600),
        "{report:?}"
    );
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_run_is_asked_first_and_killed_then() {
    let limits = SandboxLimits { grace: Duration::from_millis(100), ..small() };
    let bench = Bench::rogue(limits).await;
    for (manner, deaths) in [("obey", 0), ("hang", 1)] {
        let cancel = CancellationToken::new();
        let params = format!("{{\"do\":\"{manner}\"}}");
        let running = bench.sandbox.run(run(1, &params), Arc::new(Calls::default()), cancel.clone());
        let cancelling = async {
            bench.until(Duration::from_secs(2), "busy", |status| status.busy == 1).await;
            cancel.cancel();
        };
        let (report, ()) = tokio::join!(running, cancelling);
        assert_eq!(failure(&report.unwrap()).code, "cancelled", "{manner}");
        bench.until(Duration::from_secs(2), manner, |status| status.ended == deaths).await;
    }
    let cancel = CancellationToken::new();
    cancel.cancel();
    let bound = Bench::rogue(SandboxLimits { warm: 0, ..small() }).await;
    let report = bound.sandbox.run(run(1, "{}"), Arc::new(Calls::default()), cancel).await.unwrap();
    assert_eq!(failure(&report).code, "cancelled", "while it waited");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_takes_too_much_memory_is_killed_for_it() {
    let bench = Bench::rogue(small()).await;
    let mut eating = run(1, r#"{"do":"eat","bytes":200000000}"#);
    eating.limits.resident_bytes = 64 << 20;
    let (report, neighbour) = tokio::join!(
        bench.sandbox.run(eating, Arc::new(Calls::default()), CancellationToken::new()),
        bench.run(2, "{}")
    );
    let report = report.unwrap();
    let told = (failure(&report).code, failure(&report).limit);
    assert_eq!(told, ("memory_limit", Some(("resident_bytes", 64 << 20))));
    assert!(report.wall < Duration::from_secs(2), "{:?}", report.wall);
    output(&neighbour);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_host_is_replaced_within_200_ms() {
    let bench = Bench::rogue(small()).await;
    bench.until(Duration::from_secs(2), "warm", |status| status.warm == 1).await;
    let mut replaced = Vec::new();
    for _ in 0..9 {
        let report = bench.run(1, r#"{"do":"die"}"#).await;
        assert_eq!(failure(&report).code, "crashed");
        let began = Instant::now();
        output(&bench.run(1, "{}").await);
        bench.until(Duration::from_secs(2), "warm again", |status| status.warm == 1).await;
        replaced.push(began.elapsed());
    }
    let replaced = median(&mut replaced);
    assert!(replaced < Duration::from_millis(200), "{replaced:?}");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_dies_idle_or_leaves_is_not_given_out_again() {
    let bench = Bench::rogue(small()).await;
    for (round, manner) in ["die_later", "leave"].iter().enumerate() {
        output(&bench.run(1, &format!("{{\"do\":\"{manner}\"}}")).await);
        let ended = 1 + round as u64;
        bench.until(Duration::from_secs(2), manner, |status| status.ended == ended && status.idle == 0).await;
        output(&bench.run(1, "{}").await);
        if round == 0 {
            // The run above left an idle host, which the next round uses up.
            assert_eq!(bench.sandbox.status().idle, 1);
        }
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetches_are_answered_each_under_its_number() {
    let bench = Bench::rogue(small()).await;
    let report = bench.run(1, r#"{"do":"fetch","url":"http://a.test/","count":20}"#).await;
    let replies = output(&report)["replies"].as_array().unwrap().clone();
    let mut ids: Vec<u64> = replies.iter().map(|reply| reply["id"].as_u64().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..=20).collect::<Vec<u64>>());
    assert!(replies.iter().all(|reply| reply["outcome"].as_str().unwrap().contains("http://a.test/")));
    for (url, told) in [("http://denied.test/", "denied"), ("http://large.test/", "too_large")] {
        let report = bench.run(1, &format!("{{\"do\":\"fetch\",\"url\":\"{url}\"}}")).await;
        let outcome = output(&report)["replies"][0]["outcome"].as_str().unwrap().to_owned();
        assert!(outcome.contains(told), "{outcome}");
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_goes_away_takes_its_host_along() {
    let bench = Bench::rogue(small()).await;
    bench.until(Duration::from_secs(2), "warm", |status| status.warm == 1).await;
    let gone =
        bench.sandbox.run(run(1, r#"{"do":"hang"}"#), Arc::new(Calls::default()), CancellationToken::new());
    assert!(tokio::time::timeout(Duration::from_millis(50), gone).await.is_err());
    bench.until(Duration::from_secs(2), "killed", |status| status.ended == 1 && status.busy == 0).await;
    output(&bench.run(1, "{}").await);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_that_do_not_come_up_are_told_and_nobody_waits_for_them() {
    for (manner, told) in [
        ("silent", "did not start within"),
        ("garbage", "no message"),
        ("other_version", "version 2 of the protocol"),
        ("complaining", "no V8 here"),
    ] {
        let limits = SandboxLimits { start: Duration::from_millis(200), ..small() };
        let bench = Bench::start(limits, rogue_host(manner)).await;
        let outcome =
            bench.sandbox.run(run(1, "{}"), Arc::new(Calls::default()), CancellationToken::new()).await;
        let fault = outcome.unwrap_err();
        assert_eq!(fault.code, Code::Unavailable, "{manner}");
        let why = bench.sandbox.status().last_error.unwrap_or_default();
        assert!(why.contains(told), "{manner}: {why}");
        bench.stop().await;
    }
    let missing = HostProgram { path: "/nonexistent/sl-js-host".into(), arguments: Vec::new() };
    let bench = Bench::start(small(), missing).await;
    let outcome = bench.sandbox.run(run(1, "{}"), Arc::new(Calls::default()), CancellationToken::new()).await;
    assert!(outcome.unwrap_err().cause.unwrap().contains("could not be started"));
    bench.stop().await;
}
