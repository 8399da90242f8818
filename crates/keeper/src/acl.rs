//! ACL lists in their encoded form, the table that gives each distinct list a number (`ReferenceCountedACLCache`), and
//! the decision whether somebody may do something.

use crate::auth;
use crate::jute::{Jute, JuteError, Reader};
use crate::proto::{Acl, OPEN_ACL};
use foldhash::fast::FixedState;
use ottla_base::hash::FixedMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An encoded vector of [`Acl`], borrowed: what transactions carry and the table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AclList<'a>(&'a [u8]);

impl<'a> AclList<'a> {
    /// Takes bytes that are an encoded list. Reading stops at the first flaw, so wrong bytes grant nothing.
    #[must_use]
    pub fn from_encoded(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    #[must_use]
    pub fn encoded(&self) -> &'a [u8] {
        self.0
    }

    /// The null list, which ZooKeeper reads as open to all.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.0 == [0xff; 4]
    }

    pub fn iter(&self) -> impl Iterator<Item = Acl<'a>> + use<'a> {
        let mut reader = Reader::new(self.0);
        let count = reader.vector_len().unwrap_or(0);
        (0..count).map_while(move |_| reader.record().ok())
    }
}

impl<'a> Jute<'a> for AclList<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, JuteError> {
        let all = reader.rest();
        for _ in 0..reader.vector_len()? {
            reader.record::<Acl<'a>>()?;
        }
        Ok(Self(&all[..all.len() - reader.rest().len()]))
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0);
    }
}

impl Default for AclList<'_> {
    fn default() -> Self {
        Self(&[0xff; 4])
    }
}

