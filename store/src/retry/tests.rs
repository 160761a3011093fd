use proptest::prelude::*;

use super::*;

fn policy() -> impl Strategy<Value = RetryPolicy> {
    (1_u64..10_000, 1_u64..1_000_000, 1_u32..50, 0_u64..100_000_000).prop_map(
        |(base, cap, max_attempts, age)| RetryPolicy {
            base: Duration::from_millis(base),
            cap: Duration::from_millis(cap.max(base)),
            max_attempts,
            max_age: Duration::from_millis(age),
        },
    )
}

proptest! {
    #[test]
    fn the_wait_stays_within_the_bound_and_the_bound_within_the_cap(
        policy in policy(), attempt in 0_u32..200, fraction in 0.0_f64..1.0,
    ) {
        prop_assert!(policy.bound(attempt) <= policy.cap);
        prop_assert!(policy.bound(attempt) <= policy.bound(attempt + 1));
        if let Some(wait) = policy.next(attempt, Duration::ZERO, None, fraction) {
            prop_assert!(wait <= policy.bound(attempt));
        }
    }

    #[test]
    fn a_wait_asked_for_is_honoured(
        policy in policy(), attempt in 1_u32..50, asked in 0_u64..1_000_000, fraction in 0.0_f64..1.0,
    ) {
        let asked = Duration::from_millis(asked);
        if let Some(wait) = policy.next(attempt, Duration::ZERO, Some(asked), fraction) {
            prop_assert!(wait >= asked && wait <= asked + policy.bound(attempt));
        }
    }

    #[test]
    fn it_ends(policy in policy(), fraction in 0.0_f64..1.0) {
        prop_assert_eq!(policy.next(policy.max_attempts, Duration::ZERO, None, fraction), None);
        let late = policy.max_age + Duration::from_millis(1);
        prop_assert_eq!(policy.next(1, late, None, fraction), None);
    }
}

#[test]
fn the_bound_doubles_from_the_base_to_the_cap() {
    let policy = RetryPolicy::default();
    let seconds: Vec<u64> = (1..=11).map(|attempt| policy.bound(attempt).as_secs()).collect();
    assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    assert_eq!(policy.bound(u32::MAX), policy.cap);
}
