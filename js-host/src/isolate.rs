//! Isolates: made from the snapshot, with bounds, and with nothing in them that reaches outside.

use crate::{
    active::Shared,
    buffers::{self, Buffers},
    dying, natives, snapshot,
};
use std::{rc::Rc, sync::Arc};

/// What cannot be changed once an isolate is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub heap_bytes: u64,
    pub stack_bytes: u64,
}

/// V8 does not start in less.
const LEAST_HEAP: u64 = 4 << 20;
/// The stack of the thread that runs tenant code. It is not the main thread: of that one V8 learns the bounds by
/// opening a file, which the walls forbid.
pub const THREAD_STACK: usize = 8 << 20;
/// What tenant code may use of it; the rest is for V8's own functions.
const MOST_STACK: u64 = 4 << 20;
const LEAST_STACK: u64 = 256 << 10;

impl Shape {
    pub fn new(heap_bytes: u64, stack_bytes: u64) -> Self {
        Self {
            heap_bytes: heap_bytes.max(LEAST_HEAP),
            stack_bytes: stack_bytes.clamp(LEAST_STACK, MOST_STACK),
        }
    }

    /// How many realms are kept ready.
    pub const fn spares(self) -> usize {
        if self.heap_bytes < HEAP_FOR_SPARES { 1 } else { SPARES }
    }
}

/// So many realms are made before they are needed where the heap has room for them: one of them takes a quarter of a
/// mebibyte.
const SPARES: usize = 2;
const HEAP_FOR_SPARES: u64 = 16 << 20;

/// Makes an isolate of this shape for the calling thread.
pub fn make(
    blob: v8::StartupData,
    shape: Shape,
    buffers: &Arc<Buffers>,
    shared: Rc<Shared>,
) -> v8::OwnedIsolate {
    let heap = usize::try_from(shape.heap_bytes).unwrap_or(usize::MAX);
    let params = v8::CreateParams::default()
        .snapshot_blob(blob)
        .external_references(snapshot::references(natives::table(), natives::lazy).into())
        .heap_limits(0, heap)
        .allow_atomics_wait(false)
        .array_buffer_allocator(buffers::allocator(Arc::clone(buffers)));
    let mut isolate = v8::Isolate::new(with_stack(params, shape.stack_bytes));
    isolate.set_microtasks_policy(v8::MicrotasksPolicy::Explicit);
    isolate.set_capture_stack_trace_for_uncaught_exceptions(true, 32);
    isolate.set_modify_code_generation_from_strings_callback(refuse_eval);
    isolate.set_host_import_module_dynamically_callback(refuse_import);
    isolate.set_promise_reject_callback(note_rejection);
    isolate.set_slot(shared);
    dying::guard(&mut isolate, buffers);
    isolate
}

#[expect(unsafe_code, reason = "V8 wants the address at which the stack ends")]
fn with_stack(params: v8::CreateParams, bytes: u64) -> v8::CreateParams {
    let here = std::ptr::from_ref(&params).addr();
    let end = here.saturating_sub(usize::try_from(bytes).unwrap_or(0));
    // SAFETY: V8 compares with this address and does not follow it. The thread's stack goes on for more than
    // `MOST_STACK` below this frame, which is near its beginning.
    unsafe { params.set_stack_limit(std::ptr::without_provenance_mut(end)) }
}

fn refuse_eval<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    _: v8::Local<'s, v8::Value>,
    _: bool,
) -> v8::ModifyCodeGenerationFromStringsResult<'s> {
    if let Some(shared) = scope.get_slot::<Rc<Shared>>()
        && let Some(mut active) = shared.active()
    {
        active.refused = true;
    }
    v8::ModifyCodeGenerationFromStringsResult { codegen_allowed: false, modified_source: None }
}

/// Takes down which rejections nobody handles.
extern "C" fn note_rejection(message: v8::PromiseRejectMessage) {
    // SAFETY: V8 calls this on the isolate's thread, with a message of that isolate.
    v8::callback_scope!(unsafe scope, &message);
    let Some(shared) = scope.get_slot::<Rc<Shared>>().cloned() else { return };
    let promise = message.get_promise();
    match (message.get_event(), message.get_value()) {
        (v8::PromiseRejectEvent::PromiseRejectWithNoHandler, Some(error)) => {
            shared.rejected((v8::Global::new(scope, promise), v8::Global::new(scope, error)));
        }
        (v8::PromiseRejectEvent::PromiseHandlerAddedAfterReject, _) => shared.handled(promise),
        _ => {}
    }
}

fn refuse_import<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    _: v8::Local<'s, v8::Data>,
    _: v8::Local<'s, v8::Value>,
    specifier: v8::Local<'s, v8::String>,
    _: v8::Local<'s, v8::FixedArray>,
) -> Option<v8::Local<'s, v8::Promise>> {
    let what = specifier.to_rust_string_lossy(scope);
    let error = natives::denied(scope, &format!("import({what:?}) is not allowed here"))?;
    let resolver = v8::PromiseResolver::new(scope)?;
    resolver.reject(scope, error)?;
    Some(resolver.get_promise(scope))
}
