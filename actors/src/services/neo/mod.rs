//! Neo: what happens on the chain becomes events that every account may hear.
//!
//! ```text
//!   starting ──▶ catching_up ◀──▶ following
//!                     ▲               ▲
//!                     ▼               ▼
//!       unreachable | refused | unreadable | behind | forked | other_network
//! ```
//!
//! The duty `neo-blocks` asks the operator's node (`NEO_RPC_URL`) block by block, in order: the block, its application log
//! and those of its transactions. One daemon does at a time, under the lease of the duty's one item. What a block says is
//! committed together with the moved checkpoint ([`NeoChain`]), which is written at the version it was read: each block's
//! events are told once and in order, whatever dies and however many daemons there are. A block that says more than fits
//! one commit is told in several, each of which moves the checkpoint within the block, from one application log to the
//! next.
//!
//! **Nothing is taken back.** Neo N3 has single-block finality. A node that stands behind the checkpoint, on another fork
//! or on another network is at fault: it is asked again and again, nothing is told meanwhile, and that is to be seen in
//! `GET /system/neo`, in the daemon's health and in the log. Where it is the chain that is another now, an operator begins
//! anew (`POST /system/neo/restart`).
//!
//! **Nothing is lost silently.** A notification whose state is too large, too deep or unreadable is told without it, an
//! application log that is too large to be read as `neo.log_omitted`. Notifications of a transaction that did not end in
//! `HALT` never happened, and are not told.

mod answers;
mod chain;
mod explain;
mod follower;
mod gauges;
mod node;
mod restart;
mod state;
mod told;
mod view;

use std::sync::Arc;

use sl_store::Entity as _;

pub use self::{
    chain::{NeoChain, Place, TroubleKind},
    follower::Follower,
    restart::{NeoRestart, RestartNeo},
    state::decode,
    view::{FetchNeo, NeoView},
};
use super::Service;
use crate::settings::Setting;

/// The service's name.
pub const NAME: &str = "neo";
/// The duty that reads the chain.
pub const DUTY: &str = "neo-blocks";

/// How often the node is asked.
pub const POLL: Setting = Setting::millis(
    "neo.poll",
    5_000,
    10,
    600_000,
    "How often the Neo node is asked for new blocks once all are read.",
);
/// Where it begins.
pub const START_HEIGHT: Setting = Setting::count(
    "neo.start_height",
    0,
    0,
    u32::MAX as u64,
    "The block with which reading begins where none was read before; 0 is the newest one at that moment.",
);
/// How many blocks are read in one go.
pub const PAGE: Setting = Setting::count(
    "neo.page",
    100,
    1,
    10_000,
    "How many blocks are read before the work item is given back, so that another daemon may go on.",
);
/// How many events one commit has.
pub const COMMIT_EVENTS: Setting = Setting::count(
    "neo.commit_events",
    500,
    1,
    10_000,
    "After how many events a block is committed in part, at the end of the application log they are from.",
);
/// How large a state may be.
pub const STATE_SIZE: Setting = Setting::bytes(
    "neo.state_size",
    16 << 10,
    64,
    256 << 10,
    "How large the state of a notification may be as JSON; a larger one is left out and marked.",
);
/// How long the node may take.
pub const RPC_TIME: Setting = Setting::millis(
    "neo.rpc_time",
    10_000,
    50,
    60_000,
    "How long the Neo node may take to answer one question; egress.total_time bounds it as well.",
);
/// How many logs are asked for at once.
pub const RPC_CONCURRENCY: Setting = Setting::count(
    "neo.rpc_concurrency",
    4,
    1,
    16,
    "How many application logs of one block the Neo node is asked for at once.",
);
/// How long a node in trouble is left alone at most.
pub const RETRY_CAP: Setting = Setting::millis(
    "neo.retry_cap",
    30_000,
    10,
    3_600_000,
    "The longest delay before a Neo node in trouble is asked again, where it does not ask for more.",
);
/// One reads.
pub const READERS: Setting =
    Setting::count("neo.readers", 1, 1, 1, "How many read the chain at once; there is one item of work.");

pub(crate) const SETTINGS: &[&Setting] = &[
    &POLL,
    &START_HEIGHT,
    &PAGE,
    &COMMIT_EVENTS,
    &STATE_SIZE,
    &RPC_TIME,
    &RPC_CONCURRENCY,
    &RETRY_CAP,
    &READERS,
];

/// The service.
pub const SERVICE: Service = Service {
    name: NAME,
    domain: "chain",
    layer: "adapter",
    capabilities: &["blocks", "notifications", "checkpoint", "restart"],
    tables: &[NeoChain::TABLE],
    duties: |core| {
        let configured = core.peers.neo_rpc.is_some();
        configured.then(|| Arc::new(Follower::new(core)) as Arc<dyn crate::duty::Duty>).into_iter().collect()
    },
    public: told::KINDS,
    explain: Some(explain::explain),
    ..Service::NOTHING
};
