//! Watches as their client knows them: each fires once, and before anything is told that is later than the change.

use std::collections::BTreeMap;

use ottla_keeper::proto::{EventType, SetWatches2};

use super::Check;
use super::model::Model;

/// What a one-shot watch waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Left by a read of a node that was there.
    Data,
    /// Left by `exists` for a node that was not.
    Exist,
    Child,
}

impl Kind {
    fn minds(self, change: EventType) -> bool {
        match self {
            Self::Data => matches!(change, EventType::NodeDataChanged | EventType::NodeDeleted),
            Self::Exist => matches!(change, EventType::NodeCreated | EventType::NodeDataChanged),
            Self::Child => matches!(change, EventType::NodeChildrenChanged | EventType::NodeDeleted),
        }
    }
}

#[derive(Debug)]
struct Persistent {
    recursive: bool,
    /// Everything up to here has been told.
    base: i64,
    /// Told since.
    seen: Vec<(String, EventType)>,
}

/// The watches of a session.
#[derive(Debug, Default)]
pub struct Watches {
    /// And the zxid at which each was left.
    once: BTreeMap<(Kind, String), i64>,
    persistent: BTreeMap<String, Persistent>,
}

impl Watches {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.once.is_empty() && self.persistent.is_empty()
    }

    /// A read at `zxid` has left a watch.
    pub fn add(&mut self, kind: Kind, path: &str, zxid: i64) {
        self.once.insert((kind, path.to_owned()), zxid);
    }

    pub fn add_persistent(&mut self, path: &str, recursive: bool, zxid: i64) {
        let watch = Persistent { recursive, base: zxid, seen: Vec::new() };
        self.persistent.insert(path.to_owned(), watch);
    }

    /// True when the path has a persistent watch already.
    #[must_use]
    pub fn is_persistent(&self, path: &str) -> bool {
        self.persistent.contains_key(path)
    }

    /// An event came. `renewing`: the server was asked to take all watches up again, and may tell the same twice.
    pub fn event(&mut self, model: &Model, path: &str, event: EventType, renewing: bool) -> Check {
        let mut wanted = false;
        for (watched, persistent) in &mut self.persistent {
            let below =
                persistent.recursive && path.strip_prefix(watched.as_str()).is_some_and(|rest| rest.starts_with('/'));
            if watched == path || below {
                wanted = true;
                persistent.seen.push((path.to_owned(), event));
            }
        }
        let kinds: &[Kind] = match event {
            EventType::NodeDeleted => &[Kind::Data, Kind::Exist, Kind::Child],
            EventType::NodeCreated | EventType::NodeDataChanged => &[Kind::Data, Kind::Exist],
            EventType::NodeChildrenChanged => &[Kind::Child],
            _ => return Err(format!("{event:?} of {path} was told")),
        };
        for &kind in kinds {
            if let Some(base) = self.once.remove(&(kind, path.to_owned())) {
                wanted = true;
                if model.changes(path, base, i64::MAX).next().is_none() {
                    return Err(format!("{event:?} of {path} was told, but nothing happened to it after {base:#x}"));
                }
            }
        }
        if wanted || renewing { Ok(()) } else { Err(format!("{event:?} of {path} was told, but nobody waited for it")) }
    }

    /// The client is told something as of `zxid`: what was before must have been told before.
    pub fn told(&mut self, model: &Model, zxid: i64) -> Check {
        for ((kind, path), base) in &self.once {
            if let Some((at, change)) = model.changes(path, *base, zxid).find(|(_, change)| kind.minds(*change)) {
                return Err(format!("an answer of {zxid:#x} came before {change:?} of {path} at {at:#x} was told"));
            }
        }
        for (path, watch) in &mut self.persistent {
            let expected = expected(model, path, watch, zxid);
            if expected != watch.seen {
                return Err(format!(
                    "the persistent watch of {path} was told {:?} between {:#x} and {zxid:#x}, expected {expected:?}",
                    watch.seen, watch.base
                ));
            }
            watch.seen.clear();
            watch.base = zxid.max(watch.base);
        }
        Ok(())
    }

    /// Asks another server to take them up.
    #[must_use]
    pub fn renewal(&self, last_zxid: i64) -> SetWatches2<'_> {
        let of = |wanted: Kind| {
            let of_kind = self.once.keys().filter(move |(kind, _)| *kind == wanted);
            of_kind.map(|(_, path)| path.as_str()).collect::<Vec<&str>>()
        };
        let persistent = |recursive: bool| {
            let of_kind = self.persistent.iter().filter(move |(_, watch)| watch.recursive == recursive);
            of_kind.map(|(path, _)| path.as_str()).collect::<Vec<&str>>()
        };
        SetWatches2 {
            relative_zxid: last_zxid,
            data_watches: of(Kind::Data),
            exist_watches: of(Kind::Exist),
            child_watches: of(Kind::Child),
            persistent_watches: persistent(false),
            persistent_recursive_watches: persistent(true),
        }
    }

    /// What happens meanwhile is told to nobody.
    pub fn disconnected(&mut self) {
        self.persistent.values_mut().for_each(|watch| watch.seen.clear());
    }

    /// Another server has taken them up at `zxid`, after telling what could be seen of what happened after `since`.
    pub fn renewed(&mut self, model: &Model, since: i64, zxid: i64) -> Check {
        for ((kind, path), base) in &mut self.once {
            let node = model.at(path, zxid);
            let changed = |which: EventType| model.changes(path, since, zxid).any(|(_, change)| change == which);
            let visible = match kind {
                Kind::Exist => node.is_some(),
                Kind::Data => node.is_none_or(|node| node.mzxid > since),
                Kind::Child => {
                    node.is_none() || changed(EventType::NodeChildrenChanged) || changed(EventType::NodeCreated)
                }
            };
            if visible {
                return Err(format!("{path} changed after {since:#x}, and a {kind:?} watch was not told at {zxid:#x}"));
            }
            *base = zxid;
        }
        for watch in self.persistent.values_mut() {
            watch.seen.clear();
            watch.base = zxid;
        }
        Ok(())
    }
}

