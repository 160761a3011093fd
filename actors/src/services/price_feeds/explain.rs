//! Why a price feed publishes nothing, as far as only this service knows.

use futures_util::future::BoxFuture;
use sl_store::{Fault, Key};
use uuid::Uuid;

use super::{DUTY, entity::PriceFeed, rules::Reason, standing::Standing};
use crate::{
    Core,
    why::{Cause, Explained},
};

/// Tells of the feed of this id.
pub(super) fn explain(
    core: &Core,
    account: Uuid,
    id: Uuid,
) -> BoxFuture<'_, Result<Option<Explained>, Fault>> {
    Box::pin(async move {
        let key = Key::new(account, id);
        let Some(mut feed) = core.store.find::<PriceFeed>(key).await? else { return Ok(None) };
        let standing = Standing::load(&core.store, key).await.ok();
        feed.state = standing.as_ref().map(|standing| standing.state.clone());
        let causes = if feed.active { causes(&feed, standing.as_ref()) } else { vec![inactive()] };
        Ok(Some(Explained {
            kind: "price feed",
            status: core.standing(DUTY, &feed.head, feed.status()).to_owned(),
            gates: vec![id],
            causes,
        }))
    })
}

fn inactive() -> Cause {
    Cause::new("inactive", "it is inactive: it takes no prices and is not refreshed")
}

fn causes(feed: &PriceFeed, standing: Option<&Standing>) -> Vec<Cause> {
    let mut causes = Vec::new();
    if let Some(state) = &feed.state
        && let Some(error) = &state.last_error
    {
        let detail = format!("its sources bring less than a round needs: {error}");
        causes.push(
            Cause::new("failing", detail).with("failures", state.failures).with("last_error", error.as_str()),
        );
    }
    if let Some(since) = feed.stale_since() {
        causes.push(Cause::new("stale", "its heartbeat passed without a publication").since(since));
    }
    let round = standing.and_then(|standing| standing.open.as_ref());
    if let Some((round, decision)) = round.and_then(|round| Some((round, round.content.decision.as_ref()?))) {
        let rules = &feed.rules;
        let cause = if decision.reason == Reason::TooFewSubmissions {
            let (has, needs) = (decision.submissions, rules.min_submissions);
            let detail =
                format!("round {} has {has} observations that count and needs {needs}", round.number);
            Cause::new("too_few_submissions", detail).with("submissions", has).with("min_submissions", needs)
        } else {
            let detail = format!("the price of round {} changed by less than the deviation", round.number);
            let previous = round.content.previous.as_ref();
            let until = previous.map(|previous| previous.published_at + rules.heartbeat_interval.delta());
            let cause = Cause::new("below_deviation", detail).until(until);
            cause.with("change_bps", decision.change_bps).with("deviation_bps", rules.deviation_bps)
        };
        causes.push(cause.since(decision.evaluated_at).with("round_id", round.number));
    }
    causes
}
