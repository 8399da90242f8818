//! A whole server with its connections, as one step machine: bytes, time and "on disk" come in, bytes, closings and
//! transactions to be logged go out. The host owns sockets, threads and files.
//!
//! A change goes three ways: [`RequestProcessor`] decides it (`propose`), the log makes it durable
//! ([`Output::Append`], [`Input::Persisted`]), and only then `commit` applies and answers it. An ensemble puts its
//! agreement between the two (`member.rs`, driven by [`crate::ensemble`]): what it commits comes back through
//! [`KeeperServer::commit`]. Reads are answered at once, unless the same client waits for a write of its own.

mod admin;
mod audit;
mod commit;
mod connect;
mod frames;
mod local_sessions;
mod member;
mod restore;
mod snapshots;
mod words;

pub use admin::{AdminAnswer, AdminRequest, COMMANDS, reply as admin_reply};
pub use audit::server_event as audit_server_event;

use crate::config::OperatorConfig;
use crate::connection::Connection;
use crate::database::Database;
use crate::proto::OpCode;
use crate::request_processor::{PrepConfig, Prepared, Request, RequestProcessor};
use crate::session_tracker::{LOCAL_OWNER, SessionTracker, first_session_id};
use crate::snapshot::SnapshotWriter;
use crate::stats::{Gauges, ServerStats};
use crate::txn_batch::TxnBatch;
pub use crate::watch_manager::ConnId;
use crate::watch_manager::Watches;
pub use frames::ANSWERS_AT_ONCE;
use local_sessions::LocalSessions;
use member::Membership;
pub(crate) use member::Place;
use ottla_base::hash::FixedMap;
use ottla_base::limits::KEEPER_HANDSHAKE_MS;
use ottla_base::random::Random;
use ottla_base::time::Now;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Settings of a server, named as in `zoo.cfg`.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    pub tick_time_ms: u32,
    pub min_session_timeout_ms: u32,
    pub max_session_timeout_ms: u32,
    /// Connections from one address; 0 is no limit.
    pub max_client_cnxns: u32,
    /// Connections in all; 0 is no limit.
    pub max_cnxns: u32,
    pub global_outstanding_limit: usize,
    /// Largest frame in bytes (`jute.maxbuffer`).
    pub jute_max_buffer: usize,
    pub snap_count: u64,
    /// A snapshot is due after about so many bytes of log too; 0 is no limit.
    pub snap_size_limit_bytes: u64,
    /// `user:base64(sha1(user:password))` of whoever may do everything.
    pub super_digest: Option<String>,
    pub digest_auth: bool,
    pub skip_acl: bool,
    pub enforce_quota: bool,
    pub reconfig_enabled: bool,
    /// `standaloneEnabled`
    pub standalone_enabled: bool,
    /// `ottla.linearizableReads`: in an ensemble, a read sees everything that was committed when it came.
    pub linearizable_reads: bool,
    /// `readonlymode.enabled`: a server of an ensemble without a leader serves reads to clients that are content with them.
    pub read_only_mode: bool,
    /// `localSessionsEnabled`: in an ensemble, sessions are known to this server alone until they need more.
    pub local_sessions: bool,
    /// `localSessionsUpgradingEnabled`: they become sessions of the ensemble when they create ephemeral nodes, which they
    /// otherwise may not.
    pub local_sessions_upgrading: bool,
    /// Four-letter words that are answered; `*` is all.
    pub four_letter_whitelist: Vec<String>,
    pub container_check_interval_ms: u64,
    pub container_max_per_minute: u64,
    /// A container that never had a child is deleted after this time; 0 is never.
    pub container_max_never_used_ms: i64,
    /// Highest byte of session ids; 1 for a server alone.
    pub session_server_id: u8,
    /// What an operator sees and limits.
    pub operator: OperatorConfig,
    /// What only `conf`, `envi` and `dirs` tell: lines are printed as they are.
    pub info: ServerInfo,
}

