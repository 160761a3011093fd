//! The work queue: claims, leases, fences, settlements.

use std::{collections::HashMap, time::Duration};

use uuid::Uuid;

use super::{Subject, Thing, subject::DUTY};
use crate::{Claim, Code, Key, Lease, NewWork, Query, Settlement, Work, WorkCount, WorkQuery};

/// Long enough for a round trip on a busy machine, short enough to wait for.
const SHORT: Duration = Duration::from_millis(500);

fn ids(items: &[Work]) -> Vec<Uuid> {
    items.iter().map(|item| item.id).collect()
}

fn owners(items: &[Work]) -> Vec<Uuid> {
    items.iter().map(|item| item.account).collect()
}

async fn settle(subject: &Subject, item: &Work, settlement: Settlement) -> Result<(), crate::Fault> {
    subject
        .try_commit(|batch| {
            batch.settle(item.settle(settlement));
        })
        .await
}

/// Added, claimed with everything that was given, settled, gone.
pub async fn an_item_goes_through_its_life(subject: &Subject) {
    let account = subject.id();
    let gate = subject.id();
    let new = NewWork { priority: 3, payload: Subject::payload(7), ..subject.item(account) }.gate(gate);
    subject
        .commit(|batch| {
            batch.enqueue(new.clone());
        })
        .await;
    let claim = subject.claim_of(10);
    let holder = claim.holder;
    let items = subject.store.claim(claim).await.unwrap();
    let [item] = items.as_slice() else { panic!("one item, not {items:?}") };
    assert_eq!((item.id, item.account, item.subject, item.gate), (new.id, account, new.subject, Some(gate)));
    assert_eq!((item.duty.as_str(), item.priority, item.due_at), (DUTY, 3, new.due_at));
    assert_eq!((item.attempt, item.fence, item.holder), (1, 1, Some(holder)));
    assert_eq!((&item.payload, &item.last_error), (&new.payload, &None));
    assert!(item.leased_until.is_some_and(|until| until > item.created_at));
    assert!(subject.claimed(10).await.is_empty(), "held by one worker only");
    settle(subject, item, Settlement::Remove).await.unwrap();
    assert!(subject.store.work(WorkQuery { limit: 10, ..WorkQuery::default() }).await.unwrap().is_empty());
    assert_eq!(settle(subject, item, Settlement::Remove).await.unwrap_err().code, Code::FenceLost);
}

/// The id of an item is given once.
pub async fn adding_twice_is_a_conflict(subject: &Subject) {
    let item = subject.enqueued(subject.id()).await;
    let again = subject.try_commit(|batch| {
        batch.enqueue(item.clone());
    });
    assert_eq!(again.await.unwrap_err().code, Code::Conflict);
    let both = subject.item(item.account);
    let twice = subject.try_commit(|batch| {
        batch.enqueue(both.clone()).enqueue(both.clone());
    });
    assert_eq!(twice.await.unwrap_err().code, Code::Conflict);
    assert_eq!(ids(&subject.claimed(10).await), [item.id]);
}

/// Not before its time; by priority, then due time, then id; of this duty only.
pub async fn only_what_is_due_is_claimed_best_first(subject: &Subject) {
    let account = subject.id();
    let now = subject.now();
    let minute = Duration::from_mins(1);
    let item = |priority, due_at| NewWork { priority, due_at, ..subject.item(account) };
    let (second, first) = (item(0, now - minute), item(0, now - 2 * minute));
    let (urgent, third) = (item(5, now), item(0, now - minute));
    let (later, low) = (item(9, now + minute), item(-1, now - 3 * minute));
    let other = NewWork { duty: "conformance.other", ..item(9, now - minute) };
    subject
        .commit(|batch| {
            for new in [&second, &first, &urgent, &third, &later, &low, &other] {
                batch.enqueue(new.clone());
            }
        })
        .await;
    let taken = subject.claimed(10).await;
    assert_eq!(ids(&taken), [urgent.id, first.id, second.id, third.id, low.id]);
    let ahead = Claim { due: now + minute, ..subject.claim_of(10) };
    assert_eq!(ids(&subject.store.claim(ahead).await.unwrap()), [later.id], "the asker says what is due");
    let behind = Claim { duty: "conformance.other", due: now - 2 * minute, ..subject.claim_of(10) };
    assert!(subject.store.claim(behind).await.unwrap().is_empty());
}

