//! How an attempt goes back into the queue: because it could not be made, or because it was stopped.

use sl_store::{Batch, Code, Fault, Settlement};

use super::{
    DUTY,
    session::{End, Session},
};
use crate::duty::RETRY_BASE;

impl Session {
    /// The run could not be made: it waits in the queue for another attempt.
    pub(super) async fn again(mut self, fault: Fault) -> End {
        let core = self.core.clone();
        let now = core.clock.now();
        let mut batch = Batch::new();
        self.execution.requeue();
        match self.hold {
            None => {
                self.execution.attempts = 0;
                let work = self.execution.work(core.ids.next(), now);
                batch.insert(&self.execution).enqueue(work);
            }
            Some(hold) => {
                if self.marked {
                    batch.replace(&mut self.execution, now);
                }
                if !hold.own {
                    batch.events.append(&mut self.untold);
                    return End::Again(fault, batch);
                }
                let due_at = now + core.settings.duration(&RETRY_BASE);
                let error = fault.detail.clone();
                batch.settle(self.settle(hold, Settlement::Retry { due_at, error }));
            }
        }
        batch.events.append(&mut self.untold);
        batch.event(self.execution.event());
        self.hand_over(batch).await
    }

    /// The run was stopped before its end, by a drain or because the lease was lost: whoever claims it next begins anew,
    /// under a higher attempt where something of it may have run.
    pub(super) async fn give_back(mut self, begun: bool) -> End {
        if self.hold.is_none()
            && begun
            && let Err(fault) = self.persist(None).await
        {
            return self.unrecorded(fault);
        }
        let Some(hold) = self.hold else {
            return self.again(Fault::new(Code::Unavailable, "the daemon is being stopped")).await;
        };
        let mut batch = Batch::new();
        let settlement = if begun { Settlement::Interrupt } else { Settlement::Release };
        batch.settle(self.settle(hold, settlement));
        if self.marked {
            self.execution.requeue();
            self.execution.attempts -= i64::from(!begun);
            batch.replace(&mut self.execution, self.core.clock.now());
            batch.event(self.execution.event());
        }
        batch.events.append(&mut self.untold);
        self.hand_over(batch).await
    }

    async fn hand_over(&self, batch: Batch) -> End {
        match self.core.store.commit(batch).await {
            Ok(()) => {
                self.live.stored();
                self.core.bells.ring(DUTY);
                End::Queued
            }
            Err(fault) => self.unrecorded(fault),
        }
    }
}
