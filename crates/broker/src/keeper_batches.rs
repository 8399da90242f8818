//! Keeper operations of the control plane under way.
//!
//! Operations go out in batches, all at once; what follows runs when the last result of a batch is in. An operation whose
//! connection broke is sent again once there is a connection: what follows never sees [`KeeperError::ConnectionLoss`], but is
//! told that an operation was sent twice, so that its own earlier success is not taken for somebody else's.

use std::collections::BTreeMap;

use ottla_keeper::ops::{KeeperError, KeeperOp, KeeperResult};

use crate::control::{ControlOutput, Tag};

/// A finished batch.
#[derive(Debug)]
pub(crate) struct Finished<T> {
    /// One per operation, in their order.
    pub results: Vec<KeeperResult>,
    /// An operation was sent more than once: a write may have happened although its result says that it could not.
    pub retried: bool,
    pub then: T,
}

#[derive(Debug)]
struct Batch<T> {
    slots: Vec<(KeeperOp, Option<KeeperResult>)>,
    open: usize,
    retried: bool,
    then: T,
}

/// Every batch of this session.
#[derive(Debug)]
pub(crate) struct KeeperBatches<T> {
    next_tag: u64,
    next_batch: u64,
    batches: BTreeMap<u64, Batch<T>>,
    /// Which operation of which batch a tag is.
    tags: BTreeMap<Tag, (u64, usize)>,
    /// Operations that wait for a connection, in the order they were first sent.
    waiting: Vec<(u64, usize)>,
    connected: bool,
}

impl<T> Default for KeeperBatches<T> {
    fn default() -> Self {
        Self {
            next_tag: 0,
            next_batch: 0,
            batches: BTreeMap::new(),
            tags: BTreeMap::new(),
            waiting: Vec::new(),
            connected: false,
        }
    }
}

impl<T> KeeperBatches<T> {
    /// Sends the operations; `ops` may not be empty.
    pub fn submit(&mut self, ops: Vec<KeeperOp>, then: T, out: &mut Vec<ControlOutput>) {
        debug_assert!(!ops.is_empty(), "a batch without operations never ends");
        let id = self.next_batch;
        self.next_batch += 1;
        let open = ops.len();
        self.batches
            .insert(id, Batch { slots: ops.into_iter().map(|op| (op, None)).collect(), open, retried: false, then });
        for index in 0..open {
            self.send(id, index, out);
        }
    }

    fn send(&mut self, id: u64, index: usize, out: &mut Vec<ControlOutput>) {
        if !self.connected {
            self.waiting.push((id, index));
            return;
        }
        let tag = self.next_tag();
        let Some(batch) = self.batches.get(&id) else { return };
        self.tags.insert(tag, (id, index));
        out.push(ControlOutput::Keeper { tag, op: batch.slots[index].0.clone() });
    }

    /// A tag that names nothing else.
    pub fn next_tag(&mut self) -> Tag {
        self.next_tag += 1;
        Tag(self.next_tag)
    }

    /// Takes in a result; gives the batch when it was the last one. A tag of an earlier session is nothing.
    pub fn result(&mut self, tag: Tag, result: KeeperResult) -> Option<Finished<T>> {
        let (id, index) = self.tags.remove(&tag)?;
        let batch = self.batches.get_mut(&id)?;
        if result == Err(KeeperError::ConnectionLoss) {
            batch.retried = true;
            self.waiting.push((id, index));
            return None;
        }
        batch.slots[index].1 = Some(result);
        batch.open -= 1;
        if batch.open > 0 {
            return None;
        }
        let batch = self.batches.remove(&id)?;
        let results = batch.slots.into_iter().filter_map(|(_, result)| result).collect();
        Some(Finished { results, retried: batch.retried, then: batch.then })
    }

    /// There is a connection: what waits is sent.
    pub fn connected(&mut self, out: &mut Vec<ControlOutput>) {
        self.connected = true;
        for (id, index) in std::mem::take(&mut self.waiting) {
            self.send(id, index, out);
        }
    }

    pub fn disconnected(&mut self) {
        self.connected = false;
    }

    /// The session is over: gives what every batch was for. Tags go on counting, so late results name nothing.
    pub fn expired(&mut self) -> Vec<T> {
        self.connected = false;
        self.tags.clear();
        self.waiting.clear();
        std::mem::take(&mut self.batches).into_values().map(|batch| batch.then).collect()
    }
}
