//! The coordination service: jute, the tree, watches, sessions, its log and snapshots, and Zab.
//!
//! Never opens a socket, starts a thread or reads a clock; bytes reach the disk through [`ottla_base::disk::Disk`].

pub mod acl;
pub mod auth;
pub mod data_tree;
pub mod digest;
pub mod ephemeral_type;
pub mod jute;
pub mod path;
pub mod ops;
pub mod proto;
pub mod quota;
pub mod sha1;
pub mod txn;
pub mod database;
pub mod session_tracker;
pub mod watch_manager;
