//! A few [`EnsembleServer`]s on simulated disks, with wires between them and to their clients. What happens when follows
//! from the seed: bytes come in any portions, the log's thread takes any part of what waits, snapshots go on when they
//! like.

use crate::ensemble::{
    ElectionInput, ElectionOutput, EnsembleConfig, EnsembleServer, Entry, Input, JournalWriter, Output, QuorumInput,
    QuorumOutput,
};
use crate::jute::{Jute, Reader};
use crate::keeper_server::{self, ServerConfig};
use crate::proto::{
    ConnectRequest, ConnectResponse, GetDataResponse, OpCode, ReconfigRequest, ReplyHeader, RequestHeader,
};
use crate::storage::{KeeperStorage, SnapshotStore, StorageConfig};
use crate::txn_log::LogOptions;
use crate::zab::election::ElectionTiming;
use crate::zab::messages::{InitialMessage, ServerState};
use crate::zab::{ConnId, QuorumVerifier, ZabConfig};
use ottla_base::disk::Disk;
use ottla_base::random::Random;
use ottla_base::sim_disk::SimDisk;
use ottla_base::time::Now;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

pub struct Life {
    pub server: EnsembleServer,
    writer: JournalWriter,
    storage: KeeperStorage,
    journal: VecDeque<Entry>,
    store: Option<SnapshotStore>,
    /// Learners that take snapshots.
    sending: BTreeSet<ConnId>,
}

pub struct Node {
    pub life: Option<Life>,
    pub disk: SimDisk,
    /// Its log's thread stands still.
    pub disk_stuck: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    Election,
    Quorum,
}

#[derive(Debug)]
enum Message {
    Bytes(Vec<u8>),
    Closed,
}

struct Wire {
    port: Port,
    ends: [usize; 2],
    /// Towards each end.
    queues: [VecDeque<Message>; 2],
}

/// A client, as the test drives it.
#[derive(Clone, Default)]
pub struct Client {
    pub node: usize,
    pub session: i64,
    /// The server told that it is cut off.
    pub read_only: bool,
    passwd: Vec<u8>,
    xid: i32,
    pub closed: bool,
    inbox: Vec<u8>,
    pub last_zxid: i64,
}

pub struct World {
    pub random: Random,
    pub now: Now,
    pub nodes: Vec<Node>,
    pub clients: BTreeMap<ConnId, Client>,
    wires: BTreeMap<ConnId, Wire>,
    next_conn: ConnId,
    /// What each server is started with: the configuration of its file.
    verifiers: Vec<Arc<QuorumVerifier>>,
    pub reconfig_enabled: bool,
    /// Events that clients got.
    pub events: u32,
    /// Pairs of servers that don't reach each other.
    pub cut: BTreeSet<(usize, usize)>,
    pub snap_count: u64,
    pub commit_log_count: usize,
    pub snapshot_size_permille: Option<u64>,
    pub leader_serves: bool,
    pub linearizable_reads: bool,
    pub read_only_mode: bool,
    pub local_sessions: bool,
    /// Servers whose local sessions can become more.
    pub upgrading: BTreeSet<usize>,
    /// Its process stands still, and its clock with it.
    pub frozen: Option<usize>,
    pub aborted_snapshots: u32,
    pub sent_snapshots: u32,
    /// How likely a learner takes the next part of its snapshot in a millisecond, in millionths.
    pub snapshot_pace: u32,
    pub ticks: u32,
}

impl World {
    pub fn new(seed: u64, voters: usize, observers: usize) -> Self {
        let all: Vec<String> = (0..voters + observers).map(|i| Self::line(i, i < voters)).collect();
        let verifiers = vec![Self::verifier(&all); all.len()];
        Self::with_files(seed, verifiers)
    }

