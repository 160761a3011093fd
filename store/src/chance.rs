//! Randomness and ids, so that a test can own them.

use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::Clock;

/// Where randomness comes from.
pub trait Chance: Send + Sync + 'static {
    /// Fills the bytes.
    fn fill(&self, bytes: &mut [u8]);

    /// So many random bytes.
    fn bytes<const N: usize>(&self) -> [u8; N]
    where
        Self: Sized,
    {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A number from 0 up to and without 1, for jitter.
    fn fraction(&self) -> f64 {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
    }
}

impl<T: Chance + ?Sized> Chance for Arc<T> {
    fn fill(&self, bytes: &mut [u8]) {
        (**self).fill(bytes);
    }
}

/// The operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsChance;

impl Chance for OsChance {
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the machine's randomness")]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}

/// Repeatable bytes from a seed, for tests only: SHA-256 in counter mode.
#[derive(Debug)]
pub struct SeededChance {
    seed: u64,
    counter: Mutex<u64>,
}

impl SeededChance {
    /// Bytes that follow from `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, counter: Mutex::new(0) }
    }
}

impl Chance for SeededChance {
    fn fill(&self, bytes: &mut [u8]) {
        let mut counter = self.counter.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in bytes.chunks_mut(32) {
            let block = Sha256::new()
                .chain_update(self.seed.to_le_bytes())
                .chain_update(counter.to_le_bytes())
                .finalize();
            chunk.copy_from_slice(&block[..chunk.len()]);
            *counter += 1;
        }
    }
}

/// Makes `UUIDv7` ids (RFC 9562, section 5.7) that rise strictly within one process, from the injected clock and chance.
#[derive(Clone)]
pub struct Ids {
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    last: Arc<Mutex<(u64, u16)>>,
}

impl Ids {
    /// Ids from this clock and this chance.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, chance: Arc<dyn Chance>) -> Self {
        Self { clock, chance, last: Arc::new(Mutex::new((0, 0))) }
    }

    /// The next id: 48 bits of milliseconds, 12 bits that count within the millisecond, 62 random bits.
    #[must_use]
    pub fn next(&self) -> Uuid {
        let now = u64::try_from(self.clock.now().timestamp_millis()).unwrap_or(0);
        let mut random = [0; 10];
        self.chance.fill(&mut random);
        let (millis, count) = {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            *last = if now > last.0 {
                (now, u16::from(random[0]))
            } else if last.1 < 0x0fff {
                (last.0, last.1 + 1)
            } else {
                (last.0 + 1, u16::from(random[0]))
            };
            *last
        };
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
        bytes[6..8].copy_from_slice(&(0x7000 | count).to_be_bytes());
        bytes[8..].copy_from_slice(&random[2..]);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        Uuid::from_bytes(bytes)
    }
}

impl std::fmt::Debug for Ids {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Ids").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::ManualClock;

    #[test]
    fn ids_rise_strictly_even_when_the_clock_steps_back() {
        let clock = ManualClock::new(DateTime::from_timestamp_millis(1_700_000_000_000).expect("in range"));
        let ids = Ids::new(Arc::new(clock.clone()), Arc::new(SeededChance::new(1)));
        let mut last = ids.next();
        for round in 0..10_000 {
            if round == 5_000 {
                clock.set(DateTime::from_timestamp_millis(1_600_000_000_000).expect("in range"));
            }
            let next = ids.next();
            assert!(next > last, "{next} follows {last}");
            assert_eq!(next.get_version_num(), 7);
            last = next;
        }
    }
}
