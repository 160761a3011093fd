//! The events: what every account may hear of the chain, and what operators are told of the node.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sl_store::{NewEvent, SYSTEM};
use uuid::Uuid;

use super::{
    DUTY, NAME,
    answers::{Block, Execution, Log},
    chain::{NeoChain, Place, Standing},
    state,
};

/// The kinds that every account may hear.
pub(super) const KINDS: &[&str] = &[BLOCK, NOTIFICATION, LOG_OMITTED];

const BLOCK: &str = "neo.block";
const NOTIFICATION: &str = "neo.notification";
const LOG_OMITTED: &str = "neo.log_omitted";

/// How many characters a reason may have.
const REASON: usize = 200;

/// What the events of one block share.
pub(super) struct Teller<'a> {
    pub network: u32,
    pub block: &'a Block,
    /// How large a state may be.
    pub state_size: usize,
}

/// Whose application log it is.
#[derive(Clone, Copy)]
pub(super) enum Of<'a> {
    /// What the block does before its transactions, or after them.
    Block(&'static str),
    /// A transaction's, by its hash.
    Transaction(&'a str),
}

impl Teller<'_> {
    /// That there is the block.
    pub fn block(&self) -> NewEvent {
        let block = self.block;
        let mut data = self.shared();
        data["index"] = json!(block.index);
        data["hash"] = json!(block.hash);
        data["previous_hash"] = json!(block.previous);
        match &block.transactions {
            Ok(hashes) => data["transactions"] = json!(hashes.len()),
            Err(why) => {
                data["transactions"] = Value::Null;
                data["transactions_omitted"] = json!(reason(why));
            }
        }
        event(BLOCK, subject(&block.hash), data)
    }

    /// What an application log says: its notifications in order, or that it is left out.
    pub fn log(&self, of: Of<'_>, log: &Log) -> Vec<NewEvent> {
        let (wanted, transaction) = match of {
            Of::Block(trigger) => (trigger, None),
            Of::Transaction(hash) => ("Application", Some(hash)),
        };
        let mut shared = self.shared();
        shared["block"] = json!(self.block.index);
        shared["block_hash"] = json!(self.block.hash);
        shared["tx_hash"] = json!(transaction);
        shared["trigger"] = json!(wanted);
        let executions = match log {
            Ok(executions) => executions,
            Err(why) => {
                shared["reason"] = json!(reason(why));
                let about = transaction.unwrap_or(&self.block.hash);
                return vec![event(LOG_OMITTED, subject(about), shared)];
            }
        };
        let those = executions.iter().filter(|execution| execution.trigger == wanted);
        self.notifications(those, &shared)
    }

    fn notifications<'a>(
        &self,
        executions: impl Iterator<Item = &'a Execution>,
        shared: &Value,
    ) -> Vec<NewEvent> {
        let all = executions.flat_map(|execution| &execution.notifications).enumerate();
        let told = all.map(|(index, notification)| {
            let contract = notification.contract.to_string();
            let mut data = shared.clone();
            data["vmstate"] = json!("HALT");
            data["index"] = json!(index);
            data["name"] = json!(notification.name);
            match state::decode(&notification.state, self.state_size) {
                Ok(state) => data["state"] = state,
                Err(why) => {
                    data["state"] = Value::Null;
                    data["state_omitted"] = json!(reason(&why));
                }
            }
            let subject = subject(&contract);
            data["contract"] = json!(contract);
            event(NOTIFICATION, subject, data)
        });
        told.collect()
    }

    fn shared(&self) -> Value {
        let time = DateTime::<Utc>::from_timestamp_millis(self.block.time);
        let time = time.map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true));
        json!({"network": self.network, "time": time})
    }
}

/// That reading begins, or begins anew.
pub(super) fn began(chain: &NeoChain, place: &Place) -> NewEvent {
    let data = json!({"network": place.network, "height": place.next});
    event("neo_node.began", chain.head.id, data)
}

/// That the chain is not read on from now on, or for another reason than before.
pub(super) fn failing(chain: &NeoChain, standing: &Standing) -> NewEvent {
    let data = json!({"trouble": standing.kind, "error": standing.detail});
    event("neo_node.failing", chain.head.id, data)
}

/// That it is read on again.
pub(super) fn recovered(chain: &NeoChain, standing: &Standing) -> NewEvent {
    let data = json!({"trouble": standing.kind, "failures": standing.failures, "since": standing.since});
    event("neo_node.recovered", chain.head.id, data)
}

fn event(kind: &'static str, subject: Uuid, data: Value) -> NewEvent {
    NewEvent {
        account: SYSTEM,
        service: NAME,
        kind,
        subject,
        actor: format!("duty:{DUTY}"),
        request_id: None,
        origin: None,
        data,
    }
}

/// The id of what has a hash: of a block, a transaction, a contract.
fn subject(hash: &str) -> Uuid {
    let digest = Sha256::new().chain_update("neo/").chain_update(hash).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

fn reason(why: &str) -> String {
    why.chars().take(REASON).collect()
}
