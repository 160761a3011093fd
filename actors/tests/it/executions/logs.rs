//! Following what an execution logs.

use std::time::Duration;

use sl_actors::services::executions::{FetchLogs, FollowLogs, Level, LogEvent, LogFeed, Status};

use crate::{
    workshop::{Workshop, execute},
    world::{Ground, on_both},
};

on_both! {
    lines_come_as_they_are_logged_and_the_end_comes_last
    a_feed_begins_after_any_line_and_waits_for_what_is_queued
    another_daemon_sees_the_lines_at_the_end
}

const TALKS: &str = "export default async () => {
    console.log('first', {n: 1});
    console.error('second');
    await new Promise((r) => setTimeout(r, 400));
    console.info('third');
    return {};
}";

async fn line(feed: &mut LogFeed) -> (u32, String) {
    match feed.next().await.unwrap() {
        Some(LogEvent::Line(line)) => (line.sequence, line.message),
        other => panic!("no line: {other:?}"),
    }
}

async fn ended(feed: &mut LogFeed) -> Status {
    let status = match feed.next().await.unwrap() {
        Some(LogEvent::Ended(view)) => view.status,
        other => panic!("no end: {other:?}"),
    };
    assert!(feed.next().await.unwrap().is_none());
    status
}

async fn lines_come_as_they_are_logged_and_the_end_comes_last(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let function = shop.function("talks", TALKS).await;
    let running = shop.perform(execute(function.id, "{}", Some(Duration::from_millis(150)))).await.unwrap();
    assert_eq!(running.status, Status::Running);
    let mut feed = shop.perform(FollowLogs { execution_id: running.id, after: 0 }).await.unwrap();
    assert_eq!(line(&mut feed).await, (1, "first { n: 1 }".to_owned()));
    assert_eq!(line(&mut feed).await, (2, "second".to_owned()));
    let so_far = shop.perform(FetchLogs(running.id)).await.unwrap();
    assert_eq!(so_far.iter().map(|line| line.level).collect::<Vec<_>>(), [Level::Info, Level::Error]);
    assert_eq!(shop.fetch(running.id).await.status, Status::Running);
    assert_eq!(line(&mut feed).await, (3, "third".to_owned()));
    assert_eq!(ended(&mut feed).await, Status::Succeeded);
    assert_eq!(shop.perform(FetchLogs(running.id)).await.unwrap().len(), 3);
    shop.stop().await;
}

async fn a_feed_begins_after_any_line_and_waits_for_what_is_queued(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let function = shop.function("talks", TALKS).await;
    let queued = shop.begin(function.id, "{}").await;
    let mut feed = shop.perform(FollowLogs { execution_id: queued.id, after: 2 }).await.unwrap();
    assert_eq!(line(&mut feed).await, (3, "third".to_owned()));
    assert_eq!(ended(&mut feed).await, Status::Succeeded);
    let mut stored = shop.perform(FollowLogs { execution_id: queued.id, after: 1 }).await.unwrap();
    assert_eq!(line(&mut stored).await.0, 2);
    assert_eq!(line(&mut stored).await.0, 3);
    assert_eq!(ended(&mut stored).await, Status::Succeeded);
    shop.stop().await;
}

async fn another_daemon_sees_the_lines_at_the_end(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let function = shop.function("talks", TALKS).await;
    let running = shop.perform(execute(function.id, "{}", Some(Duration::from_millis(150)))).await.unwrap();
    let other = shop.another().await;
    let caller = std::sync::Arc::new(sl_actors::caller::Caller::operator("alice"));
    let follow = FollowLogs { execution_id: running.id, after: 0 };
    let mut feed = other.perform(shop.account, caller, None, follow).await.unwrap();
    for sequence in 1..=3 {
        assert_eq!(line(&mut feed).await.0, sequence);
    }
    assert_eq!(ended(&mut feed).await, Status::Succeeded);
    other.drain(Duration::from_secs(1)).await;
    shop.stop().await;
}
