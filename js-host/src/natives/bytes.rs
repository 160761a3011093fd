//! Texts as bytes and back; randomness.

use super::{answer_text, text};
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose},
};
use std::cell::Cell;

/// The memory of a typed array, as long as it is alive.
pub struct Bytes {
    store: v8::SharedRef<v8::BackingStore>,
    from: usize,
    length: usize,
}

impl Bytes {
    /// The bytes of a typed array; `None` for anything else.
    pub fn of(value: v8::Local<v8::Value>) -> Option<Self> {
        let view = v8::Local::<v8::ArrayBufferView>::try_from(value).ok()?;
        let (from, length) = (view.byte_offset(), view.byte_length());
        Some(Self { store: view.get_backing_store()?, from, length })
    }

    pub fn cells(&self) -> &[Cell<u8>] {
        self.store.get(self.from..self.from + self.length).unwrap_or(&[])
    }

    pub fn to_vec(&self) -> Vec<u8> {
        self.cells().iter().map(Cell::get).collect()
    }

    /// Copies as much as fits.
    pub fn write(&self, bytes: &[u8]) {
        for (cell, byte) in self.cells().iter().zip(bytes) {
            cell.set(*byte);
        }
    }
}

/// `utf8Length(text) -> bytes`.
pub fn utf8_length(
    scope: &mut v8::PinScope,
    args: v8::FunctionCallbackArguments,
    mut rv: v8::ReturnValue<v8::Value>,
) {
    if let Ok(text) = v8::Local::<v8::String>::try_from(args.get(0)) {
        rv.set_double(as_number(text.utf8_length(scope)));
    }
}

/// `utf8Write(text, array) -> UTF-16 units read`.
pub fn utf8_write(
    scope: &mut v8::PinScope,
    args: v8::FunctionCallbackArguments,
    mut rv: v8::ReturnValue<v8::Value>,
) {
    let Ok(text) = v8::Local::<v8::String>::try_from(args.get(0)) else { return };
    let Some(bytes) = Bytes::of(args.get(1)) else { return };
    let mut buffer = vec![0; bytes.length.min(text.utf8_length(scope))];
    let mut read = 0;
    let written =
        text.write_utf8_v2(scope, &mut buffer, v8::WriteFlags::kReplaceInvalidUtf8, Some(&mut read));
    bytes.write(&buffer[..written.min(buffer.len())]);
    rv.set_double(as_number(read));
}

/// `utf8Decode(array, length, fatal, keep the byte order mark) -> text`, or undefined where it is not valid.
pub fn utf8_decode(
    scope: &mut v8::PinScope,
    args: v8::FunctionCallbackArguments,
    mut rv: v8::ReturnValue<v8::Value>,
) {
    let Some(bytes) = Bytes::of(args.get(0)) else { return };
    let mut bytes = bytes.to_vec();
    bytes.truncate(
        args.get(1).integer_value(scope).and_then(|length| usize::try_from(length).ok()).unwrap_or(0),
    );
    let (fatal, keep_mark) = (args.get(2).boolean_value(scope), args.get(3).boolean_value(scope));
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").filter(|_| !keep_mark).unwrap_or(&bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => answer_text(scope, &mut rv, text),
        Err(_) if fatal => {}
        Err(_) => answer_text(scope, &mut rv, &String::from_utf8_lossy(bytes)),
    }
}

/// `utf8Tail(array) -> bytes at the end that begin a character which is not complete`.
pub fn utf8_tail(
    _: &mut v8::PinScope,
    args: v8::FunctionCallbackArguments,
    mut rv: v8::ReturnValue<v8::Value>,
) {
    let Some(bytes) = Bytes::of(args.get(0)) else { return };
    let cells = bytes.cells();
    let last: Vec<u8> = cells[cells.len().saturating_sub(3)..].iter().map(Cell::get).collect();
    rv.set_uint32(incomplete(&last));
}

