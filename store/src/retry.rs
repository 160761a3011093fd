//! When a failed attempt is tried again: exponential, with full jitter.

use std::time::Duration;

/// How attempts are spaced, and when they end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The bound of the first delay.
    pub base: Duration,
    /// The bound of every delay.
    pub cap: Duration,
    /// How many attempts there are in all.
    pub max_attempts: u32,
    /// For how long attempts are made.
    pub max_age: Duration,
}

impl RetryPolicy {
    /// The delay before the next attempt after `attempt` failed, or none where there is no next. `fraction` is a random
    /// number from 0 up to 1; a peer's `Retry-After` is the least that is waited.
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
        let doublings = attempt.saturating_sub(1).min(31);
        let bound = self.base.saturating_mul(1 << doublings).min(self.cap);
        let delay = bound.mul_f64(fraction.clamp(0.0, 1.0)).max(retry_after.unwrap_or_default());
        (age.saturating_add(delay) <= self.max_age).then_some(delay)
    }
}
