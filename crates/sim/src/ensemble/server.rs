//! A server of the ensemble: its life, its files, its clock.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use ottla_base::disk::{Disk, OpenMode};
use ottla_base::random::Random;
use ottla_base::sim_disk::SimDisk;
use ottla_base::time::Now;
use ottla_keeper::ensemble::{EnsembleConfig, EnsembleServer, Entry, JournalWriter, Output};
use ottla_keeper::keeper_server::ServerConfig;
use ottla_keeper::storage::{KeeperStorage, SnapshotStore, StorageConfig};
use ottla_keeper::txn::zxid_of;
use ottla_keeper::txn_log::{LogOptions, LogReader};
use ottla_keeper::zab::election::ElectionTiming;
use ottla_keeper::zab::messages::InitialMessage;
use ottla_keeper::zab::{self, QuorumVerifier, ZabConfig};

use super::plan::Plan;

const DATA_DIR: &str = "/zk";

/// Snapshots that a purge leaves.
pub const RETAINED_SNAPSHOTS: usize = 3;

/// Where the members are kept that were committed last, when they may change.
const MEMBERS: &str = "/members";

/// Small, so that files are short.
const PREALLOC_BYTES: u64 = 4_096;

/// A running server.
#[derive(Debug)]
pub struct Life {
    pub server: EnsembleServer,
    pub writer: JournalWriter,
    pub storage: KeeperStorage,
    /// Waits for the log's thread.
    pub journal: VecDeque<Entry>,
    /// The thread has something to do at some time.
    pub journal_scheduled: bool,
    /// When the last `Persisted` comes.
    pub persisted_us: u64,
    pub snapshot: Option<SnapshotStore>,
    pub snapshot_scheduled: bool,
    /// The next tick that is an event.
    pub tick_us: u64,
    /// The zxid at which its state was last compared.
    pub compared: i64,
    /// On its own clock, milliseconds: since when it serves.
    pub serving_ms: u64,
    /// On its own clock, milliseconds: when it last heard of a session from its own client.
    pub heard_ms: BTreeMap<i64, u64>,
    /// The epoch that it leads, once a quorum follows.
    pub leads: Option<i64>,
    /// The version of its members.
    pub config: i64,
}

/// A machine, with or without a running server.
#[derive(Debug)]
pub struct Node {
    pub life: Option<Life>,
    /// Grows with every start, so that what was meant for an earlier life is known.
    pub lives: u64,
    pub disk: SimDisk,
    /// The disk takes much longer.
    pub disk_slow_us: u64,
    /// The disk does nothing until then.
    pub disk_stalls_until: u64,
    /// The process does nothing until then.
    pub stalls_until: u64,
    /// The disk refuses calls, or is full.
    pub disk_bad: bool,
    pub clock: Clock,
    /// Outputs until it dies, and whether the power goes.
    pub dies_after: Option<(usize, bool)>,
    /// The latest epoch that it has served.
    pub served: i64,
    /// The version of the members that its host has on disk.
    pub kept_config: i64,
}

/// A machine's clock: its own beginning, its own speed, and a wall clock that jumps.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    pub start_us: u64,
    /// Speed: so many microseconds more or less in a second.
    pub skew: i64,
    pub wall_ms: i64,
    /// When it began to run at this speed.
    pub since_us: u64,
}

impl Clock {
    /// What it shows.
    #[must_use]
    pub fn now(&self, at_us: u64) -> Now {
        let at_us = at_us.saturating_sub(self.since_us);
        let passed = at_us as i64 + at_us as i64 / 1_000 * self.skew / 1_000;
        Now { mono_us: self.start_us + passed as u64, wall_ms: self.wall_ms + passed / 1_000 }
    }

    /// The time at which it shows so many milliseconds, or a little later.
    #[must_use]
    pub fn when(&self, mono_ms: u64) -> u64 {
        let passed = mono_ms.saturating_mul(1_000).saturating_sub(self.start_us).min(1 << 50);
        self.since_us + (passed as u128 * 1_000_000 / (1_000_000 + self.skew) as u128) as u64 + 2
    }

    /// From now on it runs at another speed.
    pub fn set_speed(&mut self, at_us: u64, skew: i64) {
        let now = self.now(at_us);
        *self = Self { start_us: now.mono_us, skew, wall_ms: now.wall_ms, since_us: at_us };
    }
}

impl Node {
    #[must_use]
    pub fn new(random: &mut Random, plan: &Plan) -> Self {
        let skew = random.below(plan.skew + 1) as i64 - plan.skew as i64 / 2;
        let wall_ms = 1_795_000_000_000 + random.below(10_000_000) as i64;
        Self {
            life: None,
            lives: 0,
            disk: SimDisk::new(random.next_u64()),
            disk_slow_us: 0,
            disk_bad: false,
            clock: Clock { start_us: random.below(1 << 40), skew, wall_ms, since_us: 0 },
            dies_after: None,
            disk_stalls_until: 0,
            stalls_until: 0,
            served: 0,
            kept_config: 0,
        }
    }

