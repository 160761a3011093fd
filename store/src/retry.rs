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
mod tests;
