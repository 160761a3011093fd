//! Names to addresses, once per connection.

use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

use super::{EgressError, hop::Hop};

/// Where addresses of names come from, so that a test can own them.
pub trait Resolver: Send + Sync + 'static {
    /// The addresses of a host; none, or an error, where it has none.
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// The system's resolver (`/etc/hosts`, DNS, whatever the machine is set to).
#[derive(Debug)]
pub struct SystemResolver {
    slots: Arc<Semaphore>,
}

impl SystemResolver {
    /// A resolver with so many look-ups at once: each takes a thread for as long as the system's time limit allows, even
    /// when nobody waits for it any more.
    #[must_use]
    pub fn new(concurrency: u64) -> Self {
        let slots = usize::try_from(concurrency).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { slots: Arc::new(Semaphore::new(slots)) }
    }
}

impl Resolver for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(io::Error::other)?;
            let host = host.to_owned();
            let looked_up = tokio::task::spawn_blocking(move || {
                let _slot = slot;
                (host.as_str(), 0).to_socket_addrs().map(|found| found.map(|socket| socket.ip()).collect())
            });
            looked_up.await.map_err(io::Error::other)?
        })
    }
}

tokio::task_local! {
    /// The hop for which a connection is being made; without it no name resolves.
    pub(super) static HOP: Arc<Hop>;
}

/// The client's resolver: what it answers is what the client connects to, so nothing can change between the check and
/// the connection.
pub(super) struct Guarded(pub(super) Arc<dyn Resolver>);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let hop = HOP.try_with(Arc::clone);
        let resolver = Arc::clone(&self.0);
        Box::pin(async move {
            let hop = hop?;
            match permitted(&hop, &*resolver, name.as_str()).await {
                Ok(addresses) => {
                    let port = hop.port;
                    let sockets = addresses.into_iter().map(move |address| SocketAddr::new(address, port));
                    Ok(Box::new(sockets) as Addrs)
                }
                Err(error) => {
                    hop.fail(error.clone());
                    Err(error.into())
                }
            }
        })
    }
}

async fn permitted(hop: &Hop, resolver: &dyn Resolver, name: &str) -> Result<Vec<IpAddr>, EgressError> {
    let found = resolver.resolve(name).await.unwrap_or_default();
    let mut refused = EgressError::Dns { host: hop.host.clone() };
    let mut good = Vec::with_capacity(found.len());
    for address in found {
        match hop.judge(address) {
            Ok(()) => good.push(address.to_canonical()),
            Err(error) => refused = error,
        }
    }
    if good.is_empty() { Err(refused) } else { Ok(good) }
}
