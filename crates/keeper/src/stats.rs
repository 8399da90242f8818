//! What the server counts about itself (`ServerStats`, `ServerMetrics`), typed. How it is told: `metrics.rs`.

use crate::namespaces::Namespaces;

/// Least, greatest and mean of some durations, in microseconds.
#[doc(alias = "AvgMinMaxCounter")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    pub min_us: u64,
    pub max_us: u64,
    pub total_us: u64,
    pub count: u64,
}

impl Latency {
    pub fn add(&mut self, us: u64) {
        self.min_us = if self.count == 0 { us } else { self.min_us.min(us) };
        self.max_us = self.max_us.max(us);
        self.total_us += us;
        self.count += 1;
    }

    /// Mean in milliseconds, 0 when there is nothing.
    #[must_use]
    pub fn avg_ms(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.total_us as f64 / self.count as f64 / 1_000.0 }
    }

    /// As `srvr` shows it: least, mean (four decimals) and greatest in milliseconds.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{}/{}/{}", self.min_us / 1_000, java_double(self.avg_ms()), self.max_us / 1_000)
    }
}

/// A number as Java prints it, with at most four decimals and at least one.
pub(crate) fn java_double(value: f64) -> String {
    format!("{:?}", round4(value))
}

/// Rounded to four decimals, as ZooKeeper rounds its means.
pub(crate) fn round4(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

/// Steps between a power of two and the next one: a percentile is told at most 1/16 too high.
const STEPS: usize = 16;
/// Buckets for numbers up to 2^40 (as microseconds, twelve days); larger ones go into the last.
const BUCKETS: usize = 37 * STEPS;

/// Some measured values: least, greatest, mean and percentiles. Its unit is whatever is added; times are microseconds.
#[doc(alias = "AvgMinMaxPercentileCounter")]
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub min: u64,
    pub max: u64,
    pub total: u64,
    pub count: u64,
    /// How many values fell between two bounds; made when the first value comes.
    buckets: Vec<u32>,
}

impl Summary {
    /// A summary of nothing.
    pub const EMPTY: Self = Self { min: 0, max: 0, total: 0, count: 0, buckets: Vec::new() };

    pub fn add(&mut self, value: u64) {
        self.min = if self.count == 0 { value } else { self.min.min(value) };
        self.max = self.max.max(value);
        self.total = self.total.saturating_add(value);
        self.count += 1;
        if self.buckets.is_empty() {
            self.buckets = vec![0; BUCKETS];
        }
        let bucket = &mut self.buckets[bucket_of(value)];
        *bucket = bucket.saturating_add(1);
    }

    #[must_use]
    pub fn avg(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.total as f64 / self.count as f64 }
    }

    /// The value that a share (0 to 1) of all values does not exceed; 0 when there is nothing.
    #[must_use]
    pub fn quantile(&self, share: f64) -> u64 {
        let wanted = (share * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, &count) in self.buckets.iter().enumerate() {
            seen += u64::from(count);
            if seen >= wanted {
                return last_of(index).clamp(self.min, self.max);
            }
        }
        self.max
    }
}

/// Values below 16 have a bucket each; above, each power of two is cut into 16 steps.
fn bucket_of(value: u64) -> usize {
    if value < STEPS as u64 {
        return value as usize;
    }
    let power = value.ilog2() as usize;
    let step = (value >> (power - 4)) as usize & (STEPS - 1);
    ((power - 3) * STEPS + step).min(BUCKETS - 1)
}

/// The greatest value of a bucket.
fn last_of(index: usize) -> u64 {
    if index < STEPS {
        return index as u64;
    }
    let (power, step) = (index / STEPS + 3, (index % STEPS) as u64);
    ((STEPS as u64 + step + 1) << (power - 4)) - 1
}

/// Last, least and greatest of some sizes in bytes; -1 while there was none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferStats {
    pub last: i64,
    pub min: i64,
    pub max: i64,
}

impl Default for BufferStats {
    fn default() -> Self {
        Self { last: -1, min: -1, max: -1 }
    }
}

impl BufferStats {
    pub fn add(&mut self, bytes: usize) {
        let bytes = bytes as i64;
        self.last = bytes;
        self.min = if self.min < 0 { bytes } else { self.min.min(bytes) };
        self.max = self.max.max(bytes);
    }
}

