//! What tenant code throws, as it is told to its author: class, message, and places in his own source.

use crate::{active::Facts, natives};
use sl_js_protocol::{CompileFault, Ending, Frame, LimitHit, LimitKind, Thrown};

/// The name of tenant code in a stack.
pub const SOURCE_NAME: &str = "function.js";

const MOST_FRAMES: usize = 32;
const MOST_MESSAGE: usize = 8 << 10;
const MOST_NAME: usize = 256;

/// How a run ends that threw `error`.
pub fn ending(scope: &mut v8::PinScope, error: v8::Local<v8::Value>, facts: Facts) -> Ending {
    let thrown = thrown(scope, error);
    if let Some((limit, bound)) = exhausted(&thrown, facts) {
        return Ending::Limit(LimitHit { limit, bound, stack: thrown.stack });
    }
    if is_denied(scope, error, &thrown, facts) {
        return Ending::Denied(thrown);
    }
    Ending::Threw(thrown)
}

/// V8 tells tenant code of two limits by an error that can be caught; where it was not, the limit is what ended the run.
fn exhausted(thrown: &Thrown, facts: Facts) -> Option<(LimitKind, u64)> {
    if thrown.class != "RangeError" {
        return None;
    }
    match thrown.message.as_str() {
        "Maximum call stack size exceeded" => Some((LimitKind::Stack, facts.stack_bytes)),
        "Array buffer allocation failed" => Some((LimitKind::Buffers, facts.buffer_bytes)),
        _ => None,
    }
}

fn is_denied(scope: &v8::PinScope, error: v8::Local<v8::Value>, thrown: &Thrown, facts: Facts) -> bool {
    let by_v8 = facts.refused && thrown.class == "EvalError";
    let by_us = || {
        let object = v8::Local::<v8::Object>::try_from(error).ok()?;
        object.has_private(scope, natives::denied_mark(scope)?)
    };
    by_v8 || by_us() == Some(true)
}

/// Class, message and stack of anything that was thrown. Reading them may run tenant code (getters): the run's limits
/// must still hold.
pub fn thrown(scope: &mut v8::PinScope, error: v8::Local<v8::Value>) -> Thrown {
    v8::tc_scope!(let scope, scope);
    let (class, message) = match v8::Local::<v8::Object>::try_from(error) {
        Ok(object) if error.is_native_error() => (class(scope, object), message(scope, object)),
        _ => ("Error".to_owned(), as_text(scope, error)),
    };
    Thrown {
        class: shorten(class, MOST_NAME),
        message: shorten(message, MOST_MESSAGE),
        stack: stack(scope, error),
    }
}

/// The error's own `name` where it has a telling one, otherwise its constructor's.
fn class(scope: &v8::PinScope, error: v8::Local<v8::Object>) -> String {
    match text_property(scope, error, "name") {
        Some(name) if !name.is_empty() && name != "Error" => name,
        _ => error.get_constructor_name().to_rust_string_lossy(scope),
    }
}

fn message(scope: &v8::PinScope, error: v8::Local<v8::Object>) -> String {
    text_property(scope, error, "message").unwrap_or_default()
}

fn text_property(scope: &v8::PinScope, object: v8::Local<v8::Object>, name: &str) -> Option<String> {
    let name = v8::String::new(scope, name)?;
    let value = object.get(scope, name.into())?;
    let text = v8::Local::<v8::String>::try_from(value).ok()?;
    Some(text.to_rust_string_lossy(scope))
}

/// Something that is no error, as its author would recognise it: an object as JSON where it has any, everything else as
/// V8 shows it without calling anything of it.
fn as_text(scope: &v8::PinScope, value: v8::Local<v8::Value>) -> String {
    let json = value.is_object().then(|| v8::json::stringify(scope, value)).flatten();
    let text = json.or_else(|| value.to_detail_string(scope));
    text.map(|text| text.to_rust_string_lossy(scope)).unwrap_or_default()
}

fn stack(scope: &v8::PinScope, error: v8::Local<v8::Value>) -> Vec<Frame> {
    v8::Exception::get_stack_trace(scope, error).map(|trace| frames(scope, trace)).unwrap_or_default()
}

/// Where tenant code is now, innermost first.
pub fn here(scope: &v8::PinScope) -> Vec<Frame> {
    v8::StackTrace::current_stack_trace(scope, MOST_FRAMES)
        .map(|trace| frames(scope, trace))
        .unwrap_or_default()
}

fn frames(scope: &v8::PinScope, trace: v8::Local<v8::StackTrace>) -> Vec<Frame> {
    (0..trace.get_frame_count())
        .filter_map(|at| trace.get_frame(scope, at))
        .filter(|frame| is_tenants(scope, frame))
        .map(|frame| Frame {
            function: frame
                .get_function_name(scope)
                .map(|name| shorten(name.to_rust_string_lossy(scope), MOST_NAME))
                .unwrap_or_default(),
            line: small(frame.get_line_number()),
            column: small(frame.get_column()),
        })
        .take(MOST_FRAMES)
        .collect()
}

fn is_tenants(scope: &v8::PinScope, frame: &v8::StackFrame) -> bool {
    frame.get_script_name(scope).is_some_and(|name| name.to_rust_string_lossy(scope) == SOURCE_NAME)
}

/// Why a source did not compile, from the error that is caught in `message`.
pub fn compile_fault(
    scope: &mut v8::PinScope,
    error: v8::Local<v8::Value>,
    message: Option<v8::Local<v8::Message>>,
) -> CompileFault {
    let Thrown { class, message: text, .. } = thrown(scope, error);
    let line = message.and_then(|message| message.get_line_number(scope)).unwrap_or(1);
    // V8 gives -1 where it does not know the column.
    let column = message.map_or(0, |message| message.get_start_column()).wrapping_add(1);
    CompileFault { class, message: text, line: small(line.max(1)), column: small(column.max(1)) }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn shorten(mut text: String, most: usize) -> String {
    if text.len() > most {
        let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push_str("...");
    }
    text
}
