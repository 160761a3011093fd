//! Who asks.

use uuid::Uuid;

/// What a token allows. Each scope covers itself only; a token lists all it has.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Reads everything of the account but secrets' values.
    Read,
    /// Runs functions, fires what can be fired.
    Run,
    /// Creates, changes and removes.
    Write,
    /// Manages the account's tokens.
    Admin,
}

/// Who asks, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// As events and logs name them: `operator:alice`, `token:<id>`, `duty:executions`.
    pub actor: String,
    /// Which account they may act for; `None` for operators and the runtime itself, who may act for any.
    pub account: Option<Uuid>,
    /// What they may do; empty for operators, who may do everything.
    pub scopes: Vec<Scope>,
    /// The request's id.
    pub request_id: Option<String>,
    /// The address the request came from.
    pub origin: Option<String>,
}

impl Caller {
    /// The runtime itself, at work in a duty.
    #[must_use]
    pub fn duty(name: &str) -> Self {
        Self {
            actor: format!("duty:{name}"),
            account: None,
            scopes: Vec::new(),
            request_id: None,
            origin: None,
        }
    }

    /// An operator of the daemon.
    #[must_use]
    pub fn operator(name: &str) -> Self {
        Self {
            actor: format!("operator:{name}"),
            account: None,
            scopes: Vec::new(),
            request_id: None,
            origin: None,
        }
    }

    /// Whether this is an operator or the runtime.
    #[must_use]
    pub const fn is_operator(&self) -> bool {
        self.account.is_none()
    }

    /// Whether the scope is covered.
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        self.is_operator() || self.scopes.contains(&scope)
    }
}
