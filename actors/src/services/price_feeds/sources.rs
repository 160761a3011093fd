//! Sources of a feed as tenants name them: checked, and their headers sealed.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};
use sl_store::{Entity as _, Fault, Key};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::{
    MAX_SOURCES,
    entity::{PriceFeed, Source},
};
use crate::{
    Core,
    action::Tenant,
    check::Check,
    egress::{HeaderMap, Url, headers},
    exact,
    patch::or_usual,
    sealed::Sealed,
};

/// How long a name is that follows from a URL, without its number.
const NAMED: usize = 120;

/// Where the price stands in an answer unless the source says otherwise.
const RESULT_PATH: &str = "$.price";

/// A place to ask for prices by `GET`.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPriceSource)]
pub struct NewSource {
    /// An absolute `http` or `https` URL.
    #[schema(max_length = 2_048)]
    pub url: String,
    /// A JSONPath (RFC 9535) to the one price in the answer; `$.price` unless said otherwise.
    #[schema(max_length = 256)]
    pub result_path: Option<String>,
    /// Headers that are sent, like an API key; sealed, and never answered.
    #[serde(default, deserialize_with = "or_usual")]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    pub headers: BTreeMap<String, String>,
    /// What its observations are called; unless said otherwise the URL's host, with the path where the feed has several
    /// sources of that host. Unique in the feed.
    #[schema(max_length = 128)]
    pub name: Option<String>,
}

/// A source as it may be named: with all there is to say of it, or by its URL alone.
#[derive(Clone, Debug, ToSchema)]
#[serde(untagged)]
#[schema(as = PriceSourceOrUrl)]
pub enum SourceOrUrl {
    /// Its URL.
    Url(String),
    /// All of it.
    Source(NewSource),
}

impl<'de> Deserialize<'de> for SourceOrUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadSource)
    }
}

struct ReadSource;

