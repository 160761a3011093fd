//! Executions and what they log.

use std::{sync::Arc, time::Duration};

use actix_web::http::Method;
use futures_util::{FutureExt as _, future::BoxFuture};
use serde::Deserialize;
use sl_actors::{
    Code, Core, Fault,
    caller::Scope,
    services::executions::{
        Cancel, ExecutionFilters, ExecutionView, FetchExecution, FollowLogs, ListExecutions, LogEvent,
        LogFeed, Replay,
    },
    settings::read_duration,
};
use utoipa::ToSchema;

use crate::{
    input::Input,
    live::{News, Session, Source, frame},
    operation::{Operation, Performer, operation},
};

const ALL: &str = "/accounts/{account}/executions";
const ONE: &str = "/accounts/{account}/executions/{execution}";
const LOGS: &str = "/accounts/{account}/executions/{execution}/logs";
const CANCEL: &str = "/accounts/{account}/executions/{execution}/cancel";
const REPLAY: &str = "/accounts/{account}/executions/{execution}/replay";

/// The columns of a table of executions.
pub(super) const COLUMNS: &[&str] = &["id", "status", "function_version", "duration", "created_at"];

/// How long to wait for the end of an execution.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Wait {
    /// How long to wait for its end, like `30s`; `0s` does not wait.
    #[schema(pattern = "^[0-9]{1,4}(ms|s|m)$")]
    wait: Option<String>,
}

impl Wait {
    /// The time to wait, where one is named.
    pub fn read(&self) -> Result<Option<Duration>, Fault> {
        let Some(text) = &self.wait else { return Ok(None) };
        let refused = || Fault::new(Code::Malformed, "?wait: must be a duration like 500ms, 30s or 2m");
        read_duration(text).map(Some).ok_or_else(refused)
    }
}

/// Where on the log to begin.
#[derive(Debug, Deserialize, ToSchema)]
struct LogsFrom {
    /// The sequence of the line after which to begin; `Last-Event-ID` says it as well.
    after: Option<u32>,
}

pub(super) fn table() -> Vec<Operation> {
    vec![
        operation(Method::GET, ALL, "executions.list", "List the executions of all functions")
            .with::<ExecutionView>()
            .pages(COLUMNS)
            .action(|input: Input<ExecutionFilters>| {
                Ok(ListExecutions { function_id: None, page: input.page, filters: input.query })
            }),
        operation(Method::GET, ONE, "executions.get", "Read an execution")
            .action(|input: Input| Ok(FetchExecution(input.id("execution")?))),
        operation(Method::GET, LOGS, "executions.logs", "Follow what an execution logs")
            .told("Each event is a line; the last one is the execution itself, when it has ended.")
            .stream(|performer, input: Input<LogsFrom>| async move { logs(performer, input).await }),
        operation(Method::POST, CANCEL, "executions.cancel", "Cancel an execution")
            .scope(Scope::Run)
            .action(|input: Input| Ok(Cancel(input.id("execution")?))),
        operation(Method::POST, REPLAY, "executions.replay", "Run an execution again, as it was")
            .scope(Scope::Run)
            .also(202, "The execution goes on.")
            .action_with(
                |input: Input<Wait>| {
                    Ok(Replay { execution_id: input.id("execution")?, wait: input.query.read()? })
                },
                status,
            ),
    ]
}

/// 202 while the execution goes on, or something that it queued is pending.
pub(super) fn status(execution: &ExecutionView) -> Option<u16> {
    (!execution.is_over()).then(|| execution.answered_as())
}

async fn logs(performer: Performer, input: Input<LogsFrom>) -> Result<Session, Fault> {
    let told = input.last_event_id.as_deref().and_then(|id| id.parse().ok());
    let after = told.or(input.query.after).unwrap_or(0);
    let follow = FollowLogs { execution_id: input.id("execution")?, after };
    let (account, caller) = (performer.account, performer.caller.clone());
    let feed = performer.front.runtime.perform(account, caller, None, follow).await?;
    Session::open(&performer, Logs(feed))
}

/// The lines of an execution as frames.
struct Logs(LogFeed);

/// How long one look at a silent feed takes; between two looks the stream sees to itself.
const LOOK: Duration = Duration::from_millis(500);
/// How many lines are sent at once.
const LINES: usize = 100;

impl Source for Logs {
    fn next<'a>(&'a mut self, _core: &'a Arc<Core>) -> BoxFuture<'a, Result<News, Fault>> {
        Box::pin(async move {
            let mut news = News { more: true, ..News::default() };
            // Dropping the future of a feed loses nothing.
            let Ok(first) = tokio::time::timeout(LOOK, self.0.next()).await else { return Ok(news) };
            let mut event = first?;
            for line in 0.. {
                match event {
                    None => {
                        news.ended = true;
                        return Ok(news);
                    }
                    Some(LogEvent::Line(line)) => {
                        let written = serde_json::to_string(&line).map_err(Fault::internal)?;
                        frame(&mut news.frames, Some(&line.sequence.to_string()), "log", &written);
                    }
                    Some(LogEvent::Ended(execution)) => {
                        let written = serde_json::to_string(&execution).map_err(Fault::internal)?;
                        frame(&mut news.frames, None, "ended", &written);
                    }
                }
                let next = if line < LINES { self.0.next().now_or_never() } else { None };
                event = match next {
                    Some(next) => next?,
                    None => break,
                };
            }
            Ok(news)
        })
    }
}
