//! Defaults, file, environment, flags: which of them speaks for a setting.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use sl_actors::settings::{Setting, Settings, Source};

use super::{
    catalogue,
    environment::{Environment, read_secret},
    file::{Entries, Entry},
    named::{self, Kind, Named},
};
use crate::refusal::Refusal;

/// Variables with our prefix that are other programs' settings.
const OTHERS: [&str; 6] = [
    "SERVICE_LAYER_CONFIG",
    "SERVICE_LAYER_ADDR",
    "SERVICE_LAYER_TOKEN",
    "SERVICE_LAYER_REGEN",
    "SERVICE_LAYER_SOAK",
    "SERVICE_LAYER_V8_DIR",
];

/// Where a value came from, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The setting's own default, or nothing.
    Default,
    /// The configuration file, with the line.
    File(String),
    /// An environment variable.
    Environment(String),
    /// A systemd credential.
    Credential,
    /// The command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::File(place) => write!(formatter, "file {place}"),
            Self::Environment(name) => write!(formatter, "environment {name}"),
            Self::Credential => formatter.write_str("systemd credential"),
            Self::Flag => formatter.write_str("flag"),
        }
    }
}

/// The layers, before anything is decided.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// What the command line says, by setting name.
    pub flags: BTreeMap<String, String>,
    /// The environment.
    pub environment: Environment,
    /// The configuration file.
    pub file: Entries,
}

impl Layers {
    /// The value of a named setting and its origin; problems are added to `problems`.
    pub fn named(&self, setting: &Named, problems: &mut Vec<String>) -> (Option<String>, Origin) {
        if let Some(text) = self.flags.get(setting.name) {
            return (Some(text.clone()), Origin::Flag);
        }
        let lower = if setting.is_secret() { self.secret(setting) } else { Ok(self.plain(setting)) };
        match lower {
            Ok(Some((text, origin))) => (Some(text), origin),
            Ok(None) => (setting.default.map(str::to_owned), Origin::Default),
            Err(problem) => {
                problems.push(problem);
                (None, Origin::Default)
            }
        }
    }

    fn plain(&self, setting: &Named) -> Option<(String, Origin)> {
        if let Some(text) = self.environment.get(setting.environment) {
            return Some((text.to_owned(), Origin::Environment(setting.environment.to_owned())));
        }
        let entry = self.file.get(setting.name)?;
        Some((entry.text.clone(), Origin::File(entry.place.clone())))
    }

    fn secret(&self, setting: &Named) -> Result<Option<(String, Origin)>, String> {
        let by_file = format!("{}_FILE", setting.environment);
        match (self.environment.get(setting.environment), self.environment.get(&by_file)) {
            (Some(_), Some(_)) => {
                return Err(format!("{} and {by_file} are both set; unset one", setting.environment));
            }
            (Some(text), None) => {
                return Ok(Some((text.to_owned(), Origin::Environment(setting.environment.to_owned()))));
            }
            (None, Some(path)) => {
                let text = read_secret(Path::new(path)).map_err(|error| format!("{by_file}: {error}"))?;
                return Ok(Some((text, Origin::Environment(by_file))));
            }
            (None, None) => {}
        }
        if let Some(text) = self.environment.credential(setting.name)? {
            return Ok(Some((text, Origin::Credential)));
        }
        let Some(entry) = self.file.get(&format!("{}_file", setting.name)) else { return Ok(None) };
        let text =
            read_secret(&PathBuf::from(&entry.text)).map_err(|error| format!("{}: {error}", entry.place))?;
        Ok(Some((text, Origin::File(entry.place.clone()))))
    }

    /// The numbers that differ from their defaults; problems are added to `problems`.
    pub fn numbers(&self, problems: &mut Vec<String>) -> Settings {
        let mut values = BTreeMap::new();
        for setting in catalogue() {
            match self.number(setting) {
                Ok(Some(found)) => {
                    values.insert(setting.name, found);
                }
                Ok(None) => {}
                Err(problem) => problems.push(problem),
            }
        }
        Settings::new(values)
    }

    fn number(&self, setting: &'static Setting) -> Result<Option<(u64, Source)>, String> {
        if let Some(text) = self.flags.get(setting.name) {
            let value = setting.parse(text).map_err(|problem| format!("--set {problem}"))?;
            return Ok(Some((value, Source::Flag)));
        }
        let variable = setting.environment();
        if let Some(text) = self.environment.get(&variable) {
            let value = setting.parse(text).map_err(|problem| format!("{variable}: {problem}"))?;
            return Ok(Some((value, Source::Environment)));
        }
        let Some(entry) = self.file.get(setting.name) else { return Ok(None) };
        let value = setting.parse(&entry.text).map_err(|problem| format!("{}: {problem}", entry.place))?;
        Ok(Some((value, Source::File)))
    }

