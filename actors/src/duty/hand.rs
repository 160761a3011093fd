//! Handing over: what a batch of this daemon adds to the queue, and is due, goes straight to this daemon's duty where that
//! has room for it, instead of being looked for.
//!
//! The item is added under a lease of this daemon, so that everybody sees it as claimed. The duty's actor judges it as it
//! judges what it looks for, and gives back what it may not begin. If the daemon dies in between, the lease runs out. What a
//! pause holds back is not handed over: a resume decides about what waits, and must find it waiting.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use sl_store::{Batch, Code, Fault, Lease, Work};

use super::{Bell, DutyMessage, LEASE};
use crate::{Core, mirror::Around, supervisor::spawn_task};

/// The room of a duty.
#[derive(Debug, Default)]
pub(super) struct Places {
    free: AtomicUsize,
    promised: AtomicUsize,
}

/// A place that is kept for an item while its batch is committed.
#[derive(Debug)]
pub(crate) struct Promise(Arc<Places>);

impl Places {
    /// Says how many items more could be performed.
    pub fn tell(&self, free: usize) {
        self.free.store(free, Ordering::Release);
    }

    /// How many places are kept.
    pub fn promised(&self) -> usize {
        self.promised.load(Ordering::Acquire)
    }

    /// Keeps a place, where there is one.
    pub fn promise(self: &Arc<Self>) -> Option<Promise> {
        let promise = |promised| (promised < self.free.load(Ordering::Acquire)).then_some(promised + 1);
        self.promised.fetch_update(Ordering::AcqRel, Ordering::Acquire, promise).ok()?;
        Some(Promise(self.clone()))
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.0.promised.fetch_sub(1, Ordering::AcqRel);
    }
}

/// An item on its way to the duty that performs it.
struct Handed {
    bell: Bell,
    work: Work,
    promise: Promise,
}

impl Core {
    /// Commits a batch, and sees to it that what it adds to the queue and is due begins: in this daemon at once where it
    /// has room, wherever there is room otherwise.
    ///
    /// # Errors
    /// As [`sl_store::Store::commit`].
    pub async fn commit(self: &Arc<Self>, mut batch: Batch) -> Result<(), Fault> {
        let (handed, woken) = self.hand_over(&mut batch);
        if handed.is_empty() {
            self.store.commit(batch).await?;
            self.ring_each(woken);
            return Ok(());
        }
        let core = self.clone();
        let (reply, answer) = tokio::sync::oneshot::channel();
        // Whoever waits for it may go away; what is committed must reach its duty all the same.
        spawn_task("commit", async move {
            let committed = core.store.commit(batch).await;
            if committed.is_ok() {
                for item in handed {
                    item.deliver(&core);
                }
                core.ring_each(woken);
            }
            let _gave_up_waiting = reply.send(committed);
        });
        answer.await.map_err(|_| Fault::new(Code::Internal, "a commit has stopped"))?
    }

    fn ring_each(&self, duties: BTreeSet<&'static str>) {
        for duty in duties {
            self.bells.ring(duty);
        }
    }

    /// Puts this daemon's lease on what it has room for; the duties of the rest are to be woken.
    fn hand_over(&self, batch: &mut Batch) -> (Vec<Handed>, BTreeSet<&'static str>) {
        let (mut handed, mut woken) = (Vec::new(), BTreeSet::new());
        let now = self.clock.now();
        for item in batch.work.iter_mut().filter(|item| item.lease.is_none() && item.due_at <= now) {
            let around = Around { duty: item.duty, account: item.account, gates: item.gate.as_slice() };
            if self.mirror.is_held(around, now) {
                // It waits where a resume finds it, which then wakes the duty.
                continue;
            }
            let room = self.bells.of(item.duty).and_then(|bell| Some((bell.places.promise()?, bell)));
            let Some((promise, bell)) = room else {
                woken.insert(item.duty);
                continue;
            };
            let duration = self.settings.duration(&LEASE);
            item.lease = Some(Lease { holder: self.daemon_id, duration });
            handed.push(Handed { bell, work: item.begun(now), promise });
        }
        (handed, woken)
    }
}

impl Handed {
    fn deliver(self, core: &Arc<Core>) {
        let Self { bell, work, promise } = self;
        if let Err(error) = bell.actor.cast(DutyMessage::Take(Box::new(work), promise))
            && let ractor::MessagingErr::SendErr(DutyMessage::Take(work, _)) = error
        {
            give_back(core, *work);
        }
    }
}

/// Releases an item that is not begun.
pub(super) fn give_back(core: &Arc<Core>, work: Work) {
    let core = core.clone();
    spawn_task("give back", async move {
        let mut batch = Batch::new();
        batch.settle(work.settle(sl_store::Settlement::Release));
        if let Err(fault) = core.store.commit(batch).await {
            tracing::warn!(work_id = %work.id, %fault, "An item could not be given back; its lease will run out");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_promised_than_is_free() {
        let places = Arc::new(Places::default());
        assert!(places.promise().is_none(), "an actor that has not begun has no room");
        places.tell(2);
        let kept = [places.promise(), places.promise()];
        assert!(kept.iter().all(Option::is_some) && places.promise().is_none());
        drop(kept);
        assert_eq!(places.promised(), 0);
        assert!(places.promise().is_some());
    }
}
