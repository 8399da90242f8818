//! Keeper operations to frames, and answers back to replies.

use ottla_keeper::jute::{Jute, JuteError, Reader};
use ottla_keeper::ops::{AclEntry, CreateMode, KeeperError, KeeperOp, KeeperReply, KeeperResult};
use ottla_keeper::proto::{self, ErrorCode, OpCode, RequestHeader, Stat};

/// How to read the answer to an operation.
#[derive(Clone, Debug)]
pub enum Expect {
    Created2,
    /// Of a multi: the path alone.
    Created {
        ephemeral: bool,
        data_length: i32,
    },
    Deleted,
    Stat,
    Data,
    Children,
    ChildrenOnly,
    Acl,
    Checked,
    Synced,
    Multi(Vec<Expect>),
}

/// Which watch a request leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    Data,
    Exists,
    Children,
}

/// The frame of `op` without its length, how to read its answer, and the watch it leaves.
#[must_use]
pub fn encode(xid: i32, op: &KeeperOp) -> (Vec<u8>, Expect, Option<(Watch, String)>) {
    let mut body = Vec::new();
    if let KeeperOp::Multi(ops) = op {
        let reads = ops.iter().any(|op| matches!(op, KeeperOp::GetData { .. } | KeeperOp::GetChildren { .. }));
        let code = if reads { OpCode::MultiRead } else { OpCode::Multi };
        let mut expects = Vec::new();
        for op in ops {
            let mut part = Vec::new();
            let (code, expect) = single(op, true, &mut part);
            proto::MultiHeader { op: code.code(), done: false, err: -1 }.write(&mut body);
            body.extend(part);
            expects.push(expect);
        }
        proto::MULTI_END.write(&mut body);
        return (with_header(xid, code, &body), Expect::Multi(expects), None);
    }
    let (code, expect) = single(op, false, &mut body);
    let watch = match op {
        KeeperOp::GetData { path, watch: true } => Some((Watch::Data, path.clone())),
        KeeperOp::Exists { path, watch: true } => Some((Watch::Exists, path.clone())),
        KeeperOp::GetChildren { path, watch: true } => Some((Watch::Children, path.clone())),
        _ => None,
    };
    (with_header(xid, code, &body), expect, watch)
}

fn with_header(xid: i32, code: OpCode, body: &[u8]) -> Vec<u8> {
    let mut frame = RequestHeader { xid, op: code.code() }.to_bytes();
    frame.extend_from_slice(body);
    frame
}

fn single(op: &KeeperOp, in_multi: bool, out: &mut Vec<u8>) -> (OpCode, Expect) {
    match op {
        KeeperOp::Create { path, data, acl, mode } => create(path, data.as_deref(), acl, *mode, in_multi, out),
        KeeperOp::Delete { path, version } => {
            proto::DeleteRequest { path, version: *version }.write(out);
            (OpCode::Delete, Expect::Deleted)
        }
        KeeperOp::SetData { path, data, version } => {
            proto::SetDataRequest { path, data: data.as_deref(), version: *version }.write(out);
            (OpCode::SetData, Expect::Stat)
        }
        KeeperOp::GetData { path, watch } => {
            proto::PathWatchRequest { path, watch: *watch }.write(out);
            (OpCode::GetData, Expect::Data)
        }
        KeeperOp::Exists { path, watch } => {
            proto::PathWatchRequest { path, watch: *watch }.write(out);
            (OpCode::Exists, Expect::Stat)
        }
        KeeperOp::GetChildren { path, watch } => {
            proto::PathWatchRequest { path, watch: *watch }.write(out);
            if in_multi {
                (OpCode::GetChildren, Expect::ChildrenOnly)
            } else {
                (OpCode::GetChildren2, Expect::Children)
            }
        }
        KeeperOp::GetAcl { path } => {
            proto::PathRequest { path }.write(out);
            (OpCode::GetAcl, Expect::Acl)
        }
        KeeperOp::SetAcl { path, acl, version } => {
            proto::SetAclRequest { path, acl: acls(acl), version: *version }.write(out);
            (OpCode::SetAcl, Expect::Stat)
        }
        KeeperOp::Check { path, version } => {
            proto::CheckVersionRequest { path, version: *version }.write(out);
            (OpCode::Check, Expect::Checked)
        }
        KeeperOp::Sync { path } => {
            proto::PathRequest { path }.write(out);
            (OpCode::Sync, Expect::Synced)
        }
        KeeperOp::Multi(_) => unreachable!("a multi is never in a multi"),
    }
}

fn acls(entries: &[AclEntry]) -> Vec<proto::Acl<'_>> {
    entries
        .iter()
        .map(|entry| proto::Acl { perms: entry.perms, id: proto::Id { scheme: &entry.scheme, id: &entry.id } })
        .collect()
}

