//! The only place that reads what the program finds around it: the environment, the clock, the randomness of the machine.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::failure::{Failure, Outcome};

/// An environment variable; unset and empty are the same.
#[expect(clippy::disallowed_methods, reason = "the one place of this program that reads the environment")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The folder of the user's settings, by the XDG base directory specification.
pub fn config_folder() -> Outcome<PathBuf> {
    let absolute = |path: String| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    variable("XDG_CONFIG_HOME")
        .and_then(absolute)
        .or_else(|| variable("HOME").and_then(absolute).map(|home| home.join(".config")))
        .ok_or_else(|| Failure::usage("neither XDG_CONFIG_HOME nor HOME names a folder for the contexts"))
}

/// The folders in which programs are looked for, our own first.
#[expect(clippy::disallowed_methods, reason = "the one place of this program that reads the environment")]
pub fn program_folders() -> Vec<PathBuf> {
    let own = std::env::current_exe().ok().and_then(|path| path.parent().map(PathBuf::from));
    let path = std::env::var_os("PATH").unwrap_or_default();
    own.into_iter().chain(std::env::split_paths(&path)).collect()
}

/// Seconds since 1970 by the clock of this machine.
#[expect(
    clippy::disallowed_methods,
    reason = "the control program knows no store; only doctor compares clocks"
)]
pub fn unix_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The time so long ahead or back, as RFC 3339 has it.
#[expect(
    clippy::disallowed_methods,
    reason = "the control program knows no store; the server decides by its own clock"
)]
pub fn time_from_now(length: Duration, ahead: bool) -> Option<String> {
    let now = SystemTime::now();
    let then = if ahead { now.checked_add(length) } else { now.checked_sub(length) };
    // The last year of RFC 3339.
    let told =
        then.filter(|then| *then < UNIX_EPOCH + Duration::from_secs(253_402_300_799) && *then > UNIX_EPOCH);
    told.map(|then| humantime::format_rfc3339_seconds(then).to_string())
}

/// Random bytes of the operating system.
#[expect(
    clippy::disallowed_methods,
    reason = "the control program knows no store; keys and tokens are its own"
)]
pub fn random<const N: usize>() -> Outcome<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::new(crate::exit::Exit::Other, format!("no randomness: {error}")))?;
    Ok(bytes)
}

/// A random time between half of `longest` and all of it, so that many clients do not come back at once.
pub fn jittered(longest: Duration) -> Duration {
    let half = longest / 2;
    random::<2>()
        .map_or(longest, |bytes| half + half * u32::from(u16::from_le_bytes(bytes)) / u32::from(u16::MAX))
}
