//! One run: call the function, drive what it waits for, put its result into words.

use crate::{
    active::{Shared, Stage},
    code::Code,
    engine::Kept,
    exit, faults,
    given::{Given, number},
    link::Received,
    realm::{Entry, Realm},
};
use sl_js_protocol::{
    Ending, FetchOutcome, FetchReply, FetchResponse, LimitHit, LimitKind, LogLevel, Run, Thrown, ToHost,
    one_line,
};
use std::time::{Duration, Instant};

/// The evaluated function, for a realm that is kept, and whether a module exports it.
pub type Function = (v8::Global<v8::Value>, bool);

/// So many rejections that nobody handled are told one by one.
const MOST_TOLD: usize = 10;

/// Why a run stops being outcome.
enum Stop {
    /// Something was thrown, and is caught in the scope; or the run was told to stop.
    Caught,
    Ended(Ending),
}

/// Runs a function in a fresh realm.
pub fn first(
    isolate: &mut v8::OwnedIsolate,
    realm: &Realm,
    shared: &Shared,
    run: &Run,
    code: &Code,
) -> (Ending, Option<Function>) {
    v8::scope!(let scope, isolate);
    let context = v8::Local::new(scope, &realm.context);
    context.set_allow_generation_from_strings(run.options.allow_eval);
    let scope = &mut v8::ContextScope::new(scope, context);
    v8::tc_scope!(let scope, scope);
    let driver = Driver { shared, realm, run };
    let mut function = None;
    let outcome = driver.begin(scope).and_then(|given| {
        let (value, is_module) = driver.evaluate(scope, code)?;
        function = Some((v8::Global::new(scope, value), is_module));
        driver.call(scope, value, &given.arguments(is_module))
    });
    let caught = scope.exception().filter(|_| !scope.has_terminated());
    (driver.ending(scope, outcome, caught), function)
}

/// Runs a function in the realm that it kept.
pub fn again(isolate: &mut v8::OwnedIsolate, kept: &Kept, shared: &Shared, run: &Run) -> Ending {
    v8::scope!(let scope, isolate);
    let context = v8::Local::new(scope, &kept.realm.context);
    context.set_allow_generation_from_strings(run.options.allow_eval);
    let scope = &mut v8::ContextScope::new(scope, context);
    v8::tc_scope!(let scope, scope);
    let driver = Driver { shared, realm: &kept.realm, run };
    let forgotten = kept.realm.call(scope, Entry::Forget, &[]).ok_or(Stop::Caught);
    let outcome = forgotten.and_then(|_| driver.begin(scope)).and_then(|given| {
        let value = v8::Local::new(scope, &kept.function);
        driver.call(scope, value, &given.arguments(kept.is_module))
    });
    let caught = scope.exception().filter(|_| !scope.has_terminated());
    driver.ending(scope, outcome, caught)
}

struct Driver<'a> {
    shared: &'a Shared,
    realm: &'a Realm,
    run: &'a Run,
}

