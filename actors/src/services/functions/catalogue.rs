//! What a daemon keeps of functions, so that a warm execution reads nothing from the store.
//!
//! A version never changes and is kept for as long as there is room. Which version is current is believed for
//! [`BELIEVED_FOR`]: so long, at most, may another daemon go on running the version before an amendment. In the daemon
//! that amends, the change is seen at once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sl_store::{Entity as _, Fault, Key};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    CATALOGUE_BYTES,
    entity::{Definition, Function, FunctionSource, FunctionVersion},
};
use crate::Core;

/// For how long a daemon believes which version of a function is current.
pub const BELIEVED_FOR: Duration = Duration::from_secs(1);

/// For how long nothing is believed of a function that is being changed here: longer than a commit may take.
const CHANGES_FOR: Duration = Duration::from_secs(10);

/// So many functions are remembered by their current version.
const REMEMBERED: usize = 100_000;

/// What a version takes besides its source, roughly.
const OVERHEAD: usize = 1_024;

/// A version of a function, ready to be run.
#[derive(Debug)]
pub struct Ready {
    /// The function.
    pub function_id: Uuid,
    /// The row of the version.
    pub version_id: Uuid,
    /// Which version of it, from 1.
    pub number: i64,
    /// What it consists of.
    pub definition: Definition,
    /// Its source.
    pub source: Arc<str>,
}

/// What a daemon keeps of functions.
#[derive(Debug, Default)]
pub struct Catalogue(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    current: HashMap<Key, Belief>,
    versions: HashMap<Uuid, Arc<Ready>>,
    bytes: usize,
}

#[derive(Clone, Copy, Debug)]
struct Belief {
    /// The current version; `None` while the function is being changed here.
    version_id: Option<Uuid>,
    until: Instant,
}

impl Catalogue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The function is about to be changed in this daemon: from now on its row is asked.
    pub(super) fn changing(&self, function: Key) {
        let belief = Belief { version_id: None, until: Instant::now() + CHANGES_FOR };
        self.state().current.insert(function, belief);
    }

    /// The current version of a function.
    ///
    /// # Errors
    /// [`sl_store::Code::NotFound`] where there is no such function.
    pub async fn current(&self, core: &Core, function: Key) -> Result<Arc<Ready>, Fault> {
        if let Some(ready) = self.state().believed(function) {
            return Ok(ready);
        }
        let row: Function = core.store.get(function).await?;
        let ready = self.version(core, Key::new(function.account, row.version_id)).await?;
        let ready = ready.ok_or_else(|| Fault::not_found(Function::TABLE.noun))?;
        self.state().believe(function, row.version_id);
        Ok(ready)
    }

    /// A version of a function by its row; none where it was forgotten or its function removed.
    ///
    /// # Errors
    /// As [`sl_store::Store::find`].
    pub async fn version(&self, core: &Core, version: Key) -> Result<Option<Arc<Ready>>, Fault> {
        if let Some(ready) = self.state().versions.get(&version.id) {
            return Ok(Some(ready.clone()));
        }
        let Some(row) = core.store.find::<FunctionVersion>(version).await? else { return Ok(None) };
        let Some(source) = core.store.find::<FunctionSource>(version).await? else { return Ok(None) };
        let ready = Arc::new(Ready {
            function_id: row.function_id,
            version_id: version.id,
            number: row.number,
            definition: row.definition,
            source: source.text,
        });
        self.state().keep(ready.clone(), core.settings.size(&CATALOGUE_BYTES));
        Ok(Some(ready))
    }
}

impl State {
    fn believed(&self, function: Key) -> Option<Arc<Ready>> {
        let belief = self.current.get(&function)?;
        let version_id = belief.version_id.filter(|_| belief.until > Instant::now())?;
        self.versions.get(&version_id).cloned()
    }

    fn believe(&mut self, function: Key, version_id: Uuid) {
        let now = Instant::now();
        let changing = |belief: &Belief| belief.version_id.is_none() && belief.until > now;
        if self.current.get(&function).is_some_and(changing) {
            return;
        }
        if self.current.len() >= REMEMBERED {
            self.current.retain(|_, belief| belief.until > now);
        }
        self.current.insert(function, Belief { version_id: Some(version_id), until: now + BELIEVED_FOR });
    }

    /// Keeps a version; where there is no room, about half of the others go, whichever.
    fn keep(&mut self, ready: Arc<Ready>, room: usize) {
        let takes = ready.source.len() + OVERHEAD;
        if self.bytes + takes > room {
            let mut place = 0_usize;
            self.versions.retain(|_, _| {
                place += 1;
                place.is_multiple_of(2)
            });
            self.bytes = self.versions.values().map(|kept| kept.source.len() + OVERHEAD).sum();
        }
        if self.versions.insert(ready.version_id, ready).is_none() {
            self.bytes += takes;
        }
    }
}
