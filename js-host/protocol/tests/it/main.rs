//! The frames, as both sides use them and as a captured host would abuse them.

mod abuse;
mod framing;
mod samples;
