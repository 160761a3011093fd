use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("a time")
}

fn price(text: &str) -> Price {
    Price::read(text, 18).expect(text)
}

fn rules() -> Rules {
    Rules {
        decimals: 18,
        min_submissions: 1,
        deviation_bps: 100,
        heartbeat_interval: Interval::from_millis(600_000),
        min_price: None,
        max_price: None,
        outliers: Outliers::default(),
    }
}

fn input(text: &str, received_at: DateTime<Utc>) -> Input {
    let (snapshot_id, source) = (Uuid::nil(), "a".to_owned());
    Input { snapshot_id, source, price: price(text), collected_at: received_at, received_at }
}

fn previous(text: &str) -> Previous {
    Previous { round_id: 1, price: price(text), published_at: start() }
}

fn of(rules: &Rules, before: Option<&str>, texts: &[&str], after: TimeDelta) -> Evaluation {
    let at = start() + after;
    let inputs: Vec<Input> = texts.iter().map(|text| input(text, at)).collect();
    let previous = before.map(previous);
    evaluate(Given { rules, previous: previous.as_ref(), inputs: &inputs, at })
}

fn reason(
    rules: &Rules,
    before: Option<&str>,
    texts: &[&str],
    after: TimeDelta,
) -> (bool, Reason, Option<i64>) {
    let Decision { publish, reason, change_bps, .. } = of(rules, before, texts, after).decision;
    (publish, reason, change_bps)
}

#[test]
fn the_gate_opens_for_the_first_for_deviation_and_for_heartbeat() {
    let (soon, later) = (TimeDelta::seconds(1), TimeDelta::minutes(10));
    let rules = rules();
    assert_eq!(reason(&rules, None, &["100"], soon), (true, Reason::First, None));
    assert_eq!(reason(&rules, Some("100"), &["100.99"], soon), (false, Reason::BelowDeviation, Some(99)));
    assert_eq!(reason(&rules, Some("100"), &["101"], soon), (true, Reason::Deviation, Some(100)));
    assert_eq!(reason(&rules, Some("100"), &["99"], soon), (true, Reason::Deviation, Some(-100)));
    assert_eq!(reason(&rules, Some("100"), &["100"], later), (true, Reason::Heartbeat, Some(0)));
    let almost = later - TimeDelta::microseconds(1);
    assert_eq!(reason(&rules, Some("100"), &["100"], almost), (false, Reason::BelowDeviation, Some(0)));
}

#[test]
fn too_few_observations_publish_nothing_whatever_they_say() {
    let rules = Rules { min_submissions: 3, ..rules() };
    let told = of(&rules, None, &["1", "2"], TimeDelta::zero()).decision;
    assert_eq!((told.publish, told.reason, told.submissions), (false, Reason::TooFewSubmissions, 2));
    assert_eq!(told.price, Some(price("1.5")));
    assert_eq!(of(&rules, None, &[], TimeDelta::zero()).decision.price, None);
}

#[test]
fn outliers_are_found_by_either_rule_and_not_among_two() {
    let by = |rule, texts: &[&str]| {
        let rules = Rules { outliers: Outliers { rule, ..Outliers::default() }, ..rules() };
        let rejections = of(&rules, None, texts, TimeDelta::zero()).rejections;
        rejections.iter().map(Option::is_some).collect::<Vec<_>>()
    };
    let scattered = ["100", "101", "99", "150"];
    assert_eq!(by(OutlierRule::None, &scattered), [false; 4]);
    assert_eq!(by(OutlierRule::Deviation, &scattered), [false, false, false, true]);
    assert_eq!(by(OutlierRule::Mad, &scattered), [false, false, false, true]);
    assert_eq!(by(OutlierRule::Deviation, &["100", "200"]), [false; 2]);
    assert_eq!(by(OutlierRule::Mad, &["100", "100", "100", "101"]), [false; 4], "no spread, no outlier");
}

