//! Where a feed stands, and how it moves on: observations go into the open round, and the round is published where the
//! formula says so. Whoever moves it on commits against the rows as they were read; who comes second reads again.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sl_store::{Batch, Code, Fault, Head, Key, Store};

use super::{
    MAX_ROUND_INPUTS,
    entity::PriceFeed,
    price::Price,
    records::{PriceRound, PriceSnapshot, PriceState, Published, Reject, RoundStatus, Verdict},
    rules::{Decision, Evaluation, FORMULA, Given, Input, Reason, Rejection, evaluate},
};
use crate::action::Tenant;

/// How often a change is tried against rows that others change at the same time.
pub(super) const TRIES: usize = 16;
/// How many rejects a round keeps.
const REJECTS: usize = 200;

/// A price that somebody observed.
#[derive(Clone, Debug)]
pub(super) struct Observed {
    pub source: String,
    pub price: Price,
    /// When the source saw it; now, where it does not say.
    pub collected_at: Option<DateTime<Utc>>,
}

/// A source that brought no price.
#[derive(Clone, Debug)]
pub(super) struct Failed {
    pub source: String,
    pub reason: Rejection,
    pub detail: String,
}

/// What is new.
#[derive(Clone, Debug, Default)]
pub(super) struct News {
    pub observed: Vec<Observed>,
    pub failed: Vec<Failed>,
}

/// A feed, where it stands, and its open round.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub feed: PriceFeed,
    pub state: PriceState,
    pub open: Option<PriceRound>,
}

impl Standing {
    /// Reads it; where it moves on between two looks, again.
    pub async fn load(store: &Store, key: Key) -> Result<Self, Fault> {
        for _ in 0..TRIES {
            let feed: PriceFeed = store.get(key).await?;
            let state: PriceState = store.get(key).await?;
            if !state.open {
                return Ok(Self { feed, state, open: None });
            }
            let round = PriceRound::key(key.account, key.id, state.round);
            let found: Option<PriceRound> = store.find(round).await?;
            if let Some(open) = found.filter(|round| round.status == RoundStatus::Open) {
                return Ok(Self { feed, state, open: Some(open) });
            }
        }
        Err(Fault::new(Code::Conflict, "the price feed moves on at every look; try again"))
    }

    /// Refuses what an inactive feed refuses.
    pub fn expect_active(&self) -> Result<(), Fault> {
        if self.feed.active {
            return Ok(());
        }
        let detail = format!("the price feed {} is inactive and takes no prices", self.feed.pair());
        Err(Fault::new(Code::InvalidState, detail))
    }

    /// Takes what is new into the round and publishes it where the formula says so; adds everything that changes to the
    /// batch but the state's own row ([`Standing::save`]). Answers the snapshots of what was observed.
    pub fn advance(&mut self, tenant: &Tenant, news: News, batch: &mut Batch) -> Vec<PriceSnapshot> {
        if news.observed.is_empty() && news.failed.is_empty() && self.open.is_none() {
            return Vec::new();
        }
        let now = tenant.now();
        let is_news = !(news.observed.is_empty() && news.failed.is_empty());
        let (mut round, is_new) = self.round(now);
        let most = tenant.settings.size(&MAX_ROUND_INPUTS);
        let inputs: Vec<Input> =
            news.observed.into_iter().map(|observed| input(tenant, observed, now)).collect();
        for input in &inputs {
            round.take(input.clone(), most, now);
        }
        for failed in news.failed {
            round.fail(failed, now);
        }
        let evaluation = self.judge(&mut round, now);
        if !is_news && !evaluation.decision.publish {
            self.open = Some(round);
            return Vec::new();
        }
        let snapshots = self.snapshots(inputs, &round, &evaluation, now);
        for snapshot in &snapshots {
            batch.insert(snapshot);
        }
        self.tell(tenant, &round, &snapshots, batch);
        if evaluation.decision.publish {
            self.publish(&mut round, &evaluation, now);
        } else {
            round.expire(&evaluation, now);
        }
        batch.holds(&self.feed);
        if is_new {
            batch.insert(&round);
        } else {
            batch.replace(&mut round, now);
        }
        self.open = Some(round).filter(|round| round.status == RoundStatus::Open);
        snapshots
    }

