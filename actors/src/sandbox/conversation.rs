//! One question to a host, and everything that is said until it is answered.
//!
//! It runs in the caller's own task: the socket is written and read here, fetches are polled here, and one timer serves
//! the wall limit, the grace of a cancelled run and the look at the host's memory.

use std::{fmt, io, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use sl_js_protocol::{
    Compiled, Done, FetchOutcome, FetchReply, FetchRequest, FetchResponse, FrameFault, Log, RunId, RunLimits,
    ToDaemon, ToHost, encode,
};
use sl_store::{Code, Fault};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroize as _;

use super::{
    host::Host,
    memory,
    run::{HostCalls, LogLine},
    tally::Tally,
    wire::Outgoing,
};

/// How often the memory of a running host is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// What a host answered in the end.
pub(super) enum Answer {
    /// To a run.
    Done(Box<Done>),
    /// To a compilation.
    Compiled(Compiled),
}

/// Why a host did not answer. In every case it must be killed, unless it is dead already.
pub(super) enum Broken {
    /// It closed its socket: it has died.
    Closed,
    /// It said something that a host in order never says.
    Violation(String),
    /// It outlived its wall limit.
    Wall,
    /// It outlived its cancellation.
    Cancelled,
    /// It took more memory than it may.
    Memory(u64),
}

impl fmt::Display for Broken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => formatter.write_str("it died"),
            Self::Violation(what) => formatter.write_str(what),
            Self::Wall => formatter.write_str("it outlived its wall limit"),
            Self::Cancelled => formatter.write_str("it outlived its cancellation"),
            Self::Memory(bytes) => write!(formatter, "it had {bytes} bytes of memory"),
        }
    }
}

/// One question, while it is being answered.
pub(super) struct Conversation<'a> {
    pub(super) run: RunId,
    pub(super) limits: &'a RunLimits,
    pub(super) grace: Duration,
    pub(super) calls: Option<&'a Arc<dyn HostCalls>>,
    pub(super) cancel: &'a CancellationToken,
    pub(super) logs: Vec<LogLine>,
    tally: Tally,
    pid: u32,
    outgoing: Vec<u8>,
    written: usize,
    fetches: FuturesUnordered<BoxFuture<'static, (u32, FetchOutcome)>>,
    kill_at: Instant,
    cancelled: bool,
    over_memory: bool,
}

impl<'a> Conversation<'a> {
    /// A question that is about to be put to `host` under these limits.
    pub(super) fn new(
        run: RunId,
        pid: u32,
        limits: &'a RunLimits,
        grace: Duration,
        calls: Option<&'a Arc<dyn HostCalls>>,
        cancel: &'a CancellationToken,
    ) -> Self {
        Self {
            run,
            limits,
            grace,
            calls,
            cancel,
            logs: Vec::new(),
            tally: Tally::default(),
            pid,
            outgoing: Vec::new(),
            written: 0,
            fetches: FuturesUnordered::new(),
            kill_at: Instant::now() + limits.wall + grace,
            cancelled: false,
            over_memory: false,
        }
    }

    /// Puts the question, given as whole frames, and stays until it is answered.
    pub(super) async fn hold(&mut self, host: &mut Host, question: Vec<u8>) -> Result<Answer, Broken> {
        self.outgoing = question;
        let Host { incoming, outgoing, .. } = host;
        let timer = tokio::time::sleep_until(self.next_look());
        tokio::pin!(timer);
        let cancelled = self.cancel.cancelled();
        tokio::pin!(cancelled);
        loop {
            self.write(outgoing);
            tokio::select! {
                heard = incoming.hear() => {
                    if let Some(answer) = self.take(heard.map_err(|fault| broken(&fault))?)? {
                        return Ok(answer);
                    }
                }
                room = outgoing.writable(), if !self.outgoing.is_empty() => room.map_err(|_| Broken::Closed)?,
                Some((id, outcome)) = self.fetches.next(), if !self.fetches.is_empty() => self.reply(id, outcome)?,
                () = cancelled.as_mut(), if !self.cancelled => self.stop()?,
                () = timer.as_mut() => {
                    self.look()?;
                    timer.as_mut().reset(self.next_look());
                    continue;
                }
            }
            if self.cancelled {
                timer.as_mut().reset(self.next_look());
            }
        }
    }

    fn next_look(&self) -> Instant {
        (Instant::now() + LOOK).min(self.kill_at)
    }

