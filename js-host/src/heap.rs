//! The largest heap seen: looked at before each collection, and at the end.

use std::{
    ffi::c_void,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// V8 tells of collections without saying whose; there is one isolate in a process at a time.
static PEAK: AtomicU64 = AtomicU64::new(0);
static LAST: AtomicU64 = AtomicU64::new(0);

/// The space of what never changes, which comes with V8 itself.
const SHARED_BY_ALL: &std::ffi::CStr = c"read_only_space";

/// From now on this isolate's collections are looked at.
pub fn watch(isolate: &mut v8::OwnedIsolate) {
    isolate.add_gc_prologue_callback(before_collection, std::ptr::null_mut(), v8::GCType::kGCTypeAll);
}

/// The largest heap since this was last asked, in bytes.
pub fn take_peak(isolate: &mut v8::OwnedIsolate) -> u64 {
    let now = used(isolate);
    PEAK.swap(0, Relaxed).max(now)
}

/// The same of a run that is not asked in order, because its process ends with it: what collections have seen.
pub fn peak() -> u64 {
    PEAK.load(Relaxed)
}

/// What is used of the heap, in bytes. V8's statistics of the whole heap say the same, and walk every context for it that
/// has not been collected.
fn used(isolate: &mut v8::Isolate) -> u64 {
    let spaces = isolate.number_of_heap_spaces();
    (0..spaces)
        .filter_map(|space| isolate.get_heap_space_statistics(space))
        .filter(|space| space.space_name() != SHARED_BY_ALL)
        .map(|space| space.space_used_size() as u64)
        .sum()
}

/// The heap before the latest collection, in bytes.
pub fn before_latest_collection() -> u64 {
    LAST.load(Relaxed)
}

#[expect(unsafe_code, reason = "called by V8")]
unsafe extern "C" fn before_collection(
    isolate: v8::UnsafeRawIsolatePtr,
    _: v8::GCType,
    _: v8::GCCallbackFlags,
    _: *mut c_void,
) {
    // SAFETY: V8 hands over the isolate that is about to collect, on its own thread.
    let mut isolate = unsafe { v8::Isolate::from_raw_isolate_ptr(isolate) };
    let used = used(&mut isolate);
    LAST.store(used, Relaxed);
    PEAK.fetch_max(used, Relaxed);
}
