//! What a run is given that waits in the host until it is asked for.

use super::shared;

/// `context() -> object`: the context of the run.
pub fn context(
    scope: &mut v8::PinScope,
    _: v8::FunctionCallbackArguments,
    mut rv: v8::ReturnValue<v8::Value>,
) {
    if let Some(context) = shared(scope).and_then(|shared| shared.staged(|stage| stage.given.clone())) {
        rv.set(v8::Local::new(scope, context).into());
    }
}

/// Makes the global that is read for the first time.
pub fn lazy(
    scope: &mut v8::PinScope,
    name: v8::Local<v8::Name>,
    _: v8::PropertyCallbackArguments,
    mut rv: v8::ReturnValue<v8::Value>,
) {
    let Some(make) = shared(scope).and_then(|shared| shared.staged(|stage| stage.make.clone())) else {
        return;
    };
    let (make, nothing) = (v8::Local::new(scope, make), v8::undefined(scope).into());
    if let Some(value) = make.call(scope, nothing, &[name.into()]) {
        rv.set(value);
    }
}
