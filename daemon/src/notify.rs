//! What systemd is told, where it listens: ready, reloading, stopping, alive.

use std::{future::Future, time::Duration};

use sd_notify::NotifyState;

/// The API is served.
pub fn ready(address: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(&format!("serving on {address}"))]);
}

/// The configuration is read again; [`ready`] ends it.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "The monotonic clock could not be read"),
    }
}

/// The daemon drains.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("draining")]);
}

/// Pings systemd's watchdog for as long as `alive` says so, twice in each interval. Never ends; without a watchdog it
/// does nothing. A daemon that hangs says nothing, and systemd starts it anew.
pub async fn watchdog<F: Future<Output = Result<(), String>>>(alive: impl Fn(Duration) -> F) {
    let Some(interval) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    let pause = interval / 4;
    loop {
        match alive(pause).await {
            Ok(()) => tell(&[NotifyState::Watchdog]),
            Err(problem) => {
                tracing::error!(problem, "The daemon did not answer itself; the watchdog is not told");
            }
        }
        tokio::time::sleep(pause).await;
    }
}

/// Outside of systemd nobody listens, which is no problem.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd could not be told");
    }
}
