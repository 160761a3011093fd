//! Price feeds: observations, rounds, publications; then, in `refreshing`, sources and time.

mod fixture;
mod peer;
mod refreshing;

use std::sync::Arc;

use chrono::{SubsecRound as _, TimeDelta};
use serde_json::{Value, json};
use sl_actors::{
    Code, Fault, Parts, Runtime,
    caller::Caller,
    egress::{Egress, EgressLimits, SystemResolver},
    page::PageRequest,
    resource::{Amend, Create, Remove},
    services::{
        executions::Status,
        price_feeds::{
            FORMULA, FetchFeed, FetchLatest, FetchRound, Given, ListFeeds, ListRounds, ListSnapshots,
            MAX_FEEDS, Observe, PriceFeed, PriceFeedFilters, PriceFeedView, PriceRound, PriceRoundFilters,
            PriceRoundView, PriceSnapshot, PriceSnapshotFilters, PriceSnapshotView, PriceState, ROUNDS_KEPT,
            Reason, Refresh, Rejection, RoundStatus, SNAPSHOTS_KEPT, evaluate,
        },
    },
    why::Why,
};
use sl_store::{Query, WorkQuery};
use uuid::Uuid;

use crate::{
    workshop::{Workshop, execute, output},
    world::{Ground, World, on_both, set, start, until},
};

on_both! {
    an_observation_is_published_kept_or_refused
    an_even_round_has_the_mean_and_outliers_are_rejected
    no_number_is_given_twice_whoever_observes
    a_round_is_decided_again_as_it_was
    every_broken_rule_of_a_feed_is_told
    a_price_that_would_be_rounded_is_refused
    what_was_collected_long_ago_moves_no_price
    sources_of_one_host_need_no_names
    an_inactive_feed_takes_no_prices
    feeds_are_found_by_pair_and_removed_with_all_they_have
    a_feed_says_why_it_publishes_nothing
    a_function_records_a_snapshot
    only_so_many_rounds_and_snapshots_are_kept
}

/// Opens the egress guard of a daemon's parts for a host.
fn open(parts: &mut Parts, host: &str) {
    let limits = EgressLimits::from(&parts.settings);
    parts.egress = Egress::new(limits, host.parse().unwrap(), Arc::new(SystemResolver::new(4))).unwrap();
}

/// A feed of a pair of its own, with these fields besides.
async fn feed(world: &World, account: Uuid, fields: Value) -> Result<PriceFeedView, Fault> {
    let mut new = json!({"base_asset": "neo", "quote_asset": "usd", "deviation_percent": 1});
    for (name, value) in fields.as_object().unwrap() {
        new[name] = value.clone();
    }
    world.act(account, Create::<PriceFeed>(serde_json::from_value(new).unwrap())).await
}

async fn amend(world: &World, account: Uuid, id: Uuid, patch: Value) -> Result<PriceFeedView, Fault> {
    let patch = serde_json::from_value(patch).unwrap();
    world.act(account, Amend::<PriceFeed> { id, expected: None, patch }).await
}

fn observation(feed_id: Uuid, fields: Value) -> Observe {
    Observe { feed_id, new: serde_json::from_value(fields).unwrap() }
}

async fn observe(world: &World, account: Uuid, feed: Uuid, price: &str) -> Result<PriceSnapshotView, Fault> {
    world.act(account, observation(feed, json!({"price": price}))).await
}

async fn round(world: &World, account: Uuid, feed_id: Uuid, round_id: i64) -> PriceRoundView {
    world.act(account, FetchRound { feed_id, round_id }).await.unwrap()
}

async fn rounds(world: &World, account: Uuid, feed_id: Uuid) -> Vec<PriceRoundView> {
    let page = PageRequest { limit: 500, ..PageRequest::default() };
    let list = ListRounds { feed_id, page, filters: PriceRoundFilters::default() };
    world.act(account, list).await.unwrap().items
}

async fn snapshots(world: &World, account: Uuid, feed_id: Uuid) -> Vec<PriceSnapshotView> {
    let page = PageRequest { limit: 500, ..PageRequest::default() };
    let list = ListSnapshots { feed_id, page, filters: PriceSnapshotFilters::default() };
    world.act(account, list).await.unwrap().items
}

fn told(view: &PriceSnapshotView) -> (i64, bool, Reason, Option<i64>) {
    (view.round_id, view.published, view.reason, view.change_bps)
}

