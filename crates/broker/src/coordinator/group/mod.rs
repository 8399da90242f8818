//! The group coordinator: members, generations and committed offsets of groups, kept in `__consumer_offsets`.
//!
//! A group's stored state is one record with its generation and its members' assignments, and one record per committed
//! offset. Everything else is soft and dies with the shard, as in Kafka: who waits for what, which members are pending, all
//! states but Empty and Stable. Soft state changes at once; its record is appended after, and what clients learn from it
//! waits for that append.
//!
//! Kafka's classes: `GroupMetadataManager`, `OffsetMetadataManager`, `ClassicGroup` of 3.9 and 4.x.

pub mod classic_group;
pub mod classic_member;
pub mod config;
pub mod consumer_protocol;
pub mod messages;
pub mod offset_store;
pub mod records;
pub mod service;
pub mod shard;

mod admin;
mod heartbeat;
mod join;
mod leave;
mod offset_commit;
mod offset_expiry;
mod rebalance;
mod sync;
#[cfg(test)]
mod tests;