/// Texts and figures that the host knows, for the four-letter words.
#[derive(Clone, Debug, Default)]
pub struct ServerInfo {
    pub version: String,
    pub client_port: i32,
    /// Where clients connect; empty when it is not known yet.
    pub client_address: String,
    pub secure_client_port: i32,
    pub data_dir: String,
    pub data_log_dir: String,
    pub client_port_listen_backlog: i32,
    pub server_id: i64,
    /// `standalone`, or the role in an ensemble.
    pub mode: &'static str,
    /// `key=value` lines of `envi`.
    pub environment: Vec<(String, String)>,
    /// Bytes of the snapshots and of the logs; the host refreshes them with [`KeeperServer::set_dir_sizes`].
    pub data_dir_size: u64,
    pub data_log_dir_size: u64,
}

/// What ZooKeeper's tools take for the server's version.
pub const VERSION: &str = concat!("3.9.5-ottla-", env!("CARGO_PKG_VERSION"), ", built on 2026-11-22 00:00 UTC");

impl Default for ServerConfig {
    /// ZooKeeper's defaults, with `tickTime` 3000.
    fn default() -> Self {
        Self {
            tick_time_ms: 3_000,
            min_session_timeout_ms: 6_000,
            max_session_timeout_ms: 60_000,
            max_client_cnxns: 60,
            max_cnxns: 0,
            global_outstanding_limit: 1_000,
            jute_max_buffer: 0xf_ffff,
            snap_count: 100_000,
            snap_size_limit_bytes: 4_194_304 * 1_024,
            super_digest: None,
            digest_auth: true,
            skip_acl: false,
            enforce_quota: false,
            reconfig_enabled: false,
            standalone_enabled: true,
            linearizable_reads: false,
            read_only_mode: false,
            local_sessions: false,
            local_sessions_upgrading: false,
            four_letter_whitelist: vec!["srvr".to_owned()],
            container_check_interval_ms: 60_000,
            container_max_per_minute: 10_000,
            container_max_never_used_ms: 0,
            session_server_id: 1,
            operator: OperatorConfig::default(),
            info: ServerInfo {
                version: VERSION.to_owned(),
                client_port: 2_181,
                secure_client_port: -1,
                client_port_listen_backlog: -1,
                mode: "standalone",
                ..ServerInfo::default()
            },
        }
    }
}

/// What happens to a server.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A client connected; the host chose the number.
    Opened { conn: ConnId, peer: SocketAddr },
    /// Bytes of a connection, in any portions. After answers of [`ANSWERS_AT_ONCE`] bytes or more an input without any
    /// bytes is wanted, when the client has taken them: whole frames may be left.
    Received { conn: ConnId, bytes: &'a [u8] },
    /// The connection is gone.
    Closed { conn: ConnId },
    /// Everything up to this transaction is on disk.
    Persisted { zxid: i64 },
    /// Some time has passed; at least every tick.
    Tick,
    /// The next part of the snapshot can be taken (see [`KeeperServer::snapshot_running`]).
    SnapshotStep,
}

/// What the host has to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send these bytes.
    Send {
        conn: ConnId,
        bytes: Vec<u8>,
    },
    /// Close when everything before was sent. No [`Input::Closed`] is needed after it.
    Close {
        conn: ConnId,
    },
    /// Stop reading from the connection: too much is outstanding.
    Pause {
        conn: ConnId,
    },
    /// Read on.
    Resume {
        conn: ConnId,
    },
    /// Log these, sync, and say [`Input::Persisted`] with the last zxid.
    Append(Arc<TxnBatch>),
    /// The next transactions go to a new log file.
    RollLog,
    /// A snapshot follows, to be called `snapshot.<zxid>`.
    SnapshotBegin {
        zxid: i64,
    },
    SnapshotChunk(Vec<u8>),
    /// Complete: sync it and give it its name.
    SnapshotEnd,
}

