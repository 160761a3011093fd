//! The configuration file: TOML, whose every key has to be one we know.

use std::{collections::BTreeMap, fs, path::Path};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// A value of the file as text, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The value; arrays joined by commas.
    pub text: String,
    /// `sld.toml:12`.
    pub place: String,
    /// What it is in TOML: `string`, `integer`, `boolean`, `array`.
    pub form: &'static str,
}

/// The file's entries by full name: `executions.wall_limit`.
pub type Entries = BTreeMap<String, Entry>;

/// Reads a configuration file.
///
/// # Errors
/// Everything that is wrong with it, each with file and line.
pub fn read(path: &Path) -> Result<Entries, Vec<String>> {
    let text = fs::read_to_string(path).map_err(|error| vec![format!("{}: {error}", path.display())])?;
    parse(&path.display().to_string(), &text)
}

/// Reads the text of a configuration file that is called `name`.
///
/// # Errors
/// As [`read`].
pub fn parse(name: &str, text: &str) -> Result<Entries, Vec<String>> {
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        vec![format!("{name}:{line}: {}", error.message())]
    })?;
    let mut reader = Reader { name, text, entries: Entries::new(), problems: Vec::new() };
    reader.table("", table.get_ref());
    if reader.problems.is_empty() { Ok(reader.entries) } else { Err(reader.problems) }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}

struct Reader<'a> {
    name: &'a str,
    text: &'a str,
    entries: Entries,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let full = if prefix.is_empty() {
                key.get_ref().to_string()
            } else {
                format!("{prefix}.{}", key.get_ref())
            };
            let place = format!("{}:{}", self.name, line_of(self.text, key.span().start));
            match value.get_ref() {
                DeValue::Table(inner) => self.table(&full, inner),
                other => match scalar(other) {
                    Some(text) => {
                        self.entries.insert(full, Entry { text, place, form: other.type_str() });
                    }
                    None => self
                        .problems
                        .push(format!("{place}: {full}: a {} is no value here", other.type_str())),
                },
            }
        }
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(Spanned::get_ref).map(string).collect();
            items.map(|items| items.join(","))
        }
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

fn string(value: &DeValue<'_>) -> Option<String> {
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_flattened_and_know_their_line() {
        let entries = parse("a.toml", "listen = \"[::1]:1\"\n\n[executions]\nwall_limit = \"5s\"\nper = 3\n")
            .expect("good");
        assert_eq!(
            entries["executions.wall_limit"],
            Entry { text: "5s".to_owned(), place: "a.toml:4".to_owned(), form: "string" }
        );
        assert_eq!(entries["executions.per"].text, "3");
        assert_eq!(entries["listen"].place, "a.toml:1");
    }

    #[test]
    fn broken_toml_and_foreign_types_name_the_line() {
        let problems = parse("a.toml", "listen = \"x\"\nmigrate = \n").expect_err("broken");
        assert!(problems[0].starts_with("a.toml:2: "), "{problems:?}");
        let problems = parse("a.toml", "\nlisten = 1.5\n").expect_err("a float");
        assert_eq!(problems, ["a.toml:2: listen: a float is no value here"]);
    }
}
