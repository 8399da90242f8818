//! What clients were told, and what follows from it: every answer is checked against these.

pub mod commits;
pub mod history;
pub mod partition;
pub mod topics;
pub mod znodes;

use crate::plan::FlushPolicy;
use commits::Commits;
use topics::Topics;

/// A broken promise: one line that says which.
pub type Check = Result<(), String>;

/// How a node died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// The machine lost power: only what was synced is there.
    Power,
    /// The process was killed: what was written is there.
    Process,
    /// It stopped in good order, whatever happened after.
    Clean,
}

/// What is known of the broker's data.
#[derive(Debug)]
pub struct Model {
    pub flush: FlushPolicy,
    pub topics: Topics,
    pub commits: Commits,
    /// Times that acknowledged data may have been lost.
    pub losses: u64,
    /// Deaths of the node.
    pub deaths: u64,
    next_value: u64,
}

impl Model {
    #[must_use]
    pub fn new(flush: FlushPolicy) -> Self {
        Self { flush, topics: Topics::default(), commits: Commits::default(), losses: 0, deaths: 0, next_value: 1 }
    }

    /// A number for a value that was never used.
    pub fn new_value(&mut self) -> u64 {
        self.next_value += 1;
        self.next_value
    }

    /// True when such a death may take acknowledged data along.
    #[must_use]
    pub fn may_lose(&self, death: Death) -> bool {
        self.flush == FlushPolicy::Default && death == Death::Power
    }
}
