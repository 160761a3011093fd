//! How many requests a token and an account may make (generic cell rate algorithm, by governor).

use std::{hash::BuildHasher as _, num::NonZeroU32, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::DashMapStateStore,
};
use sl_actors::{
    Code, Fault,
    caller::Caller,
    settings::{Setting, Settings},
};

use crate::settings::{ACCOUNT_RATE, RATE_BURST, TOKEN_RATE};

type Buckets = RateLimiter<u64, DashMapStateStore<u64>, DefaultClock, StateInformationMiddleware>;

/// The buckets of one kind of holder.
struct Kind {
    setting: &'static Setting,
    rate: u64,
    burst: u32,
    buckets: Buckets,
}

impl Kind {
    fn new(settings: &Settings, setting: &'static Setting) -> Self {
        let rate = settings.count(setting);
        let whole = |number: u64| {
            NonZeroU32::new(u32::try_from(number).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN)
        };
        let burst = whole(rate.saturating_mul(settings.count(&RATE_BURST)));
        let quota = Quota::per_second(whole(rate)).allow_burst(burst);
        let buckets = RateLimiter::dashmap(quota).with_middleware::<StateInformationMiddleware>();
        Self { setting, rate, burst: burst.get(), buckets }
    }

    fn check(&self, holder: u64) -> Result<u32, Fault> {
        match self.buckets.check_key(&holder) {
            Ok(state) => Ok(state.remaining_burst_capacity()),
            Err(until) => {
                let wait = until.wait_time_from(DefaultClock::default().now());
                Err(Fault::new(Code::RateLimited, format!("more than {} requests a second", self.rate))
                    .limited(self.setting.name, self.rate, self.rate)
                    .retry_after(wait.max(Duration::from_secs(1))))
            }
        }
    }
}

/// What the headers of an answer tell of the caller's rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How many requests fit into the window.
    pub limit: u32,
    /// How many of them are left.
    pub remaining: u32,
    /// After how many seconds all of them are there again.
    pub reset: u64,
    /// The window in seconds.
    pub window: u64,
}

/// The buckets of tokens and accounts.
pub struct Limiter {
    tokens: Kind,
    accounts: Kind,
    window: u64,
    hasher: std::collections::hash_map::RandomState,
}

impl std::fmt::Debug for Limiter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Limiter").field("tokens", &self.tokens.rate).finish_non_exhaustive()
    }
}

impl Limiter {
    /// Full buckets.
    pub fn new(settings: &Settings) -> Self {
        Self {
            tokens: Kind::new(settings, &TOKEN_RATE),
            accounts: Kind::new(settings, &ACCOUNT_RATE),
            window: settings.count(&RATE_BURST),
            hasher: std::collections::hash_map::RandomState::new(),
        }
    }

    /// Takes one from the buckets of the caller's token and account.
    ///
    /// # Errors
    /// [`Code::RateLimited`] naming the setting and when to try again.
    pub fn check(&self, caller: &Caller) -> Result<Standing, Fault> {
        let mut remaining = self.tokens.check(self.hasher.hash_one(&caller.actor))?;
        let mut kind = &self.tokens;
        if let Some(account) = caller.account {
            let left = self.accounts.check(self.hasher.hash_one(account))?;
            if left < remaining {
                (remaining, kind) = (left, &self.accounts);
            }
        }
        let missing = u64::from(kind.burst.saturating_sub(remaining));
        Ok(Standing { limit: kind.burst, remaining, reset: missing.div_ceil(kind.rate), window: self.window })
    }

    /// Forgets full buckets.
    pub fn tidy(&self) {
        for kind in [&self.tokens, &self.accounts] {
            kind.buckets.retain_recent();
            kind.buckets.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use sl_actors::settings::Source;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn each_token_has_its_own_bucket_and_an_account_one_for_all() {
        let settings = Settings::default()
            .with(&TOKEN_RATE, 3, Source::Flag)
            .with(&ACCOUNT_RATE, 4, Source::Flag)
            .with(&RATE_BURST, 1, Source::Flag);
        let limiter = Limiter::new(&settings);
        let token = |name: &str| Caller { account: Some(Uuid::from_u128(1)), ..Caller::duty(name) };
        let left = |caller: &Caller| limiter.check(caller).map(|standing| standing.remaining);
        assert_eq!(left(&token("a")).ok(), Some(2));
        assert_eq!(left(&token("a")).ok(), Some(1));
        assert_eq!(left(&token("b")).ok(), Some(1));
        assert_eq!(left(&token("b")).ok(), Some(0));
        let fault = left(&token("b")).expect_err("the account's four are spent");
        assert_eq!(
            (fault.code, fault.limit.map(|limit| limit.setting)),
            (Code::RateLimited, Some(ACCOUNT_RATE.name))
        );
        assert!(fault.retry_after.is_some_and(|after| after >= Duration::from_secs(1)));
        assert_eq!(left(&Caller::operator("alice")).ok(), Some(2));
    }
}
