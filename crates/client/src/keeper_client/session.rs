//! The task behind a [`KeeperClient`](super::KeeperClient): connects, reconnects, writes requests, reads answers.

mod answers;
mod better_server;
mod command;
mod handshake;

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use ottla_base::limits::KEEPER_REQUESTS_IN_FLIGHT;
use ottla_base::random::Random;
use ottla_keeper::jute::Jute;
use ottla_keeper::ops::{KeeperError, KeeperEvent, KeeperOp};
use ottla_keeper::proto::{AuthPacket, ErrorCode, OpCode, RequestHeader, xid};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::connect_string::KeeperAddress;
use super::connector::KeeperStream;
use super::watches::Watches;
use super::wire::{self, Answer, AnyOp, Context, Sent};
use super::{KeeperClientConfig, SessionState};
use answers::Inbox;
pub(super) use command::{Command, Done};
use handshake::Handshake;

/// Longest silence towards the server, whatever the session's timeout: a dead connection shows early.
#[doc(alias = "MAX_SEND_PING_INTERVAL")]
const LONGEST_SILENCE: Duration = Duration::from_secs(10);
/// Pause after no server could be reached: doubles from the first to the second.
const RETRY_PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(1_000));
/// Bytes that may wait for the socket before further requests stay in the queue.
const UNSENT_BYTES: usize = 1 << 20;
struct InFlight {
    xid: i32,
    sent: Sent,
    done: Option<Done>,
    /// Kept while it is not known whether the server has create2, to send it again in the old form.
    again: Option<AnyOp>,
}

/// Why a connection ended.
enum Ended {
    Lost(String),
    AuthFailed,
    Closed,
}

pub(super) struct Session {
    config: KeeperClientConfig,
    /// The servers in the order of trying them, and the next one.
    ring: Vec<KeeperAddress>,
    next_server: usize,
    commands: mpsc::UnboundedReceiver<Command>,
    events: Box<dyn FnMut(KeeperEvent) + Send>,
    state: watch::Sender<SessionState>,
    session_id: i64,
    /// Only read-only servers have seen the session.
    local_session: bool,
    passwd: Vec<u8>,
    /// As the server granted it.
    timeout: Duration,
    last_zxid: i64,
    next_xid: i32,
    /// `Some(false)`: a server before 3.5.
    has_create2: Option<bool>,
    watches: Watches,
    auth: Vec<(String, Vec<u8>)>,
    auth_waiting: VecDeque<Option<oneshot::Sender<Result<Answer, KeeperError>>>>,
    queue: VecDeque<(AnyOp, Done)>,
    in_flight: VecDeque<InFlight>,
    out: Vec<u8>,
    written: usize,
    /// Set once a close was asked for, or every handle is gone.
    closing: bool,
    close_sent: bool,
    closed: Vec<oneshot::Sender<()>>,
}

impl Session {
    pub(super) fn new(
        config: KeeperClientConfig,
        commands: mpsc::UnboundedReceiver<Command>,
        events: Box<dyn FnMut(KeeperEvent) + Send>,
        state: watch::Sender<SessionState>,
    ) -> Self {
        let mut ring = config.servers.servers.clone();
        let mut random = Random::new(config.seed);
        for i in (1..ring.len()).rev() {
            ring.swap(i, random.index(i + 1));
        }
        Self {
            ring,
            next_server: 0,
            commands,
            events,
            state,
            session_id: 0,
            local_session: false,
            passwd: vec![0; 16],
            timeout: config.session_timeout,
            last_zxid: 0,
            next_xid: 1,
            has_create2: None,
            watches: Watches::default(),
            auth: config.auth.clone(),
            auth_waiting: VecDeque::new(),
            queue: VecDeque::new(),
            in_flight: VecDeque::new(),
            out: Vec::new(),
            written: 0,
            closing: false,
            close_sent: false,
            closed: Vec::new(),
            config,
        }
    }