    /// Writes as much as the socket takes.
    fn write(&mut self, to: &mut Outgoing) {
        while self.written < self.outgoing.len() {
            match to.write(&self.outgoing[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // What it still said before it died is read first.
                Err(_) => break,
            }
        }
        // It may hold secrets.
        self.outgoing.zeroize();
        self.written = 0;
    }

    /// Takes one message; answers when it is the last.
    fn take(&mut self, message: ToDaemon) -> Result<Option<Answer>, Broken> {
        match message {
            ToDaemon::Log(log) => self.log(log).map(|()| None),
            ToDaemon::FetchRequest(request) => self.fetch(request).map(|()| None),
            ToDaemon::Done(done) if self.calls.is_some() => {
                self.ours(done.run)?;
                Ok(Some(Answer::Done(done)))
            }
            ToDaemon::Compiled(compiled) if self.calls.is_none() => {
                self.ours(compiled.id)?;
                Ok(Some(Answer::Compiled(compiled)))
            }
            ToDaemon::Hello(_) | ToDaemon::Compiled(_) | ToDaemon::Done(_) | ToDaemon::Pong(_) => {
                Err(Broken::Violation("it said something that nobody had asked for".to_owned()))
            }
        }
    }

    fn ours(&self, run: RunId) -> Result<(), Broken> {
        if run == self.run {
            return Ok(());
        }
        Err(Broken::Violation(format!("it spoke of run {} while {} was running", run.0, self.run.0)))
    }

    fn log(&mut self, log: Log) -> Result<(), Broken> {
        self.ours(log.run)?;
        self.tally.line(log.text.len(), log.sequence, self.limits).map_err(Broken::Violation)?;
        let line = LogLine { sequence: log.sequence, level: log.level, text: log.text, at: log.at };
        if let Some(calls) = self.calls {
            calls.log(&line);
        }
        self.logs.push(line);
        Ok(())
    }

    fn fetch(&mut self, request: FetchRequest) -> Result<(), Broken> {
        self.ours(request.run)?;
        self.tally.fetch(request.id, self.limits).map_err(Broken::Violation)?;
        let Some(calls) = self.calls else {
            return Err(Broken::Violation("it fetched without running anything".to_owned()));
        };
        let id = request.id;
        let answer = calls.fetch(request);
        self.fetches.push(answer.map(move |answer| (id, outcome(answer))).boxed());
        Ok(())
    }

    fn reply(&mut self, id: u32, outcome: FetchOutcome) -> Result<(), Broken> {
        let run = self.run;
        let reply = |outcome| ToHost::FetchReply(FetchReply { run, id, outcome });
        match encode(&reply(outcome)) {
            Ok(frame) => {
                self.outgoing.extend_from_slice(&frame);
                Ok(())
            }
            Err(_) => self.say(&reply(failed(&Fault::new(Code::TooLarge, "the response is too large")))),
        }
    }

    /// Asks the host to end the run; it has the grace to do so.
    fn stop(&mut self) -> Result<(), Broken> {
        self.cancelled = true;
        self.kill_at = self.kill_at.min(Instant::now() + self.grace);
        self.say(&ToHost::Cancel(self.run))
    }

    fn say(&mut self, message: &ToHost) -> Result<(), Broken> {
        let frame = encode(message).map_err(|fault| Broken::Violation(fault.to_string()))?;
        self.outgoing.extend_from_slice(&frame);
        Ok(())
    }

    /// Looks at time and memory. The host holds itself to both; this is for a host that no longer does, so memory must be
    /// over its bound twice in a row, or by half at once.
    fn look(&mut self) -> Result<(), Broken> {
        if Instant::now() >= self.kill_at {
            return Err(if self.cancelled { Broken::Cancelled } else { Broken::Wall });
        }
        let bound = self.limits.resident_bytes;
        let over = |bytes: &u64| bound > 0 && *bytes > bound;
        let Some(resident) = memory::resident_bytes(self.pid).filter(over) else {
            self.over_memory = false;
            return Ok(());
        };
        if self.over_memory || resident > bound + bound / 2 {
            return Err(Broken::Memory(resident));
        }
        self.over_memory = true;
        Ok(())
    }
}

fn outcome(answer: Result<FetchResponse, Fault>) -> FetchOutcome {
    answer.map_or_else(|fault| failed(&fault), FetchOutcome::Response)
}

fn failed(fault: &Fault) -> FetchOutcome {
    FetchOutcome::Failed { code: fault.code.as_str().to_owned(), message: fault.detail.clone() }
}

fn broken(fault: &FrameFault) -> Broken {
    match fault {
        FrameFault::Truncated | FrameFault::Io(_) => Broken::Closed,
        FrameFault::TooLarge { .. } | FrameFault::Malformed => Broken::Violation(fault.to_string()),
    }
}