    /// `voters` servers, and others that know of them and themselves.
    pub fn growing(seed: u64, voters: usize, joiners: usize) -> Self {
        let old: Vec<String> = (0..voters).map(|i| Self::line(i, true)).collect();
        let file = |i: usize| {
            let own = (i >= voters).then(|| Self::line(i, true));
            Self::verifier(&old.iter().cloned().chain(own).collect::<Vec<_>>())
        };
        let mut world = Self::with_files(seed, (0..voters + joiners).map(file).collect());
        world.reconfig_enabled = true;
        world
    }

    /// A server, as configurations name it.
    pub fn line(node: usize, votes: bool) -> String {
        let role = if votes { "participant" } else { "observer" };
        format!("server.{}=n{}:2888:3888:{role};0.0.0.0:2181", node + 1, node + 1)
    }

    fn verifier(lines: &[String]) -> Arc<QuorumVerifier> {
        Arc::new(QuorumVerifier::parse(&lines.join("\n")).expect("an ensemble"))
    }

    fn with_files(seed: u64, verifiers: Vec<Arc<QuorumVerifier>>) -> Self {
        let mut random = Random::new(seed);
        let nodes = verifiers
            .iter()
            .map(|_| Node { life: None, disk: SimDisk::new(random.next_u64()), disk_stuck: false })
            .collect();
        Self {
            random,
            now: Now { mono_us: 1_000_000, wall_ms: 1_795_000_000_000 },
            nodes,
            clients: BTreeMap::new(),
            wires: BTreeMap::new(),
            next_conn: 1,
            verifiers,
            reconfig_enabled: false,
            events: 0,
            cut: BTreeSet::new(),
            snap_count: 100_000,
            commit_log_count: 500,
            snapshot_size_permille: Some(330),
            leader_serves: true,
            linearizable_reads: false,
            read_only_mode: false,
            local_sessions: false,
            upgrading: BTreeSet::new(),
            frozen: None,
            aborted_snapshots: 0,
            sent_snapshots: 0,
            snapshot_pace: 300_000,
            ticks: 0,
        }
    }

    pub fn start_all(&mut self) {
        for node in 0..self.nodes.len() {
            self.start(node).expect("starts");
        }
    }

    fn config(&self, node: usize) -> EnsembleConfig {
        let sid = node as i64 + 1;
        let server = ServerConfig {
            tick_time_ms: 200,
            min_session_timeout_ms: 400,
            snap_count: self.snap_count,
            session_server_id: sid as u8,
            reconfig_enabled: self.reconfig_enabled,
            standalone_enabled: false,
            skip_acl: self.reconfig_enabled,
            linearizable_reads: self.linearizable_reads,
            read_only_mode: self.read_only_mode,
            local_sessions: self.local_sessions,
            local_sessions_upgrading: self.upgrading.contains(&node),
            four_letter_whitelist: vec!["*".to_owned()],
            ..ServerConfig::default()
        };
        EnsembleConfig {
            zab: ZabConfig {
                sid,
                tick_time_ms: 200,
                init_limit: 10,
                sync_limit: 5,
                commit_log_count: self.commit_log_count,
                election: ElectionTiming { finalize_wait_ms: 50, ..ElectionTiming::default() },
                verifier: Arc::clone(&self.verifiers[node]),
            },
            server,
            election: InitialMessage { sid, election_addresses: vec![(format!("n{sid}"), 3_888)] },
            leader_serves: self.leader_serves,
        }
    }

    pub fn start(&mut self, node: usize) -> Result<(), String> {
        let disk: Arc<dyn Disk> = Arc::new(self.nodes[node].disk.clone());
        let log = LogOptions { prealloc_bytes: 8_192, ..LogOptions::default() };
        let (snapshot_size_permille, name_seed) = (self.snapshot_size_permille, self.random.next_u64());
        let config = StorageConfig { log, snapshot_size_permille, name_seed, ..StorageConfig::new("/zk") };
        let storage = KeeperStorage::open(disk, config);
        let storage = storage.map_err(|e| e.to_string())?;
        let restored = match self.reconfig_enabled {
            true => storage.restore_members(self.commit_log_count, self.verifiers[node].version),
            false => storage.restore_ensemble(self.commit_log_count),
        };
        let restored = restored.map_err(|e| e.to_string())?;
        assert_eq!(restored.database.digest_mismatches(), 0);
        let mut out = Vec::new();
        let config = self.config(node);
        let server = EnsembleServer::new(config, restored, self.random.fork(), self.now, &mut out);
        self.nodes[node].life = Some(Life {
            server,
            writer: JournalWriter::new(&storage),
            storage,
            journal: VecDeque::new(),
            store: None,
            sending: BTreeSet::new(),
        });
        self.carry_out(node, out);
        Ok(())
    }