    /// Adds the state's row to the batch, where it is other than it was.
    pub fn save(&mut self, before: &PriceState, now: DateTime<Utc>, batch: &mut Batch) {
        if self.state != *before {
            batch.replace(&mut self.state, now);
        }
    }

    /// The open round, or one that begins.
    fn round(&mut self, now: DateTime<Utc>) -> (PriceRound, bool) {
        if let Some(mut open) = self.open.take() {
            open.content.rules = self.feed.rules.clone();
            return (open, false);
        }
        self.state.round += 1;
        self.state.open = true;
        let head = &self.feed.head;
        (PriceRound::open(head.account_id, head.id, self.state.round, self.feed.rules.clone(), now), true)
    }

    fn judge(&self, round: &mut PriceRound, now: DateTime<Utc>) -> Evaluation {
        let content = &mut round.content;
        FORMULA.clone_into(&mut content.formula);
        content.previous = self.state.published.as_ref().map(Published::previous);
        let (rules, previous) = (&content.rules, content.previous.as_ref());
        let evaluation = evaluate(Given { rules, previous, inputs: &content.inputs, at: now });
        content.decision = Some(evaluation.decision.clone());
        evaluation
    }

    fn snapshots(
        &self,
        inputs: Vec<Input>,
        round: &PriceRound,
        evaluation: &Evaluation,
        now: DateTime<Utc>,
    ) -> Vec<PriceSnapshot> {
        let rules = &round.content.rules;
        let previous = round.content.previous.as_ref();
        let of_id = |input: &Input| {
            let place = round.content.inputs.iter().position(|other| other.snapshot_id == input.snapshot_id);
            place.map_or(Some(Rejection::Superseded), |place| evaluation.rejections[place])
        };
        let verdict = |input: &Input| Verdict {
            decision: evaluation.decision.clone(),
            rejected: of_id(input),
            min_submissions: rules.min_submissions,
            deviation_bps: rules.deviation_bps,
            previous_price: previous.map(|previous| previous.price),
            heartbeat_at: previous.map(|previous| previous.published_at + rules.heartbeat_interval.delta()),
        };
        let account = self.feed.head.account_id;
        let made = inputs.into_iter().map(|input| PriceSnapshot {
            head: Head::new(account, input.snapshot_id, now),
            feed_id: self.feed.head.id,
            round: round.number,
            published: evaluation.decision.publish,
            verdict: verdict(&input),
            price: input.price,
            source: input.source,
            collected_at: input.collected_at,
        });
        made.collect()
    }

    fn publish(&mut self, round: &mut PriceRound, evaluation: &Evaluation, now: DateTime<Utc>) {
        let Decision { reason, submissions, price: Some(price), change_bps, .. } =
            evaluation.decision.clone()
        else {
            return;
        };
        round.close(evaluation, now);
        self.state.open = false;
        self.state.stale_since = None;
        let previous_price = round.content.previous.as_ref().map(|previous| previous.price);
        let round_id = round.number;
        let published_at = now;
        self.state.published = Some(Published {
            round_id,
            price,
            published_at,
            reason,
            previous_price,
            change_bps,
            submissions,
        });
    }

    /// Tells of observations, of a publication, and of a change that crossed the threshold.
    fn tell(&self, tenant: &Tenant, round: &PriceRound, snapshots: &[PriceSnapshot], batch: &mut Batch) {
        let Some(decision) = &round.content.decision else { return };
        let feed = self.feed.head.id;
        let data = self.told(round, decision);
        if !snapshots.is_empty() {
            let mut data = data.clone();
            data["published"] = decision.publish.into();
            let seen = |snapshot: &PriceSnapshot| json!({"source": snapshot.source, "price": snapshot.price});
            data["observations"] = snapshots.iter().map(seen).collect();
            batch.event(tenant.event(super::NAME, "pricefeed.observed", feed, data));
        }
        if decision.publish {
            if decision.reason == Reason::Deviation {
                batch.event(tenant.event(super::NAME, "pricefeed.deviation", feed, data.clone()));
            }
            batch.event(tenant.event(super::NAME, "pricefeed.published", feed, data));
        }
    }