impl<'de> Visitor<'de> for ReadSource {
    type Value = SourceOrUrl;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object or a URL")
    }

    fn visit_str<E: de::Error>(self, url: &str) -> Result<SourceOrUrl, E> {
        Ok(SourceOrUrl::Url(url.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<SourceOrUrl, A::Error> {
        NewSource::deserialize(MapAccessDeserializer::new(members)).map(SourceOrUrl::Source)
    }
}

impl From<SourceOrUrl> for NewSource {
    fn from(named: SourceOrUrl) -> Self {
        match named {
            SourceOrUrl::Source(source) => source,
            SourceOrUrl::Url(url) => Self { url, result_path: None, headers: BTreeMap::new(), name: None },
        }
    }
}

impl fmt::Debug for NewSource {
    /// Without query and headers' values: either may hold a secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.split(['?', '#']).next().unwrap_or_default();
        let headers: Vec<&String> = self.headers.keys().collect();
        formatter
            .debug_struct("NewSource")
            .field("url", &url)
            .field("headers", &headers)
            .finish_non_exhaustive()
    }
}

/// A source as it is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PriceSourceView)]
pub struct SourceView {
    /// What its observations are called.
    pub name: String,
    /// What is asked.
    pub url: String,
    /// Where the price stands in the answer.
    pub result_path: String,
    /// The names of the headers that are sent.
    pub header_names: Vec<String>,
}

impl Source {
    /// The public face.
    pub(super) fn view(&self) -> SourceView {
        let Self { name, url, result_path, header_names } = self.clone();
        SourceView { name, url, result_path, header_names }
    }
}

/// The headers of each source, in order.
pub(super) type Headers = Vec<BTreeMap<String, String>>;

/// Checks sources; every broken rule is told. Answers them with their headers apart.
pub(super) fn check(new: Vec<SourceOrUrl>, tenant: &Tenant, check: &mut Check) -> (Vec<Source>, Headers) {
    let most = tenant.settings.size(&MAX_SOURCES);
    if new.len() > most {
        let detail = format!("must name at most {most} sources ({}), not {}", MAX_SOURCES.name, new.len());
        check.broken("/sources", "entries", detail);
        return (Vec::new(), Vec::new());
    }
    let new: Vec<NewSource> = new.into_iter().map(NewSource::from).collect();
    let mut given = HashSet::new();
    let mut made = (Vec::new(), Vec::new());
    for (index, (name, new)) in names(&new).into_iter().zip(new).enumerate() {
        let at = format!("/sources/{index}");
        check_url(&at, &new.url, tenant, check);
        headers::check(&format!("{at}/headers"), &new.headers, check);
        if !name.is_empty() || !new.url.is_empty() {
            check.text(&format!("{at}/name"), &name, 1..=128);
        }
        if new.name.is_some() && !given.insert(name.clone()) {
            check.broken(
                format!("{at}/name"),
                "unique",
                format!("another source is called {name:?} already"),
            );
        }
        let result_path = new.result_path.unwrap_or_else(|| RESULT_PATH.to_owned());
        check.text(&format!("{at}/result_path"), &result_path, 1..=256);
        if let Err(error) = exact::path(&result_path) {
            let detail = format!("must be a JSONPath like $.data.price (RFC 9535): {error}");
            check.broken(format!("{at}/result_path"), "format", detail);
        }
        let header_names = new.headers.keys().cloned().collect();
        made.0.push(Source { name, url: new.url, result_path, header_names });
        made.1.push(new.headers);
    }
    made
}

/// What the sources are called: as they were named; otherwise by the URL's host, by host, port and path where the feed has
/// several of one host, and with a number where these are the same as well.
fn names(new: &[NewSource]) -> Vec<String> {
    let given = |source: &NewSource| source.name.as_ref().map(|name| name.trim().to_owned());
    let places: Vec<Option<(String, String)>> = new.iter().map(|source| place(&source.url)).collect();
    let unnamed = || new.iter().zip(&places).filter(|(source, _)| source.name.is_none());
    let mut taken: HashSet<String> = new.iter().filter_map(given).collect();
    let mut named = Vec::with_capacity(new.len());
    for (source, place) in new.iter().zip(&places) {
        let name = given(source).or_else(|| {
            let (host, whole) = place.as_ref()?;
            let hosts = unnamed().filter(|(_, other)| other.as_ref().is_some_and(|(other, _)| other == host));
            let is_only = hosts.count() == 1 && !taken.contains(host);
            let base: String = if is_only { host } else { whole }.chars().take(NAMED).collect();
            let numbered = (2..).map(|number| format!("{base} #{number}"));
            let name = std::iter::once(base.clone()).chain(numbered).find(|name| !taken.contains(name))?;
            taken.insert(name.clone());
            Some(name)
        });
        named.push(name.unwrap_or_default());
    }
    named
}

/// The host of a URL; and with port and path, without the query, which may hold a secret.
fn place(url: &str) -> Option<(String, String)> {
    let url = Url::parse(url).ok()?;
    let host = url.host_str()?.to_owned();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let whole = format!("{host}{port}{}", url.path());
    Some((host, whole))
}

fn check_url(at: &str, url: &str, tenant: &Tenant, check: &mut Check) {
    check.text(&format!("{at}/url"), url, 1..=2_048);
    if let Err(error) = tenant.core.egress.admit(url) {
        check.broken(format!("{at}/url"), "url", error.to_string());
    }
}

/// Seals the headers for a feed's row; none where there are none.
pub(super) fn seal(core: &Core, key: Key, headers: &Headers) -> Result<Option<Sealed>, Fault> {
    if headers.iter().all(BTreeMap::is_empty) {
        return Ok(None);
    }
    let text = Zeroizing::new(serde_json::to_vec(headers).map_err(Fault::internal)?);
    Ok(Some(Sealed::new(core, PriceFeed::TABLE, key, &text)))
}

/// Opens the headers of a feed's sources, as they are sent.
pub(super) fn open(core: &Core, feed: &PriceFeed) -> Result<Vec<HeaderMap>, Fault> {
    let Some(sealed) = &feed.envelope else { return Ok(vec![HeaderMap::new(); feed.sources.len()]) };
    let text = sealed.open(core, PriceFeed::TABLE, feed.head.key())?;
    let headers: Headers =
        serde_json::from_slice(&text).map_err(|_| Fault::internal("headers are unreadable"))?;
    Ok(headers.iter().map(headers::sent).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_without_a_name_have_one_of_their_own() {
        let named = |sources: &[(&str, Option<&str>)]| {
            let source = |(url, name): &(&str, Option<&str>)| {
                let name = name.map(str::to_owned);
                NewSource { name, ..NewSource::from(SourceOrUrl::Url((*url).to_owned())) }
            };
            names(&sources.iter().map(source).collect::<Vec<_>>())
        };
        assert_eq!(
            named(&[("https://a.example/p?key=1", None), ("https://b.example/p", None)]),
            ["a.example", "b.example"]
        );
        assert_eq!(
            named(&[("http://h:81/p1", None), ("http://h/p2?key=1", None), ("http://h/p2?key=2", None)]),
            ["h:81/p1", "h/p2", "h/p2 #2"]
        );
        assert_eq!(named(&[("http://h/p", None), ("http://x/", Some(" h "))]), ["h/p", "h"]);
        assert_eq!(named(&[("no URL", None), ("http://h/p", Some("one"))]), ["", "one"]);
    }
}
