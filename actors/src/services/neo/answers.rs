//! What a node answers, as far as it is read. Everything else of an answer is passed over without looking into it, however
//! deep it is; what is read is checked before it is used.

use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::node::{Answer, Node, Trouble};
use crate::neo::ScriptHash;

/// How many characters the name of a notification may have; on the chain it is 32 bytes.
const NAME: usize = 128;
/// How many bytes a block's or transaction's hash has.
const HASH: usize = 32;

#[derive(Deserialize)]
struct Version {
    protocol: Protocol,
}

#[derive(Deserialize)]
struct Protocol {
    network: u32,
}

#[derive(Deserialize)]
struct RawBlock {
    hash: String,
    previousblockhash: String,
    index: u32,
    time: u64,
    #[serde(default)]
    tx: Vec<RawTransaction>,
}

#[derive(Deserialize)]
struct RawTransaction {
    hash: String,
}

#[derive(Deserialize)]
struct RawLog {
    txid: Option<String>,
    blockhash: Option<String>,
    executions: Vec<RawExecution>,
}

#[derive(Deserialize)]
struct RawExecution {
    trigger: String,
    vmstate: String,
    notifications: Vec<RawNotification>,
}

#[derive(Deserialize)]
struct RawNotification {
    contract: String,
    eventname: String,
    state: Box<RawValue>,
}

/// A block.
#[derive(Debug)]
pub(super) struct Block {
    pub hash: String,
    pub previous: String,
    pub index: u32,
    /// Milliseconds since 1970.
    pub time: i64,
    /// The hashes of its transactions, in order; absent where the block is too large to be read, with why.
    pub transactions: Result<Vec<String>, String>,
}

/// What one script did that ended well.
#[derive(Debug)]
pub(super) struct Execution {
    /// `OnPersist`, `PostPersist` or `Application`.
    pub trigger: String,
    pub notifications: Vec<Notification>,
}

/// What a contract told.
#[derive(Debug)]
pub(super) struct Notification {
    pub contract: ScriptHash,
    pub name: String,
    /// As the node wrote it.
    pub state: Box<RawValue>,
}

/// The executions of an application log that ended well; those that did not have no effect on the chain. Or why the log
/// cannot be read.
pub(super) type Log = Result<Vec<Execution>, String>;

impl Node<'_> {
    /// The magic number of its network.
    pub async fn network(&self) -> Result<u32, Trouble> {
        Ok(self.ask::<Version>("getversion", &json!([])).await?.protocol.network)
    }

    /// Its newest block.
    pub async fn height(&self) -> Result<u32, Trouble> {
        let count: u32 = self.ask("getblockcount", &json!([])).await?;
        count
            .checked_sub(1)
            .ok_or_else(|| Trouble::unreadable("getblockcount: the chain has no block at all"))
    }

    /// The hash of one of its blocks.
    pub async fn hash(&self, index: u32) -> Result<String, Trouble> {
        hash("getblockhash", &self.ask::<String>("getblockhash", &json!([index])).await?)
    }

    /// One of its blocks.
    pub async fn block(&self, index: u32) -> Result<Block, Trouble> {
        let (method, raw, too_large) = match self.ask_large("getblock", &json!([index, 1])).await? {
            Answer::Told(raw) => ("getblock", raw, None),
            Answer::TooLarge(why) => {
                let raw: RawBlock = self.ask("getblockheader", &json!([index, 1])).await?;
                ("getblockheader", raw, Some(why))
            }
        };
        let RawBlock { hash: own, previousblockhash, index: found, time, tx } = raw;
        if found != index {
            return Err(Trouble::unreadable(format!("{method}: asked for block {index}, got {found}")));
        }
        Ok(Block {
            hash: hash(method, &own)?,
            previous: hash(method, &previousblockhash)?,
            index,
            time: i64::try_from(time)
                .map_err(|_| Trouble::unreadable(format!("{method}: {time} is no time of a block")))?,
            transactions: match too_large {
                None => Ok(tx.iter().map(|one| hash(method, &one.hash)).collect::<Result<_, Trouble>>()?),
                Some(why) => Err(why),
            },
        })
    }

    /// The application log of a transaction or, by the block's hash, of what the block did by itself.
    pub async fn log(&self, of: &str) -> Result<Log, Trouble> {
        let raw: RawLog = match self.ask_large("getapplicationlog", &json!([of])).await? {
            Answer::Told(raw) => raw,
            Answer::TooLarge(why) => return Ok(Err(why)),
        };
        let about = raw.txid.as_deref().or(raw.blockhash.as_deref()).unwrap_or_default();
        if !about.eq_ignore_ascii_case(of) {
            return Err(Trouble::unreadable(format!(
                "getapplicationlog: asked for the log of {of}, got that of {about:?}"
            )));
        }
        let well = raw.executions.into_iter().filter(|execution| execution.vmstate == "HALT");
        well.map(execution).collect::<Result<_, _>>().map(Ok)
    }
}

fn execution(raw: RawExecution) -> Result<Execution, Trouble> {
    let notifications = raw.notifications.into_iter().map(notification).collect::<Result<_, _>>()?;
    Ok(Execution { trigger: raw.trigger, notifications })
}

fn notification(raw: RawNotification) -> Result<Notification, Trouble> {
    let RawNotification { contract, eventname: name, state } = raw;
    let hash = Some(contract.as_str()).filter(|text| text.starts_with("0x"));
    let hash = hash.and_then(|text| ScriptHash::parse(text).ok());
    let contract = hash.ok_or_else(|| {
        Trouble::unreadable(format!("getapplicationlog: {contract:?} is not the hash of a contract"))
    })?;
    if name.chars().count() > NAME {
        return Err(Trouble::unreadable(format!(
            "getapplicationlog: the name of a notification has more than {NAME} characters"
        )));
    }
    Ok(Notification { contract, name, state })
}

/// A hash as nodes display it, in lower case.
fn hash(method: &str, text: &str) -> Result<String, Trouble> {
    let mut bytes = [0; HASH];
    let digits = text.strip_prefix("0x");
    match digits.map(|digits| hex::decode_to_slice(digits, &mut bytes)) {
        Some(Ok(())) => Ok(format!("0x{}", hex::encode(bytes))),
        _ => Err(Trouble::unreadable(format!("{method}: {text:?} is not 0x and {} digits", HASH * 2))),
    }
}