    fn told(&self, round: &PriceRound, decision: &Decision) -> Value {
        json!({
            "feed_id": self.feed.head.id,
            "pair": self.feed.pair(),
            "round_id": round.number,
            "price": decision.price,
            "previous_price": round.content.previous.as_ref().map(|previous| previous.price),
            "change_bps": decision.change_bps,
            "deviation_bps": round.content.rules.deviation_bps,
            "reason": decision.reason,
            "submissions": decision.submissions,
        })
    }
}

fn input(tenant: &Tenant, observed: Observed, now: DateTime<Utc>) -> Input {
    Input {
        snapshot_id: tenant.next_id(),
        source: observed.source,
        price: observed.price,
        collected_at: observed.collected_at.unwrap_or(now),
        received_at: now,
    }
}

impl PriceRound {
    /// Takes an observation. Earlier ones of the same source go, oldest first, as long as the round keeps as many as it
    /// needs; and the oldest of all where there are more than a round may have.
    fn take(&mut self, input: Input, most: usize, now: DateTime<Utc>) {
        let needed = usize::try_from(self.content.rules.min_submissions).unwrap_or(usize::MAX);
        self.content.inputs.push(input);
        loop {
            let inputs = &self.content.inputs;
            let Some((newest, earlier)) = inputs.split_last() else { return };
            let (place, reason) = match earlier.iter().position(|other| other.source == newest.source) {
                Some(place) if inputs.len() > needed => (place, Rejection::Superseded),
                _ if inputs.len() > most => (0, Rejection::CrowdedOut),
                _ => return,
            };
            let gone = self.content.inputs.remove(place);
            self.reject(&gone, reason, now);
        }
    }

    fn reject(&mut self, input: &Input, reason: Rejection, now: DateTime<Utc>) {
        self.note(rejected(input, reason, now));
    }

    fn fail(&mut self, failed: Failed, now: DateTime<Utc>) {
        let Failed { source, reason, detail } = failed;
        self.note(Reject { source, reason, detail, price: None, snapshot_id: None, at: now, count: 1 });
    }

    /// Keeps a reject; of those of one source for one reason the last, and how many there were.
    fn note(&mut self, mut reject: Reject) {
        let rejects = &mut self.content.rejects;
        let same = |other: &Reject| (&other.source, other.reason) == (&reject.source, reject.reason);
        if let Some(place) = rejects.iter().position(same) {
            reject.count = rejects.remove(place).count.saturating_add(1);
        }
        rejects.push(reject);
        if rejects.len() > REJECTS {
            rejects.remove(0);
            self.content.rejects_dropped += 1;
        }
    }

    /// Takes what has expired out of an open round.
    fn expire(&mut self, evaluation: &Evaluation, now: DateTime<Utc>) {
        let inputs = std::mem::take(&mut self.content.inputs);
        for (input, rejection) in inputs.into_iter().zip(&evaluation.rejections) {
            if *rejection == Some(Rejection::Expired) {
                self.reject(&input, Rejection::Expired, now);
            } else {
                self.content.inputs.push(input);
            }
        }
    }

    /// Ends it: its observations stay, and those that did not count stand among the rejects as well.
    fn close(&mut self, evaluation: &Evaluation, now: DateTime<Utc>) {
        self.status = RoundStatus::Published;
        self.closed_at = Some(now);
        let judged: Vec<Reject> = self
            .content
            .inputs
            .iter()
            .zip(&evaluation.rejections)
            .filter_map(|(input, rejection)| Some(rejected(input, (*rejection)?, now)))
            .collect();
        self.content.rejects.extend(judged);
    }
}

fn rejected(input: &Input, reason: Rejection, now: DateTime<Utc>) -> Reject {
    let detail = match reason {
        Rejection::Expired => "it is older than two heartbeats",
        Rejection::OutOfBounds => "it lies outside the feed's bounds",
        Rejection::Outlier => "it lies too far from the others",
        Rejection::Superseded => "the source observed again",
        _ => "the round has as many observations as it may",
    };
    Reject {
        source: input.source.clone(),
        reason,
        detail: detail.to_owned(),
        price: Some(input.price),
        snapshot_id: Some(input.snapshot_id),
        at: now,
        count: 1,
    }
}

#[cfg(test)]
mod tests;
