//! The bounds of one run: what the function asks for within its account's, as the sandbox takes them.

use std::time::Duration;

use crate::{
    sandbox::{Options, RunLimits},
    services::functions::{Definition, limits},
    settings::{Setting, Settings},
};

/// How much memory the process of a run may take in all.
pub const RESIDENT: Setting = Setting::bytes(
    "executions.resident",
    256 << 20,
    64 << 20,
    16 << 30,
    "How much memory the process of a run may take in all; catches what lies outside heap and buffers.",
)
.per_account();
/// How deep a run may nest calls.
pub const STACK: Setting =
    Setting::bytes("executions.stack", 984 << 10, 64 << 10, 2 << 20, "How much stack a run may use.")
        .per_account();
/// How many timers of a run may be armed at once.
pub const TIMERS: Setting = Setting::count(
    "executions.timers",
    100,
    0,
    10_000,
    "How many timers of a run may be armed at any one moment.",
)
.per_account();
/// Whether runs may use `eval` and `new Function`.
pub const ALLOW_EVAL: Setting =
    Setting::flag("executions.allow_eval", false, "Whether runs may use eval and new Function.")
        .per_account();
/// Whether runs may use WebAssembly.
pub const ALLOW_WASM: Setting = Setting::flag(
    "executions.allow_wasm",
    false,
    "Whether runs may use WebAssembly; its memories count as memory of the process only.",
)
.per_account();

/// What a run of this function may use.
pub(super) fn limits(definition: &Definition, settings: &Settings) -> RunLimits {
    let asked = &definition.limits;
    let bytes = |setting: &Setting| asked.in_force(setting, settings);
    let time = |setting: &Setting| Duration::from_millis(asked.in_force(setting, settings));
    let count = |setting: &Setting| u32::try_from(asked.in_force(setting, settings)).unwrap_or(u32::MAX);
    RunLimits {
        heap_bytes: bytes(&limits::HEAP),
        buffer_bytes: bytes(&limits::BUFFERS),
        resident_bytes: settings.count(&RESIDENT),
        cpu: time(&limits::CPU),
        wall: time(&limits::WALL),
        stack_bytes: settings.count(&STACK),
        output_bytes: bytes(&limits::OUTPUT),
        log_lines: count(&limits::LOG_LINES),
        log_bytes: bytes(&limits::LOG_BYTES),
        actions: count(&limits::ACTIONS),
        fetches: count(&limits::FETCHES),
        timers: u32::try_from(settings.count(&TIMERS)).unwrap_or(u32::MAX),
    }
}

/// What a run of this function may do beyond the usual.
pub(super) fn options(definition: &Definition, settings: &Settings) -> Options {
    Options {
        allow_eval: settings.flag(&ALLOW_EVAL),
        allow_wasm: settings.flag(&ALLOW_WASM),
        keep_context: definition.keep_context,
    }
}

/// The setting behind a field of the sandbox's limits, and its value in words; times come in microseconds.
pub(super) fn told(field: &'static str, value: u64) -> (&'static str, String) {
    let setting = match field {
        "cpu" => &limits::CPU,
        "wall" => &limits::WALL,
        "heap_bytes" => &limits::HEAP,
        "buffer_bytes" => &limits::BUFFERS,
        "resident_bytes" => &RESIDENT,
        "stack_bytes" => &STACK,
        "output_bytes" => &limits::OUTPUT,
        "log_lines" => &limits::LOG_LINES,
        "log_bytes" => &limits::LOG_BYTES,
        "actions" => &limits::ACTIONS,
        "fetches" => &limits::FETCHES,
        "timers" => &TIMERS,
        other => return (other, value.to_string()),
    };
    let value = if matches!(field, "cpu" | "wall") { value / 1_000 } else { value };
    (setting.name, setting.format(value))
}
