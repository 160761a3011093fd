//! The secrets of inbound webhooks, sealed: the current one, and those it replaced whose grace has not ended.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use sl_store::{Batch, Cell, Cells, Column, Entity, Fault, Head, Kind, Query, Table};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::named::Scheme;
use crate::{Core, action::Tenant, sealed::Sealed};

/// So many secrets of one trigger there are at most; the oldest go first.
const MOST: usize = 4;

/// A secret of a webhook.
#[derive(Clone, Debug, PartialEq)]
pub struct TriggerSecret {
    /// The row's head.
    pub head: Head,
    /// The trigger.
    pub trigger_id: Uuid,
    /// The secret.
    pub sealed: Sealed,
    /// Until when it holds, where another has replaced it.
    pub expires_at: Option<DateTime<Utc>>,
}

impl TriggerSecret {
    /// A secret of a trigger, sealed.
    pub(super) fn new(tenant: &Tenant, trigger_id: Uuid, secret: &str) -> Self {
        let head = Head::new(tenant.account_id, tenant.next_id(), tenant.now());
        let sealed = Sealed::new(&tenant.core, Self::TABLE, head.key(), secret.as_bytes());
        Self { head, trigger_id, sealed, expires_at: None }
    }

    /// Those of a trigger, newest first.
    pub(super) async fn of(core: &Core, account: Uuid, trigger: Uuid) -> Result<Vec<Self>, Fault> {
        core.store.list(Query::of(account).equal("trigger_id", trigger).limit(2 * MOST)).await
    }

    /// Those of them that hold now, open.
    pub(super) async fn open_all(
        core: &Core,
        account: Uuid,
        trigger: Uuid,
    ) -> Result<Vec<Zeroizing<Vec<u8>>>, Fault> {
        let now = core.clock.now();
        let all = Self::of(core, account, trigger).await?;
        let valid = all.iter().filter(|secret| secret.expires_at.is_none_or(|until| now < until));
        valid.map(|secret| secret.sealed.open(core, Self::TABLE, secret.head.key())).collect()
    }

    /// Adds that another secret takes the place of those there are: they hold until then, or for what is left of their own
    /// grace.
    pub(super) async fn replace(
        tenant: &Tenant,
        trigger: Uuid,
        secret: &str,
        until: DateTime<Utc>,
        batch: &mut Batch,
    ) -> Result<(), Fault> {
        let now = tenant.now();
        for (place, mut old) in (1..).zip(Self::of(&tenant.core, tenant.account_id, trigger).await?) {
            let ends = old.expires_at.map_or(until, |own| own.min(until));
            if ends <= now || place >= MOST {
                batch.remove(&old);
            } else if old.expires_at != Some(ends) {
                old.expires_at = Some(ends);
                batch.replace(&mut old, now);
            }
        }
        batch.insert(&Self::new(tenant, trigger, secret));
        Ok(())
    }
}

/// A new secret in the scheme's own form.
pub(super) fn make(core: &Core, scheme: Scheme) -> String {
    let bytes = random(core);
    match scheme {
        Scheme::Standard | Scheme::Stripe => format!("whsec_{}", STANDARD.encode(bytes)),
        Scheme::Github | Scheme::SharedSecret => hex::encode(bytes),
    }
}

/// A new token of a URL.
pub(super) fn make_token(core: &Core) -> String {
    hex::encode(random(core))
}

fn random(core: &Core) -> [u8; 32] {
    let mut bytes = [0; 32];
    core.chance.fill(&mut bytes);
    bytes
}

impl Entity for TriggerSecret {
    const TABLE: &'static Table = &Table {
        name: "trigger_secrets",
        noun: "webhook secret",
        columns: &[
            Column::new("trigger_id", Kind::Uuid),
            Column::new("key_id", Kind::Text),
            Column::new("envelope", Kind::Bytes),
            Column::nullable("expires_at", Kind::Time),
        ],
        uniques: &[],
    };

    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn encode(&self) -> Vec<Cell> {
        vec![
            self.trigger_id.into(),
            self.sealed.key_id.clone().into(),
            self.sealed.envelope.clone().into(),
            self.expires_at.into(),
        ]
    }

    fn decode(head: Head, mut cells: Cells) -> Result<Self, Fault> {
        let trigger_id = cells.uuid()?;
        let sealed = Sealed { key_id: cells.text()?, envelope: cells.bytes()? };
        Ok(Self { head, trigger_id, sealed, expires_at: cells.maybe_time()? })
    }

    fn samples() -> Vec<Self> {
        let at = DateTime::UNIX_EPOCH;
        let sample = |id, expires_at| Self {
            head: Head::new(Uuid::from_u128(1), Uuid::from_u128(id), at),
            trigger_id: Uuid::from_u128(2),
            sealed: Sealed { key_id: "k".to_owned(), envelope: vec![1, 2, 3] },
            expires_at,
        };
        vec![sample(3, None), sample(4, Some(at))]
    }
}
