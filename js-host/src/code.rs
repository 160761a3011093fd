//! Sources and what they compile to.
//!
//! A source has one of two forms. A *module* has a default export, `(params, context) => ...`; it imports nothing. An
//! *expression* gives a function, `(params, secrets) => ...`, or a value, which then is the result; one semicolon may
//! follow it. Which of the two a source is shows by trying: where it is neither, the attempt that got further into
//! the text says why. One expression is what is one in brackets of either kind: what closes the one and goes on is not.

use crate::faults::{self, SOURCE_NAME};
use sl_js_protocol::{CodeKey, CompileFault};
use std::{collections::HashMap, rc::Rc};
use v8::script_compiler::{CompileOptions, NoCacheReason, Source};

/// A compiled source; binding it to a context compiles nothing.
pub struct Code {
    form: Form,
}

enum Form {
    Expression(v8::Global<v8::UnboundScript>),
    /// The text stays as a V8 string, whose hash is known; V8 finds what it compiled by it, and what it compiled stays
    /// as long as the second handle.
    Module(
        v8::Global<v8::String>,
        #[expect(dead_code, reason = "keeps V8's cache entry alive")] v8::Global<v8::UnboundModuleScript>,
    ),
}

/// Why there is no code.
pub enum Failure {
    Fault(CompileFault),
    /// Compiling was stopped by a limit.
    Stopped,
}

/// What evaluating a source gives.
pub struct Evaluated<'s> {
    pub value: v8::Local<'s, v8::Value>,
    /// Of a module: pending until its top level has run, then to be asked for the default export.
    pub module: Option<v8::Local<'s, v8::Module>>,
}

/// Compiles a source in the current context, of which nothing is changed.
pub fn compile(scope: &mut v8::PinScope, source: &str) -> Result<Code, Failure> {
    let expression = match compile_expression(scope, without_semicolon(source)) {
        Err(Failure::Fault(fault)) => within(without_semicolon(source), fault),
        decided => return decided,
    };
    let module = match compile_module(scope, source) {
        Err(Failure::Fault(fault)) => within(source.trim_end(), fault),
        decided => return decided,
    };
    let further = (module.line, module.column) > (expression.line, expression.column);
    let is_module = module.class != "SyntaxError";
    Err(Failure::Fault(if further || is_module { module } else { expression }))
}

/// The text without what may follow an expression: blanks, and one semicolon.
fn without_semicolon(source: &str) -> &str {
    let trimmed = source.trim_end();
    trimmed.strip_suffix(';').unwrap_or(trimmed)
}

/// A fault whose place lies in the text: what V8 finds behind it is that it ends too early.
fn within(source: &str, fault: CompileFault) -> CompileFault {
    let (line, column) = end_of(source);
    if (fault.line, fault.column) <= (line, column) {
        return fault;
    }
    let closed = matches!(fault.message.as_str(), "Unexpected token ')'" | "Unexpected token ']'");
    let message = if closed { "Unexpected end of input".to_owned() } else { fault.message };
    CompileFault { message, line, column, ..fault }
}

/// The line and the column behind a text, as V8 counts them.
fn end_of(source: &str) -> (u32, u32) {
    let lines = source.replace("\r\n", "\n");
    let mut lines = lines.split(['\n', '\r', '\u{2028}', '\u{2029}']);
    let last = lines.next_back().unwrap_or_default().encode_utf16().count();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX - 1) + 1;
    (count(lines.count()), count(last))
}

fn compile_expression(scope: &mut v8::PinScope, source: &str) -> Result<Code, Failure> {
    let script = compile_between(scope, "(", source, ")")?;
    compile_between(scope, "[", source, "]")?;
    Ok(Code { form: Form::Expression(script) })
}

fn compile_between(
    scope: &mut v8::PinScope,
    open: &str,
    source: &str,
    close: &str,
) -> Result<v8::Global<v8::UnboundScript>, Failure> {
    v8::tc_scope!(let scope, scope);
    let wrapped = format!("{open}\n{source}\n{close}");
    let script = v8::String::new(scope, &wrapped).and_then(|text| {
        let origin = origin(scope, -1, false)?;
        let mut source = Source::new(text, Some(&origin));
        v8::script_compiler::compile_unbound_script(
            scope,
            &mut source,
            CompileOptions::NoCompileOptions,
            NoCacheReason::NoReason,
        )
    });
    match script {
        Some(script) => Ok(v8::Global::new(scope, script)),
        None => Err(failure(scope)),
    }
}

fn compile_module(scope: &mut v8::PinScope, source: &str) -> Result<Code, Failure> {
    v8::tc_scope!(let scope, scope);
    let Some(text) = v8::String::new(scope, source) else { return Err(failure(scope)) };
    let Some(module) = parse_module(scope, text) else { return Err(failure(scope)) };
    if let Some(fault) = imports(scope, module) {
        return Err(Failure::Fault(fault));
    }
    if module.instantiate_module(scope, no_module).is_none() {
        return Err(failure(scope));
    }
    if !has_default(scope, module) {
        return Err(Failure::Fault(no_function()));
    }
    let unbound = module.get_unbound_module_script(scope);
    Ok(Code { form: Form::Module(v8::Global::new(scope, text), v8::Global::new(scope, unbound)) })
}

