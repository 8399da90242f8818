//! Operations to bytes and answers back to replies.

use ottla_keeper::jute::{Jute, JuteError, Reader};
use ottla_keeper::ops::{AclEntry, CreateMode, KeeperError, KeeperOp, KeeperReply};
use ottla_keeper::proto::{self, AddWatchMode, ErrorCode, OpCode, RequestHeader, Stat, WatcherType};

use super::connect_string::ConnectString;
use super::watches::{WatchKind, of_mode};

/// What a client may ask beyond [`KeeperOp`]: the broker never needs it, a shell does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ExtraOp {
    AddWatch {
        path: String,
        mode: AddWatchMode,
    },
    RemoveWatches {
        path: String,
        kind: WatcherType,
    },
    GetEphemerals {
        prefix: String,
    },
    AllChildrenNumber {
        path: String,
    },
    WhoAmI,
    /// `/zookeeper/config`, wherever the chroot is.
    GetConfig {
        watch: bool,
    },
    Reconfig {
        joining: Option<String>,
        leaving: Option<String>,
        members: Option<String>,
        from_config: i64,
    },
}

/// The answer to either kind of operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Reply(KeeperReply),
    Done,
    Paths(Vec<String>),
    Number(i32),
    Clients(Vec<(String, String)>),
}

/// Either kind of operation.
#[derive(Clone, Debug)]
pub(super) enum AnyOp {
    Op(KeeperOp),
    Extra(ExtraOp),
    CloseSession,
}

/// How to read the answer to an operation that was sent.
#[derive(Clone, Debug)]
pub(super) enum Expect {
    /// The answer has the path alone; the rest is known from the request.
    Created {
        ephemeral: bool,
        data_length: i32,
    },
    /// The answer has the stat too.
    Created2,
    Deleted,
    Stat,
    Data,
    Children,
    /// Of a multi: without the stat.
    ChildrenOnly,
    Acl,
    Checked,
    Multi(Vec<Expect>),
    Synced,
    Nothing,
    Paths,
    Number,
    Clients,
}

/// What to remember of an operation until it is answered.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) expect: Expect,
    /// The watch that it leaves, with the server's path.
    pub(super) watch: Option<(WatchKind, String)>,
    /// The watches that it takes away, with the server's path.
    pub(super) unwatch: Option<(WatcherType, String)>,
}

/// What the answers need to know of the session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) paths: &'a ConnectString,
    pub(super) session_id: i64,
    /// The server does not know create2 (3.4).
    pub(super) old_create: bool,
}

/// Appends header and body of `op`; the error is what the caller is told when the operation makes no sense.
pub(super) fn encode(context: Context<'_>, xid: i32, op: &AnyOp, out: &mut Vec<u8>) -> Result<Sent, KeeperError> {
    match op {
        AnyOp::Op(KeeperOp::Multi(ops)) => multi(context, xid, ops, out),
        AnyOp::Op(op) => {
            let header_at = out.len();
            RequestHeader { xid, op: 0 }.write(out);
            let (code, sent) = single(context, op, !context.old_create, out)?;
            out[header_at + 4..header_at + 8].copy_from_slice(&code.code().to_be_bytes());
            Ok(sent)
        }
        AnyOp::Extra(op) => Ok(extra(context, xid, op, out)),
        AnyOp::CloseSession => {
            RequestHeader { xid, op: OpCode::CloseSession.code() }.write(out);
            Ok(Sent::plain(Expect::Nothing))
        }
    }
}

impl Sent {
    fn plain(expect: Expect) -> Self {
        Self { expect, watch: None, unwatch: None }
    }

    fn watching(expect: Expect, watch: bool, kind: WatchKind, path: String) -> Self {
        Self { expect, watch: watch.then_some((kind, path)), unwatch: None }
    }
}

