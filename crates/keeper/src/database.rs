//! What transactions lead to: the tree, the sessions, and how far they have come (`ZKDatabase`). [`Database::apply`] is
//! the only way to change them, in recovery as in service.

use crate::data_tree::{ChangeSink, DataTree, TreeOptions};
use crate::digest::DIGEST_VERSION;
use crate::ephemeral_type::{CONTAINER_OWNER, ttl_owner};
use crate::path;
use crate::proto::{ErrorCode, OpCode, Stat};
use crate::txn::{CloseSessionTxn, CreateTxn, ErrorTxn, Txn, TxnDigest, TxnEntry, TxnHeader};
use std::collections::{BTreeMap, VecDeque};

/// Digests kept for `hash`: every 128th transaction, the last 1024 of them.
const DIGEST_LOG_INTERVAL: i64 = 128;
const DIGEST_LOG_LIMIT: usize = 1_024;

/// The digest of a tree at a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZxidDigest {
    pub zxid: i64,
    pub version: i32,
    pub digest: i64,
}

/// What became of a transaction, or of a part of a multi.
#[doc(alias = "ProcessTxnResult")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxnResult<'a> {
    pub txn_type: i32,
    pub err: i32,
    pub path: &'a str,
    /// Of the node after the change.
    pub stat: Stat,
    /// The parts of a multi.
    pub multi: Vec<TxnResult<'a>>,
}

/// Tree, sessions and position.
#[derive(Debug)]
pub struct Database {
    pub(crate) tree: DataTree,
    /// Timeouts of all sessions, in milliseconds.
    pub(crate) sessions: BTreeMap<i64, i32>,
    pub(crate) last_zxid: i64,
    /// Digest that a snapshot promised for a transaction still to come; until then the tree is not comparable.
    pub(crate) snapshot_digest: Option<ZxidDigest>,
    /// Transactions since the snapshot that this was read from.
    pub(crate) replayed_txns: u64,
    digest_log: VecDeque<ZxidDigest>,
    digest_mismatches: u64,
}

impl Database {
    /// The state of a new server.
    #[must_use]
    pub fn new(options: impl Into<TreeOptions>) -> Self {
        Self::with_tree(DataTree::new(options))
    }

    pub(crate) fn with_tree(tree: DataTree) -> Self {
        Self {
            tree,
            sessions: BTreeMap::new(),
            last_zxid: 0,
            snapshot_digest: None,
            replayed_txns: 0,
            digest_log: VecDeque::new(),
            digest_mismatches: 0,
        }
    }

    #[must_use]
    pub fn tree(&self) -> &DataTree {
        &self.tree
    }

    /// Session ids and timeouts (milliseconds), in order.
    #[must_use]
    pub fn sessions(&self) -> &BTreeMap<i64, i32> {
        &self.sessions
    }

    /// The last transaction applied.
    #[doc(alias = "lastProcessedZxid")]
    #[must_use]
    pub fn last_zxid(&self) -> i64 {
        self.last_zxid
    }

    /// The tree may be ahead of its number, by nobody knows how many transactions: it is not comparable before
    /// [`Self::trust_digests`].
    pub(crate) fn doubt_digests(&mut self) {
        self.snapshot_digest = Some(ZxidDigest { zxid: i64::MAX, version: DIGEST_VERSION, digest: 0 });
    }

    /// May the tree be ahead of its number?
    pub(crate) fn doubts_digests(&self) -> bool {
        self.snapshot_digest.as_ref().is_some_and(|digest| digest.zxid == i64::MAX)
    }

    /// All that the tree was ahead by has come.
    pub(crate) fn trust_digests(&mut self) {
        self.snapshot_digest = None;
    }

    /// How often a transaction's digest was not the tree's.
    #[must_use]
    pub fn digest_mismatches(&self) -> u64 {
        self.digest_mismatches
    }

    /// Digests of some of the last transactions.
    pub fn digest_log(&self) -> impl Iterator<Item = &ZxidDigest> {
        self.digest_log.iter()
    }

