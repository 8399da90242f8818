//! One client connection: what it is, what it waits for, and what is to be sent to it.

use crate::acl::AuthInfo;
use crate::jute::Jute;
use crate::proto::{ErrorCode, EventType, KeeperState, OpCode, ReplyHeader, WatcherEvent, xid};
use crate::stats::Latency;
use crate::watch_manager::ConnId;
use std::collections::VecDeque;
use std::net::SocketAddr;

/// Length, and the encoded [`ReplyHeader`].
const HEADER_LEN: usize = 4 + 16;
/// Room for some small answers, in bytes.
const ANSWERS_BYTES: usize = 1 << 10;

/// A request that was not answered yet. Answers go out in the order of the requests.
#[derive(Debug)]
pub(crate) struct Outstanding {
    pub xid: i32,
    pub op: OpCode,
    pub received_us: u64,
    pub kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    /// Waits for its transaction.
    Write,
    /// As [`Kind::Write`]: it creates ephemeral nodes in a session that may not, and the leader has another name for that.
    EphemeralRefused,
    /// Waits for the writes before it.
    Read(Vec<u8>),
    /// Waits for the leader's word; then it is a read.
    SyncAsked(Vec<u8>),
    /// A read that waits for the leader's word that nothing later is committed: that with this number.
    Confirmed(u64, Vec<u8>),
    /// Waits until the server has applied everything up to this transaction.
    Sync(i64, Vec<u8>),
    /// The end of a session that only this server knows.
    LocalClose,
    /// Failed without a transaction; waits for its turn only.
    Failed(ErrorCode),
}

/// Figures of a connection, for `cons`.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnStats {
    pub received: u64,
    pub sent: u64,
    pub established_ms: i64,
    pub last_op: &'static str,
    pub last_cxid: i64,
    pub last_zxid: i64,
    pub last_response_ms: u64,
    pub last_latency_ms: u64,
    pub latency: Latency,
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub id: ConnId,
    pub peer: SocketAddr,
    pub opened_ms: u64,
    /// A part of a frame.
    pub input: Vec<u8>,
    /// Bytes of the large request that is arriving; 0 when none is.
    pub large: usize,
    /// Frames to be sent.
    pub output: Vec<u8>,
    pub dirty: bool,
    /// The connect frame was read.
    pub initialized: bool,
    /// 0: none yet.
    pub session_id: i64,
    pub timeout_ms: u32,
    /// The client understands (and wants to hear of) read-only mode.
    pub knows_read_only: bool,
    pub auth: AuthInfo,
    pub queue: VecDeque<Outstanding>,
    pub paused: bool,
    /// How many of the queue are [`Kind::Confirmed`].
    pub confirming: u32,
    /// A change came behind one of those, and waits in `input`: the read must not see it.
    pub held: bool,
    /// The leader is asked whether its session is alive; nothing is read until it has answered.
    pub revalidating: bool,
    /// Close once the output is sent.
    pub closing: bool,
    pub stats: ConnStats,
}

impl Connection {
    pub fn new(id: ConnId, peer: SocketAddr, now_ms: u64, wall_ms: i64) -> Self {
        Self {
            id,
            peer,
            opened_ms: now_ms,
            input: Vec::new(),
            large: 0,
            output: Vec::new(),
            dirty: false,
            initialized: false,
            session_id: 0,
            timeout_ms: 0,
            knows_read_only: false,
            auth: vec![("ip".to_owned(), peer.ip().to_string())],
            queue: VecDeque::new(),
            paused: false,
            confirming: 0,
            held: false,
            revalidating: false,
            closing: false,
            stats: ConnStats {
                established_ms: wall_ms,
                last_op: "NA",
                last_cxid: -1,
                last_zxid: -1,
                ..Default::default()
            },
        }
    }

