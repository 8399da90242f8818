//! The effects: sockets, sendfile, threads, timers, the real disk, metrics.
//!
//! Everything below this crate is pure; here the clock is read, bytes move and threads run. Nothing here decides what an
//! answer says.

mod admin_server;
mod background;
mod broker_link;
mod broker_metrics;
mod buffers;
pub mod clock;
pub mod connection;
mod control_driver;
mod descriptors;
mod frame_reader;
mod frame_writer;
mod gate;
pub mod http;
pub mod keeper_config;
pub mod keeper_host;
pub mod keeper_node;
mod keeper_operator;
mod keeper_quorum;
mod late_reply;
pub mod listener;
mod log_tasks;
pub mod logging;
pub mod metrics;
pub mod node;
mod progress;
pub mod real_disk;
pub mod run;
pub mod runtime;
#[doc(hidden)]
pub mod scratch;
pub mod signals;
pub mod socket_server;
mod transport;

pub use frame_reader::FrameError;

/// A seed that nobody can guess from outside, for what only has to differ between runs.
pub(crate) fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}
