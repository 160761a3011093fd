//! Logged lines.

use super::{shared, text};
use sl_js_protocol::{LogLevel, one_line};

/// `log(level, text)`.
pub fn log(scope: &mut v8::PinScope, args: v8::FunctionCallbackArguments, _: v8::ReturnValue<v8::Value>) {
    let level = match args.get(0).uint32_value(scope) {
        Some(0) => LogLevel::Debug,
        Some(2) => LogLevel::Warn,
        Some(3) => LogLevel::Error,
        _ => LogLevel::Info,
    };
    let line = one_line(&text(scope, &args, 1));
    if let Some(shared) = shared(scope) {
        shared.log(level, line);
    }
}
