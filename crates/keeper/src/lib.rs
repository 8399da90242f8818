//! The coordination service: jute, the tree, watches, sessions, its log and snapshots, and Zab.
//!
//! Never opens a socket, starts a thread or reads a clock; bytes reach the disk through [`ottla_base::disk::Disk`].

pub mod acl;
pub mod auth;
mod compression;
pub mod config;
mod connection;
pub mod data_tree;
pub mod database;
pub mod digest;
pub mod ensemble;
pub mod ephemeral_type;
pub mod formatter;
pub mod fuzz;
pub mod json;
pub mod jute;
pub mod keeper_server;
pub mod metrics;
pub mod multi;
pub mod namespaces;
pub mod ops;
pub mod path;
mod pending;
pub mod proto;
pub mod quorum_status;
pub mod quota;
mod reads;
pub mod request_processor;
pub mod session_tracker;
pub mod sha1;
pub mod snapshot;
pub mod stats;
pub mod storage;
pub mod txn;
pub mod txn_batch;
pub mod txn_log;
pub mod watch_manager;
pub mod zab;
