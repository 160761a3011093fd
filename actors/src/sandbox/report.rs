//! From what a host said, or failed to say, to the report of a run.

use std::time::Duration;

use sl_js_protocol::{CompileFault, Done, Ending as Said, Frame, LimitHit, LimitKind, RunLimits, Thrown};

use super::{
    conversation::Broken,
    host::Fate,
    run::{CompileError, Ending, Failure},
    tally::{self, Unusable},
};

/// Texts about an error are cut to so many bytes.
const MESSAGE_BYTES: usize = 16 << 10;
/// Names are cut to so many bytes.
const NAME_BYTES: usize = 256;

/// What a host's last word means. The second is a violation that the host must be killed for.
pub(super) fn ending(done: Done, limits: &RunLimits) -> (Ending, Option<String>) {
    let failure = match done.ending {
        Said::Returned { output_json } => {
            let read = tally::output(output_json, limits).and_then(|output| {
                Ok(Ending::Returned { output, actions: tally::actions(done.actions, limits)? })
            });
            return match read {
                Ok(ending) => (ending, None),
                Err(Unusable::TooDeep) => (Ending::Failed(too_deep()), None),
                Err(Unusable::Violation(what)) => (Ending::Failed(crashed()), Some(what)),
            };
        }
        Said::Threw(thrown) => threw("threw", thrown),
        Said::Denied(thrown) => threw("denied", thrown),
        Said::Limit(hit) => limit(hit),
        Said::Unsettled => Failure::plain(
            "unsettled",
            "the function's promise is pending, and nothing is left that could settle it",
        ),
        Said::Uncompilable(fault) => uncompilable(fault),
        Said::Cancelled => cancelled(),
        Said::SourceUnknown => {
            return (Ending::Failed(crashed()), Some("it forgot a source that it was given".to_owned()));
        }
    };
    (Ending::Failed(failure), None)
}

/// What it means that a host did not answer.
pub(super) fn broken(broken: &Broken, fate: Option<&Fate>, limits: &RunLimits) -> Failure {
    let starved = fate.is_some_and(|fate| fate.out_of_memory);
    match broken {
        Broken::Closed if starved => memory(limits),
        Broken::Closed | Broken::Violation(_) => crashed(),
        Broken::Cancelled => cancelled(),
        Broken::Memory(_) => memory(limits),
        Broken::Wall => {
            let bound = u64::try_from(limits.wall.as_micros()).unwrap_or(u64::MAX);
            limit(LimitHit { limit: LimitKind::Wall, bound, stack: Vec::new() })
        }
    }
}

/// Why a source is no function.
pub(super) fn compile_error(fault: CompileFault) -> CompileError {
    let CompileFault { class, message, line, column } = fault;
    let message = format!("{}: {}", cut(class, NAME_BYTES), cut(message, MESSAGE_BYTES));
    CompileError { message, line, column }
}

fn threw(code: &'static str, thrown: Thrown) -> Failure {
    let Thrown { class, message, stack } = thrown;
    let (class, message) = (cut(class, NAME_BYTES), cut(message, MESSAGE_BYTES));
    Failure { code, class, message, stack: stack.into_iter().map(tidy).collect(), limit: None }
}

fn uncompilable(fault: CompileFault) -> Failure {
    let CompileFault { class, message, line, column } = fault;
    let place = Frame { function: String::new(), line, column };
    threw("uncompilable", Thrown { class, message, stack: vec![place] })
}

fn limit(hit: LimitHit) -> Failure {
    let LimitHit { limit, bound, stack } = hit;
    let failure =
        Failure::plain(limit.code(), format!("the run went over its limit of {}", bound_text(limit, bound)));
    Failure { stack: stack.into_iter().map(tidy).collect(), ..failure }.limited(limit.field(), bound)
}

fn bound_text(limit: LimitKind, bound: u64) -> String {
    let millis = Duration::from_micros(bound).as_millis();
    match limit {
        LimitKind::Cpu => format!("{millis} ms of CPU time"),
        LimitKind::Wall => format!("{millis} ms"),
        LimitKind::Heap => format!("{bound} bytes of heap"),
        LimitKind::Buffers => format!("{bound} bytes of array buffers"),
        LimitKind::Resident => format!("{bound} bytes of memory"),
        LimitKind::Stack => format!("{bound} bytes of stack"),
        LimitKind::Output => format!("{bound} bytes of output"),
        LimitKind::LogLines => format!("{bound} logged lines"),
        LimitKind::LogBytes => format!("{bound} logged bytes"),
        LimitKind::Actions => format!("{bound} actions"),
        LimitKind::Fetches => format!("{bound} fetches"),
        LimitKind::Timers => format!("{bound} timers"),
    }
}

fn memory(limits: &RunLimits) -> Failure {
    limit(LimitHit { limit: LimitKind::Resident, bound: limits.resident_bytes, stack: Vec::new() })
}

fn too_deep() -> Failure {
    Failure::plain("output_limit", "the output or an action is nested more than 127 levels deep")
        .limited("output_depth", 127)
}

fn cancelled() -> Failure {
    Failure::plain("cancelled", "the run was cancelled")
}

fn crashed() -> Failure {
    Failure::plain("crashed", "the process that ran the function ended without an answer")
}

fn tidy(frame: Frame) -> Frame {
    Frame { function: cut(frame.function, NAME_BYTES), ..frame }
}

/// Cuts a text at a character's edge.
fn cut(mut text: String, bytes: usize) -> String {
    if text.len() > bytes {
        text.truncate(text.floor_char_boundary(bytes));
    }
    text
}
