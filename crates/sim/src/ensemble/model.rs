//! What was committed, in its order: the one truth that servers and clients are compared with.
//!
//! A transaction comes in once, when the first server has applied it. It must be possible after those before it (a created
//! node was not there, a version goes up by one, …), so that a decision that was wrong shows here. What each zxid made of
//! each node is kept: an answer names the zxid at which it is true.

use std::collections::{BTreeMap, BTreeSet};

use ottla_keeper::database::Database;
use ottla_keeper::jute::Reader;
use ottla_keeper::proto::{CONFIG_NODE, EventType, OpCode};
use ottla_keeper::txn::{SetDataTxn, Txn, TxnEntry};
use ottla_keeper::zab::QuorumVerifier;

use super::Check;

/// A node at some zxid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Znode {
    pub data: Vec<u8>,
    pub version: i32,
    pub czxid: i64,
    pub mzxid: i64,
    /// The session of an ephemeral node.
    pub owner: i64,
}

/// The whole state after a transaction, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    pub digest: i64,
    pub sessions: u64,
}

impl Point {
    /// Of a server's state, or of the model's.
    #[must_use]
    pub fn of(db: &Database) -> Self {
        let mix =
            |sum: u64, (&id, &timeout): (&i64, &i32)| (sum ^ id as u64 ^ timeout as u64).wrapping_mul(0x100_0000_01b3);
        Self { digest: db.tree().digest(), sessions: db.sessions().iter().fold(0, mix) }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Model {
    pub db: Database,
    /// By zxid; 0 is the state of an empty server.
    points: BTreeMap<i64, Point>,
    znodes: BTreeMap<String, Vec<(i64, Option<Znode>)>>,
    changes: BTreeMap<String, Vec<(i64, EventType)>>,
    children: BTreeMap<String, Vec<(i64, String, bool)>>,
    requests: BTreeMap<(i64, i32), i64>,
    sessions: BTreeSet<i64>,
    closed: BTreeMap<i64, i64>,
    /// By the zxid that changed them.
    members: BTreeMap<i64, String>,
}

impl Default for Model {
    fn default() -> Self {
        let db = Database::new(true);
        let points = BTreeMap::from([(0, Point::of(&db))]);
        Self {
            db,
            points,
            znodes: BTreeMap::new(),
            changes: BTreeMap::new(),
            children: BTreeMap::new(),
            requests: BTreeMap::new(),
            sessions: BTreeSet::new(),
            closed: BTreeMap::new(),
            members: BTreeMap::new(),
        }
    }
}

impl Model {
    /// The last committed zxid.
    #[must_use]
    pub fn last(&self) -> i64 {
        self.points.keys().next_back().copied().unwrap_or(0)
    }

    /// The state after `zxid`; `None` when nothing of that number was committed.
    #[must_use]
    pub fn point(&self, zxid: i64) -> Option<Point> {
        self.points.get(&zxid).copied()
    }

    /// Transactions so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.points.len() - 1
    }

    /// Nothing was committed yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A transaction is committed.
    pub fn commit(&mut self, zxid: i64, bytes: &[u8]) -> Check {
        let entry = TxnEntry::decode(bytes).map_err(|e| format!("transaction {zxid:#x} can't be read: {e}"))?;
        let (session, cxid) = (entry.header.client_id, entry.header.cxid);
        if entry.header.zxid != zxid || zxid <= self.last() {
            return Err(format!(
                "transaction {:#x} was committed as {zxid:#x} after {:#x}",
                entry.header.zxid,
                self.last()
            ));
        }
        let harmless = has_failed(&entry.txn) || matches!(entry.txn, Txn::CloseSession(_));
        if self.closed.contains_key(&session) && !harmless {
            return Err(format!("{:?} at {zxid:#x} is of the closed session {session:#x}", entry.txn));
        }
        if cxid > 0 && self.requests.insert((session, cxid), zxid).is_some() {
            return Err(format!("request {cxid} of session {session:#x} was committed again at {zxid:#x}"));
        }
        let applied = match &entry.txn {
            Txn::SetData(set) if entry.header.txn_type == OpCode::Reconfig.code() => self.reconfigure(zxid, set),
            txn => self.apply(zxid, session, txn),
        };
        applied.map_err(|why| format!("{zxid:#x} {:?}: {why}", entry.txn))?;
        self.db.apply(&entry, &mut ());
        if self.db.digest_mismatches() > 0 {
            return Err(format!("the digest of {zxid:#x} is not that of the tree: {:?}", entry.txn));
        }
        self.points.insert(zxid, Point::of(&self.db));
        Ok(())
    }

    fn apply(&mut self, zxid: i64, session: i64, txn: &Txn<'_>) -> Check {
        match txn {
            Txn::Create(create) | Txn::Create2(create) => {
                let owner = if create.ephemeral { session } else { 0 };
                self.create(zxid, create.path, create.data.unwrap_or(&[]), owner)
            }
            Txn::Delete(delete) => self.delete(zxid, delete.path),
            Txn::SetData(set) => {
                let now = self.now(set.path).cloned().ok_or("sets what is not there")?;
                if set.version != now.version + 1 {
                    return Err(format!("follows version {}", now.version));
                }
                let data = set.data.unwrap_or(&[]).to_vec();
                self.put(zxid, set.path, Some(Znode { data, version: set.version, mzxid: zxid, ..now }));
                self.changed(zxid, set.path, EventType::NodeDataChanged);
                Ok(())
            }
            Txn::Check(_) => Ok(()),
            Txn::CreateSession(_) => {
                if self.sessions.insert(session) {
                    Ok(())
                } else {
                    Err(format!("session {session:#x} is not new"))
                }
            }
            Txn::CloseSession(txn) => {
                let owned: BTreeSet<String> = self.db.tree().ephemerals(session).map(str::to_owned).collect();
                if let Some(txn) = txn {
                    let listed: BTreeSet<String> = txn.paths.iter().map(|path| (*path).to_owned()).collect();
                    if listed != owned {
                        return Err(format!("the session's nodes are {owned:?}"));
                    }
                }
                self.closed.entry(session).or_insert(zxid);
                owned.iter().try_for_each(|path| self.delete(zxid, path))
            }
            failed if has_failed(failed) => Ok(()),
            Txn::Multi(multi) => {
                for part in &multi.txns {
                    let part = Txn::read(part.txn_type, &mut Reader::new(part.data.unwrap_or(&[])));
                    let part = part.map_err(|e| format!("a part can't be read: {e}"))?;
                    self.apply(zxid, session, &part)?;
                }
                Ok(())
            }
            Txn::Error(_) | Txn::SetAcl(_) | Txn::CreateContainer(_) | Txn::CreateTtl(_) => {
                Err("nobody asked for this".to_owned())
            }
        }
    }

    /// Other members, whose version is the number of the transaction.
    fn reconfigure(&mut self, zxid: i64, set: &SetDataTxn<'_>) -> Check {
        let text = String::from_utf8_lossy(set.data.unwrap_or(&[])).into_owned();
        let verifier = QuorumVerifier::parse(&text)?;
        if set.path != CONFIG_NODE || verifier.version != zxid || verifier.voters().is_empty() {
            return Err(format!("these can't be members from {zxid:#x} on"));
        }
        self.members.insert(zxid, text);
        Ok(())
    }

    /// The members that the transaction `zxid` made.
    #[must_use]
    pub fn members(&self, zxid: i64) -> Option<&str> {
        self.members.get(&zxid).map(String::as_str)
    }

    /// Those that were committed last.
    #[must_use]
    pub fn last_members(&self) -> Option<&str> {
        self.members.values().next_back().map(String::as_str)
    }

    fn create(&mut self, zxid: i64, path: &str, data: &[u8], owner: i64) -> Check {
        if self.now(path).is_some() {
            return Err("creates what is there".to_owned());
        }
        let parent = parent_of(path);
        match self.now(parent) {
            _ if parent == "/" => {}
            None => return Err("there is no parent".to_owned()),
            Some(node) if node.owner != 0 => return Err("the parent is ephemeral".to_owned()),
            Some(_) => {}
        }
        if owner != 0 && self.closed.contains_key(&owner) {
            return Err("the session has ended".to_owned());
        }
        let znode = Znode { data: data.to_vec(), version: 0, czxid: zxid, mzxid: zxid, owner };
        self.put(zxid, path, Some(znode));
        self.changed(zxid, path, EventType::NodeCreated);
        self.child(zxid, path, true);
        Ok(())
    }

    fn delete(&mut self, zxid: i64, path: &str) -> Check {
        if self.now(path).is_none() {
            return Err(format!("deletes {path}, which is not there"));
        }
        if !self.children_at(path, zxid).is_empty() {
            return Err(format!("deletes {path}, which has children"));
        }
        self.put(zxid, path, None);
        self.changed(zxid, path, EventType::NodeDeleted);
        self.child(zxid, path, false);
        Ok(())
    }

    fn put(&mut self, zxid: i64, path: &str, znode: Option<Znode>) {
        match self.znodes.get_mut(path) {
            Some(history) => history.push((zxid, znode)),
            None => drop(self.znodes.insert(path.to_owned(), vec![(zxid, znode)])),
        }
    }

    fn changed(&mut self, zxid: i64, path: &str, kind: EventType) {
        match self.changes.get_mut(path) {
            Some(history) => history.push((zxid, kind)),
            None => drop(self.changes.insert(path.to_owned(), vec![(zxid, kind)])),
        }
    }

    fn child(&mut self, zxid: i64, path: &str, added: bool) {
        let parent = parent_of(path);
        let name = path.rsplit('/').next().unwrap_or("").to_owned();
        self.children.entry(parent.to_owned()).or_default().push((zxid, name, added));
        self.changed(zxid, parent, EventType::NodeChildrenChanged);
    }

    fn now(&self, path: &str) -> Option<&Znode> {
        self.znodes.get(path)?.last()?.1.as_ref()
    }

    /// The node after all transactions up to `zxid`.
    #[must_use]
    pub fn at(&self, path: &str, zxid: i64) -> Option<&Znode> {
        let history = self.znodes.get(path)?;
        let count = history.partition_point(|(at, _)| *at <= zxid);
        history[..count].last()?.1.as_ref()
    }

    /// The names of its children after all transactions up to `zxid`.
    #[must_use]
    pub fn children_at(&self, path: &str, zxid: i64) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        for (at, name, added) in self.children.get(path).map_or(&[][..], Vec::as_slice) {
            if *at > zxid {
                break;
            }
            if *added {
                names.insert(name.as_str());
            } else {
                names.remove(name.as_str());
            }
        }
        names
    }