    /// Names in the file or among the flags that are no setting, or may not stand there, and values of the file that are
    /// no text where the setting is.
    #[must_use]
    pub fn unknown(&self) -> Vec<String> {
        let wrong = self.file.iter().filter_map(|(name, entry)| mistyped(name, entry));
        let in_file = self.file.iter().map(|(name, entry)| (name, entry.place.as_str(), true));
        let flags = self.flags.keys().map(|name| (name, "--set", false));
        let names = in_file.chain(flags).filter_map(|(name, place, is_file)| refused(name, place, is_file));
        names.chain(wrong).collect()
    }

    /// Where a problem of a named setting lies, put before it: the line of the file that says what is wrong.
    #[must_use]
    pub fn placed(&self, problem: String) -> String {
        let about = |setting: &&&Named| {
            problem.strip_prefix(setting.name).is_some_and(|rest| rest.starts_with(':'))
                && !setting.is_secret()
        };
        let origin = named::ALL.iter().find(about).map(|setting| self.named(setting, &mut Vec::new()).1);
        match origin {
            Some(Origin::File(place)) => format!("{place}: {problem}"),
            _ => problem,
        }
    }

    /// Refuses names that are no setting, as everything does that reads the configuration.
    ///
    /// # Errors
    /// Each of them, with file and line.
    pub fn known(&self) -> Result<(), Refusal> {
        let problems = self.unknown();
        if problems.is_empty() { Ok(()) } else { Err(Refusal::configuration(problems.join("\n"))) }
    }

    /// Variables with our prefix that set nothing: a slip of the pen, most likely.
    #[must_use]
    pub fn unknown_variables(&self) -> Vec<String> {
        let known: Vec<String> = catalogue()
            .iter()
            .map(|setting| setting.environment())
            .chain(named::ALL.iter().flat_map(|setting| {
                [setting.environment.to_owned(), format!("{}_FILE", setting.environment)]
            }))
            .chain(OTHERS.map(str::to_owned))
            .collect();
        self.environment
            .names("SERVICE_LAYER_")
            .filter(|name| !known.iter().any(|known| known == name))
            .map(|name| {
                format!(
                    "{name} is set and is no setting{}",
                    suggestion(name, known.iter().map(String::as_str))
                )
            })
            .collect()
    }
}

/// The names of the numbers in which two configurations differ.
#[must_use]
pub fn changed(before: &Settings, after: &Settings) -> Vec<&'static str> {
    let differs = |setting: &&'static Setting| before.count(setting) != after.count(setting);
    catalogue().into_iter().filter(differs).map(|setting| setting.name).collect()
}

/// Why a name may not stand where it stands, if it may not.
fn refused(name: &str, place: &str, is_file: bool) -> Option<String> {
    if let Some(secret) = named::ALL.iter().find(|setting| setting.is_secret() && setting.name == name) {
        let instead = format!(
            "name a file in {}_file, or use {} or a systemd credential",
            secret.name, secret.environment
        );
        return is_file
            .then(|| format!("{place}: {name}: a secret does not stand in the configuration; {instead}"));
    }
    let known: Vec<String> = names(is_file);
    if known.iter().any(|known| known == name) {
        return None;
    }
    Some(format!("{place}: {name} is no setting{}", suggestion(name, known.iter().map(String::as_str))))
}

/// Why a value of the file is of the wrong type, if it is.
fn mistyped(name: &str, entry: &Entry) -> Option<String> {
    let (place, form) = (&entry.place, entry.form);
    let is_text = |setting: &&&Named| {
        let file = name.strip_suffix("_file").filter(|_| setting.is_secret());
        file == Some(setting.name) || (setting.name == name && setting.kind == Kind::Text)
    };
    named::ALL.iter().find(is_text)?;
    (!matches!(form, "string" | "array"))
        .then(|| format!("{place}: {name}: must be text in quotes, not of the type {form}"))
}

/// Every name that may stand in the file, or after `--set`.
fn names(is_file: bool) -> Vec<String> {
    let numbers = catalogue().into_iter().map(|setting| setting.name.to_owned());
    let others = named::ALL.iter().map(|setting| match (setting.is_secret(), is_file) {
        (true, true) => format!("{}_file", setting.name),
        _ => setting.name.to_owned(),
    });
    numbers.chain(others).collect()
}

/// `; did you mean ...?` for the nearest known name, where one is near.
fn suggestion<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    known
        .map(|known| (distance(name, known), known))
        .filter(|(distance, known)| *distance <= known.len() / 3)
        .min()
        .map_or_else(String::new, |(_, known)| format!("; did you mean {known}?"))
}

/// How many letters differ (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut diagonal = index;
        row[0] = index + 1;
        for (column, against) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *against);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}
