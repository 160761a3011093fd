//! How the report of a run becomes the end of its execution.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use sl_store::Fault;

use super::{
    bounds,
    entity::{Execution, Json, Status},
    view::{self, Failure, LimitHit, LogEntry, StackFrame},
};
use crate::{
    redact::Redactor,
    sandbox::{self, Ending, LogLine, QueuedAction, Report},
};

/// Writes a report into its execution, secrets redacted; answers what the run queued. The lines it logged were taken
/// down while it ran.
pub(super) fn apply(
    execution: &mut Execution,
    report: Report,
    logs: Json,
    redactor: &Redactor,
    now: DateTime<Utc>,
) -> Vec<QueuedAction> {
    execution.completed_at = Some(now);
    execution.cpu_micros = i64::try_from(report.cpu.as_micros()).unwrap_or(i64::MAX);
    execution.heap_peak = i64::try_from(report.heap_peak_bytes).unwrap_or(i64::MAX);
    execution.logs = logs;
    match report.ending {
        Ending::Returned { output, actions } => {
            execution.status = Status::Succeeded;
            execution.output = Some(redacted(output, redactor));
            execution.error = None;
            actions
        }
        Ending::Failed(failure) => {
            let status = match failure.code {
                "wall_limit" => Status::TimedOut,
                "cancelled" => Status::Cancelled,
                _ => Status::Failed,
            };
            end(execution, status, &failed(failure, redactor));
            Vec::new()
        }
    }
}

/// A failure of the service's own making.
pub(super) fn plain(code: impl Into<String>, message: impl Into<String>) -> Failure {
    Failure {
        class: "Error".to_owned(),
        code: code.into(),
        message: message.into(),
        stack: Vec::new(),
        limit: None,
    }
}

/// A fault as a failure of the execution.
pub(super) fn fault(fault: &Fault) -> Failure {
    plain(fault.code.as_str(), fault.detail.clone())
}

/// A logged line as it is shown and kept.
pub(super) fn entry(line: &LogLine, redactor: &Redactor) -> LogEntry {
    LogEntry {
        sequence: line.sequence,
        level: line.level.into(),
        message: redactor.redact(&line.text).into_owned(),
        at: view::millis(line.at),
    }
}

/// Ends an execution without an output.
pub(super) fn end(execution: &mut Execution, status: Status, failure: &Failure) {
    execution.status = status;
    execution.output = None;
    execution.error = Some(view::json(failure));
}

/// An output is taken apart only where something in it may have to go.
fn redacted(output: Json, redactor: &Redactor) -> Json {
    if redactor.is_idle() {
        return output;
    }
    let text = output.get();
    let suspect = matches!(redactor.redact(text), Cow::Owned(_)) || text.contains("\\u");
    if !suspect {
        return output;
    }
    match serde_json::from_str(text) {
        Ok(value) => view::json(&redactor.redact_value(value)),
        Err(_) => view::json(&redactor.redact(text)),
    }
}

fn failed(failure: sandbox::Failure, redactor: &Redactor) -> Failure {
    let frame = |frame: sandbox::Frame| StackFrame {
        function: redactor.redact(&frame.function).into_owned(),
        line: frame.line,
        column: frame.column,
    };
    Failure {
        class: redactor.redact(&failure.class).into_owned(),
        code: failure.code.to_owned(),
        message: redactor.redact(&failure.message).into_owned(),
        stack: failure.stack.into_iter().map(frame).collect(),
        limit: failure.limit.map(|(field, value)| {
            let (setting, value) = bounds::told(field, value);
            LimitHit { setting: setting.to_owned(), value }
        }),
    }
}
