//! The settings of accounts as last read, for duties that need them for every item.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use sl_store::{Fault, Key, SYSTEM};
use uuid::Uuid;

use super::Account;
use crate::{Core, settings::Settings};

/// So many accounts are remembered.
const REMEMBERED: usize = 10_000;

/// What a daemon knows of accounts' settings. All of it is forgotten whenever an account may have changed.
#[derive(Debug, Default)]
pub struct Known(Mutex<(u64, HashMap<Uuid, Settings>)>);

impl Known {
    /// The settings that hold for an account; none where there is no such account.
    ///
    /// # Errors
    /// As [`sl_store::Store::find`].
    pub async fn settings(&self, core: &Core, account: Uuid) -> Result<Option<Settings>, Fault> {
        let epoch = core.mirror.accounts();
        if let Some(known) = self.as_of(epoch).1.get(&account) {
            return Ok(Some(known.clone()));
        }
        let Some(row) = core.store.find::<Account>(Key::new(SYSTEM, account)).await? else { return Ok(None) };
        let settings = row.settings(&core.settings);
        // What was read before a change is not kept after it.
        let mut known = self.as_of(core.mirror.accounts());
        if known.0 == epoch && known.1.len() < REMEMBERED {
            known.1.insert(account, settings.clone());
        }
        Ok(Some(settings))
    }

    fn as_of(&self, epoch: u64) -> MutexGuard<'_, (u64, HashMap<Uuid, Settings>)> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != epoch {
            *known = (epoch, HashMap::new());
        }
        known
    }
}
