//! What the `PostgreSQL` backend survives.

use std::time::Duration;

use sl_store::{
    Batch, Code, Entity as _, Fault, Hint, Key, OsChance, Query, Settlement, Store, Work,
    postgres::{Options, Postgres, migrate, pending_migrations},
    testing::{
        conformance::{Part, Subject, Thing},
        postgres::{Admin, Database, Server, Stop, create_table},
    },
};
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use crate::proxy::{Loss, ONCE, Proxy};

async fn with_tables() -> Database {
    let database = Database::fresh().await;
    database.create(&[Thing::TABLE, Part::TABLE]).await;
    database
}

async fn store(options: &Options) -> Store {
    Store::new(Postgres::connect(options, &OsChance).await.expect("the database answers"))
}

/// A session that can hold locks in a transaction.
async fn session(dsn: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(dsn, NoTls).await.expect("the database answers");
    tokio::spawn(connection);
    client
}

/// Waits until something is true.
async fn until<F: Future<Output = bool>>(what: &str, mut is_true: impl FnMut() -> F) {
    let started = Instant::now();
    while !is_true().await {
        assert!(started.elapsed() < Duration::from_secs(20), "{what} does not come true");
        sleep(Duration::from_millis(10)).await;
    }
}

/// A store behind a proxy, on a server of its own.
async fn proxied() -> (Server, Proxy, Subject) {
    let server = Server::start();
    migrate(&Options::new(server.dsn("postgres"))).await.expect("the migrations can be applied");
    let admin = Admin::connect(&server.dsn("postgres")).await;
    admin.run(&create_table(Thing::TABLE)).await;
    let proxy = Proxy::start(server.port()).await;
    let dsn = format!("host=127.0.0.1 port={} user=postgres dbname=postgres", proxy.port);
    let store = store(&Options { lanes: 1, ..Options::new(dsn) }).await;
    (server, proxy, Subject::with_real_clock(store, ()))
}

