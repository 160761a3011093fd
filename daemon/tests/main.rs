//! The tests of the whole: the house rules, the stories on both stores, and what must survive what.
//!
//! One binary, so that it links once.

mod faults;
mod house;
mod settings;
mod story;
mod world;
