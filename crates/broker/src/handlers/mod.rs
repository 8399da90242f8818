//! One file per API: what it serves, which versions, and how it deviates.

pub mod api_versions;
pub mod authorized_operations;
pub mod describe_cluster;
pub mod describe_topic_partitions;
pub mod fetch;
pub mod leader_and_isr;
pub mod leader_hints;
pub mod metadata;
pub mod produce;
pub mod stop_replica;
pub mod update_metadata;
