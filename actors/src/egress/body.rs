//! A response's body, bounded on the wire and again as decompressed.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use reqwest::{
    Response,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap},
};

use super::{EgressError, limits};

/// Reads the body to its end, or fails at the first byte over `limit`.
pub(super) async fn read(response: &mut Response, limit: u64, gzip: bool) -> Result<Bytes, EgressError> {
    if response.content_length().is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    let mut sink = Sink::new(limit, gzip);
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error))? {
        sink.feed(&chunk)?;
    }
    sink.finish()
}

/// Whether the body is compressed in the one way we ask for and undo.
pub(super) fn is_gzip(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    let named = |value: &reqwest::header::HeaderValue| {
        value.as_bytes().eq_ignore_ascii_case(b"gzip") || value.as_bytes().eq_ignore_ascii_case(b"x-gzip")
    };
    codings.next().is_some_and(named) && codings.next().is_none()
}

/// Takes away what is no longer true of a decompressed body.
pub(super) fn forget_coding(headers: &mut HeaderMap) {
    headers.remove(CONTENT_ENCODING);
    headers.remove(CONTENT_LENGTH);
}

enum Sink {
    Plain(Bounded),
    Gzip { read: u64, decoder: Box<MultiGzDecoder<Bounded>> },
}

impl Sink {
    fn new(limit: u64, gzip: bool) -> Self {
        let bounded = Bounded { limit, bytes: Vec::new(), full: false };
        if gzip {
            Self::Gzip { read: 0, decoder: Box::new(MultiGzDecoder::new(bounded)) }
        } else {
            Self::Plain(bounded)
        }
    }

    fn feed(&mut self, chunk: &[u8]) -> Result<(), EgressError> {
        match self {
            Self::Plain(bounded) => bounded.write_all(chunk).map_err(|_| too_large(bounded.limit)),
            Self::Gzip { read, decoder } => {
                *read += chunk.len() as u64;
                let limit = decoder.get_ref().limit;
                if *read > limit {
                    return Err(too_large(limit));
                }
                decoder.write_all(chunk).map_err(|error| decoder.get_ref().because(&error))
            }
        }
    }

    fn finish(self) -> Result<Bytes, EgressError> {
        let bounded = match self {
            Self::Plain(bounded) => bounded,
            // A HEAD response, or one without content, names a coding and has nothing to decode.
            Self::Gzip { read: 0, decoder } => Bounded { bytes: Vec::new(), ..decoder.get_ref().like() },
            Self::Gzip { mut decoder, .. } => {
                if let Err(error) = decoder.try_finish() {
                    return Err(decoder.get_ref().because(&error));
                }
                let inner = decoder.get_mut();
                Bounded { bytes: std::mem::take(&mut inner.bytes), ..inner.like() }
            }
        };
        Ok(bounded.bytes.into())
    }
}

/// Collects bytes up to a limit.
struct Bounded {
    limit: u64,
    bytes: Vec<u8>,
    full: bool,
}

impl Bounded {
    const fn like(&self) -> Self {
        Self { limit: self.limit, bytes: Vec::new(), full: self.full }
    }

    fn because(&self, error: &io::Error) -> EgressError {
        if self.full {
            too_large(self.limit)
        } else {
            EgressError::Protocol { detail: format!("the gzip coding is broken: {error}") }
        }
    }
}

impl Write for Bounded {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        if (self.bytes.len() + chunk.len()) as u64 > self.limit {
            self.full = true;
            return Err(io::Error::other("over the limit"));
        }
        self.bytes.extend_from_slice(chunk);
        Ok(chunk.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn too_large(limit: u64) -> EgressError {
    EgressError::TooLarge { what: "response body", setting: limits::RESPONSE_BODY.name, limit }
}

pub(super) fn broken(error: &reqwest::Error) -> EgressError {
    let root = super::exchange::root_cause(error);
    EgressError::Protocol { detail: root.to_string() }
}
