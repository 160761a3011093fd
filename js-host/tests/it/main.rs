//! The real process, spoken with as the daemon does.

mod basics;
mod client;
mod figures;
mod programs;
mod walls;
