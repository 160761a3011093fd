use std::sync::Arc;

use chrono::DateTime;
use sl_store::{ManualClock, Store, memory::Memory, testing::conformance::Subject};

async fn subject() -> Subject {
    let clock = ManualClock::new(DateTime::from_timestamp(1_700_000_000, 0).expect("in range"));
    let memory = Memory::start(Arc::new(clock.clone())).await.expect("the actor starts");
    Subject::with_manual_clock(Store::new(memory), clock)
}

sl_store::conformance_suite!(subject);
