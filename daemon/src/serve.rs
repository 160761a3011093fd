//! `sld serve` and `sld dev`: the life of the process around the daemon.

use std::{fmt::Write as _, io, io::Write as _, process};

use secrecy::SecretString;
use sl_store::{Chance, OsChance};
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};

use crate::{
    boot::{self, Running},
    notify,
    refusal::Refusal,
    settings::{Config, Mode, OperatorToken, Schema, layers::changed},
    signals::{Signals, Word},
    telemetry::{self, Volume},
};

/// Reads the configuration again.
pub type Reread<'a> = &'a dyn Fn() -> Result<Config, Refusal>;

/// Serves until a signal says to end.
///
/// # Errors
/// A [`Refusal`] where the daemon could not start.
pub fn serve(mut config: Config, reread: Reread<'_>) -> Result<(), Refusal> {
    let volume = telemetry::start(config.mode, &config.log_level)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let token = if config.tokens.is_empty() { Some(make_token(&mut config, &OsChance)) } else { None };
    on_one_thread(async {
        let mut signals = Signals::listen()?;
        let mode = config.mode;
        let limits = config.limits.clone();
        let running = tokio::select! {
            running = boot::boot(config) => running?,
            () = signals.stop() => return Ok(()),
        };
        let address = running.address.to_string();
        tracing::info!(address, "Serving");
        notify::ready(&address);
        if mode == Mode::Dev {
            greet(&address, token.as_deref());
        }
        let reload = || reload(&volume, reread, &limits, &address);
        tokio::select! {
            () = listen_for(&mut signals, &reload) => {}
            () = notify::watchdog(|within| running.is_alive(within)) => {}
        }
        end(running, &mut signals).await;
        Ok(())
    })
}

/// Brings the schema up to date and ends.
///
/// # Errors
/// A [`Refusal`] where that did not go well.
pub fn migrate(schema: &Schema) -> Result<(), Refusal> {
    let _volume = telemetry::start(Mode::Serve, &schema.log_level)?;
    on_one_thread(async {
        let applied = boot::migrate(schema).await?;
        tracing::info!(applied = applied.join(", "), "The schema is up to date");
        Ok(())
    })
}

/// The one thread that does the daemon's own work. What computes for long is elsewhere: tenants' code in processes of its
/// own, and what has no other way in threads that are waited for.
///
/// # Errors
/// Where the system gives none.
pub fn one_thread() -> io::Result<LocalRuntime> {
    Builder::new_current_thread().enable_all().build_local(LocalOptions::default())
}

fn on_one_thread(work: impl Future<Output = Result<(), Refusal>>) -> Result<(), Refusal> {
    let runtime = one_thread().map_err(|error| Refusal::system(format!("the runtime: {error}")))?;
    let ended = runtime.block_on(work);
    // A name that is still being looked up is no reason to stay.
    runtime.shutdown_background();
    ended
}

/// Ends at the first word to stop; reads the configuration again at every word to reload.
async fn listen_for(signals: &mut Signals, reload: &dyn Fn()) {
    while signals.next().await == Word::Reload {
        reload();
    }
}

/// Applies what can be applied while running, and names what cannot.
fn reload(volume: &Volume, reread: Reread<'_>, limits: &sl_actors::settings::Settings, address: &str) {
    notify::reloading();
    match reread() {
        Err(refusal) => tracing::error!(%refusal, "The configuration was not read again"),
        Ok(config) => {
            let waiting = changed(limits, &config.limits).join(", ");
            tracing::info!(config.log_level, waiting, "The configuration was read again");
            match telemetry::filter(&config.log_level).map(|filter| volume.reload(filter)) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "The log level could not be changed"),
                Err(problem) => tracing::error!(problem, "The log level could not be changed"),
            }
        }
    }
    notify::ready(address);
}

/// Drains; a second word to stop ends the process where it stands.
async fn end(running: Running, signals: &mut Signals) {
    notify::stopping();
    tracing::info!("Draining");
    tokio::select! {
        () = running.drain() => tracing::info!("Drained"),
        () = signals.stop() => {
            tracing::warn!("Told twice: ending at once; what ran is left to its leases");
            process::exit(1);
        }
    }
}

/// A token for whoever tries the daemon; it is gone with the process.
fn make_token(config: &mut Config, chance: &dyn Chance) -> String {
    let mut bytes = [0; 24];
    chance.fill(&mut bytes);
    let mut text = String::with_capacity(48);
    for byte in bytes {
        // Writing into a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    config.tokens.push(OperatorToken { id: "dev".to_owned(), token: SecretString::from(text.clone()) });
    text
}

/// Where the one who tries it finds it. Standard output may be closed; the daemon serves all the same.
fn greet(address: &str, token: Option<&str>) {
    let token = token.map_or_else(String::new, |token| format!("token    {token}\n"));
    let _ = io::stdout().write_all(format!("address  http://{address}\n{token}").as_bytes());
}
