//! The front end over the in-memory store, on real sockets.

mod accounts;
mod callbacks;
mod document;
mod edge;
mod functions;
mod idempotency;
mod limits;
mod matrix;
mod pages;
mod refusals;
mod server;
mod streams;
