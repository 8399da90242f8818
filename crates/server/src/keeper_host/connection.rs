//! One client of the keeper.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use ottla_keeper::keeper_server::{ANSWERS_AT_ONCE, Input};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Shared;

/// Bytes read at a time.
const READ_BYTES: usize = 16 << 10;
/// A client that lets so many bytes of answers wait is not read from, and what was read waits.
const FULL_BYTES: usize = 1 << 20;
/// A client that lets so many bytes wait (watch events come without being asked for) is disconnected; it finds its
/// session again when it reads faster.
const MAX_WAITING_BYTES: usize = 64 << 20;
/// How long the last words may take to leave: the client may not read any more.
const CLOSING: Duration = Duration::from_secs(5);

/// What waits to be sent to a client, and what the server wants of its connection.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    paused: bool,
    closing: bool,
}

impl Outbox {
    pub(super) fn send(&self, bytes: Vec<u8>) {
        let mut state = self.state.lock();
        if state.bytes.is_empty() {
            state.bytes = bytes;
        } else {
            state.bytes.extend_from_slice(&bytes);
        }
        drop(state);
        self.changed.notify_one();
    }

    pub(super) fn close(&self) {
        self.state.lock().closing = true;
        self.changed.notify_one();
    }

    pub(super) fn pause(&self, paused: bool) {
        self.state.lock().paused = paused;
        self.changed.notify_one();
    }
}

/// Accepts clients for ever.
pub(super) async fn accept(shared: Arc<Shared>, socket: TcpListener) {
    let socket = match tokio::net::TcpListener::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => return shared.fail(&format!("it cannot listen: {error}")),
    };
    let most = crate::descriptors::for_keeper_clients();
    loop {
        match socket.accept().await {
            Ok((_, peer)) if shared.connection_count() >= most => {
                tracing::warn!(%peer, most, "too many connections for the process's open files: refused; raise `ulimit -n`");
            }
            Ok((stream, peer)) => {
                let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                if stream.set_nodelay(true).is_ok() {
                    tokio::spawn(serve(Arc::clone(&shared), stream, peer));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the keeper cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Serves one client to the end of its connection.
pub(super) async fn serve(shared: Arc<Shared>, stream: impl AsyncRead + AsyncWrite + Unpin, peer: SocketAddr) {
    let (conn, outbox) = shared.open(peer);
    let ended = exchange(&shared, conn, &outbox, stream).await;
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "keeper connection lost");
    }
    shared.closed(conn);
}

async fn exchange(
    shared: &Arc<Shared>,
    conn: u64,
    outbox: &Outbox,
    stream: impl AsyncRead + AsyncWrite + Unpin,
) -> io::Result<()> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut received = Vec::with_capacity(READ_BYTES);
    let mut handed = true;
    let mut sending = Vec::new();
    let mut sent = 0;
    let (mut was_paused, mut deadline) = (false, None);
    loop {
        let (paused, closing) = {
            let mut state = outbox.state.lock();
            if sent == sending.len() {
                sending = std::mem::take(&mut state.bytes);
                sent = 0;
            }
            if state.bytes.len() > MAX_WAITING_BYTES {
                return Err(io::Error::other("the client does not read what it is sent"));
            }
            let waiting = state.bytes.len() + sending.len() - sent;
            (state.paused || waiting > FULL_BYTES, state.closing)
        };
        let sends = sent < sending.len();
        if closing && !sends {
            return writer.shutdown().await;
        }
        if closing && deadline.is_none() {
            deadline = Some(Instant::now() + CLOSING);
        }
        if was_paused && !paused {
            // Requests of before may wait for just this.
            handed = false;
        }
        was_paused = paused;
        if !handed && !paused && !closing {
            shared.step(Input::Received { conn, bytes: &received });
            received.clear();
            // With so many answers the server may have left requests for later.
            handed = outbox.state.lock().bytes.len() < ANSWERS_AT_ONCE;
            continue;
        }
        tokio::select! {
            biased;
            count = writer.write(&sending[sent..]), if sends => match count? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => sent += count,
            },
            () = outbox.changed.notified() => {}
            count = reader.read_buf(&mut received), if handed && !paused && !closing => match count? {
                0 => return Ok(()),
                _ => handed = false,
            },
            () = until(deadline) => return Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
