//! How the actions that a run queued are performed: in order, each once, each with its own result.
//!
//! The batch that has the run's end has its actions too, as pending, and an item of the queue about them. Each action
//! then is one batch: its effect, and the execution's row with what came of it. That row must be at the version that was
//! read, so that of two that perform the same action, whatever their leases say, one changes something and the other
//! nothing. The batch of the last one removes the item.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt as _;
use serde_json::{Value, json};
use sl_store::{Batch, Code, Fault, Settle, Settlement};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    ACTIONS,
    entity::Execution,
    kinds::{Acting, ActionKind},
    params,
    view::{self, ActionFailure, ActionRecord, ActionStatus},
};
use crate::{Core, action::panic_text, mirror::Around, services::LISTENER, settings::Settings};

/// How large a result may be, as JSON.
const RESULT_BYTES: usize = 64 << 10;
/// How large all actions of an execution may be with their results: its row is written again with each of them.
const ACTIONS_BYTES: usize = 1 << 20;
/// How often an effect that collides with a concurrent change is planned.
const COLLISIONS: usize = 4;

/// Performs the pending actions of one execution.
pub(super) struct Performer {
    pub core: Arc<Core>,
    pub settings: Settings,
    pub execution: Execution,
    /// The item of the queue that stands for them.
    pub item: Item,
}

/// An item of the queue as it was claimed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub id: Uuid,
    pub fence: i64,
}

/// How far it came.
#[derive(Debug)]
pub(super) enum Stand {
    /// Nothing is pending, and the item is gone.
    Done,
    /// Something is, and is held back now.
    Held,
    /// Somebody else performs them.
    Lost,
    /// Something failed that may pass.
    Failed(Fault),
}

impl Performer {
    /// Performs what is pending, in order.
    pub(super) async fn run(&mut self, cancel: &CancellationToken) -> Stand {
        loop {
            let records = match self.execution.action_records() {
                Ok(records) => records,
                Err(fault) => return Stand::Failed(fault),
            };
            let Some(at) = records.iter().position(ActionRecord::is_pending) else { return Stand::Done };
            if cancel.is_cancelled() || self.is_held() {
                return Stand::Held;
            }
            if let Err(stand) = self.perform(records, at).await {
                return stand;
            }
        }
    }

    fn is_held(&self) -> bool {
        let (account, function) = (self.execution.head.account_id, self.execution.function_id);
        let around = Around { duty: ACTIONS, account, gates: &[function] };
        let mirror = &self.core.mirror;
        mirror.stopped().contains_key(&account) || mirror.is_held(around, self.core.clock.now())
    }

    /// Performs one, or writes that it failed.
    async fn perform(&mut self, records: Vec<ActionRecord>, at: usize) -> Result<(), Stand> {
        let mut refusal = None;
        for _ in 0..COLLISIONS {
            let (done, effect) = self.plan(&records[at]).await.map_err(Stand::Failed)?;
            let Err(fault) = self.write(&records, at, done, effect).await else { return Ok(()) };
            if may_pass(&fault) {
                return Err(Stand::Failed(fault));
            }
            if self.has_moved().await? {
                return Err(self.lost());
            }
            let collided = matches!(fault.code, Code::Conflict | Code::FenceLost);
            refusal = Some(fault);
            if !collided {
                break;
            }
        }
        let Some(fault) = refusal else { return Ok(()) };
        let mut failed = records[at].clone();
        failed.fail(ActionFailure::from(&fault));
        match self.write(&records, at, failed, Batch::new()).await {
            Err(fault) if matches!(fault.code, Code::Conflict | Code::FenceLost) => Err(self.lost()),
            written => written.map_err(Stand::Failed),
        }
    }

    /// Somebody else performs them, and what was to be written was refused.
    fn lost(&self) -> Stand {
        let head = &self.execution.head;
        self.core.metrics.executions_lost.with_label_values(&["actions"]).inc();
        tracing::warn!(
            account_id = %head.account_id, execution_id = %head.id,
            "A stale outcome of an action was refused: it was somebody else's by then"
        );
        Stand::Lost
    }

    /// Whether somebody else changed the execution.
    async fn has_moved(&self) -> Result<bool, Stand> {
        let found = self.core.store.find::<Execution>(self.execution.head.key()).await;
        let found = found.map_err(Stand::Failed)?;
        Ok(found.is_none_or(|found| found.head.version != self.execution.head.version))
    }

