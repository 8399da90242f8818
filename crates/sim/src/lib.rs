//! The simulator: production code on a simulated network, disk and clock, from one seed.
//!
//! One thread runs the broker, its control plane and its keeper on a disk that tears, loses unsynced bytes, fills up and
//! fails, crashes them between any two calls to it, and starts them again on what is left. Clients made from the seed
//! work all the while, and models of what they were told check every answer. What threads do in `server` is an *act*
//! here; the seed chooses which act is next.

pub mod clients;
pub mod ensemble;
pub mod fuzz;
pub mod keeper_link;
pub mod keeper_process;
mod keeper_wire;
pub mod model;
pub mod node;
pub mod plan;
pub mod runner;
pub mod trace;
mod verify;
pub mod world;
