//! A simulated server's disk.

use crate::zab::{Persist, Restored, Txn};
use std::collections::VecDeque;

/// What is on a server's disk, and on its way to it.
#[derive(Debug, Default)]
pub struct Disk {
    accepted_epoch: i64,
    current_epoch: i64,
    snapshot_zxid: i64,
    pub snapshot: Vec<Txn>,
    pub log: Vec<Txn>,
    pub unsynced: VecDeque<(u64, Write)>,
}

/// A write with everything that it needs.
#[derive(Debug)]
pub enum Write {
    Plain(Persist),
    Snapshot(i64, Vec<Txn>),
}

impl Disk {
    /// The write has reached the disk.
    pub fn apply(&mut self, write: Write) {
        match write {
            Write::Plain(Persist::AcceptedEpoch(epoch)) => self.accepted_epoch = epoch,
            Write::Plain(Persist::CurrentEpoch(epoch)) => self.current_epoch = epoch,
            Write::Plain(Persist::Append(txn)) => self.log.push(txn),
            Write::Plain(Persist::Truncate { zxid }) => {
                self.log.retain(|txn| txn.zxid <= zxid);
                if zxid == 0 {
                    (self.snapshot_zxid, self.snapshot) = (0, Vec::new());
                }
                assert!(self.snapshot_zxid <= zxid, "can't truncate a snapshot");
            }
            Write::Plain(Persist::Snapshot { .. }) => unreachable!("comes with its content"),
            Write::Snapshot(zxid, content) => {
                (self.snapshot_zxid, self.snapshot, self.log) = (zxid, content, Vec::new())
            }
        }
    }

    /// What a start finds.
    pub fn restored(&self, retained: usize) -> Restored {
        let last_zxid = self.log.last().map_or(self.snapshot_zxid, |txn| txn.zxid.max(self.snapshot_zxid));
        let tail = self.log[self.log.len().saturating_sub(retained)..].to_vec();
        Restored {
            accepted_epoch: self.accepted_epoch,
            current_epoch: self.current_epoch,
            last_zxid,
            floor: self.snapshot_zxid,
            tail,
        }
    }
}