fn rules(fault: &Fault) -> Vec<(&str, &str)> {
    fault.fields.iter().map(|field| (field.pointer.as_str(), field.rule)).collect()
}

async fn an_observation_is_published_kept_or_refused(ground: Ground) {
    let world = World::with(ground, Vec::new()).await;
    let account = world.account("Ada").await.id;
    let made = feed(&world, account, json!({})).await.unwrap();
    assert_eq!((made.pair.as_str(), made.status, made.latest_price), ("NEO/USD", "active", None));
    assert_eq!(
        (made.update_interval.as_str(), made.heartbeat_interval.as_str()),
        ("@every 1m", "@every 10m")
    );
    assert_eq!((&made.deviation_percent, made.deviation_bps, made.min_submissions), (&json!(1), 100, 1));
    assert_eq!(world.act(account, FetchLatest(made.id)).await.unwrap_err().code, Code::NotFound);

    let first = observe(&world, account, made.id, "100").await.unwrap();
    assert_eq!(told(&first), (1, true, Reason::First, None));
    assert_eq!(first.source, "manual");
    let below = observe(&world, account, made.id, "100.5").await.unwrap();
    assert_eq!(told(&below), (2, false, Reason::BelowDeviation, Some(50)));
    assert_eq!(below.previous_price.map(|price| price.to_string()).as_deref(), Some("100"));
    let above = observe(&world, account, made.id, "101").await.unwrap();
    assert_eq!(told(&above), (2, true, Reason::Deviation, Some(100)));
    assert_eq!(above.round_price.map(|price| price.to_string()).as_deref(), Some("101"));

    let latest = world.act(account, FetchLatest(made.id)).await.unwrap();
    assert_eq!(
        (latest.round_id, latest.price.to_string().as_str(), latest.change_bps),
        (2, "101", Some(100))
    );
    let kept = round(&world, account, made.id, 2).await;
    assert_eq!((kept.status, kept.inputs.len(), kept.rejects.len()), (RoundStatus::Published, 1, 1));
    assert_eq!(kept.rejects[0].price.map(|price| price.to_string()).as_deref(), Some("100.5"));
    let all = snapshots(&world, account, made.id).await;
    let prices: Vec<_> =
        all.iter().map(|snapshot| (snapshot.price.to_string(), snapshot.published)).collect();
    assert_eq!(prices, [("101".into(), true), ("100.5".into(), false), ("100".into(), true)]);

    until("it is told", async || world.events(account, "pricefeed.published").await.len() == 2).await;
    let published = world.events(account, "pricefeed.published").await;
    let data = &published[1].data;
    assert_eq!(
        (&data["round_id"], &data["price"], &data["previous_price"]),
        (&json!(2), &json!("101"), &json!("100"))
    );
    assert_eq!((&data["change_bps"], &data["reason"]), (&json!(100), &json!("deviation")));
    assert_eq!(published[1].subject, made.id);
    assert_eq!(world.events(account, "pricefeed.deviation").await.len(), 1);
    assert_eq!(world.events(account, "pricefeed.observed").await.len(), 3);
}

async fn an_even_round_has_the_mean_and_outliers_are_rejected(ground: Ground) {
    let world = World::with(ground, Vec::new()).await;
    let account = world.account("Ada").await.id;
    let made = feed(&world, account, json!({"min_submissions": 2, "decimals": 2})).await.unwrap();
    let one = observe(&world, account, made.id, "100.01").await.unwrap();
    assert_eq!((told(&one), one.submissions), ((1, false, Reason::TooFewSubmissions, None), 1));
    let two = observe(&world, account, made.id, "100.02").await.unwrap();
    assert_eq!(two.round_price.map(|price| price.to_string()).as_deref(), Some("100.02"), "half to even");

    let patch = json!({"min_submissions": 3, "outliers": {"rule": "mad", "max_mads": 3}});
    amend(&world, account, made.id, patch).await.unwrap();
    for (source, price) in [("a", "103"), ("b", "103.5"), ("c", "250")] {
        let given = observation(made.id, json!({"price": price, "source": source}));
        world.act(account, given).await.unwrap();
    }
    let open = round(&world, account, made.id, 2).await;
    assert_eq!(open.status, RoundStatus::Open, "two of three are left");
    let last = observation(made.id, json!({"price": 103.2, "source": "d"}));
    let last = world.act(account, last).await.unwrap();
    assert_eq!((told(&last).1, last.submissions), (true, 3));
    let closed = round(&world, account, made.id, 2).await;
    assert_eq!(closed.price.map(|price| price.to_string()).as_deref(), Some("103.2"));
    assert_eq!(closed.rejects.iter().map(|reject| reject.source.as_str()).collect::<Vec<_>>(), ["c"]);
}

