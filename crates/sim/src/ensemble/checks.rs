//! What holds of the servers at all times.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_keeper::txn::{Txn, TxnEntry};
use ottla_keeper::zab;
use ottla_keeper::zab::journal::{counter_of, epoch_of};

use super::Check;
use super::model::{Model, Point};

/// Leaders, proposals, and what was committed.
#[derive(Debug, Default)]
pub struct Checks {
    pub model: Model,
    /// Every transaction that any server was to log.
    proposed: BTreeMap<i64, Arc<[u8]>>,
    /// The server that leads an epoch, and the last transaction of the history with which it begins.
    leaders: BTreeMap<i64, (usize, i64)>,
    /// Sessions for which an end was proposed.
    pub closing: BTreeSet<i64>,
    /// Clients asked for these to be closed.
    pub asked_to_close: BTreeSet<i64>,
    /// Session ids that clients were given.
    given: BTreeSet<i64>,
    /// The latest zxid of a change that a client was told of, by epoch.
    told: BTreeMap<i64, i64>,
    /// The latest state that any client has read.
    pub read_until: i64,
    /// Members that servers went by, by version.
    configs: BTreeMap<i64, String>,
}

impl Checks {
    /// Epochs that had a leader.
    #[must_use]
    pub fn epochs(&self) -> usize {
        self.leaders.len()
    }

    /// The latest epoch that has a leader.
    #[must_use]
    pub fn latest_epoch(&self) -> i64 {
        self.leaders.keys().next_back().copied().unwrap_or(0)
    }

    /// A server is to log this. The first one to do so decided it: gives the session when it ends one by itself.
    pub fn proposed(&mut self, node: usize, txn: &zab::Txn) -> Result<Option<i64>, String> {
        if let Some(known) = self.proposed.get(&txn.zxid) {
            return if *known == txn.data {
                Ok(None)
            } else {
                Err(format!("there are two transactions {:#x}", txn.zxid))
            };
        }
        match self.leaders.get(&epoch_of(txn.zxid)) {
            Some((leader, _)) if *leader == node => {}
            leader => {
                return Err(format!("server {node} makes transaction {:#x}, but the leader is {leader:?}", txn.zxid));
            }
        }
        self.proposed.insert(txn.zxid, Arc::clone(&txn.data));
        let entry = TxnEntry::decode(&txn.data).map_err(|e| format!("proposal {:#x} can't be read: {e}", txn.zxid))?;
        let session = entry.header.client_id;
        let ends = matches!(entry.txn, Txn::CloseSession(_)) && self.closing.insert(session);
        Ok((ends && !self.asked_to_close.contains(&session)).then_some(session))
    }

    /// A leader begins to serve with a history that ends at `last`.
    pub fn leads(&mut self, node: usize, epoch: i64, last: i64) -> Check {
        let last = self.resolved(last);
        if let Some((other, _)) = self.leaders.insert(epoch, (node, last)) {
            return Err(format!("epoch {epoch} is led by {other} and by {node}"));
        }
        // One that is late, because a later epoch has begun, may serve what is old until it notices.
        if self.latest_epoch() == epoch && last < self.model.last() {
            return Err(format!(
                "leader {node} of epoch {epoch} ends at {last:#x}, but {:#x} is committed",
                self.model.last()
            ));
        }
        Ok(())
    }

    /// The zxid with which an epoch begins is no transaction, but the end of the history that its leader began with: a
    /// snapshot may have such a number.
    #[must_use]
    pub fn resolved(&self, zxid: i64) -> i64 {
        match self.leaders.get(&epoch_of(zxid)) {
            Some((_, last)) if counter_of(zxid) == 0 => *last,
            _ => zxid,
        }
    }

    /// A server that serves has applied everything up to `zxid`.
    pub fn applied(&mut self, node: usize, leads: bool, zxid: i64, point: Point) -> Check {
        let zxid = self.resolved(zxid);
        if zxid > self.model.last() {
            if !leads {
                return Err(format!("server {node} serves {zxid:#x}, which no leader has committed"));
            }
            self.commit_up_to(zxid)?;
        }
        match self.model.point(zxid) {
            None => Err(format!("server {node} is at {zxid:#x}, which was never committed")),
            Some(expected) if expected != point => {
                Err(format!("server {node} is at {zxid:#x} with {point:?}, which should be {expected:?}"))
            }
            Some(_) => Ok(()),
        }
    }

