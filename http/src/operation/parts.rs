//! Who may call an operation, and what it answers.

use std::sync::Arc;

use actix_web::web::Bytes;
use sl_actors::{
    caller::{Caller, Scope},
    idempotency::Ticket,
};
use uuid::Uuid;

use crate::{front::Front, live::Session};

/// Who may call an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Anybody, without a token.
    Open,
    /// A token of this scope; operators have all.
    Scope(Scope),
    /// An operator.
    Operator,
}

impl Needs {
    /// As the document says it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Scope(Scope::Read) => "read",
            Self::Scope(Scope::Run) => "run",
            Self::Scope(Scope::Write) => "write",
            Self::Scope(Scope::Admin) => "admin",
            Self::Operator => "operator",
        }
    }
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// JSON.
    Json,
    /// No body.
    Nothing,
    /// Text of this media type.
    Text(&'static str),
    /// Server-sent events.
    Events,
}

/// What an operation answers.
pub enum Body {
    /// JSON, written.
    Json(Vec<u8>),
    /// No body.
    Nothing,
    /// Text of a media type.
    Text(&'static str, Bytes),
    /// Server-sent events.
    Events(Box<Session>),
}

/// What an operation answers, and with which status where that is not the usual one.
pub struct Answer {
    /// The status, where it is not the operation's.
    pub status: Option<u16>,
    /// The body.
    pub body: Body,
}

/// Who does it, for which account.
pub struct Performer {
    /// The front end.
    pub front: Arc<Front>,
    /// The account of the path, or the system.
    pub account: Uuid,
    /// Who asks.
    pub caller: Arc<Caller>,
    /// What makes the request repeatable.
    pub ticket: Option<Arc<Ticket>>,
    /// The token that came with the request; streams look at it again and again.
    pub token: String,
}
