//! A keeper in a map: what the control plane needs of one, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use ottla_keeper::ops::{CreateMode, KeeperError, KeeperEvent, KeeperOp, KeeperReply, KeeperResult};
use ottla_keeper::proto::{ErrorCode, Stat};

#[derive(Clone, Debug, Default)]
pub struct Node {
    pub data: Option<Vec<u8>>,
    pub stat: Stat,
}

#[derive(Debug, Default)]
pub struct FakeKeeper {
    pub nodes: BTreeMap<String, Node>,
    zxid: i64,
    next_session: i64,
    data_watches: BTreeMap<String, BTreeSet<i64>>,
    child_watches: BTreeMap<String, BTreeSet<i64>>,
    /// Watches that fired, in their order.
    pub fired: Vec<(i64, KeeperEvent)>,
    now_ms: i64,
    /// Operations that arrived, multis as one.
    pub operations: usize,
}

fn parent(path: &str) -> &str {
    &path[..path.rfind('/').expect("an absolute path")]
}

impl FakeKeeper {
    pub fn new_session(&mut self) -> i64 {
        self.next_session += 1;
        self.next_session
    }

    pub fn expire(&mut self, session: i64) {
        for sessions in self.data_watches.values_mut().chain(self.child_watches.values_mut()) {
            sessions.remove(&session);
        }
        let own: Vec<String> = self
            .nodes
            .iter()
            .filter(|(_, n)| n.stat.ephemeral_owner == session)
            .map(|(path, _)| path.clone())
            .collect();
        for path in own {
            self.zxid += 1;
            let _ = self.delete(&path, -1);
        }
    }

    pub fn apply(&mut self, session: i64, op: &KeeperOp, now_ms: i64) -> KeeperResult {
        self.now_ms = now_ms;
        self.operations += 1;
        let KeeperOp::Multi(ops) = op else {
            self.zxid += 1;
            return self.one(session, op).map_err(KeeperError::Code);
        };
        let (nodes, fired) = (self.nodes.clone(), self.fired.len());
        let watches = (self.data_watches.clone(), self.child_watches.clone());
        self.zxid += 1;
        let mut replies = Vec::new();
        for (index, op) in ops.iter().enumerate() {
            match self.one(session, op) {
                Ok(reply) => replies.push(reply),
                Err(code) => {
                    self.nodes = nodes;
                    self.fired.truncate(fired);
                    (self.data_watches, self.child_watches) = watches;
                    return Err(KeeperError::Multi { index, code });
                }
            }
        }
        Ok(KeeperReply::Multi(replies))
    }

    fn one(&mut self, session: i64, op: &KeeperOp) -> Result<KeeperReply, ErrorCode> {
        match op {
            KeeperOp::Create { path, data, mode, .. } => self.create(session, path, data.clone(), *mode),
            KeeperOp::Delete { path, version } => self.delete(path, *version).map(|()| KeeperReply::Deleted),
            KeeperOp::SetData { path, data, version } => {
                let (zxid, now) = (self.zxid, self.now_ms);
                let node = self.nodes.get_mut(path).ok_or(ErrorCode::NoNode)?;
                if *version != -1 && *version != node.stat.version {
                    return Err(ErrorCode::BadVersion);
                }
                node.data = data.clone();
                node.stat.version += 1;
                node.stat.mzxid = zxid;
                node.stat.mtime = now;
                let stat = node.stat;
                self.fire_data(path, |path| KeeperEvent::NodeDataChanged { path });
                Ok(KeeperReply::Stat(stat))
            }
            KeeperOp::GetData { path, watch } => {
                let node = self.nodes.get(path).cloned().ok_or(ErrorCode::NoNode)?;
                if *watch {
                    self.data_watches.entry(path.clone()).or_default().insert(session);
                }
                Ok(KeeperReply::Data { data: node.data, stat: node.stat })
            }
            KeeperOp::Exists { path, watch } => {
                if *watch {
                    self.data_watches.entry(path.clone()).or_default().insert(session);
                }
                self.nodes.get(path).map(|node| KeeperReply::Stat(node.stat)).ok_or(ErrorCode::NoNode)
            }
            KeeperOp::GetChildren { path, watch } => {
                let stat = self.nodes.get(path).ok_or(ErrorCode::NoNode)?.stat;
                if *watch {
                    self.child_watches.entry(path.clone()).or_default().insert(session);
                }
                Ok(KeeperReply::Children { children: self.children(path), stat })
            }
            KeeperOp::Check { path, version } => {
                let node = self.nodes.get(path).ok_or(ErrorCode::NoNode)?;
                if *version != -1 && *version != node.stat.version {
                    return Err(ErrorCode::BadVersion);
                }
                Ok(KeeperReply::Checked)
            }
            other => panic!("the control plane does not ask {other:?}"),
        }
    }

