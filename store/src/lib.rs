//! The storage engine: typed rows, atomic batches, the durable work queue, events.
