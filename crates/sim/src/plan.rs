//! What a seed decides before anything runs: settings, number of clients, what may go wrong.

use std::path::PathBuf;

use ottla_base::random::Random;
use ottla_broker::config::ConfigMap;
use ottla_keeper::keeper_server::ServerConfig;
use ottla_keeper::storage::StorageConfig;

/// When the broker syncs what it acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushPolicy {
    /// `log.flush.interval.messages=1`: what is acknowledged survives everything.
    EveryRecord,
    /// Kafka's default: what is acknowledged survives the process, and what was flushed the machine.
    Default,
}

/// The plan of a run.
#[derive(Clone, Debug)]
pub struct Plan {
    pub flush: FlushPolicy,
    pub log_dirs: Vec<PathBuf>,
    /// The broker's settings.
    pub settings: ConfigMap,
    pub keeper: ServerConfig,
    pub keeper_storage: StorageConfig,
    pub producers: usize,
    pub consumers: usize,
    pub group_members: usize,
    pub keeper_clients: usize,
    /// Acts to carry out before the end.
    pub acts: u64,
}

/// What the disks of a node are called.
pub const KEEPER_DIR: &str = "/keeper";

impl Plan {
    /// The plan that `random` leads to.
    #[must_use]
    pub fn draw(random: &mut Random) -> Self {
        let flush = if random.chance(500_000) { FlushPolicy::EveryRecord } else { FlushPolicy::Default };
        let log_dirs: Vec<PathBuf> = ["/a", "/b"][..1 + random.index(2)].iter().map(PathBuf::from).collect();
        let mut settings = ConfigMap::new();
        let mut set = |name: &str, value: String| drop(settings.insert(name.to_owned(), value));
        set("listeners", "PLAINTEXT://localhost:9092".to_owned());
        let dirs: Vec<String> = log_dirs.iter().map(|dir| dir.display().to_string()).collect();
        set("log.dirs", dirs.join(","));
        if random.chance(500_000) {
            set("broker.id", "3".to_owned());
        }
        set("offsets.topic.num.partitions", (1 + random.below(3)).to_string());
        set("offsets.topic.replication.factor", "1".to_owned());
        set("offsets.topic.segment.bytes", (2_000 + random.below(8_000)).to_string());
        set("log.segment.bytes", (600 + random.below(6_000)).to_string());
        set("log.index.interval.bytes", random.below(600).to_string());
        set("log.retention.ms", "-1".to_owned());
        set("log.segment.delete.delay.ms", random.below(5_000).to_string());
        set("log.cleaner.backoff.ms", "500".to_owned());
        set("log.cleaner.dedupe.buffer.size", "1048576".to_owned());
        set("log.retention.check.interval.ms", (500 + random.below(5_000)).to_string());
        set("log.initial.task.delay.ms", random.below(1_000).to_string());
        set("log.flush.offset.checkpoint.interval.ms", (200 + random.below(5_000)).to_string());
        set("log.flush.start.offset.checkpoint.interval.ms", (200 + random.below(5_000)).to_string());
        set("replica.high.watermark.checkpoint.interval.ms", (200 + random.below(5_000)).to_string());
        set("group.initial.rebalance.delay.ms", random.below(300).to_string());
        set("log.preallocate", random.chance(200_000).to_string());
        match flush {
            FlushPolicy::EveryRecord => set("log.flush.interval.messages", "1".to_owned()),
            FlushPolicy::Default if random.chance(500_000) => {
                set("log.flush.interval.messages", (2 + random.below(40)).to_string());
            }
            FlushPolicy::Default => set("log.flush.interval.ms", (100 + random.below(4_000)).to_string()),
        }
        let keeper = ServerConfig {
            tick_time_ms: 500,
            min_session_timeout_ms: 1_000,
            max_session_timeout_ms: 10_000 + random.below(20_000) as u32,
            snap_count: 10 + random.below(300),
            container_check_interval_ms: 1_000 + random.below(5_000),
            session_server_id: 1,
            ..ServerConfig::default()
        };
        let mut keeper_storage = StorageConfig::new(KEEPER_DIR);
        keeper_storage.log.prealloc_bytes = [0, 4_096, 65_536][random.index(3)];
        keeper_storage.extended_types = random.chance(500_000);
        keeper_storage.name_seed = random.next_u64();
        set("zookeeper.session.timeout.ms", (4_000 + random.below(10_000)).to_string());
        Self {
            flush,
            log_dirs,
            settings,
            keeper,
            keeper_storage,
            producers: 1 + random.index(3),
            consumers: 1 + random.index(2),
            group_members: random.index(3),
            keeper_clients: 1 + random.index(2),
            acts: 3_000 + random.below(6_000),
        }
    }
}
