//! A round of a price feed, decided again without the server: the formulas `pricefeed/2` and `pricefeed/1` in whole numbers
//! of 10⁻¹⁸, written from their definition (`docs/services/price-feeds.md`).

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
};

/// The formulas this build knows: the present one, and the one of earlier rounds, to which it does not matter when an
/// observation was collected.
const FORMULAS: [&str; 2] = ["pricefeed/2", "pricefeed/1"];
/// Decimals of a price as it is calculated with.
const DECIMALS: u32 = 18;
/// The largest price: 10¹⁵.
const MOST: i128 = 10_i128.pow(DECIMALS + 15);
/// Basis points of the whole.
const WHOLE: i128 = 10_000;

/// One observation.
struct Input {
    id: Value,
    source: Value,
    price: i128,
    /// What its age counts from.
    since: DateTime<Utc>,
}

/// What the formula is applied to.
struct Round {
    inputs: Vec<Input>,
    previous: Option<(i128, DateTime<Utc>)>,
    at: DateTime<Utc>,
    rules: Rules,
}

struct Rules {
    decimals: u32,
    min_submissions: i128,
    deviation_bps: i128,
    heartbeat: TimeDelta,
    least: Option<i128>,
    most: Option<i128>,
    outliers: String,
    max_bps: i128,
    max_mads: i128,
}

/// Decides a round again; what it comes to, where that is what the round says.
pub fn verify(round: &Value) -> Outcome<Value> {
    let formula = text(round, "/formula")?;
    if !FORMULAS.contains(&formula) {
        let known = FORMULAS.join(" and ");
        return Err(Failure::usage(format!("the round is of formula {formula:?}, and this knows {known}")));
    }
    let told = round.get("decision").filter(|told| told.is_object()).ok_or_else(|| missing("/decision"))?;
    let read = Round::read(round)?;
    let rejections = read.rejections();
    let decision = read.decide(&rejections);
    for (member, expected) in &decision {
        same(&format!("/decision/{member}"), &told[member], expected)?;
    }
    let decided: Value = decision.into_iter().collect();
    same("/price", &round["price"], &decided["price"])?;
    let status = if decided["publish"] == true { "published" } else { "open" };
    same("/status", &round["status"], &json!(status))?;
    if status == "published" {
        same("/closed_at", &round["closed_at"], &told["evaluated_at"])?;
        let expected = read.rejected(&rejections);
        same("/rejects", &kept(round, &read.inputs), &expected)?;
    }
    if let Some(before) = round["previous"]["round_id"].as_i64()
        && round["round_id"].as_i64().is_none_or(|number| number <= before)
    {
        return Err(differs("/previous/round_id", "it is not an earlier round"));
    }
    Ok(json!({
        "feed_id": round["feed_id"], "round_id": round["round_id"], "verified": true, "status": status,
        "price": decided["price"], "reason": decided["reason"], "submissions": decided["submissions"],
        "change_bps": decided["change_bps"],
    }))
}

impl Round {
    fn read(round: &Value) -> Outcome<Self> {
        let is_present = text(round, "/formula")? == FORMULAS[0];
        let inputs = round["inputs"].as_array().ok_or_else(|| missing("/inputs"))?;
        let input = |(index, input): (usize, &Value)| {
            let at = |member: &str| format!("/inputs/{index}/{member}");
            let received_at = time(round, &at("received_at"))?;
            let collected_at = if is_present { time(round, &at("collected_at"))? } else { received_at };
            Ok(Input {
                id: input["snapshot_id"].clone(),
                source: input["source"].clone(),
                price: price(text(round, &at("price"))?, &at("price"))?,
                since: received_at.min(collected_at),
            })
        };
        let previous = if round["previous"] == Value::Null {
            None
        } else {
            let before = price(text(round, "/previous/price")?, "/previous/price")?;
            Some((before, time(round, "/previous/published_at")?))
        };
        Ok(Self {
            inputs: inputs.iter().enumerate().map(input).collect::<Outcome<_>>()?,
            previous,
            at: time(round, "/decision/evaluated_at")?,
            rules: Rules::read(round)?,
        })
    }

