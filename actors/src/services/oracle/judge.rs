//! What the answers of several sources come to. Pure; numbers are exact decimals throughout.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::text::JsonText;

/// How the answers of several sources become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OracleAggregationMethod)]
pub enum Method {
    /// The first answer.
    First,
    /// The median of numbers when every source has answered or failed: the middle one, or of an even number the mean of
    /// the middle two.
    Median,
    /// The most frequent answer when every source has answered or failed; a tie fails.
    Mode,
    /// The first answer that `n` sources agree on.
    Quorum,
}

/// How the answers of several sources become one, and how many are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OracleAggregation)]
pub struct Aggregation {
    /// How.
    pub method: Method,
    /// How many answers are needed: of `median` that there are, of `mode` and `quorum` that are equal. More than half of
    /// the sources where it is absent; not for `first`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub n: Option<u32>,
}

impl Aggregation {
    /// How many answers are needed of so many sources.
    #[must_use]
    pub fn needed(self, sources: usize) -> usize {
        match (self.method, self.n) {
            (Method::First, _) => 1,
            (_, Some(n)) => usize::try_from(n).unwrap_or(usize::MAX),
            (_, None) => sources / 2 + 1,
        }
    }
}

/// Where a source's answer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OracleAnswerStatus)]
pub enum AnswerStatus {
    /// It is still to be asked, or asked again.
    Waiting,
    /// It said that it answers later, by a callback.
    Pending,
    /// It answered.
    Succeeded,
    /// It will not answer.
    Failed,
}

/// The answer of one source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = OracleAnswer)]
pub struct Answer {
    /// The source.
    pub source_id: Uuid,
    /// Where it stands.
    pub status: AnswerStatus,
    /// What it answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<JsonText>,
    /// Why it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it answered or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<DateTime<Utc>>,
}

impl Answer {
    /// A source that is still to be asked.
    #[must_use]
    pub const fn waiting(source_id: Uuid) -> Self {
        Self { source_id, status: AnswerStatus::Waiting, value: None, error: None, answered_at: None }
    }

    pub(super) const fn is_open(&self) -> bool {
        matches!(self.status, AnswerStatus::Waiting | AnswerStatus::Pending)
    }
}

/// What the answers come to so far.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    /// They do not decide yet.
    Open,
    /// They come to this.
    Result(JsonText),
    /// They cannot come to anything any more.
    Failed(String),
}

/// Judges the answers. With `closed`, what is still open counts as failed.
pub(super) fn judge(aggregation: Option<Aggregation>, answers: &[Answer], closed: bool) -> Verdict {
    let aggregation = aggregation.unwrap_or(Aggregation { method: Method::First, n: None });
    let needed = aggregation.needed(answers.len());
    let open = if closed { 0 } else { answers.iter().filter(|answer| answer.is_open()).count() };
    let given: Vec<&JsonText> = answers
        .iter()
        .filter(|answer| answer.status == AnswerStatus::Succeeded)
        .filter_map(|answer| answer.value.as_ref())
        .collect();
    match aggregation.method {
        Method::First => match given.first() {
            Some(first) => Verdict::Result((*first).clone()),
            None if open > 0 => Verdict::Open,
            None => Verdict::Failed(failures(answers)),
        },
        Method::Median if given.len() + open < needed => too_few(given.len(), needed, answers),
        Method::Median if open > 0 => Verdict::Open,
        Method::Median => median(&given),
        Method::Mode | Method::Quorum => {
            let groups = groups(&given);
            let most = groups.first().map_or(0, |(_, count)| *count);
            match aggregation.method {
                Method::Quorum if most >= needed => Verdict::Result(groups[0].0.clone()),
                _ if most + open < needed => disagree(most, needed, answers),
                _ if open > 0 => Verdict::Open,
                _ if groups.get(1).is_some_and(|(_, count)| *count == most) => Verdict::Failed(format!(
                    "two answers were given {most} times each, so that none is the most frequent"
                )),
                _ => Verdict::Result(groups[0].0.clone()),
            }
        }
    }
}

/// The distinct answers with how often each was given, most frequent first.
fn groups<'a>(given: &[&'a JsonText]) -> Vec<(&'a JsonText, usize)> {
    let mut groups: Vec<(&JsonText, usize)> = Vec::new();
    for answer in given {
        match groups.iter_mut().find(|(known, _)| alike(known, answer)) {
            Some((_, count)) => *count += 1,
            None => groups.push((answer, 1)),
        }
    }
    groups.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    groups
}

/// Whether two answers are the same; numbers are compared as numbers, also where they are written as strings.
fn alike(one: &JsonText, other: &JsonText) -> bool {
    match (number(one), number(other)) {
        (Some(one), Some(other)) => one == other,
        (None, None) => one == other,
        _ => false,
    }
}

fn number(answer: &JsonText) -> Option<Decimal> {
    read_number(&answer.plain()).ok()
}

/// Reads an exact decimal number; its digits, as an integer, have at most 96 bits.
pub(super) fn read_number(text: &str) -> Result<Decimal, String> {
    let text = text.trim();
    let refused = || {
        let most = Decimal::MAX;
        format!("must be a decimal number, which is not rounded; its digits are at most {most}")
    };
    // Separators that the library would skip.
    if text.contains('_') {
        return Err(refused());
    }
    let read = if text.contains(['e', 'E']) {
        Decimal::from_scientific(text)
    } else {
        Decimal::from_str_exact(text)
    };
    read.map(|number| number.normalize()).map_err(|_| refused())
}

fn median(given: &[&JsonText]) -> Verdict {
    let read: Option<Vec<Decimal>> = given.iter().map(|answer| number(answer)).collect();
    let Some(mut numbers) = read else {
        return Verdict::Failed("an answer is no number, so that there is no median".to_owned());
    };
    numbers.sort_unstable();
    let middle = numbers.len() / 2;
    let median = match numbers.get(middle) {
        None => return Verdict::Failed("there is no answer".to_owned()),
        Some(upper) if numbers.len() % 2 == 1 => Some(*upper),
        Some(upper) => numbers[middle - 1].checked_add(*upper).and_then(|sum| sum.checked_div(Decimal::TWO)),
    };
    match median {
        Some(median) => Verdict::Result(JsonText::string(&median.normalize().to_string())),
        None => Verdict::Failed("the mean of the middle two answers has too many digits".to_owned()),
    }
}

fn too_few(given: usize, needed: usize, answers: &[Answer]) -> Verdict {
    let why = failures(answers);
    Verdict::Failed(format!("{needed} answers are needed and at most {given} can be had: {why}"))
}

fn disagree(most: usize, needed: usize, answers: &[Answer]) -> Verdict {
    let told = format!("{needed} equal answers are needed, and at most {most} agree");
    let why = failures(answers);
    Verdict::Failed(if why.is_empty() { told } else { format!("{told}: {why}") })
}

/// How long the failures of sources may be in all.
const TOLD: usize = 1_000;

fn failures(answers: &[Answer]) -> String {
    let told: Vec<String> = answers
        .iter()
        .filter_map(|answer| Some(format!("{}: {}", answer.source_id, answer.error.as_ref()?)))
        .collect();
    let told = if let [only] = answers { only.error.clone().unwrap_or_default() } else { told.join("; ") };
    told.chars().take(TOLD).collect()
}

#[cfg(test)]
mod tests;
