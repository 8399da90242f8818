//! The keeper's transactions, as they were decided: what a recovered tree must be made of.

use std::collections::VecDeque;

use ottla_keeper::data_tree::DataTree;
use ottla_keeper::database::Database;
use ottla_keeper::txn::TxnEntry;

use super::Check;

/// Transactions and the state they led to.
#[derive(Debug)]
pub struct History {
    /// The state after the last recovery.
    reference: Database,
    /// Decided since, in their order.
    decided: VecDeque<(i64, Vec<u8>)>,
    /// The last that was synced: all clients' knowledge is of these.
    pub synced: i64,
}

impl History {
    #[must_use]
    pub fn new(extended_types: bool) -> Self {
        Self { reference: Database::new(extended_types), decided: VecDeque::new(), synced: 0 }
    }

    pub fn decided(&mut self, txns: Vec<(i64, Vec<u8>)>) {
        self.decided.extend(txns);
    }

    /// Compares a recovered state with the history: nothing that was synced is missing, and nothing is there that was not
    /// decided.
    pub fn recovered(&mut self, database: &Database) -> Check {
        let last = database.last_zxid();
        if last < self.synced {
            return Err(format!("the keeper is back at zxid {last:#x}, {:#x} was synced", self.synced));
        }
        while let Some((zxid, txn)) = self.decided.front()
            && *zxid <= last
        {
            let entry = TxnEntry::decode(txn).map_err(|e| format!("the transaction {zxid:#x} can't be read: {e:?}"))?;
            self.reference.apply(&entry, &mut ());
            self.decided.pop_front();
        }
        if self.reference.last_zxid() != last {
            return Err(format!("the keeper is back at zxid {last:#x}, which was never decided"));
        }
        self.decided.clear();
        self.synced = last;
        if database.sessions() != self.reference.sessions() {
            let (there, expected) = (database.sessions(), self.reference.sessions());
            return Err(format!("the keeper's sessions are {there:?}, not {expected:?}"));
        }
        compare(database.tree(), self.reference.tree(), "/")?;
        if database.tree().digest() != self.reference.tree().digest() {
            return Err("the digest of the keeper's tree is not that of its history".to_owned());
        }
        check_owners(database)
    }
}

/// Every ephemeral belongs to a session that is there.
pub fn check_owners(database: &Database) -> Check {
    for owner in database.tree().sessions_with_ephemerals() {
        if !database.sessions().contains_key(&owner) {
            let paths: Vec<&str> = database.tree().ephemerals(owner).collect();
            return Err(format!("{paths:?} belong to session {owner:#x}, which is over"));
        }
    }
    Ok(())
}

fn compare(there: &DataTree, expected: &DataTree, path: &str) -> Check {
    let (Some(a), Some(b)) = (there.get(path), expected.get(path)) else {
        return Err(format!("{path} is missing in the tree or in its history"));
    };
    if a.data() != b.data() || a.stat() != b.stat() || a.acl() != b.acl() {
        return Err(format!("{path} is not as its history: {:?}, not {:?}", a.stat(), b.stat()));
    }
    let names = |tree: &DataTree| {
        let mut names: Vec<String> =
            tree.get(path).map_or_else(Vec::new, |node| node.children().map(str::to_owned).collect());
        names.sort_unstable();
        names
    };
    let (children, others) = (names(there), names(expected));
    if children != others {
        return Err(format!("the children of {path} are {children:?}, not {others:?}"));
    }
    for name in children {
        compare(there, expected, &format!("{}/{name}", path.trim_end_matches('/')))?;
    }
    Ok(())
}