    /// Ends a server; with `power`, what was not synced may be lost.
    pub fn kill(&mut self, node: usize, power: bool) {
        self.nodes[node].life = None;
        if power {
            self.nodes[node].disk.crash()
        } else {
            self.nodes[node].disk.kill()
        }
        for wire in self.wires.values_mut().filter(|wire| wire.ends.contains(&node)) {
            let other = usize::from(wire.ends[0] == node);
            wire.queues[other].push_back(Message::Closed);
        }
        self.clients.values_mut().filter(|client| client.node == node).for_each(|client| client.closed = true);
    }

    fn input(&mut self, node: usize, input: Input<'_>) {
        let Some(life) = &mut self.nodes[node].life else { return };
        let mut out = Vec::new();
        life.server.step(self.now, input, &mut out);
        self.carry_out(node, out);
    }

    fn carry_out(&mut self, node: usize, outputs: Vec<Output>) {
        for output in outputs {
            if self.nodes[node].life.is_none() {
                return;
            }
            if std::env::var("OTTLA_ENSEMBLE_TRACE").is_ok()
                && matches!(
                    output,
                    Output::Election(_)
                        | Output::Quorum(QuorumOutput::Connect { .. } | QuorumOutput::Close { .. })
                        | Output::RoleChanged(_)
                        | Output::Serving { .. }
                )
            {
                eprintln!("{} {node}: {output:?}", self.now.mono_ms());
            }
            match output {
                Output::Client(output) => self.client_output(node, output),
                Output::Election(ElectionOutput::Connect { sid, .. }) => self.connect(node, sid, Port::Election),
                Output::Election(ElectionOutput::Send { conn, bytes }) => self.send(node, conn, Message::Bytes(bytes)),
                Output::Election(ElectionOutput::Close { conn }) => self.send(node, conn, Message::Closed),
                Output::Quorum(QuorumOutput::Connect { leader, .. }) => self.connect(node, leader, Port::Quorum),
                Output::Quorum(QuorumOutput::Send { conn, bytes }) => self.send(node, conn, Message::Bytes(bytes)),
                Output::Quorum(QuorumOutput::Close { conn }) => self.send(node, conn, Message::Closed),
                Output::Quorum(QuorumOutput::SnapshotBegin { conn }) => {
                    self.sent_snapshots += 1;
                    self.life(node).sending.insert(conn);
                }
                Output::Quorum(QuorumOutput::SnapshotEnd { conn }) => drop(self.life(node).sending.remove(&conn)),
                Output::Journal(entry) => self.life(node).journal.push_back(entry),
                Output::SnapshotAborted => {
                    self.life(node).store = None;
                    self.aborted_snapshots += 1;
                }
                Output::ConfigActivated(verifier) => self.verifiers[node] = verifier,
                Output::RoleChanged(_) | Output::Serving { .. } | Output::ConfigSeen(_) => {}
            }
        }
    }

    fn life(&mut self, node: usize) -> &mut Life {
        self.nodes[node].life.as_mut().expect("alive")
    }

