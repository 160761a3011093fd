//! Who gets which host, and who waits.

use std::collections::{BTreeSet, HashMap};

use futures_util::future::join_all;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_has_the_source_after_its_first_run_and_is_asked_again_where_it_forgot() {
    let bench = Bench::rogue(small()).await;
    assert_eq!(output(&bench.run(1, "{}").await)["source"], "text");
    let second = bench.run(1, "{}").await;
    assert_eq!(output(&second)["source"], "known");
    assert_eq!(output(&second)["secrets"], serde_json::json!(["API_KEY"]));
    assert_eq!(output(&second)["environment"], 0);
    assert_eq!(output(&bench.run(1, r#"{"do":"forget"}"#).await)["source"], "text");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_never_serves_two_accounts() {
    let limits = SandboxLimits { warm: 2, hosts: 3, turn: Duration::from_millis(1), ..small() };
    let bench = Bench::rogue(limits).await;
    let runs = (0..200_u128).map(|n| {
        let bench = &bench;
        async move {
            let params = format!("{{\"do\":\"sleep\",\"millis\":{}}}", n % 3);
            (n % 7, bench.run(n % 7, &params).await)
        }
    });
    let mut owners: HashMap<u64, BTreeSet<u128>> = HashMap::new();
    for (account, report) in join_all(runs).await {
        let told = output(&report);
        assert_eq!(told["account"], Uuid::from_u128(account).to_string());
        owners.entry(told["pid"].as_u64().unwrap()).or_default().insert(account);
    }
    assert!(owners.values().all(|accounts| accounts.len() == 1), "{owners:?}");
    assert!(owners.len() >= 7, "three places at a time, so hosts had to give way: {}", owners.len());
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_has_so_many_hosts_and_its_runs_wait_in_order() {
    let bench = Bench::rogue(SandboxLimits { warm: 3, ..small() }).await;
    bench.until(Duration::from_secs(2), "warm", |status| status.warm == 3).await;
    let order = Mutex::new(Vec::new());
    let runs = (0..6).map(|n| {
        let (bench, order) = (&bench, &order);
        async move {
            let report = bench.run(1, r#"{"do":"sleep","millis":30}"#).await;
            order.lock().unwrap().push(n);
            output(&report)["pid"].as_u64().unwrap()
        }
    });
    let pids: BTreeSet<u64> = join_all(runs).await.into_iter().collect();
    assert_eq!(pids.len(), 2);
    let order = order.into_inner().unwrap();
    let rounds: Vec<BTreeSet<i32>> = order.chunks(2).map(|pair| pair.iter().copied().collect()).collect();
    assert_eq!(rounds, [BTreeSet::from([0, 1]), BTreeSet::from([2, 3]), BTreeSet::from([4, 5])]);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_one_account_keeps_another_waiting_for_a_turn_at_most() {
    let limits = SandboxLimits { warm: 0, hosts: 2, turn: Duration::from_millis(50), ..small() };
    let bench = Bench::rogue(limits).await;
    let flood = join_all((0..100).map(|_| bench.run(1, r#"{"do":"sleep","millis":10}"#)));
    let single = async {
        bench.until(Duration::from_secs(2), "flooded", |status| status.busy == 2).await;
        let began = Instant::now();
        output(&bench.run(2, "{}").await);
        began.elapsed()
    };
    let (flood, waited) = tokio::join!(flood, single);
    assert!(waited < Duration::from_millis(300), "{waited:?}");
    assert_eq!(flood.iter().map(output).count(), 100);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_beyond_a_bound_is_refused_with_its_setting() {
    let limits = SandboxLimits { account_hosts: 1, account_waiting: 2, ..small() };
    let bench = Bench::rogue(limits).await;
    bench.until(Duration::from_secs(2), "warm", |status| status.warm == 1).await;
    let runs = (0..5).map(|_| {
        bench.sandbox.run(
            run(1, r#"{"do":"sleep","millis":50}"#),
            Arc::new(Calls::default()),
            CancellationToken::new(),
        )
    });
    let faults: Vec<Fault> = join_all(runs).await.into_iter().filter_map(Result::err).collect();
    assert_eq!(faults.len(), 2, "one runs, two wait");
    for fault in faults {
        let limit = fault.limit.unwrap();
        assert_eq!(
            (fault.code, limit.setting, limit.limit),
            (Code::RateLimited, "sandbox.account_waiting", 2.into())
        );
        assert!(fault.retry_after.is_some());
    }
    bench.stop().await;

    let bench = Bench::rogue(SandboxLimits { account_hosts: 1, waiting: 0, ..small() }).await;
    bench.until(Duration::from_secs(2), "warm", |status| status.warm == 1).await;
    let busy = bench.run(1, r#"{"do":"sleep","millis":50}"#);
    let refused = bench.sandbox.run(run(1, "{}"), Arc::new(Calls::default()), CancellationToken::new());
    let (_, refused) = tokio::join!(busy, refused);
    let fault = refused.unwrap_err();
    assert_eq!((fault.code, fault.limit.unwrap().setting), (Code::Overloaded, "sandbox.waiting"));
    bench.stop().await;

    let limits = SandboxLimits { account_hosts: 1, wait: Duration::from_millis(30), ..small() };
    let bench = Bench::rogue(limits).await;
    bench.until(Duration::from_secs(2), "warm", |status| status.warm == 1).await;
    let busy = bench.run(1, r#"{"do":"sleep","millis":300}"#);
    let late = bench.sandbox.run(run(1, "{}"), Arc::new(Calls::default()), CancellationToken::new());
    let (_, late) = tokio::join!(busy, late);
    assert_eq!(late.unwrap_err().limit.unwrap().setting, "sandbox.wait_time");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_host_idle_longest_gives_way_and_idle_ones_leave_in_time() {
    let limits = SandboxLimits { warm: 0, hosts: 2, idle: Duration::from_millis(700), ..small() };
    let bench = Bench::rogue(limits).await;
    for account in [1, 2, 3] {
        output(&bench.run(account, "{}").await);
    }
    let owners: Vec<u128> =
        bench.sandbox.status().accounts.iter().map(|account| account.account_id.as_u128()).collect();
    assert_eq!(owners, [2, 3], "the first account's host was idle longest");
    bench
        .until(Duration::from_secs(3), "idle hosts leave", |status| status.idle == 0 && status.ended == 3)
        .await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_spoils_a_host_waits_for_its_place_and_nobody_else_does() {
    let wait = Duration::from_millis(50);
    let limits = SandboxLimits { account_hosts: 1, cooling: Duration::from_mins(10), wait, ..small() };
    let bench = Bench::rogue(limits).await;
    assert_eq!(failure(&bench.run(1, r#"{"do":"die"}"#).await).code, "crashed");
    let next = bench.sandbox.run(run(1, "{}"), Arc::new(Calls::default()), CancellationToken::new()).await;
    assert_eq!(next.unwrap_err().limit.unwrap().setting, "sandbox.wait_time");
    output(&bench.run(2, "{}").await);
    let status = bench.sandbox.status();
    assert_eq!((status.cooling, status.busy), (1, 0));
    assert_eq!(status.accounts.iter().map(|account| account.cooling).collect::<Vec<_>>(), [1, 0]);
    bench.stop().await;

    let cooling = Duration::from_millis(200);
    let limits = SandboxLimits { hosts: 1, account_hosts: 1, cooling, ..small() };
    let bench = Bench::rogue(limits).await;
    let began = Instant::now();
    assert_eq!(failure(&bench.run(1, r#"{"do":"die"}"#).await).code, "crashed");
    output(&bench.run(1, "{}").await);
    assert!(began.elapsed() >= cooling, "by a host that was there all the time");
    assert_eq!(bench.sandbox.status().cooling, 0);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_lets_running_work_finish_and_kills_what_does_not() {
    let bench = Bench::rogue(small()).await;
    let calls = || Arc::new(Calls::default());
    let ending =
        bench.sandbox.run(run(1, r#"{"do":"sleep","millis":100}"#), calls(), CancellationToken::new());
    let hanging = bench.sandbox.run(run(2, r#"{"do":"hang"}"#), calls(), CancellationToken::new());
    let draining = async {
        bench.until(Duration::from_secs(2), "busy", |status| status.busy == 2).await;
        let began = Instant::now();
        bench.sandbox.drain(Duration::from_millis(300)).await;
        (began.elapsed(), bench.sandbox.run(run(3, "{}"), calls(), CancellationToken::new()).await)
    };
    let (ending, hanging, (took, refused)) = tokio::join!(ending, hanging, draining);
    output(&ending.unwrap());
    assert_eq!(failure(&hanging.unwrap()).code, "crashed");
    assert!(took >= Duration::from_millis(300) && took < Duration::from_millis(800), "{took:?}");
    assert_eq!(refused.unwrap_err().code, Code::Unavailable);
    let status = bench.sandbox.status();
    assert_eq!((status.warm, status.busy, status.idle, status.starting), (0, 0, 0, 0));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_walls_on_this_side_are_told() {
    let bench = Bench::rogue(small()).await;
    output(&bench.run(1, "{}").await);
    let status = bench.sandbox.status();
    assert_eq!(status.v8_version.as_deref(), Some("none"));
    let names: Vec<&str> = status.walls.iter().map(|wall| wall.name).collect();
    assert_eq!(names, ["memory_watch", "memory_cgroup"]);
    assert!(status.walls.iter().all(|wall| wall.held == wall.missing.is_none()));
    bench.stop().await;
}
