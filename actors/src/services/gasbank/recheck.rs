//! What failed is asked about again for a while: a resolver that says yes after it said no is found out.
//!
//! A second word moves no money: whoever contradicts themselves may be wrong either time. It is kept on the deposit or
//! withdrawal ([`GasTransaction::contradicted_at`]), told by `why`, the ledger, the health and the metrics, until an
//! operator has looked and says which of the two holds.

use chrono::{DateTime, Utc};
use sl_store::{Batch, Fault};

use super::{
    NAME, RECHECK_AFTER, RECHECK_WITHIN, UNRESOLVED_LOOK, claim,
    movement::told,
    resolver::{self, Resolved},
    settlement::delta,
    transaction::{GasDirection, GasTransaction},
};
use crate::{Core, action::Tenant, duty::Outcome};

impl GasTransaction {
    /// When the resolver is asked again whether it was done after all: after twice the time that has passed since it
    /// failed; never where there is no resolver, that time is over, or it said so already.
    pub(super) fn next_recheck(&self, core: &Core) -> Option<DateTime<Utc>> {
        let ended = self.completed_at.filter(|_| self.contradicted_at.is_none())?;
        core.peers.gas_resolver.as_ref()?;
        let passed = (core.clock.now() - ended).max(delta(core.settings.duration(&RECHECK_AFTER)) / 2);
        let next = ended.checked_add_signed(passed.checked_mul(2)?)?;
        Some(next).filter(|next| *next - ended <= delta(core.settings.duration(&RECHECK_WITHIN)))
    }
}

/// Asks about one that failed whether it was done after all.
pub(super) async fn ask(tenant: &Tenant, mut transaction: GasTransaction) -> Result<Outcome, Fault> {
    let (core, now) = (&tenant.core, tenant.now());
    if let Some(chain_id) = &transaction.chain_id
        && claim::find(&core.store, &claim::transaction(chain_id)).await?.is_some()
    {
        // It was announced again: what the resolver says of the transaction is about that deposit.
        return Ok(Outcome::Done(Batch::new()));
    }
    let resolved = match &core.peers.gas_resolver {
        Some(peer) => resolver::ask(core, peer, &transaction).await,
        None => Resolved::Later(core.settings.duration(&UNRESOLVED_LOOK)),
    };
    let why = match resolved {
        Resolved::Yes => {
            let verb = transaction.direction.verb();
            format!("the resolver says that it was {verb} after all")
        }
        Resolved::Contradicted(why) => why,
        Resolved::No(_) | Resolved::Later(_) | Resolved::Busy(..) | Resolved::Unclear(..) => {
            return Ok(match transaction.next_recheck(core) {
                Some(next) => Outcome::Again(next, Batch::new()),
                None => Outcome::Done(Batch::new()),
            });
        }
    };
    let (id, before) = (transaction.head.id, transaction.error.take().unwrap_or_default());
    tracing::error!(account_id = %tenant.account_id, transaction_id = %id, %why,
        "The resolver contradicts what it said of a deposit or withdrawal");
    transaction.error = Some(format!("{why}; it had failed: {before}"));
    transaction.contradicted_at = Some(now);
    let mut batch = Batch::new();
    batch.replace(&mut transaction, now);
    let kind = match transaction.direction {
        GasDirection::Deposit => "gasbank.deposit.contradicted",
        GasDirection::Withdrawal => "gasbank.withdrawal.contradicted",
    };
    batch.event(tenant.event(NAME, kind, id, told(&transaction)));
    Ok(Outcome::Done(batch))
}