    pub fn children(&self, path: &str) -> Vec<String> {
        let prefix = format!("{path}/");
        let below = self.nodes.range(prefix.clone()..).take_while(|(p, _)| p.starts_with(&prefix));
        below
            .filter_map(|(p, _)| Some(p.strip_prefix(&prefix)?).filter(|n| !n.contains('/')).map(str::to_owned))
            .collect()
    }

    fn create(
        &mut self,
        session: i64,
        path: &str,
        data: Option<Vec<u8>>,
        mode: CreateMode,
    ) -> Result<KeeperReply, ErrorCode> {
        let above = parent(path).to_owned();
        if !above.is_empty() && !self.nodes.contains_key(&above) {
            return Err(ErrorCode::NoNode);
        }
        let mut path = path.to_owned();
        if mode == CreateMode::PersistentSequential {
            let counter = self.nodes.get(&above).map_or(0, |node| node.stat.cversion);
            path = format!("{path}{counter:010}");
        }
        if self.nodes.contains_key(&path) {
            return Err(ErrorCode::NodeExists);
        }
        let ephemeral_owner = if mode == CreateMode::Ephemeral { session } else { 0 };
        let (czxid, ctime) = (self.zxid, self.now_ms);
        let stat = Stat { czxid, mzxid: czxid, ctime, mtime: ctime, ephemeral_owner, ..Stat::default() };
        self.nodes.insert(path.clone(), Node { data, stat });
        if let Some(node) = self.nodes.get_mut(&above) {
            node.stat.cversion += 1;
        }
        self.fire_data(&path, |path| KeeperEvent::NodeCreated { path });
        self.fire_children(&above);
        Ok(KeeperReply::Created { path, stat })
    }

    fn delete(&mut self, path: &str, version: i32) -> Result<(), ErrorCode> {
        let node = self.nodes.get(path).ok_or(ErrorCode::NoNode)?;
        if version != -1 && version != node.stat.version {
            return Err(ErrorCode::BadVersion);
        }
        if !self.children(path).is_empty() {
            return Err(ErrorCode::NotEmpty);
        }
        self.nodes.remove(path);
        let above = parent(path).to_owned();
        self.fire_data(path, |path| KeeperEvent::NodeDeleted { path });
        for session in self.child_watches.remove(path).unwrap_or_default() {
            self.fired.push((session, KeeperEvent::NodeDeleted { path: path.to_owned() }));
        }
        self.fire_children(&above);
        Ok(())
    }

    fn fire_data(&mut self, path: &str, event: fn(String) -> KeeperEvent) {
        for session in self.data_watches.remove(path).unwrap_or_default() {
            self.fired.push((session, event(path.to_owned())));
        }
    }

    fn fire_children(&mut self, path: &str) {
        for session in self.child_watches.remove(path).unwrap_or_default() {
            self.fired.push((session, KeeperEvent::NodeChildrenChanged { path: path.to_owned() }));
        }
    }

    /// The data as text; panics when there is none.
    pub fn text(&self, path: &str) -> String {
        let node = self.nodes.get(path).unwrap_or_else(|| panic!("{path} is missing"));
        String::from_utf8(node.data.clone().unwrap_or_default()).expect("text")
    }

    /// Writes past everybody, as another tool would; parents first.
    pub fn write(&mut self, path: &str, data: &str) {
        let op = if self.nodes.contains_key(path) {
            KeeperOp::SetData { path: path.to_owned(), data: Some(data.into()), version: -1 }
        } else {
            crate::lifecycle::create(path, Some(data.into()))
        };
        self.apply(0, &op, 0).expect("a write");
    }
}