    /// Carries a transaction out. `sink` hears of the changes.
    #[doc(alias = "processTxn")]
    pub fn apply<'a>(&mut self, entry: &TxnEntry<'a>, sink: &mut dyn ChangeSink) -> TxnResult<'a> {
        let header = &entry.header;
        let result = self.apply_record(header, header.txn_type, &entry.txn, sink);
        match &entry.txn {
            Txn::CreateSession(txn) => drop(self.sessions.insert(header.client_id, txn.timeout_ms)),
            Txn::CloseSession(_) => drop(self.sessions.remove(&header.client_id)),
            _ => {}
        }
        self.last_zxid = self.last_zxid.max(header.zxid);
        self.check_digest(header.zxid, entry.digest);
        result
    }

    fn check_digest(&mut self, zxid: i64, expected: Option<TxnDigest>) {
        let actual = self.tree.digest();
        if let Some(promised) = self.snapshot_digest {
            if zxid >= promised.zxid {
                self.snapshot_digest = None;
                if zxid == promised.zxid && promised.version == DIGEST_VERSION && promised.digest != actual {
                    self.report_mismatch(zxid, promised.digest, actual);
                }
            }
            return;
        }
        if zxid % DIGEST_LOG_INTERVAL == 0 {
            if self.digest_log.len() == DIGEST_LOG_LIMIT {
                self.digest_log.pop_front();
            }
            self.digest_log.push_back(ZxidDigest { zxid, version: DIGEST_VERSION, digest: actual });
        }
        if let Some(expected) = expected
            && expected.version == DIGEST_VERSION
            && expected.tree_digest != actual
        {
            self.report_mismatch(zxid, expected.tree_digest, actual);
        }
    }

    pub(crate) fn report_mismatch(&mut self, zxid: i64, expected: i64, actual: i64) {
        self.digest_mismatches += 1;
        if self.digest_mismatches == 1 {
            tracing::error!(
                "digests differ first at zxid {zxid:#x}: expected {expected}, the tree has {actual}; compare this \
                 server's tree with the others'"
            );
        }
    }

    fn apply_record<'a>(
        &mut self,
        header: &TxnHeader,
        txn_type: i32,
        txn: &Txn<'a>,
        sink: &mut dyn ChangeSink,
    ) -> TxnResult<'a> {
        let (zxid, time) = (header.zxid, header.time);
        let mut result = TxnResult { txn_type, err: 0, path: "", stat: Stat::default(), multi: Vec::new() };
        let done = match txn {
            Txn::Create(t) | Txn::Create2(t) => {
                result.path = t.path;
                let owner = if t.ephemeral { header.client_id } else { 0 };
                self.tree.create_node(t.path, t.data, t.acl, owner, t.parent_cversion, zxid, time, sink)
            }
            Txn::CreateTtl(t) => {
                result.path = t.path;
                let owner = ttl_owner(t.ttl).unwrap_or(0);
                self.tree.create_node(t.path, t.data, t.acl, owner, t.parent_cversion, zxid, time, sink)
            }
            Txn::CreateContainer(t) => {
                result.path = t.path;
                self.tree.create_node(t.path, t.data, t.acl, CONTAINER_OWNER, t.parent_cversion, zxid, time, sink)
            }
            Txn::Delete(t) => {
                result.path = t.path;
                self.tree.delete_node(t.path, zxid, sink)
            }
            Txn::SetData(t) => {
                result.path = t.path;
                self.tree.set_data(t.path, t.data, t.version, zxid, time, sink)
            }
            Txn::SetAcl(t) => {
                result.path = t.path;
                self.tree.set_acl(t.path, t.acl, t.version)
            }
            Txn::Check(t) => {
                result.path = t.path;
                Ok(())
            }
            Txn::CreateSession(_) => Ok(()),
            Txn::CloseSession(t) => {
                self.kill_session(header.client_id, zxid, t.as_ref(), sink);
                Ok(())
            }
            Txn::Error(ErrorTxn { err }) => {
                result.err = *err;
                Ok(())
            }
            Txn::Multi(t) => {
                self.apply_multi(header, &t.txns, &mut result, sink);
                Ok(())
            }
        };
        if let Err(code) = done {
            result.err = code.code();
            if let (Txn::Create(CreateTxn { path, parent_cversion, .. }), ErrorCode::NodeExists) = (txn, code)
                && let Some((parent, _)) = path::split(path)
            {
                // The node came with a snapshot taken meanwhile, its parent perhaps before.
                self.tree.set_cversion_pzxid(parent, *parent_cversion, zxid);
            }
        } else if !matches!(txn, Txn::Create(_) | Txn::Delete(_) | Txn::Error(_))
            && let Some(node) = self.tree.get(result.path).filter(|_| !result.path.is_empty())
        {
            result.stat = node.stat();
        }
        result
    }

    /// A multi with an error in it changes nothing: the parts before the error are told as undone (0), those after it
    /// as not tried.
    fn apply_multi<'a>(
        &mut self,
        header: &TxnHeader,
        txns: &[crate::txn::SubTxn<'a>],
        result: &mut TxnResult<'a>,
        sink: &mut dyn ChangeSink,
    ) {
        let failed = txns.iter().any(|t| t.txn_type == OpCode::Error.code());
        let mut after_error = false;
        for sub in txns {
            let mut reader = crate::jute::Reader::new(sub.data.unwrap_or(&[]));
            let mut sub_type = sub.txn_type;
            let mut txn = match Txn::read(sub.txn_type, &mut reader) {
                Ok(txn) => txn,
                Err(_) => {
                    // The record was checked when it was logged; nothing sensible can follow.
                    result.err = ErrorCode::MarshallingError.code();
                    return;
                }
            };
            after_error |= sub_type == OpCode::Error.code();
            if failed && sub_type != OpCode::Error.code() {
                sub_type = OpCode::Error.code();
                let code = if after_error { ErrorCode::RuntimeInconsistency } else { ErrorCode::Ok };
                txn = Txn::Error(ErrorTxn { err: code.code() });
            }
            let part = self.apply_record(header, sub_type, &txn, sink);
            if result.err == 0 {
                result.err = part.err;
            }
            result.multi.push(part);
        }
    }

    /// Deletes the ephemeral nodes of a session: those that the transaction names, then what is left.
    fn kill_session(&mut self, session: i64, zxid: i64, txn: Option<&CloseSessionTxn<'_>>, sink: &mut dyn ChangeSink) {
        for path in txn.into_iter().flat_map(|txn| &txn.paths) {
            // Missing is fine: the log may tell of a deletion that the snapshot has already.
            let _ = self.tree.delete_node(path, zxid, sink);
        }
        let left: Vec<String> = self.tree.ephemerals(session).map(str::to_owned).collect();
        for path in left {
            let _ = self.tree.delete_node(&path, zxid, sink);
        }
    }

    /// Removes ephemeral nodes whose session is not known any more (after recovery, as ZooKeeper does).
    pub(crate) fn remove_orphans(&mut self) {
        for session in self.tree.sessions_with_ephemerals() {
            if !self.sessions.contains_key(&session) {
                tracing::warn!("session {session:#x} is gone, removing its ephemeral nodes");
                self.kill_session(session, self.last_zxid, None, &mut ());
            }
        }
    }
}
