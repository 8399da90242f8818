//! The task behind a [`KeeperClient`](super::KeeperClient): connects, reconnects, writes requests, reads answers.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use ottla_base::limits::{KEEPER_ANSWER_BYTES, KEEPER_REQUESTS_IN_FLIGHT};
use ottla_base::random::Random;
use ottla_keeper::jute::{Jute, JuteError, Reader};
use ottla_keeper::ops::{KeeperError, KeeperEvent, KeeperOp, KeeperResult};
use ottla_keeper::proto::{
    AuthPacket, ConnectRequest, ConnectResponse, ErrorCode, EventType, OpCode, ReplyHeader, RequestHeader,
    WatcherEvent, xid,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::connect_string::KeeperAddress;
use super::connector::{KeeperConnector, KeeperStream};
use super::watches::Watches;
use super::wire::{self, Answer, AnyOp, Context, Expect, Sent};
use super::{KeeperClientConfig, SessionState, WatchedEvent};

/// Longest silence towards the server, whatever the session's timeout: a dead connection shows early.
#[doc(alias = "MAX_SEND_PING_INTERVAL")]
const LONGEST_SILENCE: Duration = Duration::from_secs(10);
/// Pause after no server could be reached: doubles from the first to the second.
const RETRY_PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(1_000));
/// Bytes that may wait for the socket before further requests stay in the queue.
const UNSENT_BYTES: usize = 1 << 20;
/// A ConnectResponse has 37 bytes and a password of 16.
const CONNECT_RESPONSE_BYTES: usize = 4_096;

/// Who waits for an answer.
pub(super) enum Done {
    Op(Box<dyn FnOnce(KeeperResult) + Send>),
    Extra(oneshot::Sender<Result<Answer, KeeperError>>),
}

impl Done {
    fn finish(self, result: Result<Answer, KeeperError>) {
        match self {
            // A caller that went away is no error.
            Self::Extra(tx) => drop(tx.send(result)),
            Self::Op(done) => done(match result {
                Ok(Answer::Reply(reply)) => Ok(reply),
                Ok(_) => Err(KeeperError::ConnectionLoss),
                Err(e) => Err(e),
            }),
        }
    }
}

/// What a handle wants.
pub(super) enum Command {
    Op { op: AnyOp, done: Done },
    Auth { scheme: String, credentials: Vec<u8>, done: oneshot::Sender<Result<Answer, KeeperError>> },
    Close { done: oneshot::Sender<()> },
}

impl Command {
    pub(super) fn fail(self, error: &KeeperError) {
        match self {
            Self::Op { done, .. } => done.finish(Err(error.clone())),
            Self::Auth { done, .. } => drop(done.send(Err(error.clone()))),
            Self::Close { done } => {
                let _ = done.send(());
            }
        }
    }
}

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

/// How a handshake ended.
enum Handshake {
    Connected(Box<dyn KeeperStream>),
    Expired,
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

