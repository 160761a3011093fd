//! The process in which tenant code runs, and nothing else.
//!
//! It is started by the daemon with one socket, closes itself in (`walls`), makes an isolate with a startup snapshot
//! (`snapshot`), and then runs functions of one account (`serve`, `engine`, `run`) until it is told to go or has to.
//! Whatever tenant code may reach is in `prelude` and `natives`; whatever stops it is in `watch`, `buffers` and
//! `dying`. `unsafe` occurs where V8 calls us, and where a system call has no safe wrapper, each with its reason.

mod active;
mod args;
mod buffers;
mod code;
mod dying;
mod engine;
mod exit;
mod faults;
mod given;
mod heap;
mod isolate;
mod link;
mod natives;
mod place;
mod probe;
mod realm;
mod run;
mod serve;
mod snapshot;
mod timers;
mod walls;
mod watch;

use active::Shared;
use args::Args;
use engine::Engine;
use link::Link;
use probe::Probe;
use sl_js_protocol::{Hello, PROTOCOL_VERSION, ToDaemon};
use std::{
    convert::Infallible,
    process::ExitCode,
    sync::{
        Arc,
        mpsc::{self, SyncSender},
    },
    thread,
};
use walls::{Inherited, Walls};
use watch::{Watch, Watcher};

/// Aligned, because V8 reads words of it.
#[repr(align(16))]
struct Aligned<T>(T);

static SNAPSHOT: Aligned<[u8; include_bytes!(concat!(env!("OUT_DIR"), "/snapshot.bin")).len()]> =
    Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/snapshot.bin")));

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args_os().skip(1)) {
        Ok(args) => args,
        Err(message) => {
            eprintln!("sl-js-host: {message}\n{}", args::USAGE);
            return ExitCode::from(64);
        }
    };
    // A mistake of ours must not leave a process behind that does nothing.
    std::panic::set_hook(Box::new(|_| exit::now(101)));
    match start(args) {
        Ok(never) => match never {},
        Err(message) => {
            eprintln!("sl-js-host: {message}");
            ExitCode::from(70)
        }
    }
}

/// How much nicer than the daemon the process is: a tenant's loop must not keep the daemon from answering others.
const NICER: i32 = 5;

/// Lets whatever else runs on the machine go first. No wall: where it is refused, others wait a little longer.
fn yield_to_the_daemon() {
    let _ = rustix::process::nice(NICER);
}

/// Puts up the first walls, starts the thread that runs tenant code, and watches it.
fn start(args: Args) -> Result<Infallible, String> {
    let probe = args.probe.then(Probe::new);
    let inherited = Inherited::take(args.fd)?;
    let walls = walls::early(&inherited);
    yield_to_the_daemon();
    let (watchers, watcher) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("tenant".to_owned())
        .stack_size(isolate::THREAD_STACK)
        .spawn(move || match probe {
            Some(probe) => attack(&args, inherited, walls, &probe),
            None => live(&args, inherited, walls, &watchers),
        })
        .map_err(|error| format!("cannot start a thread: {error}"))?;
    let watcher: Watcher = watcher.recv().map_err(|_| "V8 did not start".to_owned())?;
    watcher.run()
}

/// What the tenant thread does: everything that has to do with V8.
fn live(args: &Args, inherited: Inherited, mut walls: Walls, watchers: &SyncSender<Watcher>) {
    let link = Arc::new(Link::new(inherited.socket));
    let watch = Watch::new();
    start_v8(args.jitless);
    dying::introduce(Arc::clone(&watch), Arc::clone(&link));
    let shared = Shared::new(Arc::clone(&link), Arc::clone(&watch));
    let engine = Engine::new(v8::StartupData::from(&SNAPSHOT.0[..]), shared, args.heap_bytes);
    if watchers.send(Watcher::new(watch, Arc::clone(&link), inherited.memory)).is_err() {
        return;
    }
    walls::late(&mut walls, args.jitless);
    let incomplete = walls.missing().is_some();
    greet(&link, args, walls);
    if args.require_walls && incomplete {
        exit::now(71);
    }
    serve::serve(&link, engine)
}

/// What the tenant thread does instead where the walls are to be tried.
fn attack(args: &Args, inherited: Inherited, mut walls: Walls, probe: &Probe) {
    start_v8(args.jitless);
    walls::late(&mut walls, args.jitless);
    probe.run(inherited.socket, &walls)
}

fn greet(link: &Link, args: &Args, walls: Walls) {
    let hello = Hello {
        protocol: PROTOCOL_VERSION,
        v8: v8::V8::get_version().to_owned(),
        jit: !args.jitless,
        walls: walls.into_vec(),
    };
    // It is far shorter than a frame may be.
    let _ = link.send(&ToDaemon::Hello(hello));
}

/// What realms leave behind is collected at once when the heap has grown, not bit by bit: watching what changes meanwhile
/// makes every allocation dearer, and nobody but the run itself waits for it. The thread that leaves it behind collects it,
/// within the run's CPU limit: a tenant has one processor at a time.
const COLLECTING: &str = "--no-incremental-marking --single-threaded-gc";

/// Starts V8 with one thread of its own, for compiling beside the main thread.
fn start_v8(jitless: bool) {
    v8::V8::set_flags_from_string(snapshot::FLAGS);
    v8::V8::set_flags_from_string(COLLECTING);
    if jitless {
        v8::V8::set_flags_from_string("--jitless");
    }
    v8::V8::set_entropy_source(|bytes: &mut [u8]| {
        natives::random_bytes(bytes);
        true
    });
    v8::V8::initialize_platform(v8::new_default_platform(1, false).make_shared());
    v8::V8::initialize();
    v8::icu::set_default_locale("en-US");
    // Where V8 does not know this zone it has no other.
    let _ = v8::icu::set_default_time_zone("UTC");
}
