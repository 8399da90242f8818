//! What must always hold. Whatever any server delivers goes into one sequence; each failure names its seed.

use crate::zab::Txn;
use crate::zab::journal::epoch_of;
use std::collections::{BTreeMap, VecDeque};

pub struct Checks {
    seed: u64,
    /// Everything that was ever committed: every one of these may have been acknowledged to a client.
    pub committed: Vec<Txn>,
    /// The leader that established an epoch.
    leaders: BTreeMap<i64, usize>,
    /// How much of each server's state was compared with `committed`.
    compared: Vec<usize>,
    /// For each `sync` under way, how much was committed when it was asked for.
    syncs: Vec<VecDeque<usize>>,
    pub synced: usize,
}

impl Checks {
    pub fn new(seed: u64, servers: usize) -> Self {
        Self {
            seed,
            committed: Vec::new(),
            leaders: BTreeMap::new(),
            compared: vec![0; servers],
            syncs: vec![VecDeque::new(); servers],
            synced: 0,
        }
    }

    pub fn epochs(&self) -> usize {
        self.leaders.len()
    }

    /// A server's state is the beginning of the one sequence, or the sequence and more: that is committed then.
    fn compare(&mut self, node: usize, applied: &[Txn]) {
        for (index, txn) in applied.iter().enumerate().skip(self.compared[node]) {
            match self.committed.get(index) {
                Some(committed) => {
                    assert_eq!(committed, txn, "seed {}: server {node} has another history at {index}", self.seed);
                }
                None => {
                    let ordered = self.committed.last().is_none_or(|last| last.zxid < txn.zxid);
                    assert!(ordered, "seed {}: server {node} delivers {:#x} out of order", self.seed, txn.zxid);
                    self.committed.push(txn.clone());
                }
            }
        }
        self.compared[node] = applied.len();
    }

    pub fn delivered(&mut self, node: usize, applied: &[Txn]) {
        self.compare(node, applied);
    }

    /// The server begins to serve clients, as the leader of this epoch or as a learner.
    pub fn serving(&mut self, node: usize, leads: Option<i64>, applied: &[Txn]) {
        let seed = self.seed;
        if let Some(epoch) = leads {
            let first = *self.leaders.entry(epoch).or_insert(node);
            assert_eq!(first, node, "seed {seed}: epoch {epoch} has two leaders");
            // One that is late, because a later epoch has begun, may serve what is old until it notices; it can't commit.
            let latest = self.leaders.keys().next_back() == Some(&epoch);
            let complete = applied.len() >= self.committed.len();
            assert!(complete || !latest, "seed {seed}: leader {node} of epoch {epoch} lacks what was committed");
        } else {
            let known = applied.len() <= self.committed.len();
            assert!(known, "seed {seed}: learner {node} serves what was not committed");
        }
        self.compare(node, applied);
    }

    pub fn not_serving(&mut self, node: usize) {
        self.syncs[node].clear();
    }

    pub fn restarted(&mut self, node: usize) {
        self.compared[node] = 0;
        self.syncs[node].clear();
    }

    /// Only the first `kept` of what the server had applied are what they were.
    pub fn replaced(&mut self, node: usize, kept: usize) {
        self.compared[node] = self.compared[node].min(kept);
    }

    /// The leader answers a `sync` by itself, as ZooKeeper's does: one that a later epoch has replaced without its
    /// noticing knows nothing of that epoch.
    pub fn sync_asked(&mut self, node: usize, epoch: i64) {
        self.syncs[node].push_back(self.committed.partition_point(|txn| epoch_of(txn.zxid) <= epoch));
    }

    /// The leader makes sure that it leads, so this shows everything.
    pub fn confirmed_read_asked(&mut self, node: usize) {
        self.syncs[node].push_back(self.committed.len());
    }

    pub fn synced(&mut self, node: usize, applied: &[Txn]) {
        let seed = self.seed;
        let Some(expected) = self.syncs[node].pop_front() else {
            panic!("seed {seed}: server {node} was told of a sync that it did not ask for");
        };
        assert!(applied.len() >= expected, "seed {seed}: server {node} is behind after a sync");
        self.synced += 1;
    }
}
