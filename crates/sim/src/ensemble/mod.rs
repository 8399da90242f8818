//! Whole keepers as an ensemble: production servers with their real files on simulated disks, a network that breaks, and
//! clients with sessions that move, in one thread, from one seed. See docs/simulation.md.
//!
//! | file | what |
//! |---|---|
//! | `world` | time, events, what servers want done |
//! | `accidents` | what goes wrong, and how it ends |
//! | `clients` | what clients do, and when |
//! | `server`, `network`, `plan` | a machine; connections; what a seed draws |
//! | `client`, `steps`, `watches` | a client's session, and whether what it is told can be true |
//! | `checks`, `model` | leaders and proposals; what was committed, zxid by zxid |
//! | `history`, `linearizability` | the independent check of some znodes, which knows nothing of zxids |

mod accidents;
pub mod checks;
pub mod client;
mod clients;
pub mod history;
pub mod linearizability;
pub mod model;
pub mod network;
pub mod plan;
mod server;
mod steps;
pub mod watches;
pub mod world;

use crate::runner::Failure;
use crate::world::Summary;

/// A promise that was broken, in words.
pub type Check = Result<(), String>;

/// Runs one seed.
pub fn run_seed(seed: u64, trace: bool) -> Result<Summary, Failure> {
    world::World::new(seed, trace).run().map_err(|what| Failure { seed, what })
}
