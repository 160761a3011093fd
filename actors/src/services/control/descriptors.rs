//! What services there are.

use serde::Serialize;
use sl_store::Fault;
use utoipa::ToSchema;

use crate::{
    action::{Action, Order, Tenant},
    services::{self, Service},
};

/// A service as descriptors tell it; the front end adds its routes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DescriptorView {
    /// Its name.
    pub name: &'static str,
    /// Its domain.
    pub domain: &'static str,
    /// Its layer: `ingress`, `adapter`, `engine`, `data` or `security`.
    pub layer: &'static str,
    /// What it can do.
    pub capabilities: &'static [&'static str],
}

/// Every service, by layer and then by name; run for the system.
#[derive(Clone, Copy, Debug)]
pub struct Descriptors;

impl Action for Descriptors {
    type Output = Vec<DescriptorView>;
    const ORDER: Order = Order::Concurrent;

    async fn run(self, _tenant: &Tenant) -> Result<Vec<DescriptorView>, Fault> {
        let told = |service: &&Service| DescriptorView {
            name: service.name,
            domain: service.domain,
            layer: service.layer,
            capabilities: service.capabilities,
        };
        let mut all: Vec<DescriptorView> = services::ALL.iter().map(told).collect();
        all.sort_by_key(|service| (service.layer, service.name));
        Ok(all)
    }
}
