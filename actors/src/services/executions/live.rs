//! Executions that this daemon runs or that somebody here waits for: what they log, how they are cancelled, when they
//! end.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use futures_util::future::join_all;
use sl_store::Key;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    entity::Json,
    view::{self, LogEntry},
};

/// How long a run that was stopped may take to be given back.
const GIVING_BACK: Duration = Duration::from_secs(2);

/// The executions that run here or are waited for here; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Stage(Arc<Mutex<HashMap<Key, Weak<Live>>>>);

/// One of them. It lives for as long as somebody runs it or waits for it.
#[derive(Debug)]
pub(super) struct Live {
    key: Key,
    stage: Stage,
    run: Mutex<Option<Run>>,
    lines: Mutex<Vec<LogEntry>>,
    progress: watch::Sender<Progress>,
}

#[derive(Debug)]
struct Run {
    cancel: CancellationToken,
    cancelled_by: Option<String>,
}

/// How far an execution is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// How many lines it logged.
    pub lines: usize,
    /// Whether it is in the store, running or ended.
    pub stored: bool,
    /// Whether its end is in the store.
    pub ended: bool,
    /// Whether nothing that it queued is pending either.
    pub over: bool,
}

impl Stage {
    fn all(&self) -> MutexGuard<'_, HashMap<Key, Weak<Live>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The execution, to run it or to wait for it.
    pub(super) fn meet(&self, key: Key) -> Arc<Live> {
        let mut all = self.all();
        if let Some(live) = all.get(&key).and_then(Weak::upgrade) {
            return live;
        }
        let live = Arc::new(Live {
            key,
            stage: self.clone(),
            run: Mutex::default(),
            lines: Mutex::default(),
            progress: watch::Sender::default(),
        });
        all.insert(key, Arc::downgrade(&live));
        live
    }

    /// The execution, if it runs here.
    pub(super) fn running(&self, key: Key) -> Option<Arc<Live>> {
        let live = self.all().get(&key).and_then(Weak::upgrade)?;
        let runs = live.run().is_some();
        runs.then_some(live)
    }

    /// All that run here.
    fn runs(&self) -> Vec<Arc<Live>> {
        let all: Vec<Arc<Live>> = self.all().values().filter_map(Weak::upgrade).collect();
        all.into_iter().filter(|live| live.run().is_some()).collect()
    }

    /// Stops the runs of accounts that are being deleted.
    pub(crate) fn forsake(&self, is_deleted: impl Fn(Uuid) -> bool) {
        for live in self.runs().iter().filter(|live| is_deleted(live.key.account)) {
            live.stop();
        }
    }

    /// Lets runs end for as long as `within`, then stops those that still go on, and waits until what they held is given
    /// back.
    pub(crate) async fn drain(&self, within: Duration) {
        let running = self.runs();
        let ends = join_all(running.iter().map(|live| live.left()));
        if tokio::time::timeout(within, ends).await.is_ok() {
            return;
        }
        let running = self.runs();
        for live in &running {
            live.stop();
        }
        let ends = join_all(running.iter().map(|live| live.left()));
        if tokio::time::timeout(GIVING_BACK, ends).await.is_err() {
            let left = self.runs().len();
            tracing::warn!(left, "Runs could not be given back in time; their leases will run out");
        }
    }
}

impl Live {
    fn run(&self) -> MutexGuard<'_, Option<Run>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lines(&self) -> MutexGuard<'_, Vec<LogEntry>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An attempt begins that ends when `cancel` is cancelled.
    pub(super) fn begin(self: &Arc<Self>, cancel: CancellationToken) -> OnStage {
        *self.run() = Some(Run { cancel, cancelled_by: None });
        self.lines().clear();
        self.progress.send_modify(|progress| progress.lines = 0);
        OnStage(self.clone())
    }

    /// A line was logged.
    pub(super) fn log(&self, entry: LogEntry) {
        let lines = {
            let mut lines = self.lines();
            lines.push(entry);
            lines.len()
        };
        self.progress.send_modify(|progress| progress.lines = lines);
    }

    /// The lines as an execution's row keeps them.
    pub(super) fn logs(&self) -> Json {
        match &**self.lines() {
            [] => view::empty_list(),
            lines => view::json(lines),
        }
    }

    /// The lines after the first `seen`.
    pub(super) fn lines_after(&self, seen: usize) -> Vec<LogEntry> {
        self.lines().get(seen..).map(<[LogEntry]>::to_vec).unwrap_or_default()
    }

    /// The execution is in the store.
    pub(super) fn stored(&self) {
        self.progress.send_modify(|progress| progress.stored = true);
    }

    /// The execution's end is in the store, and what it queued is yet to be done.
    pub(super) fn ended(&self) {
        self.progress.send_modify(|progress| (progress.stored, progress.ended) = (true, true));
    }

    /// The execution's end is in the store, and nothing that it queued is pending.
    pub(super) fn over(&self) {
        self.progress.send_modify(|progress| {
            (progress.stored, progress.ended, progress.over) = (true, true, true);
        });
    }

    /// Somebody cancels it.
    pub(super) fn cancel(&self, actor: &str) {
        if let Some(run) = &mut *self.run() {
            run.cancelled_by.get_or_insert_with(|| actor.to_owned());
            run.cancel.cancel();
        }
    }

    /// The run here must stop, though nobody cancelled the execution: its lease is lost or the daemon drains.
    pub(super) fn stop(&self) {
        if let Some(run) = &*self.run() {
            run.cancel.cancel();
        }
    }

    /// Who cancelled it.
    pub(super) fn cancelled_by(&self) -> Option<String> {
        self.run().as_ref().and_then(|run| run.cancelled_by.clone())
    }

    /// How far it is, from now on.
    pub(super) fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Waits until it does not run here any more.
    pub(super) async fn left(&self) {
        let mut progress = self.watch();
        while self.run().is_some() && progress.changed().await.is_ok() {}
    }

    /// Waits until it is in the store.
    pub(super) async fn until(&self, reached: impl Fn(&Progress) -> bool) {
        let mut progress = self.watch();
        let _never_closed_while_we_hold_it = progress.wait_for(reached).await;
    }
}

/// An attempt that goes on; dropped, it is over.
#[derive(Debug)]
pub(super) struct OnStage(Arc<Live>);

impl Drop for OnStage {
    fn drop(&mut self) {
        *self.0.run() = None;
        // Who waits for the end of the attempt looks again.
        self.0.progress.send_modify(|_| {});
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let mut all = self.stage.all();
        if all.get(&self.key).is_some_and(|kept| kept.strong_count() == 0) {
            all.remove(&self.key);
        }
    }
}
