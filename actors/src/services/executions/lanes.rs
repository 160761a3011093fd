//! How many runs there are at once, of each account and each function, in this daemon.
//!
//! A run that comes straight from a request takes a place only if there is one and nobody waits for it; otherwise it is
//! queued. A run from the queue waits for its place. So neither starves the other. One that waits for a place of its
//! function holds nothing else of its account up.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;
use uuid::Uuid;

/// The places; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Lanes(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    lanes: Mutex<HashMap<Uuid, Lane>>,
    freed: Notify,
}

#[derive(Clone, Copy, Debug, Default)]
struct Lane {
    running: usize,
    waiting: usize,
}

/// Whose place is asked for, and how many there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub account: Uuid,
    pub account_limit: usize,
    pub function: Uuid,
    pub function_limit: usize,
}

/// A place; dropped, it is free again.
#[derive(Debug)]
pub(super) struct Place {
    lanes: Lanes,
    ask: Ask,
}

/// One that waits for a place.
struct Waiter<'a> {
    lanes: &'a Lanes,
    ask: Ask,
    /// In which of its lanes it is counted as waiting: those that were full when it last looked.
    counted: [bool; 2],
}

impl Ask {
    const fn lanes(&self) -> [(Uuid, usize); 2] {
        [(self.account, self.account_limit), (self.function, self.function_limit)]
    }
}

impl Lanes {
    fn lanes(&self) -> MutexGuard<'_, HashMap<Uuid, Lane>> {
        self.0.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place at once, or none.
    pub(super) fn try_enter(&self, ask: Ask) -> Option<Place> {
        let mut lanes = self.lanes();
        let free = ask
            .lanes()
            .into_iter()
            .all(|(id, limit)| lanes.get(&id).is_none_or(|lane| lane.waiting == 0 && lane.running < limit));
        free.then(|| self.take(&mut lanes, ask))
    }

    /// A place, as soon as there is one.
    pub(super) async fn enter(&self, ask: Ask) -> Place {
        let mut waiter = Waiter { lanes: self, ask, counted: [false; 2] };
        loop {
            let freed = self.0.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if let Some(place) = waiter.try_enter() {
                return place;
            }
            freed.await;
        }
    }

    /// How many runs of an account or a function there are.
    pub(super) fn running(&self, id: Uuid) -> usize {
        self.lanes().get(&id).map_or(0, |lane| lane.running)
    }

    /// The accounts and functions for whose places somebody waits.
    pub(super) fn awaited(&self) -> Vec<Uuid> {
        self.lanes().iter().filter(|(_, lane)| lane.waiting > 0).map(|(id, _)| *id).collect()
    }

    /// Which of the two has no place left: whose it is, how many there are, how many there may be.
    pub(super) fn full(&self, ask: Ask) -> Option<(Uuid, usize, usize)> {
        let lanes = self.lanes();
        let running = |id: &Uuid| lanes.get(id).map_or(0, |lane| lane.running);
        ask.lanes()
            .into_iter()
            .map(|(id, limit)| (id, running(&id), limit))
            .find(|(_, running, limit)| running >= limit)
    }

    fn take(&self, lanes: &mut HashMap<Uuid, Lane>, ask: Ask) -> Place {
        for (id, _) in ask.lanes() {
            lanes.entry(id).or_default().running += 1;
        }
        Place { lanes: self.clone(), ask }
    }

    fn leave(&self, ask: Ask, leave: impl Fn(&mut Lane)) {
        let mut lanes = self.lanes();
        for (id, _) in ask.lanes() {
            if let Some(lane) = lanes.get_mut(&id) {
                leave(lane);
                if lane.running == 0 && lane.waiting == 0 {
                    lanes.remove(&id);
                }
            }
        }
    }
}

impl Waiter<'_> {
    fn try_enter(&mut self) -> Option<Place> {
        let mut lanes = self.lanes.lanes();
        let is_full = |(id, limit)| lanes.get(&id).is_some_and(|lane: &Lane| lane.running >= limit);
        let full = self.ask.lanes().map(is_full);
        self.count(&mut lanes, full);
        (full == [false; 2]).then(|| self.lanes.take(&mut lanes, self.ask))
    }

    /// Is counted as waiting in these of its lanes, and in no other.
    fn count(&mut self, lanes: &mut HashMap<Uuid, Lane>, waits: [bool; 2]) {
        for (at, (id, _)) in self.ask.lanes().into_iter().enumerate() {
            let lane = lanes.entry(id).or_default();
            lane.waiting = lane.waiting + usize::from(waits[at]) - usize::from(self.counted[at]);
            if lane.running == 0 && lane.waiting == 0 {
                lanes.remove(&id);
            }
        }
        self.counted = waits;
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let lanes = self.lanes;
        self.count(&mut lanes.lanes(), [false; 2]);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.lanes.leave(self.ask, |lane| lane.running -= 1);
        self.lanes.0.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn ask(function: u128) -> Ask {
        let (account, function) = (Uuid::from_u128(100), Uuid::from_u128(function));
        Ask { account, account_limit: 3, function, function_limit: 2 }
    }

    #[test]
    fn both_bounds_hold_and_nothing_is_left_behind() {
        let lanes = Lanes::default();
        let first = lanes.try_enter(ask(1));
        let second = lanes.try_enter(ask(1));
        assert!(first.is_some() && second.is_some());
        assert!(lanes.try_enter(ask(1)).is_none(), "the function's bound");
        let third = lanes.try_enter(ask(2));
        assert!(third.is_some());
        assert!(lanes.try_enter(ask(3)).is_none(), "the account's bound");
        drop((first, second, third));
        assert!(lanes.lanes().is_empty());
    }

    #[test]
    fn who_waits_is_not_overtaken() {
        let lanes = Lanes::default();
        let (first, second) = (lanes.try_enter(ask(1)), lanes.try_enter(ask(1)));
        let mut waiting = Box::pin(lanes.enter(ask(1)));
        assert!((&mut waiting).now_or_never().is_none());
        assert_eq!(lanes.awaited(), [ask(1).function]);
        let other = lanes.try_enter(ask(2));
        assert!(other.is_some(), "another function's place is nothing to it");
        drop(other);
        drop(first);
        assert!(lanes.try_enter(ask(1)).is_none(), "the place is for the one that waits");
        let place = waiting.now_or_never();
        assert!(place.is_some());
        drop((second, place));
        assert!(lanes.lanes().is_empty());
    }

    #[test]
    fn who_waits_for_a_place_of_the_account_is_not_overtaken_either() {
        let lanes = Lanes::default();
        let mut places = [1, 1, 2].map(|function| lanes.try_enter(ask(function)));
        let mut waiting = Box::pin(lanes.enter(ask(1)));
        assert!((&mut waiting).now_or_never().is_none());
        assert_eq!(lanes.awaited().len(), 2, "both are full");
        places[2] = None;
        assert!(lanes.try_enter(ask(2)).is_none(), "it has not looked yet");
        assert!((&mut waiting).now_or_never().is_none());
        assert_eq!(lanes.awaited(), [ask(1).function]);
        drop(waiting);
        drop(places);
        assert!(lanes.lanes().is_empty());
    }
}
