//! The frames between the daemon and a JavaScript host; no V8 inside.
