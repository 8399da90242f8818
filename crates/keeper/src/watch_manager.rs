//! Who watches what (`WatchManager`, twice: data and existence in one, children in the other), and which connections
//! an event goes to.

use crate::proto::WatcherType;
use foldhash::fast::FixedState;
use ottla_base::hash::{FixedMap, FixedSet};
use std::sync::Arc;

/// A connection of this server, numbered by its host.
pub type ConnId = u64;

/// Fires once.
const STANDARD: u8 = 1;
/// Fires until removed.
const PERSISTENT: u8 = 2;
/// Fires until removed, for everything below too.
const RECURSIVE: u8 = 4;

/// Watches of one kind.
#[derive(Debug, Default)]
struct WatchManager {
    /// Of paths, which clients choose.
    state: FixedState,
    by_path: FixedMap<Arc<str>, Vec<(ConnId, u8)>>,
    by_conn: FixedMap<ConnId, FixedSet<Arc<str>>>,
    count: usize,
    recursive_count: usize,
}

impl WatchManager {
    fn seeded(seed: u64) -> Self {
        let state = FixedState::with_seed(seed);
        Self { by_path: FixedMap::with_hasher(state.clone()), state, ..Self::default() }
    }

    fn add(&mut self, path: &str, conn: ConnId, mode: u8) {
        let shared: Arc<str> = match self.by_path.get_key_value(path) {
            Some((shared, _)) => Arc::clone(shared),
            None => path.into(),
        };
        let watchers = self.by_path.entry(Arc::clone(&shared)).or_default();
        let modes = match watchers.iter_mut().find(|(c, _)| *c == conn) {
            Some((_, modes)) => modes,
            None => {
                self.count += 1;
                let paths = self.by_conn.entry(conn);
                paths.or_insert_with(|| FixedSet::with_hasher(self.state.clone())).insert(shared);
                watchers.push((conn, 0));
                let last = watchers.len() - 1;
                &mut watchers[last].1
            }
        };
        if mode == RECURSIVE && *modes & RECURSIVE == 0 {
            self.recursive_count += 1;
        }
        *modes |= mode;
    }

    fn modes(&self, path: &str, conn: ConnId) -> u8 {
        self.by_path
            .get(path)
            .and_then(|watchers| watchers.iter().find(|(c, _)| *c == conn))
            .map_or(0, |(_, modes)| *modes)
    }

    /// Takes modes from a watch; true when it had one of them.
    fn remove(&mut self, path: &str, conn: ConnId, modes: u8) -> bool {
        let Some(watchers) = self.by_path.get_mut(path) else { return false };
        let Some(at) = watchers.iter().position(|(c, _)| *c == conn) else { return false };
        let had = watchers[at].1;
        watchers[at].1 &= !modes;
        if had & modes & RECURSIVE != 0 {
            self.recursive_count -= 1;
        }
        if watchers[at].1 == 0 {
            watchers.swap_remove(at);
            self.count -= 1;
            if watchers.is_empty() {
                self.by_path.remove(path);
            }
            if let Some(paths) = self.by_conn.get_mut(&conn) {
                paths.remove(path);
                if paths.is_empty() {
                    self.by_conn.remove(&conn);
                }
            }
        }
        had & modes != 0
    }

    fn remove_conn(&mut self, conn: ConnId) {
        for path in self.by_conn.remove(&conn).into_iter().flatten() {
            self.remove(&path, conn, u8::MAX);
        }
    }

    /// Collects whom an event at `path` goes to, and forgets the watches that fire once.
    fn trigger(&mut self, path: &str, hit: &mut Vec<ConnId>) {
        if let Some(watchers) = self.by_path.get(path) {
            let start = hit.len();
            hit.extend(watchers.iter().map(|(conn, _)| *conn));
            for &conn in &hit[start..] {
                self.remove(path, conn, STANDARD);
            }
        }
        if self.recursive_count == 0 {
            return;
        }
        let mut at = path;
        while at != "/" {
            let Some((parent, _)) = crate::path::split(at) else { break };
            at = parent;
            for (conn, modes) in self.by_path.get(at).into_iter().flatten() {
                if modes & RECURSIVE != 0 && !hit.contains(conn) {
                    hit.push(*conn);
                }
            }
        }
    }
}

/// All watches of a server.
#[derive(Debug, Default)]
pub struct Watches {
    seed: u64,
    data: WatchManager,
    children: WatchManager,
}

