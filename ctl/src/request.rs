//! A request before it is sent.

use reqwest::{Method, Url};
use serde_json::Value;

use crate::failure::{Failure, Outcome};

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The parts of the path, not encoded.
    pub path: Vec<String>,
    /// The query, not encoded.
    pub query: Vec<(String, String)>,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Value>,
    /// The key under which the server keeps the answer, so that the request can be repeated.
    pub key: Option<String>,
}

impl Request {
    /// A request for a path such as `/system/version`.
    pub fn new(method: Method, path: &str) -> Self {
        let path = path.split('/').skip(1).map(str::to_owned).collect();
        Self { method, path, query: Vec::new(), headers: Vec::new(), body: None, key: None }
    }

    /// A `GET` for a path that takes no parameters.
    pub fn get(path: &str) -> Self {
        Self::new(Method::GET, path)
    }

    /// A request for a path with parameters in braces, filled in by `parameter`.
    pub fn fill(
        method: Method,
        template: &str,
        parameter: impl Fn(&str) -> Outcome<String>,
    ) -> Outcome<Self> {
        let mut request = Self::new(method, template);
        for part in &mut request.path {
            if let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                *part = checked(name, parameter(name)?)?;
            }
        }
        Ok(request)
    }

    /// Sets a query parameter, instead of the value it has.
    pub fn set_query(&mut self, name: &str, value: impl Into<String>) {
        self.query.retain(|(known, _)| known != name);
        self.query.push((name.to_owned(), value.into()));
    }

    /// Whether sending it again does no harm.
    pub fn is_repeatable(&self) -> bool {
        self.method == Method::GET || self.method == Method::HEAD || self.key.is_some()
    }

    /// The address, below the server's.
    pub fn url(&self, base: &Url) -> Outcome<Url> {
        let mut url = base.clone();
        url.path_segments_mut()
            .map_err(|()| Failure::usage(format!("{base} is no address of a server")))?
            .pop_if_empty()
            .extend(&self.path);
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Ok(url)
    }
}

/// Refuses what would name another path than the one meant.
fn checked(name: &str, value: String) -> Outcome<String> {
    if matches!(value.as_str(), "" | "." | "..") {
        return Err(Failure::usage(format!("{}: `{value}` names nothing", name.to_uppercase())));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(template: &str, value: &str) -> Outcome<String> {
        let base = Url::parse("http://host:1/prefix/").expect("a valid address");
        let request = Request::fill(Method::GET, template, |_| Ok(value.to_owned()))?;
        request.url(&base).map(|url| url.to_string())
    }

    #[test]
    fn a_parameter_stays_one_part_of_the_path() {
        assert_eq!(
            url("/a/{x}/b", "y/../z?q#f%").ok().as_deref(),
            Some("http://host:1/prefix/a/y%2F..%2Fz%3Fq%23f%25/b")
        );
    }

    #[test]
    fn a_parameter_that_names_another_path_is_refused() {
        for value in ["", ".", ".."] {
            assert!(url("/a/{x}", value).is_err());
        }
    }
}
