//! What every other crate stands on: ids, checksums, varints, limits, the [`disk::Disk`] trait, time as an argument
//! and seeded randomness.
//!
//! Never does I/O, never reads a clock, never starts a thread.

pub mod checksum;
pub mod disk;
pub mod disk_suite;
pub mod hash;
pub mod ids;
pub mod limits;
pub mod random;
pub mod sim_disk;
pub mod time;
pub mod varint;
