//! Whoever runs tenant code is watched from a second thread: CPU time, time, resident memory, cancelling. What goes
//! too far is told to stop; what does not stop is answered for, and the process ends.

use crate::{exit, heap, link::Link, place};
use sl_js_protocol::{Done, Ending, Frame, LimitHit, LimitKind, RunId, RunLimits, ToDaemon, ToHost, Usage};
use std::{
    fs::File,
    os::unix::fs::FileExt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How often a running function is looked at.
const TICK: Duration = Duration::from_millis(5);
/// So many looks that find nothing new the watch takes after the last run, before it sleeps until the next one: while
/// runs follow each other closely, none of them has to wake it.
const LINGER: u32 = 4;
/// How long tenant code may take to tell where it is, before it is stopped without.
const TO_TELL: Duration = Duration::from_millis(5);
/// How long tenant code may take to stop once it was told to.
const GRACE: Duration = Duration::from_millis(100);
/// The same where memory is what it takes too much of.
const MEMORY_GRACE: Duration = Duration::from_millis(25);

/// Why a run was told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Limit(LimitKind, u64),
    Cancelled,
}

impl Verdict {
    /// How a run ends that was told this while it was at this place.
    pub fn ending(self, stack: Vec<Frame>) -> Ending {
        match self {
            Self::Limit(limit, bound) => Ending::Limit(LimitHit { limit, bound, stack }),
            Self::Cancelled => Ending::Cancelled,
        }
    }
}

/// What both threads know of the run. One exists for the process.
pub struct Watch {
    state: Mutex<State>,
    begun: Condvar,
}

#[derive(Default)]
struct State {
    armed: Option<Armed>,
    /// A cancel that came before its run.
    cancelled: Option<RunId>,
    sleeping: bool,
    runs: u64,
}

struct Armed {
    run: RunId,
    handle: v8::IsolateHandle,
    cpu: (Duration, u64),
    cpu_begun: Duration,
    wall: (Instant, u64),
    begun: Instant,
    heap_bytes: u64,
    resident_bytes: u64,
    verdict: Option<(Verdict, Instant)>,
}

impl Armed {
    fn judge(&mut self, verdict: Verdict) {
        if self.verdict.is_none() {
            self.verdict = Some((verdict, Instant::now()));
        }
        place::stop(&self.handle);
    }
}

impl Watch {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), begun: Condvar::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on `run` is watched. Called by the thread that will run it.
    pub fn arm(&self, run: RunId, limits: &RunLimits, handle: v8::IsolateHandle) {
        let begun = Instant::now();
        let mut armed = Armed {
            run,
            handle,
            cpu: (limits.cpu, micros(limits.cpu)),
            cpu_begun: own_cpu_time(),
            wall: (begun + limits.wall, micros(limits.wall)),
            begun,
            heap_bytes: limits.heap_bytes,
            resident_bytes: limits.resident_bytes,
            verdict: None,
        };
        let mut state = self.state();
        if state.cancelled.take() == Some(run) {
            armed.judge(Verdict::Cancelled);
        }
        state.armed = Some(armed);
        state.runs += 1;
        if state.sleeping {
            self.begun.notify_one();
        }
    }

    fn sleep_until_armed(&self) {
        let mut state = self.state();
        while state.armed.is_none() {
            state.sleeping = true;
            state = self.begun.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.sleeping = false;
    }

    /// The run has ended: what it was told, and what it took.
    pub fn disarm(&self) -> (Option<Verdict>, Usage) {
        let Some(armed) = self.state().armed.take() else {
            return (None, Usage::default());
        };
        let usage = Usage {
            cpu: own_cpu_time().saturating_sub(armed.cpu_begun),
            wall: armed.begun.elapsed(),
            ..Usage::default()
        };
        (armed.verdict.map(|(verdict, _)| verdict), usage)
    }

    /// Tells the run to stop if its time is up.
    pub fn judge_wall(&self, now: Instant) {
        if let Some(armed) = &mut self.state().armed
            && now >= armed.wall.0
        {
            armed.judge(Verdict::Limit(LimitKind::Wall, armed.wall.1));
        }
    }

    /// Tells the run to stop because its heap is full.
    pub fn judge_heap(&self) {
        if let Some(armed) = &mut self.state().armed {
            armed.judge(Verdict::Limit(LimitKind::Heap, armed.heap_bytes));
        }
    }

    /// Tells the run to stop; the first verdict stays.
    pub fn judge(&self, verdict: Verdict) {
        if let Some(armed) = &mut self.state().armed {
            armed.judge(verdict);
        }
    }

    /// Whether the run was told to stop.
    pub fn verdict(&self) -> Option<Verdict> {
        let state = self.state();
        state.armed.as_ref().and_then(|armed| armed.verdict.map(|(verdict, _)| verdict))
    }

    /// When the run's time is up.
    pub fn wall_deadline(&self) -> Option<Instant> {
        self.state().armed.as_ref().map(|armed| armed.wall.0)
    }

    /// Stops `run`, whether it has begun or not.
    pub fn cancel(&self, run: RunId) {
        let mut state = self.state();
        match &mut state.armed {
            Some(armed) if armed.run == run => armed.judge(Verdict::Cancelled),
            _ => state.cancelled = Some(run),
        }
    }

    /// Answers for a run whose process is about to die of what `verdict` makes of its heap bound, or of what it was
    /// told before. Called by the thread that runs it.
    pub fn answer_for(&self, link: &Link, verdict: impl FnOnce(u64) -> Verdict) {
        let mut state = self.state();
        if let Some(armed) = state.armed.take() {
            let verdict = armed.verdict.map_or_else(|| verdict(armed.heap_bytes), |(first, _)| first);
            link.try_send(&ToDaemon::Done(Box::new(last_words(&armed, verdict, own_cpu_time()))));
        }
    }
}

