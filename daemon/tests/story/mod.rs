//! What users do, told once and run on both stores.

mod accounts;
mod health;