impl Driver<'_> {
    /// Makes what the function is given, and says where the run is.
    fn begin<'s>(&self, scope: &v8::PinScope<'s, '_>) -> Result<Given<'s>, Stop> {
        let begun = || {
            let given = Given::new(scope, self.run)?;
            given.publish(scope, self.run.options.allow_wasm)?;
            let stage = Stage {
                context: self.realm.context.clone(),
                make: self.realm.entry(Entry::Make)?.clone(),
                given: v8::Global::new(scope, given.context),
            };
            self.shared.active()?.stage = Some(stage);
            Some(given)
        };
        begun().ok_or(Stop::Caught)
    }

    /// The function, or the value that stands for one, and whether a module exports it.
    fn evaluate<'s>(
        &self,
        scope: &mut v8::PinScope<'s, '_>,
        code: &Code,
    ) -> Result<(v8::Local<'s, v8::Value>, bool), Stop> {
        let evaluated = code.evaluate(scope).ok_or(Stop::Caught)?;
        let Some(module) = evaluated.module else { return Ok((evaluated.value, false)) };
        self.settle(scope, evaluated.value)?;
        let default = || {
            let namespace = v8::Local::<v8::Object>::try_from(module.get_module_namespace()).ok()?;
            let name = v8::String::new(scope, "default")?;
            namespace.get(scope, name.into())
        };
        default().map(|value| (value, true)).ok_or(Stop::Caught)
    }

    /// Calls the function, waits for what it promises, and puts it into words.
    fn call(
        &self,
        scope: &mut v8::PinScope,
        value: v8::Local<v8::Value>,
        arguments: &[v8::Local<v8::Value>],
    ) -> Result<Ending, Stop> {
        let value = match v8::Local::<v8::Function>::try_from(value) {
            Ok(function) => {
                let nothing = v8::undefined(scope).into();
                function.call(scope, nothing, arguments).ok_or(Stop::Caught)?
            }
            Err(_) => v8::Local::new(scope, value),
        };
        let value = self.settle(scope, value)?;
        let ending = self.output(scope, value)?;
        if matches!(ending, Ending::Returned { .. }) {
            self.tell_unhandled(scope);
        }
        Ok(ending)
    }

    /// Tells in the log of rejections that nobody handled: they end no run, and are not hidden either.
    fn tell_unhandled(&self, scope: &mut v8::PinScope) {
        let unhandled = self.shared.active().map(|mut active| std::mem::take(&mut active.unhandled));
        for (_, error) in unhandled.unwrap_or_default().into_iter().take(MOST_TOLD) {
            let error = v8::Local::new(scope, error);
            let Thrown { class, message, .. } = faults::thrown(scope, error);
            let line = one_line(&format!("Unhandled promise rejection: {class}: {message}"));
            self.shared.remark(LogLevel::Warn, line);
        }
    }

    /// Runs what is waiting to run, and waits for a promise.
    fn settle<'s>(
        &self,
        scope: &mut v8::PinScope<'s, '_>,
        value: v8::Local<'s, v8::Value>,
    ) -> Result<v8::Local<'s, v8::Value>, Stop> {
        loop {
            scope.perform_microtask_checkpoint();
            self.pump(scope);
            if self.shared.watch.verdict().is_some() {
                return Err(Stop::Caught);
            }
            self.check_uncaught(scope)?;
            let Ok(promise) = v8::Local::<v8::Promise>::try_from(value) else { return Ok(value) };
            match promise.state() {
                v8::PromiseState::Fulfilled => return Ok(promise.result(scope)),
                v8::PromiseState::Rejected => {
                    let error = promise.result(scope);
                    return Err(Stop::Ended(self.threw(scope, error)));
                }
                v8::PromiseState::Pending => self.step(scope)?,
            }
        }
    }

    /// Lets V8 finish what it does beside the main thread for tenant code, which only WebAssembly asks for.
    fn pump(&self, scope: &mut v8::PinScope) {
        if self.run.options.allow_wasm {
            let platform = v8::V8::get_current_platform();
            while v8::Platform::pump_message_loop(&platform, scope, false) {
                scope.perform_microtask_checkpoint();
            }
        }
    }

    fn check_uncaught(&self, scope: &mut v8::PinScope) -> Result<(), Stop> {
        let uncaught = self.shared.active().and_then(|mut active| active.uncaught.take());
        match uncaught {
            Some(error) => {
                let error = v8::Local::new(scope, error);
                Err(Stop::Ended(self.threw(scope, error)))
            }
            None => Ok(()),
        }
    }

    /// Waits for the next thing to happen, and lets it.
    fn step(&self, scope: &mut v8::PinScope) -> Result<(), Stop> {
        let now = Instant::now();
        let compiling = (self.run.options.allow_wasm && scope.has_pending_background_tasks())
            .then(|| now + Duration::from_millis(1));
        let (due, next) = match self.shared.active() {
            Some(mut active) if active.waits() || compiling.is_some() => {
                (active.timers.take_due(now), active.timers.next_due())
            }
            _ => return Err(Stop::Ended(Ending::Unsettled)),
        };
        if let Some(timer) = due {
            let timer = v8::Integer::new_from_unsigned(scope, timer).into();
            return self.realm.call(scope, Entry::FireTimer, &[timer]).map(drop).ok_or(Stop::Caught);
        }
        let wall = self.shared.watch.wall_deadline();
        let until = [next, wall, compiling].into_iter().flatten().min();
        match self.shared.link.receive(until) {
            Received::TimedOut => self.shared.watch.judge_wall(Instant::now()),
            Received::Message(ToHost::FetchReply(reply)) => self.deliver(scope, reply)?,
            Received::Message(ToHost::Cancel(run)) => self.shared.watch.cancel(run),
            // Nothing else may be asked of a host that is busy.
            Received::Message(_) | Received::Closed => exit::now(0),
        }
        Ok(())
    }

    fn deliver(&self, scope: &mut v8::PinScope, reply: FetchReply) -> Result<(), Stop> {
        let awaited = reply.run == self.run.id
            && self.shared.active().is_some_and(|mut active| active.forget_fetch(reply.id));
        if !awaited {
            return Ok(());
        }
        let called = match reply.outcome {
            FetchOutcome::Response(response) => self.deliver_response(scope, reply.id, response),
            FetchOutcome::Failed { code, message } => self.deliver_failure(scope, reply.id, &code, &message),
        };
        called.ok_or(Stop::Caught)
    }

    fn deliver_response(&self, scope: &mut v8::PinScope, id: u32, response: FetchResponse) -> Option<()> {
        let text = |text: &str| v8::String::new(scope, text).map(v8::Local::<v8::Value>::from);
        let headers: Option<Vec<_>> =
            response.headers.iter().flat_map(|(name, value)| [name, value]).map(|part| text(part)).collect();
        let arguments = [
            v8::Integer::new_from_unsigned(scope, id).into(),
            v8::Integer::new_from_unsigned(scope, response.status.into()).into(),
            text(&response.status_text)?,
            text(&response.url)?,
            v8::Boolean::new(scope, response.redirected).into(),
            v8::Array::new_with_elements(scope, &headers?).into(),
            number(scope, response.body.len() as u64),
        ];
        if let Some(mut active) = self.shared.active() {
            active.body = response.body;
        }
        self.realm.call(scope, Entry::SettleFetch, &arguments).map(drop)
    }

    fn deliver_failure(&self, scope: &mut v8::PinScope, id: u32, code: &str, message: &str) -> Option<()> {
        let arguments = [
            v8::Integer::new_from_unsigned(scope, id).into(),
            v8::String::new(scope, code)?.into(),
            v8::String::new(scope, message)?.into(),
        ];
        self.realm.call(scope, Entry::FailFetch, &arguments).map(drop)
    }

    /// The result as the JSON of an object: objects as they are, nothing as an empty one, anything else as its
    /// `result`. Tenant code may run here (`toJSON`, getters, proxies), under the run's limits.
    fn output(&self, scope: &v8::PinScope, value: v8::Local<v8::Value>) -> Result<Ending, Stop> {
        if value.is_undefined() || value.is_function() || value.is_symbol() {
            return Ok(Ending::Returned { output_json: "{}".to_owned() });
        }
        let text = v8::json::stringify(scope, value).ok_or(Stop::Caught)?;
        let bound = self.run.limits.output_bytes;
        if text.length() as u64 > bound {
            return Ok(too_long(bound));
        }
        let json = text.to_rust_string_lossy(scope);
        let output_json = match json.as_str() {
            "undefined" | "null" => "{}".to_owned(),
            object if object.starts_with('{') => json,
            other => format!("{{\"result\":{other}}}"),
        };
        if output_json.len() as u64 > bound {
            return Ok(too_long(bound));
        }
        Ok(Ending::Returned { output_json })
    }

    fn threw(&self, scope: &mut v8::PinScope, error: v8::Local<v8::Value>) -> Ending {
        let facts = self.shared.active().map(|active| active.facts()).unwrap_or_default();
        faults::ending(scope, error, facts)
    }

    fn ending(
        &self,
        scope: &mut v8::PinScope,
        outcome: Result<Ending, Stop>,
        caught: Option<v8::Local<v8::Value>>,
    ) -> Ending {
        match (outcome, caught) {
            (Ok(ending) | Err(Stop::Ended(ending)), _) => ending,
            (Err(Stop::Caught), Some(error)) => self.threw(scope, error),
            // It was told to stop, which whoever told it knows more of.
            (Err(Stop::Caught), None) => Ending::Cancelled,
        }
    }
}

fn too_long(bound: u64) -> Ending {
    Ending::Limit(LimitHit { limit: LimitKind::Output, bound, stack: Vec::new() })
}