/// A server and its connections.
#[derive(Debug)]
pub struct KeeperServer {
    config: ServerConfig,
    db: Database,
    processor: RequestProcessor,
    sessions: SessionTracker,
    local: LocalSessions,
    watches: Watches,
    conns: FixedMap<ConnId, Connection>,
    conn_by_session: FixedMap<i64, ConnId>,
    conns_by_ip: BTreeMap<IpAddr, u32>,
    /// Decided in this step.
    batch: TxnBatch,
    /// Handed out to be logged, not on disk yet.
    unpersisted: VecDeque<Arc<TxnBatch>>,
    dirty: Vec<ConnId>,
    paused: Vec<ConnId>,
    /// Connections whose changes were held, and need not be any more.
    released: Vec<ConnId>,
    /// Connections with a sync in front of their queue, and the transaction that they wait for.
    sync_waiters: Vec<(i64, ConnId)>,
    in_flight: usize,
    stats: ServerStats,
    operator: admin::OperatorState,
    started_us: u64,
    random: Random,
    snapshot: Option<SnapshotWriter>,
    txns_since_snapshot: u64,
    bytes_since_snapshot: u64,
    last_snapshot_bytes: u64,
    snap_after_txns: u64,
    snap_after_bytes: u64,
    next_container_check_ms: u64,
    membership: Membership,
}

impl KeeperServer {
    /// A server alone on `db`, whose sessions all get their whole timeout again. `random` spreads the snapshots.
    #[must_use]
    pub fn new(config: ServerConfig, db: Database, mut random: Random, now: Now) -> Self {
        let first_id = first_session_id(config.session_server_id, now.wall_ms);
        let mut sessions = SessionTracker::new(config.tick_time_ms, first_id);
        for (&id, &timeout_ms) in db.sessions() {
            sessions.track(id, u32::try_from(timeout_ms).unwrap_or(0), now.mono_ms());
        }
        let processor = RequestProcessor::new(prep_config(&config), db.last_zxid());
        let next_container_check_ms = now.mono_ms() + config.container_check_interval_ms;
        // What was replayed will be replayed again at the next start, unless a snapshot comes before.
        let txns_since_snapshot = db.replayed_txns;
        let local = LocalSessions::new(config.tick_time_ms);
        let mut server = Self {
            config,
            db,
            processor,
            sessions,
            local,
            watches: Watches::seeded(random.next_u64()),
            conns: FixedMap::default(),
            conn_by_session: FixedMap::default(),
            conns_by_ip: BTreeMap::new(),
            batch: TxnBatch::default(),
            unpersisted: VecDeque::new(),
            dirty: Vec::new(),
            paused: Vec::new(),
            released: Vec::new(),
            sync_waiters: Vec::new(),
            in_flight: 0,
            stats: ServerStats::default(),
            operator: admin::OperatorState::default(),
            started_us: now.mono_us,
            random,
            snapshot: None,
            txns_since_snapshot,
            bytes_since_snapshot: 0,
            last_snapshot_bytes: 0,
            snap_after_txns: 0,
            snap_after_bytes: 0,
            next_container_check_ms,
            membership: Membership::default(),
        };
        server.choose_next_snapshot();
        server
    }

    /// One input, and what follows from it.
    pub fn step(&mut self, now: Now, input: Input<'_>, outputs: &mut Vec<Output>) {
        self.take(now, input, outputs);
        self.flush(outputs);
    }

    /// One input; what the step gathers is still to be given out.
    pub(crate) fn take(&mut self, now: Now, input: Input<'_>, outputs: &mut Vec<Output>) {
        match input {
            Input::Opened { conn, peer } => self.open(now, conn, peer, outputs),
            Input::Received { conn, bytes } => self.receive(now, conn, bytes, outputs),
            Input::Closed { conn } => self.forget(conn),
            Input::Persisted { zxid } => self.persisted(now, zxid),
            Input::Tick => self.tick(now, outputs),
            Input::SnapshotStep => self.snapshot_step(outputs),
        }
    }

