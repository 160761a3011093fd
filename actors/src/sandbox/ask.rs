//! A run and a compilation from beginning to end: a host, a question, an answer, a report.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use secrecy::ExposeSecret as _;
use sl_js_protocol::{
    CodeKey, Compile, Done, Ending as Said, FrameFault, Run as Question, RunId, RunLimits, Secrets, Source,
    ToHost, encode,
};
use sl_store::{Code, Fault};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use zeroize::Zeroize;

use super::{
    conversation::{Answer, Broken, Conversation},
    host::{Fate, Host},
    pool::{Lease, Pool},
    report,
    run::{CompileError, Ending, Failure, HostCalls, LogLine, Report, Run},
};

/// How long the end of a dead host is waited for, to tell why it died.
const INQUEST: Duration = Duration::from_millis(250);
/// What compiling a source may take.
const COMPILE_TIME: Duration = Duration::from_secs(2);

/// See [`super::Sandbox::run`].
pub(super) async fn run(
    pool: &Arc<Pool>,
    run: Run,
    calls: &Arc<dyn HostCalls>,
    cancel: &CancellationToken,
) -> Result<Report, Fault> {
    let lease = tokio::select! {
        biased;
        () = cancel.cancelled() => return Ok(never_begun()),
        lease = pool.checkout(run.account) => lease?,
    };
    let (account, limits) = (run.account, run.limits.clone());
    let mut asked = Asked::new(lease, run);
    let begun = Instant::now();
    let (answer, logs) = asked.ask(&limits, pool.limits.grace, calls, cancel).await?;
    let wall = begun.elapsed();
    let usage = answer.as_ref().ok().map(|done| done.usage).unwrap_or_default();
    let ending = match answer {
        Ok(done) => asked.close(account, *done, &limits),
        Err(broken) => Ending::Failed(asked.bury(account, &broken, &limits).await),
    };
    let (cpu, heap_peak_bytes) = (usage.cpu, usage.heap_peak_bytes);
    Ok(Report { ending, begun: true, logs, cpu, wall, heap_peak_bytes })
}

/// See [`super::Sandbox::compile`].
pub(super) async fn compile(
    pool: &Arc<Pool>,
    account: Uuid,
    source: &str,
) -> Result<Result<(), CompileError>, Fault> {
    let mut lease = pool.checkout(account).await?;
    let limits = RunLimits { cpu: COMPILE_TIME, wall: COMPILE_TIME, ..RunLimits::default() };
    let host = lease.host()?;
    let id = host.next_run();
    let question = Compile { id, source: source.to_owned(), limits: limits.clone() };
    let frames = frames(host, &ToHost::Compile(question))?;
    let never = CancellationToken::new();
    let answer =
        Conversation::new(id, host.pid, &limits, pool.limits.grace, None, &never).hold(host, frames).await;
    let compiled = match answer {
        Ok(Answer::Compiled(compiled)) => compiled,
        Ok(Answer::Done(_)) => return Err(Fault::internal("a run was answered where a source was compiled")),
        Err(broken) => {
            tracing::warn!(account_id = %account, host_pid = host.pid, why = %broken, "A JavaScript host died compiling");
            let detail = "the source takes more time or memory to compile than it may";
            return Err(Fault::field("/source", "too_complex", detail));
        }
    };
    if !compiled.leaving && host.incoming.is_silent() {
        lease.give_back();
    }
    Ok(compiled.fault.map_or(Ok(()), |fault| Err(report::compile_error(fault))))
}

/// One run's question and the host that it is put to.
struct Asked {
    lease: Lease,
    message: ToHost,
    source: Arc<str>,
    code: CodeKey,
}

type Told = (Result<Box<Done>, Broken>, Vec<LogLine>);

