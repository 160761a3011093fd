//! The work queue.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Bound::{Excluded, Included, Unbounded},
};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    Claim, Fault, Key, NewWork, Settle, Settlement, Work, WorkCount, WorkQuery, backend::SOON, refuse,
};

/// The order of one account's ready items.
type Rank = (Reverse<i16>, DateTime<Utc>, Uuid);

/// Where an item waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// It was due when it was added or looked at last.
    Ready,
    /// It is due later.
    Sleeping,
    /// Somebody holds it, or held it until its lease ran out.
    Held,
}

/// An item and where it waits.
#[derive(Clone, Debug)]
pub struct Slot {
    work: Work,
    place: Place,
}

/// One duty's items, by where they wait.
#[derive(Debug, Default)]
struct Lanes {
    ready: BTreeMap<Uuid, BTreeSet<Rank>>,
    sleeping: BTreeSet<(DateTime<Utc>, Key)>,
    held: BTreeSet<(DateTime<Utc>, Key)>,
}

/// All items that must happen later.
#[derive(Debug, Default)]
pub struct Queue {
    items: BTreeMap<Key, Slot>,
    by_id: BTreeSet<(Uuid, Uuid)>,
    by_subject: BTreeSet<(Key, Uuid)>,
    lanes: HashMap<String, Lanes>,
}

impl Queue {
    /// The slot an addition makes, unless the id is taken.
    pub fn added(&self, new: &NewWork, now: DateTime<Utc>) -> Result<Slot, Fault> {
        if self.items.contains_key(&Key::new(new.account, new.id)) {
            return Err(refuse::queued_twice());
        }
        let work = new.begun(now);
        Ok(Slot::unheld_or_held(work, now))
    }

    /// The slot a settlement leaves, or none where the item goes; fails where the fence or the holder is another.
    pub fn settled(&self, settle: &Settle, now: DateTime<Utc>) -> Result<Option<Slot>, Fault> {
        let slot = self.items.get(&Key::new(settle.account, settle.id));
        let Some(slot) =
            slot.filter(|slot| slot.work.fence == settle.fence && slot.work.holder == settle.holder)
        else {
            return Err(refuse::fence());
        };
        let mut work = Work { holder: None, leased_until: None, ..slot.work.clone() };
        match &settle.settlement {
            Settlement::Remove => return Ok(None),
            Settlement::Retry { due_at, error } => {
                work.due_at = *due_at;
                work.last_error = Some(error.clone());
            }
            Settlement::Release => work.attempt = (work.attempt - 1).max(0),
            Settlement::Interrupt => {}
        }
        Ok(Some(Slot::unheld_or_held(work, now)))
    }

    /// Puts a slot in the place of what was there, or takes it away; answers what was there.
    pub fn set(&mut self, key: Key, slot: Option<Slot>) -> Option<Slot> {
        let before = self.items.remove(&key);
        if let Some(before) = &before {
            self.unlink(before);
        }
        if let Some(slot) = slot {
            self.link(&slot);
            self.items.insert(key, slot);
        }
        before
    }

    /// The items about a subject.
    pub fn about(&self, subject: Key) -> Vec<Key> {
        self.by_subject
            .range((subject, Uuid::nil())..=(subject, Uuid::max()))
            .map(|(_, id)| Key::new(subject.account, *id))
            .collect()
    }

    /// Takes due items under a lease.
    pub fn claim(&mut self, claim: &Claim, now: DateTime<Utc>) -> Vec<Work> {
        self.promote(claim, now);
        let mut taken = Vec::new();
        let Some(lanes) = self.lanes.get(claim.duty) else { return taken };
        let after = claim.after_account.unwrap_or(Uuid::max());
        let round = lanes
            .ready
            .range((Excluded(after), Unbounded))
            .chain(lanes.ready.range((Unbounded, Included(after))));
        let mut keys: Vec<Key> = Vec::new();
        for (account, ranks) in round {
            if claim.skip_accounts.contains(account) {
                continue;
            }
            let due = ranks.iter().filter(|(_, due_at, _)| *due_at <= claim.due);
            let open = due.map(|(.., id)| Key::new(*account, *id)).filter(|key| self.is_open(*key, claim));
            keys.extend(open.take(claim.per_account.min(claim.limit - keys.len())));
            if keys.len() >= claim.limit {
                break;
            }
        }
        for key in keys {
            let Some(mut slot) = self.set(key, None) else { continue };
            slot.work.attempt += 1;
            slot.work.fence += 1;
            slot.work.holder = Some(claim.holder);
            slot.work.leased_until = Some(now + claim.lease);
            slot.place = Place::Held;
            taken.push(slot.work.clone());
            self.set(key, Some(slot));
        }
        taken
    }

    /// Prolongs the leases that are still held under their fence.
    pub fn heartbeat(&mut self, holder: Uuid, held: Vec<(Key, i64)>, until: DateTime<Utc>) -> Vec<Uuid> {
        let mut kept = Vec::new();
        for (key, fence) in held {
            let owned = |slot: &&Slot| slot.work.fence == fence && slot.work.holder == Some(holder);
            let Some(mut slot) = self.items.get(&key).filter(owned).cloned() else { continue };
            slot.work.leased_until = Some(until);
            slot.place = Place::Held;
            self.set(key, Some(slot));
            kept.push(key.id);
        }
        kept
    }

    /// When the duty has something to do next.
    pub fn next_due(&self, duty: &str, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let lanes = self.lanes.get(duty)?;
        let sleeping = lanes.sleeping.iter().map(|(due_at, _)| *due_at).find(|due_at| *due_at > after);
        let held = lanes.held.iter().map(|(until, _)| *until).find(|until| *until > after);
        [sleeping, held].into_iter().flatten().min()
    }

