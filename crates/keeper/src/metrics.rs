//! The names and values that `mntr`, the admin command `monitor` and Prometheus tell (`ServerMetrics`,
//! `ZooKeeperServer.registerMetrics`): all of ZooKeeper 3.9.5's, in its order. What has no meaning here is told as 0, as
//! ZooKeeper tells what it does not use; `docs/metrics.md` lists those.

use crate::quorum_status::{QuorumStatus, Role};
use crate::stats::{Gauges, ServerStats, Summary, java_double, round4};
use std::borrow::Cow;

/// The value of a metric.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    Gauge(i64),
    /// A mean or a probability.
    Ratio(f64),
    Counter(u64),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Gauge(value) => value.fmt(f),
            Self::Ratio(value) => f.write_str(&java_double(*value)),
            Self::Counter(value) => value.fmt(f),
        }
    }
}

/// What a summary is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Kept in microseconds, told in milliseconds.
    Time,
    Count,
}

/// Which figures of a summary are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    Basic,
    /// Percentiles too.
    Advanced,
}

/// A summary with its name.
#[derive(Clone, Copy, Debug)]
pub struct NamedSummary<'a> {
    pub name: &'static str,
    /// Of several with this name, which one: it is told before the name, or as the label `key`.
    pub key: Option<&'a str>,
    pub unit: Unit,
    pub detail: Detail,
    pub summary: &'a Summary,
}

impl NamedSummary<'_> {
    /// As `mntr` calls it.
    #[must_use]
    pub fn full_name(&self) -> Cow<'static, str> {
        self.key.map_or(self.name.into(), |key| format!("{key}_{}", self.name).into())
    }

    /// A value of the summary's as it is told.
    #[must_use]
    pub fn told(&self, value: u64) -> u64 {
        match self.unit {
            Unit::Time => value / 1_000,
            Unit::Count => value,
        }
    }

    /// The mean as it is told.
    #[must_use]
    pub fn avg(&self) -> f64 {
        let avg = self.summary.avg();
        round4(if self.unit == Unit::Time { avg / 1_000.0 } else { avg })
    }
}

/// A server's state from which everything is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sources<'a> {
    pub version: &'a str,
    pub gauges: &'a Gauges,
    pub stats: &'a ServerStats,
    pub quorum: Option<&'a QuorumStatus>,
    /// Descriptors of the process: open, and allowed.
    pub descriptors: (u64, u64),
}

