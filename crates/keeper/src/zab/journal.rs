//! What a server knows of its own disk: the retained end of its log, its epochs, and what waits for a write.
//!
//! Writes are numbered by *tickets* and reach the disk in their order, so one number tells of everything before it:
//! group commit and lost writes need nothing else. A zxid would not do, as epochs and truncations are writes too.

use super::peer::AfterPersist;
use super::{Output, Persist, Txn};
use std::collections::VecDeque;

/// The epoch of a zxid.
#[must_use]
pub fn epoch_of(zxid: i64) -> i64 {
    (zxid >> 32) & 0xffff_ffff
}

/// The zxid at which an epoch begins.
#[doc(alias = "ZxidUtils.makeZxid")]
#[must_use]
pub fn first_zxid(epoch: i64) -> i64 {
    epoch << 32
}

/// The counter of a zxid; 0 is no transaction, but the beginning of an epoch.
#[must_use]
pub fn counter_of(zxid: i64) -> i64 {
    zxid & 0xffff_ffff
}

/// What a start found on the disk.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// `acceptedEpoch`: no leader of an earlier epoch is followed.
    pub accepted_epoch: i64,
    /// `currentEpoch`: the last leader whose history was taken over whole.
    pub current_epoch: i64,
    /// The last transaction of the log, or the zxid of the snapshot when that is later.
    pub last_zxid: i64,
    /// The earliest zxid that the log can be truncated to (that of the oldest snapshot which the logs continue).
    pub floor: i64,
    /// The end of the log, in order; the more there is, the fewer learners need a snapshot.
    pub tail: Vec<Txn>,
}

/// What happens once a write is on disk.
#[derive(Debug)]
struct Waiting {
    ticket: u64,
    then: AfterPersist,
}

/// The log and the epochs, as far as they matter to Zab.
#[derive(Debug)]
pub struct Journal {
    pub(super) accepted_epoch: i64,
    pub(super) current_epoch: i64,
    /// Consecutive transactions at the end of the log: first those delivered, then those that may become so.
    entries: VecDeque<Txn>,
    /// How many of `entries` are delivered.
    delivered_entries: usize,
    /// Applied up to here.
    delivered: i64,
    last_logged: i64,
    floor: i64,
    retained: usize,
    next_ticket: u64,
    waiting: VecDeque<Waiting>,
}

impl Journal {
    pub(super) fn new(restored: Restored, retained: usize) -> Self {
        let delivered_entries = restored.tail.len();
        Self {
            accepted_epoch: restored.accepted_epoch.max(restored.current_epoch),
            current_epoch: restored.current_epoch,
            entries: restored.tail.into(),
            delivered_entries,
            delivered: restored.last_zxid,
            last_logged: restored.last_zxid,
            floor: restored.floor,
            retained,
            next_ticket: 1,
            waiting: VecDeque::new(),
        }
    }

    /// The end of the history: what votes and ACKEPOCH tell. It includes what is not on disk yet, as every answer that
    /// rests on it waits for the writes before it.
    #[doc(alias = "getLastLoggedZxid")]
    #[must_use]
    pub fn last_zxid(&self) -> i64 {
        self.last_logged
    }

    /// Applied up to here.
    #[doc(alias = "getDataTreeLastProcessedZxid")]
    #[must_use]
    pub fn delivered_zxid(&self) -> i64 {
        self.delivered
    }

    /// `acceptedEpoch`, perhaps still on its way to the disk.
    #[must_use]
    pub fn accepted_epoch(&self) -> i64 {
        self.accepted_epoch
    }

    /// `currentEpoch`, perhaps still on its way to the disk.
    #[must_use]
    pub fn current_epoch(&self) -> i64 {
        self.current_epoch
    }

    pub(super) fn floor(&self) -> i64 {
        self.floor
    }

    /// Delivered entries that are retained.
    #[doc(alias = "getCommittedLog")]
    pub(super) fn committed_log(&self) -> impl Iterator<Item = &Txn> {
        self.entries.iter().take(self.delivered_entries)
    }

    /// Logged here, but not known to be committed.
    pub(super) fn outstanding(&self) -> impl Iterator<Item = &Txn> {
        self.entries.iter().skip(self.delivered_entries)
    }

    pub(super) fn first_outstanding(&self) -> Option<&Txn> {
        self.entries.get(self.delivered_entries)
    }

    fn persist(&mut self, what: Persist, out: &mut Vec<Output>) {
        out.push(Output::Persist { ticket: self.next_ticket, what });
        self.next_ticket += 1;
    }

    /// Does `then` when all writes up to now are on disk, at once when there are none.
    pub(super) fn after_writes(&mut self, then: AfterPersist) {
        self.waiting.push_back(Waiting { ticket: self.next_ticket - 1, then });
    }

    /// The first thing whose writes are on disk.
    pub(super) fn next_done(&mut self, persisted: u64) -> Option<AfterPersist> {
        let done = self.waiting.front().is_some_and(|waiting| waiting.ticket <= persisted);
        if done { self.waiting.pop_front().map(|waiting| waiting.then) } else { None }
    }

    pub(super) fn append(&mut self, txn: Txn, out: &mut Vec<Output>) {
        self.last_logged = txn.zxid;
        self.entries.push_back(txn.clone());
        self.persist(Persist::Append(txn), out);
    }

    pub(super) fn accept_epoch(&mut self, epoch: i64, out: &mut Vec<Output>) {
        self.accepted_epoch = epoch;
        self.persist(Persist::AcceptedEpoch(epoch), out);
    }

    pub(super) fn enter_epoch(&mut self, epoch: i64, out: &mut Vec<Output>) {
        self.current_epoch = epoch;
        self.persist(Persist::CurrentEpoch(epoch), out);
    }

    /// Forgets everything after `zxid`.
    pub(super) fn truncate(&mut self, zxid: i64, out: &mut Vec<Output>) {
        while self.entries.back().is_some_and(|txn| txn.zxid > zxid) {
            self.entries.pop_back();
        }
        self.delivered_entries = self.delivered_entries.min(self.entries.len());
        self.delivered = self.delivered.min(zxid);
        self.last_logged = zxid;
        self.floor = self.floor.min(zxid);
        self.persist(Persist::Truncate { zxid }, out);
    }

    /// The state of another server takes the place of everything.
    pub(super) fn install_snapshot(&mut self, zxid: i64, out: &mut Vec<Output>) {
        self.entries.clear();
        self.delivered_entries = 0;
        (self.delivered, self.last_logged, self.floor) = (zxid, zxid, zxid);
        self.persist(Persist::Snapshot { zxid }, out);
    }

    /// Delivers the next outstanding transaction.
    pub(super) fn deliver_next(&mut self, out: &mut Vec<Output>) -> Option<Txn> {
        let txn = self.entries.get(self.delivered_entries)?.clone();
        self.delivered = txn.zxid;
        out.push(Output::Deliver(txn.clone()));
        self.delivered_entries += 1;
        while self.delivered_entries > self.retained {
            self.entries.pop_front();
            self.delivered_entries -= 1;
        }
        Some(txn)
    }

    /// A new leader's epoch has begun: nothing is in it yet, but who has this has all before it.
    pub(super) fn begin_epoch(&mut self, zxid: i64) {
        self.delivered = self.delivered.max(zxid);
        self.last_logged = self.last_logged.max(zxid);
    }
}
