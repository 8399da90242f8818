//! One socket: bytes in, bytes and pieces of files out.
//!
//! The only file that knows how bytes cross the network. TLS belongs here: with it, [`Transport::send_file`] reads the file
//! instead of `sendfile`, and nothing else changes for the callers.

use std::io::{self, IoSlice, IoSliceMut};
use std::sync::Arc;

use bytes::BufMut;
use ottla_base::disk::{DiskFile, FileSlice};
use ottla_protocol::{Frame, Segment};
use rustix::io::{Errno, ReadWriteFlags};
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Most pieces of one `sendmsg`; more go out in several.
const PIECES: usize = 64;
/// Bytes of a file that are probed, warmed and sent at a time: bounds how long one connection holds its thread.
const FILE_CHUNK: usize = 1 << 20;
/// Answers up to this many bytes are put together and sent by one call: below, copying is cheaper than `sendfile` and the
/// look into the page cache before it.
const SMALL_ANSWER: usize = 16 << 10;
/// Buffer for reading where `sendfile` can't be used.
const COPY_CHUNK: usize = 64 << 10;

/// A connected socket.
#[derive(Debug)]
pub(crate) struct Transport {
    stream: Arc<TcpStream>,
}

impl Transport {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream: Arc::new(stream) }
    }

    /// For those who wait for the socket, or send without waiting for it.
    pub(crate) fn stream(&self) -> &Arc<TcpStream> {
        &self.stream
    }

    /// Looks whether something has arrived: 0 at the end of the stream, `WouldBlock` when nothing has.
    pub(crate) fn peek(&self) -> io::Result<usize> {
        self.stream.try_io(Interest::READABLE, || {
            let (count, _) = rustix::net::recv(&*self.stream, &mut [0_u8; 1], RecvFlags::PEEK)?;
            Ok(count)
        })
    }

    /// Waits until there is something to read, holding no buffer meanwhile.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.stream.readable().await
    }

    /// Appends at most `limit` received bytes to `buffer`, which must have room for them; 0 at the end of the stream.
    pub(crate) async fn read(&mut self, buffer: &mut Vec<u8>, limit: usize) -> io::Result<usize> {
        debug_assert!(buffer.capacity() - buffer.len() >= limit && limit > 0);
        loop {
            self.stream.readable().await?;
            match self.stream.try_read_buf(&mut buffer.limit(limit)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }

    /// Writes all of `pieces`, none of them empty, in order. With `more`, something follows at once, and the kernel may wait for it to fill
    /// a packet.
    pub(crate) async fn write(&self, pieces: &[&[u8]], more: bool) -> io::Result<()> {
        let (mut index, mut offset) = (0, 0);
        while index < pieces.len() {
            let batch = &pieces[index..pieces.len().min(index + PIECES)];
            let flags = if more || index + batch.len() < pieces.len() {
                SendFlags::NOSIGNAL | SendFlags::MORE
            } else {
                SendFlags::NOSIGNAL
            };
            let mut sent = self
                .stream
                .async_io(Interest::WRITABLE, || {
                    let mut slices = [IoSlice::new(&[]); PIECES];
                    for (slice, piece) in slices.iter_mut().zip(batch) {
                        *slice = IoSlice::new(piece);
                    }
                    slices[0] = IoSlice::new(&batch[0][offset..]);
                    let sent = rustix::net::sendmsg(
                        &*self.stream,
                        &slices[..batch.len()],
                        &mut SendAncillaryBuffer::default(),
                        flags,
                    )?;
                    Ok(sent)
                })
                .await?;
            while sent > 0 {
                let rest = pieces[index].len() - offset;
                if sent < rest {
                    offset += sent;
                    break;
                }
                sent -= rest;
                index += 1;
                offset = 0;
            }
        }
        Ok(())
    }

    /// Sends a piece of a file. `UnexpectedEof` when the file turned out shorter than the piece.
    pub(crate) async fn send_file(&self, slice: &FileSlice) -> io::Result<()> {
        if slice.file.fd().is_none() {
            return self.copy_file(slice).await;
        }
        let end = slice.position + slice.len as u64;
        let mut position = slice.position;
        while position < end {
            let chunk = (end - position).min(FILE_CHUNK as u64) as usize;
            warm(&slice.file, position, chunk).await?;
            let chunk_end = position + chunk as u64;
            while position < chunk_end {
                let sent = self
                    .stream
                    .async_io(Interest::WRITABLE, || {
                        let Some(fd) = slice.file.fd() else { return Ok(0) };
                        let mut at = position;
                        Ok(rustix::fs::sendfile(&*self.stream, fd, Some(&mut at), (chunk_end - position) as usize)?)
                    })
                    .await?;
                if sent == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                position += sent as u64;
            }
        }
        Ok(())
    }

    async fn copy_file(&self, slice: &FileSlice) -> io::Result<()> {
        let mut buffer = vec![0; slice.len.min(COPY_CHUNK)];
        let mut done = 0;
        while done < slice.len {
            let step = buffer.len().min(slice.len - done);
            if slice.file.read_at(&mut buffer[..step], slice.position + done as u64)? < step {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            done += step;
            self.write(&[&buffer[..step]], done < slice.len).await?;
        }
        Ok(())
    }
}

/// A small answer in one piece; `None` when it is not small, or a part of it would have to come from the disk.
pub(crate) fn small_bytes(frame: &Frame) -> Option<Vec<u8>> {
    let len = frame.len();
    if len > SMALL_ANSWER {
        return None;
    }
    let mut bytes = Vec::with_capacity(len);
    for segment in &frame.segments {
        match segment {
            Segment::Bytes(part) => bytes.extend_from_slice(part),
            Segment::File(slice) => read_cached(slice, &mut bytes)?,
        }
    }
    Some(bytes)
}

/// Appends a piece of a file; `None` when that would wait for the disk, or the file is shorter.
fn read_cached(slice: &FileSlice, bytes: &mut Vec<u8>) -> Option<()> {
    let start = bytes.len();
    bytes.resize(start + slice.len, 0);
    let piece = &mut bytes[start..];
    let read = match slice.file.fd() {
        Some(fd) => {
            match rustix::io::preadv2(fd, &mut [IoSliceMut::new(piece)], slice.position, ReadWriteFlags::NOWAIT) {
                // A tmpfs, which never waits.
                Err(Errno::OPNOTSUPP) => slice.file.read_at(piece, slice.position).ok()?,
                read => read.ok()?,
            }
        }
        None => slice.file.read_at(piece, slice.position).ok()?,
    };
    (read == slice.len).then_some(())
}

/// Sends what the network takes at once; gives how much.
pub(crate) fn send_now(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    stream.try_io(Interest::WRITABLE, || Ok(rustix::net::send(stream, bytes, SendFlags::NOSIGNAL)?))
}

/// Has a thread read what is not in the page cache, so that `sendfile` doesn't hold up this core's other connections.
///
/// Looks at the first and the last byte of the piece: cold data is cold from one end or the other, because logs are
/// written, and read ahead, in order.
async fn warm(file: &Arc<dyn DiskFile>, position: u64, len: usize) -> io::Result<()> {
    if is_cached(file, position) && is_cached(file, position + len as u64 - 1) {
        return Ok(());
    }
    let file = Arc::clone(file);
    let read = tokio::task::spawn_blocking(move || {
        let mut buffer = vec![0; len.min(COPY_CHUNK)];
        let mut done = 0;
        while done < len {
            let step = buffer.len().min(len - done);
            if file.read_at(&mut buffer[..step], position + done as u64)? == 0 {
                break;
            }
            done += step;
        }
        Ok(())
    });
    read.await.map_err(io::Error::other)?
}

/// False when reading the byte at `position` would wait for the disk. File systems that can't tell count as cached.
fn is_cached(file: &Arc<dyn DiskFile>, position: u64) -> bool {
    let Some(fd) = file.fd() else { return true };
    let mut byte = [0];
    let probe = rustix::io::preadv2(fd, &mut [IoSliceMut::new(&mut byte)], position, ReadWriteFlags::NOWAIT);
    probe != Err(Errno::AGAIN)
}