    pub(super) async fn run(mut self) {
        let mut failures = 0usize;
        while !self.closing {
            let server = self.ring[self.next_server].clone();
            self.next_server = (self.next_server + 1) % self.ring.len();
            match self.connect(&server).await {
                None => break,
                Some(Err(e)) => {
                    failures += 1;
                    tracing::debug!(%server, error = %e, "no keeper session there");
                    let last_error = Some(describe(&e));
                    self.state.send_replace(SessionState::Connecting { last_error });
                    if failures.is_multiple_of(self.ring.len()) && self.rest(failures / self.ring.len()).await.is_none()
                    {
                        break;
                    }
                }
                Some(Ok(Handshake::Expired)) => {
                    return self.over(SessionState::Expired, &KeeperError::SessionExpired, Some(KeeperEvent::Expired));
                }
                Some(Ok(Handshake::Connected(stream))) => {
                    failures = 0;
                    match self.serve(stream).await {
                        Ended::Closed => break,
                        Ended::AuthFailed => {
                            let error = KeeperError::Code(ErrorCode::AuthFailed);
                            return self.over(SessionState::AuthFailed, &error, None);
                        }
                        Ended::Lost(why) => self.lost(&server, why),
                    }
                }
            }
        }
        self.over(SessionState::Closed, &KeeperError::SessionExpired, None);
    }

    /// Takes a command in; true when it is time to stop although there is no connection to say so on.
    fn take(&mut self, command: Option<Command>) -> bool {
        match command {
            Some(Command::Op { op, done }) => self.queue.push_back((op, done)),
            Some(Command::Auth { scheme, credentials, done }) => {
                self.auth.push((scheme, credentials));
                self.auth_waiting.push_back(Some(done));
            }
            Some(Command::Close { done }) => {
                self.closed.push(done);
                self.closing = true;
            }
            None => self.closing = true,
        }
        self.closing
    }

