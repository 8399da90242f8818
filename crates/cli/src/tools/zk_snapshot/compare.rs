//! Two snapshots side by side, depth by depth, as `SnapshotComparer` does it.

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::path::Path;
use std::time::Instant;

use super::Loaded;
use crate::output::Out;
use crate::tool::{Failure, Outcome};

pub struct Options {
    /// Differences up to so many bytes are left out.
    pub bytes: i64,
    /// Differences up to so many nodes are left out.
    pub nodes: i64,
    pub debug: bool,
    pub interactive: bool,
}

/// What is below a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    /// Bytes of data, its own included.
    size: i64,
    /// Nodes, itself not included.
    count: i64,
}

/// A tree by depth. The root is called by the empty string, as in the original.
struct TreeInfo {
    depths: Vec<BTreeMap<String, Sums>>,
}

impl TreeInfo {
    fn of(loaded: &Loaded) -> Self {
        let mut nodes = vec![(String::new(), 0)];
        let mut at = 0;
        while let Some((path, depth)) = nodes.get(at).cloned() {
            let children = loaded.children(if path.is_empty() { "/" } else { &path });
            nodes.extend(children.into_iter().map(|child| (child, depth + 1)));
            at += 1;
        }
        let mut depths = vec![BTreeMap::<String, Sums>::new(); nodes.last().map_or(0, |(_, depth)| depth + 1)];
        for (path, depth) in nodes.into_iter().rev() {
            let own = loaded.data_len(if path.is_empty() { "/" } else { &path }) as i64;
            let mine = depths[depth].entry(path.clone()).or_default();
            mine.size += own;
            let mine = *mine;
            if let Some((parent, _)) = path.rsplit_once('/') {
                let parent = depths[depth - 1].entry(parent.to_owned()).or_default();
                parent.size += mine.size;
                parent.count += mine.count + 1;
            }
        }
        Self { depths }
    }

    fn print(&self, out: &mut Out) -> Outcome {
        let root = self.depths.first().and_then(|root| root.get("")).copied().unwrap_or_default();
        out.line(&format!("Node count: {}\nTotal size: {}", root.count + 1, root.size))?;
        out.line(&format!("Max depth: {}", self.depths.len()))?;
        for (depth, nodes) in self.depths.iter().enumerate() {
            out.line(&format!("Count of nodes at depth {depth}: {}", nodes.len()))?;
        }
        out.line("")
    }

    fn at(&self, depth: usize) -> BTreeMap<&str, Sums> {
        self.depths.get(depth).into_iter().flatten().map(|(path, sums)| (path.as_str(), *sums)).collect()
    }

    /// The children of a node; `None` when there is no such node.
    fn children(&self, path: &str) -> Option<BTreeMap<&str, Sums>> {
        let path = if path == "/" { "" } else { path };
        let depth = self.depths.iter().position(|nodes| nodes.contains_key(path))?;
        let mut children = self.at(depth + 1);
        children.retain(|child, _| child.rsplit_once('/').is_some_and(|(parent, _)| parent == path));
        Some(children)
    }
}

pub fn run(left: &str, right: &str, options: &Options) -> Outcome {
    let mut out = Out::new();
    out.line("Successfully parsed options!")?;
    let (left, right) = (load(left, &mut out)?, load(right, &mut out)?);
    left.print(&mut out)?;
    right.print(&mut out)?;
    let mut comparison = Comparison { left, right, options, out };
    if options.interactive {
        comparison.interact()?
    } else {
        comparison.all()?
    }
    comparison.out.line("All layers compared.")?;
    comparison.out.flush()
}

fn load(file: &str, out: &mut Out) -> Result<TreeInfo, Failure> {
    let start = Instant::now();
    let loaded = Loaded::read(file)?;
    let name = Path::new(file).file_name().unwrap_or_default().to_string_lossy();
    out.line(&format!("Deserialized snapshot in {name} in {:.6} seconds", start.elapsed().as_secs_f64()))?;
    let start = Instant::now();
    let tree = TreeInfo::of(&loaded);
    out.line(&format!("Processed data tree in {:.6} seconds", start.elapsed().as_secs_f64()))?;
    Ok(tree)
}

struct Comparison<'a> {
    left: TreeInfo,
    right: TreeInfo,
    options: &'a Options,
    out: Out,
}

