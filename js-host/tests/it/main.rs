//! The real process, spoken with as the daemon does.

mod basics;
mod client;
mod figures;
mod hostile;
mod programs;
mod walls;