    fn client_output(&mut self, node: usize, output: keeper_server::Output) {
        use keeper_server::Output as O;
        match output {
            O::Send { conn, bytes } => {
                let client = self.clients.get_mut(&conn).expect("a client");
                assert_eq!(client.node, node);
                client.inbox.extend_from_slice(&bytes);
            }
            O::Close { conn } => self.clients.get_mut(&conn).expect("a client").closed = true,
            O::Pause { .. } | O::Resume { .. } => {}
            O::SnapshotBegin { zxid } => {
                let mut store = self.life(node).storage.snapshots();
                let done = store.begin(zxid);
                self.life(node).store = Some(store);
                self.snapshot_written(node, done);
            }
            O::SnapshotChunk(bytes) => {
                let done = self.life(node).store.as_mut().expect("begun").chunk(&bytes);
                self.snapshot_written(node, done);
            }
            O::SnapshotEnd => {
                let done = self.life(node).store.take().expect("begun").end();
                self.snapshot_written(node, done.map(drop));
            }
            O::Append(_) | O::RollLog => panic!("not in an ensemble"),
        }
    }

    fn snapshot_written(&mut self, node: usize, done: std::io::Result<()>) {
        if let Err(error) = done {
            assert!(self.nodes[node].disk.is_spent(), "{error}");
            self.kill(node, true);
        }
    }

    fn connect(&mut self, node: usize, sid: i64, port: Port) {
        let other = sid as usize - 1;
        let reachable = self.nodes[other].life.is_some() && !self.is_cut(node, other);
        if !reachable {
            return match port {
                Port::Election => self.input(node, Input::Election(ElectionInput::ConnectFailed { sid })),
                Port::Quorum => self.input(node, Input::Quorum(QuorumInput::ConnectFailed { leader: sid })),
            };
        }
        let conn = self.next_conn;
        self.next_conn += 1;
        self.wires.insert(conn, Wire { port, ends: [node, other], queues: Default::default() });
        match port {
            Port::Election => {
                self.input(other, Input::Election(ElectionInput::Accepted { conn }));
                self.input(node, Input::Election(ElectionInput::Connected { conn, sid }));
            }
            Port::Quorum => {
                let peer = SocketAddr::from(([127, 0, 0, node as u8 + 1], 999));
                self.input(other, Input::Quorum(QuorumInput::Accepted { conn, peer }));
                self.input(node, Input::Quorum(QuorumInput::Connected { conn, leader: sid }));
            }
        }
    }

    fn is_cut(&self, a: usize, b: usize) -> bool {
        self.cut.contains(&(a.min(b), a.max(b)))
    }

    fn send(&mut self, node: usize, conn: ConnId, message: Message) {
        if let Some(wire) = self.wires.get_mut(&conn) {
            let to = usize::from(wire.ends[0] == node);
            wire.queues[to].push_back(message);
        }
    }

    /// One millisecond, in which anything that can happen may.
    fn tick(&mut self) {
        self.now = self.now.plus_ms(1);
        let conns: Vec<ConnId> = self.wires.keys().copied().collect();
        for conn in conns {
            for end in [0, 1] {
                if self.random.chance(800_000) {
                    self.arrive(conn, end);
                }
            }
        }
        for node in 0..self.nodes.len() {
            self.work(node);
        }
    }

    fn arrive(&mut self, conn: ConnId, end: usize) {
        loop {
            let Some(wire) = self.wires.get_mut(&conn) else { return };
            let (port, node, ends) = (wire.port, wire.ends[end], wire.ends);
            let Some(message) = wire.queues[end].pop_front() else { return };
            if self.is_cut(ends[0], ends[1]) || self.frozen == Some(node) {
                self.wires.get_mut(&conn).expect("there").queues[end].push_front(message);
                return;
            }
            match message {
                Message::Bytes(bytes) => {
                    let at = self.random.index(bytes.len() + 1);
                    for part in [&bytes[..at], &bytes[at..]] {
                        match port {
                            Port::Election => {
                                self.input(node, Input::Election(ElectionInput::Received { conn, bytes: part }));
                            }
                            Port::Quorum => {
                                self.input(node, Input::Quorum(QuorumInput::Received { conn, bytes: part }));
                            }
                        }
                    }
                }
                Message::Closed => {
                    self.wires.remove(&conn);
                    match port {
                        Port::Election => self.input(node, Input::Election(ElectionInput::Disconnected { conn })),
                        Port::Quorum => self.input(node, Input::Quorum(QuorumInput::Disconnected { conn })),
                    }
                }
            }
        }
    }

