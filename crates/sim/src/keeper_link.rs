//! A client of the simulated keeper: a session over connections that may break, speaking the real frames. Does what
//! `ottla_client::keeper_client` does, without tasks.

use std::collections::{BTreeSet, VecDeque};

use ottla_base::time::Now;
use ottla_keeper::jute::{Jute, JuteError, Reader};
use ottla_keeper::keeper_server::ConnId;
use ottla_keeper::ops::{KeeperError, KeeperEvent, KeeperOp, KeeperResult};
use ottla_keeper::proto::{
    ConnectRequest, ConnectResponse, ErrorCode, EventType, OpCode, ReplyHeader, RequestHeader, SetWatches,
    WatcherEvent, xid,
};

use crate::keeper_process::{KeeperProcess, ToClient, framed};
use crate::keeper_wire::{self, Expect, Watch};

/// Operations on the wire at once.
const MOST_IN_FLIGHT: usize = 1_000;

/// What a client hears, in its order.
#[derive(Debug)]
pub enum Heard {
    Event(KeeperEvent),
    /// The outcome of the operation submitted with this number.
    Reply(u64, KeeperResult),
}

#[derive(Debug)]
struct InFlight {
    xid: i32,
    token: u64,
    expect: Expect,
    watch: Option<(Watch, String)>,
}

/// A session and its connection.
#[derive(Debug)]
pub struct KeeperLink {
    conn: Option<ConnId>,
    /// The ConnectResponse has come.
    connected: bool,
    session_id: i64,
    passwd: Vec<u8>,
    timeout_ms: u32,
    last_zxid: i64,
    next_xid: i32,
    queue: VecDeque<(u64, KeeperOp)>,
    in_flight: VecDeque<InFlight>,
    received: Vec<u8>,
    data_watches: BTreeSet<String>,
    exist_watches: BTreeSet<String>,
    child_watches: BTreeSet<String>,
    last_sent_ms: u64,
    over: bool,
    goodbye: bool,
}

impl KeeperLink {
    /// A session to be made, with the timeout asked for.
    #[must_use]
    pub fn new(timeout_ms: u32) -> Self {
        Self {
            conn: None,
            connected: false,
            session_id: 0,
            passwd: vec![0; 16],
            timeout_ms,
            last_zxid: 0,
            next_xid: 1,
            queue: VecDeque::new(),
            in_flight: VecDeque::new(),
            received: Vec::new(),
            data_watches: BTreeSet::new(),
            exist_watches: BTreeSet::new(),
            child_watches: BTreeSet::new(),
            last_sent_ms: 0,
            over: false,
            goodbye: false,
        }
    }

    #[must_use]
    pub fn session_id(&self) -> i64 {
        self.session_id
    }

