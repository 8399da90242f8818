//! Changes that clients ask for, as frames, and what ZooKeeper's rules make of them.

use std::collections::BTreeMap;

use ottla_keeper::jute::{Jute, Reader};
use ottla_keeper::multi::{self, Op};
use ottla_keeper::proto::{
    CheckVersionRequest, CreateMode, CreateRequest, DeleteRequest, ErrorCode, ErrorResponse, MultiHeader, OPEN_ACL,
    OpCode, SetDataRequest, Stat,
};

use super::Check;
use super::model::{Model, Znode, parent_of};

/// One change; version -1 is any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Create { path: String, data: Vec<u8>, mode: CreateMode },
    Set { path: String, data: Vec<u8>, version: i32 },
    Delete { path: String, version: i32 },
    Check { path: String, version: i32 },
}

impl Step {
    fn op(&self) -> Op<'_> {
        match self {
            Self::Create { path, data, mode } => {
                Op::Create(CreateRequest { path, data: Some(data), acl: vec![OPEN_ACL], flags: mode.code() })
            }
            Self::Set { path, data, version } => {
                Op::SetData(SetDataRequest { path, data: Some(data), version: *version })
            }
            Self::Delete { path, version } => Op::Delete(DeleteRequest { path, version: *version }),
            Self::Check { path, version } => Op::Check(CheckVersionRequest { path, version: *version }),
        }
    }

    fn path(&self) -> &str {
        match self {
            Self::Create { path, .. }
            | Self::Set { path, .. }
            | Self::Delete { path, .. }
            | Self::Check { path, .. } => path,
        }
    }
}

/// The request of one step, or of a multi of several.
#[must_use]
pub fn encode(steps: &[Step], multi: bool) -> (OpCode, Vec<u8>) {
    let ops: Vec<Op<'_>> = steps.iter().map(Step::op).collect();
    if multi {
        let mut body = Vec::new();
        multi::write_ops(&ops, &mut body);
        return (OpCode::Multi, body);
    }
    match &ops[0] {
        Op::Create(request) => (OpCode::Create, request.to_bytes()),
        Op::SetData(request) => (OpCode::SetData, request.to_bytes()),
        Op::Delete(request) => (OpCode::Delete, request.to_bytes()),
        Op::Check(request) => (OpCode::Check, request.to_bytes()),
        _ => unreachable!("no step makes it"),
    }
}

/// An answer: what each step was told, or the first that failed and why.
type Told = Result<Vec<Part>, (usize, i32)>;

/// What a step that succeeded was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Created(String),
    Set(Stat),
    Nothing,
}

/// Reads the answer to [`encode`].
fn told(steps: &[Step], multi: bool, err: i32, body: &[u8]) -> Result<Told, String> {
    let mut reader = Reader::new(body);
    if err != 0 {
        return Ok(Err((0, err)));
    }
    let mut parts = Vec::new();
    let mut failed = None;
    for (index, step) in steps.iter().enumerate() {
        if multi {
            let header: MultiHeader = reader.record().map_err(|e| format!("the answer to a multi: {e}"))?;
            if header.op == OpCode::Error.code() && !header.done {
                let code = reader.record::<ErrorResponse>().map_err(|e| e.to_string())?.err;
                if code != 0 && code != ErrorCode::RuntimeInconsistency.code() {
                    failed = failed.or(Some((index, code)));
                }
                continue;
            }
        }
        parts.push(match step {
            Step::Create { .. } => {
                Part::Created(reader.record::<&str>().map_err(|e| format!("a path: {e}"))?.to_owned())
            }
            Step::Set { .. } => Part::Set(reader.record().map_err(|e| format!("a stat: {e}"))?),
            Step::Delete { .. } | Step::Check { .. } => Part::Nothing,
        });
    }
    Ok(failed.map_or(Ok(parts), Err))
}

/// The tree just before a transaction, and what the steps before did to it.
struct Before<'a> {
    model: &'a Model,
    zxid: i64,
    session: i64,
    changed: BTreeMap<String, Option<Znode>>,
}

