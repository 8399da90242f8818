//! The watches that a session holds, so that they can be set again on another server.

use std::collections::BTreeSet;

use ottla_keeper::jute::Jute;
use ottla_keeper::proto::{
    AddWatchMode, ErrorCode, EventType, OpCode, RequestHeader, SetWatches, SetWatches2, WatcherType, xid,
};

/// Most bytes of paths in one SetWatches: the server refuses frames above `jute.maxbuffer` (1 MiB), and a session may
/// have more watches than that holds. ZooKeeper's client uses the same number.
const SET_WATCHES_BYTES: usize = 128 << 10;

/// Which watch a request leaves behind. Paths here are the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WatchKind {
    Data,
    /// Data, or creation when the node isn't there.
    Exists,
    Children,
    Persistent,
    PersistentRecursive,
}

/// The watches of a session by the server's paths.
#[doc(alias = "ZKWatchManager")]
#[derive(Debug, Default)]
pub(super) struct Watches {
    data: BTreeSet<String>,
    exists: BTreeSet<String>,
    children: BTreeSet<String>,
    persistent: BTreeSet<String>,
    recursive: BTreeSet<String>,
}

impl Watches {
    /// Notes the watch of a request that the server answered with `code`.
    pub(super) fn answered(&mut self, kind: WatchKind, path: String, code: i32) {
        let ok = code == ErrorCode::Ok.code();
        let set = match kind {
            WatchKind::Data | WatchKind::Exists if ok => &mut self.data,
            WatchKind::Exists if code == ErrorCode::NoNode.code() => &mut self.exists,
            WatchKind::Children if ok => &mut self.children,
            WatchKind::Persistent if ok => &mut self.persistent,
            WatchKind::PersistentRecursive if ok => &mut self.recursive,
            _ => return,
        };
        set.insert(path);
    }

    /// Forgets what the event used up.
    pub(super) fn fired(&mut self, event: EventType, path: &str) {
        match event {
            EventType::NodeCreated | EventType::NodeDataChanged => {
                self.data.remove(path);
                self.exists.remove(path);
            }
            EventType::NodeChildrenChanged => {
                self.children.remove(path);
            }
            EventType::NodeDeleted => {
                self.data.remove(path);
                self.exists.remove(path);
                self.children.remove(path);
            }
            EventType::DataWatchRemoved => drop(self.removed(WatcherType::Data, path)),
            EventType::ChildWatchRemoved => drop(self.removed(WatcherType::Children, path)),
            EventType::PersistentWatchRemoved => {
                self.persistent.remove(path);
                self.recursive.remove(path);
            }
            EventType::None => {}
        }
    }

    /// Forgets what a removeWatches took away; gives the events that tell of those there were.
    pub(super) fn removed(&mut self, kind: WatcherType, path: &str) -> Vec<EventType> {
        let of = |one: WatcherType| kind == one || kind == WatcherType::Any;
        let children = of(WatcherType::Children) && self.children.remove(path);
        let data = of(WatcherType::Data) && (self.data.remove(path) | self.exists.remove(path));
        let persistent = of(WatcherType::Persistent) && self.persistent.remove(path);
        let recursive = of(WatcherType::PersistentRecursive) && self.recursive.remove(path);
        [
            (children, EventType::ChildWatchRemoved),
            (data, EventType::DataWatchRemoved),
            (persistent || recursive, EventType::PersistentWatchRemoved),
        ]
        .into_iter()
        .filter_map(|(gone, event)| gone.then_some(event))
        .collect()
    }

    /// The requests (header and body, without a length) that set every watch again. `SetWatches2` is used only for
    /// persistent watches: servers before 3.6 don't know it.
    pub(super) fn set_again(&self, relative_zxid: i64) -> Vec<Vec<u8>> {
        let kinds = [&self.data, &self.exists, &self.children, &self.persistent, &self.recursive];
        let mut paths =
            kinds.iter().enumerate().flat_map(|(kind, set)| set.iter().map(move |path| (kind, path.as_str())));
        let mut requests = Vec::new();
        loop {
            let mut chunk: [Vec<&str>; 5] = Default::default();
            let mut bytes = 0;
            for (kind, path) in paths.by_ref() {
                chunk[kind].push(path);
                bytes += path.len() + 4;
                if bytes >= SET_WATCHES_BYTES {
                    break;
                }
            }
            if bytes == 0 {
                return requests;
            }
            requests.push(encode(relative_zxid, chunk));
        }
    }
}

fn encode(relative_zxid: i64, [data, exists, children, persistent, recursive]: [Vec<&str>; 5]) -> Vec<u8> {
    let mut out = Vec::new();
    if persistent.is_empty() && recursive.is_empty() {
        RequestHeader { xid: xid::SET_WATCHES, op: OpCode::SetWatches.code() }.write(&mut out);
        SetWatches { relative_zxid, data_watches: data, exist_watches: exists, child_watches: children }
            .write(&mut out);
    } else {
        RequestHeader { xid: xid::SET_WATCHES, op: OpCode::SetWatches2.code() }.write(&mut out);
        SetWatches2 {
            relative_zxid,
            data_watches: data,
            exist_watches: exists,
            child_watches: children,
            persistent_watches: persistent,
            persistent_recursive_watches: recursive,
        }
        .write(&mut out);
    }
    out
}

/// The watch that an addWatch of this mode leaves.
pub(super) fn of_mode(mode: AddWatchMode) -> WatchKind {
    match mode {
        AddWatchMode::Persistent => WatchKind::Persistent,
        AddWatchMode::PersistentRecursive => WatchKind::PersistentRecursive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_keeper::jute::Reader;

    #[test]
    fn exists_of_a_missing_node_waits_for_its_creation() {
        let mut watches = Watches::default();
        watches.answered(WatchKind::Exists, "/a".into(), ErrorCode::NoNode.code());
        watches.answered(WatchKind::Data, "/b".into(), ErrorCode::NoNode.code());
        assert!(watches.exists.contains("/a") && watches.data.is_empty());
        watches.fired(EventType::NodeCreated, "/a");
        assert!(watches.set_again(1).is_empty());
    }

    #[test]
    fn many_watches_are_set_in_pieces_and_in_the_old_form() {
        let mut watches = Watches::default();
        for i in 0..20_000 {
            watches.answered(WatchKind::Data, format!("/some/longer/path/{i:08}"), 0);
        }
        let requests = watches.set_again(7);
        assert!(requests.len() > 3 && requests.iter().all(|request| request.len() < 200 << 10));
        let mut total = 0;
        for request in &requests {
            let mut reader = Reader::new(request);
            let header: RequestHeader = reader.record().expect("a header");
            assert_eq!((header.xid, header.op), (-8, OpCode::SetWatches.code()));
            total += reader.record::<SetWatches<'_>>().expect("a body").data_watches.len();
        }
        assert_eq!(total, 20_000);
    }

    #[test]
    fn persistent_watches_stay_and_need_the_new_form() {
        let mut watches = Watches::default();
        watches.answered(WatchKind::PersistentRecursive, "/a".into(), 0);
        watches.fired(EventType::NodeDataChanged, "/a");
        let requests = watches.set_again(7);
        let mut reader = Reader::new(&requests[0]);
        let header: RequestHeader = reader.record().expect("a header");
        assert_eq!(header.op, OpCode::SetWatches2.code());
        watches.removed(WatcherType::Any, "/a");
        assert!(watches.set_again(7).is_empty());
    }
}
