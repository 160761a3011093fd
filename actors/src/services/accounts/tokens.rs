//! What can be done with tokens.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sl_store::{Batch, Cell, Code, Entity as _, Expect, Fault, Filter, Head, Query, Write};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{MAX_TOKENS, Token, TokenUse, text};
use crate::{
    action::{Action, Order, Tenant},
    caller::Scope,
    check::Check,
    page::{Page, PageRequest},
    resource,
};

const SERVICE: &str = "accounts";

/// What creates a token.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is for, 1 to 100 characters, unique in the account.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// What it covers, at least one; none that its creator lacks. Each scope covers itself only.
    #[schema(min_items = 1)]
    pub scopes: Vec<Scope>,
    /// When it ends (RFC 3339); absent: when it is revoked.
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
}

/// A token as it is answered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TokenView {
    /// Its id.
    pub id: Uuid,
    /// What it is for.
    pub name: String,
    /// What it covers.
    pub scopes: Vec<Scope>,
    /// Its first characters, to be recognised by.
    pub prefix: String,
    /// When it was last used, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// The same: a token does not change.
    pub updated_at: DateTime<Utc>,
}

/// A new token: the only answer that shows it.
#[derive(Clone, Serialize, ToSchema)]
pub struct CreatedToken {
    /// The token itself; it is not shown again.
    pub token: String,
    /// What is known of it.
    #[serde(flatten)]
    pub view: TokenView,
}

impl std::fmt::Debug for CreatedToken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("CreatedToken").field("view", &self.view).finish_non_exhaustive()
    }
}

impl Token {
    fn view(&self, used: Option<DateTime<Utc>>) -> TokenView {
        TokenView {
            id: self.head.id,
            name: self.name.clone(),
            scopes: self.scopes.clone(),
            prefix: self.prefix.clone(),
            // Uses are known to the minute, which may have begun before the token was made.
            last_used_at: used.map(|used| used.max(self.head.created_at)),
            expires_at: self.expires_at,
            created_at: self.head.created_at,
            updated_at: self.head.updated_at,
        }
    }

    fn told(&self) -> Value {
        json!({"name": self.name, "scopes": self.scopes, "expires_at": self.expires_at})
    }
}

/// Creates a token and shows it, this once.
#[derive(Clone, Debug)]
pub struct CreateToken(pub NewToken);

impl Action for CreateToken {
    type Output = CreatedToken;

    async fn run(self, tenant: &Tenant) -> Result<CreatedToken, Fault> {
        let new = admitted(self.0, tenant)?;
        let shown = text::make(&*tenant.core.chance, tenant.account_id);
        let token = Token {
            head: Head::new(tenant.account_id, tenant.next_id(), tenant.now()),
            name: new.name,
            hash: text::hash(&shown).to_vec(),
            prefix: text::shown(&shown).to_owned(),
            scopes: new.scopes,
            expires_at: new.expires_at,
        };
        let mut batch = Batch::new();
        batch.insert(&token);
        let most = tenant.settings.count(&MAX_TOKENS);
        batch.at_most::<Token>(tenant.account_id, Vec::new(), most, MAX_TOKENS.name);
        batch.event(tenant.event(SERVICE, "token.created", token.head.id, token.told()));
        tenant.commit(batch, CreatedToken { token: shown.to_string(), view: token.view(None) }).await
    }
}

/// Checks a new token; the scopes come back sorted, each once.
fn admitted(mut new: NewToken, tenant: &Tenant) -> Result<NewToken, Fault> {
    let mut check = Check::new();
    check.text("/name", &new.name, 1..=100);
    if new.scopes.is_empty() {
        check.broken("/scopes", "required", "must name at least one of read, run, write, admin");
    }
    if new.expires_at.is_some_and(|ends| ends <= tenant.now()) {
        check.broken("/expires_at", "future", "must lie in the future");
    }
    check.finish()?;
    if let Some(lacking) = new.scopes.iter().find(|scope| !tenant.caller.has(**scope)) {
        let name = json!(lacking);
        return Err(Fault::new(
            Code::Forbidden,
            format!("a token cannot be given the scope {name}, which its creator lacks"),
        ));
    }
    new.scopes.sort_unstable();
    new.scopes.dedup();
    Ok(new)
}

/// Reads one token; never the token itself.
#[derive(Clone, Copy, Debug)]
pub struct FetchToken(pub Uuid);

impl Action for FetchToken {
    type Output = TokenView;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<TokenView, Fault> {
        let token: Token = tenant.core.store.get(tenant.key(self.0)).await?;
        let uses = last_uses(tenant, &[self.0]).await?;
        Ok(token.view(uses.get(&self.0).copied()))
    }
}

/// A page of the account's tokens, newest first.
#[derive(Clone, Debug)]
pub struct ListTokens(pub PageRequest);

impl Action for ListTokens {
    type Output = Page<TokenView>;
    const ORDER: Order = Order::Concurrent;
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<Self::Output, Fault> {
        let page = resource::list(tenant, self.0, Vec::new(), Token::clone).await?;
        let ids: Vec<Uuid> = page.items.iter().map(|token| token.head.id).collect();
        let uses = last_uses(tenant, &ids).await?;
        let items = page.items.iter().map(|token| token.view(uses.get(&token.head.id).copied()));
        Ok(Page { items: items.collect(), next_cursor: page.next_cursor })
    }
}

/// When each of these tokens was last used, what is not written yet among it.
async fn last_uses(tenant: &Tenant, ids: &[Uuid]) -> Result<HashMap<Uuid, DateTime<Utc>>, Fault> {
    let of = Filter::In("id", ids.iter().copied().map(Cell::from).collect());
    let query = Query::of(tenant.account_id).filter(of).limit(ids.len());
    let written: Vec<TokenUse> = tenant.core.store.list(query).await?;
    let written = written.iter().map(|used| (used.head.id, used.last_used_at));
    let unwritten = ids.iter().filter_map(|id| Some((*id, tenant.core.tokens.unwritten(tenant.key(*id))?)));
    Ok(written.chain(unwritten).collect())
}

/// Revokes a token: every daemon refuses it within 250 ms.
#[derive(Clone, Copy, Debug)]
pub struct RevokeToken {
    /// Which.
    pub id: Uuid,
    /// The version the caller saw, where they said so.
    pub expected: Option<i64>,
}

impl Action for RevokeToken {
    type Output = ();
    const WHILE_SUSPENDED: bool = true;

    async fn run(self, tenant: &Tenant) -> Result<(), Fault> {
        let key = tenant.key(self.id);
        let token: Token = tenant.core.store.get(key).await?;
        resource::expect_version(&token, self.expected)?;
        let mut batch = Batch::new();
        batch.remove(&token);
        batch.writes.push(Write::Remove { table: TokenUse::TABLE, key, expect: Expect::Any });
        batch.event(tenant.event(SERVICE, "token.revoked", self.id, token.told()));
        tenant.commit(batch, ()).await?;
        tenant.core.mirror.told_of_tokens();
        Ok(())
    }
}
