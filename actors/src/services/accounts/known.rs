//! What duties need of accounts for every item, as last read.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use sl_store::{Fault, Key, SYSTEM};
use uuid::Uuid;

use super::Account;
use crate::{Core, settings::Settings};

/// So many accounts are remembered.
const REMEMBERED: usize = 10_000;

/// What a duty needs of an account.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The settings that hold for it.
    pub settings: Settings,
    /// When it was last made active after it had been suspended.
    pub resumed_at: Option<DateTime<Utc>>,
}

/// What a daemon knows of accounts. All of it is forgotten whenever an account may have changed.
#[derive(Debug, Default)]
pub struct Known(Mutex<(u64, HashMap<Uuid, Terms>)>);

impl Known {
    /// The settings that hold for an account; none where there is no such account.
    ///
    /// # Errors
    /// As [`sl_store::Store::find`].
    pub async fn settings(&self, core: &Core, account: Uuid) -> Result<Option<Settings>, Fault> {
        Ok(self.terms(core, account).await?.map(|terms| terms.settings))
    }

    /// The settings, and when it was last resumed; none where there is no such account.
    ///
    /// # Errors
    /// As [`sl_store::Store::find`].
    pub async fn terms(&self, core: &Core, account: Uuid) -> Result<Option<Terms>, Fault> {
        let epoch = core.mirror.accounts();
        if let Some(known) = self.as_of(epoch).1.get(&account) {
            return Ok(Some(known.clone()));
        }
        let Some(row) = core.store.find::<Account>(Key::new(SYSTEM, account)).await? else { return Ok(None) };
        let terms = Terms { settings: row.settings(&core.settings), resumed_at: row.resumed_at };
        // What was read before a change is not kept after it.
        let mut known = self.as_of(core.mirror.accounts());
        if known.0 == epoch && known.1.len() < REMEMBERED {
            known.1.insert(account, terms.clone());
        }
        Ok(Some(terms))
    }

    fn as_of(&self, epoch: u64) -> MutexGuard<'_, (u64, HashMap<Uuid, Terms>)> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != epoch {
            *known = (epoch, HashMap::new());
        }
        known
    }
}