/// Counters since the start or the last `srst`. Times in microseconds.
#[derive(Clone, Debug, Default)]
pub struct ServerStats {
    pub packets_received: u64,
    pub packets_sent: u64,
    /// From a request's arrival to its answer, all kinds.
    pub latency: Latency,
    pub read_latency: Summary,
    pub update_latency: Summary,
    pub bytes_received: u64,
    pub bytes_sent: u64,
    /// Sizes of answers.
    pub client_response: BufferStats,
    /// Connect frames, and those among them that took a session up again.
    pub connect_requests: u64,
    pub revalidations: u64,
    pub connections_rejected: u64,
    pub connection_drops: u64,
    /// Connections that were closed because they never sent their connect frame.
    pub sessionless_expired: u64,
    pub sessions_expired: u64,
    pub large_requests_rejected: u64,
    /// Snapshots taken from the tree; whether they reached the disk is in `snapshot_time` and `snapshot_errors`.
    pub snapshots: u64,
    pub commits: u64,
    pub watch_events: u64,
    pub watch_bytes: u64,
    /// Watchers told of each change, by kind.
    pub node_created_watchers: Summary,
    pub node_deleted_watchers: Summary,
    pub node_changed_watchers: Summary,
    pub node_children_watchers: Summary,
    /// Connections that were not read from because there was too much to do.
    pub throttled: u64,
    pub auth_failed: u64,
    pub unrecoverable_errors: u64,
    pub containers_deleted: u64,
    pub snapshot_errors: u64,
    pub snapshots_rate_limited: u64,
    pub restore_errors: u64,
    pub restores_rate_limited: u64,
    /// Syncs of the log, and what they wrote.
    pub fsync_time: Summary,
    /// Syncs that took longer than `fsync.warningthresholdms`.
    pub slow_fsyncs: u64,
    pub batch_size: Summary,
    pub snapshot_time: Summary,
    pub restore_time: Summary,
    /// The start: snapshot and log, and how many transactions the log had.
    pub db_init_time: Summary,
    pub startup_txns_loaded: Summary,
    /// From a change's decision to its being applied here, by the wall clock.
    pub propagation_latency: Summary,
    /// From a client's request to its being committed.
    pub local_write_committed: Summary,
    /// Requests of one client waiting when another came behind them.
    pub session_queue: Summary,
    /// Connections that were closed because this server has no leader.
    pub closed_without_server: u64,
    pub namespaces: Namespaces,
    pub quorum: QuorumStats,
}

/// What an ensemble adds: filled by whoever drives Zab, nothing of it in a server alone.
#[derive(Clone, Debug, Default)]
pub struct QuorumStats {
    /// From looking for a leader to having one.
    pub election_time: Summary,
    /// Without a leader, or as a leader without followers.
    pub unavailable_time: Summary,
    pub leader_unavailable_time: Summary,
    /// From finding the leader to having its state, and the same as an observer.
    pub follower_sync_time: Summary,
    pub observer_sync_time: Summary,
    /// How often this server began to look for a leader.
    pub looking: u64,
    /// Learners brought up to date by differences, and by snapshots; how many at once, whenever one begins or ends.
    pub diffs: u64,
    pub snaps: u64,
    pub inflight_diffs: Summary,
    pub inflight_snaps: Summary,
    /// As a leader: proposals made, their sizes, and the time to a quorum's acknowledgement. These times, and those below, are
    /// told by the wall clocks of both servers.
    pub proposals: u64,
    pub proposal_sizes: BufferStats,
    pub quorum_ack_latency: Summary,
    /// From a proposal's making to its arrival at a follower, and to a voter's acknowledgement.
    pub proposal_latency: Summary,
    pub proposal_ack_latency: Summary,
    /// From the leader's commit to its being applied here.
    pub commit_propagation_latency: Summary,
    pub learner_proposals: u64,
    pub learner_commits: u64,
    /// Sessions of other servers' clients that were asked about.
    pub revalidations: u64,
}

impl ServerStats {
    /// `srst`: everything starts from nothing.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

/// The server's state in figures at one moment.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    pub znode_count: u64,
    pub watch_count: u64,
    pub ephemerals_count: u64,
    pub approximate_data_size: u64,
    pub num_alive_connections: u64,
    pub outstanding_requests: u64,
    pub global_sessions: u64,
    /// Sessions that only this server knows.
    pub local_sessions: u64,
    pub last_zxid: i64,
    pub uptime_ms: u64,
    pub digest_mismatches: u64,
    pub acl_lists: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_text() {
        let mut latency = Latency::default();
        assert_eq!(latency.to_text(), "0/0.0/0");
        for us in [1_000, 2_000, 4_000] {
            latency.add(us);
        }
        assert_eq!(latency.to_text(), "1/2.3333/4");
    }

    #[test]
    fn percentiles_are_close() {
        let mut summary = Summary::default();
        assert_eq!((summary.quantile(0.5), summary.avg()), (0, 0.0));
        for value in 1..=10_000 {
            summary.add(value);
        }
        for share in [0.5, 0.95, 0.99, 0.999] {
            let (told, exact) = (summary.quantile(share) as f64, share * 10_000.0);
            assert!(told >= exact && told <= exact * 17.0 / 16.0, "{share}: {told}, not {exact}");
        }
        assert_eq!((summary.min, summary.max, summary.count), (1, 10_000, 10_000));
        summary.add(u64::MAX);
        assert_eq!(summary.quantile(1.0), last_of(BUCKETS - 1));
    }

    #[test]
    fn every_value_is_in_its_bucket() {
        for value in (0..5_000).chain((5..40).flat_map(|power| [(1 << power) - 1, 1 << power, (1 << power) + 1])) {
            let index = bucket_of(value);
            assert!(value <= last_of(index) && (index == 0 || value > last_of(index - 1)), "{value} in {index}");
        }
    }

    #[test]
    fn buffer_sizes() {
        let mut sizes = BufferStats::default();
        assert_eq!((sizes.last, sizes.min, sizes.max), (-1, -1, -1));
        [20, 50, 16].into_iter().for_each(|bytes| sizes.add(bytes));
        assert_eq!((sizes.last, sizes.min, sizes.max), (16, 16, 50));
    }
}
