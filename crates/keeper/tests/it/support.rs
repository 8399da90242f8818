//! A server in memory with its disk: what a host does, in a few lines.

use ottla_base::random::Random;
use ottla_base::time::Now;
use ottla_keeper::database::Database;
use ottla_keeper::jute::Jute;
use ottla_keeper::keeper_server::{ConnId, Input, KeeperServer, Output, ServerConfig};
use ottla_keeper::proto::{ConnectRequest, OpCode, ReplyHeader, RequestHeader};
use ottla_keeper::txn_batch::TxnBatch;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

pub const START_MS: i64 = 1_795_000_000_000;

/// A server whose log is always on disk at once, and what it sent.
pub struct Host {
    pub server: KeeperServer,
    pub now: Now,
    pub received: BTreeMap<ConnId, VecDeque<Vec<u8>>>,
    pub closed: BTreeSet<ConnId>,
    pub paused: BTreeSet<ConnId>,
    /// Off: transactions wait until `persist` is called.
    pub auto_persist: bool,
    pub unpersisted: Vec<i64>,
    pub batches: Vec<Arc<TxnBatch>>,
    xids: BTreeMap<ConnId, i32>,
}

impl Host {
    pub fn new(config: ServerConfig, extended_types: bool) -> Self {
        let now = Now { mono_us: 1_000_000, wall_ms: START_MS };
        Self {
            server: KeeperServer::new(config, Database::new(extended_types), Random::new(1), now),
            now,
            received: BTreeMap::new(),
            closed: BTreeSet::new(),
            paused: BTreeSet::new(),
            auto_persist: true,
            unpersisted: Vec::new(),
            batches: Vec::new(),
            xids: BTreeMap::new(),
        }
    }

    pub fn step(&mut self, input: Input<'_>) {
        self.now = self.now.plus_ms(1);
        let mut outputs = Vec::new();
        self.server.step(self.now, input, &mut outputs);
        while !outputs.is_empty() {
            for output in std::mem::take(&mut outputs) {
                match output {
                    Output::Append(batch) => {
                        self.unpersisted.extend(batch.last_zxid());
                        self.batches.push(batch);
                    }
                    Output::Send { conn, bytes } => self.take_frames(conn, &bytes),
                    Output::Close { conn } => drop(self.closed.insert(conn)),
                    Output::Pause { conn } => drop(self.paused.insert(conn)),
                    Output::Resume { conn } => drop(self.paused.remove(&conn)),
                    Output::RollLog | Output::SnapshotBegin { .. } | Output::SnapshotChunk(_) | Output::SnapshotEnd => {
                    }
                }
            }
            if self.auto_persist
                && let Some(&zxid) = self.unpersisted.last()
            {
                self.unpersisted.clear();
                self.server.step(self.now, Input::Persisted { zxid }, &mut outputs);
            }
        }
    }

    fn take_frames(&mut self, conn: ConnId, mut bytes: &[u8]) {
        let frames = self.received.entry(conn).or_default();
        while let Some((len, rest)) = bytes.split_first_chunk::<4>() {
            let len = u32::from_be_bytes(*len) as usize;
            if len > rest.len() {
                // Not a frame: the text of a four-letter word.
                frames.push_back(bytes.to_vec());
                return;
            }
            frames.push_back(rest[..len].to_vec());
            bytes = &rest[len..];
        }
    }

    /// Lets time pass, with all the ticks that the server wants.
    pub fn wait(&mut self, ms: u64) {
        let end_ms = self.now.mono_ms() + ms;
        while self.now.mono_ms() < end_ms {
            let next_ms = self.server.next_tick_ms().clamp(self.now.mono_ms() + 1, end_ms);
            self.now = self.now.plus_ms(next_ms - self.now.mono_ms() - 1);
            self.step(Input::Tick);
        }
    }

    /// Everything that waits is on disk now.
    pub fn persist(&mut self) {
        if let Some(zxid) = self.unpersisted.pop() {
            self.unpersisted.clear();
            self.step(Input::Persisted { zxid });
        }
    }

    pub fn send(&mut self, conn: ConnId, body: &[u8]) {
        let mut frame = (body.len() as u32).to_be_bytes().to_vec();
        frame.extend_from_slice(body);
        self.step(Input::Received { conn, bytes: &frame });
    }

    pub fn next_frame(&mut self, conn: ConnId) -> Option<Vec<u8>> {
        self.received.get_mut(&conn)?.pop_front()
    }

    /// Connects and gives the session's id and password (id 0: refused).
    pub fn connect(&mut self, conn: ConnId, session: Option<(i64, [u8; 16])>, timeout_ms: i32) -> (i64, [u8; 16]) {
        let peer = std::net::SocketAddr::from(([127, 0, 0, 1], 1_000 + conn as u16));
        self.step(Input::Opened { conn, peer });
        let (session_id, passwd) = session.unwrap_or_default();
        let request = ConnectRequest {
            timeout_ms,
            session_id,
            passwd: Some(&passwd),
            read_only: Some(false),
            ..Default::default()
        };
        self.send(conn, &request.to_bytes());
        let Some(frame) = self.next_frame(conn) else { return (0, [0; 16]) };
        let mut passwd = [0; 16];
        passwd.copy_from_slice(&frame[20..36]);
        (i64::from_be_bytes(frame[8..16].try_into().expect("8 bytes")), passwd)
    }

    /// Sends a request without waiting; gives its xid.
    pub fn request<'a>(&mut self, conn: ConnId, op: OpCode, body: &impl Jute<'a>) -> i32 {
        let xid = self.xids.entry(conn).or_default();
        *xid += 1;
        let xid = *xid;
        let mut frame = RequestHeader { xid, op: op.code() }.to_bytes();
        body.write(&mut frame);
        self.send(conn, &frame);
        xid
    }

    /// Sends a request and gives the reply's header and body; events before it are dropped.
    pub fn ask<'a>(&mut self, conn: ConnId, op: OpCode, body: &impl Jute<'a>) -> (ReplyHeader, Vec<u8>) {
        let xid = self.request(conn, op, body);
        loop {
            let frame = self.next_frame(conn).expect("a reply");
            let (header, body) = split(&frame);
            if header.xid == xid {
                return (header, body);
            }
        }
    }
}

pub fn split(frame: &[u8]) -> (ReplyHeader, Vec<u8>) {
    let mut reader = ottla_keeper::jute::Reader::new(frame);
    let header = reader.record().expect("a reply header");
    (header, reader.rest().to_vec())
}
