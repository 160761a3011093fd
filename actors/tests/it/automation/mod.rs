//! Jobs on a clock that the test moves, with a stand-in for what runs functions.

mod changes;
mod held;
mod ledger;
mod overlaps;
pub mod stand;
mod wishes;

/// One test on both stores, each by a clock of the test's own.
macro_rules! by_hand {
    ($($name:ident)*) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::world::Ground::memory().await).await; })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::automation::stand::postgres().await).await; })*
        }
    };
}
use by_hand;
