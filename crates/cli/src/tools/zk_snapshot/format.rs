//! A snapshot node by node, as `SnapshotFormatter` prints it; children are sorted.

use ottla_keeper::auth::base64;
use ottla_keeper::digest::StatPersisted;

use super::Loaded;
use crate::output::Out;
use crate::time::{java_date, now_ms};
use crate::tool::Outcome;

pub fn details(loaded: &Loaded, data: bool) -> Outcome {
    let mut out = Out::new();
    let tree = loaded.database.tree();
    out.line(&format!("ZNode Details (count={}):", tree.node_count()))?;
    let mut last_zxid = loaded.zxid;
    let mut open = vec!["/".to_owned()];
    while let Some(path) = open.pop() {
        let Some(node) = tree.get(&path) else { continue };
        let stat = node.stat_persisted();
        last_zxid = last_zxid.max(stat.mzxid).max(stat.pzxid);
        out.line(&format!("----\n{path}\n{}", stat_text(&stat)))?;
        out.line(&match data {
            true => format!("  data = {}", base64(node.data().unwrap_or_default())),
            false => format!("  dataLength = {}", node.data().map_or(0, <[u8]>::len)),
        })?;
        open.extend(loaded.children(&path).into_iter().rev());
    }
    out.line("----\nSession Details (sid, timeout, ephemeralCount):")?;
    for (id, timeout_ms) in loaded.database.sessions() {
        out.line(&format!("{id:#016x}, {timeout_ms}, {}", tree.ephemerals(*id).count()))?;
    }
    out.line(&format!("----\nLast zxid: 0x{last_zxid:x}"))?;
    out.flush()
}

fn stat_text(s: &StatPersisted) -> String {
    format!(
        "  cZxid = {:#016x}\n  ctime = {}\n  mZxid = {:#016x}\n  mtime = {}\n  pZxid = {:#016x}\n  cversion = {}\n  \
         dataVersion = {}\n  aclVersion = {}\n  ephemeralOwner = {:#016x}",
        s.czxid,
        java_date(s.ctime),
        s.mzxid,
        java_date(s.mtime),
        s.pzxid,
        s.cversion,
        s.version,
        s.aversion,
        s.ephemeral_owner
    )
}

/// What is left to write of a tree as nested lists.
enum Step {
    Node(String),
    Close,
}

/// Names and sizes in ncdu's format.
pub fn json(loaded: &Loaded) -> Outcome {
    let mut out = Out::new();
    out.text(&format!(
        "[1,0,{{\"progname\":\"SnapshotFormatter.java\",\"progver\":\"0.01\",\"timestamp\":{}}}",
        now_ms()
    ))?;
    // So that ncdu takes each node for a file of its own.
    let mut inode = 1_000;
    let mut steps = vec![Step::Node("/".to_owned())];
    while let Some(step) = steps.pop() {
        let Step::Node(path) = step else {
            out.text("]")?;
            continue;
        };
        inode += 1;
        let name = if path == "/" { "/" } else { path.rsplit('/').next().unwrap_or_default() };
        let (name, len) = (serde_json::Value::from(name), loaded.data_len(&path));
        let children = loaded.children(&path);
        let begin = if children.is_empty() { "," } else { ",[" };
        out.text(&format!("{begin}{{\"name\":{name},\"asize\":{len},\"dsize\":{len},\"dev\":0,\"ino\":{inode}}}"))?;
        if !children.is_empty() {
            steps.push(Step::Close);
            steps.extend(children.into_iter().rev().map(Step::Node));
        }
    }
    out.text("]\n")?;
    out.flush()
}