/// Accounts in the order of their ids, from after the given one, once round.
pub async fn claims_rotate_over_accounts(subject: &Subject) {
    let accounts = [subject.id(), subject.id(), subject.id(), subject.id()];
    for account in accounts {
        for _ in 0..3 {
            subject.enqueued(account).await;
        }
    }
    let claim = |after: Option<Uuid>, per_account, limit| Claim {
        after_account: after,
        per_account,
        ..subject.claim_of(limit)
    };
    let [a, b, c, d] = accounts;
    let first = subject.store.claim(claim(Some(b), 1, 3)).await.unwrap();
    assert_eq!(owners(&first), [c, d, a]);
    let second = subject.store.claim(claim(Some(a), 2, 3)).await.unwrap();
    assert_eq!(owners(&second), [b, b, c]);
    let third = subject.store.claim(claim(None, 2, 100)).await.unwrap();
    assert_eq!(owners(&third), [a, a, b, c, d, d]);
    assert!(subject.store.claim(claim(Some(d), 0, 100)).await.unwrap().is_empty());
    assert!(subject.store.claim(claim(Some(d), 9, 0)).await.unwrap().is_empty());
    assert!(subject.store.claim(claim(Some(d), 9, 9)).await.unwrap().is_empty());
}

/// What was added before its time is claimed within the same bounds, and what is skipped is not lost.
pub async fn what_comes_due_is_claimed_like_what_was_due(subject: &Subject) {
    let (a, b, gate) = (subject.id(), subject.id(), subject.id());
    let due = subject.now() + Duration::from_mins(1);
    let item = |account| NewWork { due_at: due, ..subject.item(account) };
    let gated = item(b).gate(gate);
    let (second, first) = (item(a), NewWork { priority: 1, ..item(a) });
    subject
        .commit(|batch| {
            for new in [&gated, &second, &first] {
                batch.enqueue(new.clone());
            }
        })
        .await;
    assert!(subject.claimed(10).await.is_empty());
    let claim = |limit| Claim { due, ..subject.claim_of(limit) };
    let skipping = Claim { skip_gates: vec![gate], after_account: Some(b), ..claim(10) };
    let taken = subject.store.claim(skipping.clone()).await.unwrap();
    assert_eq!(ids(&taken), [first.id, second.id]);
    assert_eq!((taken[0].attempt, taken[0].fence, taken[0].holder), (1, 1, Some(skipping.holder)));
    let more = [item(a), item(b), item(a), item(b), item(a)];
    subject
        .commit(|batch| {
            for new in &more {
                batch.enqueue(new.clone());
            }
        })
        .await;
    assert_eq!(subject.store.claim(Claim { skip_accounts: vec![a], ..skipping }).await.unwrap().len(), 2);
    assert_eq!(
        ids(&subject.store.claim(Claim { skip_accounts: vec![a], ..claim(9) }).await.unwrap()),
        [gated.id]
    );
    let each = Claim { per_account: 2, ..claim(9) };
    assert_eq!(subject.store.claim(each).await.unwrap().len(), 2, "an account has its share");
    assert_eq!(subject.store.claim(claim(1)).await.unwrap().len(), 1);

    for _ in 0..3 {
        subject
            .commit(|batch| {
                batch.enqueue(item(a)).enqueue(item(b));
            })
            .await;
    }
    let each = Claim { per_account: 1, after_account: Some(a), ..claim(9) };
    assert_eq!(owners(&subject.store.claim(each).await.unwrap()), [b, a]);
    assert_eq!(subject.store.claim(claim(3)).await.unwrap().len(), 3, "no more than was asked for");
    assert_eq!(subject.store.claim(claim(3)).await.unwrap().len(), 1);
}

/// One account's flood leaves the others their turn in the next claim.
pub async fn a_flood_delays_nobody(subject: &Subject) {
    let (flood, quiet) = (subject.id(), subject.id());
    subject
        .commit(|batch| {
            for _ in 0..2_000 {
                batch.enqueue(subject.item(flood));
            }
        })
        .await;
    let claim = || Claim { per_account: 10, ..subject.claim_of(50) };
    assert_eq!(subject.store.claim(claim()).await.unwrap().len(), 10);
    let single = subject.enqueued(quiet).await;
    let next = Claim { after_account: Some(flood), ..claim() };
    let items = subject.store.claim(next).await.unwrap();
    assert_eq!((items.len(), items[0].id), (11, single.id));
}

