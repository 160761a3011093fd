//! Tidiness as a test: the rules of docs/style.md that no lint holds.

mod arrows;
mod papers;
mod sizes;
mod source;
mod units;
mod words;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The top of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the daemon's folder lies in the repository")
}

/// A file of the repository with its text.
pub struct File {
    /// The path from the top, with `/`.
    pub path: String,
    /// The content; files that are no text are left out.
    pub text: String,
}

/// Every text file that is, or is about to be, under version control.
pub fn files() -> Vec<File> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(root())
        .output()
        .expect("git lists the files");
    assert!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    let mut paths: Vec<String> = String::from_utf8(listed.stdout)
        .expect("paths are UTF-8")
        .split_terminator('\0')
        .map(str::to_owned)
        .collect();
    paths.sort();
    paths.dedup();
    paths
        .into_iter()
        .filter_map(|path| fs::read_to_string(root().join(&path)).ok().map(|text| File { path, text }))
        .collect()
}

/// The Rust files among them.
pub fn rust_files() -> Vec<File> {
    files().into_iter().filter(|file| has_extension(&file.path, &["rs"])).collect()
}

/// Whether the path ends in one of these extensions.
pub fn has_extension(path: &str, extensions: &[&str]) -> bool {
    Path::new(path)
        .extension()
        .and_then(|found| found.to_str())
        .is_some_and(|found| extensions.contains(&found))
}

/// A file of the repository that has to be there.
pub fn read(path: &str) -> String {
    let whole: PathBuf = root().join(path);
    fs::read_to_string(&whole).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Compares a generated file with what it should be; writes it instead where `SERVICE_LAYER_REGEN` is set.
#[expect(clippy::disallowed_methods, reason = "a word from `./x regen`, no setting of the daemon")]
pub fn is_fresh(path: &str, expected: &str) {
    if std::env::var_os("SERVICE_LAYER_REGEN").is_some() {
        fs::write(root().join(path), expected).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    let found = fs::read_to_string(root().join(path)).unwrap_or_default();
    let differs = found.lines().zip(expected.lines()).position(|(one, other)| one != other);
    let line = differs.unwrap_or_else(|| found.lines().count().min(expected.lines().count()));
    let wanted = expected.lines().nth(line).unwrap_or("its end");
    assert!(
        found == expected,
        "{path} is stale from line {}, where {wanted:?} is expected; ./x regen writes it anew",
        line + 1
    );
}

/// Fails with every breach, one a line.
pub fn none(rule: &str, breaches: &[String]) {
    assert!(breaches.is_empty(), "{rule}:\n  {}", breaches.join("\n  "));
}
