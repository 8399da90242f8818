//! The keeper of the simulated node: its server, its files, and the wires to its clients. Stands where the server's
//! `keeper_host` stands; what threads do there is an act here, which the world chooses when it likes.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use ottla_base::disk::Disk;
use ottla_base::random::Random;
use ottla_base::time::Now;
use ottla_keeper::jute::Jute;
use ottla_keeper::keeper_server::{ConnId, Input, KeeperServer, Output, ServerConfig};
use ottla_keeper::proto::{ConnectRequest, OpCode, RequestHeader};
use ottla_keeper::session_tracker::password;
use ottla_keeper::storage::{KeeperStorage, SnapshotStore, StorageConfig};
use ottla_keeper::txn_batch::TxnBatch;
use ottla_keeper::txn_log::TxnLog;

const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Work for the log, in order.
#[derive(Debug)]
enum Work {
    Append(Arc<TxnBatch>),
    Roll,
}

/// What a client of a connection sees next.
#[derive(Debug, PartialEq, Eq)]
pub enum ToClient {
    Bytes(Vec<u8>),
    Closed,
}

/// Both directions of a connection.
#[derive(Debug, Default)]
struct Wire {
    to_server: VecDeque<Vec<u8>>,
    to_client: VecDeque<ToClient>,
    paused: bool,
    /// The server has dropped it.
    closed: bool,
}

/// A snapshot that is being written.
#[derive(Debug)]
struct SnapshotJob {
    store: SnapshotStore,
    outcome: io::Result<()>,
}

/// A running keeper.
#[derive(Debug)]
pub struct KeeperProcess {
    pub server: KeeperServer,
    storage: KeeperStorage,
    log: TxnLog,
    journal: VecDeque<Work>,
    snapshot: Option<SnapshotJob>,
    wires: BTreeMap<ConnId, Wire>,
    next_conn: u64,
    outputs: Vec<Output>,
    /// Transactions decided since they were last taken: zxid and bytes.
    decided: Vec<(i64, Vec<u8>)>,
    /// The last transaction that was synced.
    pub persisted_zxid: i64,
    /// Why it can't go on.
    pub failed: Option<String>,
}

impl KeeperProcess {
    /// Recovers what the disk has.
    pub fn start(
        disk: Arc<dyn Disk>,
        storage: StorageConfig,
        config: ServerConfig,
        random: Random,
        now: Now,
    ) -> Result<Self, String> {
        let storage = KeeperStorage::open(disk, storage).map_err(|e| e.to_string())?;
        let restored = storage.restore().map_err(|e| e.to_string())?;
        let persisted_zxid = restored.database.last_zxid();
        Ok(Self {
            server: KeeperServer::new(config, restored.database, random, now),
            log: storage.log(),
            storage,
            journal: VecDeque::new(),
            snapshot: None,
            wires: BTreeMap::new(),
            next_conn: 1,
            outputs: Vec::new(),
            decided: Vec::new(),
            persisted_zxid,
            failed: None,
        })
    }

    /// A new connection.
    pub fn connect(&mut self, now: Now) -> ConnId {
        let conn = self.next_conn;
        self.next_conn += 1;
        self.wires.insert(conn, Wire::default());
        self.step(now, Input::Opened { conn, peer: PEER });
        conn
    }

    /// Ends a session whose client is known to be gone, as the server's host does.
    pub fn end_session(&mut self, now: Now, session_id: i64) {
        let passwd = password(session_id);
        let connect = ConnectRequest { session_id, passwd: Some(&passwd), ..ConnectRequest::default() };
        let goodbye = RequestHeader { xid: 1, op: OpCode::CloseSession.code() };
        let conn = self.connect(now);
        let bytes = [framed(&connect.to_bytes()), framed(&goodbye.to_bytes())].concat();
        self.step(now, Input::Received { conn, bytes: &bytes });
    }

    /// The client sends.
    pub fn send(&mut self, conn: ConnId, bytes: Vec<u8>) {
        if let Some(wire) = self.wires.get_mut(&conn) {
            wire.to_server.push_back(bytes);
        }
    }

    /// The connection breaks; what is under way in both directions is lost.
    pub fn cut(&mut self, now: Now, conn: ConnId) {
        if self.wires.remove(&conn).is_some_and(|wire| !wire.closed) {
            self.step(now, Input::Closed { conn });
        }
    }

    /// What has arrived at the client.
    pub fn receive(&mut self, conn: ConnId) -> Option<ToClient> {
        match self.wires.get_mut(&conn) {
            Some(wire) => wire.to_client.pop_front(),
            None => Some(ToClient::Closed),
        }
    }

    /// True when something waits for the client.
    #[must_use]
    pub fn has_answer(&self, conn: ConnId) -> bool {
        self.wires.get(&conn).is_none_or(|wire| !wire.to_client.is_empty())
    }

    /// Connections whose bytes the server can read.
    #[must_use]
    pub fn readable(&self) -> Vec<ConnId> {
        let ready = |wire: &Wire| !wire.closed && !wire.paused && !wire.to_server.is_empty();
        self.wires.iter().filter(|(_, wire)| ready(wire)).map(|(conn, _)| *conn).collect()
    }

