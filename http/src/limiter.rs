//! How many requests a token and an account may make, and, where no token speaks for a request, an address and the path it
//! asks for (generic cell rate algorithm, by governor).

use std::{
    collections::BTreeMap,
    hash::BuildHasher as _,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock, Reference as _},
    middleware::StateInformationMiddleware,
    nanos::Nanos,
    state::{
        StateStore,
        keyed::{DashMapStateStore, ShrinkableKeyedStateStore},
    },
};
use sl_actors::{
    Code, Fault,
    caller::Caller,
    settings::{Setting, Settings},
};
use uuid::Uuid;

use crate::settings::{ACCOUNT_RATE, PEER_RATE, RATE_BURST, TOKEN_RATE};

type Buckets = RateLimiter<u64, Levels, DefaultClock, StateInformationMiddleware>;

/// How full each bucket is; shared with the limiter that fills and empties them, so that a level can be read.
#[derive(Clone, Default)]
struct Levels(Arc<DashMapStateStore<u64>>);

impl StateStore for Levels {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, key: &u64, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.0.measure_and_replace(key, measure)
    }
}

impl ShrinkableKeyedStateStore<u64> for Levels {
    fn retain_recent(&self, drop_below: Nanos) {
        self.0.retain_recent(drop_below);
    }

    fn shrink_to_fit(&self) {
        ShrinkableKeyedStateStore::shrink_to_fit(&*self.0);
    }

    fn len(&self) -> usize {
        ShrinkableKeyedStateStore::len(&*self.0)
    }

    fn is_empty(&self) -> bool {
        ShrinkableKeyedStateStore::is_empty(&*self.0)
    }
}

/// The buckets of one kind of holder.
struct Kind {
    setting: &'static Setting,
    rate: u64,
    burst: u32,
    buckets: Buckets,
    levels: Levels,
    began: <DefaultClock as Clock>::Instant,
}

impl Kind {
    fn new(settings: &Settings, setting: &'static Setting) -> Self {
        let rate = settings.count(setting);
        let whole = |number: u64| {
            NonZeroU32::new(u32::try_from(number).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN)
        };
        let burst = whole(rate.saturating_mul(settings.count(&RATE_BURST)));
        let quota = Quota::per_second(whole(rate)).allow_burst(burst);
        let (levels, clock) = (Levels::default(), DefaultClock::default());
        let began = clock.now();
        let buckets = Buckets::new(quota, levels.clone(), clock);
        Self { setting, rate, burst: burst.get(), buckets, levels, began }
    }

    /// How many requests a second the holder made of late, on average over what it may save up: the rate itself where
    /// nothing is left. Takes nothing.
    fn used(&self, holder: u64) -> u64 {
        // The level is the instant at which the bucket is full again.
        let level = self.levels.measure_and_replace::<(), _, _>(&holder, Err).err().flatten();
        let passed = DefaultClock::default().now().duration_since(self.began);
        let missing = level.map_or(0, |level| level.saturating_sub(passed).as_u64());
        let window = u128::from(self.burst).div_ceil(u128::from(self.rate.max(1))).max(1);
        let spent = u128::from(missing) * u128::from(self.rate);
        u64::try_from(spent.div_ceil(window * NANOS)).unwrap_or(u64::MAX)
    }

    fn standing(&self, remaining: u32, window: u64) -> Standing {
        let missing = u64::from(self.burst.saturating_sub(remaining));
        Standing { limit: self.burst, remaining, reset: missing.div_ceil(self.rate), window }
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

/// Nanoseconds in a second.
const NANOS: u128 = 1_000_000_000;

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

    /// Takes one from the buckets of the caller's token and account, and answers how the caller stands, whether there was
    /// one or not.
    ///
    /// # Errors
    /// Beside the standing, [`Code::RateLimited`] naming the setting and when to try again.
    pub fn check(&self, caller: &Caller) -> (Standing, Result<(), Fault>) {
        let own = (&self.tokens, Some(self.hasher.hash_one(&caller.actor)));
        let account = (&self.accounts, caller.account.map(|account| self.hasher.hash_one(account)));
        let mut standing: Option<Standing> = None;
        for (kind, holder) in [own, account].into_iter().filter_map(|(kind, holder)| Some((kind, holder?))) {
            match kind.check(holder) {
                Err(fault) => return (kind.standing(0, self.window), Err(fault)),
                Ok(left) if standing.is_none_or(|standing| left < standing.remaining) => {
                    standing = Some(kind.standing(left, self.window));
                }
                Ok(_) => {}
            }
        }
        (standing.unwrap_or_else(|| self.tokens.standing(0, self.window)), Ok(()))
    }

    /// The rates that hold for the requests of an account, each with what the caller's token and the account's tokens
    /// together use of it; for a caller who is none of the account's, no token's use is told.
    pub fn rates_of(&self, caller: &Caller, account: Uuid) -> [(&'static Setting, Option<u64>); 3] {
        let own = caller.account.map(|_| self.tokens.used(self.hasher.hash_one(&caller.actor)));
        let of_all = self.accounts.used(self.hasher.hash_one(account));
        [(&TOKEN_RATE, own), (&ACCOUNT_RATE, Some(of_all)), (&RATE_BURST, None)]
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

    use super::*;

    #[test]
    fn each_token_has_its_own_bucket_and_an_account_one_for_all() {
        let settings = Settings::default()
            .with(&TOKEN_RATE, 3, Source::Flag)
            .with(&ACCOUNT_RATE, 4, Source::Flag)
            .with(&RATE_BURST, 1, Source::Flag);
        let limiter = Limiter::new(&settings, []);
        let token = |name: &str| Caller { account: Some(Uuid::from_u128(1)), ..Caller::duty(name) };
        let left = |caller: &Caller| {
            let (standing, checked) = limiter.check(caller);
            checked.map(|()| standing.remaining)
        };
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
        let (standing, _) = limiter.check(&token("c"));
        assert_eq!((standing.limit, standing.remaining, standing.window), (4, 0, 1), "the account's, spent");
        assert_eq!(left(&Caller::operator("alice")).ok(), Some(2));
    }

    #[test]
    fn what_is_used_of_a_rate_is_told_without_taking_any() {
        let settings = Settings::default()
            .with(&TOKEN_RATE, 1, Source::Flag)
            .with(&ACCOUNT_RATE, 2, Source::Flag)
            .with(&RATE_BURST, 500, Source::Flag);
        let limiter = Limiter::new(&settings, []);
        let account = Uuid::from_u128(1);
        let token = Caller { account: Some(account), ..Caller::duty("a") };
        let used = |caller: &Caller| limiter.rates_of(caller, account).map(|(_, used)| used);
        assert_eq!(used(&token), [Some(0), Some(0), None]);
        for _ in 0..500 {
            assert!(limiter.check(&token).1.is_ok());
        }
        assert_eq!(used(&token), [Some(1), Some(1), None], "all of the one's, half of the other's");
        assert_eq!(used(&Caller::operator("alice")), [None, Some(1), None]);
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