    /// Starts a server on what is on the disk.
    pub fn start(
        &mut self,
        node: usize,
        plan: &Plan,
        at_us: u64,
        random: Random,
        out: &mut Vec<Output>,
    ) -> Result<(), String> {
        self.lives += 1;
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let log = LogOptions {
            prealloc_bytes: PREALLOC_BYTES,
            size_limit_bytes: plan.log_size_limit,
            ..LogOptions::default()
        };
        let storage = KeeperStorage::open(disk, StorageConfig { log, ..StorageConfig::new(DATA_DIR) });
        let storage = storage.map_err(|e| e.to_string())?;
        let restored = storage.restore_ensemble(plan.commit_log_count).map_err(|e| e.to_string())?;
        if restored.database.digest_mismatches() > 0 {
            return Err("the digest of a transaction on the disk is not that of the tree".to_owned());
        }
        self.check_restored(&restored.zab)?;
        let verifier = self.members(node, plan)?;
        let config = verifier.version;
        let server = EnsembleServer::new(settings(node, plan, verifier), restored, random, self.clock.now(at_us), out);
        self.life = Some(Life {
            server,
            writer: JournalWriter::new(&storage),
            storage,
            journal: VecDeque::new(),
            journal_scheduled: false,
            persisted_us: 0,
            snapshot: None,
            snapshot_scheduled: false,
            tick_us: u64::MAX,
            compared: -1,
            serving_ms: 0,
            heard_ms: BTreeMap::new(),
            leads: None,
            config,
        });
        Ok(())
    }

    /// Zab's promise of what is on disk before others hear of it.
    fn check_restored(&self, restored: &zab::Restored) -> Result<(), String> {
        let (served, now) = (self.served, restored.current_epoch);
        if now < served { Err(format!("it has served epoch {served}, and starts with {now}")) } else { Ok(()) }
    }

    /// The zxids of the snapshots that no purge takes, and what its log files hold, in their order.
    pub fn logged(&self) -> Result<(Vec<i64>, Vec<i64>), String> {
        let dir = Path::new(DATA_DIR).join("version-2");
        let (mut files, mut snapshots) = (Vec::new(), Vec::new());
        for entry in self.disk.list(&dir).map_err(|e| e.to_string())? {
            let number = |prefix: &str| i64::from_str_radix(entry.name.strip_prefix(prefix)?, 16).ok();
            files.extend(number("log.").map(|first| (first, entry.name.clone())));
            snapshots.extend(number("snapshot."));
        }
        files.sort_unstable();
        let mut zxids = Vec::new();
        for (_, name) in files {
            let file = self.disk.open(&dir.join(name), OpenMode::Read).map_err(|e| e.to_string())?;
            let Ok(mut reader) = LogReader::open(file) else { continue };
            while let Some(txn) = reader.next_entry().map_err(|e| e.to_string())? {
                zxids.push(zxid_of(txn).map_err(|e| e.to_string())?);
            }
        }
        snapshots.sort_unstable();
        let kept = snapshots.split_off(snapshots.len().saturating_sub(RETAINED_SNAPSHOTS));
        Ok((kept, zxids))
    }

    /// The members with which it starts.
    fn members(&mut self, node: usize, plan: &Plan) -> Result<QuorumVerifier, String> {
        let kept = self.disk.read(Path::new(MEMBERS)).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let verifier = QuorumVerifier::parse(&kept.unwrap_or_else(|| plan.members(node)))?;
        if verifier.version < self.kept_config {
            return Err(format!("the members of {:#x} were kept, not {:#x}", self.kept_config, verifier.version));
        }
        Ok(verifier)
    }

    /// New members are committed: on the disk before anything follows, as the real host does; it goes on without.
    pub fn keep_members(&mut self, verifier: &QuorumVerifier) {
        if self.disk.write_atomic(Path::new(MEMBERS), verifier.to_string().as_bytes()).is_ok() {
            self.kept_config = verifier.version;
        }
    }
}

fn settings(node: usize, plan: &Plan, verifier: QuorumVerifier) -> EnsembleConfig {
    let sid = node as i64 + 1;
    let server = ServerConfig {
        tick_time_ms: plan.tick_ms as u32,
        min_session_timeout_ms: 2 * plan.tick_ms as u32,
        snap_count: plan.snap_count,
        session_server_id: sid as u8,
        max_client_cnxns: 0,
        linearizable_reads: plan.linearizable_reads,
        reconfig_enabled: plan.reconfig,
        // Who may change the members is not what is looked at here.
        skip_acl: plan.reconfig,
        standalone_enabled: plan.standalone,
        ..ServerConfig::default()
    };
    let zab = ZabConfig {
        sid,
        tick_time_ms: plan.tick_ms,
        init_limit: plan.init_limit,
        sync_limit: plan.sync_limit,
        commit_log_count: plan.commit_log_count,
        election: ElectionTiming { finalize_wait_ms: plan.tick_ms / 4 + 1, ..ElectionTiming::default() },
        verifier: Arc::new(verifier),
    };
    let election = InitialMessage { sid, election_addresses: vec![(format!("n{sid}"), 3_888)] };
    EnsembleConfig { zab, server, election, leader_serves: plan.leader_serves }
}
