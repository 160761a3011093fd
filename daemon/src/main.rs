//! `sld`: the daemon of the Neo N3 service layer.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use sl_daemon::{
    command::{Command, Format, Verb},
    refusal::Refusal,
    serve,
    settings::{Config, Environment, Schema, render},
};

/// Many small allocations on several threads at once are most of what a request costs beside its bytes.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The allocator asks for huge pages, and whoever touches one first waits until the kernel has cleared two mebibytes.
    // Where this is refused, some requests after a quiet time take some milliseconds longer.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    match run(&Command::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusal) => {
            // Standard error may be gone; then the exit code has to speak for itself.
            let _ = writeln!(io::stderr(), "sld: {refusal}");
            ExitCode::from(refusal.exit)
        }
    }
}

fn run(verb: &Verb) -> Result<(), Refusal> {
    let (words, mode) = verb.words();
    let environment = Environment::of_process();
    let layers = words.layers(environment.clone())?;
    match verb {
        Verb::PrintConfig { format, .. } => {
            layers.known()?;
            say(&match format {
                Format::Toml => render::toml(&layers),
                Format::Json => render::json(&layers),
            })
        }
        Verb::CheckConfig(_) => {
            let config = Config::resolve(&layers, mode)?;
            for warning in &config.warnings {
                say(&format!(
                    "warning: {warning}
"
                ))?;
            }
            say("the configuration is good
")
        }
        Verb::Migrate(_) => serve::migrate(&Schema::resolve(&layers)?),
        Verb::Serve(_) | Verb::Dev(_) => serve::serve(Config::resolve(&layers, mode)?, &|| {
            Config::resolve(&words.layers(environment.clone())?, mode)
        }),
    }
}

/// Writes what was asked for to standard output.
fn say(text: &str) -> Result<(), Refusal> {
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Refusal::system(format!("standard output: {error}")))
}
