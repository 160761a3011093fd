//! The duty that reads the chain.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use futures_util::{StreamExt as _, future::BoxFuture, stream};
use sl_store::{Batch, Code, Fault, RetryPolicy, SYSTEM};

use super::{
    COMMIT_EVENTS, DUTY, NAME, PAGE, POLL, READERS, RETRY_CAP, RPC_CONCURRENCY, RPC_TIME, START_HEIGHT,
    STATE_SIZE,
    answers::Block,
    chain::{NeoChain, Place, Standing, TroubleKind},
    gauges::Gauges,
    node::{Node, Trouble},
    told::{self, Of, Teller},
};
use crate::{
    Core,
    duty::{Attempt, Duty, Outcome, RETRY_BASE},
    mirror::Around,
    settings::Setting,
};

/// For how much longer than until the next look a word about the node holds in this daemon.
const SLACK: Duration = Duration::from_secs(30);

/// Reads the chain.
#[derive(Debug)]
pub struct Follower {
    gauges: Gauges,
}

/// Why a look ends early.
enum Stop {
    /// The node.
    Trouble(Trouble),
    /// The store.
    Store(Fault),
    /// Another daemon has moved the checkpoint, or an operator has.
    Overtaken,
    /// The lease is lost, the work is paused or the daemon leaves.
    Held,
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        if fault.code == Code::Conflict { Self::Overtaken } else { Self::Store(fault) }
    }
}

impl Follower {
    /// A reader that tells a core's metrics how far it is.
    #[must_use]
    pub fn new(core: &Core) -> Self {
        Self { gauges: Gauges::new(core) }
    }

    /// One look: reads a page of blocks, or finds that there are none.
    async fn look(&self, core: &Core, attempt: &Attempt) -> Result<Outcome, Fault> {
        let Some(peer) = &core.peers.neo_rpc else { return Ok(Outcome::Done(Batch::new())) };
        let chain = if let Some(chain) = NeoChain::find(core).await? {
            chain
        } else {
            let made = NeoChain::new(core.clock.now());
            let mut batch = Batch::new();
            batch.insert(&made);
            core.store.commit(batch).await?;
            made
        };
        let mut look = Look { core, attempt, node: Node::new(core, peer), chain };
        let ended = look.follow().await;
        Ok(self.conclude(look, ended))
    }

    fn conclude(&self, look: Look<'_>, ended: Result<bool, Stop>) -> Outcome {
        let Look { core, mut chain, .. } = look;
        match ended {
            Ok(more) => {
                let rest = if more { Duration::ZERO } else { core.settings.duration(&POLL) };
                self.tell(core, &chain, rest);
                core.health.heal(NAME);
                let mut batch = Batch::new();
                if let Some(standing) = chain.trouble.take() {
                    batch.event(told::recovered(&chain, &standing));
                }
                let now = core.clock.now();
                chain.answered_at = Some(now);
                batch.replace(&mut chain, now);
                Outcome::Again(now + TimeDelta::from_std(rest).unwrap_or_default(), batch)
            }
            Err(Stop::Trouble(trouble)) => self.stand(core, chain, &trouble),
            Err(Stop::Store(fault)) => Outcome::Retry(fault, Batch::new()),
            Err(Stop::Overtaken) => Outcome::Release,
            Err(Stop::Held) => Outcome::Again(core.clock.now(), Batch::new()),
        }
    }

