//! Actions, timers, microtasks, refusals, clones.

use super::{answer_text, shared, text};
use std::time::Duration;
use v8::{ValueDeserializerHelper, ValueSerializerHelper};

/// `queueAction(kind, params as JSON) -> id`.
pub fn queue_action(
    scope: &mut v8::PinScope,
    args: v8::FunctionCallbackArguments,
    mut rv: v8::ReturnValue<v8::Value>,
) {
    let (kind, params) = (text(scope, &args, 0), text(scope, &args, 1));
    if let Some(shared) = shared(scope) {
        answer_text(scope, &mut rv, &shared.queue(kind, params));
    }
}

/// `armTimer(milliseconds, repeat) -> number`.
pub fn arm_timer(
    scope: &mut v8::PinScope,
    args: v8::FunctionCallbackArguments,
    mut rv: v8::ReturnValue<v8::Value>,
) {
    let milliseconds = args.get(0).number_value(scope).unwrap_or(0.0).clamp(0.0, f64::from(i32::MAX));
    let repeat = args.get(1).boolean_value(scope);
    if let Some(shared) = shared(scope) {
        rv.set_uint32(shared.arm_timer(Duration::from_secs_f64(milliseconds / 1e3), repeat));
    }
}

/// `disarmTimer(number)`.
pub fn disarm_timer(
    scope: &mut v8::PinScope,
    args: v8::FunctionCallbackArguments,
    _: v8::ReturnValue<v8::Value>,
) {
    let id = args.get(0).uint32_value(scope).unwrap_or(0);
    if let Some(shared) = shared(scope)
        && let Some(mut active) = shared.active()
    {
        active.timers.disarm(id);
    }
}

/// `queueMicrotask(function)`.
pub fn queue_microtask(
    scope: &mut v8::PinScope,
    args: v8::FunctionCallbackArguments,
    _: v8::ReturnValue<v8::Value>,
) {
    if let Ok(task) = v8::Local::<v8::Function>::try_from(args.get(0)) {
        scope.enqueue_microtask(task);
    }
}

/// `uncaught(error)`: what a microtask threw ends the run.
pub fn uncaught(
    scope: &mut v8::PinScope,
    args: v8::FunctionCallbackArguments,
    _: v8::ReturnValue<v8::Value>,
) {
    let error = v8::Global::new(scope, args.get(0));
    if let Some(shared) = shared(scope)
        && let Some(mut active) = shared.active()
    {
        active.uncaught.get_or_insert(error);
    }
}

/// `deny(what)`: throws.
pub fn deny(scope: &mut v8::PinScope, args: v8::FunctionCallbackArguments, _: v8::ReturnValue<v8::Value>) {
    let what = text(scope, &args, 0);
    if let Some(error) = denied(scope, &format!("{what} is not allowed here")) {
        scope.throw_exception(error);
    }
}

/// The mark by which a refusal is told from an error that only looks like one.
pub fn denied_mark<'s>(scope: &v8::PinScope<'s, '_>) -> Option<v8::Local<'s, v8::Private>> {
    let name = v8::String::new(scope, "denied")?;
    Some(v8::Private::for_api(scope, Some(name)))
}

/// An error that carries the mark.
pub fn denied<'s>(scope: &v8::PinScope<'s, '_>, message: &str) -> Option<v8::Local<'s, v8::Value>> {
    let message = v8::String::new(scope, message)?;
    let error = v8::Exception::error(scope, message);
    let object = v8::Local::<v8::Object>::try_from(error).ok()?;
    let (key, name) = (v8::String::new(scope, "name")?, v8::String::new(scope, "DeniedError")?);
    object.define_own_property(scope, key.into(), name.into(), v8::PropertyAttribute::DONT_ENUM)?;
    let mark = denied_mark(scope)?;
    object.set_private(scope, mark, v8::Boolean::new(scope, true).into())?;
    Some(error)
}

/// `structuredClone(value, makeError) -> copy`.
pub fn structured_clone(
    scope: &mut v8::PinScope,
    args: v8::FunctionCallbackArguments,
    mut rv: v8::ReturnValue<v8::Value>,
) {
    let context = scope.get_current_context();
    let make_error = v8::Local::<v8::Function>::try_from(args.get(1)).ok();
    let make_error = make_error.map(|function| v8::Global::new(scope, function));
    let serializer = v8::ValueSerializer::new(scope, Box::new(Cloning { make_error }));
    serializer.write_header();
    if serializer.write_value(context, args.get(0)) != Some(true) {
        return;
    }
    let bytes = serializer.release();
    let deserializer = v8::ValueDeserializer::new(scope, Box::new(Restoring), &bytes);
    if deserializer.read_header(context) == Some(true)
        && let Some(copy) = deserializer.read_value(context)
    {
        rv.set(copy);
    }
}

struct Cloning {
    make_error: Option<v8::Global<v8::Function>>,
}

impl v8::ValueSerializerImpl for Cloning {
    fn throw_data_clone_error<'s>(
        &self,
        scope: &mut v8::PinScope<'s, '_>,
        message: v8::Local<'s, v8::String>,
    ) {
        let error = self.make_error.as_ref().and_then(|make| {
            let nothing = v8::undefined(scope).into();
            v8::Local::new(scope, make).call(scope, nothing, &[message.into()])
        });
        if let Some(error) = error {
            scope.throw_exception(error);
        }
    }
}

struct Restoring;

impl v8::ValueDeserializerImpl for Restoring {}