/// Appends the body of `op` and tells its code.
fn single(
    context: Context<'_>,
    op: &KeeperOp,
    create2: bool,
    out: &mut Vec<u8>,
) -> Result<(OpCode, Sent), KeeperError> {
    let server = |path: &str| context.paths.to_server(path);
    Ok(match op {
        KeeperOp::Create { path, data, acl, mode } => create(&server(path), data.as_deref(), acl, *mode, create2, out),
        KeeperOp::Delete { path, version } => {
            proto::DeleteRequest { path: &server(path), version: *version }.write(out);
            (OpCode::Delete, Sent::plain(Expect::Deleted))
        }
        KeeperOp::SetData { path, data, version } => {
            proto::SetDataRequest { path: &server(path), data: data.as_deref(), version: *version }.write(out);
            (OpCode::SetData, Sent::plain(Expect::Stat))
        }
        KeeperOp::GetData { path, watch } => {
            let path = path_watch(server(path), *watch, out);
            (OpCode::GetData, Sent::watching(Expect::Data, *watch, WatchKind::Data, path))
        }
        KeeperOp::Exists { path, watch } => {
            let path = path_watch(server(path), *watch, out);
            (OpCode::Exists, Sent::watching(Expect::Stat, *watch, WatchKind::Exists, path))
        }
        KeeperOp::GetChildren { path, watch } => {
            let path = path_watch(server(path), *watch, out);
            (OpCode::GetChildren2, Sent::watching(Expect::Children, *watch, WatchKind::Children, path))
        }
        KeeperOp::GetAcl { path } => {
            proto::PathRequest { path: &server(path) }.write(out);
            (OpCode::GetAcl, Sent::plain(Expect::Acl))
        }
        KeeperOp::SetAcl { path, acl, version } => {
            proto::SetAclRequest { path: &server(path), acl: acls(acl), version: *version }.write(out);
            (OpCode::SetAcl, Sent::plain(Expect::Stat))
        }
        KeeperOp::Check { path, version } => {
            proto::CheckVersionRequest { path: &server(path), version: *version }.write(out);
            (OpCode::Check, Sent::plain(Expect::Checked))
        }
        KeeperOp::Sync { path } => {
            proto::PathRequest { path: &server(path) }.write(out);
            (OpCode::Sync, Sent::plain(Expect::Synced))
        }
        KeeperOp::Multi(_) => return Err(KeeperError::Code(ErrorCode::BadArguments)),
    })
}

fn path_watch(path: String, watch: bool, out: &mut Vec<u8>) -> String {
    proto::PathWatchRequest { path: &path, watch }.write(out);
    path
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
    create2: bool,
    out: &mut Vec<u8>,
) -> (OpCode, Sent) {
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
    let flags = flag.code();
    if let Some(ttl) = ttl {
        proto::CreateTtlRequest { path, data, acl: acls(acl), flags, ttl }.write(out);
        return (OpCode::CreateTtl, Sent::plain(Expect::Created2));
    }
    proto::CreateRequest { path, data, acl: acls(acl), flags }.write(out);
    match (flag, create2) {
        (Flag::Container, _) => (OpCode::CreateContainer, Sent::plain(Expect::Created2)),
        (_, true) => (OpCode::Create2, Sent::plain(Expect::Created2)),
        (_, false) => {
            let data_length = data.map_or(0, |data| data.len() as i32);
            (OpCode::Create, Sent::plain(Expect::Created { ephemeral: flag.is_ephemeral(), data_length }))
        }
    }
}

/// A multi of writes, or of reads when all of them read (multiRead, 3.6). Creates go in the old form, which every
/// server takes; their stat follows from the transaction's id.
fn multi(context: Context<'_>, xid: i32, ops: &[KeeperOp], out: &mut Vec<u8>) -> Result<Sent, KeeperError> {
    let is_read = |op: &KeeperOp| matches!(op, KeeperOp::GetData { .. } | KeeperOp::GetChildren { .. });
    let reads = ops.iter().filter(|op| is_read(op)).count();
    if reads != 0 && reads != ops.len() {
        return Err(KeeperError::Code(ErrorCode::BadArguments));
    }
    let code = if reads > 0 { OpCode::MultiRead } else { OpCode::Multi };
    RequestHeader { xid, op: code.code() }.write(out);
    let mut expects = Vec::with_capacity(ops.len());
    for op in ops {
        let header_at = out.len();
        proto::MultiHeader { op: 0, done: false, err: -1 }.write(out);
        let (mut code, mut sent) = single(context, op, false, out)?;
        if code == OpCode::GetChildren2 {
            (code, sent.expect) = (OpCode::GetChildren, Expect::ChildrenOnly);
        }
        let allowed = matches!(
            code,
            OpCode::Create
                | OpCode::CreateTtl
                | OpCode::CreateContainer
                | OpCode::Delete
                | OpCode::SetData
                | OpCode::Check
                | OpCode::GetData
                | OpCode::GetChildren
        );
        if !allowed {
            return Err(KeeperError::Code(ErrorCode::BadArguments));
        }
        out[header_at..header_at + 4].copy_from_slice(&code.code().to_be_bytes());
        expects.push(sent.expect);
    }
    proto::MULTI_END.write(out);
    Ok(Sent::plain(Expect::Multi(expects)))
}