    /// What a server's threads do.
    fn work(&mut self, node: usize) {
        let (random, now, snapshot_pace) = (&mut self.random, self.now, self.snapshot_pace);
        let stuck = self.nodes[node].disk_stuck;
        if self.frozen == Some(node) {
            return;
        }
        let Some(life) = &mut self.nodes[node].life else { return };
        let mut inputs: Vec<Input<'static>> = Vec::new();
        if !life.journal.is_empty() && !stuck && random.chance(500_000) {
            let count = 1 + random.index(life.journal.len());
            let entries: Vec<Entry> = life.journal.drain(..count).collect();
            match life.writer.carry_out(entries) {
                Ok(written) => inputs.extend(written.map(Input::Persisted)),
                Err(error) if self.nodes[node].disk.is_spent() => {
                    tracing::debug!("{error}");
                    return self.kill(node, true);
                }
                Err(error) => panic!("{error}"),
            }
        }
        let Some(life) = &mut self.nodes[node].life else { return };
        let conns = life.sending.iter().copied().filter(|_| random.chance(snapshot_pace));
        inputs.extend(conns.map(|conn| Input::Quorum(QuorumInput::SnapshotStep { conn })));
        if life.server.keeper().snapshot_running() && random.chance(300_000) {
            inputs.push(Input::Client(keeper_server::Input::SnapshotStep));
        }
        if life.server.next_wakeup_ms() <= now.mono_ms() {
            self.ticks += 1;
            inputs.push(Input::Tick);
        }
        for input in inputs {
            self.input(node, input);
        }
    }

    /// All machines are suspended: time has passed when they go on, and what was under way is still so.
    pub fn suspend(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
        // A timer may come before everything that waits.
        for node in 0..self.nodes.len() {
            self.input(node, Input::Tick);
        }
    }

    pub fn run(&mut self, ms: u64) {
        for _ in 0..ms {
            self.tick();
        }
    }

    /// Runs until `done`, for at most `ms`.
    pub fn run_until(&mut self, ms: u64, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        for _ in 0..ms {
            if done(self) {
                return;
            }
            self.tick();
        }
        panic!("{what}: not within {ms} ms; {:?}; {:#?}", self.roles(), self.states());
    }

    pub fn roles(&self) -> Vec<Option<(ServerState, bool)>> {
        let of = |node: &Node| node.life.as_ref().map(|life| (life.server.role(), life.server.is_serving()));
        self.nodes.iter().map(of).collect()
    }

    pub fn server(&mut self, node: usize) -> &mut EnsembleServer {
        &mut self.life(node).server
    }

    /// Waits until all servers that live serve, and gives the leader.
    pub fn settle(&mut self) -> usize {
        let mut leader = 0;
        self.run_until(20_000, "one leader", |world| {
            let leads = |role: &Option<(ServerState, bool)>| matches!(role, Some((ServerState::Leading, _)));
            let roles = world.roles();
            leader = roles.iter().position(leads).unwrap_or(0);
            roles.iter().filter(|role| leads(role)).count() == 1 && roles.iter().flatten().all(|(_, serving)| *serving)
        });
        leader
    }

    /// How far every server is, and what its tree is.
    pub fn states(&self) -> Vec<String> {
        let lives = self.nodes.iter().filter_map(|node| node.life.as_ref());
        lives
            .map(|life| {
                let db = life.server.keeper().db();
                let nodes = db.tree().node_count();
                format!("{:#x} {nodes} {} sessions {:?}", db.last_zxid(), db.tree().digest(), db.sessions().keys())
            })
            .collect()
    }

    /// Waits until all servers that live have applied the same.
    pub fn agree(&mut self) {
        self.run_until(10_000, "the same everywhere", |world| {
            let states: BTreeSet<(i64, usize)> = world
                .nodes
                .iter()
                .filter_map(|node| node.life.as_ref())
                .map(|life| {
                    let db = life.server.keeper().db();
                    (db.tree().digest(), db.sessions().len())
                })
                .collect();
            states.len() == 1
        });
        for node in self.nodes.iter().filter_map(|node| node.life.as_ref()) {
            assert_eq!(node.server.keeper().db().digest_mismatches(), 0);
        }
    }

