//! The directories of a simulated disk: entries as seen, entries that survive a crash, and the changes between.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path};
use std::sync::Arc;

use parking_lot::Mutex;

use super::content::Content;
use crate::random::Random;

/// What an entry names.
#[derive(Clone, Debug)]
pub(super) enum Node {
    File(Arc<Mutex<FileNode>>),
    Dir(u64),
}

impl Node {
    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(a), Self::File(b)) => Arc::ptr_eq(a, b),
            (Self::Dir(a), Self::Dir(b)) => a == b,
            _ => false,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct FileNode {
    pub(super) content: Content,
    pub(super) modified_ms: i64,
    /// False once no name leads to it: its pages don't count as used any more.
    pub(super) linked: bool,
}

#[derive(Debug, Default)]
struct Dir {
    current: BTreeMap<String, Node>,
    durable: BTreeMap<String, Node>,
}

/// A place for an entry: directory and name.
type Place = (u64, String);

/// A change of directories that no `sync_dir` has covered yet.
#[derive(Debug)]
enum Change {
    Link(Place, Node),
    Unlink(Place),
    Move { from: Place, to: Place, node: Node },
}

impl Change {
    fn places(&self) -> Vec<&Place> {
        match self {
            Self::Link(place, _) | Self::Unlink(place) => vec![place],
            Self::Move { from, to, .. } => vec![from, to],
        }
    }
}

/// All directories; number 0 is the root.
#[derive(Debug)]
pub(super) struct Tree {
    dirs: BTreeMap<u64, Dir>,
    next_dir: u64,
    pending: Vec<Change>,
}

impl Default for Tree {
    fn default() -> Self {
        Self { dirs: BTreeMap::from([(0, Dir::default())]), next_dir: 1, pending: Vec::new() }
    }
}

pub(super) fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

fn names(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => {
                names.push(name.to_str().ok_or(io::ErrorKind::InvalidFilename)?.to_owned());
            }
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => return Err(io::ErrorKind::InvalidInput.into()),
        }
    }
    Ok(names)
}

impl Tree {
    fn dir(&self, id: u64) -> io::Result<&Dir> {
        self.dirs.get(&id).ok_or_else(not_found)
    }

    pub(super) fn entries(&self, id: u64) -> io::Result<&BTreeMap<String, Node>> {
        Ok(&self.dir(id)?.current)
    }

