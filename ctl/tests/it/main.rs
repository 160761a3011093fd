//! The real binary against a scripted server on the loopback interface.

mod contexts;
mod coverage;
mod input;
mod manifests;
mod outputs;
mod problems;
mod program;
mod randomness;
mod retries;
mod rounds;
mod server;
mod shell;
mod streams;
mod tls;
mod verbs;
mod verify;
