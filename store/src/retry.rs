//! When to try again.

use std::time::Duration;

/// How often and how long something that failed is tried again: exponential, with full jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The most the first wait can be.
    pub base: Duration,
    /// The most any wait can be.
    pub cap: Duration,
    /// How many attempts there are in all, the first included.
    pub max_attempts: u32,
    /// How old the work may become before it is given up.
    pub max_age: Duration,
}

impl Default for RetryPolicy {
    /// Base 1 s, cap 5 min, 10 attempts, 24 h.
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            cap: Duration::from_mins(5),
            max_attempts: 10,
            max_age: Duration::from_hours(24),
        }
    }
}

impl RetryPolicy {
    /// How long to wait after attempt `attempt` (the first is 1) of something that is `age` old, or none to give up.
    ///
    /// The wait is a `fraction` (0 up to and without 1, from [`crate::Chance::fraction`]) of the exponential bound, so
    /// that what failed together does not come back together; never less than the `retry_after` that a peer asked for,
    /// on top of which the fraction spreads. Gives up where the attempts are used up or the next one would come after
    /// `max_age`.
    #[must_use]
    pub fn next(
        &self,
        attempt: u32,
        age: Duration,
        retry_after: Option<Duration>,
        fraction: f64,
    ) -> Option<Duration> {
        if attempt >= self.max_attempts {
            return None;
        }
        let jitter = self.bound(attempt).mul_f64(fraction.clamp(0.0, 1.0));
        let wait = retry_after.map_or(jitter, |asked| asked.saturating_add(jitter));
        (age.saturating_add(wait) <= self.max_age).then_some(wait)
    }

    /// The most the wait after this attempt can be: the base doubled for each attempt before, up to the cap.
    #[must_use]
    pub fn bound(&self, attempt: u32) -> Duration {
        let doubled = 1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
        self.base.saturating_mul(doubled).min(self.cap)
    }
}

#[cfg(test)]
mod tests {
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
}
