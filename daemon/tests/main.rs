//! The tests of the whole: the house rules, the stories on both stores, and what must survive what.
//!
//! One binary, so that it links once.

#![allow(clippy::needless_pass_by_value, reason = "a story is told by whoever is given it")]

mod faults;
mod house;
mod settings;
mod story;
mod world;