/// Two things of one table and an event, in a transaction.
fn pair(subject: &Subject, account: Uuid) -> ([Thing; 2], Batch) {
    let things = [subject.thing(account, "one"), subject.thing(account, "two")];
    let mut batch = Batch::new();
    batch.insert(&things[0]).insert(&things[1]).event(subject.event(account, "made", account));
    // What is counted takes a transaction of several statements.
    batch.at_most::<Thing>(account, Vec::new(), 10, "things.max");
    (things, batch)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_whose_commit_is_lost_is_found_out_about() {
    for loss in [Loss::Answer, Loss::Commit] {
        let (_server, proxy, subject) = proxied().await;
        let account = subject.id();
        let (things, batch) = pair(&subject, account);
        proxy.lose(loss);
        subject.store.commit(batch).await.expect("it happened, or was made again");
        assert_eq!(proxy.lost(), 1);
        let stored: Vec<Thing> = subject.store.list(Query::of(account).oldest_first()).await.unwrap();
        assert_eq!(stored, things);
        assert_eq!(subject.events(account, 1).await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_cannot_be_recognised_is_unavailable_and_never_made_twice() {
    for (loss, alone) in
        [(Loss::Answer, true), (Loss::Commit, true), (Loss::Answer, false), (Loss::Commit, false)]
    {
        let (_server, proxy, subject) = proxied().await;
        let account = subject.id();
        let name = if alone { String::from_utf8_lossy(ONCE) } else { "in a transaction".into() };
        let mut batch = Batch::new();
        batch.insert(&subject.thing(account, &name)).enqueue(subject.item(account));
        if !alone {
            batch.at_most::<Thing>(account, Vec::new(), 10, "things.max");
        }
        proxy.lose(loss);
        let fault = subject.store.commit(batch.clone()).await.unwrap_err();
        assert_eq!((fault.code, fault.retry_after.is_some(), proxy.lost()), (Code::Unavailable, true, 1));
        let again = subject.store.commit(batch.clone()).await.map_err(|fault| fault.code);
        let happened = matches!(loss, Loss::Answer);
        assert_eq!(again, if happened { Err(Code::Conflict) } else { Ok(()) });
        let third = subject.store.commit(batch).await.unwrap_err();
        assert_eq!(third.code, Code::Conflict);
        assert_eq!(subject.claimed(10).await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_killed_in_mid_commit_is_whole_or_nothing() {
    for alone in [true, false] {
        let database = with_tables().await;
        let subject = Subject::with_real_clock(database.store().await, ());
        let account = subject.id();
        let mut thing = subject.stored(account, "locked").await;
        let mut holder = session(&database.dsn()).await;
        let lock = holder.transaction().await.unwrap();
        lock.execute("SELECT FROM conformance_things FOR UPDATE", &[]).await.unwrap();
        let now = subject.now();
        let mut batch = if alone { Batch::new() } else { pair(&subject, account).1 };
        batch.replace(&mut thing, now).event(subject.event(account, "changed", thing.head.id));
        let committing = tokio::spawn({
            let (store, batch) = (subject.store.clone(), batch.clone());
            async move { store.commit(batch).await }
        });
        let admin = database.admin().await;
        let blocked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                       AND wait_event_type = 'Lock'";
        until("the commit waits for the lock", async || admin.number(blocked).await == 1).await;
        let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                    WHERE datname = current_database() AND wait_event_type = 'Lock'";
        assert_eq!(admin.number(kill).await, 1);
        lock.rollback().await.unwrap();
        let ended = committing.await.unwrap().map_err(|fault| fault.code);
        assert_eq!(ended, if alone { Err(Code::Unavailable) } else { Ok(()) });
        let version = subject.store.get::<Thing>(thing.head.key()).await.unwrap().head.version;
        assert_eq!(version, if alone { 1 } else { 2 });
        let again = subject.store.commit(batch).await.map_err(|fault| fault.code);
        assert_eq!(again, if alone { Ok(()) } else { Err(Code::Conflict) });
        let changed = subject.events(account, 1).await;
        assert_eq!(changed.iter().filter(|event| event.kind == "changed").count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_waits_for_nobody_who_settles() {
    let database = with_tables().await;
    let subject = Subject::with_real_clock(database.store().await, ());
    let account = subject.id();
    for _ in 0..3 {
        subject.enqueued(account).await;
    }
    let claim = subject.claim_of(3);
    let items = subject.store.claim(claim.clone()).await.unwrap();
    let mut settler = session(&database.dsn()).await;
    let settling = settler.transaction().await.unwrap();
    settling.execute("DELETE FROM work WHERE id = $1", &[&items[1].id]).await.unwrap();
    let held: Vec<(Key, i64)> = items.iter().map(|item| (Key::new(account, item.id), item.fence)).collect();
    let hour = Duration::from_hours(1);
    let mut kept = subject.store.heartbeat(claim.holder, held, hour).await.unwrap();
    kept.sort_unstable();
    assert_eq!(kept, items.iter().map(|item| item.id).collect::<Vec<_>>());
    settling.rollback().await.unwrap();
    let prolonged = "SELECT count(*) FROM work WHERE leased_until > now() + interval '50 minutes'";
    assert_eq!(database.admin().await.number(prolonged).await, 2, "all that nobody was writing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_callers_that_go_away_leave_nothing_behind() {
    let database = with_tables().await;
    let subject = Subject::with_real_clock(database.store().await, ());
    let account = subject.id();
    for number in 0..20 {
        subject.enqueued(account).await;
        subject.stored(account, &format!("thing {number}")).await;
    }
    let tasks: Vec<_> = (0..1_000_u64)
        .map(|number| {
            let (store, claim) = (subject.store.clone(), subject.claim_of(3));
            let thing = subject.thing(account, &format!("dropped {number}"));
            let patience = Duration::from_micros(number * 7 % 3_000);
            tokio::spawn(async move {
                let mut batch = Batch::new();
                batch.insert(&thing);
                let _ = match number % 4 {
                    0 => timeout(patience, store.commit(batch)).await.map(drop),
                    1 => timeout(patience, store.claim(claim)).await.map(|claimed| keep(&store, claimed)),
                    2 => timeout(patience, store.list::<Thing>(Query::of(account))).await.map(drop),
                    _ => timeout(patience, store.count::<Thing>(None, vec![])).await.map(drop),
                };
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    until("the pool is full again", async || subject.store.health().await.unwrap().connections.0 == 0).await;
    let admin = database.admin().await;
    let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                AND state LIKE 'idle in transaction%'";
    until("no transaction is left open", async || admin.number(open).await == 0).await;
    let held = "SELECT count(*) FROM work WHERE leased_until > clock_timestamp()";
    until("no lease is left", async || admin.number(held).await == 0).await;
    subject.stored(account, "afterwards").await;
    assert_eq!(subject.claimed(100).await.len(), 20);
}

/// A caller that got its claim gives it back; one that went away has it given back.
fn keep(store: &Store, claimed: Result<Vec<Work>, Fault>) {
    let mut batch = Batch::new();
    for item in claimed.unwrap_or_default() {
        batch.settle(item.settle(Settlement::Release));
    }
    let store = store.clone();
    tokio::spawn(async move { store.commit(batch).await.expect("a release is good") });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_crashes_under_load_loses_nothing_acknowledged() {
    let server = Server::start();
    migrate(&Options::new(server.dsn("postgres"))).await.expect("the migrations can be applied");
    Admin::connect(&server.dsn("postgres")).await.run(&create_table(Thing::TABLE)).await;
    let store = store(&Options::new(server.socket_dsn("postgres"))).await;
    let subject = Subject::with_real_clock(store.clone(), ());
    let account = subject.id();
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let things: Vec<Thing> =
                (0..400).map(|number| subject.thing(account, &format!("{writer} {number}"))).collect();
            let store = store.clone();
            tokio::spawn(async move {
                let (mut kept, mut refused) = (Vec::new(), 0);
                for thing in things {
                    let mut batch = Batch::new();
                    batch.insert(&thing);
                    match store.commit(batch).await {
                        Ok(()) => kept.push(thing.head.id),
                        Err(fault) => {
                            assert_eq!(fault.code, Code::Unavailable, "{fault}");
                            refused += 1;
                        }
                    }
                    sleep(Duration::from_millis(5)).await;
                }
                (kept, refused)
            })
        })
        .collect();
    sleep(Duration::from_millis(300)).await;
    let server = tokio::task::spawn_blocking(move || {
        server.stop(Stop::Immediate);
        std::thread::sleep(Duration::from_millis(2_500));
        server.resume();
        server
    })
    .await
    .unwrap();
    let back = Instant::now();
    let thing = subject.thing(account, "afterwards");
    until("a commit succeeds", async || {
        subject
            .try_commit(|batch| {
                batch.overwrite(&thing);
            })
            .await
            .is_ok()
    })
    .await;
    assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
    let mut refusals = 0;
    let stored: std::collections::HashSet<_> = {
        let mut kept = Vec::new();
        for writer in writers {
            let (ids, refused) = writer.await.unwrap();
            kept.extend(ids);
            refusals += refused;
        }
        let stored: Vec<Thing> = store.list(Query::of(account).limit(10_000)).await.unwrap();
        let stored: std::collections::HashSet<_> = stored.iter().map(|thing| thing.head.id).collect();
        assert!(kept.iter().all(|id| stored.contains(id)), "everything acknowledged is there");
        stored
    };
    assert!(stored.len() > 800 && refusals > 0, "{} stored, {refusals} refused", stored.len());
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_are_bounded() {
    let database = with_tables().await;
    let short = Duration::from_millis(150);
    let options = Options {
        connections: 1,
        lanes: 1,
        wait_timeout: short,
        statement_timeout: 4 * short,
        lock_timeout: short,
        ..database.options()
    };
    let subject = Subject::with_real_clock(store(&options).await, ());
    let thing = subject.stored(subject.id(), "one").await;
    let mut holder = session(&database.dsn()).await;
    let lock = holder.transaction().await.unwrap();
    lock.execute("LOCK TABLE conformance_things", &[]).await.unwrap();
    let mut changed = thing.clone();
    let now = subject.now();
    let bounded = Duration::from_secs(10);
    let write = timeout(
        bounded,
        subject.try_commit(|batch| {
            batch.replace(&mut changed, now);
        }),
    );
    let reads = [subject.store.get::<Thing>(thing.head.key()), subject.store.get::<Thing>(thing.head.key())];
    let reads = futures_util::future::join_all(reads);
    let (write, reads) = tokio::join!(write, timeout(bounded, reads));
    for fault in
        [write.unwrap().unwrap_err()].into_iter().chain(reads.unwrap().into_iter().map(Result::unwrap_err))
    {
        assert_eq!((fault.code, fault.retry_after.is_some()), (Code::Unavailable, true), "{fault}");
    }
    lock.rollback().await.unwrap();
    assert_eq!(subject.store.get::<Thing>(thing.head.key()).await.unwrap(), thing, "and nothing happened");
    subject.stored(thing.head.account_id, "two").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_daemons_migrate_an_empty_database_once() {
    let database = Database::empty().await;
    let options = database.options();
    let pending = pending_migrations(&options).await.unwrap();
    assert!(!pending.is_empty());
    let daemons: Vec<_> = (0..5)
        .map(|_| {
            let options = options.clone();
            tokio::spawn(async move { migrate(&options).await.expect("the migrations can be applied") })
        })
        .collect();
    let mut applied = Vec::new();
    for daemon in daemons {
        applied.extend(daemon.await.unwrap());
    }
    assert_eq!(applied, pending, "each once");
    assert!(pending_migrations(&options).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_migration_that_was_changed_refuses() {
    let database = Database::fresh().await;
    let admin = database.admin().await;
    admin.run("UPDATE refinery_schema_history SET checksum = '17' WHERE version = 1").await;
    for refused in [
        migrate(&database.options()).await.unwrap_err(),
        pending_migrations(&database.options()).await.unwrap_err(),
    ] {
        assert_eq!(refused.code, Code::InvalidState);
        assert!(refused.detail.contains("V1__work_and_events"), "{refused}");
    }
    admin.run("DELETE FROM refinery_schema_history").await;
    admin.run("INSERT INTO refinery_schema_history VALUES (999, 'from_the_future', '2026-01-01T00:00:00Z', '1')").await;
    let refused = pending_migrations(&database.options()).await.unwrap_err();
    assert!(refused.detail.contains("V999__from_the_future"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hints_reach_other_daemons_and_survive_a_lost_listener() {
    let database = with_tables().await;
    let (here, there) = (database.store().await, database.store().await);
    let subject = Subject::with_real_clock(here, ());
    let account = subject.id();
    let admin = database.admin().await;
    let listening = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                     AND query LIKE 'LISTEN%'";
    for round in 0..2 {
        until("both listen", async || admin.number(listening).await == 2).await;
        let mut hints = there.watch();
        subject
            .commit(|batch| {
                batch
                    .insert(&subject.thing(account, &format!("round {round}")))
                    .enqueue(subject.item(account))
                    .withdraw(account, account);
                batch.event(subject.event(account, "made", account));
            })
            .await;
        let mut wanted = vec![
            Hint::Withdrawn(account),
            Hint::Events,
            Hint::Rows(Thing::TABLE.name.to_owned()),
            Hint::Work("conformance".to_owned()),
        ];
        while !wanted.is_empty() {
            let hint = timeout(Duration::from_secs(5), hints.recv()).await.expect("the hint comes").unwrap();
            wanted.retain(|wanted| *wanted != hint);
        }
        let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                    WHERE datname = current_database() AND query LIKE 'LISTEN%'";
        assert_eq!(admin.number(kill).await, 2);
        until("the listeners are gone", async || admin.number(listening).await == 0).await;
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_is_said_plainly() {
    let nowhere = Options::new("host=127.0.0.1 port=1 user=postgres dbname=nothing");
    let fault = Postgres::connect(&nowhere, &OsChance).await.unwrap_err();
    assert_eq!(fault.code, Code::Unavailable);
    let garbled = Options::new("postgres://user:hunter2@host:notaport/x");
    let fault = Postgres::connect(&garbled, &OsChance).await.unwrap_err();
    assert_eq!(fault.code, Code::Invalid);
    assert!(!format!("{fault} {garbled:?} {nowhere:?}").contains("hunter2"));
}
