//! slctl: the control program, a client of the HTTP API.

fn main() {}