impl Sources<'_> {
    /// Everything that is one number (or text) each: texts, gauges, counters.
    pub fn values(&self) -> Vec<(&'static str, Value)> {
        let (gauges, stats) = (self.gauges, self.stats);
        let mode = self.quorum.map_or("standalone", QuorumStatus::mode);
        let mut all =
            vec![("version", Value::Text(self.version.to_owned())), ("server_state", Value::Text(mode.to_owned()))];
        if let Some(quorum) = self.quorum {
            all.push(("peer_state", Value::Text(quorum.peer_state())));
        }
        let gauge = |value: u64| Value::Gauge(value as i64);
        let response = &stats.client_response;
        all.extend([
            ("ephemerals_count", gauge(gauges.ephemerals_count)),
            ("num_alive_connections", gauge(gauges.num_alive_connections)),
            ("avg_latency", Value::Ratio(round4(stats.latency.avg_ms()))),
            ("outstanding_requests", gauge(gauges.outstanding_requests)),
            ("znode_count", gauge(gauges.znode_count)),
            ("global_sessions", gauge(gauges.global_sessions)),
            ("non_mtls_remote_conn_count", Value::Gauge(0)),
            ("last_client_response_size", Value::Gauge(response.last)),
            ("packets_sent", gauge(stats.packets_sent)),
            ("packets_received", gauge(stats.packets_received)),
            ("max_client_response_size", Value::Gauge(response.max)),
            ("connection_drop_probability", Value::Ratio(0.0)),
            ("watch_count", gauge(gauges.watch_count)),
            ("auth_failed_count", gauge(stats.auth_failed)),
            ("min_latency", gauge(stats.latency.min_us / 1_000)),
            ("max_file_descriptor_count", gauge(self.descriptors.1)),
            ("approximate_data_size", gauge(gauges.approximate_data_size)),
            ("open_file_descriptor_count", gauge(self.descriptors.0)),
            ("local_sessions", gauge(gauges.local_sessions)),
            ("uptime", gauge(gauges.uptime_ms)),
            ("max_latency", gauge(stats.latency.max_us / 1_000)),
            ("outstanding_tls_handshake", Value::Gauge(0)),
            ("min_client_response_size", Value::Gauge(response.min)),
            ("non_mtls_local_conn_count", Value::Gauge(0)),
        ]);
        if let Some(quorum) = self.quorum {
            all.extend(self.quorum_gauges(quorum));
        }
        all.extend(COUNTERS.iter().map(|(name, value)| (*name, Value::Counter(value(self)))));
        all
    }

    fn quorum_gauges(&self, quorum: &QuorumStatus) -> Vec<(&'static str, Value)> {
        let gauge = |value: u64| Value::Gauge(value as i64);
        let mut all = Vec::new();
        match quorum.role {
            Role::Leading => {
                let sizes = &self.stats.quorum.proposal_sizes;
                all.extend([
                    ("min_proposal_size", Value::Gauge(sizes.min)),
                    ("max_proposal_size", Value::Gauge(sizes.max)),
                    ("synced_followers", gauge(quorum.synced_followers)),
                    ("synced_non_voting_followers", gauge(quorum.synced_non_voting_followers)),
                    ("synced_observers", gauge(quorum.observers.len() as u64)),
                    ("last_proposal_size", Value::Gauge(sizes.last)),
                    ("pending_syncs", gauge(quorum.pending_syncs)),
                    ("leader_uptime", gauge(quorum.leader_uptime_ms)),
                    ("learners", gauge(quorum.learners)),
                ]);
            }
            Role::Observing => all.push(("observer_master_id", Value::Gauge(quorum.leader_id.unwrap_or(-1)))),
            Role::Looking | Role::Following => {}
        }
        all.push(("quorum_size", gauge(quorum.voters() as u64)));
        all
    }

    /// All summaries.
    pub fn summaries(&self) -> impl Iterator<Item = NamedSummary<'_>> {
        let named = SUMMARIES.iter().map(|&(name, unit, detail, pick)| NamedSummary {
            name,
            key: None,
            unit,
            detail,
            summary: pick(self.stats),
        });
        let of = |(key, name, summary)| NamedSummary { name, key: Some(key), unit: Number, detail: Basic, summary };
        let namespaces = self.stats.namespaces.all().into_iter();
        named.chain(namespaces.flat_map(move |(key, traffic)| {
            let both = [("read_per_namespace", &traffic.reads), ("write_per_namespace", &traffic.writes)];
            // ZooKeeper makes either when it first happens.
            both.into_iter()
                .filter(|(_, summary)| summary.count > 0)
                .map(move |(name, summary)| of((key, name, summary)))
        }))
    }
}

/// One line of `mntr` or one entry of `monitor` for each figure of a summary.
pub(crate) fn figures(named: &NamedSummary<'_>, mut tell: impl FnMut(String, Value)) {
    let (name, summary) = (named.full_name(), named.summary);
    let mut number = |prefix: &str, value: u64| tell(format!("{prefix}_{name}"), Value::Counter(value));
    number("min", named.told(summary.min));
    number("max", named.told(summary.max));
    number("cnt", summary.count);
    number("sum", named.told(summary.total));
    if named.detail == Detail::Advanced {
        for (prefix, share) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)] {
            number(prefix, named.told(summary.quantile(share)));
        }
    }
}

