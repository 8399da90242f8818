//! The effects: sockets, sendfile, threads, timers, the real disk, metrics.
//!
//! Everything below this crate is pure; here the clock is read, bytes move and threads run. Nothing here decides what an
//! answer says.

mod background;
mod broker_link;
mod buffers;
pub mod clock;
pub mod connection;
mod control_driver;
mod frame_reader;
mod frame_writer;
mod gate;
pub mod http;
pub mod keeper_host;
pub mod listener;
pub mod logging;
pub mod metrics;
mod progress;
pub mod real_disk;
pub mod runtime;
#[doc(hidden)]
pub mod scratch;
pub mod socket_server;
mod transport;

pub use frame_reader::FrameError;