/// What is told of a run whose process ends with it, by the CPU clock of the thread that ran it.
fn last_words(armed: &Armed, verdict: Verdict, cpu_now: Duration) -> Done {
    let cpu = cpu_now.saturating_sub(armed.cpu_begun);
    Done {
        run: armed.run,
        ending: verdict.ending(Vec::new()),
        actions: Vec::new(),
        usage: Usage { cpu, wall: armed.begun.elapsed(), heap_peak_bytes: heap::peak(), ..Usage::default() },
        leaving: true,
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// CPU time of the calling thread.
pub fn own_cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    duration(time.tv_sec, time.tv_nsec)
}

fn duration(seconds: i64, nanos: i64) -> Duration {
    Duration::new(u64::try_from(seconds).unwrap_or(0), u32::try_from(nanos).unwrap_or(0))
}

/// The watching thread's own things.
pub struct Watcher {
    watch: Arc<Watch>,
    link: Arc<Link>,
    clock: ThreadClock,
    resident: Option<ResidentMemory>,
}

impl Watcher {
    /// Must be called on the thread that will run tenant code. `statm` is where the process's memory is read.
    pub fn new(watch: Arc<Watch>, link: Arc<Link>, statm: Option<File>) -> Self {
        Self { watch, link, clock: ThreadClock::own(), resident: statm.map(ResidentMemory::new) }
    }

    /// Watches for the life of the process.
    pub fn run(&self) -> ! {
        let (mut idle, mut seen) = (0, 0);
        loop {
            std::thread::sleep(self.check());
            let runs = self.watch.state().runs;
            idle = if runs == seen { idle + 1 } else { 0 };
            seen = runs;
            if idle >= LINGER {
                self.watch.sleep_until_armed();
            }
        }
    }

    /// Looks at the run once; answers how long to wait before the next look.
    fn check(&self) -> Duration {
        if self.watch.state().armed.is_none() {
            return TICK;
        }
        self.listen();
        let resident = self.resident.as_ref().and_then(ResidentMemory::bytes);
        let mut state = self.watch.state();
        let Some(armed) = &mut state.armed else { return TICK };
        let now = Instant::now();
        if let Some((verdict, since)) = armed.verdict {
            let since = now.duration_since(since);
            self.insist(armed, verdict, since, resident);
            if since >= TO_TELL {
                armed.handle.terminate_execution();
            }
            return Duration::from_millis(1);
        }
        let cpu_left = (armed.cpu_begun + armed.cpu.0).saturating_sub(self.clock.now());
        let wall_left = armed.wall.0.saturating_duration_since(now);
        if cpu_left.is_zero() {
            armed.judge(Verdict::Limit(LimitKind::Cpu, armed.cpu.1));
        } else if wall_left.is_zero() {
            armed.judge(Verdict::Limit(LimitKind::Wall, armed.wall.1));
        } else if resident.is_some_and(|bytes| armed.resident_bytes > 0 && bytes > armed.resident_bytes) {
            armed.judge(Verdict::Limit(LimitKind::Resident, armed.resident_bytes));
        }
        TICK.min(cpu_left).min(wall_left).max(Duration::from_millis(1))
    }

    /// Ends the process where tenant code did not stop in time, or memory runs away meanwhile.
    fn insist(&self, armed: &Armed, verdict: Verdict, since: Duration, resident: Option<u64>) {
        let memory =
            matches!(verdict, Verdict::Limit(LimitKind::Heap | LimitKind::Buffers | LimitKind::Resident, _));
        let runaway = resident.is_some_and(|bytes| {
            armed.resident_bytes > 0 && bytes > armed.resident_bytes + armed.resident_bytes / 2
        });
        if since > if memory { MEMORY_GRACE } else { GRACE } || runaway {
            self.link.try_send(&ToDaemon::Done(Box::new(last_words(armed, verdict, self.clock.now()))));
            exit::now(0);
        }
    }

    /// Reads what the daemon says meanwhile.
    fn listen(&self) {
        let open = self.link.look(|message| match message {
            ToHost::Cancel(run) => {
                self.watch.cancel(run);
                None
            }
            ToHost::Quit => exit::now(0),
            message => Some(message),
        });
        if !open {
            exit::now(0);
        }
    }
}

/// The CPU clock of one thread, readable from the others.
struct ThreadClock(libc::clockid_t);

impl ThreadClock {
    #[expect(unsafe_code, reason = "no safe wrapper names another thread's clock")]
    fn own() -> Self {
        let mut clock = libc::CLOCK_PROCESS_CPUTIME_ID;
        // SAFETY: both calls take no memory but `clock`, which outlives them; the thread is the calling one. Where
        // the call fails the process's clock stays, which runs no slower.
        unsafe {
            libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock);
        }
        Self(clock)
    }

    #[expect(unsafe_code, reason = "no safe wrapper reads another thread's clock")]
    fn now(&self) -> Duration {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `time` is valid for the call; a clock that no longer exists makes it fail and leaves zero.
        unsafe {
            libc::clock_gettime(self.0, &raw mut time);
        }
        duration(time.tv_sec, time.tv_nsec)
    }
}

/// The process's own resident memory.
struct ResidentMemory {
    statm: File,
    page_bytes: u64,
}

impl ResidentMemory {
    fn new(statm: File) -> Self {
        Self { statm, page_bytes: rustix::param::page_size() as u64 }
    }

    fn bytes(&self) -> Option<u64> {
        let mut text = [0; 128];
        let count = self.statm.read_at(&mut text, 0).ok()?;
        let text = std::str::from_utf8(text.get(..count)?).ok()?;
        let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
        Some(pages * self.page_bytes)
    }
}