    /// A transaction's predecessor is the one before it in its epoch, or the end of the history with which its leader began.
    fn before(&self, zxid: i64) -> Result<i64, String> {
        match self.leaders.get(&epoch_of(zxid)) {
            _ if counter_of(zxid) > 1 => Ok(zxid - 1),
            Some((_, last)) => Ok(*last),
            None => Err(format!("transaction {zxid:#x} is of an epoch without a leader")),
        }
    }

    /// A server's log files are of one history: whoever reads them, a ZooKeeper too, may send them to others. What a
    /// snapshot has may be missing before it, when others had it on disk first; and of what is older than all `snapshots`
    /// that stay some may be left that was purged just before the power failed.
    pub fn is_one_history(&self, node: usize, snapshots: &[i64], zxids: &[i64]) -> Check {
        let oldest = snapshots.first().copied().unwrap_or(0);
        for pair in zxids.windows(2).filter(|pair| pair[1] > oldest) {
            let mut before = self.before(pair[1])?;
            let is_hole = before != pair[0];
            let is_covered = snapshots.iter().any(|&at| at < pair[1] && self.resolved(at) >= before);
            while before > pair[0] {
                before = self.before(before)?;
            }
            if before != pair[0] || is_hole && !is_covered {
                return Err(format!("the log of server {node} has {:#x} behind {:#x}", pair[1], pair[0]));
            }
        }
        Ok(())
    }

    /// The transactions between the last one that was committed and this one are committed.
    fn commit_up_to(&mut self, zxid: i64) -> Check {
        let (end, mut at, mut chain) = (self.model.last(), zxid, Vec::new());
        while at > end {
            chain.push(at);
            at = self.before(at)?;
        }
        if at != end {
            return Err(format!(
                "{zxid:#x} is committed with a history that has {at:#x}, but not {end:#x}, which was committed"
            ));
        }
        for zxid in chain.into_iter().rev() {
            let txn = self
                .proposed
                .get(&zxid)
                .cloned()
                .ok_or_else(|| format!("{zxid:#x} was committed, but never logged"))?;
            if let Some((epoch, (leader, last))) = self.leaders.range(epoch_of(zxid) + 1..).find(|(_, l)| l.1 < zxid) {
                return Err(format!(
                    "{zxid:#x} is committed, though leader {leader} began epoch {epoch} with a history up to {last:#x}"
                ));
            }
            self.model.commit(zxid, &txn)?;
        }
        Ok(())
    }

    /// A server goes by these members from now on.
    pub fn goes_by(&mut self, node: usize, version: i64, text: String) -> Check {
        if counter_of(version) != 0 && self.model.members(version) != Some(text.as_str()) {
            return Err(format!("server {node} goes by members that were not committed: {text}"));
        }
        match self.configs.get(&version) {
            Some(known) if *known != text => Err(format!("the members of {version:#x} are {known} and {text}")),
            _ => {
                self.configs.insert(version, text);
                Ok(())
            }
        }
    }

    /// The members that were committed last, if they were ever changed or numbered.
    #[must_use]
    pub fn last_members(&self) -> Option<&str> {
        let changed = self.model.last_members();
        changed.or_else(|| self.configs.values().next_back().map(String::as_str))
    }

    /// A client was given a new session.
    pub fn session_given(&mut self, id: i64) -> Check {
        if !self.model.was_open(id) {
            return Err(format!("session {id:#x} was given to a client, but not committed"));
        }
        if self.given.insert(id) { Ok(()) } else { Err(format!("session {id:#x} was given to two clients")) }
    }

    /// A client was told of a change.
    pub fn told(&mut self, zxid: i64) {
        let told = self.told.entry(epoch_of(zxid)).or_insert(zxid);
        *told = zxid.max(*told);
    }

    /// The latest change of this epoch or an earlier one that any client was told of.
    #[must_use]
    pub fn told_until(&self, epoch: i64) -> i64 {
        self.told.range(..=epoch).next_back().map_or(0, |(_, zxid)| *zxid)
    }
}
