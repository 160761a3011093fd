//! The metrics of the chain. The daemon that reads it tells them; where another one does, they are silent after a while.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use prometheus::{
    IntGauge,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use tokio::time::Instant;

use crate::Core;

/// What is told of the chain.
#[derive(Clone, Debug)]
pub(super) struct Gauges(Arc<Told>);

#[derive(Debug)]
struct Told {
    gauges: Vec<IntGauge>,
    until: Mutex<Option<Instant>>,
}

const NAMES: [(&str, &str); 3] = [
    ("service_layer_neo_next_height", "The block of the Neo chain that is told next."),
    ("service_layer_neo_node_height", "The newest block of the Neo node."),
    ("service_layer_neo_lag_blocks", "Blocks that the Neo node has and that are not told yet."),
];

impl Gauges {
    /// Gauges that a core's metrics show.
    pub fn new(core: &Core) -> Self {
        let gauges = NAMES.into_iter().filter_map(|(name, help)| IntGauge::new(name, help).ok()).collect();
        let told = Self(Arc::new(Told { gauges, until: Mutex::default() }));
        core.metrics.register(told.clone());
        told
    }

    /// Shows next height, node's height and lag for so long.
    pub fn tell(&self, values: [u64; 3], lasts: Duration) {
        for (gauge, value) in self.0.gauges.iter().zip(values) {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
        *self.0.until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + lasts);
    }
}

impl Collector for Gauges {
    fn desc(&self) -> Vec<&Desc> {
        self.0.gauges.iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let until = *self.0.until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.is_none_or(|until| until < Instant::now()) {
            return Vec::new();
        }
        self.0.gauges.iter().flat_map(Collector::collect).collect()
    }
}
