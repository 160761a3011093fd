//! What the front end is made of, shared by its requests.

use std::{sync::Arc, time::Duration};

use actix_web::web::Bytes;
use prometheus::{Histogram, IntCounter};
use sl_actors::{Runtime, settings::Settings};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    auth::Operator,
    body,
    limiter::Limiter,
    live::Live,
    openapi,
    operation::Operation,
    router::Router,
    routes,
    settings::{BODY_DEADLINE, BODY_LIMIT, HEADER_LIMIT, JSON_DEPTH},
};

/// How the front end is configured, besides the numbers.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The operators.
    pub operators: Vec<Operator>,
    /// The origins whose pages may call the API from a browser; none by default.
    pub origins: Vec<String>,
}

/// The front end.
#[derive(Debug)]
pub struct Front {
    /// The running system.
    pub runtime: Runtime,
    /// How it is configured.
    pub config: Config,
    /// Cancelled when the daemon drains: readiness fails and streams end.
    pub draining: CancellationToken,
    /// When it started.
    pub started: Instant,
    /// The live streams.
    pub live: Live,
    /// The operations.
    pub table: Vec<Operation>,
    pub(crate) router: Router,
    pub(crate) meters: Vec<Meter>,
    pub(crate) limiter: Limiter,
    pub(crate) bounds: Bounds,
    /// The document, written.
    pub document: Bytes,
}

/// The bounds of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub body: body::Bounds,
    pub depth: usize,
    pub headers: usize,
}

/// The metrics of one operation.
#[derive(Debug)]
pub(crate) struct Meter {
    classes: [IntCounter; 5],
    seconds: Histogram,
}

impl Meter {
    /// Counts an answer.
    pub fn count(&self, status: u16, took: Duration) {
        if let Some(class) = self.classes.get(usize::from(status / 100).saturating_sub(1)) {
            class.inc();
        }
        self.seconds.observe(took.as_secs_f64());
    }
}

impl Front {
    /// The front end of a runtime.
    #[must_use]
    pub fn new(runtime: Runtime, config: Config, draining: CancellationToken) -> Arc<Self> {
        let core = runtime.core().clone();
        let table = routes::all();
        let mut router = Router::default();
        for (position, operation) in table.iter().enumerate() {
            router.add(operation.method.clone(), operation.path, position);
        }
        let metrics = &core.metrics;
        let named = table.iter().map(|operation| operation.id.as_str()).chain([UNKNOWN]);
        let meters = named
            .map(|id| Meter {
                classes: ["1xx", "2xx", "3xx", "4xx", "5xx"]
                    .map(|class| metrics.requests.with_label_values(&[id, class])),
                seconds: metrics.request_seconds.with_label_values(&[id]),
            })
            .collect();
        let document = Bytes::from(openapi::document(&table).to_string());
        let live = Live::new(&core);
        Arc::new(Self {
            config,
            draining,
            started: Instant::now(),
            live,
            router,
            meters,
            limiter: Limiter::new(&core.settings, table.iter().filter_map(|operation| operation.rate)),
            bounds: Bounds::new(&core.settings),
            document,
            table,
            runtime,
        })
    }

    /// The metrics of an operation, or of everything that is none.
    pub(crate) fn meter(&self, operation: Option<usize>) -> Option<&Meter> {
        operation.map_or(self.meters.last(), |position| self.meters.get(position))
    }
}

/// The label of what is no operation.
const UNKNOWN: &str = "none";

impl Bounds {
    fn new(settings: &Settings) -> Self {
        Self {
            body: body::Bounds {
                limit: settings.size(&BODY_LIMIT),
                setting: BODY_LIMIT.name,
                deadline: settings.duration(&BODY_DEADLINE),
                signed: false,
            },
            depth: settings.size(&JSON_DEPTH),
            headers: settings.size(&HEADER_LIMIT),
        }
    }
}