    /// No server answered: what waits is told so, and after a pause the round begins again.
    async fn rest(&mut self, rounds: usize) -> Option<()> {
        self.fail_all(&KeeperError::ConnectionLoss);
        let pause = RETRY_PAUSE.0.saturating_mul(1 << rounds.min(10)).min(RETRY_PAUSE.1);
        let until = Instant::now() + pause;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return Some(()),
                command = self.commands.recv() => if self.take(command) { return None },
            }
        }
    }

    fn lost(&mut self, server: &KeeperAddress, why: String) {
        tracing::warn!(%server, session = format_args!("0x{:x}", self.session_id), why, "lost the keeper");
        while let Ok(command) = self.commands.try_recv() {
            self.take(Some(command));
        }
        let again = self.in_flight.front_mut().filter(|_| self.has_create2 == Some(false));
        let again = again.and_then(|first| first.again.take().zip(first.done.take()));
        self.fail_all(&KeeperError::ConnectionLoss);
        self.queue.extend(again);
        self.state.send_replace(SessionState::Connecting { last_error: Some(why) });
        (self.events)(KeeperEvent::Disconnected);
    }

    fn fail_all(&mut self, error: &KeeperError) {
        for done in self.in_flight.drain(..).filter_map(|sent| sent.done) {
            done.finish(Err(error.clone()));
        }
        for (_, done) in self.queue.drain(..) {
            done.finish(Err(error.clone()));
        }
        for done in self.auth_waiting.drain(..).flatten() {
            drop(done.send(Err(error.clone())));
        }
    }

    /// The end: everybody who waits, and whoever still asks, is told.
    fn over(mut self, state: SessionState, error: &KeeperError, event: Option<KeeperEvent>) {
        self.commands.close();
        self.fail_all(error);
        while let Ok(command) = self.commands.try_recv() {
            command.fail(error);
        }
        self.state.send_replace(state);
        if let Some(event) = event {
            (self.events)(event);
        }
        for done in self.closed.drain(..) {
            // Whoever closed may have gone away.
            let _ = done.send(());
        }
    }

    /// Carries requests and answers until the connection ends.
    async fn serve(&mut self, stream: Box<dyn KeeperStream>) -> Ended {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut inbox = Inbox::default();
        self.prime();
        let (mut last_read, mut last_write) = (Instant::now(), Instant::now());
        // As ZooKeeper's client: a third of the session's timeout is left to find another server.
        let read_timeout = self.timeout * 2 / 3;
        let silence = (read_timeout / 2).min(LONGEST_SILENCE);
        let cut_off = matches!(*self.state.borrow(), SessionState::Connected { read_only: true, .. });
        let search = better_server::find(self.config.connector.clone(), self.ring.clone(), self.next_server);
        tokio::pin!(search);
        loop {
            self.pump();
            let unsent = self.written < self.out.len();
            let wake = (last_read + read_timeout).min(last_write + silence);
            inbox.make_room();
            tokio::select! {
                read = reader.read_buf(&mut inbox.bytes) => match read {
                    Ok(0) if self.close_sent => return Ended::Closed,
                    Ok(0) => return Ended::Lost("the server closed the connection".to_owned()),
                    Err(e) => return Ended::Lost(describe(&e)),
                    Ok(_) => {
                        last_read = Instant::now();
                        if let Some(ended) = self.read_frames(&mut inbox) {
                            return ended;
                        }
                    }
                },
                written = writer.write(&self.out[self.written..]), if unsent => match written {
                    Ok(0) => return Ended::Lost("the connection takes no more bytes".to_owned()),
                    Err(e) => return Ended::Lost(describe(&e)),
                    Ok(count) => {
                        last_write = Instant::now();
                        self.written += count;
                        if self.written == self.out.len() {
                            self.out.clear();
                            self.written = 0;
                        }
                    }
                },
                command = self.commands.recv(), if !self.closing => {
                    self.take_while_connected(command);
                    while let Ok(command) = self.commands.try_recv() {
                        self.take_while_connected(Some(command));
                    }
                },
                better = &mut search, if cut_off => {
                    self.next_server = better;
                    return Ended::Lost(format!("{} is not cut off", self.ring[better]));
                }
                () = tokio::time::sleep_until(wake) => {
                    if last_read + read_timeout <= Instant::now() {
                        return Ended::Lost(format!("nothing heard for {} ms", read_timeout.as_millis()));
                    }
                    frame(&mut self.out, |out| RequestHeader { xid: xid::PING, op: OpCode::Ping.code() }.write(out));
                    last_write = Instant::now();
                }
            }
        }
    }

    fn take_while_connected(&mut self, command: Option<Command>) {
        if let Some(Command::Auth { scheme, credentials, done }) = command {
            write_auth(&mut self.out, &scheme, &credentials);
            self.auth.push((scheme, credentials));
            self.auth_waiting.push_back(Some(done));
        } else {
            self.take(command);
        }
    }

    /// What a new connection begins with: who we are, and which watches we hold.
    fn prime(&mut self) {
        self.out.clear();
        self.written = 0;
        // Those that came while there was no connection are the last ones of `auth`.
        while self.auth_waiting.len() < self.auth.len() {
            self.auth_waiting.push_front(None);
        }
        for (scheme, credentials) in &self.auth {
            write_auth(&mut self.out, scheme, credentials);
        }
        for request in self.watches.set_again(self.last_zxid) {
            frame(&mut self.out, |out| out.extend_from_slice(&request));
        }
    }

    /// Moves requests from the queue to the wire, as many as may be there.
    fn pump(&mut self) {
        while self.in_flight.len() < KEEPER_REQUESTS_IN_FLIGHT && self.out.len() - self.written < UNSENT_BYTES {
            let Some((op, done)) = self.queue.pop_front() else {
                if self.closing && !self.close_sent {
                    self.close_sent = true;
                    self.send(AnyOp::CloseSession, None);
                }
                return;
            };
            self.send(op, Some(done));
        }
    }

    fn send(&mut self, op: AnyOp, done: Option<Done>) {
        let context = Context {
            paths: &self.config.servers,
            session_id: self.session_id,
            old_create: self.has_create2 == Some(false),
        };
        let xid = self.next_xid;
        let frame_at = self.out.len();
        let mut sent = None;
        frame(&mut self.out, |out| sent = Some(wire::encode(context, xid, &op, out)));
        match sent {
            Some(Ok(sent)) => {
                self.next_xid = if xid == i32::MAX { 1 } else { xid + 1 };
                let unsure = self.has_create2.is_none() && matches!(op, AnyOp::Op(KeeperOp::Create { .. }));
                self.in_flight.push_back(InFlight { xid, sent, done, again: unsure.then_some(op) });
            }
            Some(Err(e)) => {
                self.out.truncate(frame_at);
                if let Some(done) = done {
                    done.finish(Err(e));
                }
            }
            None => self.out.truncate(frame_at),
        }
    }
}

fn write_auth(out: &mut Vec<u8>, scheme: &str, credentials: &[u8]) {
    frame(out, |out| {
        RequestHeader { xid: xid::AUTH, op: OpCode::Auth.code() }.write(out);
        AuthPacket { auth_type: 0, scheme, auth: Some(credentials) }.write(out);
    });
}

/// Appends what `write` appends, with its length before it.
fn frame(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let len = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&len.to_be_bytes());
}

/// One short phrase for a user, without "(os error 111)".
fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::UnexpectedEof => "the server closed the connection".to_owned(),
        _ => error.to_string(),
    }
}