    /// What happened to a node in transactions after `after`, up to `until`, as watches tell it.
    pub fn changes(&self, path: &str, after: i64, until: i64) -> impl Iterator<Item = (i64, EventType)> + use<'_> {
        let history = self.changes.get(path).map_or(&[][..], Vec::as_slice);
        let from = history.partition_point(|(at, _)| *at <= after);
        history[from..].iter().copied().take_while(move |(at, _)| *at <= until)
    }

    /// The tree that the same transactions made in production code has the same nodes.
    pub fn verify(&self) -> Check {
        for path in self.znodes.keys() {
            let (mine, theirs) = (self.now(path), self.db.tree().get(path));
            let same = match (mine, &theirs) {
                (None, None) => true,
                (Some(mine), Some(theirs)) => {
                    let stat = theirs.stat();
                    mine.data == theirs.data().unwrap_or(&[])
                        && (mine.version, mine.czxid, mine.mzxid, mine.owner)
                            == (stat.version, stat.czxid, stat.mzxid, stat.ephemeral_owner)
                }
                _ => false,
            };
            if !same {
                let theirs = theirs.map(|node| node.stat());
                return Err(format!("{path} is {theirs:?}, expected {mine:?}"));
            }
        }
        Ok(())
    }

    /// Every node that was ever below a path.
    pub fn paths_below(&self, path: &str) -> impl Iterator<Item = String> + use<'_> {
        let prefix = format!("{path}/");
        self.changes
            .range(prefix.clone()..)
            .map(|(path, _)| path.clone())
            .take_while(move |path| path.starts_with(&prefix))
    }

    /// The transaction of a session's request.
    #[must_use]
    pub fn zxid_of(&self, session: i64, cxid: i32) -> Option<i64> {
        self.requests.get(&(session, cxid)).copied()
    }

    /// The session was committed and has not been closed.
    #[must_use]
    pub fn is_open(&self, session: i64) -> bool {
        self.sessions.contains(&session) && !self.closed.contains_key(&session)
    }

    /// It was, at some time.
    #[must_use]
    pub fn was_open(&self, session: i64) -> bool {
        self.sessions.contains(&session)
    }

    /// Sessions that were committed and not closed.
    pub fn open_sessions(&self) -> impl Iterator<Item = i64> + use<'_> {
        self.sessions.iter().copied().filter(|id| !self.closed.contains_key(id))
    }
}

