//! What every part of the program fails with: an exit code and a message for people.

use std::{fmt, io};

use crate::exit::Exit;

/// An end that is not the wished one.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// The message, without secrets; nothing is printed where it is empty.
    pub message: String,
    /// Further lines that help: fields at fault, the request id, what to do.
    pub notes: Vec<String>,
}

/// The result of everything that can fail here.
pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// A failure with an exit code and a message.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), notes: Vec::new() }
    }

    /// The command line or a file it names is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// An end without a message: the exit code says it all, or nobody listens any more.
    pub fn silent(exit: Exit) -> Self {
        Self::new(exit, "")
    }

    /// Adds a line that helps.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.message)?;
        self.notes.iter().try_for_each(|note| write!(formatter, "\n  {note}"))
    }
}

/// Writing to standard output failed: a reader that went away is no failure worth a word.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::silent(Exit::Done);
        }
        Self::new(Exit::Other, error.to_string())
    }
}