    /// A client connects, with a session or for one; it may take a while until `client.session` is there.
    pub fn open(&mut self, node: usize, session: Option<&Client>) -> ConnId {
        self.open_as(node, session, Some(false))
    }

    /// As [`Self::open`], by a client that is content with reads, or does not know of that.
    pub fn open_as(&mut self, node: usize, session: Option<&Client>, read_only: Option<bool>) -> ConnId {
        let conn = self.next_conn;
        self.next_conn += 1;
        let (id, passwd) = session.map_or((0, vec![0; 16]), |client| (client.session, client.passwd.clone()));
        let request = ConnectRequest {
            timeout_ms: 2_000,
            session_id: id,
            passwd: Some(&passwd),
            read_only,
            last_zxid_seen: session.map_or(0, |client| client.last_zxid),
            ..ConnectRequest::default()
        };
        let closed = self.nodes[node].life.is_none();
        // A session's numbers go on.
        let (xid, last_zxid) = session.map_or((0, 0), |client| (client.xid, client.last_zxid));
        self.clients.insert(conn, Client { node, closed, xid, last_zxid, ..Client::default() });
        let peer = std::net::SocketAddr::from(([127, 0, 0, 1], 1_000));
        self.input(node, Input::Client(keeper_server::Input::Opened { conn, peer }));
        self.client_sends(conn, &request.to_bytes());
        conn
    }

    fn client_sends(&mut self, conn: ConnId, body: &[u8]) {
        let mut frame = (body.len() as u32).to_be_bytes().to_vec();
        frame.extend_from_slice(body);
        let node = self.clients[&conn].node;
        self.input(node, Input::Client(keeper_server::Input::Received { conn, bytes: &frame }));
    }

    /// Asks for other members; the answer is the error, or the new configuration.
    pub fn reconfig(&mut self, conn: ConnId, joining: &str, leaving: &str) -> Option<Result<String, i32>> {
        let request = Self::reconfig_request(joining, leaving);
        let (header, body) = self.ask(conn, OpCode::Reconfig, &request)?;
        if header.err != 0 {
            return Some(Err(header.err));
        }
        let response: GetDataResponse<'_> = Reader::new(&body).record().expect("an answer");
        Some(Ok(String::from_utf8(response.data.expect("data").to_vec()).expect("text")))
    }

    pub fn reconfig_request<'a>(joining: &'a str, leaving: &'a str) -> ReconfigRequest<'a> {
        let (joining_servers, leaving_servers) = (Some(joining), Some(leaving));
        ReconfigRequest { joining_servers, leaving_servers, new_members: None, cur_config_id: -1 }
    }

    /// The version of the configuration that a server goes by, and who votes in it.
    pub fn members(&mut self, node: usize) -> (i64, Vec<i64>) {
        let active = self.server(node).zab().membership().active();
        (active.version, active.voters().iter().copied().collect())
    }

    /// The text that a four-letter word is answered with.
    pub fn word(&mut self, node: usize, word: &str) -> String {
        let conn = self.next_conn;
        self.next_conn += 1;
        self.clients.insert(conn, Client { node, ..Client::default() });
        let peer = std::net::SocketAddr::from(([127, 0, 0, 1], 1_000));
        self.input(node, Input::Client(keeper_server::Input::Opened { conn, peer }));
        self.input(node, Input::Client(keeper_server::Input::Received { conn, bytes: word.as_bytes() }));
        String::from_utf8(self.clients.remove(&conn).expect("there").inbox).expect("text")
    }

    /// Waits for the answer to the connect frame: is there a session?
    pub fn connected(&mut self, conn: ConnId) -> bool {
        let roles = self.roles();
        self.connected_within(conn, 5_000).unwrap_or_else(|| panic!("no answer to a connect frame; {roles:?}"))
    }

