//! The HTTP API: operation tables, authentication, errors, OpenAPI, live streams, dashboard.
