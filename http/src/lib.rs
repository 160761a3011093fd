//! The HTTP API: operation tables, authentication, errors, OpenAPI, live streams, dashboard.
//!
//! Every operation is a value ([`operation::Operation`]) in a table of [`routes`]. From that table follow the paths that
//! are served, the document at `/openapi.json`, permissions, metric labels, the commands of `slctl` and the tests over
//! all operations. A request takes the same steps whichever operation it names: they stand in one place, the private
//! module `exchange`.
//!
//! [`serve`] starts the server on a listener, so that a test may bind port 0.

mod auth;
mod body;
mod dress;
mod errors_page;
mod etag;
mod events;
mod exchange;
mod facts;
mod front;
mod guard;
pub mod input;
mod json;
mod limiter;
pub mod live;
pub mod openapi;
pub mod operation;
mod pages;
mod performance;
mod pointer;
mod problem;
mod query;
mod raw;
mod request_id;
pub mod resource;
mod router;
pub mod routes;
pub mod schemas;
mod server;
pub mod settings;
mod suggest;

pub use self::{
    auth::Operator,
    front::{Config, Front},
    problem::status,
    server::{Server, Service, serve},
};
