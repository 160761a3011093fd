//! What becomes of the requests that wait for a source that is removed.

use std::sync::Arc;

use sl_store::{Batch, Cell, Code, Fault, Filter, Key, NewWork, Query};
use uuid::Uuid;

use super::{
    DUTY, dispatch,
    ending::TRIES,
    request::{OracleRequest, RequestStatus},
    source::OracleSource,
};
use crate::Core;

/// So many requests are looked at in one round trip.
const PAGE: usize = 200;

/// Adds that whatever waits for a source is looked after once it is gone. A pause of the source holds that back no longer.
pub(super) fn announce(core: &Core, source: Key, batch: &mut Batch) {
    let now = core.clock.now();
    batch.enqueue(NewWork::new(core.ids.next(), DUTY, source.account, source.id, now));
}

/// Lets requests know that a source that is gone will not answer: neither when it is asked, nor by a callback.
pub(super) async fn forsake(core: &Arc<Core>, source: Key) -> Result<(), Fault> {
    if core.store.find::<OracleSource>(source).await?.is_some() {
        return Ok(());
    }
    let open = [RequestStatus::Pending, RequestStatus::Running].map(|status| Cell::from(status.as_str()));
    let mut after = None;
    loop {
        let query = Query::of(source.account)
            .filter(Filter::In("status", open.to_vec()))
            .oldest_first()
            .after(after)
            .limit(PAGE);
        let page: Vec<OracleRequest> = core.store.list(query).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.head.id);
        for request in page.iter().filter(|request| waits(request, source.id)) {
            forsake_one(core, request.head.key(), source.id).await?;
        }
    }
}

fn waits(request: &OracleRequest, source: Uuid) -> bool {
    let is_open = request.answers.iter().any(|answer| answer.source_id == source && answer.is_open());
    is_open && !request.status.is_final()
}

async fn forsake_one(core: &Arc<Core>, request: Key, source: Uuid) -> Result<(), Fault> {
    for _ in 0..TRIES {
        let found: Option<OracleRequest> = core.store.find(request).await?;
        let Some(mut request) = found.filter(|request| waits(request, source)) else { return Ok(()) };
        let mut batch = Batch::new();
        dispatch::fail(core, &mut request, source, "the source was removed before it answered");
        dispatch::finish(core, &mut request, &mut batch);
        match core.commit(batch).await {
            Err(fault) if fault.code == Code::Conflict => {}
            ended => return ended,
        }
    }
    Err(Fault::new(Code::Conflict, "the request changed at every try"))
}
