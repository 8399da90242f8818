//! Settings of logs.

use super::settings;

settings! {
    + "compression.gzip.level" Int "-1" [GzipLevel] ClusterWide "Level at which the broker recompresses to gzip; -1 is the codec's own default.";
    + "compression.lz4.level" Int "9" [Range(1, 17)] ClusterWide "Level at which the broker recompresses to lz4.";
    + "compression.type" String "producer" [OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"])] ClusterWide "Codec in which batches are stored; producer keeps each as it arrived.";
    + "compression.zstd.level" Int "3" [Range(-131072, 22)] ClusterWide "Level at which the broker recompresses to zstd.";
    + "log.cleaner.backoff.ms" Long "15000" [Min(0)] ClusterWide "How long the cleaner sleeps when nothing needs cleaning.";
    + "log.cleaner.dedupe.buffer.size" Long "134217728" [Any] ClusterWide "Memory for the map of keys of all cleanings, in bytes.";
    + "log.cleaner.delete.retention.ms" Long "86400000" [Min(0)] ClusterWide "Topic default of delete.retention.ms.";
    + "log.cleaner.enable" Boolean "true" [Any] ReadOnly "Compacts logs whose cleanup.policy says so.";
    + "log.cleaner.io.buffer.load.factor" Double "0.9" [Any] ClusterWide "How full the cleaner's map of keys may get.";
    - "log.cleaner.io.buffer.size" Int "524288" [Min(0)] ClusterWide "Memory for reading and writing of all cleanings, in bytes.";
    - "log.cleaner.io.max.bytes.per.second" Double "1.7976931348623157E308" [Any] ClusterWide "Most bytes that the cleaner reads and writes each second; it is not slowed down yet.";
    + "log.cleaner.max.compaction.lag.ms" Long "9223372036854775807" [Min(1)] ClusterWide "Topic default of max.compaction.lag.ms.";
    + "log.cleaner.min.cleanable.ratio" Double "0.5" [RangeF(0.0, 1.0)] ClusterWide "Topic default of min.cleanable.dirty.ratio.";
    + "log.cleaner.min.compaction.lag.ms" Long "0" [Min(0)] ClusterWide "Topic default of min.compaction.lag.ms.";
    - "log.cleaner.threads" Int "1" [Min(0)] ClusterWide "Threads that clean; one here, unless log.cleaner.enable is false.";
    + "log.cleanup.policy" List "delete" [ListOf(&["compact", "delete"])] ClusterWide "Topic default of cleanup.policy.";
    + "log.dir" List "/tmp/kafka-logs" [Any] ReadOnly "The log directory, when log.dirs is not set.";
    - "log.dir.failure.timeout.ms" Long "30000" [Min(1)] ReadOnly "KRaft only: a broker that cannot report a failed directory for this long stops.";
    + "log.dirs" List null [Any] ReadOnly "Directories that hold the logs, separated by commas.";
    + "log.flush.interval.messages" Long "9223372036854775807" [Min(1)] ClusterWide "Topic default of flush.messages.";
    + "log.flush.interval.ms" Long null [Any] ClusterWide "Topic default of flush.ms; unset follows log.flush.scheduler.interval.ms.";
    + "log.flush.offset.checkpoint.interval.ms" Int "60000" [Min(0)] ReadOnly "Time between writes of the recovery checkpoint.";
    + "log.flush.scheduler.interval.ms" Long "9223372036854775807" [Any] ReadOnly "Time between looks for logs that are due for a flush.";
    + "log.flush.start.offset.checkpoint.interval.ms" Int "60000" [Min(0)] ReadOnly "Time between writes of the log start checkpoint.";
    + "log.index.interval.bytes" Int "4096" [Min(0)] ClusterWide "Topic default of index.interval.bytes.";
    + "log.index.size.max.bytes" Int "10485760" [Min(4)] ClusterWide "Topic default of segment.index.bytes.";
    + "log.initial.task.delay.ms" Long "30000" [Min(0)] ReadOnly "Wait after the start before the background work on logs begins.";
    - "log.local.retention.bytes" Long "-2" [Min(-2)] ClusterWide "Topic default of local.retention.bytes.";
    - "log.local.retention.ms" Long "-2" [Min(-2)] ClusterWide "Topic default of local.retention.ms.";
    - "log.message.downconversion.enable" Boolean "true" [Any] ClusterWide "Retired: conversion of batches for consumers older than 0.11.";
    - "log.message.format.version" String "3.0-IV1" [Any] ReadOnly "Retired: the record format; always version 2 here.";
    + "log.message.timestamp.after.max.ms" Long "3600000" [Min(0)] ClusterWide "Topic default of message.timestamp.after.max.ms.";
    + "log.message.timestamp.before.max.ms" Long "9223372036854775807" [Min(0)] ClusterWide "Topic default of message.timestamp.before.max.ms.";
    + "log.message.timestamp.difference.max.ms" Long "9223372036854775807" [Min(0)] ClusterWide "Older form of the two bounds of timestamps.";
    + "log.message.timestamp.type" String "CreateTime" [OneOf(&["CreateTime", "LogAppendTime"])] ClusterWide "Topic default of message.timestamp.type.";
    + "log.preallocate" Boolean "false" [Any] ClusterWide "Topic default of preallocate.";
    + "log.retention.bytes" Long "-1" [Any] ClusterWide "Topic default of retention.bytes.";
    + "log.retention.check.interval.ms" Long "300000" [Min(1)] ReadOnly "Time between looks for segments that are due for deletion.";
    + "log.retention.hours" Int "168" [Any] ReadOnly "Topic default of retention.ms in hours, when minutes and milliseconds are not set.";
    + "log.retention.minutes" Int null [Any] ReadOnly "Topic default of retention.ms in minutes, when milliseconds are not set.";
    + "log.retention.ms" Long null [Any] ClusterWide "Topic default of retention.ms; unset follows minutes, then hours.";
    + "log.roll.hours" Int "168" [Min(1)] ReadOnly "Topic default of segment.ms in hours, when milliseconds are not set.";
    + "log.roll.jitter.hours" Int "0" [Min(0)] ReadOnly "Topic default of segment.jitter.ms in hours, when milliseconds are not set.";
    + "log.roll.jitter.ms" Long null [Any] ClusterWide "Topic default of segment.jitter.ms; unset follows hours.";
    + "log.roll.ms" Long null [Any] ClusterWide "Topic default of segment.ms; unset follows hours.";
    + "log.segment.bytes" Int "1073741824" [Min(14)] ClusterWide "Topic default of segment.bytes.";
    + "log.segment.delete.delay.ms" Long "60000" [Min(0)] ClusterWide "Topic default of file.delete.delay.ms.";
    + "message.max.bytes" Int "1048588" [Min(0)] ClusterWide "Topic default of max.message.bytes.";
    + "min.insync.replicas" Int "1" [Min(1)] ClusterWide "In-sync replicas that a write with acks=all needs.";
    + "num.recovery.threads.per.data.dir" Int "2" [Min(1)] ClusterWide "Threads that load and close logs, per log directory.";
    + "producer.id.expiration.check.interval.ms" Int "600000" [Min(1)] ReadOnly "Time between looks for idle producer ids.";
    + "producer.id.expiration.ms" Int "86400000" [Min(1)] ClusterWide "A producer id without a write for this long is forgotten.";
    + "unclean.leader.election.enable" Boolean "false" [Any] ClusterWide "Lets a replica outside the ISR lead when no other is left; loses records.";
}
