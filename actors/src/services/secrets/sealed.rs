//! Sealing and opening values, each bound to its place.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sl_store::{Batch, Code, Fault, NewEvent};
use uuid::Uuid;

use crate::Core;

/// Where a value belongs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub account: Uuid,
    pub secret: Uuid,
    pub name_key: &'a str,
    pub number: i64,
}

/// A sealed value and the key it is sealed under.
pub(super) struct Sealed {
    pub key_id: String,
    pub envelope: Vec<u8>,
}

impl Place<'_> {
    /// Ids and numbers have no slash, so that no two places share a context whatever the names hold.
    fn context(self) -> String {
        format!("secret/{}/{}/{}", self.name_key, self.secret, self.number)
    }

    pub fn seal(self, core: &Core, value: &SecretString) -> Sealed {
        self.seal_bytes(core, value.expose_secret().as_bytes())
    }

    fn seal_bytes(self, core: &Core, value: &[u8]) -> Sealed {
        let key_id = core.keys.key_ids().into_iter().next().unwrap_or_default();
        let envelope = core.keys.seal(&*core.chance, self.account, &self.context(), value);
        Sealed { key_id, envelope }
    }

    /// Opens a value that is kept as sealed under a key; one that is broken is told in the event log, and one whose key is
    /// not in the ring is [`Code::Unavailable`] here.
    pub async fn open(self, core: &Core, key_id: &str, envelope: &[u8]) -> Result<SecretString, Fault> {
        let opened = core.keys.open_under(key_id, self.account, &self.context(), envelope);
        let opened = opened.and_then(|bytes| {
            std::str::from_utf8(&bytes)
                .map(SecretString::from)
                .map_err(|_| Fault::internal("a secret is not text"))
        });
        if let Err(fault) = &opened
            && fault.code != Code::Unavailable
        {
            self.tell(core, fault).await;
        }
        opened
    }

    /// Seals again under the current key.
    pub async fn reseal(self, core: &Core, key_id: &str, envelope: &[u8]) -> Result<Sealed, Fault> {
        let value = self.open(core, key_id, envelope).await?;
        Ok(self.seal(core, &value))
    }

    async fn tell(self, core: &Core, fault: &Fault) {
        tracing::error!(account_id = %self.account, secret = self.name_key, version = self.number, %fault, "A secret does not open");
        let mut batch = Batch::new();
        batch.event(NewEvent {
            account: self.account,
            service: "secrets",
            kind: "secret.integrity_failed",
            subject: self.secret,
            actor: "runtime".to_owned(),
            request_id: None,
            origin: None,
            data: json!({"name": self.name_key, "version": self.number}),
        });
        if let Err(fault) = core.store.commit(batch).await {
            tracing::error!(%fault, "The failure could not be told in the event log");
        }
    }
}
