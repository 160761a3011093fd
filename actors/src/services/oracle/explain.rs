//! Why a request waits, as far as only this service knows.

use futures_util::future::BoxFuture;
use sl_store::{Fault, Key, SYSTEM, WorkQuery};
use uuid::Uuid;

use super::{
    ACCOUNT_RATE, ATTEMPTS, DUTY, dispatch,
    judge::{Answer, AnswerStatus},
    rate,
    request::OracleRequest,
    source::OracleSource,
};
use crate::{
    Core,
    services::accounts::Account,
    settings::Settings,
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
            return Ok(Some(of_source(core, &source)));
        }
        let Some(request) = core.store.find::<OracleRequest>(key).await? else { return Ok(None) };
        Ok(Some(Explained {
            kind: "oracle request",
            status: request.status.as_str().to_owned(),
            gates: request.question.source_ids.clone(),
            causes: if request.status.is_final() { Vec::new() } else { causes(core, &request).await? },
        }))
    })
}

fn of_source(core: &Core, source: &OracleSource) -> Explained {
    let disabled = (!source.enabled).then(|| Cause::new("disabled", "it is disabled: nobody can ask it"));
    Explained {
        kind: "oracle source",
        status: core.standing(DUTY, &source.head, source.status()).to_owned(),
        gates: vec![source.head.id],
        causes: disabled.into_iter().collect(),
    }
}

async fn causes(core: &Core, request: &OracleRequest) -> Result<Vec<Cause>, Fault> {
    let account: Option<Account> = core.store.find(Key::new(SYSTEM, request.head.account_id)).await?;
    let settings = account.map_or_else(|| core.settings.clone(), |account| account.settings(&core.settings));
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
        causes.extend(rated(core, &settings, request, answer).await?);
        let cause = match (answer.status, &answer.error) {
            (AnswerStatus::Pending, _) => {
                Cause::new("awaiting_callback", "the source said that it answers later")
            }
            (AnswerStatus::Waiting, Some(error)) => Cause::new("source_failing", error.clone())
                .with("attempts", request.asked(answer.source_id))
                .with("limit", settings.count(&ATTEMPTS))
                .with("setting", ATTEMPTS.name)
                .with("last_error", error.as_str()),
            (AnswerStatus::Failed, Some(error)) => Cause::new("source_failed", error.clone()),
            _ => continue,
        };
        causes.push(cause.with("data_source_id", answer.source_id.to_string()));
    }
    Ok(causes)
}

/// That a source waits for a turn, its own or the account's.
async fn rated(
    core: &Core,
    settings: &Settings,
    request: &OracleRequest,
    answer: &Answer,
) -> Result<Option<Cause>, Fault> {
    let account = request.head.account_id;
    if answer.status != AnswerStatus::Waiting {
        return Ok(None);
    }
    let found: Option<OracleSource> = core.store.find(Key::new(account, answer.source_id)).await?;
    let Some(source) = found else { return Ok(None) };
    let until = rate::wait(core, account, &dispatch::gates(settings, account, &source)).await?;
    let query = WorkQuery {
        account: Some(account),
        subject: Some(request.head.id),
        gate: Some(source.head.id),
        limit: 1,
        ..WorkQuery::default()
    };
    let place = core.store.work(query).await?.first().map(|item| item.due_at);
    let until = until.map(|free| free.max(place.unwrap_or(free)));
    let all = settings.count(&ACCOUNT_RATE);
    let told = |until| {
        let cause =
            Cause::new("rate_limited", "every turn at the source, or of the account, is taken").until(until);
        let cause = cause.with("account_rate", all).with("data_source_id", source.head.id.to_string());
        match source.rate_limit {
            Some(rate) => cause.with("rate_limit", rate.to_string()),
            None => cause,
        }
    };
    Ok(until.map(told))
}