    /// `crst`: what was counted starts from nothing.
    pub fn reset_stats(&mut self) {
        let established_ms = self.stats.established_ms;
        self.stats = ConnStats { established_ms, last_op: "NA", last_cxid: -1, last_zxid: -1, ..Default::default() };
    }

    /// Appends a reply whose body `body` writes; an error voids the body and goes into the header.
    pub fn reply(&mut self, xid: i32, zxid: i64, body: impl FnOnce(&mut Vec<u8>) -> Result<(), ErrorCode>) {
        if self.output.is_empty() {
            // It was handed on with the answers before; growing it from nothing again would copy each of these twice.
            self.output.reserve(ANSWERS_BYTES);
        }
        let start = self.output.len();
        0.write(&mut self.output);
        ReplyHeader { xid, zxid, err: 0 }.write(&mut self.output);
        if let Err(code) = body(&mut self.output) {
            self.output.truncate(start + HEADER_LEN);
            self.output[start + HEADER_LEN - 4..].copy_from_slice(&code.code().to_be_bytes());
        }
        self.end_frame(start);
    }

    /// Appends an event; `zxid` -1 when no single transaction caused it.
    pub fn notify(&mut self, event: EventType, path: &str, zxid: i64) {
        let start = self.output.len();
        0.write(&mut self.output);
        ReplyHeader { xid: xid::NOTIFICATION, zxid, err: 0 }.write(&mut self.output);
        WatcherEvent { event_type: event.code(), state: KeeperState::SyncConnected.code(), path }
            .write(&mut self.output);
        self.end_frame(start);
    }

    /// Appends a frame without a header (the answer to a connect frame).
    pub fn send_record<'a>(&mut self, record: &impl Jute<'a>) {
        let start = self.output.len();
        0.write(&mut self.output);
        record.write(&mut self.output);
        self.end_frame(start);
    }

    fn end_frame(&mut self, start: usize) {
        let len = (self.output.len() - start - 4) as i32;
        self.output[start..start + 4].copy_from_slice(&len.to_be_bytes());
        self.stats.sent += 1;
    }

    /// Counts an answer.
    pub fn answered(&mut self, last_op: &'static str, xid: i32, zxid: i64, received_us: u64, now_us: u64) {
        let us = now_us.saturating_sub(received_us);
        self.stats.latency.add(us);
        self.stats.last_op = last_op;
        self.stats.last_latency_ms = us / 1_000;
        self.stats.last_response_ms = now_us / 1_000;
        if xid >= 0 {
            self.stats.last_cxid = i64::from(xid);
        }
        self.stats.last_zxid = zxid;
    }
}

/// The four letters by which `cons` names the last operation.
pub(crate) fn op_letters(op: OpCode) -> &'static str {
    match op {
        OpCode::Ping => "PING",
        OpCode::CreateSession => "SESS",
        OpCode::Multi => "MULT",
        OpCode::MultiRead => "MLTR",
        OpCode::Create | OpCode::Create2 | OpCode::CreateTtl | OpCode::CreateContainer => "CREA",
        OpCode::Delete | OpCode::DeleteContainer => "DELE",
        OpCode::SetData => "SETD",
        OpCode::Reconfig => "RECO",
        OpCode::SetAcl => "SETA",
        OpCode::CloseSession => "CLOS",
        OpCode::Sync => "SYNC",
        OpCode::Check => "CHEC",
        OpCode::Exists => "EXIS",
        OpCode::GetData => "GETD",
        OpCode::SetWatches => "SETW",
        OpCode::SetWatches2 => "STW2",
        OpCode::AddWatch => "ADDW",
        OpCode::GetAcl => "GETA",
        OpCode::GetChildren | OpCode::GetChildren2 => "GETC",
        OpCode::GetAllChildrenNumber => "GETACN",
        OpCode::CheckWatches => "CHKW",
        OpCode::RemoveWatches => "REMW",
        OpCode::WhoAmI => "HOMI",
        OpCode::GetEphemerals => "GETE",
        _ => "NA",
    }
}
