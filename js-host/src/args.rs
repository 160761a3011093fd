//! The command line. Only the daemon writes it.

use sl_js_protocol::{DEFAULT_HEAP_BYTES, HOST_SOCKET_FD};
use std::{ffi::OsString, fmt::Display, ops::RangeInclusive, str::FromStr};

/// What the host is told when it is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Args {
    /// The inherited socket. It may be standard input, so that it can be handed over without duplicating descriptors.
    pub fd: i32,
    /// Compile nothing to machine code.
    pub jitless: bool,
    /// Refuse to start where a wall does not stand.
    pub require_walls: bool,
    /// Instead of serving, attack the walls and print what came of it.
    pub probe: bool,
    /// The heap of the isolate that is made before anything is known of its runs.
    pub heap_bytes: u64,
}

/// What `--help` prints.
pub const USAGE: &str = "usage: sl-js-host [--fd N] [--jitless] [--require-walls] [--heap-mib N] [--probe]";

impl Args {
    /// Reads the arguments after the program's name.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        let mut args = Self {
            fd: HOST_SOCKET_FD,
            jitless: false,
            require_walls: false,
            probe: false,
            heap_bytes: DEFAULT_HEAP_BYTES,
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.to_str() {
                Some("--fd") => args.fd = value(&mut arguments, "--fd", 0..=1023)?,
                Some("--heap-mib") => {
                    args.heap_bytes = value(&mut arguments, "--heap-mib", 4..=65_536)? << 20;
                }
                Some("--jitless") => args.jitless = true,
                Some("--require-walls") => args.require_walls = true,
                Some("--probe") => args.probe = true,
                _ => return Err(format!("unknown argument {}", argument.display())),
            }
        }
        Ok(args)
    }
}

/// The number that follows a flag.
fn value<T: FromStr + PartialOrd + Display>(
    arguments: &mut impl Iterator<Item = OsString>,
    flag: &str,
    range: RangeInclusive<T>,
) -> Result<T, String> {
    arguments
        .next()
        .and_then(|text| text.to_str().and_then(|text| text.parse().ok()))
        .filter(|number| range.contains(number))
        .ok_or_else(|| format!("{flag} wants a number from {} to {}", range.start(), range.end()))
}

#[cfg(test)]
mod tests {
    use super::Args;

    fn parse(arguments: &[&str]) -> Result<Args, String> {
        Args::parse(arguments.iter().map(Into::into))
    }

    #[test]
    fn flags_are_read_and_everything_else_is_refused() {
        let args = parse(&["--fd", "5", "--jitless", "--heap-mib", "16"]).expect("known flags");
        assert_eq!((args.fd, args.jitless, args.probe, args.heap_bytes), (5, true, false, 16 << 20));
        parse(&["--fd", "-1"]).expect_err("no descriptor");
        parse(&["--fd"]).expect_err("no number");
        parse(&["--heap-mib", "1"]).expect_err("too small");
        parse(&["serve"]).expect_err("unknown");
    }
}
