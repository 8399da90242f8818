//! Settings of topics. Each overrides the broker's setting of the same meaning: see [`super::super::synonyms`].

use super::settings;

settings! {
    + "cleanup.policy" List "delete" [ListOf(&["compact", "delete"])] ClusterWide "Delete old segments, keep only the newest value of each key, or both; empty list keeps all.";
    + "compression.gzip.level" Int "-1" [GzipLevel] ClusterWide "Level when the broker itself recompresses to gzip.";
    + "compression.lz4.level" Int "9" [Range(1, 17)] ClusterWide "Level when the broker recompresses to lz4.";
    + "compression.type" String "producer" [OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"])] ClusterWide "Codec stored on disk; producer = keep the batch as it arrived.";
    + "compression.zstd.level" Int "3" [Range(-131072, 22)] ClusterWide "Level when the broker recompresses to zstd.";
    + "delete.retention.ms" Long "86400000" [Min(0)] ClusterWide "How long tombstones and transaction markers outlive compaction.";
    + "file.delete.delay.ms" Long "60000" [Min(0)] ClusterWide "Wait between renaming a segment to .deleted and unlinking it.";
    + "flush.messages" Long "9223372036854775807" [Min(1)] ClusterWide "Records between forced fsyncs.";
    + "flush.ms" Long "9223372036854775807" [Min(0)] ClusterWide "Time between forced fsyncs.";
    - "follower.replication.throttled.replicas" List "" [ThrottledReplicas] ClusterWide "Replicas under the follower replication quota.";
    + "index.interval.bytes" Int "4096" [Min(0)] ClusterWide "Bytes of log per sparse index entry.";
    + "internal.segment.bytes" Int null [Any] ClusterWide "Segment size without the lower bound, for tests.";
    - "leader.replication.throttled.replicas" List "" [ThrottledReplicas] ClusterWide "Replicas under the leader replication quota.";
    - "local.retention.bytes" Long "-2" [Min(-2)] ClusterWide "Bytes kept on local disk when tiered; -2 follows retention.bytes.";
    - "local.retention.ms" Long "-2" [Min(-2)] ClusterWide "Time kept on local disk when tiered; -2 follows retention.ms.";
    + "max.compaction.lag.ms" Long "9223372036854775807" [Min(1)] ClusterWide "A record must become eligible for compaction within this time.";
    + "max.message.bytes" Int "1048588" [Min(0)] ClusterWide "Largest record batch, after compression.";
    - "message.downconversion.enable" Boolean "true" [Any] ClusterWide "Convert to old record formats for old consumers (gone in 4.0).";
    - "message.format.version" String "3.0-IV1" [Any] ClusterWide "Record format on disk (gone in 4.0).";
    + "message.timestamp.after.max.ms" Long "3600000" [Min(0)] ClusterWide "How far in the future a client timestamp may lie.";
    + "message.timestamp.before.max.ms" Long "9223372036854775807" [Min(0)] ClusterWide "How far in the past a client timestamp may lie.";
    + "message.timestamp.difference.max.ms" Long "9223372036854775807" [Min(0)] ClusterWide "Older form of the two bounds above (gone in 4.0).";
    + "message.timestamp.type" String "CreateTime" [OneOf(&["CreateTime", "LogAppendTime"])] ClusterWide "Timestamp set by client or by broker at append.";
    + "min.cleanable.dirty.ratio" Double "0.5" [RangeF(0.0, 1.0)] ClusterWide "Share of uncompacted bytes that triggers the cleaner.";
    + "min.compaction.lag.ms" Long "0" [Min(0)] ClusterWide "A record stays uncompacted at least this long.";
    + "min.insync.replicas" Int "1" [Min(1)] ClusterWide "In-sync replicas an acks=all write needs.";
    + "preallocate" Boolean "false" [Any] ClusterWide "Allocate the segment file at full size.";
    - "remote.log.copy.disable" Boolean "false" [Any] ClusterWide "Topic turns read-only towards the remote tier.";
    - "remote.log.delete.on.disable" Boolean "false" [Any] ClusterWide "Drop remote data when tiering is turned off.";
    - "remote.storage.enable" Boolean "false" [Any] ClusterWide "Tier this topic.";
    + "retention.bytes" Long "-1" [Any] ClusterWide "Size limit of each partition.";
    + "retention.ms" Long "604800000" [Min(-1)] ClusterWide "Age limit of records.";
    + "segment.bytes" Int "1073741824" [Min(14)] ClusterWide "Segment roll size.";
    + "segment.index.bytes" Int "10485760" [Min(4)] ClusterWide "Size of the preallocated index files.";
    + "segment.jitter.ms" Long "0" [Min(0)] ClusterWide "Random part taken off segment.ms to spread rolls.";
    + "segment.ms" Long "604800000" [Min(1)] ClusterWide "Segment roll age.";
    + "unclean.leader.election.enable" Boolean "false" [Any] ClusterWide "Allow a leader from outside the ISR.";
}
