//! Names and words that do not belong in the product.

use std::path::Path;

use super::{File, files, has_extension, none};

const FORBIDDEN_NAMES: [&str; 5] = ["utils", "util", "helpers", "manager", "common"];

/// Each with why. Written in halves, so that this file does not speak them itself.
fn forbidden_words() -> Vec<(String, &'static str)> {
    [
        ("TO", "DO", "unfinished work is not committed"),
        ("FIX", "ME", "unfinished work is not committed"),
        ("XX", "X:", "unfinished work is not committed"),
        ("todo", "!(", "unfinished work is not committed"),
        ("unimpl", "emented!(", "unfinished work is not committed"),
        ("in a real ", "system", "this is the real system"),
        ("not yet ", "implemented", "what is not there is not pretended"),
        ("/wo", "rk/", "a path of one machine"),
        ("/home", "/", "a path of one machine"),
        ("crates", ".io", "a registry's host"),
        ("npmjs", ".", "a registry's host"),
        ("pypi", ".org", "a registry's host"),
        ("debian", ".org", "a registry's host"),
        ("dbg", "!(", "left over from a search for a defect"),
    ]
    .into_iter()
    .map(|(one, two, reason)| (format!("{one}{two}"), reason))
    .collect()
}

/// Lock files record where packages came from; vectors are data; systemd names a home directory it hides.
fn is_exempt(path: &str, word: &str) -> bool {
    path.ends_with("Cargo.lock")
        || path.ends_with("package-lock.json")
        || path.contains("vectors")
        || (word.ends_with("home/") && path.starts_with("systemd/"))
}

#[test]
fn no_file_speaks_a_forbidden_word() {
    let words = forbidden_words();
    let breaches: Vec<String> = files().iter().flat_map(|file| spoken(file, &words)).collect();
    none("words that do not belong in the product", &breaches);
}

fn spoken(file: &File, words: &[(String, &str)]) -> Vec<String> {
    let mut breaches = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        for (word, reason) in words {
            if line.contains(word.as_str()) && !is_exempt(&file.path, word) {
                breaches.push(format!("{}:{}: {word:?}: {reason}", file.path, number + 1));
            }
        }
    }
    breaches
}

#[test]
fn no_file_has_a_name_that_says_nothing() {
    let breaches: Vec<String> = files()
        .iter()
        .filter(|file| has_extension(&file.path, &["rs", "ts", "tsx", "js", "sql", "md"]))
        .filter(|file| {
            Path::new(&file.path)
                .with_extension("")
                .components()
                .any(|part| FORBIDDEN_NAMES.iter().any(|name| part.as_os_str() == *name))
        })
        .map(|file| file.path.clone())
        .collect();
    none("a file is named for what it holds", &breaches);
}

#[test]
fn the_search_sees_a_word_and_its_line() {
    let words = forbidden_words();
    let text = format!("fine\n// {}: later\n", words[0].0);
    let breaches = spoken(&File { path: "sample.rs".to_owned(), text }, &words);
    assert_eq!(breaches.len(), 1);
    assert!(breaches[0].starts_with("sample.rs:2: "), "{breaches:?}");
}