/// However much of a paused account comes due, what comes due after it is found.
pub async fn a_flood_that_is_skipped_hides_nobody(subject: &Subject) {
    let (flood, quiet) = (subject.id(), subject.id());
    let due = subject.now() + Duration::from_mins(1);
    let (first, second) = (subject.item(quiet), subject.item(quiet));
    subject
        .commit(|batch| {
            for _ in 0..2_500 {
                batch.enqueue(NewWork { due_at: due, ..subject.item(flood) });
            }
            batch.enqueue(NewWork { due_at: due - Duration::from_secs(1), ..first.clone() });
            batch.enqueue(NewWork { due_at: due + Duration::from_secs(1), ..second.clone() });
        })
        .await;
    let later = due + Duration::from_secs(2);
    let claim = Claim { due: later, skip_accounts: vec![flood], ..subject.claim_of(10) };
    assert_eq!(ids(&subject.store.claim(claim).await.unwrap()), [first.id, second.id]);
    let claim = Claim { due: later, per_account: 20, ..subject.claim_of(50) };
    assert_eq!(subject.store.claim(claim).await.unwrap().len(), 20);
}

/// What is paused is not claimed and not lost.
pub async fn skipped_accounts_and_gates_stay(subject: &Subject) {
    let (paused, open) = (subject.id(), subject.id());
    let gate = subject.id();
    subject.enqueued(paused).await;
    let gated = subject.item(open).gate(gate);
    subject
        .commit(|batch| {
            batch.enqueue(gated.clone());
        })
        .await;
    let plain = subject.enqueued(open).await;
    let claim = Claim { skip_accounts: vec![paused], skip_gates: vec![gate], ..subject.claim_of(10) };
    assert_eq!(ids(&subject.store.claim(claim).await.unwrap()), [plain.id]);
    let claim = Claim { skip_accounts: vec![paused], ..subject.claim_of(10) };
    assert_eq!(ids(&subject.store.claim(claim).await.unwrap()), [gated.id]);
    assert_eq!(subject.claimed(10).await[0].account, paused);
}

/// Whoever adds an item may hold it from the beginning.
pub async fn an_initial_lease_is_a_claim(subject: &Subject) {
    let account = subject.id();
    let holder = subject.id();
    let new = NewWork { lease: Some(Lease { holder, duration: SHORT }), ..subject.item(account) };
    subject
        .commit(|batch| {
            batch.enqueue(new.clone());
        })
        .await;
    assert!(subject.claimed(10).await.is_empty());
    let query = WorkQuery { limit: 10, ..WorkQuery::default() };
    let held = subject.store.work(query).await.unwrap().remove(0);
    assert_eq!((held.attempt, held.fence, held.holder), (1, 1, Some(holder)));
    subject.pass(SHORT * 2).await;
    let taken = subject.claimed(10).await.remove(0);
    assert_eq!((taken.id, taken.attempt, taken.fence), (new.id, 2, 2));
    assert_eq!(settle(subject, &held, Settlement::Remove).await.unwrap_err().code, Code::FenceLost);
    settle(subject, &taken, Settlement::Remove).await.unwrap();
}

/// A worker that was replaced cannot settle, prolong or change anything.
pub async fn a_lease_runs_out_and_the_zombie_is_refused(subject: &Subject) {
    subject.enqueued(subject.id()).await;
    let claim = Claim { lease: SHORT, ..subject.claim_of(10) };
    let zombie = subject.store.claim(claim.clone()).await.unwrap().remove(0);
    subject.pass(SHORT * 2).await;
    let fresh = subject.claimed(10).await.remove(0);
    assert_eq!((fresh.id, fresh.attempt, fresh.fence), (zombie.id, 2, 2));
    let retry = Settlement::Retry { due_at: subject.now(), error: "late".to_owned() };
    for settlement in [Settlement::Remove, Settlement::Release, Settlement::Interrupt, retry] {
        assert_eq!(settle(subject, &zombie, settlement).await.unwrap_err().code, Code::FenceLost);
    }
    let key = Key::new(zombie.account, zombie.id);
    let held = vec![(key, zombie.fence)];
    assert!(subject.store.heartbeat(claim.holder, held, SHORT).await.unwrap().is_empty());
    settle(subject, &fresh, Settlement::Remove).await.unwrap();
}

