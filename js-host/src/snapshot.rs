//! The state from which every context starts: V8's own globals, and the prelude run once.
//!
//! Making it takes more than ten milliseconds, so it is made by the build script, which shares this file. A snapshot
//! refers to native functions by their place in a table; what functions these are matters only where it is used.

/// Flags of V8 that change which globals there are; the same when a snapshot is made and when it is used.
pub const FLAGS: &str = "--no-harmony-temporal --no-harmony-shadow-realm";

/// What the prelude hands to the host, in the order in which a context made from the snapshot gives it back.
pub const ENTRIES: [&str; 5] = ["make", "forget", "fireTimer", "settleFetch", "failFetch"];

/// The natives that the prelude calls, in the order of the table.
pub const NATIVES: [&str; 25] = [
    "log",
    "queueAction",
    "armTimer",
    "disarmTimer",
    "queueMicrotask",
    "uncaught",
    "deny",
    "structuredClone",
    "utf8Length",
    "utf8Write",
    "utf8Decode",
    "utf8Tail",
    "atob",
    "btoa",
    "fillRandom",
    "randomUuid",
    "urlParse",
    "urlSet",
    "formParse",
    "formSerialize",
    "fetch",
    "forgetFetch",
    "takeBody",
    "checkHeader",
    "context",
];

/// Functions in the order of [`NATIVES`].
pub type Table = [v8::FunctionCallback; NATIVES.len()];

/// What makes a global when it is first asked for.
pub type Getter = v8::AccessorNameGetterCallback;

/// The table and the getter as V8 wants them.
pub fn references(table: Table, getter: impl v8::MapFnTo<Getter>) -> Vec<v8::ExternalReference> {
    let natives = table.into_iter().map(|function| v8::ExternalReference { function });
    natives.chain([v8::ExternalReference { pointer: getter.map_fn_to() as *mut _ }]).collect()
}

/// Gives the global object a property that `getter` makes when it is first read. `None` where V8 is out of memory.
pub fn offer(
    scope: &v8::PinScope<'_, '_>,
    global: v8::Local<v8::Object>,
    name: &str,
    getter: impl v8::MapFnTo<Getter>,
) -> Option<bool> {
    let name = v8::String::new(scope, name)?.into();
    let nothing = v8::undefined(scope).into();
    let attributes = v8::PropertyAttribute::DONT_ENUM;
    let effect = || v8::SideEffectType::HasSideEffect;
    global.set_lazy_data_property_with_data(scope, name, getter, nothing, attributes, effect(), effect())
}
