//! Going through a run of batches: a produce request's, a fetch response's, a piece of a segment.

use crate::record_batch::{BatchError, RecordBatch, peek};

/// Iterates over batches that stand one after the other. A batch that is cut off at the end is not an error, since a
/// fetch may end anywhere: see [`BatchIter::truncated`]. An old batch is an error after which iteration goes on; after
/// any other error it ends.
#[derive(Clone, Debug)]
pub struct BatchIter<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BatchIter<'a> {
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes of the whole batches passed so far.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    /// When iteration has ended: the bytes of the cut-off batch, empty if there is none.
    #[must_use]
    pub fn truncated(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    fn stop(&mut self, error: BatchError) -> BatchError {
        self.bytes = &self.bytes[..self.at];
        error
    }
}

impl<'a> Iterator for BatchIter<'a> {
    type Item = Result<RecordBatch<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.bytes[self.at..];
        let front = match peek(rest) {
            Ok(front) => front?,
            Err(error) => return Some(Err(self.stop(error))),
        };
        if front.size > rest.len() {
            return None;
        }
        match RecordBatch::new(rest) {
            Err(error @ BatchError::OldMagic { .. }) => {
                self.at += front.size;
                Some(Err(error))
            }
            Err(error) => Some(Err(self.stop(error))),
            Ok(batch) => {
                self.at += front.size;
                Some(Ok(batch))
            }
        }
    }
}