impl Asked {
    fn new(lease: Lease, run: Run) -> Self {
        let code = CodeKey(run.version_id.into_bytes());
        let secrets =
            run.secrets.iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned()));
        let question = Question {
            id: RunId(0),
            code,
            source: Source::Known,
            params_json: run.params_json,
            secrets: Secrets(secrets.collect()),
            context: run.context,
            limits: run.limits,
            options: run.options,
        };
        Self { lease, message: ToHost::Run(Box::new(question)), source: run.source, code }
    }

    /// Puts the question; again with the source's text where the host has forgotten it.
    async fn ask(
        &mut self,
        limits: &RunLimits,
        grace: Duration,
        calls: &Arc<dyn HostCalls>,
        cancel: &CancellationToken,
    ) -> Result<Told, Fault> {
        let host = self.lease.host()?;
        let mut known = host.knows(self.code);
        loop {
            let id = host.next_run();
            if let ToHost::Run(question) = &mut self.message {
                question.id = id;
                question.source =
                    if known { Source::Known } else { Source::Text(self.source.as_ref().to_owned()) };
            }
            let frames = frames(host, &self.message)?;
            let mut conversation = Conversation::new(id, host.pid, limits, grace, Some(calls), cancel);
            let answer = conversation.hold(host, frames).await;
            match answer {
                Ok(Answer::Done(done)) if known && done.ending == Said::SourceUnknown => known = false,
                Ok(Answer::Done(done)) => return Ok((Ok(done), conversation.logs)),
                // The conversation takes no such answer to a run.
                Ok(Answer::Compiled(_)) => return Ok((Err(Broken::Closed), conversation.logs)),
                Err(broken) => return Ok((Err(broken), conversation.logs)),
            }
        }
    }

    /// The host has answered: it is free again, unless it leaves or did not keep to the language.
    fn close(mut self, account: Uuid, done: Done, limits: &RunLimits) -> Ending {
        let leaving = done.leaving;
        let (ending, mut violation) = report::ending(done, limits);
        let (pid, silent) = self.lease.host().map_or((0, true), |host| (host.pid, host.incoming.is_silent()));
        if !silent && violation.is_none() {
            violation = Some("it went on after its last word".to_owned());
        }
        if let Some(what) = violation {
            tracing::warn!(account_id = %account, host_pid = pid, why = what, "A JavaScript host broke the rules");
        } else if !leaving {
            self.lease.give_back();
        }
        ending
    }

    /// The host has not answered: it is killed, and what it died of is told.
    async fn bury(mut self, account: Uuid, broken: &Broken, limits: &RunLimits) -> Failure {
        let Ok(host) = self.lease.host() else { return report::broken(broken, None, limits) };
        let (pid, fate) = (host.pid, host.fate.clone());
        if !matches!(broken, Broken::Closed) {
            host.doom.cancel();
        }
        let fate: Option<Fate> = tokio::time::timeout(INQUEST, fate.wait()).await.ok().cloned();
        let failure = report::broken(broken, fate.as_ref(), limits);
        let status = fate.map(|fate| fate.status);
        tracing::warn!(
            account_id = %account, host_pid = pid, why = %broken, status, code = failure.code,
            "A JavaScript host ended within a run"
        );
        failure
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let ToHost::Run(question) = &mut self.message {
            question.secrets.0.values_mut().for_each(Zeroize::zeroize);
        }
    }
}

/// What is written to the host: whom it belongs to, where it has not been told, and the message.
fn frames(host: &mut Host, message: &ToHost) -> Result<Vec<u8>, Fault> {
    let refused = |fault: FrameFault| match fault {
        FrameFault::TooLarge { bytes, most } => {
            let detail =
                format!("source, params and secrets have {bytes} bytes together; {most} are allowed");
            Fault::new(Code::TooLarge, detail)
        }
        fault => Fault::internal(fault),
    };
    let mut frames = host.introduction().map_err(refused)?;
    let frame = encode(message).map_err(refused)?;
    if frames.is_empty() {
        return Ok(frame);
    }
    frames.extend_from_slice(&frame);
    Ok(frames)
}

fn never_begun() -> Report {
    let ending = Ending::Failed(Failure::plain("cancelled", "the run was cancelled before it began"));
    let nothing = Duration::ZERO;
    Report { ending, begun: false, logs: Vec::new(), cpu: nothing, wall: nothing, heap_peak_bytes: 0 }
}
