use proptest::prelude::*;

use super::*;

fn answered(value: &str) -> Answer {
    let value = JsonText::read(value);
    Answer { status: AnswerStatus::Succeeded, value, ..Answer::waiting(Uuid::nil()) }
}

fn failed() -> Answer {
    Answer { status: AnswerStatus::Failed, error: Some("no".to_owned()), ..Answer::waiting(Uuid::nil()) }
}

fn waiting() -> Answer {
    Answer::waiting(Uuid::nil())
}

fn by(method: Method, n: Option<u32>, answers: &[Answer]) -> Verdict {
    judge(Some(Aggregation { method, n }), answers, false)
}

fn result(text: &str) -> Verdict {
    Verdict::Result(JsonText::read(text).expect("JSON"))
}

#[test]
fn the_first_answer_decides_and_all_failures_fail() {
    assert_eq!(by(Method::First, None, &[waiting(), answered("7")]), result("7"));
    assert_eq!(by(Method::First, None, &[failed(), waiting()]), Verdict::Open);
    assert!(matches!(by(Method::First, None, &[failed(), failed()]), Verdict::Failed(_)));
    assert!(matches!(judge(None, &[waiting()], true), Verdict::Failed(_)));
}

#[test]
fn a_median_waits_for_all_and_is_exact() {
    let (a, b, c) = (answered("0.1"), answered("\"0.2\""), answered("12345678901234567890.5"));
    assert_eq!(by(Method::Median, None, &[a.clone(), b.clone(), waiting()]), Verdict::Open);
    assert_eq!(by(Method::Median, None, &[c.clone(), a.clone(), b.clone()]), result("\"0.2\""));
    assert_eq!(by(Method::Median, None, &[a.clone(), b, failed()]), result("\"0.15\""));
    assert!(matches!(by(Method::Median, None, &[a.clone(), failed(), failed()]), Verdict::Failed(_)));
    assert!(matches!(by(Method::Median, Some(1), &[answered("\"x\"")]), Verdict::Failed(_)));
    assert_eq!(by(Method::Median, Some(1), &[c, failed(), failed()]), result("\"12345678901234567890.5\""));
}

#[test]
fn a_quorum_outvotes_a_liar_and_a_tie_is_no_mode() {
    let (truth, same, lie) = (answered("1.50"), answered("\"1.5\""), answered("9"));
    assert_eq!(by(Method::Quorum, Some(2), &[lie.clone(), truth.clone(), waiting()]), Verdict::Open);
    assert_eq!(by(Method::Quorum, Some(2), &[lie.clone(), truth.clone(), same.clone()]), result("1.50"));
    assert!(matches!(
        by(Method::Quorum, Some(3), &[lie.clone(), truth.clone(), waiting()]),
        Verdict::Failed(_)
    ));
    assert_eq!(by(Method::Mode, None, &[truth.clone(), same, lie.clone()]), result("1.50"));
    assert!(matches!(by(Method::Mode, Some(1), &[truth, lie]), Verdict::Failed(_)));
}

proptest! {
    #[test]
    fn a_median_lies_between_its_answers_and_knows_no_order(mut numbers in prop::collection::vec(-1_000_000_i64..1_000_000, 1..9)) {
        let answers = |numbers: &[i64]| numbers.iter().map(|n| answered(&format!("{}.{:02}", n / 100, (n % 100).abs()))).collect::<Vec<_>>();
        let one = by(Method::Median, Some(1), &answers(&numbers));
        numbers.reverse();
        prop_assert_eq!(&one, &by(Method::Median, Some(1), &answers(&numbers)));
        let Verdict::Result(median) = one else { return Err(TestCaseError::fail("no result")) };
        let median = read_number(&median.plain()).expect("a number");
        let all: Vec<Decimal> = answers(&numbers).iter().filter_map(|answer| number(answer.value.as_ref()?)).collect();
        let below = all.iter().filter(|number| **number <= median).count();
        let above = all.iter().filter(|number| **number >= median).count();
        prop_assert!(below * 2 >= all.len() && above * 2 >= all.len());
    }

    #[test]
    fn more_answers_never_undo_an_end(values in prop::collection::vec(0_u8..3, 1..7), n in 1_u32..4) {
        for method in [Method::First, Method::Median, Method::Mode, Method::Quorum] {
            let mut answers = vec![waiting(); values.len()];
            let mut ended: Option<Verdict> = None;
            for (place, value) in values.iter().enumerate() {
                answers[place] = if *value == 2 { failed() } else { answered(&value.to_string()) };
                let now = by(method, Some(n), &answers);
                if let Some(before) = &ended {
                    prop_assert_eq!(std::mem::discriminant(before), std::mem::discriminant(&now));
                } else if now != Verdict::Open {
                    ended = Some(now);
                }
            }
            prop_assert!(ended.is_some());
        }
    }
}