    /// For each observation, why it does not count.
    fn rejections(&self) -> Vec<Option<&'static str>> {
        let rules = &self.rules;
        let oldest = self.at - rules.heartbeat * 2;
        let alone = |input: &Input| {
            let low = rules.least.is_some_and(|least| input.price < least);
            let high = rules.most.is_some_and(|most| input.price > most);
            if input.since < oldest { Some("expired") } else { (low || high).then_some("out_of_bounds") }
        };
        let mut rejections: Vec<Option<&str>> = self.inputs.iter().map(alone).collect();
        let left = self.left(&rejections);
        if let Some(middle) = median(left.clone(), rules.decimals).filter(|_| left.len() >= 3) {
            let distances = left.iter().map(|price| (price - middle).abs()).collect();
            let spread = median(distances, rules.decimals).unwrap_or_default();
            for (input, rejection) in self.inputs.iter().zip(&mut rejections) {
                let distance = (input.price - middle).abs();
                let far = match rules.outliers.as_str() {
                    "deviation" => distance * WHOLE > rules.max_bps * middle,
                    "mad" => spread > 0 && distance > rules.max_mads * spread,
                    _ => false,
                };
                if rejection.is_none() && far {
                    *rejection = Some("outlier");
                }
            }
        }
        rejections
    }

    fn left(&self, rejections: &[Option<&str>]) -> Vec<i128> {
        let counts = self.inputs.iter().zip(rejections).filter(|(_, rejection)| rejection.is_none());
        counts.map(|(input, _)| input.price).collect()
    }

    fn decide(&self, rejections: &[Option<&str>]) -> Vec<(String, Value)> {
        let left = self.left(rejections);
        let submissions = left.len();
        let price = median(left, self.rules.decimals);
        let change = price.zip(self.previous).map(|(price, (before, _))| (price - before) * WHOLE / before);
        let (publish, reason) = self.gate(price, submissions);
        let told = [
            ("publish", json!(publish)),
            ("reason", json!(reason)),
            ("submissions", json!(submissions)),
            ("price", json!(price.map(written))),
            ("change_bps", json!(change.map(bounded))),
        ];
        told.map(|(member, value)| (member.to_owned(), value)).to_vec()
    }

    fn gate(&self, price: Option<i128>, submissions: usize) -> (bool, &'static str) {
        let rules = &self.rules;
        let enough = i128::try_from(submissions).is_ok_and(|found| found >= rules.min_submissions);
        let Some(price) = price.filter(|_| enough) else { return (false, "too_few_submissions") };
        let Some((before, published_at)) = self.previous else { return (true, "first") };
        if (price - before).abs() * WHOLE >= rules.deviation_bps * before {
            (true, "deviation")
        } else if self.at - published_at >= rules.heartbeat {
            (true, "heartbeat")
        } else {
            (false, "below_deviation")
        }
    }

    /// The observations that do not count, as a published round keeps them.
    fn rejected(&self, rejections: &[Option<&str>]) -> Value {
        let judged = self.inputs.iter().zip(rejections);
        let told =
            |input: &Input, reason: &str| json!([input.id, input.source, written(input.price), reason]);
        judged.filter_map(|(input, reason)| reason.map(|reason| told(input, reason))).collect()
    }
}