impl Before<'_> {
    fn get(&self, path: &str) -> Option<Znode> {
        match self.changed.get(path) {
            Some(changed) => changed.clone(),
            None => self.model.at(path, self.zxid - 1).cloned(),
        }
    }

    fn has_children(&self, path: &str) -> bool {
        let prefix = format!("{path}/");
        let before = self.model.children_at(path, self.zxid - 1);
        before.iter().any(|name| !matches!(self.changed.get(&format!("{prefix}{name}")), Some(None)))
            || self.changed.iter().any(|(path, node)| node.is_some() && path.starts_with(&prefix))
    }

    /// `name` is the path that a create was answered, as a sequential one gets it.
    fn run(&mut self, step: &Step, name: Option<&str>) -> Result<(), ErrorCode> {
        let right = |node: &Znode, version: i32| version == -1 || version == node.version;
        let old = self.get(step.path());
        match step {
            Step::Create { path, data, mode } => {
                let parent = parent_of(path);
                let parent_node = self.get(parent);
                if parent != "/" && parent_node.is_none() {
                    return Err(ErrorCode::NoNode);
                }
                let path = if mode.is_sequential() { name.unwrap_or("") } else { path };
                if self.get(path).is_some() {
                    return Err(ErrorCode::NodeExists);
                }
                if parent_node.is_some_and(|node| node.owner != 0) {
                    return Err(ErrorCode::NoChildrenForEphemerals);
                }
                let owner = if mode.is_ephemeral() { self.session } else { 0 };
                let node = Znode { data: data.clone(), version: 0, czxid: self.zxid, mzxid: self.zxid, owner };
                self.changed.insert(path.to_owned(), Some(node));
                return Ok(());
            }
            Step::Set { path, data, version } => {
                let node = old.ok_or(ErrorCode::NoNode)?;
                if !right(&node, *version) {
                    return Err(ErrorCode::BadVersion);
                }
                let node = Znode { data: data.clone(), version: node.version + 1, mzxid: self.zxid, ..node };
                self.changed.insert(path.clone(), Some(node));
            }
            Step::Delete { path, version } => {
                if !right(&old.ok_or(ErrorCode::NoNode)?, *version) {
                    return Err(ErrorCode::BadVersion);
                }
                if self.has_children(path) {
                    return Err(ErrorCode::NotEmpty);
                }
                self.changed.insert(path.clone(), None);
            }
            Step::Check { version, .. } => {
                if !right(&old.ok_or(ErrorCode::NoNode)?, *version) {
                    return Err(ErrorCode::BadVersion);
                }
            }
        }
        Ok(())
    }
}

/// Compares the answer to a change with what the tree before its transaction must lead to, and with the tree after it.
pub fn verify(model: &Model, session: i64, zxid: i64, steps: &[Step], multi: bool, err: i32, body: &[u8]) -> Check {
    let told = told(steps, multi, err, body)?;
    let mut before = Before { model, zxid, session, changed: BTreeMap::new() };
    let mut expected = Ok(());
    for (index, step) in steps.iter().enumerate() {
        let name = match told.as_ref().ok().and_then(|parts| parts.get(index)) {
            Some(Part::Created(name)) => Some(name.as_str()),
            _ => None,
        };
        if let Err(code) = before.run(step, name) {
            expected = Err((index, code.code()));
            break;
        }
    }
    match (&told, &expected) {
        (Err(told), Err(expected)) if told == expected => Ok(()),
        (Ok(parts), Ok(())) => after(model, zxid, steps, parts, &before),
        _ => Err(format!("{steps:?} was answered {told:?} at {zxid:#x}, expected {expected:?}")),
    }
}

fn after(model: &Model, zxid: i64, steps: &[Step], parts: &[Part], before: &Before<'_>) -> Check {
    for (path, node) in &before.changed {
        if model.at(path, zxid) != node.as_ref() {
            return Err(format!("{steps:?} made {:?} of {path} at {zxid:#x}, expected {node:?}", model.at(path, zxid)));
        }
    }
    for (step, part) in steps.iter().zip(parts) {
        let right = match (step, part) {
            (Step::Create { path, mode, .. }, Part::Created(name)) if mode.is_sequential() => {
                name.strip_prefix(path.as_str()).is_some_and(|number| number.len() == 10)
            }
            (Step::Create { path, .. }, Part::Created(name)) => name == path,
            // Of a multi's middle nothing is known but the zxid.
            (Step::Set { .. }, Part::Set(stat)) if parts.len() > 1 => stat.mzxid == zxid,
            (Step::Set { path, .. }, Part::Set(stat)) => {
                model.at(path, zxid).is_some_and(|node| node.version == stat.version && stat.mzxid == zxid)
            }
            _ => true,
        };
        if !right {
            return Err(format!("{step:?} was answered {part:?} at {zxid:#x}"));
        }
    }
    Ok(())
}
