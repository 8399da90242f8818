//! The effects: sockets, sendfile, threads, timers, the real disk, metrics.
//!
//! Everything below this crate is pure; here the clock is read, bytes move and threads run. Nothing here decides what an
//! answer says.

pub mod real_disk;
#[doc(hidden)]
pub mod scratch;
