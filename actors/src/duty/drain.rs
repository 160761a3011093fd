//! The end of a drain: what is still performed is stopped, and given back where it does not end.

use std::time::Duration;

use futures_util::future::join_all;
use ractor::ActorRef;
use sl_store::{Batch, Settle, Settlement};

use super::actor::{DutyMessage, DutyState};

/// How long an attempt that was stopped may take to end.
const TO_END: Duration = Duration::from_secs(2);

impl DutyState {
    /// Stops what is still performed. An attempt knows best whether it had begun: what becomes of its item is its outcome.
    pub(super) fn stop(&self, myself: &ActorRef<DutyMessage>) {
        for held in self.held.values() {
            held.cancel.cancel();
        }
        if !self.held.is_empty() {
            myself.send_after(TO_END, || DutyMessage::DrainOverdue);
        }
    }

    /// Gives back what did not end, so that another daemon can take it at once. An attempt that ends all the same is
    /// refused by the fence of whoever took it.
    pub(super) async fn give_back(&mut self) {
        let store = &self.core.store;
        let given_back = self.held.drain().map(|(id, held)| {
            let mut batch = Batch::new();
            let (settlement, holder) = (Settlement::Interrupt, Some(self.core.daemon_id));
            batch.settle(Settle { id, account: held.account, fence: held.fence, holder, settlement });
            store.commit(batch)
        });
        for fault in join_all(given_back).await.into_iter().filter_map(Result::err) {
            tracing::warn!(duty = self.duty.name(), %fault, "A lease could not be given back; it will run out");
        }
        self.answer_drain();
    }

    /// Answers who drains it once nothing is performed any more.
    pub(super) fn answer_drain(&mut self) {
        if self.held.is_empty()
            && let Some(waiting) = &mut self.draining
        {
            for reply in waiting.drain(..) {
                let _gave_up_waiting = reply.send(());
            }
        }
    }
}
