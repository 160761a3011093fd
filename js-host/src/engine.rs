//! One account's isolate, what is kept in it between runs, and the loop that drives a run.

use crate::{
    active::Shared,
    buffers::Buffers,
    code::{self, Code, Codes, Failure},
    faults::SOURCE_NAME,
    heap,
    isolate::{self, Shape},
    realm::Realm,
    run,
    watch::{Verdict, Watch},
};
use sl_js_protocol::{
    CodeKey, Compile, CompileFault, Compiled, Done, Ending, Frame, LimitKind, Run, RunId, RunLimits, Secrets,
    Source, Usage,
};
use std::{collections::HashMap, rc::Rc, sync::Arc};

/// Everything that runs tenant code.
pub struct Engine {
    blob: v8::StartupData,
    shared: Rc<Shared>,
    watch: Arc<Watch>,
    room: Option<Room>,
}

/// An isolate and what lives in it. The handles are dropped before the isolate is.
struct Room {
    codes: Codes,
    kept: HashMap<CodeKey, Kept>,
    spares: Vec<Realm>,
    buffers: Arc<Buffers>,
    shape: Shape,
    isolate: v8::OwnedIsolate,
}

/// A realm that a function asked to keep, with the function evaluated.
pub struct Kept {
    pub realm: Realm,
    pub function: v8::Global<v8::Value>,
    pub is_module: bool,
    /// What its runs were given; what it made of that is not for a run that is given something else.
    pub secrets: Secrets,
}

/// What is known of a run when it is over.
struct Finished {
    verdict: Option<Verdict>,
    stopped_at: Vec<Frame>,
    usage: Usage,
}

/// More functions than this do not keep their realms in one host.
const MOST_KEPT: usize = 4;

impl Engine {
    /// Makes the isolate and the first realm.
    pub fn new(blob: v8::StartupData, shared: Rc<Shared>, heap_bytes: u64) -> Self {
        let watch = Arc::clone(&shared.watch);
        let mut engine = Self { blob, shared, watch, room: None };
        let limits = RunLimits { heap_bytes, ..RunLimits::default() };
        engine.fit(&limits);
        engine.prepare();
        engine
    }

    /// Makes a realm before it is needed; answers whether there is room for another.
    pub fn prepare(&mut self) -> bool {
        let Some(room) = &mut self.room else { return false };
        let most = room.shape.spares();
        if room.spares.len() < most {
            let Some(realm) = Realm::new(&mut room.isolate) else { return false };
            room.spares.push(realm);
        }
        room.spares.len() < most
    }

    /// Whether there is a realm for the next run.
    pub fn is_prepared(&self) -> bool {
        self.room.as_ref().is_some_and(|room| !room.spares.is_empty())
    }

    /// Nothing is to be done for a while: gives back what the runs have left behind.
    pub fn rest(&mut self) {
        if let Some(room) = &mut self.room {
            room.isolate.low_memory_notification();
        }
    }

    /// The isolate, made anew where it has another shape than these limits want.
    fn fit(&mut self, limits: &RunLimits) -> &mut Room {
        let shape = Shape::new(limits.heap_bytes, limits.stack_bytes);
        if self.room.as_ref().is_some_and(|room| room.shape != shape) {
            self.room = None;
        }
        self.room.get_or_insert_with(|| {
            let buffers = Arc::new(Buffers::default());
            let mut isolate = isolate::make(self.blob.clone(), shape, &buffers, Rc::clone(&self.shared));
            heap::watch(&mut isolate);
            Room {
                codes: Codes::default(),
                kept: HashMap::new(),
                spares: Vec::new(),
                buffers,
                shape,
                isolate,
            }
        })
    }

    /// Says whether a source is a function. Runs nothing of it.
    pub fn compile(&mut self, compile: &Compile) -> Compiled {
        let room = self.begin(compile.id, &compile.limits);
        let outcome = room.compile(&compile.source).map(drop);
        let Finished { verdict, .. } = self.finish();
        let fault = match (verdict, outcome) {
            (Some(verdict), _) => Some(stopped(verdict)),
            (None, Ok(())) => None,
            (None, Err(Failure::Fault(fault))) => Some(fault),
            (None, Err(Failure::Stopped)) => Some(stopped(Verdict::Cancelled)),
        };
        Compiled { id: compile.id, fault, leaving: verdict.is_some_and(spoils) }
    }

    /// Runs a function.
    pub fn run(&mut self, run: &Run) -> Done {
        let shared = Rc::clone(&self.shared);
        let room = self.begin(run.id, &run.limits);
        let ending = room.run(&shared, run);
        let actions = shared.active().map(|mut active| std::mem::take(&mut active.actions));
        let Finished { verdict, stopped_at, usage } = self.finish();
        let ending = verdict.map_or(ending, |verdict| verdict.ending(stopped_at));
        let returned = matches!(ending, Ending::Returned { .. });
        let leaving = verdict.is_some_and(spoils);
        Done {
            run: run.id,
            ending,
            actions: actions.filter(|_| returned).unwrap_or_default(),
            usage,
            leaving,
        }
    }