    /// One attempt; `None` when a close was asked for meanwhile.
    async fn connect(&mut self, server: &KeeperAddress) -> Option<io::Result<Handshake>> {
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

    /// Handles every whole frame that has arrived.
    fn read_frames(&mut self, inbox: &mut Inbox) -> Option<Ended> {
        let mut at = 0;
        let ended = loop {
            let rest = &inbox.bytes[at..];
            let Some((len, rest)) = rest.split_first_chunk::<4>() else { break None };
            let len = match usize::try_from(i32::from_be_bytes(*len)) {
                Ok(len) if len <= KEEPER_ANSWER_BYTES => len,
                _ => break Some(Ended::Lost("an answer of unreasonable length".to_owned())),
            };
            let Some(body) = rest.get(..len) else {
                inbox.wanted = len + 4;
                break None;
            };
            match self.read_frame(body) {
                Ok(None) => at += 4 + len,
                Ok(Some(ended)) => break Some(ended),
                Err(e) => break Some(Ended::Lost(format!("an answer that can't be read: {e}"))),
            }
        };
        inbox.consume(at);
        ended
    }

    fn read_frame(&mut self, body: &[u8]) -> Result<Option<Ended>, JuteError> {
        let mut body = Reader::new(body);
        let header: ReplyHeader = body.record()?;
        match header.xid {
            xid::PING | xid::SET_WATCHES => Ok(None),
            xid::NOTIFICATION => self.read_event(header.zxid, &mut body).map(|()| None),
            xid::AUTH => {
                let waiting = self.auth_waiting.pop_front().flatten();
                if header.err != 0 {
                    if let Some(done) = waiting {
                        drop(done.send(Err(KeeperError::Code(ErrorCode::AuthFailed))));
                    }
                    return Ok(Some(Ended::AuthFailed));
                }
                if let Some(done) = waiting {
                    drop(done.send(Ok(Answer::Done)));
                }
                Ok(None)
            }
            _ => self.read_answer(header, &mut body),
        }
    }

    fn read_event(&mut self, zxid: i64, body: &mut Reader<'_>) -> Result<(), JuteError> {
        let event: WatcherEvent<'_> = body.record()?;
        // An event that a newer server invents is no reason to give up the connection.
        let Some(kind) = EventType::from_i32(event.event_type) else { return Ok(()) };
        self.watches.fired(kind, event.path);
        let path = self.config.servers.to_client(event.path).to_owned();
        if let Some(watched) = &self.config.watched {
            watched(WatchedEvent { kind, path: path.clone(), zxid });
        }
        (self.events)(match kind {
            EventType::NodeCreated => KeeperEvent::NodeCreated { path },
            EventType::NodeDeleted => KeeperEvent::NodeDeleted { path },
            EventType::NodeDataChanged => KeeperEvent::NodeDataChanged { path },
            EventType::NodeChildrenChanged => KeeperEvent::NodeChildrenChanged { path },
            EventType::None
            | EventType::DataWatchRemoved
            | EventType::ChildWatchRemoved
            | EventType::PersistentWatchRemoved => return Ok(()),
        });
        Ok(())
    }

    /// The server sends nothing when a watch is removed; the client's own watcher is told all the same.
    fn tell_removed(&self, kind: EventType, path: &str) {
        if let Some(watched) = &self.config.watched {
            watched(WatchedEvent { kind, path: self.config.servers.to_client(path).to_owned(), zxid: -1 });
        }
    }

    fn read_answer(&mut self, header: ReplyHeader, body: &mut Reader<'_>) -> Result<Option<Ended>, JuteError> {
        match self.in_flight.front() {
            Some(first) if first.xid == header.xid => {}
            _ => return Ok(Some(Ended::Lost(format!("an answer nobody waits for (xid {})", header.xid)))),
        }
        if header.zxid > 0 {
            self.last_zxid = header.zxid;
        }
        let create2 = self.in_flight.front().is_some_and(|first| matches!(first.sent.expect, Expect::Created2));
        if create2 && header.err == ErrorCode::Unimplemented.code() && self.has_create2.is_none() {
            // The server closes the connection now; `lost` takes the request over to the next one.
            self.has_create2 = Some(false);
            return Ok(Some(Ended::Lost("the server does not know create2".to_owned())));
        }
        let Some(InFlight { sent, done, .. }) = self.in_flight.pop_front() else { return Ok(None) };
        if create2 {
            self.has_create2 = Some(true);
        }
        if let Some((kind, path)) = sent.watch {
            self.watches.answered(kind, path, header.err);
        }
        if let Some((kind, path)) = sent.unwatch.filter(|_| header.err == 0) {
            let gone = self.watches.removed(kind, &path);
            for kind in self.config.watched.is_some().then_some(gone).into_iter().flatten() {
                self.tell_removed(kind, &path);
            }
        }
        let Some(done) = done else { return Ok(Some(Ended::Closed)) };
        if header.err != 0 {
            let code = ErrorCode::from_i32(header.err).unwrap_or(ErrorCode::SystemError);
            let expired = code == ErrorCode::SessionExpired;
            done.finish(Err(if expired { KeeperError::SessionExpired } else { KeeperError::Code(code) }));
            return Ok(None);
        }
        let context = Context { paths: &self.config.servers, session_id: self.session_id, old_create: false };
        match wire::decode(context, &sent.expect, header.zxid, body) {
            Ok(result) => {
                done.finish(result);
                Ok(None)
            }
            Err(e) => {
                done.finish(Err(KeeperError::ConnectionLoss));
                Err(e)
            }
        }
    }
}

/// Bytes that have arrived and not been handled.
#[derive(Default)]
struct Inbox {
    bytes: Vec<u8>,
    /// Length of the frame at the front, when it is known and not all here.
    wanted: usize,
}

impl Inbox {
    /// Room for the next read: grows with what has really arrived, not with what a length promises.
    fn make_room(&mut self) {
        let missing = self.wanted.saturating_sub(self.bytes.len());
        self.bytes.reserve(missing.clamp(8 << 10, 1 << 20));
    }

    fn consume(&mut self, count: usize) {
        if count > 0 {
            self.bytes.drain(..count);
            self.wanted = 0;
            if self.bytes.is_empty() && self.bytes.capacity() > 1 << 20 {
                self.bytes = Vec::new();
            }
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

/// One short phrase for a user, without "(os error 111)".
fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::UnexpectedEof => "the server closed the connection".to_owned(),
        _ => error.to_string(),
    }
}