async fn no_number_is_given_twice_whoever_observes(ground: Ground) {
    let parts = ground.parts().await;
    let other = Parts { store: ground.other().await, ..parts.clone() };
    let world = World::of(ground, parts, Some(Vec::new())).await;
    let beside: Runtime = start(other, Some(Vec::new())).await;
    let account = world.account("Ada").await.id;
    let alone =
        feed(&world, account, json!({"deviation_bps": 1, "deviation_percent": null})).await.unwrap().id;
    let pairs = json!({"base_asset": "GAS", "min_submissions": 2});
    let pairs = feed(&world, account, pairs).await.unwrap().id;
    let daemons = [&world.runtime, &beside];
    let many = (0..40).map(|number| {
        let feed = if number % 4 < 2 { alone } else { pairs };
        let price = format!("{}", 100 + 50 * (number % 7));
        let given = observation(feed, json!({"price": price, "source": format!("s{number}")}));
        daemons[number % 2].perform(account, Arc::new(Caller::operator("alice")), None, given)
    });
    let answers = futures_util::future::join_all(many).await;
    let answers: Vec<PriceSnapshotView> = answers.into_iter().map(Result::unwrap).collect();
    for feed in [alone, pairs] {
        let numbers: Vec<i64> =
            rounds(&world, account, feed).await.iter().map(|round| round.round_id).collect();
        let most = numbers.first().copied().unwrap();
        assert_eq!(numbers, (1..=most).rev().collect::<Vec<_>>(), "in order, none twice, none left out");
        let mut published: Vec<i64> = answers
            .iter()
            .filter(|answer| answer.feed_id == feed && answer.published)
            .map(|answer| answer.round_id)
            .collect();
        let count = published.len();
        published.sort_unstable();
        published.dedup();
        assert_eq!(published.len(), count, "no round is published twice");
        assert_eq!(snapshots(&world, account, feed).await.len(), 20, "and no observation is lost");
    }
}

async fn a_round_is_decided_again_as_it_was(ground: Ground) {
    let world = World::with(ground, Vec::new()).await;
    let account = world.account("Ada").await.id;
    let fields = json!({"min_submissions": 3, "outliers": {"rule": "deviation", "max_bps": 300}});
    let made = feed(&world, account, fields).await.unwrap();
    for number in 0..40_u32 {
        let price = format!("{}.{}", 100 + (number * 7) % 11, number);
        let source = format!("source {}", number % 5);
        world.act(account, observation(made.id, json!({"price": price, "source": source}))).await.unwrap();
    }
    let all = rounds(&world, account, made.id).await;
    assert!(all.len() > 3, "{}", all.len());
    for round in &all {
        let decision = round.decision.as_ref().unwrap();
        let (rules, previous, inputs) = (&round.rules, round.previous.as_ref(), &round.inputs[..]);
        let again = evaluate(Given { rules, previous, inputs, at: decision.evaluated_at });
        assert_eq!(&again.decision, decision, "round {}", round.round_id);
        if round.status == RoundStatus::Published {
            let judged = inputs
                .iter()
                .zip(again.rejections)
                .filter_map(|(input, why)| Some((input.snapshot_id, why?)));
            let judged: Vec<_> = judged.collect();
            let of_inputs = |id: Option<Uuid>| inputs.iter().any(|input| Some(input.snapshot_id) == id);
            let kept = round.rejects.iter().filter(|reject| of_inputs(reject.snapshot_id));
            let kept: Vec<_> = kept.filter_map(|reject| Some((reject.snapshot_id?, reject.reason))).collect();
            assert_eq!(kept, judged, "round {}", round.round_id);
        }
    }
}

