//! JSON pointers (RFC 6901).

use serde_path_to_error::{Path, Segment};

/// One step of a pointer, with `~` and `/` escaped.
pub fn escape(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

/// The pointer of a path, with one step more where there is one.
pub fn of(path: &Path, further: Option<&str>) -> String {
    let mut pointer = String::new();
    for segment in path {
        let step = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => escape(key),
            Segment::Enum { variant } => escape(variant),
            Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&step);
    }
    if let Some(step) = further {
        pointer.push('/');
        pointer.push_str(&escape(step));
    }
    pointer
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_escaped_step_finds_its_member(key in ".{0,12}") {
            let document = serde_json::json!({key.clone(): 1});
            let pointer = format!("/{}", escape(&key));
            prop_assert!(document.pointer(&pointer).is_some());
        }
    }
}
