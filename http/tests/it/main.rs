//! The front end over the in-memory store, on real sockets.

mod accounts;
mod callbacks;
mod document;
mod edge;
mod idempotency;
mod limits;
mod matrix;
mod pages;
mod server;
mod streams;
