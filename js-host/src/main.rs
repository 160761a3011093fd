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
mod heap;
mod isolate;
mod link;
mod natives;
mod realm;
mod run;
mod serve;
mod snapshot;
mod timers;
mod watch;

use args::Args;
use std::{
    os::fd::{FromRawFd, OwnedFd},
    process::ExitCode,
    sync::Arc,
};

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
    match start(&args) {
        Ok(never) => match never {},
        Err(message) => {
            eprintln!("sl-js-host: {message}");
            ExitCode::from(70)
        }
    }
}

fn start(args: &Args) -> Result<std::convert::Infallible, String> {
    let link = Arc::new(link::Link::new(socket(args.fd)));
    let watch = watch::Watch::new();
    let t = std::time::Instant::now();
    v8::V8::set_flags_from_string(snapshot::FLAGS);
    let platform = v8::new_default_platform(1, false).make_shared();
    v8::V8::initialize_platform(platform);
    v8::V8::initialize();
    eprintln!("init {:?}", t.elapsed());
    let blob = v8::StartupData::from(&SNAPSHOT.0[..]);
    dying::introduce(Arc::clone(&watch), Arc::clone(&link));
    let watcher = watch::Watcher::new(Arc::clone(&watch), Arc::clone(&link));
    watcher.start().map_err(|error| format!("cannot start the watching thread: {error}"))?;
    let shared = active::Shared::new(Arc::clone(&link), watch);
    let engine = engine::Engine::new(blob, shared, args.heap_bytes);
    eprintln!("engine {:?}", t.elapsed());
    let hello = sl_js_protocol::Hello {
        protocol: sl_js_protocol::PROTOCOL_VERSION,
        v8: v8::V8::get_version().to_owned(),
        jit: !args.jitless,
        walls: Vec::new(),
    };
    let _ = link.send(&sl_js_protocol::ToDaemon::Hello(hello));
    serve::serve(&link, engine)
}

#[expect(unsafe_code, reason = "the socket is inherited by its number")]
fn socket(fd: i32) -> OwnedFd {
    // SAFETY: the daemon leaves this descriptor to us; nothing else in the process knows it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}
