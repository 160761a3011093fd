//! What an execution logs, while it does.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use sl_store::{Fault, Key};
use uuid::Uuid;

use super::{
    entity::Execution,
    live::Live,
    view::{ExecutionView, LogEntry},
};
use crate::{
    Core,
    action::{Action, Order, Tenant},
};

/// How often the row of an execution that is not run here is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// The lines an execution has logged so far, or in all.
#[derive(Debug)]
pub struct FetchLogs(pub Uuid);

impl Action for FetchLogs {
    type Output = Vec<LogEntry>;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<Vec<LogEntry>, Fault> {
        let execution: Execution = tenant.core.store.get(tenant.key(self.0)).await?;
        match tenant.core.executions.stage.running(execution.head.key()) {
            Some(live) if !execution.status.is_final() => Ok(live.lines_after(0)),
            _ => execution.log_entries(),
        }
    }
}

/// Follows what an execution logs.
#[derive(Debug)]
pub struct FollowLogs {
    /// The execution.
    pub execution_id: Uuid,
    /// The sequence of the line after which it begins; 0 for all.
    pub after: u32,
}

impl Action for FollowLogs {
    type Output = LogFeed;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<LogFeed, Fault> {
        let key = tenant.key(self.execution_id);
        tenant.core.store.get::<Execution>(key).await?;
        Ok(LogFeed {
            core: tenant.core.clone(),
            key,
            live: tenant.core.executions.stage.meet(key),
            seen: usize::try_from(self.after).unwrap_or(usize::MAX),
            waiting: VecDeque::new(),
            ended: None,
        })
    }
}

/// What an execution logs, line by line, until it has ended. Lines of a run in this daemon come as they are logged;
/// those of a run elsewhere when it has ended. Nothing is dropped however slowly it is read: what a run may log is
/// bounded.
#[derive(Debug)]
pub struct LogFeed {
    core: Arc<Core>,
    key: Key,
    live: Arc<Live>,
    seen: usize,
    waiting: VecDeque<LogEntry>,
    ended: Option<Box<ExecutionView>>,
}

/// What comes next in a feed.
#[derive(Clone, Debug)]
pub enum LogEvent {
    /// A line.
    Line(LogEntry),
    /// The execution has ended so; nothing comes after it.
    Ended(Box<ExecutionView>),
}

impl LogFeed {
    /// What comes next; none after the end. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`sl_store::Code::NotFound`] where the execution was removed meanwhile, and where the store does not answer.
    pub async fn next(&mut self) -> Result<Option<LogEvent>, Fault> {
        loop {
            if let Some(line) = self.waiting.pop_front() {
                self.seen += 1;
                return Ok(Some(LogEvent::Line(line)));
            }
            if self.is_over() {
                return Ok(None);
            }
            if let Some(view) = self.ended.take() {
                self.seen = usize::MAX;
                return Ok(Some(LogEvent::Ended(view)));
            }
            self.advance().await?;
        }
    }

    const fn is_over(&self) -> bool {
        self.seen == usize::MAX
    }

    /// Waits for lines or the end.
    async fn advance(&mut self) -> Result<(), Fault> {
        let seen = self.seen;
        self.waiting.extend(self.live.lines_after(seen));
        if !self.waiting.is_empty() {
            return Ok(());
        }
        let execution: Execution = self.core.store.get(self.key).await?;
        if execution.status.is_final() {
            self.waiting.extend(execution.log_entries()?.into_iter().skip(seen));
            self.ended = Some(Box::new(execution.view()?));
            return Ok(());
        }
        tokio::select! {
            () = self.live.until(|progress| progress.ended || progress.lines > seen) => {}
            () = self.core.clock.sleep(LOOK) => {}
        }
        Ok(())
    }
}
