//! The supervised actor that keeps enough hosts started and sends those away that nobody uses.

use std::{sync::Arc, time::Duration};

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::{pool::Pool, process::live};
use crate::supervisor::spawn_task;

/// How often idle hosts are looked at.
const SWEEP: Duration = Duration::from_millis(500);

/// What the keeper is told.
#[derive(Debug)]
pub(super) enum KeeperMessage {
    /// Hosts may be missing.
    Refill,
    /// Hosts may have been idle too long.
    Sweep,
}

/// The actor. It holds nothing: what there is to know is in the pool's books, so that a new one goes on where another
/// ended.
pub(super) struct Keeper;

impl Actor for Keeper {
    type Msg = KeeperMessage;
    type State = Arc<Pool>;
    type Arguments = Arc<Pool>;

    async fn pre_start(
        &self,
        myself: ActorRef<KeeperMessage>,
        pool: Arc<Pool>,
    ) -> Result<Arc<Pool>, ActorProcessingErr> {
        pool.kept_by(myself.clone());
        myself.cast(KeeperMessage::Refill)?;
        myself.cast(KeeperMessage::Sweep)?;
        Ok(pool)
    }

    async fn handle(
        &self,
        myself: ActorRef<KeeperMessage>,
        message: KeeperMessage,
        pool: &mut Arc<Pool>,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            KeeperMessage::Refill => {}
            KeeperMessage::Sweep => {
                pool.sweep();
                myself.send_after(SWEEP, || KeeperMessage::Sweep);
            }
        }
        for (id, doom) in pool.missing() {
            spawn_task("js_host", live(pool.clone(), id, doom));
        }
        Ok(())
    }
}
