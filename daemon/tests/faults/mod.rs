//! What must survive what, with real processes: the quick form of each promise. `./x soak` runs the full form.

mod actions;
mod canary;
mod database;
mod events;
mod money;
mod neighbours;
mod neo;
mod requests;
mod start;
mod work;
