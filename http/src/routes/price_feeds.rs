//! Price feeds: observations, rounds, the latest price.

use actix_web::http::Method;
use sl_actors::{
    caller::Scope,
    pause::{NewPause, Resume, Target},
    services::price_feeds::{
        FetchFeed, FetchLatest, FetchRound, FetchSnapshot, ListFeeds, ListRounds, ListSnapshots,
        NewPriceSnapshot, Observe, PriceFeed, PriceFeedFilters, PriceFeedView, PriceRoundFilters,
        PriceRoundView, PriceSnapshotFilters, PriceSnapshotView, Refresh,
    },
};

use crate::{
    input::Input,
    operation::{Operation, operation},
    resource::{Place, resource},
    routes::system::{pause, resume},
};

const ALL: &str = "/accounts/{account}/pricefeeds";
const ONE: &str = "/accounts/{account}/pricefeeds/{feed}";
const SNAPSHOTS: &str = "/accounts/{account}/pricefeeds/{feed}/snapshots";
const SNAPSHOT: &str = "/accounts/{account}/pricefeeds/{feed}/snapshots/{snapshot}";
const ROUNDS: &str = "/accounts/{account}/pricefeeds/{feed}/rounds";
const ROUND: &str = "/accounts/{account}/pricefeeds/{feed}/rounds/{round}";
const LATEST: &str = "/accounts/{account}/pricefeeds/{feed}/latest";
const REFRESH: &str = "/accounts/{account}/pricefeeds/{feed}/refresh";
const PAUSE: &str = "/accounts/{account}/pricefeeds/{feed}/pause";
const RESUME: &str = "/accounts/{account}/pricefeeds/{feed}/resume";

const COLUMNS: &[&str] = &["id", "pair", "status", "latest_price", "published_at", "stale", "last_error"];
const PLACE: Place = Place { id: "pricefeeds", one: "a price feed", path: ONE, columns: COLUMNS };

pub(super) fn table() -> Vec<Operation> {
    let mut all = resource::<PriceFeed>(PLACE);
    // Both are answered with where the feeds stand.
    all.retain(|operation| !matches!(operation.id.as_str(), "pricefeeds.get" | "pricefeeds.list"));
    all.extend(reads());
    all.extend([
        operation(Method::POST, SNAPSHOTS, "pricefeeds.snapshots.create", "Give a price feed an observation")
            .told("It is kept whether or not it lets a price be published; the answer says which, why and by how much.")
            .scope(Scope::Write)
            .status(201)
            .action(|input: Input<(), NewPriceSnapshot>| {
                Ok(Observe { feed_id: input.id("feed")?, new: input.body })
            }),
        operation(Method::POST, REFRESH, "pricefeeds.refresh", "Refresh a price feed now")
            .told("Its sources are asked ahead of its next slot; later slots stay where they are.")
            .scope(Scope::Run)
            .status(202)
            .action(|input: Input| Ok(Refresh(input.id("feed")?))),
        operation(Method::POST, PAUSE, "pricefeeds.pause", "Pause the refreshing of a price feed")
            .scope(Scope::Write)
            .with::<NewPause>()
            .action(|input: Input<(), Option<NewPause>>| {
                Ok(pause(Target::of::<PriceFeed>(input.id("feed")?), input.body))
            }),
        operation(Method::POST, RESUME, "pricefeeds.resume", "Resume the refreshing of a price feed")
            .scope(Scope::Write)
            .with::<Resume>()
            .action(|input: Input<(), Option<Resume>>| {
                Ok(resume(Target::of::<PriceFeed>(input.id("feed")?), input.body))
            }),
    ]);
    all
}

fn reads() -> Vec<Operation> {
    vec![
        operation(Method::GET, ALL, "pricefeeds.list", "List the pricefeeds")
            .pages(COLUMNS)
            .with::<PriceFeedView>()
            .action(|input: Input<PriceFeedFilters>| {
                Ok(ListFeeds { page: input.page, filters: input.query })
            }),
        operation(Method::GET, ONE, "pricefeeds.get", "Read a price feed")
            .action(|input: Input| Ok(FetchFeed(input.id("feed")?))),
        operation(
            Method::GET,
            SNAPSHOTS,
            "pricefeeds.snapshots.list",
            "List the observations of a price feed",
        )
        .pages(&["id", "price", "source", "round_id", "published", "reason", "created_at"])
        .with::<PriceSnapshotView>()
        .action(|input: Input<PriceSnapshotFilters>| {
            Ok(ListSnapshots { feed_id: input.id("feed")?, page: input.page, filters: input.query })
        }),
        operation(Method::GET, SNAPSHOT, "pricefeeds.snapshots.get", "Read an observation of a price feed")
            .action(|input: Input| {
                Ok(FetchSnapshot { feed_id: input.id("feed")?, snapshot_id: input.id("snapshot")? })
            }),
        operation(Method::GET, ROUNDS, "pricefeeds.rounds.list", "List the rounds of a price feed")
            .pages(&["round_id", "status", "price", "opened_at", "closed_at"])
            .with::<PriceRoundView>()
            .action(|input: Input<PriceRoundFilters>| {
                Ok(ListRounds { feed_id: input.id("feed")?, page: input.page, filters: input.query })
            }),
        operation(Method::GET, ROUND, "pricefeeds.rounds.get", "Read a round of a price feed")
            .told("It holds all it was decided from; `slctl verify round` decides it again.")
            .action(|input: Input| {
                Ok(FetchRound { feed_id: input.id("feed")?, round_id: input.number("round")? })
            }),
        operation(Method::GET, LATEST, "pricefeeds.latest", "Read the latest price of a price feed")
            .action(|input: Input| Ok(FetchLatest(input.id("feed")?))),
    ]
}
