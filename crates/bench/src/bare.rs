//! The bare loops: what the kernel and the checksum cost for the same bytes, with nothing of a broker around them.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use ottla_base::checksum::crc32c;

use crate::wire::Result;

/// Bytes of header before each piece of file, as a fetch answer has them.
const ANSWER_HEADER: usize = 60;

/// Serves one connection: receives frames, checksums and writes them to a file, and answers each with 60 bytes.
pub fn receive(listener: &TcpListener, path: &Path) -> Result<()> {
    let (mut stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).open(path)?;
    let mut buffer = Vec::new();
    let mut sum = 0u32;
    while let Some(size) = next_size(&mut stream)? {
        if buffer.len() < size {
            buffer.resize(size, 0);
        }
        stream.read_exact(&mut buffer[..size])?;
        sum ^= crc32c(&buffer[..size]);
        file.write_all(&buffer[..size])?;
        let mut answer = [0; ANSWER_HEADER];
        answer[..4].copy_from_slice(&(ANSWER_HEADER as u32 - 4).to_be_bytes());
        answer[4..8].copy_from_slice(&sum.to_be_bytes());
        stream.write_all(&answer)?;
    }
    Ok(())
}

/// Serves one connection: each request of 12 bytes (position, length) is answered with 60 bytes and that piece of the file.
pub fn send(listener: &TcpListener, path: &Path) -> Result<()> {
    let (mut stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    let file = File::open(path)?;
    while let Some(size) = next_size(&mut stream)? {
        let mut request = vec![0; size];
        stream.read_exact(&mut request)?;
        let mut position = u64::from_be_bytes(request[..8].try_into()?);
        let mut left = u32::from_be_bytes(request[8..12].try_into()?) as usize;
        let mut header = [0; ANSWER_HEADER];
        header[..4].copy_from_slice(&((ANSWER_HEADER - 4 + left) as u32).to_be_bytes());
        rustix::net::send(&stream, &header, rustix::net::SendFlags::MORE)?;
        while left > 0 {
            left -= rustix::fs::sendfile(&stream, &file, Some(&mut position), left)?;
        }
    }
    Ok(())
}

/// Serves two connections, a producer's and then a consumer's: writes each frame to a file, passes it on to the consumer, and
/// answers the producer with 60 bytes. The least that any broker does for a record that somebody waits for.
pub fn relay(listener: &TcpListener, path: &Path) -> Result<()> {
    let (mut producer, _) = listener.accept()?;
    let (mut consumer, _) = listener.accept()?;
    for stream in [&producer, &consumer] {
        stream.set_nodelay(true)?;
    }
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).open(path)?;
    let mut buffer = Vec::new();
    while let Some(size) = next_size(&mut producer)? {
        buffer.resize(4 + size, 0);
        buffer[..4].copy_from_slice(&(size as u32).to_be_bytes());
        producer.read_exact(&mut buffer[4..])?;
        let sum = crc32c(&buffer[4..]);
        file.write_all(&buffer[4..])?;
        consumer.write_all(&buffer)?;
        let mut answer = [0; ANSWER_HEADER];
        answer[..4].copy_from_slice(&(ANSWER_HEADER as u32 - 4).to_be_bytes());
        answer[4..8].copy_from_slice(&sum.to_be_bytes());
        producer.write_all(&answer)?;
    }
    Ok(())
}

fn next_size(stream: &mut TcpStream) -> Result<Option<usize>> {
    let mut size = [0; 4];
    match stream.read_exact(&mut size) {
        Ok(()) => Ok(Some(u32::from_be_bytes(size) as usize)),
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(e) => Err(e.into()),
    }
}