    /// As [`Self::connected`]; `None` when there is no answer in time.
    pub fn connected_within(&mut self, conn: ConnId, ms: u64) -> Option<bool> {
        for _ in 0..ms {
            if let Some(frame) = self.frame(conn) {
                let response: ConnectResponse<'_> = Reader::new(&frame).record().expect("an answer");
                let read_only = response.read_only == Some(true);
                let (session, passwd) = (response.session_id, response.passwd.unwrap_or(&[]).to_vec());
                let client = self.clients.get_mut(&conn).expect("there");
                (client.session, client.passwd, client.read_only) = (session, passwd, read_only);
                return Some(session != 0);
            }
            if self.clients[&conn].closed {
                return Some(false);
            }
            self.tick();
        }
        None
    }

    /// A client with a session.
    pub fn client(&mut self, node: usize) -> ConnId {
        let conn = self.open(node, None);
        assert!(self.connected(conn), "refused");
        conn
    }

    /// The next frame to a client.
    pub fn frame(&mut self, conn: ConnId) -> Option<Vec<u8>> {
        let client = self.clients.get_mut(&conn)?;
        let len = u32::from_be_bytes(*client.inbox.first_chunk::<4>()?) as usize;
        if client.inbox.len() < 4 + len {
            return None;
        }
        let frame = client.inbox[4..4 + len].to_vec();
        client.inbox.drain(..4 + len);
        Some(frame)
    }

    /// Sends a request; gives its xid.
    pub fn request<'a>(&mut self, conn: ConnId, op: OpCode, body: &impl Jute<'a>) -> i32 {
        let client = self.clients.get_mut(&conn).expect("there");
        client.xid += 1;
        let xid = client.xid;
        if !client.closed {
            let mut frame = RequestHeader { xid, op: op.code() }.to_bytes();
            body.write(&mut frame);
            self.client_sends(conn, &frame);
        }
        xid
    }

    /// As [`Self::ask`], with a body as it is.
    pub fn ask_raw(&mut self, conn: ConnId, op: OpCode, body: &[u8]) -> Option<(ReplyHeader, Vec<u8>)> {
        let client = self.clients.get_mut(&conn).expect("there");
        client.xid += 1;
        let mut frame = RequestHeader { xid: client.xid, op: op.code() }.to_bytes();
        frame.extend_from_slice(body);
        self.client_sends(conn, &frame);
        for _ in 0..10_000 {
            if let Some(answer) = self.reply(conn) {
                return Some(answer);
            }
            self.tick();
        }
        None
    }

    /// Ends the session.
    pub fn goodbye(&mut self, conn: ConnId) {
        self.client_sends(conn, &RequestHeader { xid: 9, op: OpCode::CloseSession.code() }.to_bytes());
    }

    /// The next reply, if any has come: header and body. Events are passed over.
    pub fn reply(&mut self, conn: ConnId) -> Option<(ReplyHeader, Vec<u8>)> {
        while let Some(frame) = self.frame(conn) {
            let mut reader = Reader::new(&frame);
            let header: ReplyHeader = reader.record().expect("a header");
            if header.xid >= 0 {
                let client = self.clients.get_mut(&conn).expect("there");
                client.last_zxid = client.last_zxid.max(header.zxid);
                return Some((header, reader.rest().to_vec()));
            }
            self.events += 1;
        }
        None
    }

    /// Sends a request and waits for the answer; `None` when the connection closes instead.
    pub fn ask<'a>(&mut self, conn: ConnId, op: OpCode, body: &impl Jute<'a>) -> Option<(ReplyHeader, Vec<u8>)> {
        let xid = self.request(conn, op, body);
        for _ in 0..10_000 {
            if let Some((header, body)) = self.reply(conn) {
                assert_eq!(header.xid, xid);
                return Some((header, body));
            }
            if self.clients[&conn].closed {
                return None;
            }
            self.tick();
        }
        panic!("no answer to {op:?}; {:?}", self.roles());
    }
}