async fn every_broken_rule_of_a_feed_is_told(ground: Ground) {
    let world = World::with(ground, Vec::new()).await;
    let account = world.account("Ada").await.id;
    let bad = json!({
        "base_asset": "a/b", "quote_asset": " ", "update_interval": "10ms", "heartbeat_interval": "@hourly",
        "deviation_percent": "0.005", "min_submissions": 0, "decimals": 19, "min_price": "-1", "max_price": "1e99",
        "outliers": {"rule": "mad", "max_mads": 0},
        "sources": [
            {"url": "ftp://x", "result_path": "price", "headers": {"bad name": "x"}},
            {"url": "http://127.0.0.1:1/p", "name": "x"},
            {"url": "https://prices.example/p", "name": "x"},
        ],
    });
    let fault = feed(&world, account, bad).await.unwrap_err();
    assert_eq!(fault.code, Code::Invalid);
    let found = rules(&fault);
    for expected in [
        ("/base_asset", "characters"),
        ("/quote_asset", "length"),
        ("/update_interval", "bounds"),
        ("/heartbeat_interval", "format"),
        ("/deviation_percent", "precision"),
        ("/min_submissions", "bounds"),
        ("/decimals", "bounds"),
        ("/min_price", "bounds"),
        ("/max_price", "bounds"),
        ("/outliers/max_mads", "bounds"),
        ("/sources/0/url", "url"),
        ("/sources/0/result_path", "format"),
        ("/sources/0/headers/bad name", "format"),
        ("/sources/1/url", "url"),
        ("/sources/2/name", "unique"),
    ] {
        assert!(found.contains(&expected), "{expected:?} in {found:?}");
    }
    for (fields, pointer, rule) in [
        (json!({"deviation_percent": null}), "/deviation_percent", "required"),
        (json!({"deviation_bps": 5}), "/deviation_bps", "exclusive"),
        (json!({"quote_asset": "NEO"}), "/quote_asset", "pair"),
        (json!({"min_price": 2, "max_price": 1}), "/max_price", "bounds"),
    ] {
        let fault = feed(&world, account, fields).await.unwrap_err();
        assert_eq!(rules(&fault), [(pointer, rule)], "{fault}");
    }
    feed(&world, account, json!({})).await.unwrap();
    assert_eq!(feed(&world, account, json!({})).await.unwrap_err().code, Code::Conflict);
}

async fn a_price_that_would_be_rounded_is_refused(ground: Ground) {
    let world = World::with(ground, Vec::new()).await;
    let account = world.account("Ada").await.id;
    let fields = json!({"decimals": 8, "min_price": "1", "max_price": "1000"});
    let made = feed(&world, account, fields).await.unwrap();
    for (price, rule) in [
        ("1.123456789", "precision"),
        ("0", "bounds"),
        ("-5", "bounds"),
        ("0.99", "bounds"),
        ("1000.1", "bounds"),
        ("1e40", "bounds"),
        ("much", "format"),
    ] {
        let fault = observe(&world, account, made.id, price).await.unwrap_err();
        assert_eq!((fault.code, rules(&fault)), (Code::Invalid, vec![("/price", rule)]), "{price}");
    }
    let text = r#"{"price": 123.45678901, "source": " exchange "}"#;
    let given = Observe { feed_id: made.id, new: serde_json::from_str(text).unwrap() };
    let kept = world.act(account, given).await.unwrap();
    assert_eq!((kept.price.to_string().as_str(), kept.source.as_str()), ("123.45678901", "exchange"));
    let late = (world.now() + TimeDelta::minutes(6)).to_rfc3339();
    let ahead = observation(made.id, json!({"price": "5", "collected_at": late}));
    assert_eq!(rules(&world.act(account, ahead).await.unwrap_err()), [("/collected_at", "bounds")]);
    assert_eq!(snapshots(&world, account, made.id).await.len(), 1, "what is refused leaves nothing");
}

async fn what_was_collected_long_ago_moves_no_price(ground: Ground) {
    let world = World::with(ground, Vec::new()).await;
    let account = world.account("Ada").await.id;
    let made = feed(&world, account, json!({})).await.unwrap();
    let old = json!({"price": "5", "collected_at": "2001-01-01T00:00:00Z"});
    let answered = world.act(account, observation(made.id, old.clone())).await.unwrap();
    let told = (answered.published, answered.rejected, answered.reason);
    assert_eq!(told, (false, Some(Rejection::Expired), Reason::TooFewSubmissions));
    assert!(observe(&world, account, made.id, "20").await.unwrap().published);
    let answered = world.act(account, observation(made.id, old)).await.unwrap();
    assert_eq!((answered.published, answered.rejected), (false, Some(Rejection::Expired)));
    assert_eq!(world.act(account, FetchLatest(made.id)).await.unwrap().price.to_string(), "20");
    let all = rounds(&world, account, made.id).await;
    assert!(all.iter().all(|round| round.formula == FORMULA), "{all:?}");
}