    /// Gives out what the step has gathered: transactions first, then frames, then closings.
    pub(crate) fn flush(&mut self, outputs: &mut Vec<Output>) {
        if self.is_member() {
            self.member_snapshot_if_due(outputs);
        } else if !self.batch.is_empty() {
            self.txns_since_snapshot += self.batch.len() as u64;
            self.bytes_since_snapshot += self.batch.bytes().len() as u64;
            let batch = Arc::new(std::mem::take(&mut self.batch));
            self.unpersisted.push_back(Arc::clone(&batch));
            outputs.push(Output::Append(batch));
            self.snapshot_if_due(outputs);
        }
        let mut dirty = std::mem::take(&mut self.dirty);
        for conn in dirty.drain(..) {
            let Some(connection) = self.conns.get_mut(&conn) else { continue };
            connection.dirty = false;
            let closing = connection.closing;
            if !connection.output.is_empty() {
                self.stats.bytes_sent += connection.output.len() as u64;
                outputs.push(Output::Send { conn, bytes: std::mem::take(&mut connection.output) });
            }
            if closing {
                self.close_now(conn, outputs);
            }
        }
        self.dirty = dirty;
        if !self.paused.is_empty() && self.in_flight <= self.outstanding_limit() {
            for conn in std::mem::take(&mut self.paused) {
                match self.conns.get_mut(&conn) {
                    Some(connection) if connection.revalidating || connection.held => self.paused.push(conn),
                    Some(connection) => {
                        connection.paused = false;
                        outputs.push(Output::Resume { conn });
                    }
                    None => {}
                }
            }
        }
    }

    fn mark_dirty(&mut self, conn: ConnId) {
        mark_dirty(&mut self.conns, &mut self.dirty, conn);
    }

    fn close_now(&mut self, conn: ConnId, outputs: &mut Vec<Output>) {
        if self.conns.contains_key(&conn) {
            self.forget(conn);
            outputs.push(Output::Close { conn });
        }
    }

    /// Drops what is known of a connection; its session lives on.
    fn forget(&mut self, conn: ConnId) {
        let Some(connection) = self.conns.remove(&conn) else { return };
        // Neither a four-letter word nor a probe of the port is a client that was lost.
        self.stats.connection_drops += u64::from(connection.initialized);
        self.operator.large_bytes -= connection.large;
        self.in_flight -= connection.queue.len();
        self.watches.remove_conn(conn);
        self.paused.retain(|&other| other != conn);
        if self.conn_by_session.get(&connection.session_id) == Some(&conn) {
            self.conn_by_session.remove(&connection.session_id);
        }
        if let Some(count) = self.conns_by_ip.get_mut(&connection.peer.ip()) {
            *count -= 1;
            if *count == 0 {
                self.conns_by_ip.remove(&connection.peer.ip());
            }
        }
    }

    /// Turns a request into a transaction of the current batch.
    fn propose(&mut self, now: Now, request: Request<'_>) -> Prepared {
        let start = self.batch.begin();
        let prepared = self.processor.prepare(
            &self.db.tree,
            &mut self.sessions,
            request,
            now.wall_ms,
            now.mono_ms(),
            self.batch.bytes_mut(),
        );
        match prepared {
            Prepared::Txn { zxid } => self.batch.end(start, zxid),
            Prepared::Refused(_) => self.batch.cancel(start),
        }
        prepared
    }

    fn tick(&mut self, now: Now, outputs: &mut Vec<Output>) {
        self.touch_held(now);
        let expired = if self.decides() { self.sessions.expire(now.mono_ms()) } else { Vec::new() };
        for session_id in expired {
            tracing::info!("session {session_id:#x} has expired");
            self.stats.sessions_expired += 1;
            let op = OpCode::CloseSession;
            let (auth, owner, local) = (Vec::new(), LOCAL_OWNER, false);
            self.propose(now, Request { session_id, cxid: 0, op, body: &[], auth: &auth, owner, local });
        }
        self.expire_local(now, outputs);
        let now_ms = now.mono_ms();
        let mut late: Vec<ConnId> = self
            .conns
            .values()
            .filter(|c| !c.initialized && now_ms >= c.opened_ms + KEEPER_HANDSHAKE_MS)
            .map(|c| c.id)
            .collect();
        late.sort_unstable();
        for conn in late {
            self.stats.sessionless_expired += 1;
            self.close_now(conn, outputs);
        }
        if self.decides() && now_ms >= self.next_container_check_ms {
            self.next_container_check_ms = now_ms + self.config.container_check_interval_ms;
            self.clean_containers(now);
        }
    }

