//! Ending the process.

/// Ends the process at once, without running anything that was registered for its end: V8's threads may be in the
/// middle of something.
#[expect(unsafe_code, reason = "std can only exit by way of the C library's exit handlers")]
pub fn now(status: i32) -> ! {
    // SAFETY: takes no memory and does not return.
    unsafe { libc::_exit(status) }
}
