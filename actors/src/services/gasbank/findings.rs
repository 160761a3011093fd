//! The recurring check of every gas account, and what every daemon knows of its findings.
//!
//! A finding stands on the row it is about: a gas account whose balances are not what its postings give, a deposit or
//! withdrawal of which the resolver says otherwise than it ended. So every daemon counts the same, whichever of them
//! found it, and forgets it as soon as it is put right.

use std::{
    ops::ControlFlow,
    sync::{Arc, Weak},
};

use chrono::{DateTime, TimeDelta};
use futures_util::future::BoxFuture;
use prometheus::IntGauge;
use serde_json::json;
use sl_store::{Batch, Code, Fault, Filter, NewEvent, Query};

use super::{
    CHECK_EVERY, CHECK_WORKERS, FINDINGS_LOOK, NAME, account::GasAccount, audit::Audit,
    transaction::GasTransaction,
};
use crate::{
    Core,
    duty::{Attempt, Duty, Outcome},
    settings::Setting,
    supervisor::spawn_task,
};

/// How many rows are read at once.
const STEP: usize = 200;
/// The part of the daemon that runs degraded while there are findings.
const PART: &str = "gasbank-ledger";
/// The name of the duty.
const CHECK: &str = "gasbank-check";

/// Checks every gas account.
#[derive(Clone, Copy, Debug)]
pub struct GasCheck;

impl GasCheck {
    /// A check. The daemon's health and metrics tell its findings from now on, until the daemon leaves.
    #[must_use]
    pub fn new(core: &Arc<Core>) -> Self {
        watch(core);
        Self
    }

    async fn check(self, core: &Arc<Core>) -> Result<(), Fault> {
        let mut after = None;
        loop {
            let query = Query::of_all_accounts().after(after).limit(STEP);
            let rows: Vec<GasAccount> = core.store.list(query).await?;
            for row in &rows {
                match examine(core, row).await {
                    Ok(()) => {}
                    // It went meanwhile, or is too busy to be looked at this time.
                    Err(fault) if matches!(fault.code, Code::NotFound | Code::Conflict) => {}
                    Err(fault) => return Err(fault),
                }
            }
            after = rows.last().map(|row| row.head.id);
            if rows.len() < STEP {
                return Ok(());
            }
        }
    }
}

/// Audits one gas account, and notes on it since when it differs.
async fn examine(core: &Core, row: &GasAccount) -> Result<(), Fault> {
    let audit = Audit::of(&core.store, row.head.key()).await?;
    let (sound, mut account) = (audit.is_sound(), audit.account.clone());
    if sound == account.differs_since.is_none() {
        return Ok(());
    }
    let (now, mut batch) = (core.clock.now(), Batch::new());
    account.differs_since = (!sound).then_some(now);
    batch.replace(&mut account, now);
    if !sound {
        batch.event(differs(&audit));
    }
    core.store.commit(batch).await
}

fn differs(audit: &Audit) -> NewEvent {
    let account = &audit.account;
    tracing::error!(account_id = %account.head.account_id, gas_account_id = %account.head.id,
        "The balances of a gas account are not the sums of its postings");
    NewEvent {
        account: account.head.account_id,
        service: NAME,
        kind: "gasbank.account.differs",
        subject: account.head.id,
        actor: format!("duty:{CHECK}"),
        request_id: None,
        origin: None,
        data: json!({
            "differences": audit.differences(), "transfers": audit.transfers, "posted": account.posted,
        }),
    }
}

/// Counts the findings again and again, until the daemon leaves.
fn watch(core: &Arc<Core>) {
    let gauge = |name: &str, help: &str| {
        let made = IntGauge::new(format!("service_layer_gasbank_{name}"), help).ok();
        if let Some(gauge) = &made {
            core.metrics.register(gauge.clone());
        }
        made
    };
    let gauges = [
        gauge("differing_accounts", "Gas accounts whose balances are not what their postings give."),
        gauge(
            "contradicted",
            "Deposits and withdrawals that failed, and were done as the resolver says now.",
        ),
    ];
    let (leaving, core) = (core.bells.leaving.clone(), Arc::downgrade(core));
    spawn_task("gasbank-findings", async move {
        let looks = async { while look(&core, &gauges).await.is_continue() {} };
        tokio::select! {
            () = leaving.cancelled() => {}
            () = looks => {}
        }
    });
}

async fn look(core: &Weak<Core>, gauges: &[Option<IntGauge>; 2]) -> ControlFlow<()> {
    let Some(core) = core.upgrade() else { return ControlFlow::Break(()) };
    match count(&core).await {
        Ok(counts) => {
            for (gauge, count) in gauges.iter().zip(counts) {
                if let Some(gauge) = gauge {
                    gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
                }
            }
            tell(&core, counts);
        }
        Err(fault) => tracing::warn!(%fault, "The findings of the gas bank could not be counted"),
    }
    let (clock, every) = (core.clock.clone(), core.settings.duration(&FINDINGS_LOOK));
    drop(core);
    clock.sleep(every).await;
    ControlFlow::Continue(())
}

/// How many gas accounts differ, and how many ends are contradicted.
async fn count(core: &Core) -> Result<[u64; 2], Fault> {
    let since = |column| vec![Filter::Since(column, DateTime::UNIX_EPOCH)];
    let differing = core.store.count::<GasAccount>(None, since("differs_since")).await?;
    Ok([differing, core.store.count::<GasTransaction>(None, since("contradicted_at")).await?])
}

fn tell(core: &Core, [differing, contradicted]: [u64; 2]) {
    if differing + contradicted == 0 {
        return core.health.heal(PART);
    }
    let why = format!(
        "{differing} gas accounts have balances that their postings do not give, and {contradicted} deposits and \
         withdrawals were done that had failed, as the resolver says now: an operator has to reconcile them"
    );
    core.health.degrade(PART, why);
}

impl Duty for GasCheck {
    fn name(&self) -> &'static str {
        CHECK
    }

    fn doc(&self) -> &'static str {
        "Holds the balances of gas accounts against the sums of their postings, and tells differences."
    }

    fn concurrency(&self) -> &'static Setting {
        &CHECK_WORKERS
    }

    fn recurs(&self) -> Option<&'static Setting> {
        Some(&CHECK_EVERY)
    }

    fn perform<'a>(&'a self, core: &'a Arc<Core>, attempt: &'a Attempt) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            tokio::select! {
                () = attempt.cancel.cancelled() => Outcome::Release,
                checked = self.check(core) => match checked {
                    Ok(()) => {
                        let every = TimeDelta::from_std(core.settings.duration(&CHECK_EVERY));
                        let next = core.clock.now() + every.unwrap_or(TimeDelta::hours(1));
                        Outcome::Again(next, Batch::new())
                    }
                    Err(fault) => Outcome::Retry(fault, Batch::new()),
                },
            }
        })
    }
}
