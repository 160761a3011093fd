//! In-process retries, and the only place that knows the `backoff` crate. Durable retries are not made here: they are
//! computed into `due_at`.

use std::{future::Future, time::Duration};

use backoff::{ExponentialBackoff, ExponentialBackoffBuilder};

use crate::{Code, Fault};

/// Tries again what failed because the database did not answer, for up to `patience` in all; only for what changes
/// nothing, or surely changed nothing.
pub async fn while_unavailable<T, Attempt>(
    patience: Duration,
    mut attempt: impl FnMut() -> Attempt,
) -> Result<T, Fault>
where
    Attempt: Future<Output = Result<T, Fault>>,
{
    backoff::future::retry(schedule(patience), || {
        let attempt = attempt();
        async move {
            attempt.await.map_err(|fault| {
                if fault.code == Code::Unavailable {
                    backoff::Error::transient(fault)
                } else {
                    backoff::Error::permanent(fault)
                }
            })
        }
    })
    .await
}

fn schedule(patience: Duration) -> ExponentialBackoff {
    ExponentialBackoffBuilder::new()
        .with_initial_interval(Duration::from_millis(5))
        .with_max_interval(Duration::from_millis(200))
        .with_randomization_factor(0.5)
        .with_max_elapsed_time(Some(patience))
        .build()
}
