//! What is known of the run that is going on, and what its natives may reach.

use crate::{link::Link, timers::Timers, watch::Verdict, watch::Watch};
use sl_js_protocol::{
    Action, FetchRequest, Frame, LimitKind, Log, LogLevel, MAX_ACTIONS, MAX_FRAME_BYTES, RunId, RunLimits,
    ToDaemon,
};
use std::{
    cell::{RefCell, RefMut},
    collections::HashSet,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

/// So many rejections that nobody handled are remembered.
const MOST_REJECTIONS: usize = 100;

/// A promise that was rejected, and why.
pub type Rejection = (v8::Global<v8::Promise>, v8::Global<v8::Value>);

/// Reached from every native by way of the isolate.
pub struct Shared {
    pub link: Arc<Link>,
    pub watch: Arc<Watch>,
    active: RefCell<Option<Active>>,
}

/// One run's counts and what it waits for.
pub struct Active {
    pub id: RunId,
    pub limits: RunLimits,
    begun: Instant,
    log_lines: u32,
    log_bytes: u64,
    pub actions: Vec<Action>,
    action_bytes: u64,
    fetches: u32,
    pending_fetches: HashSet<u32>,
    pub timers: Timers,
    /// What a timer or microtask threw.
    pub uncaught: Option<v8::Global<v8::Value>>,
    /// What was rejected and is handled by nobody so far.
    pub unhandled: Vec<Rejection>,
    /// Something was refused, perhaps with an error of V8's own making.
    pub refused: bool,
    /// Where it runs, once it has begun.
    pub stage: Option<Stage>,
    /// Where it was when it was told to stop.
    pub stopped_at: Vec<Frame>,
    /// The body of the answer that is being handed over.
    pub body: Vec<u8>,
}

/// What a run that has begun runs in, and what natives need of it.
pub struct Stage {
    pub context: v8::Global<v8::Context>,
    /// Makes a global by its name.
    pub make: v8::Global<v8::Function>,
    /// What the function is given as its context.
    pub given: v8::Global<v8::Object>,
}

impl Shared {
    pub fn new(link: Arc<Link>, watch: Arc<Watch>) -> Rc<Self> {
        Rc::new(Self { link, watch, active: RefCell::new(None) })
    }

    /// A run begins.
    pub fn begin(&self, id: RunId, limits: RunLimits) {
        let active = Active {
            id,
            limits,
            begun: Instant::now(),
            log_lines: 0,
            log_bytes: 0,
            actions: Vec::new(),
            action_bytes: 0,
            fetches: 0,
            pending_fetches: HashSet::new(),
            timers: Timers::default(),
            uncaught: None,
            unhandled: Vec::new(),
            refused: false,
            stage: None,
            stopped_at: Vec::new(),
            body: Vec::new(),
        };
        *self.active.borrow_mut() = Some(active);
    }

    /// The run has ended: from now on natives do nothing.
    pub fn end(&self) -> Option<Active> {
        self.active.borrow_mut().take()
    }

    /// Something of where the run is that has begun.
    pub fn staged<T>(&self, of: impl FnOnce(&Stage) -> T) -> Option<T> {
        self.active()?.stage.as_ref().map(of)
    }

    /// The run that is going on.
    pub fn active(&self) -> Option<RefMut<'_, Active>> {
        RefMut::filter_map(self.active.borrow_mut(), Option::as_mut).ok()
    }

    /// Stops the run for a limit.
    pub fn hit(&self, limit: LimitKind, bound: u64) {
        self.watch.judge(Verdict::Limit(limit, bound));
    }

    /// A logged line: sent, or the end of the run.
    pub fn log(&self, level: LogLevel, text: String) {
        let Some(mut active) = self.active() else { return };
        active.log_lines += 1;
        active.log_bytes += text.len() as u64;
        let limits = &active.limits;
        if active.log_lines > limits.log_lines {
            return self.hit(LimitKind::LogLines, limits.log_lines.into());
        }
        if active.log_bytes > limits.log_bytes {
            return self.hit(LimitKind::LogBytes, limits.log_bytes);
        }
        let log = Log { run: active.id, sequence: active.log_lines, level, text, at: active.begun.elapsed() };
        if self.link.send(&ToDaemon::Log(log)).is_err() {
            self.hit(LimitKind::LogBytes, MAX_FRAME_BYTES as u64);
        }
    }

    /// A line of the host's own about the run: only where there is room for it, so that it ends nothing.
    pub fn remark(&self, level: LogLevel, text: String) {
        let has_room = self.active().is_some_and(|active| {
            let bytes = active.log_bytes.saturating_add(text.len() as u64);
            active.log_lines < active.limits.log_lines && bytes <= active.limits.log_bytes
        });
        if has_room {
            self.log(level, text);
        }
    }

    /// A promise was rejected that nobody handles yet.
    pub fn rejected(&self, rejection: Rejection) {
        if let Some(mut active) = self.active()
            && active.unhandled.len() < MOST_REJECTIONS
        {
            active.unhandled.push(rejection);
        }
    }

    /// Somebody handles a promise that was rejected before.
    pub fn handled(&self, promise: v8::Local<v8::Promise>) {
        if let Some(mut active) = self.active() {
            active.unhandled.retain(|(other, _)| *other != promise);
        }
    }

    /// Queues an action; answers its id.
    pub fn queue(&self, kind: String, params_json: String) -> String {
        let Some(mut active) = self.active() else { return String::new() };
        let id = format!("action_{}", active.actions.len() + 1);
        active.action_bytes += params_json.len() as u64;
        let most = u64::from(active.limits.actions).min(MAX_ACTIONS as u64);
        if active.actions.len() as u64 >= most {
            self.hit(LimitKind::Actions, most);
        } else if active.action_bytes > active.limits.output_bytes {
            self.hit(LimitKind::Output, active.limits.output_bytes);
        } else {
            active.actions.push(Action { id: id.clone(), kind, params_json });
        }
        id
    }

    /// Asks the daemon to fetch something; answers the number of the request.
    pub fn fetch(&self, ask: impl FnOnce(RunId, u32) -> FetchRequest) -> u32 {
        let Some(mut active) = self.active() else { return 0 };
        if active.fetches >= active.limits.fetches {
            self.hit(LimitKind::Fetches, active.limits.fetches.into());
            return 0;
        }
        active.fetches += 1;
        let id = active.fetches;
        active.pending_fetches.insert(id);
        if self.link.send(&ToDaemon::FetchRequest(ask(active.id, id))).is_err() {
            self.hit(LimitKind::Output, MAX_FRAME_BYTES as u64);
        }
        id
    }

    /// Arms a timer; answers its number.
    pub fn arm_timer(&self, after: Duration, repeat: bool) -> u32 {
        let Some(mut active) = self.active() else { return 0 };
        if active.timers.count() as u64 >= u64::from(active.limits.timers) {
            self.hit(LimitKind::Timers, active.limits.timers.into());
            return 0;
        }
        active.timers.arm(Instant::now(), after, repeat)
    }
}

/// What must be known of a run to tell why it threw. A copy, because finding out may run tenant code.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts {
    pub refused: bool,
    pub stack_bytes: u64,
    pub buffer_bytes: u64,
}

impl Active {
    pub fn facts(&self) -> Facts {
        Facts {
            refused: self.refused,
            stack_bytes: self.limits.stack_bytes,
            buffer_bytes: self.limits.buffer_bytes,
        }
    }

    /// Nobody waits for this request any more; false where nobody did.
    pub fn forget_fetch(&mut self, id: u32) -> bool {
        self.pending_fetches.remove(&id)
    }

    /// Whether anything can still happen by itself.
    pub fn waits(&self) -> bool {
        self.timers.count() > 0 || !self.pending_fetches.is_empty()
    }
}