/// What a persistent watch must have been told up to `zxid`, in order.
fn expected(model: &Model, path: &str, watch: &Persistent, zxid: i64) -> Vec<(String, EventType)> {
    if !watch.recursive {
        return model.changes(path, watch.base, zxid).map(|(_, change)| (path.to_owned(), change)).collect();
    }
    // Children are one level deep here. Recursive watches are not told of a parent's children.
    let mut all: Vec<(i64, String, EventType)> = Vec::new();
    for below in std::iter::once(path.to_owned()).chain(model.paths_below(path)) {
        all.extend(model.changes(&below, watch.base, zxid).map(|(at, change)| (at, below.clone(), change)));
    }
    all.retain(|(_, _, change)| *change != EventType::NodeChildrenChanged);
    all.sort_by_key(|(at, _, _)| *at);
    all.into_iter().map(|(_, path, change)| (path, change)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_keeper::acl::{self, AclList};
    use ottla_keeper::jute::Jute;
    use ottla_keeper::proto::{OPEN_ACL, OpCode};
    use ottla_keeper::txn::{CreateTxn, TxnHeader};

    /// `/a` is created at 2, `/a/b` at 3.
    fn model() -> Model {
        let mut model = Model::default();
        for (zxid, path) in [(2, "/a"), (3, "/a/b")] {
            let list = acl::encode(&[OPEN_ACL]);
            let acl = AclList::from_encoded(&list);
            let record = CreateTxn { path, data: None, acl, ephemeral: false, parent_cversion: -1 };
            let mut bytes =
                TxnHeader { client_id: 7, cxid: 0, zxid, time: 1, txn_type: OpCode::Create.code() }.to_bytes();
            record.write(&mut bytes);
            model.commit(zxid, &bytes).expect("good");
        }
        model
    }

    #[test]
    fn a_watch_fires_once_and_before() {
        let model = model();
        let mut watches = Watches::default();
        watches.add(Kind::Exist, "/a", 1);
        assert!(watches.told(&model, 1).is_ok());
        assert!(watches.told(&model, 2).is_err(), "told of 2 before the event");
        assert!(watches.event(&model, "/a", EventType::NodeCreated, false).is_ok());
        assert!(watches.told(&model, 2).is_ok());
        assert!(watches.event(&model, "/a", EventType::NodeCreated, false).is_err(), "twice");
        watches.add(Kind::Data, "/a", 3);
        assert!(watches.event(&model, "/a", EventType::NodeDataChanged, false).is_err(), "nothing happened");
    }

    #[test]
    fn a_persistent_watch_tells_all() {
        let model = model();
        for (recursive, events) in [
            (false, [("/a", EventType::NodeCreated), ("/a", EventType::NodeChildrenChanged)]),
            (true, [("/a", EventType::NodeCreated), ("/a/b", EventType::NodeCreated)]),
        ] {
            let mut watches = Watches::default();
            watches.add_persistent("/a", recursive, 1);
            assert!(watches.told(&model, 3).is_err(), "nothing was told");
            for (path, event) in events {
                watches.event(&model, path, event, false).expect("wanted");
            }
            assert!(watches.told(&model, 3).is_ok());
            watches.event(&model, "/a", EventType::NodeCreated, false).expect("wanted");
            assert!(watches.told(&model, 3).is_err(), "more than happened");
        }
    }

    #[test]
    fn a_renewal_tells_what_can_be_seen() {
        let model = model();
        let mut watches = Watches::default();
        watches.add(Kind::Exist, "/a", 1);
        assert!(watches.renewed(&model, 1, 3).is_err());
        let mut watches = Watches::default();
        watches.add(Kind::Child, "/a", 2);
        assert!(watches.renewed(&model, 2, 3).is_err());
        let mut watches = Watches::default();
        watches.add(Kind::Data, "/a", 2);
        assert!(watches.renewed(&model, 2, 3).is_ok());
    }
}