fn create(
    path: &str,
    data: Option<&[u8]>,
    acl: &[AclEntry],
    mode: CreateMode,
    in_multi: bool,
    out: &mut Vec<u8>,
) -> (OpCode, Expect) {
    use proto::CreateMode as Flag;
    let (flag, ttl) = match mode {
        CreateMode::Persistent => (Flag::Persistent, None),
        CreateMode::PersistentSequential => (Flag::PersistentSequential, None),
        CreateMode::Ephemeral => (Flag::Ephemeral, None),
        CreateMode::EphemeralSequential => (Flag::EphemeralSequential, None),
        CreateMode::Container => (Flag::Container, None),
        CreateMode::PersistentWithTtl { ttl_ms } => (Flag::PersistentWithTtl, Some(ttl_ms)),
        CreateMode::PersistentSequentialWithTtl { ttl_ms } => (Flag::PersistentSequentialWithTtl, Some(ttl_ms)),
    };
    let (acl, flags) = (acls(acl), flag.code());
    if let Some(ttl) = ttl {
        proto::CreateTtlRequest { path, data, acl, flags, ttl }.write(out);
        return (OpCode::CreateTtl, Expect::Created2);
    }
    proto::CreateRequest { path, data, acl, flags }.write(out);
    match flag {
        Flag::Container => (OpCode::CreateContainer, Expect::Created2),
        _ if in_multi => {
            let data_length = data.map_or(0, |data| data.len() as i32);
            (OpCode::Create, Expect::Created { ephemeral: flag.is_ephemeral(), data_length })
        }
        _ => (OpCode::Create2, Expect::Created2),
    }
}

/// Reads the body of an answer without error. The outer error says that the bytes are not what they should be.
pub fn decode(expect: &Expect, zxid: i64, session_id: i64, body: &mut Reader<'_>) -> Result<KeeperResult, JuteError> {
    Ok(match expect {
        Expect::Multi(expects) => decode_multi(expects, zxid, session_id, body)?,
        expect => Ok(decode_single(expect, zxid, session_id, body)?),
    })
}

fn decode_single(expect: &Expect, zxid: i64, session_id: i64, body: &mut Reader<'_>) -> Result<KeeperReply, JuteError> {
    Ok(match expect {
        Expect::Created { ephemeral, data_length } => {
            let path = body.record::<proto::CreateResponse<'_>>()?.path.to_owned();
            let ephemeral_owner = if *ephemeral { session_id } else { 0 };
            let data_length = *data_length;
            let stat = Stat { czxid: zxid, mzxid: zxid, pzxid: zxid, ephemeral_owner, data_length, ..Stat::default() };
            KeeperReply::Created { path, stat }
        }
        Expect::Created2 => {
            let answer: proto::Create2Response<'_> = body.record()?;
            KeeperReply::Created { path: answer.path.to_owned(), stat: answer.stat }
        }
        Expect::Deleted => KeeperReply::Deleted,
        Expect::Checked => KeeperReply::Checked,
        Expect::Stat => KeeperReply::Stat(body.record()?),
        Expect::Data => {
            let answer: proto::GetDataResponse<'_> = body.record()?;
            KeeperReply::Data { data: answer.data.map(<[u8]>::to_vec), stat: answer.stat }
        }
        Expect::Children | Expect::ChildrenOnly => {
            let names: Vec<&str> = body.record()?;
            let stat = if matches!(expect, Expect::Children) { body.record()? } else { Stat::default() };
            KeeperReply::Children { children: names.into_iter().map(str::to_owned).collect(), stat }
        }
        Expect::Acl => {
            let answer: proto::GetAclResponse<'_> = body.record()?;
            KeeperReply::Acl { acl: answer.acl.iter().map(AclEntry::from).collect(), stat: answer.stat }
        }
        Expect::Synced => {
            body.record::<proto::SyncResponse<'_>>()?;
            KeeperReply::Synced
        }
        Expect::Multi(_) => return Err(JuteError::BadValue(0)),
    })
}

/// The first error is the cause; operations after it are told RUNTIMEINCONSISTENCY, those before it OK.
fn decode_multi(
    expects: &[Expect],
    zxid: i64,
    session_id: i64,
    body: &mut Reader<'_>,
) -> Result<KeeperResult, JuteError> {
    let mut replies = Vec::with_capacity(expects.len());
    let mut refused = None;
    for (index, expect) in expects.iter().enumerate() {
        let header: proto::MultiHeader = body.record()?;
        if header.op != OpCode::Error.code() {
            replies.push(decode_single(expect, zxid, session_id, body)?);
            continue;
        }
        let err = body.int()?;
        if err != 0 && refused.is_none() {
            let code = ErrorCode::from_i32(err).unwrap_or(ErrorCode::SystemError);
            refused = Some(KeeperError::Multi { index, code });
        }
    }
    let end: proto::MultiHeader = body.record()?;
    match refused {
        Some(refused) => Ok(Err(refused)),
        None if end.done && replies.len() == expects.len() => Ok(Ok(KeeperReply::Multi(replies))),
        None => Err(JuteError::BadValue(end.op)),
    }
}
