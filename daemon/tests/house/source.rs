//! Where SQL and `unsafe` may stand.

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    ExprUnsafe, ItemFn, ItemImpl, ItemMod, Lit, LitStr, Macro, Signature,
    visit::{self, Visit},
};

use super::{
    File, none, rust_files,
    sizes::{is_test_only, parsed},
};

/// Where SQL may be written besides the migrations; tests look into the database with it too, and benches measure beside it.
const SQL_ROOMS: [&str; 7] = [
    "store/src/postgres",
    "store/src/testing",
    "store/tests/",
    "store/benches/",
    "actors/tests/",
    "actors/benches/",
    "daemon/",
];
/// Its tests in actors play a host that was taken over.
const UNSAFE_ROOMS: [&str; 2] = ["js-host/", "actors/tests/it/sandbox/"];

#[test]
fn sql_stands_only_in_the_postgres_backend_and_in_migrations() {
    let breaches =
        breaches_of(&SQL_ROOMS, |found| found.sql.iter().map(|text| format!("SQL {text:?}")).collect());
    none("SQL lives in store/src/postgres and migrations/", &breaches);
}

#[test]
fn unsafe_stands_only_in_the_js_host() {
    let breaches = breaches_of(&UNSAFE_ROOMS, |found| found.unsafe_code.clone());
    none("`unsafe` lives in js-host, each time with its reason", &breaches);
}

#[test]
fn no_transaction_is_begun_by_hand() {
    let breaches = breaches_of(&["daemon/tests/house/"], |found| {
        found.begins.iter().map(|text| format!("{text:?}")).collect()
    });
    none("a hand-written BEGIN outlives a cancelled future; use client.transaction()", &breaches);
}

fn breaches_of(rooms: &[&str], pick: impl Fn(&Found) -> Vec<String>) -> Vec<String> {
    rust_files()
        .iter()
        .filter(|file| !rooms.iter().any(|room| file.path.starts_with(room)))
        .flat_map(|file| {
            pick(&found(file)).into_iter().map(|what| format!("{}: {what}", file.path)).collect::<Vec<_>>()
        })
        .collect()
}

#[derive(Default)]
struct Found {
    sql: Vec<String>,
    begins: Vec<String>,
    unsafe_code: Vec<String>,
}

fn found(file: &File) -> Found {
    let mut found = Found::default();
    found.visit_file(&parsed(file));
    found
}

impl Visit<'_> for Found {
    fn visit_item_mod(&mut self, module: &ItemMod) {
        if !is_test_only(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_lit_str(&mut self, literal: &LitStr) {
        self.note_text(&literal.value());
    }

    fn visit_macro(&mut self, invocation: &Macro) {
        self.note_tokens(invocation.tokens.clone());
    }

    fn visit_expr_unsafe(&mut self, block: &ExprUnsafe) {
        self.unsafe_code.push("an unsafe block".to_owned());
        visit::visit_expr_unsafe(self, block);
    }

    fn visit_item_fn(&mut self, function: &ItemFn) {
        self.note_unsafe(&function.sig);
        visit::visit_item_fn(self, function);
    }

    fn visit_item_impl(&mut self, implementation: &ItemImpl) {
        if implementation.unsafety.is_some() {
            self.unsafe_code.push("an unsafe impl".to_owned());
        }
        visit::visit_item_impl(self, implementation);
    }
}

impl Found {
    fn note_text(&mut self, text: &str) {
        if is_sql(text) {
            self.sql.push(text.chars().take(60).collect());
        }
        if ["BEGIN", "START TRANSACTION"].iter().any(|begin| text.trim_start().starts_with(begin)) {
            self.begins.push(text.to_owned());
        }
    }

    /// The inside of a macro is no syntax tree, only tokens.
    fn note_tokens(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.note_tokens(group.stream()),
                TokenTree::Literal(literal) => {
                    if let Lit::Str(text) = Lit::new(literal) {
                        self.note_text(&text.value());
                    }
                }
                TokenTree::Ident(word) if word == "unsafe" => {
                    self.unsafe_code.push("unsafe inside a macro".to_owned());
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
        }
    }

    fn note_unsafe(&mut self, signature: &Signature) {
        if signature.unsafety.is_some() {
            self.unsafe_code.push(format!("unsafe fn {}", signature.ident));
        }
    }
}

/// Whether a string literal is a statement; all our SQL writes its keywords in capitals.
fn is_sql(text: &str) -> bool {
    let text = text.trim_start();
    [
        ("SELECT ", ""),
        ("INSERT INTO ", ""),
        ("UPDATE ", " SET "),
        ("DELETE FROM ", ""),
        ("WITH ", "SELECT"),
        ("CREATE TABLE ", ""),
        ("CREATE INDEX ", ""),
        ("ALTER TABLE ", ""),
        ("LISTEN ", ""),
        ("NOTIFY ", ""),
    ]
    .iter()
    .any(|(start, inside)| text.starts_with(start) && text.contains(inside))
}

#[test]
fn the_search_sees_statements_and_unsafe_code() {
    let text = r#"
        fn a() { let _ = ("SELECT 1", "UPDATE t SET a = 1", "Select one", "BEGIN"); format!("DELETE FROM {}", 1); unsafe { b() } }
        unsafe fn b() {}
    "#;
    let found = found(&File { path: "sample.rs".to_owned(), text: text.to_owned() });
    assert_eq!(found.sql, ["SELECT 1", "UPDATE t SET a = 1", "DELETE FROM {}"]);
    assert_eq!(found.begins, ["BEGIN"]);
    assert_eq!(found.unsafe_code, ["an unsafe block", "unsafe fn b"]);
}
