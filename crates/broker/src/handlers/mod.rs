//! One file per API: what it serves, which versions, and how it deviates.

pub mod alter_configs;
pub mod api_versions;
pub mod authorized_operations;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_records;
pub mod delete_topics;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_log_dirs;
pub mod describe_producers;
pub mod describe_topic_partitions;
pub mod fetch;
mod forward;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod leader_and_isr;
pub mod leader_hints;
pub mod list_config_resources;
pub mod list_offsets;
pub mod metadata;
pub mod offset_for_leader_epoch;
pub mod produce;
pub mod stop_replica;
pub mod update_metadata;
