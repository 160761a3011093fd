//! How long a file, a function and a file's own tests may be.

use syn::{
    Attribute, ImplItemFn, Item, ItemFn, ItemMod, TraitItemFn,
    spanned::Spanned,
    visit::{self, Visit},
};

use super::{File, files, has_extension, none, rust_files};

const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;

/// The generated files, which nobody reads from top to bottom.
const GENERATED: [&str; 5] =
    ["sdk/openapi.json", "sdk/src/schema.ts", "configs/sld.toml", "package-lock.json", "Cargo.lock"];

#[test]
fn no_file_is_longer_than_five_hundred_lines_without_its_tests() {
    let breaches: Vec<String> = files()
        .iter()
        .filter(|file| {
            has_extension(&file.path, &["rs", "ts", "tsx", "js", "mjs", "css", "sql", "sh", "toml"])
                || file.path == "x"
        })
        .filter(|file| !GENERATED.iter().any(|generated| file.path.ends_with(generated)))
        .filter_map(|file| {
            let lines = file.text.lines().count() - test_lines(file);
            (lines > FILE_LINES).then(|| format!("{}: {lines} lines", file.path))
        })
        .collect();
    none("a file has up to 500 lines without its inline tests", &breaches);
}

#[test]
fn inline_tests_are_at_most_a_third_of_their_file() {
    let breaches: Vec<String> = rust_files()
        .iter()
        .filter_map(|file| {
            let (all, tests) = (file.text.lines().count(), test_lines(file));
            (tests * 3 > all && all > 60).then(|| format!("{}: {tests} of {all} lines", file.path))
        })
        .collect();
    none("inline tests are at most a third of a file; longer ones move to the crate's tests", &breaches);
}

#[test]
fn no_function_is_longer_than_seventy_lines() {
    let mut breaches = Vec::new();
    for file in rust_files() {
        let mut functions = Functions { path: &file.path, breaches: &mut breaches };
        functions.visit_file(&parsed(&file));
    }
    none("a function has up to 70 lines", &breaches);
}

/// The syntax tree of a Rust file.
pub fn parsed(file: &File) -> syn::File {
    syn::parse_file(&file.text).unwrap_or_else(|error| panic!("{}: {error}", file.path))
}

/// Whether an item is compiled for tests only.
pub fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    })
}

/// How many lines of a file are inline tests.
fn test_lines(file: &File) -> usize {
    if !has_extension(&file.path, &["rs"]) {
        return 0;
    }
    let tests = parsed(file).items.into_iter().filter_map(|item| match item {
        Item::Mod(ItemMod { ref attrs, content: Some(_), .. }) if is_test_only(attrs) => Some(lines(&item)),
        _ => None,
    });
    tests.sum()
}

/// How many lines a piece of syntax covers.
fn lines(syntax: &impl Spanned) -> usize {
    let span = syntax.span();
    span.end().line - span.start().line + 1
}

struct Functions<'a> {
    path: &'a str,
    breaches: &'a mut Vec<String>,
}

impl Functions<'_> {
    fn check(&mut self, name: &syn::Ident, lines: usize) {
        if lines > FUNCTION_LINES {
            self.breaches.push(format!("{}: {name} has {lines}", self.path));
        }
    }
}

impl Visit<'_> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &ItemFn) {
        self.check(&function.sig.ident, lines(&function.block) + lines(&function.sig) - 1);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &ImplItemFn) {
        self.check(&function.sig.ident, lines(&function.block) + lines(&function.sig) - 1);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &TraitItemFn) {
        self.check(&function.sig.ident, lines(function));
        visit::visit_trait_item_fn(self, function);
    }
}

#[test]
fn the_measure_sees_tests_and_long_functions() {
    let body = "let _ = 1;\n".repeat(FUNCTION_LINES);
    let text = format!("fn long() {{\n{body}}}\n#[cfg(test)]\nmod tests {{\nfn a() {{}}\n}}\n");
    let file = File { path: "sample.rs".to_owned(), text };
    assert_eq!(test_lines(&file), 4);
    let mut breaches = Vec::new();
    Functions { path: "sample.rs", breaches: &mut breaches }.visit_file(&parsed(&file));
    assert_eq!(breaches, ["sample.rs: long has 72"]);
}