/// A lease that ran out is no fault as long as nobody else took the item.
pub async fn a_late_worker_whom_nobody_replaced_may_settle(subject: &Subject) {
    let account = subject.id();
    subject.enqueued(account).await;
    subject.enqueued(account).await;
    let claim = Claim { lease: SHORT, ..subject.claim_of(2) };
    let items = subject.store.claim(claim.clone()).await.unwrap();
    subject.pass(SHORT * 2).await;
    let gate = Claim { skip_accounts: vec![account], ..subject.claim_of(2) };
    assert!(subject.store.claim(gate).await.unwrap().is_empty());
    settle(subject, &items[0], Settlement::Remove).await.unwrap();
    let held = vec![(Key::new(account, items[1].id), items[1].fence)];
    let lease = Duration::from_mins(1);
    assert_eq!(subject.store.heartbeat(claim.holder, held, lease).await.unwrap(), [items[1].id]);
    assert!(subject.claimed(2).await.is_empty(), "held again");
    settle(subject, &items[1], Settlement::Remove).await.unwrap();
}

/// A heartbeat keeps what its holder holds and nothing else.
pub async fn heartbeats_prolong_what_is_held(subject: &Subject) {
    let account = subject.id();
    for _ in 0..3 {
        subject.enqueued(account).await;
    }
    let claim = Claim { lease: SHORT, ..subject.claim_of(3) };
    let items = subject.store.claim(claim.clone()).await.unwrap();
    let key = |item: &Work| Key::new(account, item.id);
    let held = vec![(key(&items[0]), 1), (key(&items[1]), 2), (Key::new(subject.id(), items[2].id), 1)];
    let lease = Duration::from_mins(1);
    assert!(subject.store.heartbeat(subject.id(), held.clone(), lease).await.unwrap().is_empty());
    assert_eq!(subject.store.heartbeat(claim.holder, held, lease).await.unwrap(), [items[0].id]);
    subject.pass(SHORT * 2).await;
    let mut taken = ids(&subject.claimed(3).await);
    taken.sort_unstable();
    assert_eq!(taken, [items[1].id, items[2].id]);
    assert!(subject.store.heartbeat(claim.holder, vec![], lease).await.unwrap().is_empty());
}

/// A retry waits and keeps its error; a release is due at once and not counted.
pub async fn retry_and_release(subject: &Subject) {
    let new = subject.enqueued(subject.id()).await;
    let item = subject.claimed(1).await.remove(0);
    settle(subject, &item, Settlement::Release).await.unwrap();
    let query = || WorkQuery { limit: 1, ..WorkQuery::default() };
    let released = subject.store.work(query()).await.unwrap().remove(0);
    assert_eq!((released.attempt, released.holder, released.leased_until), (0, None, None));
    let held = vec![(Key::new(item.account, item.id), item.fence)];
    let holder = item.holder.unwrap_or_default();
    assert!(subject.store.heartbeat(holder, held, SHORT).await.unwrap().is_empty(), "given back");
    let item = subject.claimed(1).await.remove(0);
    assert_eq!((item.attempt, item.fence, item.due_at), (1, 2, new.due_at));
    let due_at = subject.now() + Duration::from_hours(1);
    let error = "it \0 failed".to_owned();
    settle(subject, &item, Settlement::Retry { due_at, error }).await.unwrap();
    assert!(subject.claimed(1).await.is_empty());
    let waiting = subject.store.work(query()).await.unwrap().remove(0);
    assert_eq!((waiting.attempt, waiting.fence, waiting.holder, waiting.due_at), (1, 2, None, due_at));
    assert_eq!(waiting.last_error.as_deref(), Some("it \u{fffd} failed"));
    let claim = Claim { due: due_at, ..subject.claim_of(1) };
    let item = subject.store.claim(claim).await.unwrap().remove(0);
    assert_eq!((item.attempt, item.fence), (2, 3));
    let error = "again".to_owned();
    settle(subject, &item, Settlement::Retry { due_at: subject.now(), error }).await.unwrap();
    assert_eq!(subject.claimed(1).await.remove(0).fence, 4, "due at once");
}

