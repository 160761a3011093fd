//! The services that the operator names by address: where prices come from, who settles withdrawals, which Neo node.

use std::fmt;

use secrecy::SecretString;

/// An HTTP service outside, and what opens it.
#[derive(Clone)]
pub struct Peer {
    /// An absolute `http` or `https` URL.
    pub url: String,
    /// Sent as `Authorization: Bearer`, where there is one.
    pub key: Option<SecretString>,
}

impl fmt::Debug for Peer {
    /// Without query and key: either may hold a secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.split(['?', '#']).next().unwrap_or_default();
        formatter.debug_struct("Peer").field("url", &url).finish_non_exhaustive()
    }
}

impl Peers {
    /// All that are named.
    pub fn iter(&self) -> impl Iterator<Item = &Peer> {
        [&self.price_fetch, &self.gas_resolver, &self.neo_rpc].into_iter().flatten()
    }
}

/// All of them; none is needed.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    /// Answers the price of a pair (`PRICEFEED_FETCH_URL`, `PRICEFEED_FETCH_KEY`).
    pub price_fetch: Option<Peer>,
    /// Answers what became of a chain transaction (`GASBANK_RESOLVER_URL`, `GASBANK_RESOLVER_KEY`).
    pub gas_resolver: Option<Peer>,
    /// A Neo N3 node's JSON-RPC (`NEO_RPC_URL`).
    pub neo_rpc: Option<Peer>,
}
