//! Why a request waits, as far as only this service knows.

use futures_util::future::BoxFuture;
use sl_store::{Fault, Key};
use uuid::Uuid;

use super::{judge::AnswerStatus, request::OracleRequest, source::OracleSource};
use crate::{
    Core,
    why::{Cause, Explained},
};

/// Tells of the request or source of this id.
pub(super) fn explain(
    core: &Core,
    account: Uuid,
    id: Uuid,
) -> BoxFuture<'_, Result<Option<Explained>, Fault>> {
    Box::pin(async move {
        let key = Key::new(account, id);
        if let Some(source) = core.store.find::<OracleSource>(key).await? {
            return Ok(Some(of_source(&source)));
        }
        let Some(request) = core.store.find::<OracleRequest>(key).await? else { return Ok(None) };
        Ok(Some(Explained {
            kind: "oracle request",
            status: request.status.as_str().to_owned(),
            gates: request.question.source_ids.clone(),
            causes: if request.status.is_final() { Vec::new() } else { causes(&request) },
        }))
    })
}

fn of_source(source: &OracleSource) -> Explained {
    let disabled = (!source.enabled).then(|| Cause::new("disabled", "it is disabled: nobody can ask it"));
    Explained {
        kind: "oracle source",
        status: if source.enabled { "active" } else { "disabled" }.to_owned(),
        gates: vec![source.head.id],
        causes: disabled.into_iter().collect(),
    }
}

fn causes(request: &OracleRequest) -> Vec<Cause> {
    let count = |status| request.answers.iter().filter(|answer| answer.status == status).count();
    let (given, sources) = (count(AnswerStatus::Succeeded), request.answers.len());
    let needed = request.question.aggregation.map_or(1, |aggregation| aggregation.needed(sources));
    let detail = format!("{given} of {sources} sources have answered; {needed} answers are needed");
    let mut causes = vec![
        Cause::new("awaiting_answers", detail)
            .until(request.expires_at)
            .with("answers", given)
            .with("sources", sources)
            .with("needed", needed),
    ];
    for answer in &request.answers {
        let cause = match (answer.status, &answer.error) {
            (AnswerStatus::Pending, _) => {
                Cause::new("awaiting_callback", "the source said that it answers later")
            }
            (AnswerStatus::Waiting, Some(error)) => Cause::new("source_failing", error.clone())
                .with("attempts", request.asked(answer.source_id))
                .with("last_error", error.as_str()),
            (AnswerStatus::Failed, Some(error)) => Cause::new("source_failed", error.clone()),
            _ => continue,
        };
        causes.push(cause.with("data_source_id", answer.source_id.to_string()));
    }
    causes
}