impl Watches {
    /// None yet. The seed decides where paths are in their tables, and nothing that can be seen.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { seed, data: WatchManager::seeded(seed), children: WatchManager::seeded(seed) }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::seeded(self.seed);
    }

    /// Sets a one-shot watch for the node's data, its coming or its going.
    pub fn add_data(&mut self, path: &str, conn: ConnId) {
        self.data.add(path, conn, STANDARD);
    }

    /// Sets a one-shot watch for the node's children.
    pub fn add_child(&mut self, path: &str, conn: ConnId) {
        self.children.add(path, conn, STANDARD);
    }

    pub fn add_persistent(&mut self, path: &str, conn: ConnId) {
        self.data.add(path, conn, PERSISTENT);
        self.children.add(path, conn, PERSISTENT);
    }

    pub fn add_recursive(&mut self, path: &str, conn: ConnId) {
        self.data.add(path, conn, RECURSIVE);
    }

    /// True when the connection watches the path in this way.
    #[must_use]
    pub fn contains(&self, path: &str, watcher_type: WatcherType, conn: ConnId) -> bool {
        let (data, children) = (self.data.modes(path, conn), self.children.modes(path, conn));
        match watcher_type {
            WatcherType::Children => children & STANDARD != 0,
            WatcherType::Data => data & STANDARD != 0,
            WatcherType::Persistent => data & PERSISTENT != 0,
            WatcherType::PersistentRecursive => data & RECURSIVE != 0,
            WatcherType::Any => data | children != 0,
        }
    }

    /// Removes the connection's watch; false when there was none.
    pub fn remove(&mut self, path: &str, watcher_type: WatcherType, conn: ConnId) -> bool {
        let (data, children) = match watcher_type {
            WatcherType::Children => (0, STANDARD),
            WatcherType::Data => (STANDARD, 0),
            WatcherType::Persistent => (PERSISTENT, PERSISTENT),
            WatcherType::PersistentRecursive => (RECURSIVE, 0),
            WatcherType::Any => (u8::MAX, u8::MAX),
        };
        let from_children = children != 0 && self.children.remove(path, conn, children);
        let from_data = data != 0 && self.data.remove(path, conn, data);
        from_children || from_data
    }

    /// Forgets a closed connection.
    pub fn remove_conn(&mut self, conn: ConnId) {
        self.data.remove_conn(conn);
        self.children.remove_conn(conn);
    }

    /// Number of watches: connections times paths, for each kind.
    #[must_use]
    pub fn count(&self) -> usize {
        self.data.count + self.children.count
    }

    /// True when no event goes anywhere.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data.count + self.children.count == 0
    }

    /// Whom the change of a node's data or its coming goes to.
    pub fn trigger_data(&mut self, path: &str, hit: &mut Vec<ConnId>) {
        self.data.trigger(path, hit);
    }

    /// Whom a change of a node's children goes to.
    pub fn trigger_child(&mut self, path: &str, hit: &mut Vec<ConnId>) {
        self.children.trigger(path, hit);
    }

    /// Whom the going of a node goes to: each connection once, whatever it watches.
    pub fn trigger_deleted(&mut self, path: &str, hit: &mut Vec<ConnId>) {
        self.data.trigger(path, hit);
        let mut children = Vec::new();
        self.children.trigger(path, &mut children);
        children.retain(|conn| !hit.contains(conn));
        hit.append(&mut children);
    }

    /// The three figures of `wchs`: connections, paths, watches. ZooKeeper counts the data watches only.
    #[must_use]
    pub fn summary(&self) -> (usize, usize, usize) {
        (self.data.by_conn.len(), self.data.by_path.len(), self.data.count)
    }

    /// Data watches by connection, in order.
    #[must_use]
    pub fn by_connection(&self) -> Vec<(ConnId, Vec<&str>)> {
        let mut all: Vec<_> = self
            .data
            .by_conn
            .iter()
            .map(|(conn, paths)| {
                let mut paths: Vec<&str> = paths.iter().map(AsRef::as_ref).collect();
                paths.sort_unstable();
                (*conn, paths)
            })
            .collect();
        all.sort_unstable();
        all
    }

    /// Data watches by path, in order.
    #[must_use]
    pub fn by_path(&self) -> Vec<(&str, Vec<ConnId>)> {
        let mut all: Vec<_> = self
            .data
            .by_path
            .iter()
            .map(|(path, watchers)| (path.as_ref(), watchers.iter().map(|(conn, _)| *conn).collect()))
            .collect();
        all.sort_unstable();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(watches: &mut Watches, path: &str) -> Vec<ConnId> {
        let mut hit = Vec::new();
        watches.trigger_data(path, &mut hit);
        hit
    }

    #[test]
    fn standard_fires_once_persistent_always() {
        let mut watches = Watches::default();
        watches.add_data("/a", 1);
        watches.add_data("/a", 1);
        watches.add_persistent("/a", 2);
        watches.add_data("/a", 2);
        assert_eq!(watches.count(), 3);
        assert_eq!(data(&mut watches, "/a"), [1, 2]);
        assert_eq!(data(&mut watches, "/a"), [2]);
        assert_eq!(watches.count(), 2);
        assert!(watches.remove("/a", WatcherType::Persistent, 2));
        assert!(!watches.remove("/a", WatcherType::Any, 2));
        assert!(watches.is_empty());
        assert!(watches.data.by_conn.is_empty() && watches.data.by_path.is_empty());
    }

    #[test]
    fn recursive_sees_what_is_below_but_no_child_events() {
        let mut watches = Watches::default();
        watches.add_recursive("/", 9);
        watches.add_recursive("/a", 1);
        watches.add_data("/a/b", 1);
        assert_eq!(data(&mut watches, "/a/b"), [1, 9]);
        assert_eq!(data(&mut watches, "/a"), [1, 9]);
        assert_eq!(data(&mut watches, "/ab"), [9]);
        let mut hit = Vec::new();
        watches.trigger_child("/a", &mut hit);
        assert!(hit.is_empty());
        watches.remove_conn(9);
        watches.remove_conn(1);
        assert!(watches.is_empty());
        assert_eq!(watches.data.recursive_count, 0);
    }

    #[test]
    fn a_deletion_is_told_once() {
        let mut watches = Watches::default();
        watches.add_data("/a", 1);
        watches.add_child("/a", 1);
        watches.add_child("/a", 2);
        let mut hit = Vec::new();
        watches.trigger_deleted("/a", &mut hit);
        assert_eq!(hit, [1, 2]);
        assert!(watches.is_empty());
    }

    #[test]
    fn types_are_told_apart() {
        let mut watches = Watches::default();
        watches.add_child("/a", 1);
        assert!(watches.contains("/a", WatcherType::Children, 1));
        assert!(watches.contains("/a", WatcherType::Any, 1));
        assert!(!watches.contains("/a", WatcherType::Data, 1));
        assert!(!watches.remove("/a", WatcherType::Data, 1));
        assert!(watches.remove("/a", WatcherType::Children, 1));
    }
}
