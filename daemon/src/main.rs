//! sld: settings, telemetry, boot.

fn main() {}