type Count = fn(&Sources<'_>) -> u64;

/// What there is none of here: caches of answers, queues between processors, TLS, SASL between servers, dead watchers.
const NONE: Count = |_| 0;

#[rustfmt::skip]
const COUNTERS: [(&str, Count); 51] = [
    ("watch_bytes", |s| s.stats.watch_bytes),
    ("stale_requests_dropped", NONE),
    ("throttled_ops", NONE),
    ("insecure_admin_count", NONE),
    ("connection_rejected", |s| s.stats.connections_rejected),
    ("sessionless_connections_expired", |s| s.stats.sessionless_expired),
    ("dead_watchers_queued", NONE),
    ("stale_requests", NONE),
    ("connection_drop_count", |s| s.stats.connection_drops),
    ("response_packet_cache_hits", NONE),
    ("bytes_received_count", |s| s.stats.bytes_received),
    ("add_dead_watcher_stall_time", NONE),
    ("request_throttle_wait_count", |s| s.stats.throttled),
    ("requests_not_forwarded_to_commit_processor", NONE),
    ("response_packet_cache_misses", NONE),
    ("prep_processor_request_queued", NONE),
    ("stale_replies", NONE),
    ("response_bytes", |s| s.stats.bytes_sent),
    ("ensemble_auth_fail", NONE),
    ("diff_count", |s| s.stats.quorum.diffs),
    ("connection_revalidate_count", |s| s.stats.revalidations),
    ("quit_leading_due_to_disloyal_voter", NONE),
    ("unrecoverable_error_count", |s| s.stats.unrecoverable_errors),
    ("unsuccessful_handshake", NONE),
    ("commit_count", |s| s.stats.commits),
    ("outstanding_changes_queued", NONE),
    ("request_commit_queued", NONE),
    ("ensemble_auth_skip", NONE),
    ("skip_learner_request_to_next_processor_count", NONE),
    ("proposal_count", |s| s.stats.quorum.proposals),
    ("large_requests_rejected", |s| s.stats.large_requests_rejected),
    ("outstanding_changes_removed", NONE),
    ("restore_error_count", |s| s.stats.restore_errors),
    ("cnxn_closed_without_zk_server_running", |s| s.stats.closed_without_server),
    ("looking_count", |s| s.stats.quorum.looking),
    ("snapshot_rate_limited_count", |s| s.stats.snapshots_rate_limited),
    ("learner_proposal_received_count", |s| s.stats.quorum.learner_proposals),
    ("digest_mismatches_count", |s| s.gauges.digest_mismatches),
    ("dead_watchers_cleared", NONE),
    ("ensemble_auth_success", NONE),
    ("learner_commit_received_count", |s| s.stats.quorum.learner_commits),
    ("snapshot_error_count", |s| s.stats.snapshot_errors),
    ("connection_request_count", |s| s.stats.connect_requests),
    ("response_packet_get_children_cache_misses", NONE),
    ("snap_count", |s| s.stats.quorum.snaps),
    ("stale_sessions_expired", |s| s.stats.sessions_expired),
    ("restore_rate_limited_count", |s| s.stats.restores_rate_limited),
    ("response_packet_get_children_cache_hits", NONE),
    ("sync_processor_request_queued", NONE),
    ("tls_handshake_exceeded", NONE),
    ("revalidate_count", |s| s.stats.quorum.revalidations),
];

type Pick = fn(&ServerStats) -> &Summary;

static EMPTY: Summary = Summary::EMPTY;
/// As [`NONE`].
const UNUSED: Pick = |_| &EMPTY;

use Detail::{Advanced, Basic};
use Unit::{Count as Number, Time};

#[rustfmt::skip]
const SUMMARIES: [(&str, Unit, Detail, Pick); 65] = [
    ("socket_closing_time", Time, Basic, UNUSED),
    ("proposal_process_time", Time, Basic, UNUSED),
    ("leader_unavailable_time", Time, Basic, |s| &s.quorum.leader_unavailable_time),
    ("node_created_watch_count", Number, Basic, |s| &s.node_created_watchers),
    ("session_queues_drained", Number, Basic, UNUSED),
    ("write_commit_proc_req_queued", Number, Basic, UNUSED),
    ("connection_token_deficit", Number, Basic, UNUSED),
    ("read_commit_proc_req_queued", Number, Basic, UNUSED),
    ("node_deleted_watch_count", Number, Basic, |s| &s.node_deleted_watchers),
    ("startup_txns_load_time", Time, Basic, UNUSED),
    ("sync_processor_queue_size", Number, Basic, UNUSED),
    ("follower_sync_time", Time, Basic, |s| &s.quorum.follower_sync_time),
    ("prep_processor_queue_size", Number, Basic, UNUSED),
    ("fsynctime", Time, Basic, |s| &s.fsync_time),
    ("inflight_snap_count", Number, Basic, |s| &s.quorum.inflight_snaps),
    ("reads_issued_from_session_queue", Number, Basic, UNUSED),
    ("restore_time", Time, Basic, |s| &s.restore_time),
    ("learner_request_processor_queue_size", Number, Basic, UNUSED),
    ("snapshottime", Time, Basic, |s| &s.snapshot_time),
    ("unavailable_time", Time, Basic, |s| &s.quorum.unavailable_time),
    ("startup_txns_loaded", Number, Basic, |s| &s.startup_txns_loaded),
    ("reads_after_write_in_session_queue", Number, Basic, UNUSED),
    ("requests_in_session_queue", Number, Basic, |s| &s.session_queue),
    ("write_commit_proc_issued", Number, Basic, UNUSED),
    ("prep_process_time", Time, Basic, UNUSED),
    ("pending_session_queue_size", Number, Basic, UNUSED),
    ("time_waiting_empty_pool_in_commit_processor_read_ms", Time, Basic, UNUSED),
    ("commit_process_time", Time, Basic, UNUSED),
    ("dbinittime", Time, Basic, |s| &s.db_init_time),
    ("inflight_diff_count", Number, Basic, |s| &s.quorum.inflight_diffs),
    ("netty_queued_buffer_capacity", Number, Basic, UNUSED),
    ("election_time", Time, Basic, |s| &s.quorum.election_time),
    ("commit_commit_proc_req_queued", Number, Basic, UNUSED),
    ("sync_processor_batch_size", Number, Basic, |s| &s.batch_size),
    ("node_children_watch_count", Number, Basic, |s| &s.node_children_watchers),
    ("write_batch_time_in_commit_processor", Time, Basic, UNUSED),
    ("read_commit_proc_issued", Number, Basic, UNUSED),
    ("concurrent_request_processing_in_commit_processor", Number, Basic, UNUSED),
    ("observer_sync_time", Time, Basic, |s| &s.quorum.observer_sync_time),
    ("node_changed_watch_count", Number, Basic, |s| &s.node_changed_watchers),
    ("sync_process_time", Time, Basic, UNUSED),
    ("startup_snap_load_time", Time, Basic, UNUSED),
    ("prep_processor_queue_time_ms", Time, Advanced, UNUSED),
    ("jvm_pause_time_ms", Time, Advanced, UNUSED),
    ("close_session_prep_time", Time, Advanced, UNUSED),
    ("read_commitproc_time_ms", Time, Advanced, UNUSED),
    ("updatelatency", Time, Advanced, |s| &s.update_latency),
    ("local_write_committed_time_ms", Time, Advanced, |s| &s.local_write_committed),
    ("request_throttle_queue_time_ms", Time, Advanced, UNUSED),
    ("readlatency", Time, Advanced, |s| &s.read_latency),
    ("quorum_ack_latency", Time, Advanced, |s| &s.quorum.quorum_ack_latency),
    ("om_commit_process_time_ms", Time, Advanced, UNUSED),
    ("read_final_proc_time_ms", Time, Advanced, UNUSED),
    ("commit_propagation_latency", Time, Advanced, |s| &s.quorum.commit_propagation_latency),
    ("dead_watchers_cleaner_latency", Time, Advanced, UNUSED),
    ("write_final_proc_time_ms", Time, Advanced, UNUSED),
    ("proposal_ack_creation_latency", Time, Advanced, |s| &s.quorum.proposal_ack_latency),
    ("proposal_latency", Time, Advanced, |s| &s.quorum.proposal_latency),
    ("om_proposal_process_time_ms", Time, Advanced, UNUSED),
    ("sync_processor_queue_and_flush_time_ms", Time, Advanced, UNUSED),
    ("propagation_latency", Time, Advanced, |s| &s.propagation_latency),
    ("server_write_committed_time_ms", Time, Advanced, UNUSED),
    ("sync_processor_queue_time_ms", Time, Advanced, UNUSED),
    ("sync_processor_queue_flush_time_ms", Time, Advanced, |s| &s.fsync_time),
    ("write_commitproc_time_ms", Time, Advanced, UNUSED),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Names that `mntr` of 3.9.5 tells for something that only some servers have.
    fn of_some_servers(name: &str) -> bool {
        name.ends_with("_per_namespace") || name.contains("learner_handler_qp")
    }

    #[test]
    fn every_name_of_the_reference_is_told() {
        let (gauges, stats) = (Gauges::default(), ServerStats::default());
        let sources = Sources { version: "v", gauges: &gauges, stats: &stats, quorum: None, descriptors: (1, 2) };
        let mut told: BTreeSet<String> = sources.values().iter().map(|(name, _)| format!("zk_{name}")).collect();
        told.extend(sources.summaries().map(|summary| format!("zk_{}", summary.name)));
        let table = include_str!("../../../reference/zookeeper-mntr-metrics.tsv");
        for line in table.lines().skip(1) {
            let (name, parts) = line.split_once('\t').expect("two columns");
            if of_some_servers(name) {
                continue;
            }
            // The table has avg_latency, max_file_descriptor_count and the like as parts of one name.
            if told.contains(name) {
                continue;
            }
            for part in parts.split(',') {
                let full = format!("zk_{part}_{}", &name[3..]);
                assert!(told.contains(&full), "{full} is missing");
            }
        }
    }

    #[test]
    fn summaries_have_the_parts_of_the_reference() {
        let table = include_str!("../../../reference/zookeeper-mntr-metrics.tsv");
        for (name, _, detail, _) in SUMMARIES {
            let row = table.lines().find(|line| line.split('\t').next() == Some(&format!("zk_{name}")));
            // Names that only 3.9.5 has.
            let Some(row) = row else { continue };
            assert_eq!(row.ends_with("p999"), detail == Advanced, "{row}");
        }
    }
}
