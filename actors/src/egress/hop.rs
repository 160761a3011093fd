//! One target of one request: may it be reached?

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use url::{Host, Url};

use super::{AllowList, EgressError, address};

/// Ports that browsers refuse too, because what listens there may take an HTTP request for commands of its own protocol
/// (Fetch standard, section 2.9 "port blocking"), and the usual ports of databases and caches.
const CLOSED_PORTS: [u16; 92] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103,
    104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514,
    515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1433, 1521, 1719,
    1720, 1723, 2049, 3306, 3389, 3659, 4045, 4190, 5060, 5061, 5432, 6000, 6379, 6566, 6665, 6666, 6667,
    6668, 6669, 6679, 6697, 10080, 11211, 27017, 50000,
];

/// What decides about targets, the same for all requests.
#[derive(Debug)]
pub(super) struct Policy {
    pub(super) allow: AllowList,
    pub(super) own: address::OwnAddresses,
}

/// One target while it is being reached.
#[derive(Debug)]
pub(super) struct Hop {
    pub(super) host: String,
    pub(super) port: u16,
    policy: Arc<Policy>,
    named: bool,
    failure: OnceLock<EgressError>,
}

impl Hop {
    /// Checks everything about the URL that needs no name resolution. The URL has been through the URL standard's parser, so
    /// that `http://0x7f.1/`, `http://2130706433/` and full-width digits have become plain addresses.
    pub(super) fn new(url: &Url, policy: &Arc<Policy>) -> Result<Arc<Self>, EgressError> {
        let invalid = |detail: &str| EgressError::Invalid { detail: detail.to_owned() };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid("only http and https URLs can be fetched"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid(
                "a URL with a user name or password cannot be fetched; use an Authorization header",
            ));
        }
        let host = url.host().ok_or_else(|| invalid("the URL names no host"))?;
        let port = url.port_or_known_default().ok_or_else(|| invalid("the URL names no port"))?;
        let name = host.to_string();
        let hop = Self {
            named: policy.allow.names(&name, port),
            host: name,
            port,
            policy: Arc::clone(policy),
            failure: OnceLock::new(),
        };
        match host {
            Host::Ipv4(address) => hop.judge(address.into())?,
            Host::Ipv6(address) => hop.judge(address.into())?,
            Host::Domain(_) => {}
        }
        Ok(Arc::new(hop))
    }

    /// Whether this address may be connected to for this target.
    pub(super) fn judge(&self, address: IpAddr) -> Result<(), EgressError> {
        if self.named || self.policy.allow.reaches(address, self.port) {
            return Ok(());
        }
        if let Some(reason) = address::special(address) {
            return Err(self.refused(reason));
        }
        if CLOSED_PORTS.binary_search(&self.port).is_ok() {
            return Err(self.refused("port"));
        }
        if self.policy.own.contain(address) { Err(self.refused("own_address")) } else { Ok(()) }
    }

    /// Keeps why the connection failed, for the client library wraps it beyond recognition.
    pub(super) fn fail(&self, error: EgressError) {
        // The first reason stands; a second one of the same hop is a consequence.
        let _ = self.failure.set(error);
    }

    pub(super) fn failure(&self) -> Option<EgressError> {
        self.failure.get().cloned()
    }

    fn refused(&self, reason: &'static str) -> EgressError {
        EgressError::Refused { host: self.host.clone(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_ports_are_sorted_for_the_search() {
        assert!(CLOSED_PORTS.is_sorted());
    }
}
