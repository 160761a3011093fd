//! Supervision: children are restarted with an intensity limit, then marked degraded; the process lives on.
//!
//! ractor tells a supervisor that a child ended and does nothing else, so that restarting is ours. A [`Supervisor`]
//! holds one factory per child; a child that ends unasked is started again from it. Five restarts within thirty seconds
//! are too many: the child is left for the rest of that window, its name stands on the [`HealthBoard`] (readyz, metric),
//! and it is started once more when the window has passed.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use serde_json::Value;
use tokio::{task::JoinHandle, time::Instant};

/// So many restarts within [`WINDOW`] are too many.
pub const INTENSITY: usize = 5;
/// The window in which restarts are counted.
pub const WINDOW: Duration = Duration::from_secs(30);

/// Starts a task that belongs to no actor. With [`spawn_local_task`] the one place that does, so that a panic in any of
/// them is logged.
#[expect(clippy::disallowed_methods, reason = "this is the one place that starts tasks")]
pub fn spawn_task(name: &'static str, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(guarded(name, task))
}

/// The same on the thread that calls it, for what cannot leave it.
///
/// # Panics
/// Outside of a [`tokio::runtime::LocalRuntime`].
#[expect(clippy::disallowed_methods, reason = "this is the one place that starts tasks")]
pub fn spawn_local_task(name: &'static str, task: impl Future<Output = ()> + 'static) -> JoinHandle<()> {
    tokio::task::spawn_local(guarded(name, task))
}

async fn guarded(name: &'static str, task: impl Future<Output = ()>) {
    if let Err(panic) = std::panic::AssertUnwindSafe(task).catch_unwind().await {
        tracing::error!(task = name, panic = crate::action::panic_text(&*panic), "A task panicked");
    }
}

/// Which parts run degraded, and why.
#[derive(Clone, Debug, Default)]
pub struct HealthBoard {
    degraded: Arc<Mutex<BTreeMap<String, Mark>>>,
    notes: Arc<Mutex<BTreeMap<String, Value>>>,
}

/// Why a part runs degraded, and until when that holds where nobody says it again.
#[derive(Clone, Debug)]
struct Mark {
    why: String,
    until: Option<Instant>,
}

impl HealthBoard {
    /// Marks a part degraded.
    pub fn degrade(&self, part: &str, why: impl Into<String>) {
        self.mark(part, Mark { why: why.into(), until: None });
    }

    /// The same for so long: where another daemon goes on with what failed here, nobody here sees it heal.
    pub fn degrade_for(&self, part: &str, why: impl Into<String>, lasts: Duration) {
        self.mark(part, Mark { why: why.into(), until: Some(Instant::now() + lasts) });
    }

    fn mark(&self, part: &str, mark: Mark) {
        self.degraded.lock().unwrap_or_else(PoisonError::into_inner).insert(part.to_owned(), mark);
    }

    /// Marks a part healthy.
    pub fn heal(&self, part: &str) {
        self.degraded.lock().unwrap_or_else(PoisonError::into_inner).remove(part);
    }

    /// The degraded parts with the reason of each.
    #[must_use]
    pub fn degraded(&self) -> BTreeMap<String, String> {
        let now = Instant::now();
        let mut marks = self.degraded.lock().unwrap_or_else(PoisonError::into_inner);
        marks.retain(|_, mark| mark.until.is_none_or(|until| until > now));
        marks.iter().map(|(part, mark)| (part.clone(), mark.why.clone())).collect()
    }

    /// Notes what a part tells of itself, for the system's status.
    pub fn note(&self, part: &str, told: Value) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).insert(part.to_owned(), told);
    }

    /// What the parts tell of themselves.
    #[must_use]
    pub fn notes(&self) -> BTreeMap<String, Value> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Counts restarts within the window.
#[derive(Debug, Default)]
pub struct Intensity(Vec<Instant>);

impl Intensity {
    /// Counts one more; answers whether there were too many.
    pub fn exceeded(&mut self) -> bool {
        let now = Instant::now();
        self.0.retain(|at| now.duration_since(*at) < WINDOW);
        self.0.push(now);
        self.0.len() > INTENSITY
    }
}

/// Makes a child, linked to the supervisor whose cell it is given.
pub type Factory =
    Box<dyn Fn(ActorCell) -> BoxFuture<'static, Result<ActorCell, ractor::SpawnErr>> + Send + Sync>;

/// One child of the tree.
pub struct Child {
    /// Its name on the board and in the log.
    pub name: &'static str,
    /// Makes it.
    pub factory: Factory,
}

impl fmt::Debug for Child {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Child").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The root of the tree.
#[derive(Debug)]
pub struct Supervisor;

/// What the supervisor is told.
#[derive(Debug)]
pub enum SupervisorMessage {
    /// Starts the child of this position again.
    Start(usize),
    /// Stops every child, then itself.
    Stop,
}

/// What the supervisor knows.
#[derive(Debug)]
pub struct Tree {
    children: Vec<Child>,
    running: HashMap<ActorId, usize>,
    restarts: Vec<Intensity>,
    health: HealthBoard,
    stopping: bool,
}

impl Tree {
    async fn start(&mut self, myself: &ActorRef<SupervisorMessage>, position: usize) {
        let Some(child) = self.children.get(position).filter(|_| !self.stopping) else { return };
        match (child.factory)(myself.get_cell()).await {
            Ok(cell) => {
                self.health.heal(child.name);
                self.running.insert(cell.get_id(), position);
            }
            Err(error) => self.failed(myself, position, &error.to_string()),
        }
    }

    fn ended(&mut self, myself: &ActorRef<SupervisorMessage>, who: ActorId, why: &str) {
        if let Some(position) = self.running.remove(&who)
            && !self.stopping
        {
            self.failed(myself, position, why);
        }
    }

    fn failed(&mut self, myself: &ActorRef<SupervisorMessage>, position: usize, why: &str) {
        let name = self.children[position].name;
        tracing::error!(actor = name, why, "An actor ended unasked");
        if self.restarts[position].exceeded() {
            self.health.degrade(name, format!("restarted {INTENSITY} times within 30 s, last: {why}"));
            myself.send_after(WINDOW, move || SupervisorMessage::Start(position));
        } else if let Err(error) = myself.cast(SupervisorMessage::Start(position)) {
            tracing::error!(actor = name, %error, "The supervisor does not hear itself");
        }
    }
}

impl Actor for Supervisor {
    type Msg = SupervisorMessage;
    type State = Tree;
    type Arguments = (Vec<Child>, HealthBoard);

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        (children, health): Self::Arguments,
    ) -> Result<Tree, ActorProcessingErr> {
        let restarts = children.iter().map(|_| Intensity::default()).collect();
        let mut tree = Tree { children, running: HashMap::new(), restarts, health, stopping: false };
        for position in 0..tree.children.len() {
            tree.start(&myself, position).await;
        }
        Ok(tree)
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        tree: &mut Tree,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            SupervisorMessage::Start(position) => tree.start(&myself, position).await,
            SupervisorMessage::Stop => {
                tree.stopping = true;
                myself.get_cell().stop_children_and_wait(None, Some(Duration::from_secs(5))).await;
                myself.stop(None);
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        tree: &mut Tree,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(who, error) => {
                tree.ended(&myself, who.get_id(), &error.to_string());
            }
            SupervisionEvent::ActorTerminated(who, _, reason) => {
                tree.ended(&myself, who.get_id(), reason.as_deref().unwrap_or("it stopped"));
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}
