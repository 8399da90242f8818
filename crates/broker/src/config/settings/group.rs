//! Settings of groups and their offsets.

use super::settings;

settings! {
    - "group.coordinator.append.linger.ms" Int "-1" [Min(-1)] ReadOnly "How long a coordinator's write waits for others to join it; -1 adapts to the load.";
    - "group.coordinator.background.threads" Int "2" [Min(1)] ReadOnly "The group coordinator; as in Kafka.";
    - "group.coordinator.cached.buffer.max.bytes" Int "1048588" [Min(524288)] ClusterWide "The group coordinator; as in Kafka.";
    - "group.coordinator.new.enable" Boolean "false" [Any] ReadOnly "The group coordinator; as in Kafka.";
    - "group.coordinator.rebalance.protocols" List "classic,consumer,streams" [ListOf(&["consumer", "classic", "share", "streams"])] ReadOnly "Group protocols that are served.";
    - "group.coordinator.threads" Int "4" [Min(1)] ReadOnly "Threads of the group coordinator.";
    + "group.initial.rebalance.delay.ms" Int "3000" [Any] ReadOnly "How long the first rebalance of an empty group waits for more members.";
    + "group.max.session.timeout.ms" Int "1800000" [Any] ReadOnly "Longest session timeout that a member may ask for.";
    + "group.max.size" Int "2147483647" [Min(1)] ReadOnly "Most members of a classic group.";
    + "group.min.session.timeout.ms" Int "6000" [Any] ReadOnly "Shortest session timeout that a member may ask for.";
    + "offset.metadata.max.bytes" Int "4096" [Any] ReadOnly "Longest metadata text beside a committed offset.";
    - "offsets.commit.required.acks" Short "-1" [Any] ReadOnly "Retired: acks for a commit of offsets; always -1.";
    + "offsets.commit.timeout.ms" Int "5000" [Min(1)] ReadOnly "How long a commit of offsets waits for its replicas.";
    + "offsets.load.buffer.size" Int "5242880" [Min(1)] ReadOnly "Bytes read at once when offsets are loaded.";
    + "offsets.retention.check.interval.ms" Long "600000" [Min(1)] ReadOnly "Time between looks for expired offsets.";
    + "offsets.retention.minutes" Int "10080" [Min(1)] ReadOnly "How long offsets outlive their group's last member.";
    + "offsets.topic.compression.codec" Int "0" [Any] ReadOnly "Codec of the offsets topic's batches, by its number.";
    + "offsets.topic.num.partitions" Int "50" [Min(1)] ReadOnly "Partitions of the offsets topic.";
    + "offsets.topic.replication.factor" Short "3" [Min(1)] ReadOnly "Replicas of the offsets topic; fewer while fewer brokers are alive.";
    + "offsets.topic.segment.bytes" Int "104857600" [Min(1)] ReadOnly "Segment size of the offsets topic.";
}