fn parse_module<'s>(
    scope: &v8::PinScope<'s, '_>,
    text: v8::Local<v8::String>,
) -> Option<v8::Local<'s, v8::Module>> {
    let origin = origin(scope, 0, true)?;
    v8::script_compiler::compile_module(scope, &mut Source::new(text, Some(&origin)))
}

fn origin<'s>(scope: &v8::PinScope<'s, '_>, line: i32, module: bool) -> Option<v8::ScriptOrigin<'s>> {
    let name = v8::String::new(scope, SOURCE_NAME)?.into();
    Some(v8::ScriptOrigin::new(scope, name, line, 0, false, 0, None, false, false, module, None))
}

/// Where a module imports another, if it does.
fn imports(scope: &v8::PinScope, module: v8::Local<v8::Module>) -> Option<CompileFault> {
    let requests = module.get_module_requests();
    let request = v8::Local::<v8::ModuleRequest>::try_from(requests.get(scope, 0)?).ok()?;
    let place = module.source_offset_to_location(request.get_source_offset());
    let name = request.get_specifier().to_rust_string_lossy(scope);
    let count = |from_zero: i32| u32::try_from(from_zero).unwrap_or(0) + 1;
    Some(CompileFault {
        class: "ImportError".to_owned(),
        message: format!("A function imports nothing, and this one imports {name:?}"),
        line: count(place.get_line_number()),
        column: count(place.get_column_number()),
    })
}

fn has_default(scope: &v8::PinScope, module: v8::Local<v8::Module>) -> bool {
    let found = || {
        let namespace = v8::Local::<v8::Object>::try_from(module.get_module_namespace()).ok()?;
        namespace.has(scope, v8::String::new(scope, "default")?.into())
    };
    found() == Some(true)
}

fn no_function() -> CompileFault {
    CompileFault {
        class: "FormError".to_owned(),
        message: "The source is neither a module with a default export nor one expression".to_owned(),
        line: 1,
        column: 1,
    }
}

/// Never called: a module that imports is refused before.
fn no_module<'s>(
    _: v8::Local<'s, v8::Context>,
    _: v8::Local<'s, v8::String>,
    _: v8::Local<'s, v8::FixedArray>,
    _: v8::Local<'s, v8::Module>,
) -> Option<v8::Local<'s, v8::Module>> {
    None
}

fn failure(scope: &mut v8::PinnedRef<'_, v8::TryCatch<'_, '_, v8::HandleScope<'_>>>) -> Failure {
    match scope.exception() {
        Some(error) if !scope.has_terminated() => {
            let message = scope.message();
            Failure::Fault(faults::compile_fault(scope, error, message))
        }
        _ => Failure::Stopped,
    }
}

impl Code {
    /// Evaluates the source in the current context: from here on tenant code runs. `None` where it threw or was stopped.
    pub fn evaluate<'s>(&self, scope: &v8::PinScope<'s, '_>) -> Option<Evaluated<'s>> {
        match &self.form {
            Form::Expression(script) => {
                let script = v8::Local::new(scope, script).bind_to_current_context(scope);
                Some(Evaluated { value: script.run(scope)?, module: None })
            }
            Form::Module(text, _) => {
                let module = parse_module(scope, v8::Local::new(scope, text))?;
                module.instantiate_module(scope, no_module)?;
                Some(Evaluated { value: module.evaluate(scope)?, module: Some(module) })
            }
        }
    }
}

/// Compiled sources by function version.
#[derive(Default)]
pub struct Codes {
    by_key: HashMap<CodeKey, (Rc<Code>, u64)>,
    uses: u64,
}

/// An account rarely has more functions in use at one time; the least recently used is forgotten.
const MOST_CODES: usize = 64;

impl Codes {
    pub fn get(&mut self, key: CodeKey) -> Option<Rc<Code>> {
        self.uses += 1;
        let (code, used) = self.by_key.get_mut(&key)?;
        *used = self.uses;
        Some(Rc::clone(code))
    }

    pub fn insert(&mut self, key: CodeKey, code: Code) -> Rc<Code> {
        if self.by_key.len() >= MOST_CODES {
            let oldest = self.by_key.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| *key);
            oldest.and_then(|key| self.by_key.remove(&key));
        }
        let code = Rc::new(code);
        self.by_key.insert(key, (Rc::clone(&code), self.uses));
        code
    }
}

#[cfg(test)]
mod tests {
    use super::{end_of, without_semicolon};

    #[test]
    fn a_text_ends_behind_its_last_line() {
        assert_eq!(end_of(""), (1, 1));
        assert_eq!(end_of("a\r\nb\rc\u{2028}d\n"), (5, 1));
        assert_eq!(end_of("a\n\u{1F980}"), (2, 3));
    }

    #[test]
    fn one_semicolon_may_follow_an_expression() {
        assert_eq!(without_semicolon("() => 1;\n "), "() => 1");
        assert_eq!(without_semicolon("() => 1"), "() => 1");
        assert_eq!(without_semicolon("() => 1;;"), "() => 1;");
    }
}