/// An attempt that was stopped counts, and what it was about is due again at once.
pub async fn an_interrupted_attempt_counts(subject: &Subject) {
    let new = subject.enqueued(subject.id()).await;
    let item = subject.claimed(1).await.remove(0);
    settle(subject, &item, Settlement::Interrupt).await.unwrap();
    let query = WorkQuery { limit: 1, ..WorkQuery::default() };
    let waiting = subject.store.work(query).await.unwrap().remove(0);
    assert_eq!((waiting.attempt, waiting.holder, waiting.leased_until), (1, None, None));
    let again = subject.claimed(1).await.remove(0);
    assert_eq!((again.attempt, again.fence, again.due_at), (2, 2, new.due_at));
    assert_eq!(settle(subject, &item, Settlement::Interrupt).await.unwrap_err().code, Code::FenceLost);
    settle(subject, &again, Settlement::Remove).await.unwrap();
}

/// What comes back into the queue goes on from its fence, so that nobody who held it before can settle it.
pub async fn a_fence_goes_on_where_an_item_comes_back(subject: &Subject) {
    let account = subject.id();
    subject.enqueued(account).await;
    let given_up = subject.claimed(1).await.remove(0);
    settle(subject, &given_up, Settlement::Remove).await.unwrap();
    let back = NewWork { id: given_up.id, fence: given_up.fence, ..subject.item(account) };
    subject
        .commit(|batch| {
            batch.enqueue(back.clone());
        })
        .await;
    let taken = subject.claimed(1).await.remove(0);
    assert_eq!((taken.id, taken.attempt, taken.fence), (given_up.id, 1, given_up.fence + 1));
    assert_eq!(settle(subject, &given_up, Settlement::Remove).await.unwrap_err().code, Code::FenceLost);
    settle(subject, &taken, Settlement::Remove).await.unwrap();
}

/// Work about a subject can be taken back, held or not.
pub async fn withdrawing_takes_items_from_whoever_holds_them(subject: &Subject) {
    let account = subject.id();
    let (held, waiting) = (subject.enqueued(account).await, subject.enqueued(account).await);
    let same = NewWork { id: subject.id(), ..waiting.clone() };
    subject
        .commit(|batch| {
            batch.enqueue(same.clone());
        })
        .await;
    let taken = subject.claimed(1).await.remove(0);
    assert_eq!(taken.id, held.id);
    subject
        .commit(|batch| {
            batch.withdraw(account, held.subject).withdraw(account, waiting.subject);
            batch.withdraw(account, subject.id()).withdraw(subject.id(), waiting.subject);
        })
        .await;
    assert_eq!(settle(subject, &taken, Settlement::Remove).await.unwrap_err().code, Code::FenceLost);
    assert!(subject.claimed(10).await.is_empty());
    subject.enqueued(account).await;
    let replaced = subject.item(account);
    subject
        .commit(|batch| {
            batch.enqueue(replaced.clone()).withdraw(account, replaced.subject);
        })
        .await;
    assert_eq!(subject.claimed(10).await.len(), 2, "a batch withdraws before it adds");
}

/// An outcome is recorded by whoever holds the item, or not at all.
pub async fn a_lost_fence_undoes_its_batch(subject: &Subject) {
    let account = subject.id();
    subject.enqueued(account).await;
    let item = subject.claimed(1).await.remove(0);
    let stale = crate::Settle { fence: 7, ..item.settle(Settlement::Remove) };
    let outcome = subject.thing(account, "outcome");
    let fault = subject
        .try_commit(|batch| {
            batch.insert(&outcome).event(subject.event(account, "outcome", item.id)).settle(stale);
        })
        .await
        .unwrap_err();
    assert_eq!(fault.code, Code::FenceLost);
    assert!(subject.store.list::<Thing>(Query::of(account)).await.unwrap().is_empty());
    subject
        .commit(|batch| {
            batch.insert(&outcome).settle(item.settle(Settlement::Remove));
        })
        .await;
    let again = subject.try_commit(|batch| {
        batch.settle(item.settle(Settlement::Release)).settle(item.settle(Settlement::Remove));
    });
    assert_eq!(again.await.unwrap_err().code, Code::Internal, "an item ends in one way");
    let foreign = crate::Settle { account: subject.id(), ..item.settle(Settlement::Remove) };
    let result = subject.try_commit(|batch| {
        batch.settle(foreign);
    });
    assert_eq!(result.await.unwrap_err().code, Code::FenceLost);
}

