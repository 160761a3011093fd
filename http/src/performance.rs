//! Performing a request: for the version that it wants, at most once where it carries a key, and again where others
//! overtake it.

use std::{sync::Arc, time::Duration};

use actix_web::HttpRequest;
use sl_actors::{
    Code, Fault, RetryPolicy, SYSTEM,
    caller::Caller,
    idempotency::{self, Admission, Keyed, Stored, Ticket},
};
use uuid::Uuid;

use crate::{
    etag::Wanted,
    front::Front,
    input::Received,
    operation::{Answer, Operation, Performer, Prepared},
    problem,
};

/// The refusals that are stored as the answer of a request with a key: asking again does not undo them.
const SETTLED: [Code; 3] = [Code::NotFound, Code::InvalidState, Code::Invalid];

/// How a request is performed again that others overtake: it changes what they have left, or finds it at another version.
/// Two daemons whose tenants change the same thing overtake each other, hence the waits.
const AGAIN: RetryPolicy = RetryPolicy {
    base: Duration::from_millis(2),
    cap: Duration::from_millis(50),
    max_attempts: 8,
    max_age: Duration::MAX,
};

/// So often one is performed that finds a name taken: it replaces what has it, or says so.
const TAKEN_ATTEMPTS: u32 = 2;

/// Versions begin with 1.
const NO_VERSION: i64 = 0;

/// The request as its idempotency key stands for it; an empty key is none.
pub(crate) fn keyed<'a>(request: &'a HttpRequest, operation: &Operation) -> Result<Keyed<'a>, Fault> {
    let mut told = request.headers().get_all("idempotency-key");
    let value = told.next().filter(|_| operation.mutates());
    let refused = || Fault::new(Code::Malformed, "Idempotency-Key: 1 to 255 visible ASCII characters, once");
    let key = match value.map(|value| value.to_str()) {
        None => "",
        Some(Ok(key)) if (1..=255).contains(&key.len()) && told.next().is_none() => key,
        Some(_) => return Err(refused()),
    };
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(refused());
    }
    Ok(Keyed { route: request.path(), key, body: &[], status: operation.status })
}

/// A request that is about to be performed.
pub(crate) struct Performance<'a> {
    pub front: &'a Arc<Front>,
    pub operation: &'a Operation,
    pub account: Uuid,
    pub caller: Arc<Caller>,
    pub token: String,
}

/// What became of it.
pub(crate) enum Once {
    /// It was performed.
    Answered(Answer),
    /// It was answered before.
    Replayed(Stored),
}

impl Performance<'_> {
    fn performer(&self, ticket: Option<Arc<Ticket>>) -> Performer {
        Performer {
            front: self.front.clone(),
            account: self.account,
            caller: self.caller.clone(),
            ticket,
            token: self.token.clone(),
        }
    }

    /// Reads the request; where it carries its own proof, after that was seen and before any stored answer is told.
    async fn prepare(&self, received: Received) -> Result<Prepared, Fault> {
        self.operation.prepare(received, self.front.bounds.depth, self.performer(None)).await
    }

    async fn perform(&self, prepared: Prepared, ticket: Option<Arc<Ticket>>) -> Result<Answer, Fault> {
        prepared(self.performer(ticket)).await
    }

    /// Whose the thing is that the path names: an account itself is the system's, which keeps its answers when it has gone.
    fn owner(&self) -> Uuid {
        if self.operation.path_parameters().last() == Some("account") { SYSTEM } else { self.account }
    }

    /// Stores a refusal as the answer of a keyed request, unless another one has its answer.
    async fn refuse(&self, ticket: &Ticket, fault: &Fault) -> Result<bool, Fault> {
        let status = problem::status(fault.code);
        let told = problem::body(fault, status, self.caller.request_id.as_deref().unwrap_or_default());
        ticket.refuse(self.front.runtime.core(), (status.as_u16(), &told)).await
    }

    async fn admit(&self, keyed: Keyed<'_>) -> Result<Admission, Fault> {
        let route = format!("{} {}", self.operation.method, keyed.route);
        let keyed = Keyed { route: &route, ..keyed };
        idempotency::admit(self.front.runtime.core(), self.owner(), keyed).await
    }

    /// Performs a request for the version that it wants. Of several one may match: which, only the attempt tells.
    pub async fn perform_wanted(
        &self,
        received: Received,
        wanted: &Wanted,
        keyed: Keyed<'_>,
    ) -> Result<Once, Fault> {
        let (first, others) = match wanted {
            Wanted::Anything => (None, &[][..]),
            Wanted::Versions(versions) => match versions.split_first() {
                Some((first, others)) => (Some(*first), others),
                None => (Some(NO_VERSION), &[][..]),
            },
        };
        let mut outcome = self.perform_for(received.clone(), first, keyed).await;
        for version in others {
            match outcome {
                Err(fault) if fault.code == Code::VersionMismatch => {
                    outcome = self.perform_for(received.clone(), Some(*version), keyed).await;
                }
                _ => break,
            }
        }
        let alone = matches!(wanted, Wanted::Versions(versions) if versions.len() == 1);
        outcome.map_err(|fault| match fault.code {
            Code::VersionMismatch if !alone => {
                Fault::new(Code::VersionMismatch, "none of the tags of If-Match is that of its version")
            }
            _ => fault,
        })
    }

    async fn perform_for(
        &self,
        received: Received,
        expected: Option<i64>,
        keyed: Keyed<'_>,
    ) -> Result<Once, Fault> {
        let received = Received { expected, ..received };
        let mut attempt = 1;
        loop {
            let fault = match self.attempt(received.clone(), keyed).await {
                Err(fault) if fault.code == Code::Conflict => fault,
                outcome => return outcome,
            };
            let fraction = self.front.runtime.core().chance.fraction();
            let wait = match AGAIN.next(attempt, Duration::ZERO, None, fraction) {
                Some(wait) if fault.fields.is_empty() => wait,
                Some(_) if attempt < TAKEN_ATTEMPTS => Duration::ZERO,
                _ => return Err(fault),
            };
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, received: Received, keyed: Keyed<'_>) -> Result<Once, Fault> {
        let prepared = self.prepare(received).await?;
        match keyed.key {
            "" => Ok(Once::Answered(self.perform(prepared, None).await?)),
            _ => self.perform_once(prepared, keyed).await,
        }
    }

    /// Performs a request at most once. Where another daemon was quicker, its answer is ours.
    async fn perform_once(&self, prepared: Prepared, keyed: Keyed<'_>) -> Result<Once, Fault> {
        let ticket = match self.admit(keyed).await? {
            Admission::Replay(stored) => return Ok(Once::Replayed(stored)),
            Admission::Fresh(ticket) => ticket,
        };
        let fault = match self.perform(prepared, Some(ticket.clone())).await {
            Ok(answer) => return Ok(Once::Answered(answer)),
            Err(fault) => fault,
        };
        let overtaken = match fault.code {
            code if SETTLED.contains(&code) => !self.refuse(&ticket, &fault).await?,
            code => [Code::Conflict, Code::VersionMismatch].contains(&code),
        };
        drop(ticket);
        if overtaken && let Admission::Replay(stored) = self.admit(keyed).await? {
            return Ok(Once::Replayed(stored));
        }
        Err(fault)
    }
}
