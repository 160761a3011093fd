//! What is counted and timed: Prometheus names `service_layer_*`, base units, never an account as a label.

use prometheus::{
    Encoder as _, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
    core::Collector,
};
use sl_store::Fault;

/// The metrics of a daemon; cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    /// Requests by operation and status class.
    pub requests: IntCounterVec,
    /// Seconds a request took, by operation.
    pub request_seconds: HistogramVec,
    /// Attempts of duties by duty and outcome.
    pub attempts: IntCounterVec,
    /// Seconds an attempt took, by duty.
    pub attempt_seconds: HistogramVec,
    /// Seconds from when an item is due to when an attempt at it begins, by duty.
    pub start_delay_seconds: HistogramVec,
    /// Ended executions by status.
    pub executions: IntCounterVec,
    /// Outcomes of executions that were refused because the lease had been lost, by part: `run`, `actions`.
    pub executions_lost: IntCounterVec,
    /// Performed Devpack actions by kind and status.
    pub actions: IntCounterVec,
    /// Seconds an execution took, queueing left out.
    pub execution_seconds: HistogramVec,
    /// Refused requests, by whether they were written down for the audit.
    pub refusals: IntCounterVec,
    /// Account actors of this daemon.
    pub account_actors: IntGauge,
    /// Parts that run degraded.
    pub degraded: IntGauge,
}

const SECONDS: [f64; 12] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

impl Metrics {
    /// Metrics that count from zero.
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            registered(
                &registry,
                IntCounterVec::new(Opts::new(format!("service_layer_{name}"), help), labels),
            )
        };
        let histogram = |name: &str, help: &str, labels: &[&str]| {
            let options = HistogramOpts::new(format!("service_layer_{name}"), help).buckets(SECONDS.to_vec());
            registered(&registry, HistogramVec::new(options, labels))
        };
        let gauge = |name: &str, help: &str| {
            registered(&registry, IntGauge::new(format!("service_layer_{name}"), help))
        };
        let metrics = Self {
            requests: counter("http_requests_total", "Requests answered.", &["operation", "status"]),
            request_seconds: histogram("http_request_seconds", "Seconds a request took.", &["operation"]),
            attempts: counter("duty_attempts_total", "Attempts at work items.", &["duty", "outcome"]),
            attempt_seconds: histogram("duty_attempt_seconds", "Seconds an attempt took.", &["duty"]),
            start_delay_seconds: histogram(
                "duty_start_delay_seconds",
                "Seconds from when an item is due to when an attempt at it begins.",
                &["duty"],
            ),
            executions: counter("executions_total", "Ended executions.", &["status"]),
            executions_lost: counter(
                "executions_lost_total",
                "Outcomes of executions that were refused because the lease had been lost.",
                &["part"],
            ),
            actions: counter("actions_total", "Performed Devpack actions.", &["type", "status"]),
            execution_seconds: histogram("execution_seconds", "Seconds an execution ran.", &["status"]),
            refusals: counter(
                "audit_refusals_total",
                "Refused requests, by whether they were written down for the audit: written, dropped, lost.",
                &["outcome"],
            ),
            account_actors: gauge("account_actors", "Account actors of this daemon."),
            degraded: gauge("degraded_parts", "Parts of the daemon that run degraded."),
            registry: registry.clone(),
        };
        #[cfg(target_os = "linux")]
        metrics.register(prometheus::process_collector::ProcessCollector::for_self());
        metrics
    }

    /// Adds a collector of a service's own.
    pub fn register(&self, collector: impl Collector + 'static) {
        if let Err(error) = self.registry.register(Box::new(collector)) {
            tracing::error!(%error, "A metric could not be registered");
        }
    }

    /// The text a Prometheus server reads.
    ///
    /// # Errors
    /// [`sl_store::Code::Internal`] where the encoder fails.
    pub fn text(&self) -> Result<String, Fault> {
        let mut bytes = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut bytes).map_err(Fault::internal)?;
        String::from_utf8(bytes).map_err(Fault::internal)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn registered<C: Collector + Clone + 'static>(registry: &Registry, made: prometheus::Result<C>) -> C {
    #[expect(
        clippy::expect_used,
        reason = "names and labels are constants; the tests of this crate build them all"
    )]
    let collector = made.expect("a metric's name and labels are valid");
    #[expect(clippy::expect_used, reason = "each name is registered once, above")]
    registry.register(Box::new(collector.clone())).expect("a metric is registered once");
    collector
}