/// It changes nothing. In a multi the parts before the one that failed are there as they would have been.
fn has_failed(txn: &Txn<'_>) -> bool {
    match txn {
        Txn::Error(_) => true,
        Txn::Multi(multi) => multi.txns.iter().any(|part| part.txn_type == OpCode::Error.code()),
        _ => false,
    }
}

/// The path of a node's parent.
#[must_use]
pub fn parent_of(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(at) => &path[..at],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_keeper::acl::{self, AclList};
    use ottla_keeper::jute::Jute;
    use ottla_keeper::proto::OPEN_ACL;
    use ottla_keeper::txn::{CreateSessionTxn, CreateTxn, DeleteTxn, TxnHeader};

    fn txn(zxid: i64, cxid: i32, op: OpCode, record: &impl for<'x> Jute<'x>) -> Vec<u8> {
        let mut bytes = TxnHeader { client_id: 7, cxid, zxid, time: 1, txn_type: op.code() }.to_bytes();
        record.write(&mut bytes);
        bytes
    }

    fn create(zxid: i64, path: &str) -> Vec<u8> {
        let list = acl::encode(&[OPEN_ACL]);
        let acl = AclList::from_encoded(&list);
        let record = CreateTxn { path, data: Some(b"d"), acl, ephemeral: false, parent_cversion: -1 };
        let mut bytes = TxnHeader { client_id: 7, cxid: 0, zxid, time: 1, txn_type: OpCode::Create.code() }.to_bytes();
        record.write(&mut bytes);
        bytes
    }

    fn set(zxid: i64, version: i32) -> Vec<u8> {
        let mut bytes = TxnHeader { client_id: 7, cxid: 0, zxid, time: 1, txn_type: OpCode::SetData.code() }.to_bytes();
        SetDataTxn { path: "/a", data: None, version }.write(&mut bytes);
        bytes
    }

    #[test]
    fn what_can_not_follow_is_refused() {
        let mut model = Model::default();
        model.commit(2, &create(2, "/a")).expect("good");
        assert!(model.commit(3, &create(3, "/a")).is_err(), "there already");
        assert!(model.commit(3, &create(3, "/b/c")).is_err(), "no parent");
        assert!(model.commit(3, &set(3, 2)).is_err(), "a version was left out");
        model.commit(3, &set(3, 1)).expect("good");
        assert!(model.commit(3, &set(3, 2)).is_err(), "the same zxid");
        assert!(model.commit(9, &set(4, 2)).is_err(), "another number");
        let mut bytes =
            TxnHeader { client_id: 7, cxid: 0, zxid: 4, time: 1, txn_type: OpCode::Delete.code() }.to_bytes();
        DeleteTxn { path: "/b" }.write(&mut bytes);
        assert!(model.commit(4, &bytes).is_err(), "not there");
    }

    #[test]
    fn a_request_and_a_session_are_there_once() {
        let mut model = Model::default();
        let session = CreateSessionTxn { timeout_ms: 4_000 };
        model.commit(1, &txn(1, 5, OpCode::CreateSession, &session)).expect("good");
        assert!(model.commit(2, &txn(2, 5, OpCode::CreateSession, &session)).is_err(), "the same request");
        assert!(model.commit(2, &txn(2, 6, OpCode::CreateSession, &session)).is_err(), "the same session");
    }

    #[test]
    fn every_zxid_is_remembered() {
        let mut model = Model::default();
        model.commit(2, &create(2, "/a")).expect("good");
        model.commit(3, &create(3, "/a/b")).expect("good");
        model.commit(4, &set(4, 1)).expect("good");
        assert_eq!(model.at("/a", 1), None);
        assert_eq!(model.at("/a", 3).map(|node| node.version), Some(0));
        assert_eq!(model.at("/a", 4).map(|node| node.version), Some(1));
        assert!(model.children_at("/a", 2).is_empty());
        assert!(model.children_at("/a", 9).contains("b"));
        let kinds: Vec<EventType> = model.changes("/a", 2, 9).map(|(_, kind)| kind).collect();
        assert_eq!(kinds, [EventType::NodeChildrenChanged, EventType::NodeDataChanged]);
    }
}
