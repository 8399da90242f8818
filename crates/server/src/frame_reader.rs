//! Requests off the wire: a 4-byte big-endian length, then that many bytes.
//!
//! Bytes are received into the buffer in which the handler sees them. Small frames are read many at a time; a large
//! one is read to its end plus the next one's length, so that nothing of it has to move. A length is believed only as
//! far as bytes arrive. An idle connection holds no buffer.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use crate::buffers::{BUFFER_BYTES, Charge, FrameBudget, return_buffer, take_buffer};
use crate::transport::Transport;

/// Bytes of the length before a frame.
const PREFIX: usize = 4;
/// Read ahead by this much when the frame at hand is small.
const SMALL: usize = 16 << 10;

/// A length that is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    Negative(i32),
    TooLarge { len: usize, max: usize },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Negative(len) => write!(f, "a request claims a length of {len} bytes"),
            Self::TooLarge { len, max } => write!(
                f,
                "a request claims a length of {len} bytes, more than socket.request.max.bytes={max}; is the peer \
                 speaking another protocol (TLS or HTTP)?"
            ),
        }
    }
}

/// The received and not yet handled bytes of one connection.
#[derive(Debug)]
pub(crate) struct FrameReader {
    buffer: Vec<u8>,
    /// Where the first unhandled byte lies.
    start: usize,
    /// Whole length of the last frame: the next one is expected to be as long.
    last: usize,
    max: usize,
    charge: Charge,
}

impl FrameReader {
    /// `max`: longest frame accepted, in bytes.
    pub(crate) fn new(max: usize, budget: Arc<FrameBudget>) -> Self {
        Self { buffer: Vec::new(), start: 0, last: SMALL, max, charge: Charge::new(budget) }
    }

    fn unhandled(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Length of the frame at the front, when its length has arrived.
    fn front(&self) -> Result<Option<usize>, FrameError> {
        let Some(prefix) = self.buffer[self.start..].first_chunk::<PREFIX>() else { return Ok(None) };
        let len = i32::from_be_bytes(*prefix);
        match usize::try_from(len) {
            Err(_) => Err(FrameError::Negative(len)),
            Ok(len) if len > self.max => Err(FrameError::TooLarge { len, max: self.max }),
            Ok(len) => Ok(Some(len)),
        }
    }

    /// Takes the next whole frame; its bytes, without the length, stay at this range of [`Self::bytes`] until the next
    /// [`Self::fill`].
    pub(crate) fn next(&mut self) -> Result<Option<Range<usize>>, FrameError> {
        match self.front()? {
            Some(len) if self.unhandled() >= PREFIX + len => {
                let body = self.start + PREFIX..self.start + PREFIX + len;
                self.start = body.end;
                self.last = PREFIX + len;
                Ok(Some(body))
            }
            _ => Ok(None),
        }
    }

    /// True when [`Self::next`] would give a frame (or an error) without reading.
    pub(crate) fn has_next(&self) -> bool {
        match self.front() {
            Ok(Some(len)) => self.unhandled() >= PREFIX + len,
            Ok(None) => false,
            Err(_) => true,
        }
    }

    pub(crate) fn bytes(&mut self, range: Range<usize>) -> &mut [u8] {
        &mut self.buffer[range]
    }

    /// True while a frame has begun to arrive.
    pub(crate) fn in_frame(&self) -> bool {
        self.unhandled() > 0
    }

    /// Gives the buffer up when nothing in it waits.
    pub(crate) fn release(&mut self) {
        if self.unhandled() == 0 {
            self.start = 0;
            self.charge.clear();
            if self.buffer.capacity() > 0 {
                return_buffer(std::mem::take(&mut self.buffer));
            }
        }
    }

    /// Receives more bytes; gives their count, 0 at the end of the stream.
    pub(crate) async fn fill(&mut self, transport: &mut Transport) -> io::Result<usize> {
        self.release();
        if self.buffer.capacity() == 0 {
            transport.readable().await?;
            self.buffer = take_buffer();
        }
        let limit = self.make_room().await;
        transport.read(&mut self.buffer, limit).await
    }

    /// Makes room for the bytes to be read next and says how many.
    async fn make_room(&mut self) -> usize {
        let have = self.unhandled();
        // A bad length was found by `next` before any further read.
        let wanted = match self.front().unwrap_or(None) {
            Some(len) => (PREFIX + len - have + PREFIX).max(SMALL),
            None => (self.last + PREFIX).clamp(SMALL, BUFFER_BYTES) - have,
        };
        if self.buffer.capacity() - self.buffer.len() >= wanted {
            return wanted;
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        // Doubling: a peer makes us reserve no more than twice what it has sent.
        let target = (have + wanted).min((2 * have).max(BUFFER_BYTES));
        if target > self.buffer.capacity() {
            self.charge.grow_to(target).await;
            self.buffer.reserve_exact(target - have);
        }
        wanted.min(self.buffer.capacity() - have)
    }
}
