//! How answers are shown: data on standard output, everything else on standard error.

use std::io::{IsTerminal, Write};

use serde_json::Value;

use crate::{
    exit::Exit,
    failure::{Failure, Outcome},
    surroundings,
    table::{self, Table},
    text,
};

/// The form of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Columns for people.
    Table,
    /// One indented JSON value.
    Json,
    /// One JSON value a line: each item of a list.
    JsonLines,
    /// YAML.
    Yaml,
    /// Only what a thing is called in paths: its id, else its name.
    Name,
}

impl Mode {
    /// The mode of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "table" => Self::Table,
            "json" => Self::Json,
            "jsonl" => Self::JsonLines,
            "yaml" => Self::Yaml,
            "name" => Self::Name,
            _ => return None,
        })
    }
}

/// Where the data goes, and in which form.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// The form.
    pub mode: Mode,
    /// Whether colours are wanted.
    pub color: bool,
}

impl Output {
    /// An output of this mode; `color` is `auto`, `always` or `never`.
    pub fn new(mode: Mode, color: &str) -> Self {
        let plain = surroundings::variable("NO_COLOR").is_some()
            || surroundings::variable("TERM").is_some_and(|term| term == "dumb");
        let color = match color {
            "always" => true,
            "never" => false,
            _ => is_terminal() && !plain,
        };
        Self { mode, color }
    }

    /// Shows a value: a list where it is one or has `items`, else one thing. `columns` are those of the list's table.
    pub fn show(self, value: &Value, columns: &[String]) -> Outcome<()> {
        let items = items(value);
        match (self.mode, items) {
            (Mode::Json, _) => write(&format!("{value:#}\n")),
            (Mode::Yaml, _) => write(&yaml(value)?),
            (Mode::JsonLines, Some(items)) => items.iter().try_for_each(|item| write(&format!("{item}\n"))),
            (Mode::JsonLines, None) => write(&format!("{value}\n")),
            (Mode::Name, Some(items)) => items.iter().try_for_each(|item| write(&name(item))),
            (Mode::Name, None) => write(&name(value)),
            (Mode::Table, Some(items)) => write(&Table::of_items(items, columns).render(self.color)),
            (Mode::Table, None) => write(&table::details(value, self.color)),
        }
    }

    /// Shows a table that is not an answer of the server as it stands; other modes show `value`.
    pub fn show_table(self, value: &Value, table: &Table) -> Outcome<()> {
        if self.mode == Mode::Table { write(&table.render(self.color)) } else { self.show(value, &[]) }
    }
}

/// The items of a list, with or without the frame of a page.
pub fn items(value: &Value) -> Option<&Vec<Value>> {
    value.as_array().or_else(|| value["items"].as_array())
}

/// Whether a person reads standard output.
pub fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Writes to standard output.
pub fn write(text: &str) -> Outcome<()> {
    write_bytes(text.as_bytes())
}

/// Writes bytes to standard output as they are.
pub fn write_bytes(bytes: &[u8]) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

/// Tells a person something beside the data. Nobody may be listening.
pub fn note(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// The value as YAML.
pub fn yaml(value: &Value) -> Outcome<String> {
    serde_norway::to_string(value).map_err(|error| Failure::new(Exit::Other, error.to_string()))
}

fn name(value: &Value) -> String {
    let found = ["id", "name", "owner"].iter().find_map(|key| value[*key].as_str());
    found.map_or_else(String::new, |name| format!("{}\n", text::one_line(name)))
}
