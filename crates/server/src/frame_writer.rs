//! Answers onto the wire, in order. Small ones that become ready together leave together.

use std::io;

use ottla_protocol::{Frame, Segment};

use crate::transport::{self, Transport};

/// Gathered bytes that go out even when more answers follow at once.
const GATHERED: usize = 64 << 10;

/// The answers of one connection that are not yet sent.
#[derive(Debug, Default)]
pub(crate) struct FrameWriter {
    gathered: Vec<u8>,
}

impl FrameWriter {
    /// Sends an answer, or keeps it for [`Self::flush`] when it is small; gives its length in bytes.
    pub(crate) async fn write(&mut self, transport: &Transport, mut frame: Frame) -> io::Result<usize> {
        let len = frame.len();
        if self.gathered.is_empty() && matches!(frame.segments[..], [Segment::Bytes(_)]) {
            if let Some(Segment::Bytes(bytes)) = frame.segments.pop() {
                self.gathered = bytes;
            }
        } else if let Some(bytes) = transport::small_bytes(&frame) {
            if self.gathered.is_empty() {
                self.gathered = bytes;
            } else {
                self.gathered.extend_from_slice(&bytes);
            }
        } else {
            self.send(transport, &frame.segments).await?;
            return Ok(len);
        }
        if self.gathered.len() >= GATHERED {
            self.flush(transport).await?;
        }
        Ok(len)
    }

    /// Sends what was gathered.
    pub(crate) async fn flush(&mut self, transport: &Transport) -> io::Result<()> {
        if !self.gathered.is_empty() {
            transport.write(&[&self.gathered], false).await?;
            self.gathered = Vec::new();
        }
        Ok(())
    }

    /// Sends what was gathered and then `segments`: runs of bytes in one call each, files from the page cache.
    async fn send(&mut self, transport: &Transport, segments: &[Segment]) -> io::Result<()> {
        let gathered = std::mem::take(&mut self.gathered);
        let mut pieces: Vec<&[u8]> = Vec::with_capacity(segments.len() + 1);
        if !gathered.is_empty() {
            pieces.push(&gathered);
        }
        for segment in segments {
            match segment {
                Segment::Bytes(bytes) if bytes.is_empty() => {}
                Segment::Bytes(bytes) => pieces.push(bytes),
                Segment::File(slice) => {
                    transport.write(&pieces, slice.len > 0).await?;
                    pieces.clear();
                    transport.send_file(slice).await?;
                }
            }
        }
        transport.write(&pieces, false).await
    }
}
