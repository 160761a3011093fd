//! Where tenant code was when it was told to stop.

use crate::{active::Shared, faults};
use std::{ffi::c_void, ptr, rc::Rc};

/// Stops tenant code at its next check for interrupts, having taken down where it is.
pub fn stop(handle: &v8::IsolateHandle) {
    handle.request_interrupt(note_and_stop, ptr::null_mut());
}

/// A request that comes too late, after its run, finds a run that was told nothing, or none, and does nothing.
#[expect(unsafe_code, reason = "called by V8")]
unsafe extern "C" fn note_and_stop(isolate: v8::UnsafeRawIsolatePtr, _: *mut c_void) {
    // SAFETY: V8 hands over the isolate that is interrupted, on its own thread.
    let mut isolate = unsafe { v8::Isolate::from_raw_isolate_ptr(isolate) };
    let Some(shared) = isolate.get_slot::<Rc<Shared>>().cloned() else { return };
    if shared.watch.verdict().is_none() {
        return;
    }
    if let Some(context) = shared.staged(|stage| stage.context.clone()) {
        v8::scope!(let scope, &mut isolate);
        let context = v8::Local::new(scope, context);
        let scope = &v8::ContextScope::new(scope, context);
        let place = faults::here(scope);
        if let Some(mut active) = shared.active() {
            active.stopped_at = place;
        }
    }
    isolate.terminate_execution();
}