    /// The server reads from `conn`, in pieces of any size.
    pub fn read(&mut self, now: Now, conn: ConnId, random: &mut Random) {
        let Some(bytes) = self.wires.get_mut(&conn).and_then(|wire| wire.to_server.pop_front()) else { return };
        let cut = if random.chance(100_000) { random.index(bytes.len() + 1) } else { 0 };
        let (first, rest) = bytes.split_at(cut);
        if !first.is_empty() {
            self.step(now, Input::Received { conn, bytes: first });
        }
        self.step(now, Input::Received { conn, bytes: rest });
    }

    #[must_use]
    pub fn has_journal_work(&self) -> bool {
        !self.journal.is_empty() && self.failed.is_none()
    }

    /// Writes what waits (all of it, or a part, as threads may meet it), syncs once, and says so.
    pub fn run_journal(&mut self, now: Now, random: &mut Random) {
        let count = if random.chance(700_000) { self.journal.len() } else { 1 + random.index(self.journal.len()) };
        let mut last = None;
        let works: Vec<Work> = self.journal.drain(..count).collect();
        for work in works {
            let done = match work {
                Work::Append(batch) => {
                    last = batch.last_zxid().or(last);
                    self.log.append(&batch)
                }
                Work::Roll => self.log.roll(),
            };
            if let Err(error) = done {
                return self.fail(&error);
            }
        }
        if let Some(zxid) = last {
            if let Err(error) = self.log.sync() {
                return self.fail(&error);
            }
            self.persisted_zxid = zxid;
            self.step(now, Input::Persisted { zxid });
        }
    }

    fn fail(&mut self, error: &io::Error) {
        self.failed = Some(format!("the keeper's log cannot be written: {error}"));
    }

    #[must_use]
    pub fn has_snapshot_work(&self) -> bool {
        self.snapshot.is_some()
    }

    /// Takes and writes the next part of the snapshot.
    pub fn run_snapshot(&mut self, now: Now) {
        self.step(now, Input::SnapshotStep);
    }

    /// Removes old snapshots and logs.
    pub fn purge(&self) {
        // A failure leaves them where they are.
        let _ = self.storage.purge(3);
    }

    /// Transactions decided since the last call.
    pub fn take_decided(&mut self) -> Vec<(i64, Vec<u8>)> {
        std::mem::take(&mut self.decided)
    }

    /// True when a tick has something to do.
    #[must_use]
    pub fn tick_due(&self, now: Now) -> bool {
        self.server.next_tick_ms() <= now.mono_ms()
    }

    pub fn tick(&mut self, now: Now) {
        self.step(now, Input::Tick);
    }

    /// One input and everything that follows.
    fn step(&mut self, now: Now, input: Input<'_>) {
        let mut outputs = std::mem::take(&mut self.outputs);
        self.server.step(now, input, &mut outputs);
        for output in outputs.drain(..) {
            self.carry_out(output);
        }
        self.outputs = outputs;
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Send { conn, bytes } => self.pass_on(conn, ToClient::Bytes(bytes)),
            Output::Close { conn } => {
                self.pass_on(conn, ToClient::Closed);
                if let Some(wire) = self.wires.get_mut(&conn) {
                    wire.closed = true;
                }
            }
            Output::Pause { conn } => self.pause(conn, true),
            Output::Resume { conn } => self.pause(conn, false),
            Output::Append(batch) => {
                self.decided.extend(batch.iter().map(|(zxid, txn)| (zxid, txn.to_vec())));
                self.journal.push_back(Work::Append(batch));
            }
            Output::RollLog => self.journal.push_back(Work::Roll),
            Output::SnapshotBegin { zxid } => {
                let mut store = self.storage.snapshots();
                let outcome = store.begin(zxid);
                self.snapshot = Some(SnapshotJob { store, outcome });
            }
            Output::SnapshotChunk(bytes) => {
                if let Some(job) = self.snapshot.as_mut().filter(|job| job.outcome.is_ok()) {
                    job.outcome = job.store.chunk(&bytes);
                }
            }
            Output::SnapshotEnd => {
                if let Some(mut job) = self.snapshot.take()
                    && job.outcome.is_ok()
                {
                    // The log still has everything when this fails.
                    let _ = job.store.end();
                }
            }
        }
    }

    fn pass_on(&mut self, conn: ConnId, what: ToClient) {
        if let Some(wire) = self.wires.get_mut(&conn) {
            wire.to_client.push_back(what);
        }
    }

    fn pause(&mut self, conn: ConnId, paused: bool) {
        if let Some(wire) = self.wires.get_mut(&conn) {
            wire.paused = paused;
        }
    }
}

/// A frame with its length before it.
#[must_use]
pub fn framed(frame: &[u8]) -> Vec<u8> {
    let mut bytes = (frame.len() as u32).to_be_bytes().to_vec();
    bytes.extend_from_slice(frame);
    bytes
}