    /// What becomes of an action and what it changes; a fault where it may yet be done.
    async fn plan(&self, action: &ActionRecord) -> Result<(ActionRecord, Batch), Fault> {
        let (mut done, mut effect) = (action.clone(), Batch::new());
        let Some(kind) = self.core.actions.find(&action.kind) else {
            let detail = format!("there is no action {:?}", action.kind);
            done.fail(ActionFailure::new("unknown_action", detail));
            return Ok((done, effect));
        };
        match self.effect(kind, action, &mut effect).await {
            Ok(result) => done.succeed(result),
            Err(fault) if may_pass(&fault) => return Err(fault),
            Err(fault) => {
                if fault.code == Code::Internal {
                    let execution_id = self.execution.head.id;
                    tracing::error!(%execution_id, action = action.id, %fault, "An action failed");
                }
                done.fail(ActionFailure::from(&params::named(fault, &action.params)));
                effect = Batch::new();
            }
        }
        Ok((done, effect))
    }

    async fn effect(
        &self,
        kind: &ActionKind,
        action: &ActionRecord,
        effect: &mut Batch,
    ) -> Result<Value, Fault> {
        let acting = Acting {
            core: self.core.clone(),
            settings: self.settings.clone(),
            account_id: self.execution.head.account_id,
            function_id: self.execution.function_id,
            execution_id: self.execution.head.id,
            action_id: action.id.clone(),
            follows_event: self.execution.trigger.actor.starts_with(LISTENER),
        };
        let planned = AssertUnwindSafe((kind.plan)(&acting, &action.params, effect)).catch_unwind().await;
        let result = planned.unwrap_or_else(|panic| Err(Fault::internal(panic_text(&*panic))))?;
        let size = result.to_string().len();
        let left = ACTIONS_BYTES.saturating_sub(self.execution.actions.get().len()).min(RESULT_BYTES);
        if size <= left {
            return Ok(result);
        }
        Err(Fault::new(Code::TooLarge, format!("its result has {size} bytes and may have {left}")))
    }

    /// Writes what became of an action together with its effect.
    async fn write(
        &mut self,
        records: &[ActionRecord],
        at: usize,
        mut done: ActionRecord,
        mut batch: Batch,
    ) -> Result<(), Fault> {
        let now = self.core.clock.now();
        done.completed_at = Some(now);
        let (kind, status) = (self.label(&done), done.status);
        let mut records = records.to_vec();
        records[at] = done;
        let mut next = self.execution.clone();
        next.actions = view::json(&records);
        batch.event(next.acted(&records[at])).replace(&mut next, now);
        if !records.iter().any(ActionRecord::is_pending) {
            batch.settle(self.settle(Settlement::Remove));
        }
        self.core.commit(batch).await?;
        self.core.metrics.actions.with_label_values(&[kind, status.as_str()]).inc();
        self.execution = next;
        Ok(())
    }

    /// The action's name where it is one of ours, so that nobody invents labels.
    fn label(&self, action: &ActionRecord) -> &'static str {
        self.core.actions.find(&action.kind).map_or("unknown", |kind| kind.name)
    }

    /// Settles the item.
    pub(super) fn settle(&self, settlement: Settlement) -> Settle {
        let Item { id, fence } = self.item;
        let holder = Some(self.core.daemon_id);
        Settle { id, account: self.execution.head.account_id, fence, holder, settlement }
    }
}

/// Whether the same action may be done later without anybody's doing.
const fn may_pass(fault: &Fault) -> bool {
    fault.code.is_transient() && !matches!(fault.code, Code::Conflict | Code::QuotaExceeded)
}

impl Execution {
    /// The actions it queued.
    ///
    /// # Errors
    /// [`Code::Internal`] where the row's actions are not what this build writes.
    pub(super) fn action_records(&self) -> Result<Vec<ActionRecord>, Fault> {
        view::action_records(&self.actions)
    }

    /// The event of what became of an action.
    pub(super) fn acted(&self, action: &ActionRecord) -> sl_store::NewEvent {
        let kind = match action.status {
            ActionStatus::Succeeded => "action.succeeded",
            ActionStatus::Pending => "action.queued",
            ActionStatus::Failed => "action.failed",
        };
        let code = action.error.as_ref().map(|error| error.code.clone());
        self.told(kind, json!({"action_id": action.id, "type": action.kind, "code": code}))
    }
}
