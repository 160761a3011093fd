//! How many requests a token and an account may make, and, where no token speaks for a request, an address and the path it
//! asks for (generic cell rate algorithm, by governor).

use std::{
    collections::BTreeMap,
    hash::BuildHasher as _,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    time::Duration,
};

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

use crate::settings::{ACCOUNT_RATE, PEER_RATE, RATE_BURST, TOKEN_RATE};

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

/// The buckets of tokens and accounts, and those of addresses and paths.
pub struct Limiter {
    tokens: Kind,
    accounts: Kind,
    peers: Kind,
    /// By the name of the setting that says how often each path is asked for.
    paths: BTreeMap<&'static str, Kind>,
    window: u64,
    hasher: std::collections::hash_map::RandomState,
}

impl std::fmt::Debug for Limiter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Limiter").field("tokens", &self.tokens.rate).finish_non_exhaustive()
    }
}

impl Limiter {
    /// Full buckets; `rates` are those of paths that are open.
    pub fn new(settings: &Settings, rates: impl IntoIterator<Item = &'static Setting>) -> Self {
        Self {
            tokens: Kind::new(settings, &TOKEN_RATE),
            accounts: Kind::new(settings, &ACCOUNT_RATE),
            peers: Kind::new(settings, &PEER_RATE),
            paths: rates.into_iter().map(|rate| (rate.name, Kind::new(settings, rate))).collect(),
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

    /// Takes one from the buckets of an address and of the path it asks for, which stands under `rate`.
    ///
    /// # Errors
    /// [`Code::RateLimited`] naming the setting and when to try again.
    pub fn check_open(&self, peer: Option<IpAddr>, rate: &Setting, path: &str) -> Result<(), Fault> {
        // Whoever has one IPv6 address has 2^64 of them.
        let peer = peer.map(|peer| match peer.to_canonical() {
            IpAddr::V6(own) => IpAddr::V6(Ipv6Addr::from_bits(own.to_bits() >> 64 << 64)),
            v4 @ IpAddr::V4(_) => v4,
        });
        self.peers.check(self.hasher.hash_one(peer))?;
        match self.paths.get(rate.name) {
            Some(kind) => kind.check(self.hasher.hash_one(path)).map(drop),
            None => Ok(()),
        }
    }

    /// Forgets full buckets.
    pub fn tidy(&self) {
        for kind in [&self.tokens, &self.accounts, &self.peers].into_iter().chain(self.paths.values()) {
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
        let limiter = Limiter::new(&settings, []);
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

    #[test]
    fn each_open_path_has_its_own_bucket_and_an_address_one_for_all() {
        let settings = Settings::default()
            .with(&PEER_RATE, 3, Source::Flag)
            .with(&ACCOUNT_RATE, 2, Source::Flag)
            .with(&RATE_BURST, 1, Source::Flag);
        let limiter = Limiter::new(&settings, [&ACCOUNT_RATE]);
        let ask = |peer: &str, path: &str| {
            let asked = limiter.check_open(peer.parse().ok(), &ACCOUNT_RATE, path);
            asked.err().and_then(|fault| fault.limit.map(|limit| limit.setting))
        };
        assert_eq!([ask("192.0.2.1", "/a"), ask("192.0.2.2", "/a")], [None, None]);
        assert_eq!(ask("192.0.2.3", "/a"), Some(ACCOUNT_RATE.name), "the path's two are spent, by whomever");
        assert_eq!([ask("2001:db8::1", "/b"), ask("2001:db8::2", "/c"), ask("2001:db8::3", "/d")], [None; 3]);
        assert_eq!(ask("2001:db8::4", "/e"), Some(PEER_RATE.name), "one network, one bucket");
        assert_eq!(ask("2001:db8:0:1::1", "/e"), None);
    }
}
