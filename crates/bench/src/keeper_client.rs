//! A client of ZooKeeper's protocol as thin as can be: raw jute over TCP, as many requests on their way as the caller
//! wants, one thread for all connections. The same for both servers.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::wire::Result;

/// Operation codes (`ZooDefs.OpCode`).
pub const CREATE: i32 = 1;
pub const GET_DATA: i32 = 4;
pub const SET_DATA: i32 = 5;
/// What a client may wait for one answer, or for a connection.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long before a request is due its client stops sleeping.
const AWAKE_BEFORE: Duration = Duration::from_micros(200);
/// Length, xid, zxid and error of an answer.
const REPLY_HEAD: usize = 4 + 16;
const READ_BYTES: usize = 64 << 10;

/// A connection with its session.
pub struct Client {
    stream: TcpStream,
    next_xid: i32,
    sending: Vec<u8>,
    sent: usize,
    /// Room for what is received, of which the first `filled` bytes are.
    received: Vec<u8>,
    filled: usize,
    /// Requests that were not answered yet.
    outstanding: usize,
}

impl Client {
    /// Opens a new session.
    pub fn connect(address: &str, patience: Duration) -> Result<Self> {
        let address: SocketAddr = address.parse()?;
        let mut stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        let mut frame = Vec::new();
        put_frame(&mut frame, |out| {
            out.extend_from_slice(&[0; 12]);
            put_int(out, 30_000);
            out.extend_from_slice(&0i64.to_be_bytes());
            put_buffer(out, &[0; 16]);
            out.push(0);
        });
        stream.write_all(&frame)?;
        let mut size = [0; 4];
        stream.read_exact(&mut size)?;
        let mut answer = vec![0; u32::from_be_bytes(size) as usize];
        stream.read_exact(&mut answer)?;
        if answer.get(8..16).is_none_or(|id| id == [0; 8]) {
            return Err("the session was refused".into());
        }
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            next_xid: 1,
            sending: Vec::new(),
            sent: 0,
            received: vec![0; READ_BYTES],
            filled: 0,
            outstanding: 0,
        })
    }

    /// Adds a request to what is to be sent.
    pub fn request(&mut self, op: i32, body: impl FnOnce(&mut Vec<u8>)) {
        let xid = self.next_xid;
        self.next_xid += 1;
        self.outstanding += 1;
        put_frame(&mut self.sending, |out| {
            put_int(out, xid);
            put_int(out, op);
            body(out);
        });
    }

    /// Sends what can be sent without waiting.
    pub fn flush(&mut self) -> Result<()> {
        while self.sent < self.sending.len() {
            match self.stream.write(&self.sending[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        self.sending.clear();
        self.sent = 0;
        Ok(())
    }

    /// Takes the answers that are there; gives their number. An answer other than `expected` (0, or what it may be
    /// besides) is an error.
    pub fn answers(&mut self, may_be: i32) -> Result<usize> {
        if self.filled == self.received.len() {
            self.received.resize(2 * self.filled, 0);
        }
        match self.stream.read(&mut self.received[self.filled..]) {
            Ok(0) => return Err("the server closed the connection".into()),
            Ok(read) => self.filled += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        let received = &self.received[..self.filled];
        let (mut at, mut count) = (0, 0);
        while let Some(size) = received[at..].first_chunk::<4>() {
            let end = at + 4 + u32::from_be_bytes(*size) as usize;
            if end > received.len() || end < at + REPLY_HEAD {
                break;
            }
            let code = int_at(received, at + 16);
            if code != 0 && code != may_be {
                return Err(format!("a request failed with error {code}").into());
            }
            count += 1;
            at = end;
        }
        self.received.copy_within(at..self.filled, 0);
        self.filled -= at;
        self.outstanding -= count;
        Ok(count)
    }

    /// One request and its answer.
    pub fn call(&mut self, op: i32, may_be: i32, patience: Duration, body: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        self.request(op, body);
        let deadline = Instant::now() + patience;
        while self.outstanding > 0 {
            self.flush()?;
            if self.answers(may_be)? == 0 {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err("no answer in time".into());
                }
                wait(&mut [self], left)?;
            }
        }
        Ok(())
    }

    /// Creates a node; one that is there is all right.
    pub fn create(&mut self, path: &str, data: &[u8]) -> Result<()> {
        self.call(CREATE, -110, PATIENCE, |out| put_create(out, path, data))
    }
}

/// Sends `total` requests over all clients, `depth` of each client on their way at any time, and waits for all answers;
/// gives the seconds. `body` writes the body of the request of that number.
pub fn drive(
    clients: &mut [Client],
    depth: usize,
    total: u64,
    op: i32,
    mut body: impl FnMut(u64, &mut Vec<u8>),
) -> Result<f64> {
    let (mut issued, mut answered) = (0, 0);
    let start = Instant::now();
    let mut ready: Vec<bool> = vec![true; clients.len()];
    while answered < total {
        for (client, ready) in clients.iter_mut().zip(&ready) {
            if !ready {
                continue;
            }
            if client.outstanding > 0 {
                answered += client.answers(0)? as u64;
            }
            while client.outstanding < depth && issued < total {
                client.request(op, |out| body(issued, out));
                issued += 1;
            }
            client.flush()?;
        }
        if answered < total {
            ready = wait(&mut clients.iter_mut().collect::<Vec<_>>(), PATIENCE)?;
        }
    }
    Ok(start.elapsed().as_secs_f64())
}

/// Waits until something can be read, or sent where something waits to be; tells for which clients.
fn wait(clients: &mut [&mut Client], patience: Duration) -> Result<Vec<bool>> {
    let mut fds: Vec<PollFd<'_>> = clients
        .iter()
        .map(|client| {
            let sends = client.sent < client.sending.len();
            PollFd::new(&client.stream, if sends { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN })
        })
        .collect();
    let timeout = Timespec { tv_sec: patience.as_secs() as i64, tv_nsec: i64::from(patience.subsec_nanos()) };
    match poll(&mut fds, Some(&timeout)) {
        Ok(0) => Err("no answer in time".into()),
        Ok(_) => Ok(fds.iter().map(|fd| !fd.revents().is_empty()).collect()),
        Err(rustix::io::Errno::INTR) => Ok(vec![true; fds.len()]),
        Err(error) => Err(error.into()),
    }
}

/// When each of `total` requests, due every `gap`, was answered: microseconds from the moment it was due.
///
/// The client does not sleep while an answer is under way, nor just before a request is due: how long the machine takes to
/// wake a client is no server's doing, and is as long as what is measured here.
pub fn paced(client: &mut Client, gap: Duration, total: u32, mut body: impl FnMut(&mut Vec<u8>)) -> Result<Vec<f64>> {
    let mut micros = Vec::with_capacity(total as usize);
    let start = Instant::now();
    let (mut issued, mut answered) = (0, 0);
    while answered < total {
        let now = Instant::now();
        while issued < total && now >= start + gap * issued {
            client.request(SET_DATA, &mut body);
            issued += 1;
        }
        client.flush()?;
        let count = client.answers(0)?;
        let now = Instant::now();
        for _ in 0..count {
            micros.push((now - (start + gap * answered)).as_nanos() as f64 / 1e3);
            answered += 1;
        }
        if answered == issued && issued < total {
            std::thread::sleep((start + gap * issued).saturating_duration_since(now + AWAKE_BEFORE));
        } else if now > start + gap * answered + PATIENCE {
            return Err("no answer in time".into());
        }
        std::hint::spin_loop();
    }
    Ok(micros)
}

/// A four-letter word's answer.
pub fn four_letters(address: &str, word: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(word.as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

pub fn put_create(out: &mut Vec<u8>, path: &str, data: &[u8]) {
    put_buffer(out, path.as_bytes());
    put_buffer(out, data);
    // Everything to everybody.
    put_int(out, 1);
    put_int(out, 31);
    put_buffer(out, b"world");
    put_buffer(out, b"anyone");
    put_int(out, 0);
}

pub fn put_set(out: &mut Vec<u8>, path: &str, data: &[u8]) {
    put_buffer(out, path.as_bytes());
    put_buffer(out, data);
    put_int(out, -1);
}

pub fn put_get(out: &mut Vec<u8>, path: &str) {
    put_buffer(out, path.as_bytes());
    out.push(0);
}

fn put_frame(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    put_int(out, 0);
    body(out);
    let len = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&len.to_be_bytes());
}

fn put_int(out: &mut Vec<u8>, value: i32) {
    out.extend_from_slice(&value.to_be_bytes());
}

fn put_buffer(out: &mut Vec<u8>, bytes: &[u8]) {
    put_int(out, bytes.len() as i32);
    out.extend_from_slice(bytes);
}

fn int_at(bytes: &[u8], at: usize) -> i32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, i32::from_be_bytes)
}
