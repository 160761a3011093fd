//! Rounds that whoever decides rounds again is held against: `slctl` has the formula once more, written from its
//! definition.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sl_actors::services::price_feeds::{
    Given, Input, Interval, OutlierRule, Outliers, Previous, Price, PriceRound, Reject, RoundStatus, Rules,
    evaluate,
};
use uuid::Uuid;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../ctl/tests/fixtures/price_rounds.json");

/// Numbers that are always the same (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn id(&mut self) -> Uuid {
        Uuid::from_u64_pair(self.below(u64::MAX), self.below(u64::MAX))
    }

    fn price(&mut self, decimals: u32) -> Price {
        let around = 95_000_000 + self.below(10_000_000);
        let digits = if self.below(8) == 0 { around * 3 } else { around };
        let decimals = decimals.min(6);
        let text = format!("{}e-{decimals}", digits / 10_u64.pow(6 - decimals));
        Price::read(&text, 18).unwrap()
    }

    fn rules(&mut self) -> Rules {
        let decimals = [18, 8, 6, 2, 0][self.below(5) as usize];
        let rule = [OutlierRule::None, OutlierRule::Deviation, OutlierRule::Mad][self.below(3) as usize];
        let bound = |text: &str, some: bool| some.then(|| Price::read(text, 18).unwrap());
        Rules {
            decimals,
            min_submissions: 1 + self.below(4) as u32,
            deviation_bps: 1 + self.below(300) as u32,
            heartbeat_interval: Interval::from_millis([600_000, 90_000, 86_400_000][self.below(3) as usize]),
            min_price: bound("96", self.below(3) == 0),
            max_price: bound("104.5", self.below(3) == 0),
            outliers: Outliers {
                rule,
                max_bps: 50 + self.below(500) as u32,
                max_mads: 1 + self.below(4) as u32,
            },
        }
    }

    fn inputs(&mut self, rules: &Rules, at: DateTime<Utc>) -> Vec<Input> {
        let many = 1 + self.below(7);
        let input = |number| {
            let ages = [0, 1_000, 60_000, 190_000, 1_300_000];
            let received_at = at - TimeDelta::milliseconds(ages[self.below(5) as usize]);
            let before = [0, 0, 0, 60_000, 1_300_000, -200_000][self.below(6) as usize];
            Input {
                snapshot_id: self.id(),
                source: format!("source {number}"),
                price: self.price(rules.decimals),
                collected_at: received_at - TimeDelta::milliseconds(before),
                received_at,
            }
        };
        (0..many).map(input).collect()
    }

    fn round(&mut self, number: i64) -> PriceRound {
        let at = DateTime::from_timestamp(1_800_000_000 + number * 777, 123_456_000).unwrap();
        let rules = self.rules();
        let before = at - TimeDelta::milliseconds(self.below(1_200_000).cast_signed());
        let previous = (self.below(5) > 0).then(|| Previous {
            round_id: number - 1,
            price: self.price(rules.decimals),
            published_at: before,
        });
        let inputs = self.inputs(&rules, at);
        let told = evaluate(Given { rules: &rules, previous: previous.as_ref(), inputs: &inputs, at });
        let mut round = PriceRound::open(Uuid::from_u128(1), Uuid::from_u128(2), number, rules, at);
        let judged =
            inputs.iter().zip(&told.rejections).filter_map(|(input, reason)| Some((input, (*reason)?)));
        let reject = |(input, reason): (&Input, _)| Reject {
            source: input.source.clone(),
            reason,
            detail: "for the test".to_owned(),
            price: Some(input.price),
            snapshot_id: Some(input.snapshot_id),
            at,
            count: 1,
        };
        if told.decision.publish {
            round.content.rejects = judged.map(reject).collect();
            (round.status, round.closed_at) = (RoundStatus::Published, Some(at));
        }
        (round.content.previous, round.content.inputs) = (previous, inputs);
        round.content.decision = Some(told.decision);
        round
    }
}

#[test]
fn what_others_decide_again_is_fresh() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let rounds: Vec<Value> =
        (1..=48).map(|number| serde_json::to_value(numbers.round(number).view()).unwrap()).collect();
    let reasons = |reason: &str| rounds.iter().filter(|round| round["decision"]["reason"] == reason).count();
    for reason in ["first", "deviation", "heartbeat", "too_few_submissions", "below_deviation"] {
        assert!(reasons(reason) > 0, "none is {reason}");
    }
    let lines: Vec<String> = rounds.iter().map(Value::to_string).collect();
    let written = format!("[\n{}\n]\n", lines.join(",\n"));
    #[expect(clippy::disallowed_methods, reason = "a switch of the test command, not a setting")]
    if std::env::var_os("SERVICE_LAYER_REGEN").is_some() {
        std::fs::write(COMMITTED, &written).unwrap();
    }
    assert!(
        std::fs::read_to_string(COMMITTED).unwrap_or_default() == written,
        "ctl/tests/fixtures/price_rounds.json is not what the formula says; run ./x regen"
    );
}
