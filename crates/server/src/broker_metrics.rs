//! What broker and keeper tell at a scrape.

use std::sync::Arc;

use ottla_base::ids::TopicPartition;
use ottla_broker::broker::Broker;
use ottla_keeper::metrics::{Detail, NamedSummary, Value};

use crate::keeper_host::KeeperHost;
use crate::keeper_operator::note_descriptors;
use crate::metrics::{Exposition, Kind, Source};

/// The broker's counters and the state of its logs.
pub(crate) struct BrokerSource(Arc<Broker>);

impl BrokerSource {
    pub(crate) fn new(broker: Arc<Broker>) -> Self {
        Self(broker)
    }
}

impl Source for BrokerSource {
    fn collect(&self, out: &mut Exposition) {
        let metrics = self.0.metrics();
        for (name, help, value) in [
            (
                "kafka_server_brokertopicmetrics_bytesin_total",
                "Bytes of record batches produced.",
                &metrics.produced_bytes,
            ),
            ("kafka_server_brokertopicmetrics_messagesin_total", "Records produced.", &metrics.produced_records),
            (
                "kafka_server_brokertopicmetrics_bytesout_total",
                "Bytes of record batches consumed.",
                &metrics.fetched_bytes,
            ),
            (
                "kafka_server_brokertopicmetrics_replicationbytesout_total",
                "Bytes of record batches sent to followers.",
                &metrics.replicated_bytes,
            ),
            (
                "kafka_server_brokertopicmetrics_failedproducerequests_total",
                "Partitions of produce requests that were refused.",
                &metrics.failed_produces,
            ),
            (
                "kafka_server_brokertopicmetrics_failedfetchrequests_total",
                "Partitions of fetch requests that were answered with an error.",
                &metrics.failed_fetches,
            ),
            (
                "kafka_server_delayedoperationpurgatory_expired_total",
                "Waiting requests whose time ran out.",
                &metrics.expired_requests,
            ),
        ] {
            out.sample(name, Kind::Counter, help, &[], value.get() as f64);
        }
        let waiting = self.0.purgatory().len() as f64;
        out.sample("kafka_server_delayedoperationpurgatory_size", Kind::Gauge, "Requests that wait.", &[], waiting);
        self.logs(out);
        self.groups(out);
    }
}

impl BrokerSource {
    fn logs(&self, out: &mut Exposition) {
        let logs = self.0.replicas.logs();
        let mut offline = 0;
        for dir in logs.dirs() {
            offline += u32::from(dir.is_offline());
        }
        let name = "kafka_log_logmanager_offlinelogdirectorycount";
        out.sample(name, Kind::Gauge, "Log directories that have failed.", &[], f64::from(offline));
        let all = logs.all_logs();
        out.sample("kafka_server_replicamanager_partitioncount", Kind::Gauge, "Replicas here.", &[], all.len() as f64);
        for (tp, log) in all {
            let (size, segments, start, end) = {
                let log = log.lock();
                (log.size(), log.segment_count(), log.log_start_offset(), log.log_end_offset())
            };
            let partition = tp.partition.to_string();
            let labels = [("topic", &*tp.topic), ("partition", partition.as_str())];
            let gauge = Kind::Gauge;
            out.sample("kafka_log_log_size", gauge, "Bytes of the log's segments.", &labels, size as f64);
            out.sample("kafka_log_log_numlogsegments", gauge, "Segments of the log.", &labels, segments as f64);
            out.sample("kafka_log_log_logstartoffset", gauge, "First offset of the log.", &labels, start as f64);
            out.sample("kafka_log_log_logendoffset", gauge, "Next offset of the log.", &labels, end as f64);
        }
    }
}

impl BrokerSource {
    /// What the groups coordinated here have committed, and how far that is behind.
    fn groups(&self, out: &mut Exposition) {
        let logs = self.0.replicas.logs();
        let mut committed = Vec::new();
        // Collected first: the coordinator's partition is locked during the visit.
        self.0.groups.committed_offsets(&mut |group, topic, partition, offset| {
            committed.push((group.to_owned(), TopicPartition::new(topic, partition), offset));
        });
        for (group, tp, offset) in committed {
            let partition = tp.partition.to_string();
            let labels = [("consumergroup", group.as_str()), ("topic", &*tp.topic), ("partition", partition.as_str())];
            let name = "kafka_consumergroup_current_offset";
            out.sample(name, Kind::Gauge, "Offset that the group has committed.", &labels, offset as f64);
            // Partitions that other brokers lead are known to those.
            if let Some(log) = logs.get_log(&tp) {
                let lag = log.lock().high_watermark().saturating_sub(offset).max(0);
                out.sample("kafka_consumergroup_lag", Kind::Gauge, "Records behind the end.", &labels, lag as f64);
            }
        }
        for (state, count) in self.0.groups.group_states() {
            let name = "kafka_coordinator_group_groupmetadatamanager_numgroups";
            let state = state.name();
            out.sample(name, Kind::Gauge, "Groups coordinated here.", &[("state", state)], count as f64);
        }
    }
}

/// The keeper in this process, by the names of ZooKeeper's own Prometheus metrics.
pub(crate) struct KeeperSource(Arc<KeeperHost>);

impl KeeperSource {
    pub(crate) fn new(host: Arc<KeeperHost>) -> Self {
        Self(host)
    }
}

impl Source for KeeperSource {
    fn collect(&self, out: &mut Exposition) {
        let now = self.0.now();
        note_descriptors(&self.0);
        self.0.with_server(|server| {
            let snapshots = server.stats().snapshots as f64;
            out.sample("snapshots_total", Kind::Counter, "Snapshots written.", &[], snapshots);
            server.metrics(now, |values, summaries| {
                for (name, value) in values {
                    let (kind, number) = match value {
                        Value::Text(_) => continue,
                        Value::Gauge(value) => (Kind::Gauge, *value as f64),
                        Value::Ratio(value) => (Kind::Gauge, *value),
                        Value::Counter(value) => (Kind::Counter, *value as f64),
                    };
                    out.sample(name, kind, HELP, &[], number);
                }
                for summary in summaries {
                    tell(summary, out);
                }
            });
        });
    }
}

/// ZooKeeper says no more of them in its own exposition.
const HELP: &str = "As mntr tells it.";

fn tell(named: &NamedSummary<'_>, out: &mut Exposition) {
    let told = |value: u64| named.told(value) as f64;
    let median = ("0.5", told(named.summary.quantile(0.5)));
    let (count, sum) = (named.summary.count as f64, told(named.summary.total));
    match named.detail {
        Detail::Basic => {
            let key = named.key.map(|key| ("key", key));
            out.summary(named.name, HELP, key.as_slice(), &[median], sum, count);
        }
        Detail::Advanced => {
            let at = |share| told(named.summary.quantile(share));
            out.summary(named.name, HELP, &[], &[median, ("0.9", at(0.9)), ("0.99", at(0.99))], sum, count);
        }
    }
}
