//! A text read as what it may stand for: with the percent-encoded bytes decoded (RFC 3986, section 2.1), and with `+`
//! and the space taken for one, since forms write the one for the other.

use std::{borrow::Cow, ops::Range};

/// A text's bytes under one way of reading, and where each stands in the text.
pub(super) struct Reading<'a> {
    bytes: Cow<'a, [u8]>,
    /// Where each byte begins; absent where they are the text's own.
    starts: Option<Vec<u32>>,
    length: usize,
}

impl<'a> Reading<'a> {
    /// The readings that differ: as it stands, decoded once, and decoded to the end.
    pub fn all(text: &'a str) -> Vec<Self> {
        let mut readings = vec![Self { bytes: plain(text.as_bytes()), starts: None, length: text.len() }];
        let once = Self::decoded(text, false);
        // A text over 4 GiB is in no frame and no body.
        if once.bytes.len() < text.len() && u32::try_from(text.len()).is_ok() {
            let fully = Self::decoded(text, true);
            let more = fully.bytes.len() < once.bytes.len();
            readings.push(once);
            readings.extend(more.then_some(fully));
        }
        readings
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where in the text a range of the bytes stands.
    pub fn place(&self, range: Range<usize>) -> Range<usize> {
        let start_of = |at: usize| match &self.starts {
            None => at,
            Some(starts) => starts.get(at).map_or(self.length, |start| *start as usize),
        };
        start_of(range.start)..start_of(range.end)
    }

    /// No two escapes overlap, as `%` is no digit: whatever comes first, the end is the same.
    fn decoded(text: &str, fully: bool) -> Self {
        let (mut bytes, mut starts) = (Vec::new(), Vec::new());
        for (at, byte) in (0_u32..).zip(text.bytes()) {
            bytes.push(byte);
            starts.push(at);
            while let [.., b'%', high, low] = bytes[..]
                && let Some(byte) = from_hex(high, low)
                && (fully || starts[starts.len() - 3] + 2 == at)
            {
                bytes.truncate(bytes.len() - 2);
                starts.truncate(starts.len() - 2);
                if let Some(last) = bytes.last_mut() {
                    *last = byte;
                }
            }
        }
        for byte in &mut bytes {
            *byte = unspaced(*byte);
        }
        Self { bytes: Cow::Owned(bytes), starts: Some(starts), length: text.len() }
    }
}

/// The bytes as a text's are read.
pub(super) fn plain(bytes: &[u8]) -> Cow<'_, [u8]> {
    if bytes.contains(&b'+') {
        Cow::Owned(bytes.iter().copied().map(unspaced).collect())
    } else {
        Cow::Borrowed(bytes)
    }
}

/// The text's bytes as they are read once nothing is left to decode.
pub(super) fn fully(text: &str) -> Vec<u8> {
    Reading::decoded(text, true).bytes.into_owned()
}

const fn unspaced(byte: u8) -> u8 {
    if byte == b'+' { b' ' } else { byte }
}

fn from_hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::Reading;

    fn read(text: &str) -> Vec<Vec<u8>> {
        Reading::all(text).iter().map(|reading| reading.bytes().to_vec()).collect()
    }

    #[test]
    fn a_text_is_read_in_each_way_that_differs() {
        assert_eq!(read("a+b%"), [b"a b%"]);
        assert_eq!(read("%41+%c3"), [b"%41 %c3".to_vec(), b"A \xc3".to_vec()]);
        assert_eq!(read("%2541"), [b"%2541".to_vec(), b"%41".to_vec(), b"A".to_vec()]);
        assert_eq!(read("%%341%4"), [b"%%341%4".to_vec(), b"%41%4".to_vec(), b"A%4".to_vec()]);
    }

    #[test]
    fn a_byte_knows_its_place() {
        let readings = Reading::all("x%2541y%20z");
        assert_eq!(readings[1].bytes(), b"x%41y z");
        assert_eq!(readings[1].place(1..4), 1..6);
        assert_eq!(readings[2].bytes(), b"xAy z");
        assert_eq!((readings[2].place(1..2), readings[2].place(3..5)), (1..6, 7..11));
    }
}
