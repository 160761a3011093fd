//! Counters of the signing key: unique for ever, taken from blocks that each daemon reserves for itself.

use sha2::{Digest as _, Sha256};
use sl_store::{Batch, Code, Fault, Head, Key, SYSTEM};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{COUNTER_BLOCK, entity::RandomCounter};
use crate::{Core, signing::Signer};

/// How often a reservation is tried that collides with other daemons'.
const ATTEMPTS: usize = 50;

/// The counters of one daemon, which has one key.
#[derive(Debug, Default)]
pub struct Desk(Mutex<Block>);

/// What is left of a block: from `next`, up to and with `last`.
#[derive(Clone, Copy, Debug)]
struct Block {
    next: i64,
    last: i64,
}

impl Default for Block {
    fn default() -> Self {
        Self { next: 1, last: 0 }
    }
}

impl Desk {
    /// The next counter of the key: higher than any this daemon gave, and never given by anybody.
    pub(super) async fn next(&self, core: &Core, signer: &Signer) -> Result<i64, Fault> {
        let mut block = self.0.lock().await;
        if block.next > block.last {
            *block = reserve(core, signer).await?;
        }
        let counter = block.next;
        block.next += 1;
        Ok(counter)
    }
}

async fn reserve(core: &Core, signer: &Signer) -> Result<Block, Fault> {
    let size = i64::try_from(core.settings.count(&COUNTER_BLOCK)).unwrap_or(i64::MAX);
    let (public_key, now) = (signer.public_key().to_vec(), core.clock.now());
    let key = Key::new(SYSTEM, id_of(&public_key));
    for _ in 0..ATTEMPTS {
        let mut batch = Batch::new();
        let last = if let Some(mut counter) = core.store.find::<RandomCounter>(key).await? {
            counter.reserved = counter.reserved.saturating_add(size);
            batch.replace(&mut counter, now);
            counter.reserved
        } else {
            let head = Head::new(SYSTEM, key.id, now);
            batch.insert(&RandomCounter { head, public_key: public_key.clone(), reserved: size });
            size
        };
        match core.store.commit(batch).await {
            Ok(()) => return Ok(Block { next: last - size + 1, last }),
            Err(fault) if fault.code == Code::Conflict => {}
            Err(fault) => return Err(fault),
        }
    }
    Err(Fault::new(Code::Unavailable, "the counter of the signing key changes all the time"))
}

fn id_of(public_key: &[u8]) -> Uuid {
    let digest = Sha256::new().chain_update("random counter/").chain_update(public_key).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
