use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::services::price_feeds::{Interval, Outliers, Rules};

fn round(min_submissions: u32) -> PriceRound {
    let rules = Rules {
        decimals: 18,
        min_submissions,
        deviation_bps: 100,
        heartbeat_interval: Interval::from_millis(600_000),
        min_price: None,
        max_price: None,
        outliers: Outliers::default(),
    };
    PriceRound::open(Uuid::nil(), Uuid::nil(), 1, rules, DateTime::UNIX_EPOCH)
}

fn input(number: usize, source: u8) -> Input {
    let price = Price::read(&(number + 1).to_string(), 18).expect("a price");
    let at = DateTime::UNIX_EPOCH;
    let (snapshot_id, source) = (Uuid::from_u128(number as u128), source.to_string());
    Input { snapshot_id, source, price, collected_at: at, received_at: at }
}

proptest! {
    #[test]
    fn a_round_keeps_what_it_needs_and_of_each_source_the_newest(
        needed in 1_u32..5,
        most in 5_usize..12,
        sources in prop::collection::vec(0_u8..15, 1..60),
    ) {
        let mut round = round(needed);
        for (number, source) in sources.iter().enumerate() {
            round.take(input(number, *source), most, DateTime::UNIX_EPOCH);
            let inputs = &round.content.inputs;
            prop_assert!(inputs.len() <= most);
            prop_assert!(inputs.len() >= (needed as usize).min(number + 1), "it keeps as many as it needs");
            let newest = inputs.last().expect("one");
            prop_assert_eq!(newest.snapshot_id, Uuid::from_u128(number as u128));
            let same = inputs.iter().filter(|input| input.source == newest.source).count();
            prop_assert!(same == 1 || inputs.len() <= needed as usize, "older ones of its source go");
            let gone: u32 = round.content.rejects.iter().map(|reject| reject.count).sum();
            prop_assert_eq!(inputs.len() + gone as usize, number + 1, "none is lost");
        }
    }

    #[test]
    fn rejects_are_bounded_and_counted(sources in prop::collection::vec(0_u16..600, 1..900)) {
        let mut round = round(1);
        for source in &sources {
            let (source, detail) = (source.to_string(), String::new());
            round.fail(Failed { source, reason: Rejection::Unreachable, detail }, DateTime::UNIX_EPOCH);
        }
        let content = &round.content;
        prop_assert!(content.rejects.len() <= REJECTS);
        let distinct = sources.iter().collect::<std::collections::BTreeSet<_>>().len();
        prop_assert!(content.rejects.len() + usize::try_from(content.rejects_dropped).expect("few") >= distinct);
    }
}
