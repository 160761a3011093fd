//! The process in which tenant code runs, and nothing else.

fn main() {}
