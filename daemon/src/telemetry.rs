//! Logs: bunyan JSON for machines, plain lines for the one who tries it. One event is one line, whatever it carries.

use std::{io, io::Write, panic};

use tracing_bunyan_formatter::{BunyanFormattingLayer, JsonStorageLayer};
use tracing_subscriber::{
    EnvFilter, Layer, Registry, fmt::MakeWriter, layer::SubscriberExt, reload, util::SubscriberInitExt,
};

use crate::{refusal::Refusal, settings::Mode};

/// What is heard of dependencies that say much, where nothing else is asked for.
const QUIET: [&str; 9] = [
    "actix_http",
    "actix_server",
    "hyper",
    "hyper_util",
    "ractor",
    "refinery_core",
    "reqwest",
    "rustls",
    "tokio_postgres",
];

/// Changes how much is logged while the daemon runs.
pub type Volume = reload::Handle<EnvFilter, Registry>;

/// The filter of a log level as the setting writes it: `info`, or `info,sl_store=debug`.
///
/// # Errors
/// A sentence for people.
pub fn filter(level: &str) -> Result<EnvFilter, String> {
    let quiet =
        QUIET.iter().filter(|target| !level.contains(*target)).map(|target| format!(",{target}=warn"));
    let directives: String = std::iter::once(level.to_owned()).chain(quiet).collect();
    EnvFilter::builder().parse(&directives).map_err(|error| format!("{level:?} is no log level: {error}"))
}

/// Sends what is logged to standard error, and panics with it.
///
/// # Errors
/// A [`Refusal`] where the level cannot be read or logging was set up before.
pub fn start(mode: Mode, level: &str) -> Result<Volume, Refusal> {
    let (filter, volume) = reload::Layer::new(filter(level).map_err(Refusal::configuration)?);
    let lines: Box<dyn Layer<_> + Send + Sync> = match mode {
        Mode::Serve => {
            Box::new(JsonStorageLayer.and_then(BunyanFormattingLayer::new("sld".to_owned(), io::stderr)))
        }
        Mode::Dev => Box::new(
            tracing_subscriber::fmt::layer()
                .with_ansi(false)
                .with_target(false)
                .with_writer(OneLine(io::stderr)),
        ),
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init()
        .map_err(|error| Refusal::defect(format!("logging could not be set up: {error}")))?;
    panic::set_hook(Box::new(log_panic));
    Ok(volume)
}

/// A panic is a defect; it is logged like anything else, so that it is seen where everything else is.
fn log_panic(info: &panic::PanicHookInfo<'_>) {
    let said = info.payload_as_str().unwrap_or("without words");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let backtrace = std::backtrace::Backtrace::capture();
    tracing::error!(place, thread = thread.name(), %backtrace, "a defect: {said}");
}

/// Writes each event as one line without control characters, so that nothing a tenant names can feign a line of ours.
#[derive(Clone, Copy)]
struct OneLine<M>(M);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for OneLine<M> {
    type Writer = OneLineWriter<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        OneLineWriter(self.0.make_writer())
    }
}

struct OneLineWriter<W>(W);

impl<W: Write> Write for OneLineWriter<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let body = event.strip_suffix(b"\n").unwrap_or(event);
        let mut line = String::with_capacity(event.len() + 1);
        for letter in String::from_utf8_lossy(body).chars() {
            if letter.is_control() { line.extend(letter.escape_default()) } else { line.push(letter) }
        }
        line.push('\n');
        self.0.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_is_none_is_refused() {
        assert!(filter("info").is_ok());
        assert!(filter("warn,sl_store=debug").is_ok());
        assert!(filter("sl_store=loud").is_err());
    }

    #[test]
    fn an_event_stays_one_line_whatever_it_carries() {
        let mut written = Vec::new();
        OneLineWriter(&mut written)
            .write_all(b"name=\"a\nERROR feigned\x1b[31m\r\"\n")
            .expect("a vector takes it");
        assert_eq!(written, b"name=\"a\\nERROR feigned\\u{1b}[31m\\r\"\n");
    }
}
