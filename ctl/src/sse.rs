//! Server-sent events (WHATWG HTML, section 9.2.6): bytes in, events out.

use std::time::Duration;

/// The longest event, in bytes; a longer one is cut off there.
const EVENT_MAX: usize = 4 << 20;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// What it is; empty means `message`.
    pub kind: String,
    /// Its content; several lines are joined by line feeds.
    pub data: String,
    /// The id to go on from, as of this event.
    pub id: Option<String>,
}

/// Cuts a stream of bytes into events.
#[derive(Debug, Default)]
pub struct Decoder {
    line: Vec<u8>,
    after_return: bool,
    event: Event,
    has_data: bool,
    last_id: Option<String>,
    /// How long the server wants clients to wait before they come back.
    pub retry: Option<Duration>,
}

impl Decoder {
    /// Takes further bytes and gives the events they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' if self.after_return => {}
                b'\n' | b'\r' => events.extend(self.end_line()),
                _ if self.line.len() < EVENT_MAX => self.line.push(*byte),
                _ => {}
            }
            self.after_return = *byte == b'\r';
        }
        events
    }

    fn end_line(&mut self) -> Option<Event> {
        let bytes = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&bytes);
        let line = line.trim_start_matches('\u{feff}');
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        self.field(field, value.strip_prefix(' ').unwrap_or(value));
        None
    }

    fn field(&mut self, field: &str, value: &str) {
        match field {
            "event" => value.clone_into(&mut self.event.kind),
            "data" if self.event.data.len() + value.len() <= EVENT_MAX => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.event.data += value;
                self.has_data = true;
            }
            "id" if !value.contains('\0') => self.last_id = Some(value.to_owned()),
            "retry" => self.retry = value.parse().ok().map(Duration::from_millis).or(self.retry),
            _ => {}
        }
    }

    fn dispatch(&mut self) -> Option<Event> {
        let event = std::mem::take(&mut self.event);
        std::mem::take(&mut self.has_data).then(|| Event { id: self.last_id.clone(), ..event })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event(kind: &str, data: &str, id: Option<&str>) -> Event {
        Event { kind: kind.to_owned(), data: data.to_owned(), id: id.map(str::to_owned) }
    }

    #[test]
    fn events_are_read_by_the_standard() {
        let text = ": hello\n\nid: 7\nevent: log\ndata: a\ndata:  b\n\ndata\n\nid\nretry: 250\ndata:x\r\n\r\nevent: none\n\ndata: cut";
        let mut decoder = Decoder::default();
        let events = decoder.push(text.as_bytes());
        assert_eq!(
            events,
            [event("log", "a\n b", Some("7")), event("", "", Some("7")), event("", "x", Some(""))]
        );
        assert_eq!(decoder.retry, Some(Duration::from_millis(250)));
    }

    proptest! {
        #[test]
        fn where_the_bytes_are_cut_does_not_matter(cut in 0_usize..60, text in "(id: [0-9]|data: [a-zé]{0,4}|event: x|)(\r\n|\n|\r){1,2}") {
            let text = text.repeat(4);
            let bytes = text.as_bytes();
            let cut = cut.min(bytes.len());
            let whole = Decoder::default().push(bytes);
            let mut decoder = Decoder::default();
            let mut parts = decoder.push(&bytes[..cut]);
            parts.extend(decoder.push(&bytes[cut..]));
            prop_assert_eq!(whole, parts);
        }
    }
}