#[test]
fn bounds_hold_and_old_observations_expire() {
    let rules = Rules { min_price: Some(price("10")), max_price: Some(price("20")), ..rules() };
    let told = of(&rules, None, &["9.99", "10", "20", "20.01"], TimeDelta::zero());
    let bound = Some(Rejection::OutOfBounds);
    assert_eq!(told.rejections, [bound, None, None, bound]);
    let at = start() + TimeDelta::minutes(20);
    let inputs = [input("11", start()), input("12", start() - TimeDelta::microseconds(1))];
    let told = evaluate(Given { rules: &rules, previous: None, inputs: &inputs, at });
    assert_eq!(told.rejections, [None, Some(Rejection::Expired)]);
    let inputs = [start(), start() - TimeDelta::microseconds(1)]
        .map(|collected_at| Input { collected_at, ..input("11", at) });
    let told = evaluate(Given { rules: &rules, previous: None, inputs: &inputs, at });
    assert_eq!(told.rejections, [None, Some(Rejection::Expired)], "by the earlier of the two times");
}

fn arbitrary_rules() -> impl Strategy<Value = Rules> {
    let outliers = (0_u8..3, 1_u32..=100_000, 1_u32..=1_000).prop_map(|(rule, max_bps, max_mads)| {
        let rule = [OutlierRule::None, OutlierRule::Deviation, OutlierRule::Mad][usize::from(rule)];
        Outliers { rule, max_bps, max_mads }
    });
    (0_u32..=18, 1_u32..=5, 1_u32..=100_000, outliers).prop_map(
        |(decimals, min_submissions, deviation_bps, outliers)| Rules {
            decimals,
            min_submissions,
            deviation_bps,
            outliers,
            ..rules()
        },
    )
}

fn arbitrary_price() -> impl Strategy<Value = Price> {
    (1_u64..=1_000_000_000_000_000, 0_u32..=18)
        .prop_map(|(digits, decimals)| Price::read(&format!("{digits}e-{decimals}"), 18).expect("a price"))
}

proptest! {
    #[test]
    fn the_formula_keeps_its_word(
        rules in arbitrary_rules(),
        before in prop::option::of(arbitrary_price()),
        prices in prop::collection::vec(arbitrary_price(), 0..12),
        seconds in 0_i64..2_000,
    ) {
        let at = start() + TimeDelta::seconds(seconds);
        let inputs: Vec<Input> = prices.iter().map(|price| Input { price: *price, ..input("1", at) }).collect();
        let previous = before.map(|price| Previous { price, ..previous("1") });
        let given = Given { rules: &rules, previous: previous.as_ref(), inputs: &inputs, at };
        let told = evaluate(given);
        let decision = &told.decision;
        prop_assert_eq!(&told, &evaluate(given), "the same again");
        let left = left(&inputs, &told.rejections);
        prop_assert_eq!(decision.submissions as usize, left.len());
        prop_assert_eq!(decision.price, Price::median(&left, rules.decimals));
        if rules.outliers.rule != OutlierRule::Deviation && !inputs.is_empty() {
            prop_assert!(!left.is_empty(), "these rules never reject all");
        }
        if decision.publish {
            prop_assert!(decision.submissions >= rules.min_submissions);
        }
        let deviates = decision.change_bps.is_some_and(|change| change.unsigned_abs() >= u64::from(rules.deviation_bps));
        let enough = decision.submissions >= rules.min_submissions && decision.price.is_some();
        let beats = seconds >= 600;
        prop_assert_eq!(decision.publish, enough && (before.is_none() || deviates || beats));
    }

    #[test]
    fn a_round_in_json_is_the_same_round(rules in arbitrary_rules(), price in arbitrary_price()) {
        let written = serde_json::to_string(&rules).expect("JSON");
        prop_assert_eq!(serde_json::from_str::<Rules>(&written).expect("rules"), rules);
        let input = Input { price, ..input("1", start()) };
        let written = serde_json::to_string(&input).expect("JSON");
        prop_assert_eq!(serde_json::from_str::<Input>(&written).expect("an input"), input);
    }
}
