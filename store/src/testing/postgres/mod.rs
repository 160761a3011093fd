//! A real `PostgreSQL` for tests. Where there is none, the tests fail; they are never skipped.
//!
//! [`Database::fresh`] gives a test a migrated database of its own, on the server that `SERVICE_LAYER_TEST_POSTGRES` names
//! or on one that all test processes share and the first of them starts. [`Server`] is one with a life of its own, for
//! tests that take it away.

mod admin;
mod database;
mod program;
mod schema;
mod server;
mod shared;

pub use admin::Admin;
pub use database::Database;
pub use schema::{create_table, differences};
pub use server::{Server, Stop};
