//! Memory for array buffers, counted. V8's heap limit does not cover it.

use std::{
    alloc::{Layout, alloc, alloc_zeroed, dealloc},
    ffi::c_void,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

const ALIGN: usize = 16;

/// How much array buffers hold, may hold, and have held at most since [`Buffers::begin`].
#[derive(Debug, Default)]
pub struct Buffers {
    held: AtomicU64,
    most: AtomicU64,
    peak: AtomicU64,
    refused: AtomicBool,
}

impl Buffers {
    /// A run begins that may hold `most` bytes, on top of nothing: what earlier runs left counts until V8 collects it.
    pub fn begin(&self, most: u64) {
        self.most.store(most, Relaxed);
        self.peak.store(self.held.load(Relaxed), Relaxed);
        self.refused.store(false, Relaxed);
    }

    /// Whether the latest wish was refused.
    pub fn refused(&self) -> bool {
        self.refused.load(Relaxed)
    }

    /// The most held since.
    pub fn peak(&self) -> u64 {
        self.peak.load(Relaxed)
    }

    fn take(&self, bytes: u64) -> bool {
        let most = self.most.load(Relaxed);
        let taken = self
            .held
            .fetch_update(Relaxed, Relaxed, |held| held.checked_add(bytes).filter(|wanted| *wanted <= most));
        if let Ok(before) = taken {
            self.peak.fetch_max(before + bytes, Relaxed);
        }
        self.refused.store(taken.is_err(), Relaxed);
        taken.is_ok()
    }

    fn give(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Relaxed);
    }
}

/// An allocator for an isolate. V8 tries again after collecting garbage where it is refused, and throws a `RangeError`
/// where it is refused again.
#[expect(unsafe_code, reason = "V8 takes its allocator as a table of functions")]
pub fn allocator(buffers: Arc<Buffers>) -> v8::UniqueRef<v8::Allocator> {
    // SAFETY: the handle comes from `into_raw` and is given back by `release`, which V8 calls once, last.
    unsafe { v8::new_rust_allocator(Arc::into_raw(buffers), &TABLE) }
}

static TABLE: v8::RustAllocatorVtable<Buffers> =
    v8::RustAllocatorVtable { allocate, allocate_uninitialized, free, drop: release };

fn layout(length: usize) -> Option<Layout> {
    Layout::from_size_align(length.max(1), ALIGN).ok()
}

#[expect(unsafe_code, reason = "called by V8")]
unsafe extern "C" fn allocate(buffers: &Buffers, length: usize) -> *mut c_void {
    take(buffers, length, |layout| {
        // SAFETY: the layout's size is at least one.
        unsafe { alloc_zeroed(layout) }
    })
}

#[expect(unsafe_code, reason = "called by V8")]
unsafe extern "C" fn allocate_uninitialized(buffers: &Buffers, length: usize) -> *mut c_void {
    take(buffers, length, |layout| {
        // SAFETY: the layout's size is at least one.
        unsafe { alloc(layout) }
    })
}

fn take(buffers: &Buffers, length: usize, allocate: impl FnOnce(Layout) -> *mut u8) -> *mut c_void {
    let Some(layout) = layout(length) else { return std::ptr::null_mut() };
    if !buffers.take(length as u64) {
        return std::ptr::null_mut();
    }
    let memory = allocate(layout);
    if memory.is_null() {
        buffers.give(length as u64);
    }
    memory.cast()
}

#[expect(unsafe_code, reason = "called by V8")]
unsafe extern "C" fn free(buffers: &Buffers, memory: *mut c_void, length: usize) {
    if let Some(layout) = layout(length).filter(|_| !memory.is_null()) {
        // SAFETY: V8 gives back what `take` gave it, with the length it asked for, once.
        unsafe { dealloc(memory.cast(), layout) };
        buffers.give(length as u64);
    }
}

#[expect(unsafe_code, reason = "called by V8")]
unsafe extern "C" fn release(buffers: *const Buffers) {
    // SAFETY: the pointer is the one that `allocator` made from an `Arc`; V8 calls this once.
    drop(unsafe { Arc::from_raw(buffers) });
}
