//! The host's life: say hello, be assigned, then one thing at a time until the daemon is done with it.

use crate::{
    engine::Engine,
    exit,
    link::{Link, Received},
};
use sl_js_protocol::{Done, Ending, LimitHit, LimitKind, MAX_FRAME_BYTES, ToDaemon, ToHost};
use std::time::{Duration, Instant};

/// After this long without anything to do the host makes realms for the next runs; at once only where there is none, for
/// whoever hears the answer needs the processor.
const BREATH: Duration = Duration::from_micros(500);
/// After this long without anything to do the host gives memory back.
const REST: Duration = Duration::from_secs(1);

/// Serves until the daemon closes the socket, says `Quit`, or says what it may not; a run that spoils the process ends
/// it too.
pub fn serve(link: &Link, mut engine: Engine) -> ! {
    if !matches!(link.receive(None), Received::Message(ToHost::Assign(_))) {
        exit::now(0);
    }
    let mut idle = Idle::Content;
    loop {
        let leaving = match link.receive(idle.until()) {
            Received::Message(ToHost::Run(run)) => {
                let done = engine.run(&run);
                let leaving = done.leaving;
                answer(link, done);
                leaving
            }
            Received::Message(ToHost::Compile(compile)) => {
                let compiled = engine.compile(&compile);
                let leaving = compiled.leaving;
                let _ = link.send(&ToDaemon::Compiled(compiled));
                leaving
            }
            // Either the run is over, or it is still to come.
            Received::Message(ToHost::Cancel(run)) => {
                engine.cancel(run);
                continue;
            }
            Received::Message(ToHost::FetchReply(_)) => continue,
            Received::TimedOut => {
                idle = idle.pass(&mut engine);
                continue;
            }
            Received::Message(ToHost::Assign(_) | ToHost::Ping(_) | ToHost::Quit) | Received::Closed => {
                exit::now(0)
            }
        };
        if leaving {
            exit::now(0);
        }
        let now = Instant::now();
        idle = Idle::Breathes(if engine.is_prepared() { now + BREATH } else { now });
    }
}

/// What the host does when nothing is asked of it until then.
enum Idle {
    /// It makes the next realm.
    Breathes(Instant),
    /// It gives memory back.
    Rests(Instant),
    /// Nothing: all is done.
    Content,
}

impl Idle {
    const fn until(&self) -> Option<Instant> {
        match self {
            Self::Breathes(until) | Self::Rests(until) => Some(*until),
            Self::Content => None,
        }
    }

    /// Nothing was asked: one thing is done, and what comes next is answered.
    fn pass(&self, engine: &mut Engine) -> Self {
        match self {
            Self::Breathes(_) if engine.prepare() => Self::Breathes(Instant::now() + BREATH),
            Self::Breathes(_) => Self::Rests(Instant::now() + REST),
            Self::Rests(_) | Self::Content => {
                engine.rest();
                Self::Content
            }
        }
    }
}

/// Tells how a run ended. Where that does not fit into a frame, this is how it ended.
fn answer(link: &Link, done: Done) {
    let bound = MAX_FRAME_BYTES as u64;
    let short = Done {
        run: done.run,
        ending: Ending::Limit(LimitHit { limit: LimitKind::Output, bound, stack: Vec::new() }),
        actions: Vec::new(),
        usage: done.usage,
        leaving: done.leaving,
    };
    if link.send(&ToDaemon::Done(Box::new(done))).is_err() {
        let _ = link.send(&ToDaemon::Done(Box::new(short)));
    }
}