    fn walk(&self, names: &[String]) -> io::Result<Node> {
        let mut at = Node::Dir(0);
        for name in names {
            let Node::Dir(id) = at else { return Err(io::ErrorKind::NotADirectory.into()) };
            at = self.dir(id)?.current.get(name).cloned().ok_or_else(not_found)?;
        }
        Ok(at)
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<Node> {
        self.walk(&names(path)?)
    }

    pub(super) fn find_dir(&self, path: &Path) -> io::Result<u64> {
        match self.find(path)? {
            Node::Dir(id) => Ok(id),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// The directory and last name of `path`.
    fn place(&self, path: &Path) -> io::Result<Place> {
        let mut names = names(path)?;
        let name = names.pop().ok_or(io::ErrorKind::InvalidInput)?;
        match self.walk(&names)? {
            Node::Dir(id) => Ok((id, name)),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn current_mut(&mut self, id: u64) -> io::Result<&mut BTreeMap<String, Node>> {
        Ok(&mut self.dirs.get_mut(&id).ok_or_else(not_found)?.current)
    }

    fn link(&mut self, place: Place, node: Node) -> io::Result<()> {
        self.current_mut(place.0)?.insert(place.1.clone(), node.clone());
        self.pending.push(Change::Link(place, node));
        Ok(())
    }

    pub(super) fn create_file(&mut self, path: &Path, modified_ms: i64) -> io::Result<Arc<Mutex<FileNode>>> {
        let place = self.place(path)?;
        let file = Arc::new(Mutex::new(FileNode { modified_ms, linked: true, ..FileNode::default() }));
        self.link(place, Node::File(Arc::clone(&file)))?;
        Ok(file)
    }

    pub(super) fn create_dir_all(&mut self, path: &Path) -> io::Result<()> {
        let names = names(path)?;
        let mut at = 0;
        for (i, name) in names.iter().enumerate() {
            at = match self.dir(at)?.current.get(name) {
                Some(Node::Dir(id)) => *id,
                Some(Node::File(_)) if i + 1 == names.len() => return Err(io::ErrorKind::AlreadyExists.into()),
                Some(Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
                None => {
                    let id = self.next_dir;
                    self.next_dir += 1;
                    self.dirs.insert(id, Dir::default());
                    self.link((at, name.clone()), Node::Dir(id))?;
                    id
                }
            };
        }
        Ok(())
    }

    /// Moves an entry; gives the file that the move replaced.
    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<Option<Node>> {
        let node = self.find(from)?;
        let (from, to) = (self.place(from)?, self.place(to)?);
        let replaced = self.dir(to.0)?.current.get(&to.1).cloned();
        if from == to {
            return Ok(None);
        }
        match (&node, &replaced) {
            (Node::Dir(_), Some(Node::File(_))) => return Err(io::ErrorKind::NotADirectory.into()),
            (Node::File(_), Some(Node::Dir(_))) => return Err(io::ErrorKind::IsADirectory.into()),
            (Node::Dir(_), Some(Node::Dir(id))) if !self.dir(*id)?.current.is_empty() => {
                return Err(io::ErrorKind::DirectoryNotEmpty.into());
            }
            _ => {}
        }
        self.current_mut(from.0)?.remove(&from.1);
        self.current_mut(to.0)?.insert(to.1.clone(), node.clone());
        self.pending.push(Change::Move { from, to, node });
        Ok(replaced)
    }

    pub(super) fn remove_file(&mut self, path: &Path) -> io::Result<Node> {
        let node = self.find(path)?;
        if let Node::Dir(_) = node {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let place = self.place(path)?;
        self.unlink(place)?;
        Ok(node)
    }

    fn unlink(&mut self, place: Place) -> io::Result<()> {
        self.current_mut(place.0)?.remove(&place.1);
        self.pending.push(Change::Unlink(place));
        Ok(())
    }

    /// Removes a directory and all below, deepest first as the real one does; gives the files removed.
    pub(super) fn remove_dir_all(&mut self, path: &Path) -> io::Result<Vec<Node>> {
        let id = self.find_dir(path)?;
        let mut removed = Vec::new();
        for (name, node) in self.dir(id)?.current.clone() {
            match node {
                Node::Dir(_) => removed.extend(self.remove_dir_all(&path.join(name))?),
                Node::File(_) => {
                    self.unlink((id, name))?;
                    removed.push(node);
                }
            }
        }
        let place = self.place(path)?;
        self.unlink(place)?;
        Ok(removed)
    }

    /// Makes the changes of directory `id` durable, and those of directories that a move ties to it.
    pub(super) fn sync_dir(&mut self, id: u64) {
        let mut tied = BTreeSet::from([id]);
        loop {
            let before = tied.len();
            for change in &self.pending {
                let places = change.places();
                if places.iter().any(|place| tied.contains(&place.0)) {
                    tied.extend(places.iter().map(|place| place.0));
                }
            }
            if tied.len() == before {
                break;
            }
        }
        for change in std::mem::take(&mut self.pending) {
            if change.places().iter().any(|place| tied.contains(&place.0)) {
                self.make_durable(change);
            } else {
                self.pending.push(change);
            }
        }
    }

    pub(super) fn sync_all(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            self.make_durable(change);
        }
    }

    fn make_durable(&mut self, change: Change) {
        let mut durable = |id: u64, edit: &mut dyn FnMut(&mut BTreeMap<String, Node>)| {
            if let Some(dir) = self.dirs.get_mut(&id) {
                edit(&mut dir.durable);
            }
        };
        match change {
            Change::Link((dir, name), node) => {
                durable(dir, &mut |entries| drop(entries.insert(name.clone(), node.clone())));
            }
            Change::Unlink((dir, name)) => durable(dir, &mut |entries| drop(entries.remove(&name))),
            Change::Move { from, to, node } => {
                durable(from.0, &mut |entries| {
                    if entries.get(&from.1).is_some_and(|there| there.same(&node)) {
                        entries.remove(&from.1);
                    }
                });
                durable(to.0, &mut |entries| drop(entries.insert(to.1.clone(), node.clone())));
            }
        }
    }

    /// The power cut: each uncovered change is kept or lost, but none outlives the loss of an earlier one to the same
    /// entry. Then every reachable file loses what it must, and what is unreachable is gone.
    pub(super) fn crash(&mut self, random: &mut Random) {
        let keep = match random.below(4) {
            0 => 0,
            1 => 1_000_000,
            _ => 500_000,
        };
        let mut lost = BTreeSet::new();
        for change in std::mem::take(&mut self.pending) {
            let depends = change.places().into_iter().any(|place| lost.contains(place));
            if !depends && random.chance(keep) {
                self.make_durable(change);
            } else {
                lost.extend(change.places().into_iter().cloned());
            }
        }
        let mut reachable = BTreeSet::new();
        let mut open = vec![0];
        while let Some(id) = open.pop() {
            if !reachable.insert(id) {
                continue;
            }
            let Some(dir) = self.dirs.get_mut(&id) else { continue };
            dir.current = dir.durable.clone();
            for node in dir.current.values() {
                match node {
                    Node::Dir(id) => open.push(*id),
                    Node::File(file) => {
                        let mut file = file.lock();
                        file.linked = true;
                        file.content.crash(random);
                    }
                }
            }
        }
        self.dirs.retain(|id, _| reachable.contains(id));
    }

    /// Every file that a name leads to.
    pub(super) fn files(&self) -> impl Iterator<Item = &Arc<Mutex<FileNode>>> {
        self.dirs.values().flat_map(|dir| dir.current.values()).filter_map(|node| match node {
            Node::File(file) => Some(file),
            Node::Dir(_) => None,
        })
    }
}
