//! The environment, read once, so that a test can own it.

use std::{collections::BTreeMap, fs, path::Path};

/// Variables of the process (or of a test), and the files they point to.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl std::fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

impl Environment {
    /// The variables of this process. What is not UTF-8 is no setting of ours and left out.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn of_process() -> Self {
        let text = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self(text.collect())
    }

    /// The variables of a test.
    #[must_use]
    pub fn of(variables: &[(&str, &str)]) -> Self {
        Self(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    /// A variable; an empty one counts as none.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The names that begin with `prefix`.
    pub fn names<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.keys().map(String::as_str).filter(move |name| name.starts_with(prefix))
    }

    /// A credential that systemd laid out for this unit, by name.
    ///
    /// # Errors
    /// A sentence for people where the file is there and cannot be read.
    pub fn credential(&self, name: &str) -> Result<Option<String>, String> {
        let Some(folder) = self.get("CREDENTIALS_DIRECTORY") else { return Ok(None) };
        let path = Path::new(folder).join(name);
        // A credential of one line end is how the unit says that there is none.
        let is_given = path.metadata().is_ok_and(|about| about.len() > 1);
        if is_given { read_secret(&path).map(Some) } else { Ok(None) }
    }
}

/// A secret out of a file, without the line end that editors leave.
///
/// # Errors
/// A sentence for people that names the file.
pub fn read_secret(path: &Path) -> Result<String, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() { Err(format!("{}: the file is empty", path.display())) } else { Ok(text.to_owned()) }
}