impl Rules {
    fn read(round: &Value) -> Outcome<Self> {
        let number = |pointer: &str, most: i64| {
            let found = round.pointer(pointer).and_then(Value::as_i64).ok_or_else(|| missing(pointer))?;
            if (0..=most).contains(&found) { Ok(found) } else { Err(differs(pointer, "it is out of bounds")) }
        };
        let bound = |pointer: &str| match round.pointer(pointer) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => price(text(round, pointer)?, pointer).map(Some),
        };
        let heartbeat = "/rules/heartbeat_interval";
        Ok(Self {
            decimals: u32::try_from(number("/rules/decimals", 18)?).unwrap_or(DECIMALS),
            min_submissions: number("/rules/min_submissions", 1_000_000)?.into(),
            deviation_bps: number("/rules/deviation_bps", 100_000)?.into(),
            heartbeat: interval(text(round, heartbeat)?)
                .ok_or_else(|| differs(heartbeat, "it is no interval"))?,
            least: bound("/rules/min_price")?,
            most: bound("/rules/max_price")?,
            outliers: text(round, "/rules/outliers/rule")?.to_owned(),
            max_bps: number("/rules/outliers/max_bps", 100_000)?.into(),
            max_mads: number("/rules/outliers/max_mads", 1_000)?.into(),
        })
    }
}

/// What a round keeps of its observations that do not count.
fn kept(round: &Value, inputs: &[Input]) -> Value {
    let rejects = round["rejects"].as_array().map_or(&[][..], Vec::as_slice);
    let of_inputs =
        rejects.iter().filter(|reject| inputs.iter().any(|input| input.id == reject["snapshot_id"]));
    let told =
        |reject: &Value| json!([reject["snapshot_id"], reject["source"], reject["price"], reject["reason"]]);
    of_inputs.map(told).collect()
}

/// The middle one, or of an even number the mean of the middle two, rounded half to even at `decimals`.
fn median(mut values: Vec<i128>, decimals: u32) -> Option<i128> {
    values.sort_unstable();
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    let step = 2 * 10_i128.pow(DECIMALS - decimals);
    let sum = values[values.len() / 2 - 1] + upper;
    let (even, rest) = (sum / step, sum % step);
    let up = rest * 2 > step || (rest * 2 == step && even % 2 == 1);
    Some((even + i128::from(up)) * (step / 2))
}

/// A change as it is told: at most 10⁹ basis points.
fn bounded(change: i128) -> i64 {
    i64::try_from(change.clamp(-1_000_000_000, 1_000_000_000)).unwrap_or_default()
}

fn price(text: &str, pointer: &str) -> Outcome<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let fits =
        !whole.is_empty() && whole.len() <= 16 && fraction.len() <= 18 && plain(whole) && plain(fraction);
    let value = fits.then(|| format!("{whole}{fraction:0<18}").parse::<i128>().ok()).flatten();
    value.filter(|value| (1..=MOST).contains(value)).ok_or_else(|| differs(pointer, "it is no price"))
}

fn written(value: i128) -> String {
    let unit = 10_i128.pow(DECIMALS);
    let fraction = format!("{:018}", value % unit);
    let text = format!("{}.{}", value / unit, fraction.trim_end_matches('0'));
    text.trim_end_matches('.').to_owned()
}

/// `@every 10m`.
fn interval(text: &str) -> Option<TimeDelta> {
    let text = text.strip_prefix("@every ").unwrap_or(text);
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: i64 = text[..digits].parse().ok()?;
    let millis = match &text[digits..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    // No feed has a longer one.
    TimeDelta::try_milliseconds(number.checked_mul(millis)?).filter(|span| *span <= TimeDelta::days(30))
}

fn text<'a>(round: &'a Value, pointer: &str) -> Outcome<&'a str> {
    round.pointer(pointer).and_then(Value::as_str).ok_or_else(|| missing(pointer))
}

fn time(round: &Value, pointer: &str) -> Outcome<DateTime<Utc>> {
    let read = DateTime::parse_from_rfc3339(text(round, pointer)?);
    read.map(|time| time.with_timezone(&Utc)).map_err(|_| differs(pointer, "it is no time"))
}

fn same(pointer: &str, told: &Value, found: &Value) -> Outcome<()> {
    if told == found {
        return Ok(());
    }
    Err(differs(pointer, &format!("the round says {told}, and it comes to {found}")))
}

fn missing(pointer: &str) -> Failure {
    differs(pointer, "it is missing")
}

fn differs(pointer: &str, what: &str) -> Failure {
    Failure::new(Exit::VerificationFailed, format!("the round does not verify: {pointer}: {what}"))
}
