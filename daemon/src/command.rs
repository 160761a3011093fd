//! The command line of `sld`.

#![expect(clippy::doc_markdown, reason = "these comments are the program's help, which is no Markdown")]

use std::{collections::BTreeMap, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    refusal::Refusal,
    settings::{Environment, Layers, Mode, file, named},
};

/// The Neo N3 service layer.
#[derive(Debug, Parser)]
#[command(name = "sld", version, about, disable_help_subcommand = true)]
pub struct Command {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What `sld` can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Serve the API: with PostgreSQL where DATABASE_URL names one, otherwise in memory
    Serve(Words),
    /// Serve the API in memory with readable logs, making a token where none is given
    Dev(Words),
    /// Tell everything that is wrong with the configuration, and start nothing
    CheckConfig(Words),
    /// Bring the schema of the database up to date, and start nothing
    Migrate(Words),
    /// Print every setting with its value, unit, bounds, source and meaning
    PrintConfig {
        /// The flags that speak for settings.
        #[command(flatten)]
        words: Words,
        /// As what
        #[arg(long, value_enum, default_value_t = Format::Toml)]
        format: Format,
    },
}

/// How settings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A configuration file.
    Toml,
    /// A list of objects.
    Json,
}

/// The flags that speak for settings.
#[derive(Args, Clone, Debug, Default)]
pub struct Words {
    /// The configuration file (SERVICE_LAYER_CONFIG)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address and port on which the API is served
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Option<String>,
    /// The PostgreSQL database; visible to everybody on the machine, so better given as DATABASE_URL_FILE
    #[arg(long, value_name = "URL")]
    pub dsn: Option<String>,
    /// The operators' tokens; visible to everybody on the machine, so better given as API_TOKENS_FILE
    #[arg(long, value_name = "[NAME:]TOKEN,...")]
    pub api_tokens: Option<String>,
    /// Whether the schema is brought up to date at start
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub migrate: Option<String>,
    /// How much is logged: error, warn, info, debug, trace
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// Any setting by its name, as often as needed: --set executions.wall_limit=20s
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not NAME=VALUE"))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

impl Words {
    /// The layers under and with these flags.
    ///
    /// # Errors
    /// A [`Refusal`] where the configuration file cannot be read.
    pub fn layers(&self, environment: Environment) -> Result<Layers, Refusal> {
        let path = self.config.clone().or_else(|| environment.get("SERVICE_LAYER_CONFIG").map(PathBuf::from));
        let file = path.map_or_else(|| Ok(file::Entries::new()), |path| file::read(&path));
        let file = file.map_err(|problems| Refusal::configuration(problems.join("\n")))?;
        Ok(Layers { flags: self.flags(), environment, file })
    }

    fn flags(&self) -> BTreeMap<String, String> {
        let own = [
            (&named::LISTEN, &self.listen),
            (&named::DATABASE_URL, &self.dsn),
            (&named::API_TOKENS, &self.api_tokens),
            (&named::MIGRATE, &self.migrate),
            (&named::LOG_LEVEL, &self.log_level),
        ];
        let own =
            own.into_iter().filter_map(|(setting, word)| Some((setting.name.to_owned(), word.clone()?)));
        self.set.iter().cloned().chain(own).collect()
    }
}

impl Verb {
    /// The flags, and how strict the configuration is read.
    #[must_use]
    pub const fn words(&self) -> (&Words, Mode) {
        match self {
            Self::Dev(words) => (words, Mode::Dev),
            Self::Serve(words)
            | Self::CheckConfig(words)
            | Self::Migrate(words)
            | Self::PrintConfig { words, .. } => (words, Mode::Serve),
        }
    }
}
