//! V8 runs out of heap: the run is stopped, and where V8 cannot go on, it is answered before the process dies.

use crate::{
    buffers::Buffers,
    exit, heap,
    link::Link,
    watch::{Verdict, Watch},
};
use sl_js_protocol::LimitKind;
use std::{
    ffi::{c_char, c_void},
    sync::{Arc, OnceLock},
};

/// V8's last-resort functions are told nothing about whom they are called for; there is one of each in a process.
static PROCESS: OnceLock<(Arc<Watch>, Arc<Link>)> = OnceLock::new();

/// Says who answers when V8 dies. Called once.
pub fn introduce(watch: Arc<Watch>, link: Arc<Link>) {
    let _ = PROCESS.set((watch, link));
}

/// Makes an isolate stop tenant code at its heap limit. `buffers` must live as long as the isolate does, which holds
/// them as its allocator.
pub fn guard(isolate: &mut v8::OwnedIsolate, buffers: &Arc<Buffers>) {
    isolate.add_near_heap_limit_callback(near_limit, Arc::as_ptr(buffers).cast_mut().cast());
    isolate.set_oom_error_handler(out_of_memory);
}

/// Stops the run, and gives V8 room to unwind it: with less than this more of the known bombs end in an abort.
///
/// V8 also calls this as its last resort before it throws for want of a buffer; there is nothing wrong with the heap
/// then, and tenant code may catch the error.
#[expect(unsafe_code, reason = "called by V8")]
unsafe extern "C" fn near_limit(buffers: *mut c_void, current: usize, _: usize) -> usize {
    // SAFETY: `guard` gave this pointer, and the isolate that calls holds the buffers.
    let buffers = unsafe { &*buffers.cast::<Buffers>() };
    if buffers.refused() && heap::before_latest_collection() < current as u64 / 2 {
        return current;
    }
    if let Some((watch, _)) = PROCESS.get() {
        watch.judge_heap();
    }
    current.saturating_mul(4)
}

#[expect(unsafe_code, reason = "called by V8")]
unsafe extern "C" fn out_of_memory(_: *const c_char, _: &v8::OomDetails) {
    if let Some((watch, link)) = PROCESS.get() {
        watch.answer_for(link, |heap_bytes| Verdict::Limit(LimitKind::Heap, heap_bytes));
    }
    exit::now(0);
}