    /// Keeps and tells what is wrong with the node; it is asked again later and later.
    fn stand(&self, core: &Core, mut chain: NeoChain, trouble: &Trouble) -> Outcome {
        let now = core.clock.now();
        let before = chain.trouble.take();
        let failures = before.as_ref().map_or(0, |before| before.failures).saturating_add(1);
        let mut batch = Batch::new();
        let since = before.as_ref().map_or(now, |before| before.since);
        let standing = Standing { kind: trouble.kind, detail: trouble.detail.clone(), since, failures };
        if before.is_none_or(|before| before.kind != standing.kind) {
            batch.event(told::failing(&chain, &standing));
        }
        let backoff =
            core.settings.duration(&RETRY_BASE).saturating_mul(1 << failures.min(16).saturating_sub(1));
        let wait = trouble.wait.unwrap_or_default().max(backoff.min(core.settings.duration(&RETRY_CAP)));
        self.tell(core, &chain, wait);
        let lasts = wait + core.settings.duration(&RPC_TIME) + SLACK;
        core.health.degrade_for(NAME, format!("{}: {}", trouble.kind.as_str(), trouble.detail), lasts);
        chain.trouble = Some(standing);
        batch.replace(&mut chain, now);
        Outcome::Retry(trouble.fault(wait), batch)
    }

    fn tell(&self, core: &Core, chain: &NeoChain, rest: Duration) {
        let (Some(place), Some(height), Some(lag)) = (&chain.place, chain.node_height, chain.lag()) else {
            return;
        };
        let lasts = rest + core.settings.duration(&RPC_TIME) + SLACK;
        self.gauges.tell([u64::from(place.next), u64::from(height), lag], lasts);
    }
}

/// A look under way.
struct Look<'a> {
    core: &'a Core,
    attempt: &'a Attempt,
    node: Node<'a>,
    chain: NeoChain,
}

