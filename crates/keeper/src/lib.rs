//! The coordination service: jute, the tree, watches, sessions, its log and snapshots, and Zab.
//!
//! Never opens a socket, starts a thread or reads a clock; bytes reach the disk through [`ottla_base::disk::Disk`].

pub mod jute;
pub mod ops;
pub mod proto;
