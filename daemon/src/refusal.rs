//! Why the daemon does not start or does not go on, with what to do about it.

use std::fmt;

/// A reason to end, an exit code (those of sysexits.h) and a remedy.
#[derive(Debug)]
pub struct Refusal {
    /// The exit code.
    pub exit: u8,
    /// What is wrong; several lines where several things are.
    pub message: String,
    /// What to do, where there is something to do.
    pub remedy: Option<String>,
}

impl Refusal {
    /// The configuration is wrong (78): starting again without a change is of no use.
    #[must_use]
    pub fn configuration(message: impl Into<String>) -> Self {
        Self { exit: 78, message: message.into(), remedy: None }
    }

    /// Something the daemon needs does not answer (69): starting again later may help.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self { exit: 69, message: message.into(), remedy: None }
    }

    /// The operating system refuses (71): an address in use, a file that cannot be written.
    #[must_use]
    pub fn system(message: impl Into<String>) -> Self {
        Self { exit: 71, message: message.into(), remedy: None }
    }

    /// A defect of ours (70).
    #[must_use]
    pub fn defect(message: impl Into<String>) -> Self {
        Self { exit: 70, message: message.into(), remedy: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        self.remedy.as_ref().map_or(Ok(()), |remedy| write!(formatter, "\n{remedy}"))
    }
}

impl std::error::Error for Refusal {}