impl Look<'_> {
    /// Reads a page of blocks; answers whether there are more.
    async fn follow(&mut self) -> Result<bool, Stop> {
        let network = self.node.network().await?;
        let height = self.node.height().await?;
        self.chain.node_height = Some(height);
        let mut place = match self.chain.place.clone() {
            Some(place) => place,
            None => self.begin(network, height).await?,
        };
        self.check(&place, network, height).await?;
        for _ in 0..self.core.settings.count(&PAGE) {
            if place.next > height {
                return Ok(false);
            }
            if self.is_held() {
                return Err(Stop::Held);
            }
            place = self.block(place).await?;
        }
        Ok(place.next <= height)
    }

    async fn begin(&mut self, network: u32, height: u32) -> Result<Place, Stop> {
        let setting = u32::try_from(self.core.settings.count(&START_HEIGHT)).unwrap_or(u32::MAX);
        let start = self.chain.start.or((setting > 0).then_some(setting)).unwrap_or(height);
        let place = Place::at(network, start);
        let mut batch = Batch::new();
        batch.event(told::began(&self.chain, &place));
        self.moved(place.clone(), batch).await?;
        Ok(place)
    }

    /// Whether the node is one of our chain, and knows what was read of it.
    async fn check(&self, place: &Place, network: u32, height: u32) -> Result<(), Stop> {
        let trouble = |kind, detail: String| Stop::Trouble(Trouble::new(kind, detail));
        if network != place.network {
            let detail = format!("the node is of network {network}; what was read is of {}", place.network);
            return Err(trouble(TroubleKind::OtherNetwork, detail));
        }
        if u64::from(place.next) > u64::from(height) + 1 {
            let detail =
                format!("the node's newest block is {height}; the next to be read is {}", place.next);
            return Err(trouble(TroubleKind::Behind, detail));
        }
        let before = place.next.checked_sub(1).zip(place.last_hash.as_ref());
        let Some((before, read)) = before else { return Ok(()) };
        let found = self.node.hash(before).await?;
        if found != *read {
            let detail = format!("the node's block {before} is {found}; the one that was read is {read}");
            return Err(trouble(TroubleKind::Forked, detail));
        }
        Ok(())
    }

    fn is_held(&self) -> bool {
        let around = Around { duty: DUTY, account: SYSTEM, gates: &[] };
        self.attempt.cancel.is_cancelled()
            || self.core.bells.leaving.is_cancelled()
            || self.core.mirror.is_held(around, self.core.clock.now())
    }

    /// Reads and tells one block, from the part of it on that is not told yet; answers the place after it.
    async fn block(&mut self, place: Place) -> Result<Place, Stop> {
        let block = self.node.block(place.next).await?;
        let forked = |expected: &str, found: &str| {
            let detail = format!("block {}: {found} stands where {expected} was read", block.index);
            Stop::Trouble(Trouble::new(TroubleKind::Forked, detail))
        };
        if let Some(last) = place.last_hash.as_deref().filter(|last| *last != block.previous) {
            return Err(forked(last, &block.previous));
        }
        if let Some(part) = place.part_of.as_deref().filter(|part| *part != block.hash) {
            return Err(forked(part, &block.hash));
        }
        self.parts(place, &block).await
    }

    /// Tells the parts of a block: itself, what it does before its transactions, each transaction, what it does after.
    async fn parts(&mut self, mut place: Place, block: &Block) -> Result<Place, Stop> {
        let (core, node) = (self.core, self.node);
        let state_size = core.settings.size(&STATE_SIZE);
        let teller = Teller { network: place.network, block, state_size };
        let mut batch = Batch::new();
        if place.parts == 0 {
            batch.event(teller.block());
            place.parts = 1;
        }
        place.part_of = Some(block.hash.clone());
        let itself = node.log(&block.hash).await?;
        if place.parts == 1 {
            batch.events.extend(teller.log(Of::Block("OnPersist"), &itself));
            place.parts = 2;
        }
        let hashes = block.transactions.as_deref().unwrap_or_default();
        let told = usize::try_from(place.parts - 2).unwrap_or(usize::MAX);
        let left = hashes.get(told..).unwrap_or_default();
        let asked: Vec<BoxFuture<'_, _>> =
            left.iter().map(|hash| -> BoxFuture<'_, _> { Box::pin(node.log(hash)) }).collect();
        let mut logs = stream::iter(asked).buffered(core.settings.size(&RPC_CONCURRENCY));
        for hash in left {
            let Some(log) = logs.next().await else { break };
            batch.events.extend(teller.log(Of::Transaction(hash), &log?));
            place.parts += 1;
            if batch.events.len() >= core.settings.size(&COMMIT_EVENTS) {
                self.moved(place.clone(), std::mem::take(&mut batch)).await?;
                if self.is_held() {
                    return Err(Stop::Held);
                }
            }
        }
        batch.events.extend(teller.log(Of::Block("PostPersist"), &itself));
        let after = Place {
            network: place.network,
            next: block.index.saturating_add(1),
            last_hash: Some(block.hash.clone()),
            part_of: None,
            parts: 0,
        };
        self.moved(after.clone(), batch).await?;
        Ok(after)
    }

    /// Commits what was told together with the moved checkpoint.
    async fn moved(&mut self, place: Place, mut batch: Batch) -> Result<(), Stop> {
        let mut chain = self.chain.clone();
        chain.place = Some(place);
        batch.replace(&mut chain, self.core.clock.now());
        self.core.store.commit(batch).await?;
        self.chain = chain;
        self.core.bells.appended.notify_one();
        Ok(())
    }
}

impl Duty for Follower {
    fn name(&self) -> &'static str {
        DUTY
    }

    fn doc(&self) -> &'static str {
        "Reads the Neo chain block by block and tells its blocks and notifications as events."
    }

    fn concurrency(&self) -> &'static Setting {
        &READERS
    }

    fn recurs(&self) -> Option<&'static Setting> {
        Some(&POLL)
    }

    /// How long a node in trouble is left alone is in the failure itself; this is what spreads it.
    fn retry(&self, core: &Core) -> RetryPolicy {
        let base = core.settings.duration(&RETRY_BASE);
        RetryPolicy { base, cap: base, max_attempts: u32::MAX, max_age: Duration::MAX }
    }

    fn perform<'a>(&'a self, core: &'a Arc<Core>, attempt: &'a Attempt) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            tokio::select! {
                () = attempt.cancel.cancelled() => Outcome::Release,
                looked = self.look(core, attempt) => {
                    looked.unwrap_or_else(|fault| Outcome::Retry(fault, Batch::new()))
                }
            }
        })
    }
}
