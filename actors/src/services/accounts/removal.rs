//! The removal of a deleted account: its work drains, then every row of it goes, its own last.
//!
//! Each step looks at what is left, so that whoever takes the item over after a crash goes on where it stands.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use serde_json::json;
use sl_store::{
    Batch, Code, Entity as _, Expect, Fault, Guard, Key, NewEvent, RetryPolicy, SYSTEM, Settlement, Table,
    WorkQuery, Write,
};
use uuid::Uuid;

use super::{Account, REMOVAL_BATCH, REMOVALS, Status, actions};
use crate::{
    Core,
    duty::{Attempt, Duty, LEASE, Outcome, RETRY_BASE, RETRY_CAP},
    pause::Pause,
    services,
    settings::Setting,
    together,
};

/// The duty's name.
pub(super) const DUTY: &str = "account-removal";
/// How often the leases of a draining account are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// When it is swept once more: a daemon cut off from the store while the account was deleted may have let a request in
/// that it had admitted before.
const AFTERMATH: TimeDelta = TimeDelta::minutes(10);

/// Drains and removes deleted accounts.
#[derive(Clone, Copy, Debug)]
pub struct AccountRemoval;

impl Duty for AccountRemoval {
    fn name(&self) -> &'static str {
        DUTY
    }

    fn doc(&self) -> &'static str {
        "Drains the work of a deleted account and removes everything of it."
    }

    fn concurrency(&self) -> &'static Setting {
        &REMOVALS
    }

    /// A deleted account is removed however long it takes.
    fn retry(&self, core: &Core) -> RetryPolicy {
        RetryPolicy {
            base: core.settings.duration(&RETRY_BASE),
            cap: core.settings.duration(&RETRY_CAP),
            max_attempts: u32::MAX,
            max_age: Duration::MAX,
        }
    }

    fn perform<'a>(&'a self, core: &'a Arc<Core>, attempt: &'a Attempt) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let removal = Removal { core, account: attempt.work.subject };
            tokio::select! {
                () = attempt.cancel.cancelled() => Outcome::Release,
                ended = removal.run() => ended.unwrap_or_else(|fault| Outcome::Retry(fault, Batch::new())),
            }
        })
    }
}

struct Removal<'a> {
    core: &'a Arc<Core>,
    account: Uuid,
}

impl Removal<'_> {
    async fn run(&self) -> Result<Outcome, Fault> {
        let row: Option<Account> = self.core.store.find(Key::new(SYSTEM, self.account)).await?;
        match &row {
            Some(account) if account.status != Status::Deleting => return Ok(Outcome::Done(Batch::new())),
            Some(_) => self.drain().await?,
            None => {}
        }
        self.sweep().await?;
        let mut batch = self.last_sweep();
        if let Some(account) = &row {
            batch.remove(account);
            batch.event(self.removed());
            let again = self.core.clock.now() + AFTERMATH;
            batch.enqueue(actions::removal(self.account, self.core.ids.next(), again));
        }
        Ok(Outcome::Done(batch))
    }

    /// Takes what waits out of the queue, and waits for what runs: whoever runs it is told by the mirror, and a lease
    /// whose holder is gone runs out.
    async fn drain(&self) -> Result<(), Fault> {
        let patience = self.core.settings.duration(&LEASE).saturating_mul(2);
        let give_up = self.core.clock.now() + patience;
        loop {
            let now = self.core.clock.now();
            let query = WorkQuery {
                account: Some(self.account),
                limit: self.core.settings.size(&REMOVAL_BATCH),
                ..WorkQuery::default()
            };
            let items = self.core.store.work(query).await?;
            if items.is_empty() {
                return Ok(());
            }
            let free = items.iter().filter(|item| now >= give_up || !item.is_leased(now)).map(|item| {
                let mut batch = Batch::new();
                batch.settle(item.settle(Settlement::Remove));
                batch
            });
            // What somebody claimed in between runs, and is waited for.
            let taken = together::commit(&self.core.store, free.collect(), &[Code::FenceLost]).await?;
            if taken == 0 {
                self.core.clock.sleep(LOOK).await;
            }
        }
    }

    /// Sweeps every table until nothing is found, a bounded number of rows at a time.
    async fn sweep(&self) -> Result<(), Fault> {
        let limit = self.core.settings.size(&REMOVAL_BATCH);
        for table in tables() {
            while self.core.store.count_rows(table, Some(self.account), Vec::new()).await? > 0 {
                let mut batch = Batch::new();
                batch.writes.push(self.sweep_of(table, limit));
                self.core.store.commit(batch).await?;
            }
        }
        let all = self.core.clock.now() + TimeDelta::days(1);
        while self.core.store.forget_events(Some(self.account), all, limit).await? > 0 {}
        Ok(())
    }

    fn sweep_of(&self, table: &'static Table, limit: usize) -> Write {
        Write::Sweep { table, account: self.account, filters: Vec::new(), limit }
    }

    /// What came meanwhile goes with the account's row, or the row stays and the item is tried again.
    fn last_sweep(&self) -> Batch {
        let mut batch = Batch::new();
        let limit = self.core.settings.size(&REMOVAL_BATCH);
        for table in tables() {
            batch.writes.push(self.sweep_of(table, limit));
            batch.guards.push(Guard::AtMost {
                table,
                account: self.account,
                filters: Vec::new(),
                limit: 0,
                setting: REMOVAL_BATCH.name,
            });
        }
        for pause in self.core.mirror.pauses().iter().filter(|pause| pause.concerns(self.account)) {
            let key = pause.head.key();
            batch.writes.push(Write::Remove { table: Pause::TABLE, key, expect: Expect::Any });
        }
        batch
    }

    fn removed(&self) -> NewEvent {
        NewEvent {
            account: SYSTEM,
            service: "accounts",
            kind: "account.removed",
            subject: self.account,
            actor: format!("duty:{DUTY}"),
            request_id: None,
            origin: None,
            data: json!({}),
        }
    }
}

/// Every table that can hold rows of a tenant.
fn tables() -> impl Iterator<Item = &'static Table> {
    services::ALL.iter().flat_map(|service| service.tables.iter().copied())
}
