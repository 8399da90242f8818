//! Whole keepers as an ensemble: production servers with their real files on simulated disks, a network that breaks, and
//! clients with sessions that move, in one thread, from one seed. See docs/simulation.md.
//!
//! | file | what |
//! |---|---|
//! | `world` | time, and what happens at which |
//! | `host`, `traffic` | what servers want done, and what arrives at them |
//! | `observe` | what is seen of servers with each step |
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
mod host;
pub mod linearizability;
pub mod model;
pub mod network;
mod observe;
pub mod plan;
mod server;
mod steps;
mod traffic;
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