impl Comparison<'_> {
    fn depths(&self) -> usize {
        self.left.depths.len().max(self.right.depths.len())
    }

    fn all(&mut self) -> Outcome {
        self.thresholds()?;
        (0..self.depths()).try_for_each(|depth| self.depth(depth))
    }

    fn thresholds(&mut self) -> Outcome {
        let Options { bytes, nodes, .. } = self.options;
        self.out.line(&format!(
            "Printing analysis for nodes difference larger than {bytes} bytes or node count difference larger than {nodes}."
        ))
    }

    fn depth(&mut self, depth: usize) -> Outcome {
        self.out.line(&format!("Analysis for depth {depth}"))?;
        let lines = compare(&self.left.at(depth), &self.right.at(depth), self.options);
        lines.iter().try_for_each(|line| self.out.line(line))
    }

    fn interact(&mut self) -> Outcome {
        let mut depth = 0;
        while depth < self.depths() {
            self.out.line(&format!(
                "Current depth is {depth}\n- Press enter to move to print current depth layer;\n- Type a number to jump to \
                 and print all nodes at a given depth;\n- Enter an ABSOLUTE path to print the immediate subtree of a node. \
                 Path must start with '/'."
            ))?;
            self.out.flush()?;
            let mut line = String::new();
            if io::stdin().lock().read_line(&mut line)? == 0 {
                return Ok(());
            }
            self.thresholds()?;
            let (input, last) = (line.trim(), self.depths() - 1);
            match input.parse::<usize>() {
                _ if input.is_empty() => {
                    self.depth(depth)?;
                    depth += 1;
                }
                _ if input.starts_with('/') => self.subtree(input)?,
                Ok(wanted) if wanted <= last => {
                    depth = wanted;
                    self.depth(depth)?;
                }
                Ok(_) => {
                    self.out.line(&format!("Depth must be in range [0, {last}]"))?;
                    continue;
                }
                Err(_) => self.out.line(&format!(
                    "Input {input} is not valid. Depth must be in range [0, {last}]. Path must be an absolute path which \
                     starts with '/'."
                ))?,
            }
            self.out.line("")?;
        }
        Ok(())
    }

    fn subtree(&mut self, path: &str) -> Outcome {
        self.out.line(&format!("Analysis for node {path}"))?;
        let lines = match (self.left.children(path), self.right.children(path)) {
            (None, None) => vec![format!("Path {path} is neither found in left tree nor right tree.")],
            (left, right) => compare(&left.unwrap_or_default(), &right.unwrap_or_default(), self.options),
        };
        lines.iter().try_for_each(|line| self.out.line(line))
    }
}

/// The lines about two sets of nodes.
fn compare(left: &BTreeMap<&str, Sums>, right: &BTreeMap<&str, Sums>, options: &Options) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut lefts, mut rights) = (left.iter().peekable(), right.iter().peekable());
    loop {
        let both = lefts.peek().zip(rights.peek()).map(|(l, r)| (*l.0, *r.0));
        if let Some((l, r)) = both.filter(|_| options.debug) {
            lines.push(format!("Comparing {l} to {r}"));
            let verdict = if l < r { "left is less" } else { "right is less" };
            lines.push(if l == r { "same" } else { verdict }.to_owned());
        }
        let line = match both {
            Some((l, r)) if l == r => match (lefts.next(), rights.next()) {
                (Some((path, l)), Some((_, r))) => in_both(path, *l, *r, options),
                _ => break,
            },
            Some((l, r)) if l < r => lefts.next().and_then(|(path, sums)| in_one("left", path, *sums, options)),
            Some(_) => rights.next().and_then(|(path, sums)| in_one("right", path, *sums, options)),
            None => match (lefts.next(), rights.next()) {
                (Some((path, sums)), _) => in_one("left", path, *sums, options),
                (None, Some((path, sums))) => in_one("right", path, *sums, options),
                (None, None) => break,
            },
        };
        lines.extend(line);
    }
    lines
}

fn in_one(side: &str, path: &str, sums: Sums, options: &Options) -> Option<String> {
    let Sums { size, count } = sums;
    if size > options.bytes || count > options.nodes {
        return Some(format!(
            "Node {path} found only in {side} tree. Descendant size: {size}. Descendant count: {count}"
        ));
    }
    (options.debug || options.interactive).then(|| format!("Filtered {side} node {path} of size {size}"))
}

fn in_both(path: &str, left: Sums, right: Sums, options: &Options) -> Option<String> {
    let (bytes, nodes) = (right.size - left.size, right.count - left.count);
    if bytes.abs() > options.bytes || nodes.abs() > options.nodes {
        return Some(format!("Node {path} found in both trees. Delta: {bytes} bytes, {nodes} descendants"));
    }
    (options.debug || options.interactive)
        .then(|| format!("Filtered node {path} of left size {}, right size {}", left.size, right.size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences() {
        let sums = |size, count| Sums { size, count };
        let left = BTreeMap::from([("/a", sums(5, 0)), ("/b", sums(1, 1)), ("/z", sums(0, 0))]);
        let right = BTreeMap::from([("/b", sums(4, 1)), ("/c", sums(9, 2))]);
        let mut options = Options { bytes: 0, nodes: 0, debug: false, interactive: false };
        assert_eq!(
            compare(&left, &right, &options),
            [
                "Node /a found only in left tree. Descendant size: 5. Descendant count: 0",
                "Node /b found in both trees. Delta: 3 bytes, 0 descendants",
                "Node /c found only in right tree. Descendant size: 9. Descendant count: 2",
            ]
        );
        options = Options { bytes: 5, nodes: 1, debug: true, ..options };
        let lines = compare(&left, &right, &options);
        assert_eq!(lines[..3], ["Comparing /a to /b", "left is less", "Filtered left node /a of size 5"]);
        assert!(lines.contains(&"Filtered node /b of left size 1, right size 4".to_owned()));
        assert_eq!(lines.last().map(String::as_str), Some("Filtered left node /z of size 0"));
    }
}
