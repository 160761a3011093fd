//! What a run is given, as its function sees it.

use crate::{natives, snapshot};
use sl_js_protocol::{Run, RunContext, Secrets};

/// The arguments of a function; an expression is given the secrets, a module the context.
pub struct Given<'s> {
    params: v8::Local<'s, v8::Value>,
    secrets: v8::Local<'s, v8::Object>,
    pub context: v8::Local<'s, v8::Object>,
}

impl<'s> Given<'s> {
    /// Makes them in the current context. `None` where V8 threw or was stopped.
    pub fn new(scope: &v8::PinScope<'s, '_>, run: &Run) -> Option<Self> {
        let params = if run.params_json.is_empty() {
            v8::Object::new(scope).into()
        } else {
            v8::json::parse(scope, v8::String::new(scope, &run.params_json)?)?
        };
        let secrets = secrets(scope, &run.secrets)?;
        let context = context(scope, &run.context, secrets)?;
        Some(Self { params, secrets, context })
    }

    /// Puts them, and what stands for WebAssembly where that is not allowed, among the globals of the current context.
    pub fn publish(&self, scope: &v8::PinScope<'s, '_>, allow_wasm: bool) -> Option<()> {
        let global = scope.get_current_context().global(scope);
        set(scope, global, "params", self.params)?;
        set(scope, global, "secrets", self.secrets.into())?;
        if !allow_wasm {
            snapshot::offer(scope, global, "WebAssembly", natives::lazy)?;
        }
        Some(())
    }

    pub fn arguments(&self, is_module: bool) -> [v8::Local<'s, v8::Value>; 2] {
        [self.params, if is_module { self.context } else { self.secrets }.into()]
    }
}

fn secrets<'s>(scope: &v8::PinScope<'s, '_>, secrets: &Secrets) -> Option<v8::Local<'s, v8::Object>> {
    let object = v8::Object::new(scope);
    for (name, value) in &secrets.0 {
        set(scope, object, name, v8::String::new(scope, value)?.into())?;
    }
    object.set_integrity_level(scope, v8::IntegrityLevel::Frozen)?;
    Some(object)
}

fn context<'s>(
    scope: &v8::PinScope<'s, '_>,
    context: &RunContext,
    secrets: v8::Local<'s, v8::Object>,
) -> Option<v8::Local<'s, v8::Object>> {
    let text = |text: &str| v8::String::new(scope, text).map(v8::Local::<v8::Value>::from);
    let object = v8::Object::new(scope);
    set(scope, object, "functionId", text(&context.function_id)?)?;
    set(scope, object, "functionVersion", number(scope, context.function_version))?;
    set(scope, object, "accountId", text(&context.account_id)?)?;
    set(scope, object, "executionId", text(&context.execution_id)?)?;
    set(scope, object, "attempt", number(scope, context.attempt.into()))?;
    let phase = match &context.phase {
        Some(phase) => text(phase)?,
        None => v8::undefined(scope).into(),
    };
    set(scope, object, "phase", phase)?;
    // Not enumerable: whoever logs or returns the context does not give its secrets away.
    let name = v8::String::new(scope, "secrets")?.into();
    object.define_own_property(scope, name, secrets.into(), v8::PropertyAttribute::DONT_ENUM)?;
    object.set_integrity_level(scope, v8::IntegrityLevel::Frozen)?;
    Some(object)
}

/// Sets a property without asking setters or prototypes.
fn set<'s>(
    scope: &v8::PinScope<'s, '_>,
    object: v8::Local<'s, v8::Object>,
    name: &str,
    value: v8::Local<'s, v8::Value>,
) -> Option<bool> {
    object.create_data_property(scope, v8::String::new(scope, name)?.into(), value)
}

/// A count as a number of JavaScript.
#[expect(clippy::cast_precision_loss, reason = "counts and lengths are below 2^53")]
pub fn number<'s>(scope: &v8::PinScope<'s, '_>, count: u64) -> v8::Local<'s, v8::Value> {
    v8::Number::new(scope, count as f64).into()
}
