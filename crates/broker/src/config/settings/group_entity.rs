//! Settings of single groups (KIP-848, KIP-932, KIP-1071). None has an effect yet: the protocols they belong to are not served.

use super::settings;

settings! {
    - "consumer.assignment.interval.ms" Int "1000" [Min(0)] ClusterWide "Consumer groups of the newer protocol; as in Kafka.";
    - "consumer.heartbeat.interval.ms" Int "5000" [Min(1)] ClusterWide "Consumer groups of the newer protocol; as in Kafka.";
    - "consumer.session.timeout.ms" Int "45000" [Min(1)] ClusterWide "Consumer groups of the newer protocol; as in Kafka.";
    - "share.assignment.interval.ms" Int "1000" [Min(0)] ClusterWide "Share groups; as in Kafka.";
    - "share.auto.offset.reset" String "latest" [Any] ClusterWide "Share groups; as in Kafka.";
    - "share.delivery.count.limit" Int "5" [Min(2)] ClusterWide "Share groups; as in Kafka.";
    - "share.heartbeat.interval.ms" Int "5000" [Min(1)] ClusterWide "Share groups; as in Kafka.";
    - "share.isolation.level" String "read_uncommitted" [OneOf(&["read_committed", "read_uncommitted"])] ClusterWide "Share groups; as in Kafka.";
    - "share.partition.max.record.locks" Int "2000" [Min(100)] ClusterWide "Share groups; as in Kafka.";
    - "share.record.lock.duration.ms" Int "30000" [Min(1000)] ClusterWide "Share groups; as in Kafka.";
    - "share.renew.acknowledge.enable" Boolean "true" [Any] ClusterWide "Share groups; as in Kafka.";
    - "share.session.timeout.ms" Int "45000" [Min(1)] ClusterWide "Share groups; as in Kafka.";
    - "streams.assignment.interval.ms" Int "1000" [Min(0)] ClusterWide "Streams groups; as in Kafka.";
    - "streams.heartbeat.interval.ms" Int "5000" [Min(1)] ClusterWide "Streams groups; as in Kafka.";
    - "streams.initial.rebalance.delay.ms" Int "3000" [Min(0)] ClusterWide "Streams groups; as in Kafka.";
    - "streams.num.standby.replicas" Int "0" [Min(0)] ClusterWide "Streams groups; as in Kafka.";
    - "streams.session.timeout.ms" Int "45000" [Min(1)] ClusterWide "Streams groups; as in Kafka.";
}