    /// A page of the queue, oldest item first.
    pub fn list(&self, query: &WorkQuery, now: DateTime<Utc>) -> Vec<Work> {
        self.matching(query, now).take(query.limit).map(|slot| slot.work.clone()).collect()
    }

    /// How much of the queue matches.
    pub fn count(&self, query: &WorkQuery, now: DateTime<Utc>) -> WorkCount {
        let query = WorkQuery { after: None, ..query.clone() };
        let mut count = WorkCount::default();
        for slot in self.matching(&query, now) {
            if slot.work.is_leased(now) {
                count.running += 1;
            } else if slot.work.due_at <= now {
                count.waiting += 1;
            } else {
                count.later += 1;
            }
        }
        count
    }

    fn matching<'a>(
        &'a self,
        query: &'a WorkQuery,
        now: DateTime<Utc>,
    ) -> Box<dyn Iterator<Item = &'a Slot> + 'a> {
        let keys: Box<dyn Iterator<Item = Key> + 'a> = match (query.account, query.subject) {
            (Some(account), Some(subject)) => Box::new(self.about(Key::new(account, subject)).into_iter()),
            (Some(account), None) => {
                let from = query.after.map_or(Included(Key::new(account, Uuid::nil())), |after| {
                    Excluded(Key::new(account, after))
                });
                let to = Included(Key::new(account, Uuid::max()));
                Box::new(self.items.range((from, to)).map(|(key, _)| *key))
            }
            (None, _) => {
                let from = query.after.map_or(Unbounded, |after| Excluded((after, Uuid::max())));
                Box::new(self.by_id.range((from, Unbounded)).map(|(id, account)| Key::new(*account, *id)))
            }
        };
        Box::new(keys.filter_map(|key| self.items.get(&key)).filter(move |slot| accepts(query, slot, now)))
    }

    /// Moves what has become due, and what was held until its lease ran out, to where claims look.
    fn promote(&mut self, claim: &Claim, now: DateTime<Utc>) {
        let Some(lanes) = self.lanes.get(claim.duty) else { return };
        let due = lanes.sleeping.iter().take_while(|(due_at, _)| *due_at <= claim.due);
        let lapsed = lanes.held.iter().take_while(|(until, _)| *until <= now);
        let keys: Vec<Key> = due.chain(lapsed).map(|(_, key)| *key).collect();
        for key in keys {
            if let Some(mut slot) = self.set(key, None) {
                slot.place = Place::Ready;
                self.set(key, Some(slot));
            }
        }
    }

    fn is_open(&self, key: Key, claim: &Claim) -> bool {
        let gate = self.items.get(&key).and_then(|slot| slot.work.gate);
        gate.is_none_or(|gate| !claim.skip_gates.contains(&gate))
    }

    fn link(&mut self, slot: &Slot) {
        let (work, key) = (&slot.work, slot.key());
        self.by_id.insert((key.id, key.account));
        self.by_subject.insert((Key::new(key.account, work.subject), key.id));
        if !self.lanes.contains_key(&work.duty) {
            self.lanes.insert(work.duty.clone(), Lanes::default());
        }
        let Some(lanes) = self.lanes.get_mut(&work.duty) else { return };
        match slot.place {
            Place::Ready => {
                lanes.ready.entry(key.account).or_default().insert(slot.rank());
            }
            Place::Sleeping => {
                lanes.sleeping.insert((work.due_at, key));
            }
            Place::Held => {
                lanes.held.insert((slot.until(), key));
            }
        }
    }

    fn unlink(&mut self, slot: &Slot) {
        let (work, key) = (&slot.work, slot.key());
        self.by_id.remove(&(key.id, key.account));
        self.by_subject.remove(&(Key::new(key.account, work.subject), key.id));
        let Some(lanes) = self.lanes.get_mut(&work.duty) else { return };
        match slot.place {
            Place::Ready => {
                if let Some(ranks) = lanes.ready.get_mut(&key.account) {
                    ranks.remove(&slot.rank());
                    if ranks.is_empty() {
                        lanes.ready.remove(&key.account);
                    }
                }
            }
            Place::Sleeping => {
                lanes.sleeping.remove(&(work.due_at, key));
            }
            Place::Held => {
                lanes.held.remove(&(slot.until(), key));
            }
        }
    }
}

impl Slot {
    /// The key of the item.
    pub const fn key(&self) -> Key {
        Key::new(self.work.account, self.work.id)
    }

    /// Whether a hint is to tell of it.
    pub fn is_told(&self, now: DateTime<Utc>) -> bool {
        !matches!(self.place, Place::Held) && self.work.due_at <= now + SOON
    }

    /// The duty of the item.
    pub fn duty(&self) -> &str {
        &self.work.duty
    }

    fn unheld_or_held(work: Work, now: DateTime<Utc>) -> Self {
        let place = if work.holder.is_some() {
            Place::Held
        } else if work.due_at <= now {
            Place::Ready
        } else {
            Place::Sleeping
        };
        Self { work, place }
    }

    const fn rank(&self) -> Rank {
        (Reverse(self.work.priority), self.work.due_at, self.work.id)
    }

    fn until(&self) -> DateTime<Utc> {
        self.work.leased_until.unwrap_or(self.work.due_at)
    }
}

fn accepts(query: &WorkQuery, slot: &Slot, now: DateTime<Utc>) -> bool {
    let work = &slot.work;
    query.account.is_none_or(|account| work.account == account)
        && query.duty.as_ref().is_none_or(|duty| work.duty == *duty)
        && query.subject.is_none_or(|subject| work.subject == subject)
        && query.gate.is_none_or(|gate| work.gate == Some(gate))
        && query.after.is_none_or(|after| work.id > after)
        && query.waiting_since.is_none_or(|since| work.due_at < since && !work.is_leased(now))
}