fn extra(context: Context<'_>, xid: i32, op: &ExtraOp, out: &mut Vec<u8>) -> Sent {
    let mut header = |code: OpCode| {
        RequestHeader { xid, op: code.code() }.write(out);
    };
    match op {
        ExtraOp::AddWatch { path, mode } => {
            header(OpCode::AddWatch);
            let path = context.paths.to_server(path);
            proto::AddWatchRequest { path: &path, mode: mode.code() }.write(out);
            Sent::watching(Expect::Nothing, true, of_mode(*mode), path)
        }
        ExtraOp::RemoveWatches { path, kind } => {
            header(OpCode::RemoveWatches);
            let path = context.paths.to_server(path);
            proto::WatchesRequest { path: &path, watcher_type: kind.code() }.write(out);
            Sent { expect: Expect::Nothing, watch: None, unwatch: Some((*kind, path)) }
        }
        ExtraOp::GetEphemerals { prefix } => {
            header(OpCode::GetEphemerals);
            proto::PathRequest { path: &context.paths.to_server(prefix) }.write(out);
            Sent::plain(Expect::Paths)
        }
        ExtraOp::AllChildrenNumber { path } => {
            header(OpCode::GetAllChildrenNumber);
            proto::PathRequest { path: &context.paths.to_server(path) }.write(out);
            Sent::plain(Expect::Number)
        }
        ExtraOp::WhoAmI => {
            header(OpCode::WhoAmI);
            Sent::plain(Expect::Clients)
        }
        ExtraOp::GetConfig { watch } => {
            header(OpCode::GetData);
            let path = path_watch("/zookeeper/config".to_owned(), *watch, out);
            Sent::watching(Expect::Data, *watch, WatchKind::Data, path)
        }
        ExtraOp::Reconfig { joining, leaving, members, from_config } => {
            header(OpCode::Reconfig);
            proto::ReconfigRequest {
                joining_servers: joining.as_deref(),
                leaving_servers: leaving.as_deref(),
                new_members: members.as_deref(),
                cur_config_id: *from_config,
            }
            .write(out);
            Sent::plain(Expect::Data)
        }
    }
}

/// Reads the body of an answer without error; `zxid` is its header's. An `Err` means that the bytes are not what they
/// should be; the inner result is the operation's.
pub(super) fn decode(
    context: Context<'_>,
    expect: &Expect,
    zxid: i64,
    body: &mut Reader<'_>,
) -> Result<Result<Answer, KeeperError>, JuteError> {
    Ok(Ok(match expect {
        Expect::Nothing => Answer::Done,
        Expect::Paths => {
            let answer: proto::GetEphemeralsResponse<'_> = body.record()?;
            Answer::Paths(answer.ephemerals.iter().map(|path| context.paths.to_client(path).to_owned()).collect())
        }
        Expect::Number => Answer::Number(body.int()?),
        Expect::Clients => {
            let answer: proto::WhoAmIResponse<'_> = body.record()?;
            let own = |info: &proto::ClientInfo<'_>| (info.auth_scheme.to_owned(), info.user.to_owned());
            Answer::Clients(answer.client_info.iter().map(own).collect())
        }
        Expect::Multi(expects) => match decode_multi(context, expects, zxid, body)? {
            Ok(replies) => Answer::Reply(KeeperReply::Multi(replies)),
            Err(e) => return Ok(Err(e)),
        },
        single => Answer::Reply(decode_single(context, single, zxid, body)?),
    }))
}

fn decode_single(
    context: Context<'_>,
    expect: &Expect,
    zxid: i64,
    body: &mut Reader<'_>,
) -> Result<KeeperReply, JuteError> {
    let client = |path: &str| context.paths.to_client(path).to_owned();
    Ok(match expect {
        Expect::Created { ephemeral, data_length } => {
            let path = client(body.record::<proto::CreateResponse<'_>>()?.path);
            let ephemeral_owner = if *ephemeral { context.session_id } else { 0 };
            let data_length = *data_length;
            let stat = Stat { czxid: zxid, mzxid: zxid, pzxid: zxid, ephemeral_owner, data_length, ..Stat::default() };
            KeeperReply::Created { path, stat }
        }
        Expect::Created2 => {
            let answer: proto::Create2Response<'_> = body.record()?;
            KeeperReply::Created { path: client(answer.path), stat: answer.stat }
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
        Expect::Multi(_) | Expect::Nothing | Expect::Paths | Expect::Number | Expect::Clients => {
            return Err(JuteError::BadValue(0));
        }
    })
}

/// A refused multi answers OK for the operations before the one that failed and RUNTIMEINCONSISTENCY for those after
/// it, so the first error is the cause.
fn decode_multi(
    context: Context<'_>,
    expects: &[Expect],
    zxid: i64,
    body: &mut Reader<'_>,
) -> Result<Result<Vec<KeeperReply>, KeeperError>, JuteError> {
    let mut replies = Vec::with_capacity(expects.len());
    let mut refused = None;
    for (index, expect) in expects.iter().enumerate() {
        let header: proto::MultiHeader = body.record()?;
        if header.done {
            return Err(JuteError::Truncated);
        }
        if header.op == OpCode::Error.code() {
            let err = body.int()?;
            if err != 0 && refused.is_none() {
                let code = ErrorCode::from_i32(err).unwrap_or(ErrorCode::SystemError);
                refused = Some(KeeperError::Multi { index, code });
            }
        } else {
            replies.push(decode_single(context, expect, zxid, body)?);
        }
    }
    let end: proto::MultiHeader = body.record()?;
    match refused {
        Some(refused) => Ok(Err(refused)),
        None if end.done && replies.len() == expects.len() => Ok(Ok(replies)),
        None => Err(JuteError::BadValue(end.op)),
    }
}
