//! From a token to who asks.
//!
//! The usual token was used a moment ago: then one hash and one look into a map of this process decide. The map's
//! entries hold for as long as no token changed ([`crate::mirror::Mirror::tokens`]). Anything else costs one look-up by
//! account and hash, which tells nothing through its duration: what is compared is the SHA-256 of 192 random bits.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use sl_store::{Batch, Code, Entity as _, Expect, Fault, Guard, Head, Key, Query};

use super::{TOKEN_CACHE, Token, TokenUse, text};
use crate::{Core, caller::Caller, supervisor::spawn_task, together};

/// How long uses are gathered before they are written.
const GATHERED_FOR: Duration = Duration::from_secs(2);

/// The tokens this daemon saw lately.
#[derive(Debug, Default)]
pub(crate) struct TokenCache {
    known: RwLock<HashMap<[u8; 32], Arc<Known>>>,
    unwritten: Mutex<HashMap<Key, DateTime<Utc>>>,
}

#[derive(Debug)]
struct Known {
    key: Key,
    caller: Caller,
    expires_at: Option<DateTime<Utc>>,
    epoch: u64,
    /// The minute of the last use, in seconds.
    used: AtomicI64,
}

impl TokenCache {
    fn get(&self, hash: &[u8; 32], epoch: u64) -> Option<Arc<Known>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(hash).filter(|known| known.epoch == epoch).cloned()
    }

    fn put(&self, hash: [u8; 32], known: &Arc<Known>, most: usize) {
        let mut map = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if map.len() >= most {
            map.retain(|_, other| other.epoch == known.epoch);
        }
        if map.len() >= most {
            map.clear();
        }
        map.insert(hash, known.clone());
    }

    fn forget(&self, hash: &[u8; 32]) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).remove(hash);
    }

    /// The last use of a token that is not written yet.
    pub fn unwritten(&self, key: Key) -> Option<DateTime<Utc>> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied()
    }

    /// Notes a use; answers whether it is the first since uses were last written.
    fn note(&self, key: Key, minute: DateTime<Utc>) -> bool {
        let mut unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        let first = unwritten.is_empty();
        unwritten.insert(key, minute);
        first
    }

    fn take(&self) -> HashMap<Key, DateTime<Utc>> {
        std::mem::take(&mut *self.unwritten.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Who asks with this token. Request id and origin are for the front end to fill in.
///
/// # Errors
/// [`Code::Unauthorized`] where the token is not one of ours, is revoked or expired, or its account is being deleted.
pub async fn authenticate(core: &Arc<Core>, token: &str) -> Result<Caller, Fault> {
    let hash = text::hash(token);
    // Read before the row is: a change in between makes the entry stale at once.
    let epoch = core.mirror.tokens();
    let known = match core.tokens.get(&hash, epoch) {
        Some(known) => known,
        None => look_up(core, text::account_of(token).ok_or_else(refused)?, hash, epoch).await?,
    };
    let now = core.clock.now();
    if known.expires_at.is_some_and(|ends| ends <= now) || core.mirror.is_deleting(known.key.account) {
        core.tokens.forget(&hash);
        return Err(refused());
    }
    used(core, &known, now);
    Ok(known.caller.clone())
}

fn refused() -> Fault {
    Fault::new(Code::Unauthorized, "the token is unknown, expired or revoked")
}

async fn look_up(
    core: &Arc<Core>,
    account: uuid::Uuid,
    hash: [u8; 32],
    epoch: u64,
) -> Result<Arc<Known>, Fault> {
    let query = Query::of(account).equal("hash", hash.to_vec());
    let Some(token) = core.store.first::<Token>(query).await? else {
        core.tokens.forget(&hash);
        return Err(refused());
    };
    let caller = Caller {
        actor: format!("token:{}", token.head.id),
        account: Some(account),
        scopes: token.scopes,
        request_id: None,
        origin: None,
    };
    let earlier = core.tokens.known.read().unwrap_or_else(PoisonError::into_inner).get(&hash).cloned();
    let used = AtomicI64::new(earlier.map_or(0, |earlier| earlier.used.load(Ordering::Relaxed)));
    let known = Arc::new(Known { key: token.head.key(), caller, expires_at: token.expires_at, epoch, used });
    core.tokens.put(hash, &known, core.settings.size(&TOKEN_CACHE));
    Ok(known)
}

/// Notes the use of a token, once a minute; uses are written together, a little later.
fn used(core: &Arc<Core>, known: &Known, now: DateTime<Utc>) {
    let seconds = now.timestamp();
    let minute = seconds - seconds.rem_euclid(60);
    if known.used.load(Ordering::Relaxed) == minute || known.used.swap(minute, Ordering::Relaxed) == minute {
        return;
    }
    let minute = now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now);
    if core.tokens.note(known.key, minute) {
        let core = core.clone();
        spawn_task("token uses", async move {
            core.clock.sleep(GATHERED_FOR).await;
            write_uses(&core).await;
        });
    }
}

/// Writes the uses gathered; one that is lost with the process is told a minute later by the next.
async fn write_uses(core: &Core) {
    let uses: Vec<Batch> =
        core.tokens.take().into_iter().map(|(key, minute)| use_of(core, key, minute)).collect();
    // A token that was revoked meanwhile is a conflict.
    if let Err(fault) = together::commit(&core.store, uses, &[Code::Conflict]).await {
        tracing::warn!(%fault, "The last use of tokens could not be written");
    }
}

fn use_of(core: &Core, key: Key, minute: DateTime<Utc>) -> Batch {
    let mut batch = Batch::new();
    batch.overwrite(&TokenUse {
        head: Head::new(key.account, key.id, core.clock.now()),
        last_used_at: minute,
    });
    batch.guards.push(Guard::Holds { table: Token::TABLE, key, expect: Expect::Present });
    batch
}
