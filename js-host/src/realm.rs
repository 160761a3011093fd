//! A context made from the snapshot, and the prelude's functions in it.

use crate::snapshot::ENTRIES;

/// Globals of their own, shared with nothing. A fresh one takes about a quarter of a millisecond to make.
pub struct Realm {
    pub context: v8::Global<v8::Context>,
    entries: Vec<v8::Global<v8::Function>>,
}

/// The prelude's functions, by their place in [`ENTRIES`].
#[derive(Debug, Clone, Copy)]
pub enum Entry {
    Make,
    Forget,
    FireTimer,
    SettleFetch,
    FailFetch,
}

impl Realm {
    /// Makes a fresh one. `None` only where V8 is out of memory.
    pub fn new(isolate: &mut v8::OwnedIsolate) -> Option<Self> {
        v8::scope!(let scope, isolate);
        let context = v8::Context::new(scope, v8::ContextOptions::default());
        context.set_allow_generation_from_strings(false);
        let scope = &mut v8::ContextScope::new(scope, context);
        let entries: Option<Vec<_>> = (0..ENTRIES.len())
            .map(|at| {
                let entry = scope.get_context_data_from_snapshot_once::<v8::Function>(at).ok()?;
                Some(v8::Global::new(scope, entry))
            })
            .collect();
        Some(Self { context: v8::Global::new(scope, context), entries: entries? })
    }

    /// One of the prelude's functions.
    pub fn entry(&self, entry: Entry) -> Option<&v8::Global<v8::Function>> {
        self.entries.get(entry as usize)
    }

    /// Calls one of the prelude's functions. `None` where it threw or was stopped.
    pub fn call<'s>(
        &self,
        scope: &v8::PinScope<'s, '_>,
        entry: Entry,
        arguments: &[v8::Local<'s, v8::Value>],
    ) -> Option<v8::Local<'s, v8::Value>> {
        let function = v8::Local::new(scope, self.entry(entry)?);
        function.call(scope, v8::undefined(scope).into(), arguments)
    }
}