    /// Operations without an answer.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.queue.len() + self.in_flight.len()
    }

    /// The session is over; no answer will come.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over
    }

    pub fn submit(&mut self, token: u64, op: KeeperOp) {
        self.queue.push_back((token, op));
    }

    /// Ends the session in good order.
    pub fn close(&mut self, keeper: &mut KeeperProcess) {
        if self.connected
            && let Some(conn) = self.conn
        {
            let mut frame = Vec::new();
            RequestHeader { xid: self.next_xid, op: OpCode::CloseSession.code() }.write(&mut frame);
            keeper.send(conn, framed(&frame));
            self.goodbye = true;
        }
    }

    /// True when [`Self::run`] has something to do.
    #[must_use]
    pub fn is_ready(&self, keeper: &KeeperProcess, now: Now) -> bool {
        if self.over {
            return false;
        }
        match self.conn {
            None => true,
            Some(conn) => {
                keeper.has_answer(conn)
                    || self.connected && (!self.queue.is_empty() && !self.goodbye || self.ping_due(now))
            }
        }
    }

    fn ping_due(&self, now: Now) -> bool {
        now.mono_ms() >= self.last_sent_ms + u64::from(self.timeout_ms / 3)
    }

    /// When a ping is due.
    #[must_use]
    pub fn next_ping_ms(&self) -> Option<u64> {
        (self.connected && !self.over).then(|| self.last_sent_ms + u64::from(self.timeout_ms / 3))
    }

    /// Connects, sends what waits, and takes in one piece of what has come.
    pub fn run(&mut self, keeper: &mut KeeperProcess, now: Now) -> Vec<Heard> {
        let mut heard = Vec::new();
        let Some(conn) = self.conn else {
            self.connect(keeper, now);
            return heard;
        };
        match keeper.receive(conn) {
            Some(ToClient::Bytes(bytes)) => {
                self.received.extend_from_slice(&bytes);
                if let Err(error) = self.take_frames(keeper, now, &mut heard) {
                    panic!("the keeper sent what can't be read: {error:?}");
                }
            }
            Some(ToClient::Closed) => self.lost(&mut heard),
            None => {}
        }
        if self.connected {
            self.send(keeper, now);
        }
        heard
    }

    /// The connection breaks.
    pub fn cut(&mut self, keeper: &mut KeeperProcess, now: Now) -> Vec<Heard> {
        let mut heard = Vec::new();
        if let Some(conn) = self.conn {
            keeper.cut(now, conn);
            self.lost(&mut heard);
        }
        heard
    }

    /// The keeper's process is gone, and every connection with it.
    pub fn keeper_gone(&mut self) -> Vec<Heard> {
        let mut heard = Vec::new();
        if self.conn.is_some() {
            self.lost(&mut heard);
        }
        heard
    }

    fn lost(&mut self, heard: &mut Vec<Heard>) {
        self.conn = None;
        self.received.clear();
        let lost = self.in_flight.drain(..);
        heard.extend(lost.map(|gone| Heard::Reply(gone.token, Err(KeeperError::ConnectionLoss))));
        if std::mem::take(&mut self.connected) {
            heard.push(Heard::Event(KeeperEvent::Disconnected));
        }
        if self.goodbye {
            self.over = true;
        }
    }

    fn connect(&mut self, keeper: &mut KeeperProcess, now: Now) {
        let conn = keeper.connect(now);
        let request = ConnectRequest {
            last_zxid_seen: self.last_zxid,
            timeout_ms: self.timeout_ms as i32,
            session_id: self.session_id,
            passwd: Some(&self.passwd),
            read_only: Some(false),
            ..ConnectRequest::default()
        };
        keeper.send(conn, framed(&request.to_bytes()));
        self.conn = Some(conn);
        self.last_sent_ms = now.mono_ms();
    }

    fn send(&mut self, keeper: &mut KeeperProcess, now: Now) {
        let Some(conn) = self.conn else { return };
        if self.goodbye {
            return;
        }
        let mut bytes = Vec::new();
        while self.in_flight.len() < MOST_IN_FLIGHT
            && let Some((token, op)) = self.queue.pop_front()
        {
            let xid = self.next_xid;
            self.next_xid += 1;
            let (frame, expect, watch) = keeper_wire::encode(xid, &op);
            bytes.extend(framed(&frame));
            self.in_flight.push_back(InFlight { xid, token, expect, watch });
        }
        if bytes.is_empty() && self.ping_due(now) {
            bytes = framed(&RequestHeader { xid: xid::PING, op: OpCode::Ping.code() }.to_bytes());
        }
        if !bytes.is_empty() {
            self.last_sent_ms = now.mono_ms();
            keeper.send(conn, bytes);
        }
    }

    fn take_frames(&mut self, keeper: &mut KeeperProcess, now: Now, heard: &mut Vec<Heard>) -> Result<(), JuteError> {
        while let Some(size) = self.received.first_chunk::<4>().map(|size| u32::from_be_bytes(*size) as usize) {
            if self.received.len() < 4 + size {
                break;
            }
            let frame: Vec<u8> = self.received[4..4 + size].to_vec();
            self.received.drain(..4 + size);
            if self.connected {
                self.take_answer(&frame, heard)?;
            } else {
                self.take_connect_response(keeper, now, &frame, heard)?;
            }
        }
        Ok(())
    }

    fn take_connect_response(
        &mut self,
        keeper: &mut KeeperProcess,
        now: Now,
        frame: &[u8],
        heard: &mut Vec<Heard>,
    ) -> Result<(), JuteError> {
        let response: ConnectResponse<'_> = Reader::new(frame).record()?;
        if response.session_id == 0 {
            self.over = true;
            let unsent = self.queue.drain(..);
            heard.extend(unsent.map(|(token, _)| Heard::Reply(token, Err(KeeperError::SessionExpired))));
            heard.push(Heard::Event(KeeperEvent::Expired));
            return Ok(());
        }
        let resumed = self.session_id == response.session_id;
        self.session_id = response.session_id;
        self.passwd = response.passwd.unwrap_or_default().to_vec();
        self.timeout_ms = response.timeout_ms as u32;
        self.connected = true;
        heard.push(Heard::Event(KeeperEvent::Connected { session_id: self.session_id, resumed }));
        if !(self.data_watches.is_empty() && self.exist_watches.is_empty() && self.child_watches.is_empty()) {
            fn paths(set: &BTreeSet<String>) -> Vec<&str> {
                set.iter().map(String::as_str).collect()
            }
            let mut request = RequestHeader { xid: xid::SET_WATCHES, op: OpCode::SetWatches.code() }.to_bytes();
            SetWatches {
                relative_zxid: self.last_zxid,
                data_watches: paths(&self.data_watches),
                exist_watches: paths(&self.exist_watches),
                child_watches: paths(&self.child_watches),
            }
            .write(&mut request);
            if let Some(conn) = self.conn {
                keeper.send(conn, framed(&request));
                self.last_sent_ms = now.mono_ms();
            }
        }
        Ok(())
    }

    fn take_answer(&mut self, frame: &[u8], heard: &mut Vec<Heard>) -> Result<(), JuteError> {
        let mut reader = Reader::new(frame);
        let header: ReplyHeader = reader.record()?;
        if header.zxid > 0 {
            self.last_zxid = self.last_zxid.max(header.zxid);
        }
        match header.xid {
            xid::NOTIFICATION => {
                let event: WatcherEvent<'_> = reader.record()?;
                self.fired(event.event_type, event.path, heard);
                return Ok(());
            }
            xid::PING | xid::SET_WATCHES => return Ok(()),
            _ => {}
        }
        let Some(sent) = self.in_flight.pop_front() else {
            assert!(self.goodbye, "an answer to nothing: {header:?}");
            return Ok(());
        };
        assert_eq!(sent.xid, header.xid, "answers come in the order of the requests");
        if let Some((watch, path)) = sent.watch {
            self.watching(watch, path, header.err);
        }
        let result = if header.err == 0 {
            keeper_wire::decode(&sent.expect, header.zxid, self.session_id, &mut reader)?
        } else if header.err == ErrorCode::SessionExpired.code() {
            Err(KeeperError::SessionExpired)
        } else {
            Err(KeeperError::Code(ErrorCode::from_i32(header.err).unwrap_or(ErrorCode::SystemError)))
        };
        heard.push(Heard::Reply(sent.token, result));
        Ok(())
    }

    fn watching(&mut self, watch: Watch, path: String, err: i32) {
        let ok = err == 0;
        let set = match watch {
            Watch::Data | Watch::Exists if ok => &mut self.data_watches,
            Watch::Exists if err == ErrorCode::NoNode.code() => &mut self.exist_watches,
            Watch::Children if ok => &mut self.child_watches,
            _ => return,
        };
        set.insert(path);
    }

    fn fired(&mut self, event_type: i32, path: &str, heard: &mut Vec<Heard>) {
        let owned = path.to_owned();
        let event = match EventType::from_i32(event_type) {
            Some(EventType::NodeCreated) => KeeperEvent::NodeCreated { path: owned },
            Some(EventType::NodeDeleted) => KeeperEvent::NodeDeleted { path: owned },
            Some(EventType::NodeDataChanged) => KeeperEvent::NodeDataChanged { path: owned },
            Some(EventType::NodeChildrenChanged) => KeeperEvent::NodeChildrenChanged { path: owned },
            _ => return,
        };
        if !matches!(event, KeeperEvent::NodeChildrenChanged { .. }) {
            self.data_watches.remove(path);
            self.exist_watches.remove(path);
        }
        if matches!(event, KeeperEvent::NodeChildrenChanged { .. } | KeeperEvent::NodeDeleted { .. }) {
            self.child_watches.remove(path);
        }
        heard.push(Heard::Event(event));
    }
}
