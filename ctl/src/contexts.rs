//! Contexts: named servers with an account and a token, kept in the user's settings (`service-layer/slctl.toml`, mode 0600).

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    surroundings,
    token::Token,
    value,
};

/// One server as a user knows it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// Where the server is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addr: Option<String>,
    /// The account that commands are about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The token itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
    /// A file that holds the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<String>,
    /// An environment variable that holds the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_env: Option<String>,
    /// Certificates to trust besides those of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
}

impl Context {
    /// The token, from wherever the context says it is.
    pub fn token(&self) -> Outcome<Option<Token>> {
        if let Some(token) = &self.token {
            return Ok(Some(token.clone()));
        }
        if let Some(path) = &self.token_file {
            return Ok(Some(Token::new(&value::file(path)?)));
        }
        Ok(self.token_env.as_deref().and_then(surroundings::variable).map(|token| Token::new(&token)))
    }

    /// Where the token comes from, for people; never the token.
    pub fn token_source(&self) -> String {
        match (&self.token, &self.token_file, &self.token_env) {
            (Some(_), _, _) => "kept here".to_owned(),
            (None, Some(path), _) => format!("file {path}"),
            (None, None, Some(name)) => format!("environment {name}"),
            (None, None, None) => "none".to_owned(),
        }
    }
}

/// All contexts of the user.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Contexts {
    /// The one in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// Each by its name.
    #[serde(default)]
    pub contexts: BTreeMap<String, Context>,
}

impl Contexts {
    /// Reads the contexts; none where there is no file yet.
    pub fn load() -> Outcome<Self> {
        let Ok(path) = path() else { return Ok(Self::default()) };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Failure::usage(format!("{}: {error}", path.display()))),
        };
        // The error's own text quotes the line at fault, which may hold a token.
        let about = |error: toml::de::Error| {
            let line = error.span().map_or(0, |span| text[..span.start].lines().count().max(1));
            Failure::usage(format!("{}: line {line}: {}", path.display(), error.message()))
        };
        toml::from_str(&text).map_err(about)
    }

    /// Writes the contexts in one step, readable by the user only.
    pub fn save(&self) -> Outcome<()> {
        let path = path()?;
        let about = |error: &dyn std::fmt::Display| {
            Failure::new(Exit::Other, format!("{} cannot be written: {error}", path.display()))
        };
        let text = toml::to_string_pretty(self).map_err(|error| about(&error))?;
        let folder = path.parent().unwrap_or(&path);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| about(&error))?;
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| about(&error))?;
        file.write_all(text.as_bytes()).map_err(|error| about(&error))?;
        file.persist(&path).map_err(|error| about(&error))?;
        Ok(())
    }

    /// The context of this name.
    pub fn get(&self, name: &str) -> Outcome<&Context> {
        self.contexts.get(name).ok_or_else(|| self.unknown(name))
    }

    /// The failure for a name that no context has, with the names there are.
    pub fn unknown(&self, name: &str) -> Failure {
        let names: Vec<&str> = self.contexts.keys().map(String::as_str).collect();
        let known = if names.is_empty() { "there are none".to_owned() } else { names.join(", ") };
        Failure::usage(format!("no context `{name}`")).note(format!("contexts: {known}"))
    }

    /// What is wrong with the file's permissions, where something is.
    pub fn loose_permissions() -> Option<String> {
        let path = path().ok()?;
        let mode = fs::metadata(&path).ok()?.permissions().mode() & 0o777;
        (mode & 0o077 != 0)
            .then(|| format!("{} is open to others (mode {mode:o}): chmod 600 it", path.display()))
    }
}

/// Where the contexts are kept.
pub fn path() -> Outcome<PathBuf> {
    Ok(surroundings::config_folder()?.join("service-layer").join("slctl.toml"))
}