async fn sources_of_one_host_need_no_names(ground: Ground) {
    let world = World::with(ground, Vec::new()).await;
    let account = world.account("Ada").await.id;
    let sources = json!([{"url": "https://prices.example/p1"}, "https://prices.example/p2?key=1"]);
    let made = feed(&world, account, json!({"sources": sources})).await.unwrap();
    let none = json!({"base_asset": "gas", "sources": null, "outliers": null});
    assert!(feed(&world, account, none).await.unwrap().sources.is_empty(), "null is as absent");
    let names: Vec<&str> = made.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, ["prices.example/p1", "prices.example/p2"]);
}

async fn an_inactive_feed_takes_no_prices(ground: Ground) {
    let world = World::with(ground, Vec::new()).await;
    let account = world.account("Ada").await.id;
    let made = feed(&world, account, json!({})).await.unwrap();
    let items = async || {
        let query =
            WorkQuery { account: Some(account), subject: Some(made.id), limit: 9, ..WorkQuery::default() };
        world.core().store.work(query).await.unwrap().len()
    };
    assert_eq!(items().await, 1, "an active feed has one item");
    let off = amend(&world, account, made.id, json!({"active": false})).await.unwrap();
    assert_eq!((off.status, off.active, items().await), ("inactive", false, 0));
    assert_eq!(observe(&world, account, made.id, "1").await.unwrap_err().code, Code::InvalidState);
    assert_eq!(world.act(account, Refresh(made.id)).await.unwrap_err().code, Code::InvalidState);
    amend(&world, account, made.id, json!({"active": true})).await.unwrap();
    observe(&world, account, made.id, "1").await.unwrap();
    amend(&world, account, made.id, json!({"update_interval": "5m", "min_price": "0.5"})).await.unwrap();
    assert_eq!(items().await, 1);
    let bare = amend(&world, account, made.id, json!({"min_price": null})).await.unwrap();
    assert_eq!((bare.min_price, bare.update_interval.as_str()), (None, "5m"));
    assert_eq!(bare.latest_round_id, Some(1), "an amendment answers where the feed stands");
}

async fn feeds_are_found_by_pair_and_removed_with_all_they_have(ground: Ground) {
    let mut parts = ground.parts().await;
    set(&mut parts, &MAX_FEEDS, 2);
    let world = World::of(ground, parts, Some(Vec::new())).await;
    let account = world.account("Ada").await.id;
    let neo = feed(&world, account, json!({})).await.unwrap().id;
    let gas = feed(&world, account, json!({"base_asset": "GAS", "active": false})).await.unwrap().id;
    let third = feed(&world, account, json!({"base_asset": "BTC"})).await.unwrap_err();
    assert_eq!((third.code, third.limit.unwrap().setting), (Code::QuotaExceeded, "pricefeeds.count"));
    observe(&world, account, neo, "10").await.unwrap();
    observe(&world, account, neo, "10.01").await.unwrap();
    let list = async |filters: Value| {
        let filters: PriceFeedFilters = serde_json::from_value(filters).unwrap();
        let page = world.act(account, ListFeeds { page: PageRequest::default(), filters }).await.unwrap();
        page.items.into_iter().map(|feed| (feed.id, feed.latest_round_id)).collect::<Vec<_>>()
    };
    assert_eq!(list(json!({})).await, [(gas, None), (neo, Some(1))]);
    assert_eq!(list(json!({"pair": "neo/usd"})).await, [(neo, Some(1))]);
    assert_eq!(list(json!({"active": false})).await, [(gas, None)]);

    let foreign = world.account("Eve").await.id;
    assert_eq!(world.act(foreign, FetchFeed(neo)).await.unwrap_err().code, Code::NotFound);
    assert_eq!(observe(&world, foreign, neo, "1").await.unwrap_err().code, Code::NotFound);
    let round = FetchRound { feed_id: neo, round_id: 1 };
    assert_eq!(world.act(foreign, round).await.unwrap_err().code, Code::NotFound);

    world.act(account, Remove::<PriceFeed>::new(neo, None)).await.unwrap();
    let store = &world.core().store;
    let of = || Query::of(account).equal("feed_id", neo);
    assert!(store.list::<PriceRound>(of()).await.unwrap().is_empty());
    assert!(store.list::<PriceSnapshot>(of()).await.unwrap().is_empty());
    assert!(store.list::<PriceState>(of()).await.unwrap().is_empty());
    let query = WorkQuery { account: Some(account), subject: Some(neo), limit: 9, ..WorkQuery::default() };
    assert!(store.work(query).await.unwrap().is_empty());
}