    /// Asks for the deletion of containers that lost all their children, and of nodes that outlived their time.
    #[doc(alias = "ContainerManager")]
    fn clean_containers(&mut self, now: Now) {
        use crate::ephemeral_type::EphemeralType;
        let extended = self.db.tree.extended_types();
        let never_used = self.config.container_max_never_used_ms;
        // What a minute allows, at once: deciding is quick here, and the log takes them in one write.
        let most = self.config.container_max_per_minute * self.config.container_check_interval_ms / 60_000;
        let paths: Vec<String> = self
            .db
            .tree
            .cleanup_candidates()
            .filter(|node| {
                let stat = node.stat_persisted();
                let age_ms = now.wall_ms - stat.mtime;
                match EphemeralType::of(stat.ephemeral_owner, extended) {
                    EphemeralType::Ttl(ttl_ms) => ttl_ms != 0 && age_ms > ttl_ms,
                    // A container that is new has had no child yet.
                    _ => stat.cversion > 0 || never_used != 0 && age_ms > never_used,
                }
            })
            .take(most.max(1) as usize)
            .map(|node| node.path().to_owned())
            .collect();
        for path in paths {
            tracing::info!("deleting the unused container {path}");
            self.stats.containers_deleted += 1;
            let body = crate::jute::Jute::to_bytes(&crate::proto::PathRequest { path: &path });
            let (op, auth, owner) = (OpCode::DeleteContainer, Vec::new(), LOCAL_OWNER);
            self.propose(now, Request { session_id: 0, cxid: 0, op, body: &body, auth: &auth, owner, local: false });
        }
    }

    /// When the next [`Input::Tick`] has something to do, on the clock that never goes back.
    #[must_use]
    pub fn next_tick_ms(&self) -> u64 {
        let local = self.local.tracker().next_expiry_ms().unwrap_or(u64::MAX);
        if !self.decides() {
            return local;
        }
        let global = self.sessions.next_expiry_ms().unwrap_or(u64::MAX);
        self.next_container_check_ms.min(global).min(local)
    }

    #[must_use]
    pub fn db(&self) -> &Database {
        &self.db
    }

    #[must_use]
    pub fn config(&self) -> &ServerConfig {
        &self.config
    }

    #[must_use]
    pub fn stats(&self) -> &ServerStats {
        &self.stats
    }

    #[must_use]
    pub fn stats_mut(&mut self) -> &mut ServerStats {
        &mut self.stats
    }

    /// The last transaction decided; it may not be on disk yet.
    #[must_use]
    pub fn last_proposed_zxid(&self) -> i64 {
        self.processor.last_zxid()
    }

    /// Bytes in the data directories, for `conf`, `dirs` and metrics.
    pub fn set_dir_sizes(&mut self, data_dir: u64, data_log_dir: u64) {
        self.config.info.data_dir_size = data_dir;
        self.config.info.data_log_dir_size = data_log_dir;
    }

    /// The state in figures.
    #[must_use]
    pub fn gauges(&self, now: Now) -> Gauges {
        Gauges {
            znode_count: self.db.tree.node_count() as u64,
            watch_count: self.watches.count() as u64,
            ephemerals_count: self.db.tree.ephemeral_count() as u64,
            approximate_data_size: self.db.tree.approximate_data_size() as u64,
            num_alive_connections: self.conns.len() as u64,
            outstanding_requests: self.in_flight as u64,
            global_sessions: self.sessions.len() as u64,
            local_sessions: self.local.tracker().len() as u64,
            last_zxid: self.seen_zxid(),
            uptime_ms: (now.mono_us.saturating_sub(self.started_us)) / 1_000,
            digest_mismatches: self.db.digest_mismatches(),
            acl_lists: self.db.tree.acls().len() as u64,
        }
    }
}

fn prep_config(config: &ServerConfig) -> PrepConfig {
    PrepConfig {
        skip_acl: config.skip_acl,
        enforce_quota: config.enforce_quota,
        reconfig_enabled: config.reconfig_enabled,
        standalone_enabled: config.standalone_enabled,
    }
}

fn mark_dirty(conns: &mut FixedMap<ConnId, Connection>, dirty: &mut Vec<ConnId>, conn: ConnId) {
    if let Some(connection) = conns.get_mut(&conn)
        && !connection.dirty
    {
        connection.dirty = true;
        dirty.push(conn);
    }
}
