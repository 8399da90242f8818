//! One file per API: what it serves, which versions, and how it deviates.

pub mod api_versions;
pub mod authorized_operations;
pub mod delete_records;
pub mod describe_cluster;
pub mod describe_log_dirs;
pub mod describe_producers;
pub mod describe_topic_partitions;
pub mod fetch;
pub mod leader_and_isr;
pub mod leader_hints;
pub mod list_offsets;
pub mod metadata;
pub mod offset_for_leader_epoch;
pub mod produce;
pub mod stop_replica;
pub mod update_metadata;