async fn a_feed_says_why_it_publishes_nothing(ground: Ground) {
    let world = World::with(ground, Vec::new()).await;
    let account = world.account("Ada").await.id;
    let made = feed(&world, account, json!({"min_submissions": 2})).await.unwrap().id;
    let codes = async || {
        let why = world.act(account, Why(made)).await.unwrap();
        assert_eq!(why.kind, "price_feed");
        let codes: Vec<&str> = why.causes.iter().map(|cause| cause.code).collect();
        (why.status, codes.join(" "))
    };
    observe(&world, account, made, "5").await.unwrap();
    assert!(codes().await.1.ends_with("too_few_submissions queued"), "{:?}", codes().await);
    observe(&world, account, made, "5").await.unwrap();
    observe(&world, account, made, "5").await.unwrap();
    observe(&world, account, made, "5").await.unwrap();
    assert!(codes().await.1.ends_with("below_deviation queued"), "{:?}", codes().await);
    amend(&world, account, made, json!({"active": false})).await.unwrap();
    assert_eq!(codes().await, ("inactive".to_owned(), "inactive".to_owned()));
}

async fn a_function_records_a_snapshot(ground: Ground) {
    let shop = Workshop::on(ground).await;
    let made = feed(&shop.world, shop.account, json!({})).await.unwrap().id;
    let source = "(params) => ({ id: Devpack.priceFeeds.recordSnapshot(params).id })";
    let function = shop.function("records", source).await;
    let seen_at = (shop.world.now() - TimeDelta::minutes(1)).trunc_subsecs(0);
    let params = json!({"feedId": made, "price": 12.25, "collectedAt": seen_at}).to_string();
    let ran =
        shop.perform(execute(function.id, &params, Some(std::time::Duration::from_secs(20)))).await.unwrap();
    assert_eq!(ran.status, Status::Succeeded, "{ran:?}");
    assert!(output(&ran)["id"].is_string());
    until("it is published", async || shop.perform(FetchLatest(made)).await.is_ok()).await;
    let latest = shop.perform(FetchLatest(made)).await.unwrap();
    assert_eq!((latest.price.to_string().as_str(), latest.round_id), ("12.25", 1));
    let kept = snapshots(&shop.world, shop.account, made).await;
    assert_eq!(kept[0].source, format!("function:{}", function.id));
    assert_eq!(kept[0].collected_at, seen_at);
    shop.stop().await;
}

async fn only_so_many_rounds_and_snapshots_are_kept(ground: Ground) {
    let mut parts = ground.parts().await;
    set(&mut parts, &ROUNDS_KEPT, 3);
    set(&mut parts, &SNAPSHOTS_KEPT, 4);
    let duty = Arc::new(sl_actors::services::price_feeds::PriceRetention);
    let world = World::of(ground, parts, Some(vec![])).await;
    let account = world.account("Ada").await.id;
    let made = feed(&world, account, json!({})).await.unwrap().id;
    for price in ["1", "2", "3", "4", "5", "6", "6.001"] {
        observe(&world, account, made, price).await.unwrap();
    }
    let parts = Parts { settings: world.core().settings.clone(), ..world.ground.parts().await };
    let sweeper = start(parts, Some(vec![duty])).await;
    until("they go", async || rounds(&world, account, made).await.len() == 4).await;
    let left: Vec<i64> = rounds(&world, account, made).await.iter().map(|round| round.round_id).collect();
    assert_eq!(left, [7, 6, 5, 4], "the open one stays beside them");
    until("they go", async || snapshots(&world, account, made).await.len() == 4).await;
    sweeper.drain(std::time::Duration::from_secs(1)).await;
}
