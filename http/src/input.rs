//! What an action is made from: the path's ids, the query, the body, and what the headers say.

use std::sync::Arc;

use actix_web::{http::header::HeaderMap, web::Bytes};
use sl_actors::{Code, Fault, caller::Caller, page::PageRequest};
use uuid::{Uuid, fmt::Hyphenated};

/// The parameters of paths that hold a name; all others hold an id.
const NAMES: [&str; 3] = ["name", "duty", "hook_token"];

/// The parameters of paths that hold a whole number of 1 or more.
const NUMBERS: [&str; 2] = ["version", "round"];

/// What a parameter of a path holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// An id.
    Id,
    /// A name.
    Name,
    /// A whole number of 1 or more.
    Number,
}

/// What a parameter of a path holds.
#[must_use]
pub fn holds(parameter: &str) -> Holds {
    if NAMES.contains(&parameter) {
        Holds::Name
    } else if NUMBERS.contains(&parameter) {
        Holds::Number
    } else {
        Holds::Id
    }
}

/// What came with a request that no token speaks for: by its headers and its body, byte for byte, it proves itself. Empty
/// for all others.
#[derive(Clone, Debug, Default)]
pub struct Unproven {
    headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Unproven {
    /// A request as it came.
    pub const fn new(headers: HeaderMap, body: Bytes) -> Self {
        Self { headers, body }
    }

    /// The headers that are plain text, by name in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
    }

    /// A header that has to be there.
    ///
    /// # Errors
    /// [`sl_actors::Code::Unauthorized`] where it is not, or is no plain text.
    pub fn header(&self, name: &str) -> Result<String, Fault> {
        let told = self.headers.get(name).and_then(|value| value.to_str().ok());
        told.map(str::to_owned)
            .ok_or_else(|| Fault::new(Code::Unauthorized, format!("the header {name} is missing")))
    }
}

/// A request as received, its path taken apart.
#[derive(Clone, Debug)]
pub struct Received {
    /// Who asks.
    pub caller: Arc<Caller>,
    /// The parameters of the path.
    pub path: Path,
    /// The query string.
    pub query: String,
    /// The body.
    pub body: Bytes,
    /// The version that `If-Match` names.
    pub expected: Option<i64>,
    /// Where a live stream is to go on.
    pub last_event_id: Option<String>,
    /// What came with it, where no token speaks for it.
    pub unproven: Unproven,
}

/// The parameters of a path.
#[derive(Clone, Debug, Default)]
pub struct Path {
    ids: Vec<(&'static str, Uuid)>,
    names: Vec<(&'static str, String)>,
    numbers: Vec<(&'static str, i64)>,
}

impl Path {
    /// Reads the values of a path's parameters; what is no id names nothing.
    ///
    /// # Errors
    /// [`sl_actors::Code::NotFound`] in the words of a missing row.
    pub fn read<'a>(values: impl IntoIterator<Item = (&'static str, &'a str)>) -> Result<Self, Fault> {
        let mut path = Self::default();
        for (parameter, value) in values {
            let missing = || Fault::not_found(&parameter.replace('_', " "));
            match holds(parameter) {
                Holds::Name => path.names.push((parameter, value.to_owned())),
                Holds::Number => path.numbers.push((parameter, number(value).ok_or_else(missing)?)),
                Holds::Id => path.ids.push((parameter, id(value).ok_or_else(missing)?)),
            }
        }
        Ok(path)
    }

    /// The id that a parameter holds.
    ///
    /// # Errors
    /// [`sl_actors::Code::Internal`] where the operation's path has no such parameter.
    pub fn id(&self, parameter: &str) -> Result<Uuid, Fault> {
        let found = self.ids.iter().find(|(name, _)| *name == parameter);
        found.map(|(_, id)| *id).ok_or_else(|| Fault::internal(format!("the path has no {parameter}")))
    }

    /// The name that a parameter holds.
    ///
    /// # Errors
    /// [`sl_actors::Code::Internal`] where the operation's path has no such parameter.
    pub fn name(&self, parameter: &str) -> Result<String, Fault> {
        let found = self.names.iter().find(|(name, _)| *name == parameter);
        found
            .map(|(_, name)| name.clone())
            .ok_or_else(|| Fault::internal(format!("the path has no {parameter}")))
    }

    /// The number that a parameter holds.
    ///
    /// # Errors
    /// [`sl_actors::Code::Internal`] where the operation's path has no such parameter.
    pub fn number(&self, parameter: &str) -> Result<i64, Fault> {
        let found = self.numbers.iter().find(|(name, _)| *name == parameter);
        found
            .map(|(_, number)| *number)
            .ok_or_else(|| Fault::internal(format!("the path has no {parameter}")))
    }

    /// The account of the path, where it names one.
    #[must_use]
    pub fn account(&self) -> Option<Uuid> {
        self.ids.iter().find(|(name, _)| *name == "account").map(|(_, id)| *id)
    }
}

/// One spelling only, so that every thing has one path.
pub(crate) fn id(text: &str) -> Option<Uuid> {
    (text.len() == Hyphenated::LENGTH).then(|| Uuid::try_parse(text).ok()).flatten()
}

fn number(text: &str) -> Option<i64> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    canonical.then(|| text.parse().ok()).flatten()
}

/// A request read into the types an operation takes.
#[derive(Debug)]
pub struct Input<Q = (), B = ()> {
    /// Who asks.
    pub caller: Arc<Caller>,
    /// The parameters of the path.
    pub path: Path,
    /// The query.
    pub query: Q,
    /// The body.
    pub body: B,
    /// Which page of a list.
    pub page: PageRequest,
    /// The version that `If-Match` names.
    pub expected: Option<i64>,
    /// Where a live stream is to go on.
    pub last_event_id: Option<String>,
}

impl<Q, B> Input<Q, B> {
    /// The id that a parameter of the path holds.
    ///
    /// # Errors
    /// [`sl_actors::Code::Internal`] where the operation's path has no such parameter.
    pub fn id(&self, parameter: &str) -> Result<Uuid, Fault> {
        self.path.id(parameter)
    }

    /// The name that a parameter of the path holds.
    ///
    /// # Errors
    /// [`sl_actors::Code::Internal`] where the operation's path has no such parameter.
    pub fn name(&self, parameter: &str) -> Result<String, Fault> {
        self.path.name(parameter)
    }

    /// The number that a parameter of the path holds.
    ///
    /// # Errors
    /// [`sl_actors::Code::Internal`] where the operation's path has no such parameter.
    pub fn number(&self, parameter: &str) -> Result<i64, Fault> {
        self.path.number(parameter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_id_is_told_as_missing() {
        for value in ["x", "0190a5d8b3f07cc3a1c1d6f0a7e1b2c3", "{0190a5d8-b3f0-7cc3-a1c1-d6f0a7e1b2c3}", ""] {
            let fault = Path::read([("dead_letter", value)]).expect_err(value);
            assert_eq!((fault.code, fault.detail.as_str()), (Code::NotFound, "no such dead letter"));
        }
        let path =
            Path::read([("account", "0190a5d8-b3f0-7cc3-a1c1-d6f0a7e1b2c3"), ("name", "x")]).expect("well");
        assert_eq!(path.account().map(|id| id.get_version_num()), Some(7));
        assert_eq!(path.name("name").expect("there"), "x");
        assert_eq!(path.id("function").expect_err("absent").code, Code::Internal);
    }
}
