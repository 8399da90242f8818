//! State machines over compacted internal topics: a request becomes records and a response; replaying a record alone changes
//! what is stored.
//!
//! - [`runtime`]: one shard for each partition led here of an internal topic; loads it, runs requests against it, appends
//!   their records, and lets answers go when the records are replicated.
//! - [`group`]: the group coordinator's shard, over `__consumer_offsets`.
//!
//! The transaction coordinator becomes a shard over `__transaction_state` on the same runtime.

pub mod group;
pub mod internal_topics;
pub mod log;
pub mod replica_log;
pub mod runtime;
pub mod shard;
pub mod timers;