    /// Stops a run that has not begun.
    pub fn cancel(&self, run: RunId) {
        self.watch.cancel(run);
    }

    /// From here on everything counts.
    fn begin(&mut self, id: RunId, limits: &RunLimits) -> &mut Room {
        let shared = Rc::clone(&self.shared);
        shared.begin(id, limits.clone());
        let room = self.fit(limits);
        room.buffers.begin(limits.buffer_bytes);
        shared.watch.arm(id, limits, room.isolate.thread_safe_handle());
        room
    }

    /// Ends what was begun: nothing of it runs any further.
    fn finish(&mut self) -> Finished {
        let (verdict, mut usage) = self.watch.disarm();
        let stopped_at = self.shared.end().map(|active| active.stopped_at).unwrap_or_default();
        if let Some(room) = &mut self.room {
            room.clear_microtasks();
            usage.heap_peak_bytes = heap::take_peak(&mut room.isolate);
            usage.buffer_peak_bytes = room.buffers.peak();
        }
        Finished { verdict, stopped_at, usage }
    }
}

impl Room {
    fn compile(&mut self, source: &str) -> Result<Code, Failure> {
        let Some(realm) = self.fresh() else { return Err(Failure::Stopped) };
        let code = compile_in(&mut self.isolate, &realm, source);
        self.spares.push(realm);
        code
    }

    fn run(&mut self, shared: &Shared, run: &Run) -> Ending {
        if run.options.keep_context
            && let Some(kept) = self.kept.remove(&run.code).filter(|kept| kept.secrets == run.secrets)
        {
            return self.run_kept(shared, run, kept);
        }
        let code = match self.code(run) {
            Ok(code) => code,
            Err(ending) => return ending,
        };
        let Some(realm) = self.fresh() else { return Ending::Cancelled };
        let (ending, function) = run::first(&mut self.isolate, &realm, shared, run, &code);
        if let (true, Some((function, is_module))) = (run.options.keep_context, function) {
            let secrets = run.secrets.clone();
            self.keep(shared, run.code, Kept { realm, function, is_module, secrets });
        }
        ending
    }

    /// A realm in which nothing has run.
    fn fresh(&mut self) -> Option<Realm> {
        self.spares.pop().or_else(|| Realm::new(&mut self.isolate))
    }

    fn run_kept(&mut self, shared: &Shared, run: &Run, kept: Kept) -> Ending {
        let ending = run::again(&mut self.isolate, &kept, shared, run);
        self.keep(shared, run.code, kept);
        ending
    }

    /// Keeps a realm for the next run, unless it was stopped in the middle of something.
    fn keep(&mut self, shared: &Shared, key: CodeKey, kept: Kept) {
        if shared.watch.verdict().is_some() {
            return;
        }
        if self.kept.len() >= MOST_KEPT
            && let Some(other) = self.kept.keys().next().copied()
        {
            self.kept.remove(&other);
        }
        self.kept.insert(key, kept);
    }

    fn code(&mut self, run: &Run) -> Result<Rc<Code>, Ending> {
        if let Some(code) = self.codes.get(run.code) {
            return Ok(code);
        }
        let Source::Text(source) = &run.source else { return Err(Ending::SourceUnknown) };
        match self.compile(source) {
            Ok(code) => Ok(self.codes.insert(run.code, code)),
            Err(Failure::Fault(fault)) => Err(Ending::Uncompilable(fault)),
            Err(Failure::Stopped) => Err(Ending::Cancelled),
        }
    }

    /// Throws away what is left to run, so that nothing of one run happens in the next. A microtask that is begun
    /// while its isolate is told to stop does not get to tenant code, and V8 drops the others with it.
    fn clear_microtasks(&mut self) {
        self.isolate.terminate_execution();
        self.isolate.perform_microtask_checkpoint();
        self.isolate.cancel_terminate_execution();
    }
}

fn compile_in(isolate: &mut v8::OwnedIsolate, realm: &Realm, source: &str) -> Result<Code, Failure> {
    v8::scope!(let scope, isolate);
    let context = v8::Local::new(scope, &realm.context);
    let scope = &mut v8::ContextScope::new(scope, context);
    code::compile(scope, source)
}

/// Whether an isolate is of no further use after this verdict.
fn spoils(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Limit(LimitKind::Heap | LimitKind::Resident, _))
}

fn stopped(verdict: Verdict) -> CompileFault {
    let code = verdict.ending(Vec::new()).code().unwrap_or("stopped");
    CompileFault {
        class: "LimitError".to_owned(),
        message: format!("Compiling {SOURCE_NAME} was stopped: {code}"),
        line: 1,
        column: 1,
    }
}
