//! The broker: handlers, replicas, controller, coordinators, metadata and purgatory.
//!
//! Never touches a socket, a thread, a clock or a random source: `server` (or `sim`, in its place) hands in requests and
//! the time, and carries out what comes back.
//!
//! Two ways in:
//!
//! - [`broker::Broker::handle`]: a request frame becomes a [`reply::Reply`]. The data path is synchronous, from any number
//!   of network threads at once; one mutex per partition.
//! - [`control::ControlPlane::step`]: the broker's life in the cluster (registration, controller election, the controller
//!   itself, administration). One step machine, driven by one thread; the handlers reach it through
//!   [`control::ControlInbox`].

pub(crate) mod admin;
pub mod api;
pub mod broker;
pub mod config;
pub mod control;
pub mod control_plane;
pub(crate) mod controller;
pub mod coordinator;
pub mod fetch_plan;
pub mod fetch_session;
pub mod handlers;
pub(crate) mod keeper_batches;
pub(crate) mod lifecycle;
pub mod metadata_cache;
pub mod metrics;
pub mod partition;
pub(crate) mod producer_ids;
pub mod purgatory;
pub mod replica_manager;
pub mod reply;
pub mod request;
pub mod timer_wheel;
pub mod topic;
pub mod znodes;

#[cfg(test)]
mod control_tests;
