//! Frames: a length, then that many bytes of postcard.

use serde::{Serialize, de::DeserializeOwned};
use std::{
    fmt,
    io::{self, Read, Write},
};

/// The largest frame either side accepts, without its length. Source, params, output and a fetched body are each
/// held to a megabyte or so; escapes and several of them in one frame must still fit.
pub const MAX_FRAME_BYTES: usize = 8 << 20;

const LENGTH_BYTES: usize = 4;

/// Why a frame could not be read or written. Whoever gets one of these from a host should end that host: the
/// stream has no way back into step.
#[derive(Debug)]
pub enum FrameFault {
    /// The frame says, or would have, more bytes than are allowed.
    TooLarge {
        /// Bytes of the frame.
        bytes: usize,
        /// Bytes allowed.
        most: usize,
    },
    /// The bytes are no message of this protocol, or more than one.
    Malformed,
    /// The stream ended inside a frame.
    Truncated,
    /// The socket failed.
    Io(io::Error),
}

impl fmt::Display for FrameFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes, most } => {
                write!(formatter, "a frame of {bytes} bytes where at most {most} are allowed")
            }
            Self::Malformed => formatter.write_str("a frame that is no message"),
            Self::Truncated => formatter.write_str("the stream ended inside a frame"),
            Self::Io(error) => write!(formatter, "the host's socket failed: {error}"),
        }
    }
}

impl std::error::Error for FrameFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for FrameFault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            _ => Self::Io(error),
        }
    }
}

/// One message as a whole frame, ready to be written.
///
/// # Errors
/// [`FrameFault::TooLarge`] where the message does not fit into [`MAX_FRAME_BYTES`].
pub fn encode<M: Serialize>(message: &M) -> Result<Vec<u8>, FrameFault> {
    let frame = postcard::to_extend(message, vec![0; LENGTH_BYTES]).map_err(|_| FrameFault::Malformed)?;
    let bytes = frame.len() - LENGTH_BYTES;
    match u32::try_from(bytes) {
        Ok(length) if bytes <= MAX_FRAME_BYTES => {
            let mut frame = frame;
            frame[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
            Ok(frame)
        }
        _ => Err(FrameFault::TooLarge { bytes, most: MAX_FRAME_BYTES }),
    }
}

/// Writes one message, in one piece. Blocks as long as `stream` does.
///
/// # Errors
/// As [`encode`], and [`FrameFault::Io`].
pub fn write_frame<M: Serialize>(stream: &mut impl Write, message: &M) -> Result<(), FrameFault> {
    let frame = encode(message)?;
    stream.write_all(&frame)?;
    Ok(())
}

/// Reads one message; `None` where the stream ends before the first byte of a frame. Blocks as long as `stream`
/// does. The memory taken grows with what arrives, not with what the length claims.
///
/// # Errors
/// Any [`FrameFault`].
pub fn read_frame<M: DeserializeOwned>(stream: &mut impl Read) -> Result<Option<M>, FrameFault> {
    let mut length = [0; LENGTH_BYTES];
    if !read_length(stream, &mut length)? {
        return Ok(None);
    }
    let bytes = checked_length(length)?;
    let mut payload = Vec::with_capacity(bytes.min(64 << 10));
    let got = stream.by_ref().take(bytes as u64).read_to_end(&mut payload)?;
    if got < bytes {
        return Err(FrameFault::Truncated);
    }
    decode(&payload).map(Some)
}

/// Fills `length`, or answers false at a clean end of the stream.
fn read_length(stream: &mut impl Read, length: &mut [u8]) -> Result<bool, FrameFault> {
    let mut filled = 0;
    while filled < length.len() {
        match stream.read(&mut length[filled..]) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(FrameFault::Truncated),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

fn checked_length(length: [u8; LENGTH_BYTES]) -> Result<usize, FrameFault> {
    let bytes = u32::from_le_bytes(length) as usize;
    if bytes > MAX_FRAME_BYTES {
        return Err(FrameFault::TooLarge { bytes, most: MAX_FRAME_BYTES });
    }
    Ok(bytes)
}

fn decode<M: DeserializeOwned>(payload: &[u8]) -> Result<M, FrameFault> {
    match postcard::take_from_bytes(payload) {
        Ok((message, [])) => Ok(message),
        _ => Err(FrameFault::Malformed),
    }
}

/// Puts frames together from pieces of a stream, for readers that do not block: push what arrived, take messages
/// until there is none.
///
/// It never holds more than one whole frame and the piece pushed last.
#[derive(Debug, Default)]
pub struct FrameBuffer {
    bytes: Vec<u8>,
    taken: usize,
}

impl FrameBuffer {
    /// An empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what was read from the stream.
    pub fn push(&mut self, piece: &[u8]) {
        if self.taken > 0 {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        self.bytes.extend_from_slice(piece);
    }

    /// The next whole message, or `None` where more bytes are needed first. After a fault the buffer is of no
    /// further use.
    ///
    /// # Errors
    /// [`FrameFault::TooLarge`] as soon as the length is known, [`FrameFault::Malformed`].
    pub fn take<M: DeserializeOwned>(&mut self) -> Result<Option<M>, FrameFault> {
        let waiting = &self.bytes[self.taken..];
        let Some((length, rest)) = waiting.split_first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let bytes = checked_length(*length)?;
        let Some(payload) = rest.get(..bytes) else {
            return Ok(None);
        };
        let message = decode(payload)?;
        self.taken += LENGTH_BYTES + bytes;
        if self.taken == self.bytes.len() {
            self.release();
        }
        Ok(Some(message))
    }

    /// Whether the stream may end here: nothing of a further frame has arrived.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.taken == self.bytes.len()
    }

    /// Gives back the memory of an unusually large frame.
    fn release(&mut self) {
        self.taken = 0;
        self.bytes.clear();
        self.bytes.shrink_to(64 << 10);
    }
}
