//! The storage engine: entities as typed rows, atomic batches, the durable work queue and the event log.
//!
//! Everything the service layer remembers goes through [`Store`]. A table is described once, by an [`Entity`];
//! every change is one [`Batch`], applied whole or not at all and with the same meaning on both backends; whatever
//! must happen later is a row of the work queue ([`NewWork`]), claimed under a lease and settled under a fence; every
//! change of state appends an [`Event`] in the same batch.
//!
//! There are two backends and no more: [`memory`], a supervised actor that keeps rows in this process, and
//! [`postgres`], which shares them with other daemons. Neither holds code for a particular entity.
//!
//! Time and randomness enter the system here, through [`Clock`] and [`Chance`], so that a test can own both.

mod backend;
mod batch;
mod chance;
mod check;
mod clock;
mod entity;
mod event;
mod fault;
pub mod guess;
pub mod memory;
pub mod postgres;
mod query;
mod refuse;
mod retry;
mod seal;
mod store;
mod task;
#[cfg(feature = "testing")]
pub mod testing;
mod work;

pub use backend::{Backend, BoxFuture, Health, Hint};
pub use batch::{Batch, Expect, Guard, Write};
pub use chance::{Chance, Ids, OsChance, SeededChance};
pub use clock::{Clock, ManualClock, SystemClock};
pub use entity::{Cell, Cells, Column, Entity, Head, Key, Kind, Row, SYSTEM, Table, Unique};
pub use event::{Event, EventQuery, NewEvent, Position};
pub use fault::{Code, Fault, FieldError, Figure, Limit};
pub use query::{Filter, Order, Query};
pub use retry::RetryPolicy;
pub use seal::KeyRing;
pub use store::Store;
pub use work::{Claim, Lease, NewWork, Settle, Settlement, Work, WorkCount, WorkQuery};
