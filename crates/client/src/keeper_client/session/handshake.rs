//! One attempt to have a session on a server.

use std::io;
use std::time::Duration;

use ottla_keeper::jute::{Jute, Reader};
use ottla_keeper::ops::KeeperEvent;
use ottla_keeper::proto::{ConnectRequest, ConnectResponse};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::super::SessionState;
use super::super::connect_string::KeeperAddress;
use super::super::connector::{KeeperConnector, KeeperStream};
use super::{Session, frame};

/// A ConnectResponse has 37 bytes and a password of 16.
const CONNECT_RESPONSE_BYTES: usize = 4_096;

/// How a handshake ended.
pub(super) enum Handshake {
    Connected(Box<dyn KeeperStream>),
    Expired,
}

impl Session {
    /// One attempt; `None` when a close was asked for meanwhile.
    pub(super) async fn connect(&mut self, server: &KeeperAddress) -> Option<io::Result<Handshake>> {
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.last_zxid,
            timeout_ms: i32::try_from(self.config.session_timeout.as_millis()).unwrap_or(i32::MAX),
            // A session of a read-only server is known to nobody else.
            session_id: if self.local_session { 0 } else { self.session_id },
            passwd: Some(&self.passwd),
            read_only: Some(self.config.read_only),
        };
        let connector = self.config.connector.clone();
        let limit = self.timeout / u32::try_from(self.ring.len()).unwrap_or(1);
        let attempt = tokio::time::timeout(limit, handshake(&*connector, server, request.to_bytes()));
        tokio::pin!(attempt);
        let outcome = loop {
            tokio::select! {
                outcome = &mut attempt => break outcome,
                command = self.commands.recv() => if self.take(command) { return None },
            }
        };
        Some(match outcome {
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")),
            Ok(Err(e)) => Err(e),
            Ok(Ok((stream, answer))) => self.accepted(server, stream, &answer),
        })
    }

    /// Reads the server's word on the session.
    fn accepted(
        &mut self,
        server: &KeeperAddress,
        stream: Box<dyn KeeperStream>,
        answer: &[u8],
    ) -> io::Result<Handshake> {
        let answer: ConnectResponse<'_> = Reader::new(answer).record().map_err(io::Error::other)?;
        if answer.timeout_ms <= 0 || answer.session_id == 0 {
            return Ok(Handshake::Expired);
        }
        let resumed = self.session_id == answer.session_id;
        let read_only = answer.read_only == Some(true);
        self.local_session = read_only && (self.session_id == 0 || self.local_session);
        self.session_id = answer.session_id;
        self.passwd = answer.passwd.unwrap_or_default().to_vec();
        self.timeout = Duration::from_millis(answer.timeout_ms as u64);
        tracing::info!(%server, session = format_args!("0x{:x}", self.session_id), timeout_ms = answer.timeout_ms, resumed, "keeper session");
        self.state.send_replace(SessionState::Connected {
            server: server.to_string(),
            session_id: self.session_id,
            timeout: self.timeout,
            read_only,
        });
        (self.events)(KeeperEvent::Connected { session_id: self.session_id, resumed });
        Ok(Handshake::Connected(stream))
    }
}

/// Connects and asks for the session; gives the answer as it is.
async fn handshake(
    connector: &dyn KeeperConnector,
    server: &KeeperAddress,
    request: Vec<u8>,
) -> io::Result<(Box<dyn KeeperStream>, Vec<u8>)> {
    let mut stream = connector.connect(server).await?;
    let mut out = Vec::with_capacity(request.len() + 4);
    frame(&mut out, |out| out.extend_from_slice(&request));
    stream.write_all(&out).await?;
    let len = stream.read_i32().await?;
    let len = usize::try_from(len).ok().filter(|&len| len <= CONNECT_RESPONSE_BYTES);
    let len =
        len.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a keeper: its greeting is no session"))?;
    let mut answer = vec![0; len];
    stream.read_exact(&mut answer).await?;
    Ok((stream, answer))
}
