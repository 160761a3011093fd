//! Makes the startup snapshot that the host is built around.

#[path = "src/snapshot.rs"]
mod snapshot;

use std::{env, error::Error, fs, path::Path};
use v8::MapFnTo;

/// The prelude, as one function of the natives.
const PRELUDE: &str = concat!(
    "(function (host) {\n'use strict';\n",
    include_str!("src/prelude/primordials.js"),
    include_str!("src/prelude/errors.js"),
    "const makeInspect = () => {\n",
    include_str!("src/prelude/inspect.js"),
    "};\n",
    include_str!("src/prelude/console.js"),
    "const makeDevpack = () => {\n",
    include_str!("src/prelude/devpack.js"),
    "};\n",
    include_str!("src/prelude/timers.js"),
    "const makeText = () => {\n",
    include_str!("src/prelude/text.js"),
    "};\nconst makeCrypto = () => {\n",
    include_str!("src/prelude/crypto.js"),
    "};\nconst makeNetwork = () => {\n",
    include_str!("src/prelude/url.js"),
    include_str!("src/prelude/abort.js"),
    include_str!("src/prelude/fetch.js"),
    "};\n",
    include_str!("src/prelude/run.js"),
    "\n})"
);

/// Globals that `make` in `run.js` makes when they are first asked for.
const LAZY: [&str; 14] = [
    "AbortController",
    "AbortSignal",
    "Devpack",
    "Headers",
    "Response",
    "TextDecoder",
    "TextEncoder",
    "URL",
    "URLSearchParams",
    "atob",
    "btoa",
    "crypto",
    "fetch",
    "structuredClone",
];

/// Stands for the native at place `N` of the table. What it does does not matter, but two of them must not be one
/// function, so each does something else.
fn stand_in<const N: u32>(
    _: &mut v8::PinScope,
    _: v8::FunctionCallbackArguments,
    mut rv: v8::ReturnValue<v8::Value>,
) {
    rv.set_uint32(N);
}

/// Stands for the getter of what is made when it is first asked for.
fn stand_in_for_lazy(
    _: &mut v8::PinScope,
    _: v8::Local<v8::Name>,
    _: v8::PropertyCallbackArguments,
    _: v8::ReturnValue<v8::Value>,
) {
}

macro_rules! stand_ins {
    ($($n:literal)*) => { [$(stand_in::<$n>.map_fn_to()),*] };
}

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script its folder by the environment")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/snapshot.rs");
    println!("cargo::rerun-if-changed=src/prelude");
    v8::V8::set_flags_from_string(snapshot::FLAGS);
    v8::V8::initialize_platform(v8::new_default_platform(1, false).make_shared());
    v8::V8::initialize();
    let blob = make(stand_ins!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24))?;
    let out = env::var_os("OUT_DIR").ok_or("cargo names no OUT_DIR")?;
    fs::write(Path::new(&out).join("snapshot.bin"), &*blob)?;
    Ok(())
}

/// Makes the blob.
fn make(table: snapshot::Table) -> Result<v8::StartupData, String> {
    let mut creator =
        v8::Isolate::snapshot_creator(Some(snapshot::references(table, stand_in_for_lazy).into()), None);
    fill(&mut creator, table)?;
    creator.create_blob(v8::FunctionCodeHandling::Keep).ok_or_else(|| "V8 made no snapshot".to_owned())
}

fn fill(creator: &mut v8::OwnedIsolate, table: snapshot::Table) -> Result<(), String> {
    v8::scope!(let scope, creator);
    let context = v8::Context::new(scope, v8::ContextOptions::default());
    let scope = &mut v8::ContextScope::new(scope, context);
    v8::tc_scope!(let scope, scope);
    let Some(entries) = run_prelude(scope, table) else {
        let message = scope.message().map(|message| {
            let text = message.get(scope).to_rust_string_lossy(scope);
            format!("{text} at line {}", message.get_line_number(scope).unwrap_or(0))
        });
        return Err(message.unwrap_or_else(|| "the prelude gave nothing".to_owned()));
    };
    for entry in entries {
        scope.add_context_data(context, entry);
    }
    let global = context.global(scope);
    for name in LAZY {
        snapshot::offer(scope, global, name, stand_in_for_lazy).ok_or("V8 takes no lazy property")?;
    }
    scope.set_default_context(context);
    Ok(())
}

fn run_prelude<'s>(
    scope: &v8::PinScope<'s, '_>,
    table: snapshot::Table,
) -> Option<Vec<v8::Local<'s, v8::Function>>> {
    let text = v8::String::new(scope, PRELUDE)?;
    let name = v8::String::new(scope, "sl:prelude")?;
    let origin = v8::ScriptOrigin::new(scope, name.into(), -2, 0, false, 0, None, false, false, false, None);
    let mut source = v8::script_compiler::Source::new(text, Some(&origin));
    let script = v8::script_compiler::compile(
        scope,
        &mut source,
        v8::script_compiler::CompileOptions::EagerCompile,
        v8::script_compiler::NoCacheReason::NoReason,
    )?;
    let prelude = v8::Local::<v8::Function>::try_from(script.run(scope)?).ok()?;
    let host = host_object(scope, table)?;
    let nothing = v8::undefined(scope).into();
    let made = prelude.call(scope, nothing, &[host.into()])?;
    let made = v8::Local::<v8::Object>::try_from(made).ok()?;
    snapshot::ENTRIES
        .iter()
        .map(|name| {
            let name = v8::String::new(scope, name)?;
            v8::Local::<v8::Function>::try_from(made.get(scope, name.into())?).ok()
        })
        .collect()
}

fn host_object<'s>(
    scope: &v8::PinScope<'s, '_>,
    table: snapshot::Table,
) -> Option<v8::Local<'s, v8::Object>> {
    let object = v8::Object::new(scope);
    for (name, function) in snapshot::NATIVES.into_iter().zip(table) {
        let name = v8::String::new(scope, name)?;
        let function = v8::Function::builder_raw(function)
            .constructor_behavior(v8::ConstructorBehavior::Throw)
            .build(scope)?;
        object.set(scope, name.into(), function.into())?;
    }
    Some(object)
}