fn incomplete(last: &[u8]) -> u32 {
    for (after, byte) in last.iter().rev().enumerate() {
        let wanted = match byte {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return 0,
        };
        let have = after + 1;
        return if have < wanted { u32::try_from(have).unwrap_or(0) } else { 0 };
    }
    0
}

/// Base64 as browsers forgive it, once blanks and padding are gone.
const FORGIVING: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// `atob(text) -> text`, or undefined.
pub fn atob(
    scope: &mut v8::PinScope,
    args: v8::FunctionCallbackArguments,
    mut rv: v8::ReturnValue<v8::Value>,
) {
    let Some(bytes) = forgiving_decode(&text(scope, &args, 0)) else { return };
    if let Some(text) = v8::String::new_from_one_byte(scope, &bytes, v8::NewStringType::Normal) {
        rv.set(text.into());
    }
}

fn forgiving_decode(text: &str) -> Option<Vec<u8>> {
    let mut letters: Vec<u8> =
        text.bytes().filter(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c)).collect();
    if letters.len().is_multiple_of(4) {
        for _ in 0..2 {
            letters.pop_if(|last| *last == b'=');
        }
    }
    FORGIVING.decode(letters).ok()
}

/// `btoa(text) -> text`, or undefined where it is not Latin-1.
pub fn btoa(
    scope: &mut v8::PinScope,
    args: v8::FunctionCallbackArguments,
    mut rv: v8::ReturnValue<v8::Value>,
) {
    let Ok(text) = v8::Local::<v8::String>::try_from(args.get(0)) else { return };
    if !text.contains_only_onebyte() {
        return;
    }
    let mut bytes = vec![0; text.length()];
    text.write_one_byte_v2(scope, 0, &mut bytes, v8::WriteFlags::empty());
    answer_text(scope, &mut rv, &general_purpose::STANDARD.encode(bytes));
}

/// `fillRandom(array)`.
pub fn fill_random(_: &mut v8::PinScope, args: v8::FunctionCallbackArguments, _: v8::ReturnValue<v8::Value>) {
    let Some(bytes) = Bytes::of(args.get(0)) else { return };
    let mut random = vec![0; bytes.length];
    random_bytes(&mut random);
    bytes.write(&random);
}

/// `randomUuid() -> text`, version 4.
pub fn random_uuid(
    scope: &mut v8::PinScope,
    _: v8::FunctionCallbackArguments,
    mut rv: v8::ReturnValue<v8::Value>,
) {
    let mut bytes = [0; 16];
    random_bytes(&mut bytes);
    let number = u128::from_be_bytes(bytes);
    let number = number & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{number:032x}");
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    answer_text(scope, &mut rv, &parts.join("-"));
}

/// Fills `bytes` from the kernel. Never gives less than it was asked for.
pub fn random_bytes(bytes: &mut [u8]) {
    let mut filled = 0;
    while filled < bytes.len() {
        match rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => crate::exit::now(70),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "no text is longer than 2^53")]
fn as_number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::{forgiving_decode, incomplete};

    #[test]
    fn base64_is_forgiven_as_browsers_do() {
        for (text, bytes) in [
            ("aGk=", Some(&b"hi"[..])),
            ("aGk", Some(b"hi")),
            (" a G\nk= ", Some(b"hi")),
            ("", Some(b"")),
            ("aG", Some(b"h")),
            ("aGk==", None),
            ("a", None),
            ("=", None),
            ("aGk=a", None),
            ("a-k_", None),
        ] {
            assert_eq!(forgiving_decode(text).as_deref(), bytes, "{text:?}");
        }
    }

    #[test]
    fn a_character_cut_in_two_is_kept_for_the_next_piece() {
        assert_eq!(incomplete(b"abc"), 0);
        assert_eq!(incomplete(b"\xc3"), 1);
        assert_eq!(incomplete(b"a\xe2\x82"), 2);
        assert_eq!(incomplete(b"\xe2\x82\xac"), 0);
        assert_eq!(incomplete(b"\xf0\x9f\xa6"), 3);
        assert_eq!(incomplete(b"\x80\x80\x80"), 0);
        assert_eq!(incomplete(b""), 0);
    }
}
