use proptest::prelude::*;

use super::*;

fn price(text: &str) -> Price {
    Price::read(text, DECIMALS).expect(text)
}

fn rule(text: &str, decimals: u32) -> &'static str {
    Price::read(text, decimals).expect_err(text).rule
}

#[test]
fn what_is_written_is_what_was_read() {
    for (text, written) in [
        ("1", "1"),
        ("0.5", "0.5"),
        ("100.00", "100"),
        ("1e-7", "0.0000001"),
        ("1.5E3", "1500"),
        ("12e+1", "120"),
        ("0.000000000000000001", "0.000000000000000001"),
        ("1000000000000000", "1000000000000000"),
        ("123.45678901234567890", "123.4567890123456789"),
        ("43250.123456789012345678", "43250.123456789012345678"),
    ] {
        assert_eq!(price(text).to_string(), written);
    }
}

#[test]
fn what_is_no_price_breaks_a_named_rule() {
    for text in
        ["", ".", "1.", ".5", "+1", "01", "1e", "1e+", "0x1", "1,5", "NaN", " 1", "1 ", "--1", "1.5.1", "١"]
    {
        assert_eq!(rule(text, 18), "format", "{text:?}");
    }
    for text in ["0", "0.0", "-0", "0e9", "-1", "-0.1", "1000000000000001", "1e16", "1e999999999999999999999"]
    {
        assert_eq!(rule(text, 18), "bounds", "{text:?}");
    }
    for text in ["0.0000000000000000001", "1e-19", "1e-999999999999999999999", "0.12345678901234567891"] {
        assert_eq!(rule(text, 18), "precision", "{text:?}");
    }
    assert_eq!((rule("1.234", 2), rule("0.5", 0)), ("precision", "precision"));
    assert_eq!(rule(&"1".repeat(101), 18), "length");
}

#[test]
fn percents_are_whole_basis_points() {
    for (text, bps, written) in
        [("0.5", 50, "0.5"), ("1", 100, "1"), ("0.01", 1, "0.01"), ("12.340", 1234, "12.34")]
    {
        assert_eq!(
            read_percent(text, 100_000).map(|bps| (bps, write_percent(bps))),
            Ok((bps, written.to_owned()))
        );
    }
    for (text, rule) in
        [("0.005", "precision"), ("0", "bounds"), ("-1", "bounds"), ("1000.01", "bounds"), ("x", "format")]
    {
        assert_eq!(read_percent(text, 100_000).expect_err(text).rule, rule);
    }
}

#[test]
fn an_even_number_has_the_mean_of_the_middle_two_half_to_even() {
    let of = |texts: &[&str], decimals| {
        let prices: Vec<Price> = texts.iter().map(|text| price(text)).collect();
        Price::median(&prices, decimals).map(|median| median.to_string())
    };
    assert_eq!(of(&[], 18), None);
    assert_eq!(of(&["3", "1", "2"], 18).as_deref(), Some("2"));
    assert_eq!(of(&["100", "101"], 18).as_deref(), Some("100.5"));
    assert_eq!(of(&["100", "101"], 0).as_deref(), Some("100"));
    assert_eq!(of(&["101", "102"], 0).as_deref(), Some("102"));
    assert_eq!(
        of(&["0.000000000000000001", "0.000000000000000002"], 18).as_deref(),
        Some("0.000000000000000002")
    );
}

#[test]
fn numbers_of_json_are_read_by_their_text() {
    let read = |text: &str| serde_json::from_str::<ExactNumber>(text).ok().map(|number| number.text);
    assert_eq!(read("12345678901234567890.5").as_deref(), Some("12345678901234567890.5"));
    assert_eq!(read("\"0.10\"").as_deref(), Some("0.10"));
    assert_eq!((read("true"), read("null"), read("[1]"), read("{}")), (None, None, None, None));
    let value = serde_json::json!(0.1);
    assert_eq!(
        serde_json::from_value::<ExactNumber>(value).ok().map(|number| number.text).as_deref(),
        Some("0.1")
    );
}

proptest! {
    #[test]
    fn text_and_price_are_the_same(mantissa in 1_i128..=10_i128.pow(33)) {
        let made = Price(mantissa);
        prop_assert_eq!(Price::read(&made.to_string(), DECIMALS), Ok(made));
    }

    #[test]
    fn nothing_that_is_sent_panics(text in ".{0,40}") {
        let _read = Price::read(&text, 18);
    }

    #[test]
    fn a_change_is_told_as_it_is_judged(before in 1_i128..=10_i128.pow(33), after in 1_i128..=10_i128.pow(33), bps in 1_u32..=100_000) {
        let (before, after) = (Price(before), Price(after));
        let told = after.change_bps(before).unsigned_abs() >= u64::from(bps);
        prop_assert_eq!(after.differs_by(before, bps), told);
    }

    #[test]
    fn a_median_lies_between_and_does_not_depend_on_order(mut values in prop::collection::vec(1_i128..=10_i128.pow(33), 1..20)) {
        let prices: Vec<Price> = values.iter().copied().map(Price).collect();
        let median = Price::median(&prices, 18).expect("one");
        values.reverse();
        let reversed: Vec<Price> = values.iter().copied().map(Price).collect();
        prop_assert_eq!(Price::median(&reversed, 18), Some(median));
        let below = prices.iter().filter(|price| **price < median).count();
        let above = prices.iter().filter(|price| **price > median).count();
        prop_assert!(below * 2 <= prices.len() && above * 2 <= prices.len());
    }
}