/// The next instant at which there is something to do, whatever was due before.
pub async fn next_due_looks_at_waiting_and_held(subject: &Subject) {
    let (account, started) = (subject.id(), subject.now());
    let next = || async { subject.store.next_due(DUTY, started).await.unwrap() };
    assert_eq!(next().await, None);
    let hour = Duration::from_hours(1);
    let later = NewWork { due_at: subject.now() + hour, ..subject.item(account) };
    subject
        .commit(|batch| {
            batch.enqueue(later.clone());
        })
        .await;
    assert_eq!(next().await, Some(later.due_at));
    assert_eq!(subject.store.next_due("conformance.other", started).await.unwrap(), None);
    assert_eq!(subject.store.next_due(DUTY, later.due_at).await.unwrap(), None);
    let due = NewWork { due_at: started, ..subject.item(account) };
    subject
        .commit(|batch| {
            batch.enqueue(due.clone());
        })
        .await;
    assert_eq!(next().await, Some(later.due_at), "what is due already hides nothing that comes");
    let item = subject.claimed(10).await.remove(0);
    assert_eq!(next().await, item.leased_until);
    settle(subject, &item, Settlement::Remove).await.unwrap();
    assert_eq!(next().await, Some(later.due_at));
}

/// Pages and counts of the queue, by everything that can be asked.
pub async fn the_queue_can_be_read(subject: &Subject) {
    let (account, other) = (subject.id(), subject.id());
    let gate = subject.id();
    let hour = Duration::from_hours(1);
    let early = NewWork { due_at: subject.now() - hour, ..subject.item(account) };
    let gated = subject.item(account).gate(gate);
    let later = NewWork { due_at: subject.now() + hour, ..subject.item(account) };
    let foreign = NewWork { duty: "conformance.other", ..subject.item(other) };
    subject
        .commit(|batch| {
            for new in [&early, &gated, &later, &foreign] {
                batch.enqueue(new.clone());
            }
        })
        .await;
    let all = || WorkQuery { limit: 10, ..WorkQuery::default() };
    let mine = || WorkQuery { account: Some(account), ..all() };
    for (query, expected) in [
        (all(), vec![early.id, gated.id, later.id, foreign.id]),
        (mine(), vec![early.id, gated.id, later.id]),
        (WorkQuery { limit: 2, ..mine() }, vec![early.id, gated.id]),
        (WorkQuery { limit: 0, ..mine() }, vec![]),
        (WorkQuery { after: Some(early.id), ..mine() }, vec![gated.id, later.id]),
        (WorkQuery { after: Some(later.id), ..all() }, vec![foreign.id]),
        (WorkQuery { duty: Some(DUTY.to_owned()), ..all() }, vec![early.id, gated.id, later.id]),
        (WorkQuery { subject: Some(gated.subject), ..mine() }, vec![gated.id]),
        (WorkQuery { subject: Some(foreign.subject), ..all() }, vec![foreign.id]),
        (WorkQuery { gate: Some(gate), ..all() }, vec![gated.id]),
        (WorkQuery { waiting_since: Some(subject.now() - hour / 2), ..all() }, vec![early.id]),
    ] {
        assert_eq!(ids(&subject.store.work(query.clone()).await.unwrap()), expected, "{query:?}");
    }
    let count = subject.store.work_count(mine()).await.unwrap();
    assert_eq!(count, WorkCount { waiting: 2, later: 1, running: 0 });
    let taken: HashMap<Uuid, Work> =
        subject.claimed(1).await.into_iter().map(|item| (item.id, item)).collect();
    let count = subject.store.work_count(all()).await.unwrap();
    assert_eq!(count, WorkCount { waiting: 2, later: 1, running: 1 });
    let waiting = WorkQuery { waiting_since: Some(subject.now() + Duration::from_secs(1)), ..mine() };
    assert_eq!(ids(&subject.store.work(waiting).await.unwrap()), [gated.id]);
    let listed = subject.store.work(mine()).await.unwrap();
    assert_eq!(Some(&listed[0]), taken.get(&early.id), "a claim answers what is stored");
}
