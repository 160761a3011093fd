//! The operator's list of private targets that are open after all (`SERVICE_LAYER_EGRESS_ALLOW`).

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use ipnet::IpNet;
use sl_store::Fault;
use url::{Host, Url};

/// Which targets pass although their address is special: hosts, `host:port`, addresses and CIDR blocks.
///
/// A name opens whatever it resolves to; an address or a block opens itself, under any name. Without a port every port
/// is open, those on the deny-list too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowList(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    target: Target,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Name(String),
    Net(IpNet),
}

impl AllowList {
    /// The same, and open to exactly the host and port of a URL that the operator named.
    #[must_use]
    pub fn opened_for(mut self, url: &str) -> Self {
        let Ok(url) = Url::parse(url) else { return self };
        let target = match url.host() {
            Some(Host::Domain(name)) => Target::Name(canonical(name)),
            Some(Host::Ipv4(address)) => Target::Net(IpAddr::from(address).into()),
            Some(Host::Ipv6(address)) => Target::Net(IpAddr::from(address).to_canonical().into()),
            None => return self,
        };
        self.0.push(Entry { target, port: url.port_or_known_default() });
        self
    }

    /// Whether the host, as the URL writes it after normalisation, is open at this port.
    pub(super) fn names(&self, host: &str, port: u16) -> bool {
        let host = canonical(host);
        self.0.iter().any(|entry| match &entry.target {
            Target::Name(name) => *name == host && entry.port.is_none_or(|open| open == port),
            Target::Net(_) => false,
        })
    }

    /// Whether the address is open at this port.
    pub(super) fn reaches(&self, address: IpAddr, port: u16) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|entry| match &entry.target {
            Target::Net(net) => net.contains(&address) && entry.port.is_none_or(|open| open == port),
            Target::Name(_) => false,
        })
    }
}

impl FromStr for AllowList {
    type Err = Fault;

    /// Reads entries separated by commas or white space; the fault names the entry that cannot be read.
    fn from_str(text: &str) -> Result<Self, Fault> {
        text.split(|separator: char| separator == ',' || separator.is_whitespace())
            .filter(|entry| !entry.is_empty())
            .map(|entry| parse(entry).ok_or_else(|| unreadable(entry)))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn unreadable(entry: &str) -> Fault {
    Fault::field(
        "egress.allow",
        "unreadable",
        format!(
            "`{entry}` is no host, host:port, address or CIDR block; write `api.internal`, `api.internal:8443`, `[fd00::1]:80` or `10.0.0.0/8`"
        ),
    )
}

fn parse(entry: &str) -> Option<Entry> {
    let net = |net, port| Some(Entry { target: Target::Net(net), port });
    if let Ok(block) = entry.parse::<IpNet>() {
        return net(block.trunc(), None);
    }
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return net(address.to_canonical().into(), None);
    }
    if let Ok(socket) = entry.parse::<SocketAddr>() {
        return net(socket.ip().to_canonical().into(), Some(socket.port()));
    }
    let (name, port) = match entry.rsplit_once(':') {
        Some((name, port)) => (name, Some(port.parse().ok().filter(|port| *port != 0)?)),
        None => (entry, None),
    };
    let name = canonical(name);
    is_host_name(&name).then_some(Entry { target: Target::Name(name), port })
}

fn canonical(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// Letters, digits, `-` and `_` in labels of 1 to 63, the last of which is not a number: else the URL standard reads an
/// IPv4 address, and an entry that can match nothing would pass unnoticed.
fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let last_is_number =
        name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    name.len() <= 253 && name.split('.').all(label) && !last_is_number
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> AllowList {
        text.parse().expect("a readable list")
    }

    fn reaches(list: &AllowList, address: &str, port: u16) -> bool {
        list.reaches(address.parse().expect("an address"), port)
    }

    #[test]
    fn names_match_whole_and_by_port() {
        let list = list("Api.Internal., build:8443");
        assert!(list.names("api.internal", 1) && list.names("api.internal.", 443));
        assert!(!list.names("x.api.internal", 443) && !list.names("internal", 443));
        assert!(list.names("build", 8443) && !list.names("build", 80));
    }

    #[test]
    fn addresses_and_blocks_match_in_either_family() {
        let list = list("10.1.0.0/16 127.0.0.1:9000,[::1]:9001 fd00::/8");
        assert!(reaches(&list, "10.1.255.1", 80));
        assert!(reaches(&list, "::ffff:10.1.0.1", 80));
        assert!(!reaches(&list, "10.2.0.1", 80));
        assert!(reaches(&list, "127.0.0.1", 9000));
        assert!(!reaches(&list, "127.0.0.1", 9001));
        assert!(reaches(&list, "::1", 9001) && reaches(&list, "fd00::7", 1));
    }

    #[test]
    fn a_url_opens_its_host_and_port_and_nothing_else() {
        let list = AllowList::default()
            .opened_for("http://127.0.0.1:9000/prices?x=1")
            .opened_for("https://Prices.internal/");
        assert!(reaches(&list, "127.0.0.1", 9000) && !reaches(&list, "127.0.0.1", 9001));
        assert!(list.names("prices.internal", 443) && !list.names("prices.internal", 80));
    }

    #[test]
    fn unreadable_entries_are_named() {
        for entry in ["a b:99999", "host:0", "10.0.0.0/33", "http://x", "*.internal", "1.2.3", "a..b"] {
            let fault = entry.parse::<AllowList>().expect_err(entry);
            assert!(fault.detail.contains(entry.trim_start_matches("a ")), "{fault}");
        }
        assert_eq!(list(""), AllowList::default());
    }
}
