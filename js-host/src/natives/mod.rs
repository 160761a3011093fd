//! The functions that the prelude calls. Tenant code cannot reach them but through it; even so each one treats its
//! arguments as hostile, and counts what it does against the run's limits.

#![expect(clippy::needless_pass_by_value, reason = "the signature of a native is V8's")]

mod bytes;
mod console;
mod control;
mod fetch;
mod given;
mod url;

pub use bytes::random_bytes;
pub use control::{denied, denied_mark};
pub use given::lazy;

use crate::{active::Shared, snapshot};
use std::rc::Rc;
use v8::MapFnTo;

/// The functions behind the names of [`snapshot::NATIVES`].
pub fn table() -> snapshot::Table {
    [
        console::log.map_fn_to(),
        control::queue_action.map_fn_to(),
        control::arm_timer.map_fn_to(),
        control::disarm_timer.map_fn_to(),
        control::queue_microtask.map_fn_to(),
        control::uncaught.map_fn_to(),
        control::deny.map_fn_to(),
        control::structured_clone.map_fn_to(),
        bytes::utf8_length.map_fn_to(),
        bytes::utf8_write.map_fn_to(),
        bytes::utf8_decode.map_fn_to(),
        bytes::utf8_tail.map_fn_to(),
        bytes::atob.map_fn_to(),
        bytes::btoa.map_fn_to(),
        bytes::fill_random.map_fn_to(),
        bytes::random_uuid.map_fn_to(),
        url::parse.map_fn_to(),
        url::set.map_fn_to(),
        url::form_parse.map_fn_to(),
        url::form_serialize.map_fn_to(),
        fetch::fetch.map_fn_to(),
        fetch::forget.map_fn_to(),
        fetch::take_body.map_fn_to(),
        fetch::check_header.map_fn_to(),
        given::context.map_fn_to(),
    ]
}

/// What the natives share; `None` in an isolate that only makes a snapshot.
fn shared(scope: &v8::PinScope<'_, '_>) -> Option<Rc<Shared>> {
    scope.get_slot::<Rc<Shared>>().cloned()
}

/// An argument's text. The prelude passes strings; anything else is told as V8 shows it, without calling it.
fn text(scope: &v8::PinScope<'_, '_>, args: &v8::FunctionCallbackArguments, at: i32) -> String {
    match v8::Local::<v8::String>::try_from(args.get(at)) {
        Ok(text) => text.to_rust_string_lossy(scope),
        Err(_) => String::new(),
    }
}

/// Answers a text; where V8 cannot hold it, its own error is thrown.
fn answer_text(scope: &v8::PinScope<'_, '_>, rv: &mut v8::ReturnValue<v8::Value>, text: &str) {
    if let Some(text) = v8::String::new(scope, text) {
        rv.set(text.into());
    }
}

/// Throws a `TypeError`.
fn throw_type_error(scope: &v8::PinScope<'_, '_>, message: &str) {
    if let Some(message) = v8::String::new(scope, message) {
        scope.throw_exception(v8::Exception::type_error(scope, message));
    }
}

/// Answers a list of texts.
fn answer_texts<'a>(
    scope: &v8::PinScope<'_, '_>,
    rv: &mut v8::ReturnValue<v8::Value>,
    texts: impl IntoIterator<Item = &'a str>,
) {
    let texts: Option<Vec<v8::Local<v8::Value>>> =
        texts.into_iter().map(|text| v8::String::new(scope, text).map(Into::into)).collect();
    if let Some(texts) = texts {
        rv.set(v8::Array::new_with_elements(scope, &texts).into());
    }
}

/// The texts of a list that the prelude made.
fn texts(scope: &v8::PinScope<'_, '_>, value: v8::Local<v8::Value>) -> Vec<String> {
    let Ok(array) = v8::Local::<v8::Array>::try_from(value) else { return Vec::new() };
    (0..array.length())
        .filter_map(|at| array.get_index(scope, at))
        .map(|item| match v8::Local::<v8::String>::try_from(item) {
            Ok(text) => text.to_rust_string_lossy(scope),
            Err(_) => String::new(),
        })
        .collect()
}
