//! Tables: columns without lines, as wide as their widest cell.

use std::fmt::Write;

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::text;

/// The longest cell, in columns of the terminal; longer ones are cut and end in `…`.
const CELL_MAX: usize = 64;

/// What comes first where nobody says which columns to show.
const FIRST: [&str; 5] = ["id", "name", "kind", "status", "owner"];

/// Rows under a head.
#[derive(Debug)]
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these columns.
    pub fn new(head: &[&str]) -> Self {
        Self { head: head.iter().map(|name| title(name)).collect(), rows: Vec::new() }
    }

    /// A table of things, one a row.
    pub fn of_items(items: &[Value], columns: &[String]) -> Self {
        if items.iter().any(|item| !item.is_object()) {
            let rows = items.iter().map(|item| vec![cell(item)]).collect();
            return Self { head: vec![title("value")], rows };
        }
        let columns = if columns.is_empty() { columns_of(items) } else { columns.to_vec() };
        let row = |item: &Value| columns.iter().map(|column| cell(member(item, column))).collect();
        Self { head: columns.iter().map(|name| title(name)).collect(), rows: items.iter().map(row).collect() }
    }

    /// Adds a row; its cells are shown in full.
    pub fn row<T: AsRef<str>>(&mut self, cells: &[T]) {
        self.rows.push(cells.iter().map(|cell| text::one_line(cell.as_ref())).collect());
    }

    /// The table as text.
    pub fn render(&self, color: bool) -> String {
        if self.head.is_empty() {
            return String::new();
        }
        let all = || std::iter::once(&self.head).chain(&self.rows);
        let width = |column: usize| all().filter_map(|row| row.get(column)).map(|cell| cell.width()).max();
        let widths: Vec<usize> = (0..self.head.len()).map(|column| width(column).unwrap_or(0)).collect();
        let mut told = line(&self.head, &widths, |cell| paint(cell, color.then_some("1")));
        for row in &self.rows {
            told += &line(row, &widths, |cell| paint(cell, color.then(|| shade(cell)).flatten()));
        }
        told
    }
}

fn line(cells: &[String], widths: &[usize], paint: impl Fn(&str) -> String) -> String {
    let mut told = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        let gap = " ".repeat(width.saturating_sub(cell.width()) + 2);
        told += &paint(cell);
        told += &gap;
    }
    told.truncate(told.trim_end_matches(' ').len());
    told.push('\n');
    told
}

/// One thing, a line for each member.
pub fn details(value: &Value, color: bool) -> String {
    let Some(members) = value.as_object() else {
        return format!("{}\n", text::lines(&text::plain(value)));
    };
    let mut keys: Vec<&String> = members.keys().collect();
    keys.sort_by_key(|key| rank(key));
    let width = keys.iter().map(|key| key.width()).max().unwrap_or(0);
    let mut told = String::new();
    for key in keys {
        let value = lasting(&members[key]);
        let name = paint(
            &format!("{}{}", text::one_line(key), " ".repeat(width - key.width())),
            color.then_some("1"),
        );
        let value = if value.contains('\n') { indented(&value) } else { value };
        let value = paint(&value, color.then(|| shade(&value)).flatten());
        let _ = writeln!(told, "{name}  {value}");
    }
    told
}

/// A member in full: long text on lines of its own, structures as JSON.
fn lasting(value: &Value) -> String {
    match value {
        Value::String(text) => text::lines(text.trim_end_matches('\n')),
        Value::Object(_) | Value::Array(_) if !text::plain(value).starts_with(['{', '[']) => {
            text::one_line(&text::plain(value))
        }
        Value::Object(_) | Value::Array(_) => text::one_line(&value.to_string()),
        other => text::plain(other),
    }
}

fn indented(text: &str) -> String {
    text.lines().fold(String::new(), |told, line| told + "\n    " + line)
}

/// Every name that the items have, the telling ones first and at most eight.
fn columns_of(items: &[Value]) -> Vec<String> {
    let mut names: Vec<String> =
        items.iter().filter_map(Value::as_object).flat_map(|item| item.keys().cloned()).collect();
    names.sort_by_key(|name| rank(name));
    names.dedup();
    names.truncate(8);
    names
}

/// The order of names: telling ones, the others by letter, times last.
fn rank(name: &str) -> (usize, String) {
    let first = FIRST.iter().position(|known| *known == name);
    let place = first.unwrap_or(if name.ends_with("_at") { FIRST.len() + 1 } else { FIRST.len() });
    (place, name.to_owned())
}

/// A member by a dotted path.
fn member<'a>(item: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(item, |value, name| &value[name])
}

fn cell(value: &Value) -> String {
    let told = text::one_line(&text::plain(value));
    if told.is_empty() { "-".to_owned() } else { cut(&told) }
}

fn cut(text: &str) -> String {
    if text.width() <= CELL_MAX {
        return text.to_owned();
    }
    let mut kept = String::new();
    for letter in text.chars() {
        if kept.width() + 2 > CELL_MAX {
            break;
        }
        kept.push(letter);
    }
    kept + "…"
}

fn title(name: &str) -> String {
    text::one_line(name).replace('_', " ").to_uppercase()
}

fn paint(text: &str, code: Option<&str>) -> String {
    code.map_or_else(|| text.to_owned(), |code| format!("\u{1b}[{code}m{text}\u{1b}[0m"))
}

/// The colour of a word that tells a state.
fn shade(word: &str) -> Option<&'static str> {
    match word {
        "succeeded" | "active" | "ok" | "ready" | "running" | "completed" | "created" => Some("32"),
        "failed" | "timed_out" | "fail" | "revoked" | "degraded" | "cancelled" => Some("31"),
        "queued" | "pending" | "paused" | "suspended" | "warn" | "updated" => Some("33"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let items = [json!({"id": "1", "name": "日本"}), json!({"id": "22", "name": null})];
        let columns = ["id".to_owned(), "name".to_owned()];
        let told = Table::of_items(&items, &columns).render(false);
        assert_eq!(told, "ID  NAME\n1   日本\n22  -\n");
    }

    #[test]
    fn plain_values_are_a_column_of_their_own_and_nothing_is_nothing() {
        let told = |items: &[Value]| Table::of_items(items, &[]).render(false);
        assert_eq!(told(&[json!("T1"), json!(2), json!([1, 2])]), "VALUE\nT1\n2\n1,2\n");
        assert_eq!(told(&[]), "");
    }

    #[test]
    fn the_telling_columns_come_first_and_times_last() {
        let items = [json!({"created_at": "t", "zeal": 1, "name": "n", "id": "i"})];
        assert_eq!(columns_of(&items), ["id", "name", "zeal", "created_at"]);
    }

    #[test]
    fn a_long_cell_is_cut() {
        assert_eq!(cut(&"x".repeat(100)).width(), CELL_MAX);
    }

    #[test]
    fn a_cell_cannot_steer_the_terminal() {
        let told = Table::of_items(&[json!({"name": "\u{1b}]0;owned\u{7}"})], &[]).render(false);
        assert!(!told.contains('\u{1b}') && !told.contains('\u{7}'));
    }
}