/// The encoding of a list.
#[must_use]
pub fn encode(acl: &[Acl<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    (acl.len() as i32).write(&mut out);
    acl.iter().for_each(|a| a.write(&mut out));
    out
}

/// Who a connection is: the schemes and ids that it has proved, in that order.
pub type AuthInfo = Vec<(String, String)>;

/// True when `ids` hold one of the permissions `perm` (bits) under `acl`; `super` may do everything, and an empty list
/// stops nobody (`ZooKeeperServer.checkACL`).
#[must_use]
pub fn allows(acl: AclList<'_>, perm: i32, ids: &[(String, String)]) -> bool {
    let mut empty = true;
    if ids.iter().any(|(scheme, _)| scheme == "super") {
        return true;
    }
    for a in acl.iter() {
        empty = false;
        if a.perms & perm == 0 {
            continue;
        }
        if a.id == OPEN_ACL.id {
            return true;
        }
        if ids.iter().any(|(scheme, id)| scheme == a.id.scheme && auth::matches(scheme, id, a.id.id)) {
            return true;
        }
    }
    empty
}

/// The number of an ACL list in the table, as nodes hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AclId(u32);

impl AclId {
    /// Open to all; written as -1.
    pub const OPEN: Self = Self(u32::MAX);

    /// As snapshots write it.
    #[must_use]
    pub fn to_long(self) -> i64 {
        if self == Self::OPEN { -1 } else { i64::from(self.0) }
    }

    /// From a snapshot; `None` for a number that no server of this age can have reached.
    #[must_use]
    pub fn from_long(id: i64) -> Option<Self> {
        match id {
            -1 => Some(Self::OPEN),
            0..0xffff_ffff => Some(Self(id as u32)),
            _ => None,
        }
    }
}

#[derive(Debug)]
struct Entry {
    list: Arc<[u8]>,
    nodes: u64,
}

/// Each distinct ACL list once, with a number and the count of nodes that have it.
#[doc(alias = "ReferenceCountedACLCache")]
#[derive(Debug)]
pub struct AclCache {
    by_id: BTreeMap<u32, Entry>,
    by_list: FixedMap<Arc<[u8]>, u32>,
    last_id: u32,
    open: Arc<[u8]>,
    /// What a node has whose number is not in the table: nobody may do anything. Only while a snapshot taken under
    /// load has not been brought up to date by its log.
    none: Arc<[u8]>,
}

impl Default for AclCache {
    fn default() -> Self {
        Self::with_hasher(FixedState::default())
    }
}

impl AclCache {
    /// Clients choose the lists; with a seed that they don't know they can't choose where those are kept.
    pub(crate) fn with_hasher(state: FixedState) -> Self {
        let nobody = Acl { perms: 0, ..OPEN_ACL };
        Self {
            by_id: BTreeMap::new(),
            by_list: FixedMap::with_hasher(state),
            last_id: 0,
            open: encode(&[OPEN_ACL]).into(),
            none: encode(&[nobody]).into(),
        }
    }

    /// Number of distinct lists.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The number of a list, given to it now when it is new; one more node has it.
    #[doc(alias = "convertAcls")]
    pub fn intern(&mut self, acl: AclList<'_>) -> AclId {
        if acl.is_null() {
            return AclId::OPEN;
        }
        if let Some(&id) = self.by_list.get(acl.encoded()) {
            if let Some(entry) = self.by_id.get_mut(&id) {
                entry.nodes += 1;
            }
            return AclId(id);
        }
        self.last_id += 1;
        let list: Arc<[u8]> = acl.encoded().into();
        self.by_list.insert(Arc::clone(&list), self.last_id);
        self.by_id.insert(self.last_id, Entry { list, nodes: 1 });
        AclId(self.last_id)
    }

    /// The list that is open to all, encoded.
    #[must_use]
    pub fn open(&self) -> &Arc<[u8]> {
        &self.open
    }

    /// The list with this number.
    #[doc(alias = "convertLong")]
    #[must_use]
    pub fn list(&self, id: AclId) -> &Arc<[u8]> {
        if id == AclId::OPEN { &self.open } else { self.by_id.get(&id.0).map_or(&self.none, |entry| &entry.list) }
    }

    /// The shared form of `list` when some node has it.
    #[must_use]
    pub fn shared(&self, list: &[u8]) -> Option<Arc<[u8]>> {
        self.by_list.get_key_value(list).map(|(list, _)| Arc::clone(list))
    }

    /// One more node has this list.
    pub fn add_usage(&mut self, id: AclId) {
        if let Some(entry) = self.by_id.get_mut(&id.0) {
            entry.nodes += 1;
        }
    }

    /// One node less has this list; the last one takes it out of the table.
    pub fn remove_usage(&mut self, id: AclId) {
        let Some(entry) = self.by_id.get_mut(&id.0) else { return };
        entry.nodes = entry.nodes.saturating_sub(1);
        if entry.nodes == 0
            && let Some(entry) = self.by_id.remove(&id.0)
        {
            self.by_list.remove(&entry.list);
        }
    }

    /// Drops the lists that no node has (after a snapshot was read).
    pub fn purge_unused(&mut self) {
        let by_list = &mut self.by_list;
        self.by_id.retain(|_, entry| {
            let used = entry.nodes > 0;
            if !used {
                by_list.remove(&entry.list);
            }
            used
        });
    }

    /// Numbers and lists in the order of the numbers: as a snapshot holds them.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (AclId, &[u8])> {
        self.by_id.iter().map(|(&id, entry)| (AclId(id), &*entry.list))
    }

    /// Puts an entry of a snapshot in place, used by no node yet.
    pub fn insert(&mut self, id: AclId, list: AclList<'_>) {
        if id == AclId::OPEN {
            return;
        }
        let list: Arc<[u8]> = list.encoded().into();
        self.by_list.insert(Arc::clone(&list), id.0);
        self.by_id.insert(id.0, Entry { list, nodes: 0 });
        self.last_id = self.last_id.max(id.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{CREATOR_ALL_ACL, Id, READ_ACL, perms};

    #[test]
    fn lists_are_counted_and_shared() {
        let mut cache = AclCache::default();
        let read = encode(&[READ_ACL]);
        let list = AclList::from_encoded(&read);
        let a = cache.intern(list);
        assert_eq!(cache.intern(list), a);
        assert_eq!(cache.list(a).as_ref(), &read[..]);
        cache.remove_usage(a);
        assert_eq!(cache.len(), 1);
        cache.remove_usage(a);
        assert!(cache.is_empty());
        assert_ne!(cache.intern(list), a, "numbers are not used again");
        assert_eq!(cache.intern(AclList::default()), AclId::OPEN);
    }

    #[test]
    fn who_may() {
        let acl = encode(&[READ_ACL, Acl { perms: perms::WRITE, id: Id { scheme: "digest", id: "u:x" } }]);
        let acl = AclList::from_encoded(&acl);
        let user = [("digest".to_owned(), "u:x".to_owned())];
        assert!(allows(acl, perms::READ, &[]));
        assert!(!allows(acl, perms::WRITE, &[]));
        assert!(allows(acl, perms::WRITE, &user));
        assert!(!allows(acl, perms::ADMIN, &user));
        assert!(allows(acl, perms::ADMIN, &[("super".to_owned(), String::new())]));
        assert!(allows(AclList::from_encoded(&encode(&[])), perms::ADMIN, &[]));
        assert!(!allows(AclList::from_encoded(&encode(&[CREATOR_ALL_ACL])), perms::READ, &[]));
    }
}
