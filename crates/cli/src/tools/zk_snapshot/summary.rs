//! How many nodes and bytes are below each node, as `SnapshotRecursiveSummary` prints it; children are sorted.

use std::collections::BTreeMap;

use super::Loaded;
use crate::output::Out;
use crate::tool::{Failure, Outcome};

pub fn print(loaded: &Loaded, start: &str, max_depth: usize) -> Outcome {
    if loaded.database.tree().get(start).is_none() {
        return Err(Failure::Failed(format!("{start}: there is no such node in the snapshot")));
    }
    // Parents before children, each with its level.
    let mut nodes: Vec<(String, usize)> = Vec::new();
    let mut open = vec![(start.to_owned(), 0)];
    while let Some((path, level)) = open.pop() {
        open.extend(loaded.children(&path).into_iter().rev().map(|child| (child, level + 1)));
        nodes.push((path, level));
    }
    // Nodes and bytes below, the node itself included.
    let mut sums: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (path, _) in nodes.iter().rev() {
        let mine = sums.entry(path).or_default();
        *mine = (mine.0 + 1, mine.1 + loaded.data_len(path) as u64);
        let (count, bytes) = *mine;
        if path != start {
            let parent = sums.entry(parent_of(path)).or_default();
            *parent = (parent.0 + count, parent.1 + bytes);
        }
    }
    let mut out = Out::new();
    for (path, level) in &nodes {
        let (count, bytes) = sums.get(path.as_str()).copied().unwrap_or_default();
        if count > 1 && (max_depth == 0 || *level <= max_depth) {
            let tab = "--".repeat(*level);
            out.line(&format!("{tab} {path}\n{tab}   children: {}\n{tab}   data: {bytes}", count - 1))?;
        }
    }
    out.line("")?;
    out.flush()
}

fn parent_of(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((parent, _)) => parent,
    }
}
