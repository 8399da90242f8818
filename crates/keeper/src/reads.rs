//! Requests that only read, and what sets watches: served from the tree as it is (`FinalRequestProcessor`).

use crate::acl::{self, AclList, AuthInfo};
use crate::auth;
use crate::data_tree::NodeRef;
use crate::database::Database;
use crate::jute::{Jute, JuteError, Reader};
use crate::multi::{self, Op};
use crate::proto::{
    Acl, AddWatchMode, AddWatchRequest, ClientInfo, ErrorCode, EventType, Id, MULTI_END, MultiHeader, OpCode,
    PathRequest, PathWatchRequest, SetWatches, SetWatches2, WatcherType, WatchesRequest, WhoAmIResponse, perms,
};
use crate::watch_manager::{ConnId, Watches};

/// Who reads.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub db: &'a Database,
    pub conn: ConnId,
    pub session_id: i64,
    pub auth: &'a AuthInfo,
    pub skip_acl: bool,
}

impl From<JuteError> for ErrorCode {
    fn from(_: JuteError) -> Self {
        Self::MarshallingError
    }
}

impl<'a> Reading<'a> {
    /// Answers a request: the response's body is appended to `out`; after an error what was appended is void.
    pub fn serve(self, op: OpCode, body: &[u8], watches: &mut Watches, out: &mut Vec<u8>) -> Result<(), ErrorCode> {
        let mut reader = Reader::new(body);
        match op {
            OpCode::Ping => Ok(()),
            OpCode::Exists => self.exists(&reader.record()?, watches, out),
            OpCode::GetData => self.get_data(&reader.record()?, watches, out),
            OpCode::GetAcl => self.get_acl(reader.record::<PathRequest<'_>>()?.path, out),
            OpCode::GetChildren => self.get_children(&reader.record()?, watches, out).map(drop),
            OpCode::GetChildren2 => {
                let node = self.get_children(&reader.record()?, watches, out)?;
                node.stat().write(out);
                Ok(())
            }
            OpCode::Sync => {
                reader.record::<PathRequest<'_>>()?.path.write(out);
                Ok(())
            }
            OpCode::MultiRead => self.multi_read(&multi::read_ops(&mut reader)?, watches, out),
            OpCode::CheckWatches | OpCode::RemoveWatches => {
                let request: WatchesRequest<'_> = reader.record()?;
                let kind = WatcherType::from_i32(request.watcher_type).ok_or(ErrorCode::MarshallingError)?;
                let found = match op {
                    OpCode::CheckWatches => watches.contains(request.path, kind, self.conn),
                    _ => watches.remove(request.path, kind, self.conn),
                };
                if found { Ok(()) } else { Err(ErrorCode::NoWatcher) }
            }
            OpCode::AddWatch => {
                let request: AddWatchRequest<'_> = reader.record()?;
                match AddWatchMode::from_i32(request.mode).ok_or(ErrorCode::MarshallingError)? {
                    AddWatchMode::Persistent => watches.add_persistent(request.path, self.conn),
                    AddWatchMode::PersistentRecursive => watches.add_recursive(request.path, self.conn),
                }
                0.write(out);
                Ok(())
            }
            OpCode::GetEphemerals => {
                self.get_ephemerals(reader.record::<PathRequest<'_>>()?.path, out);
                Ok(())
            }
            OpCode::GetAllChildrenNumber => {
                let path = reader.record::<PathRequest<'_>>()?.path;
                self.readable(path)?;
                (self.db.tree().descendant_count(path) as i32).write(out);
                Ok(())
            }
            OpCode::WhoAmI => {
                self.who_am_i(out);
                Ok(())
            }
            _ => Err(ErrorCode::Unimplemented),
        }
    }

    fn node(self, path: &str) -> Result<NodeRef<'a>, ErrorCode> {
        self.db.tree().get(path).ok_or(ErrorCode::NoNode)
    }

    fn check(self, node: &NodeRef<'_>, perm: i32) -> Result<(), ErrorCode> {
        if self.skip_acl || acl::allows(AclList::from_encoded(node.acl()), perm, self.auth) {
            Ok(())
        } else {
            Err(ErrorCode::NoAuth)
        }
    }

    fn readable(self, path: &str) -> Result<NodeRef<'a>, ErrorCode> {
        let node = self.node(path)?;
        self.check(&node, perms::READ)?;
        Ok(node)
    }

    fn exists(self, request: &PathWatchRequest<'_>, watches: &mut Watches, out: &mut Vec<u8>) -> Result<(), ErrorCode> {
        if request.path.contains('\0') {
            return Err(ErrorCode::BadArguments);
        }
        let node = self.node(request.path);
        if let Ok(node) = &node {
            self.check(node, perms::READ)?;
        }
        // Of a node that is not there, the watch waits for it.
        if request.watch {
            watches.add_data(request.path, self.conn);
        }
        node?.stat().write(out);
        Ok(())
    }

    fn get_data(
        self,
        request: &PathWatchRequest<'_>,
        watches: &mut Watches,
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        let node = self.readable(request.path)?;
        if request.watch {
            watches.add_data(request.path, self.conn);
        }
        node.data().write(out);
        node.stat().write(out);
        Ok(())
    }

    fn get_children(
        self,
        request: &PathWatchRequest<'_>,
        watches: &mut Watches,
        out: &mut Vec<u8>,
    ) -> Result<NodeRef<'a>, ErrorCode> {
        let node = self.readable(request.path)?;
        if request.watch {
            watches.add_child(request.path, self.conn);
        }
        let children = node.children();
        (children.len() as i32).write(out);
        children.for_each(|name| name.write(out));
        Ok(node)
    }

    /// The list as it is for those who may change it; for others the digests are hidden.
    fn get_acl(self, path: &str, out: &mut Vec<u8>) -> Result<(), ErrorCode> {
        let node = self.node(path)?;
        self.check(&node, perms::READ | perms::ADMIN)?;
        let list = AclList::from_encoded(node.acl());
        if self.check(&node, perms::ADMIN).is_ok() {
            list.write(out);
        } else {
            let hidden: Vec<(Acl<'_>, String)> = list
                .iter()
                .map(|acl| match (acl.id.scheme, acl.id.id.split_once(':')) {
                    ("digest", Some((user, _))) => (acl, format!("{user}:x")),
                    _ => (acl, acl.id.id.to_owned()),
                })
                .collect();
            (hidden.len() as i32).write(out);
            for (acl, id) in &hidden {
                Acl { perms: acl.perms, id: Id { scheme: acl.id.scheme, id } }.write(out);
            }
        }
        node.stat().write(out);
        Ok(())
    }

    fn multi_read(self, ops: &[Op<'_>], watches: &mut Watches, out: &mut Vec<u8>) -> Result<(), ErrorCode> {
        for op in ops {
            let start = out.len();
            MultiHeader { op: op.op_code().code(), done: false, err: 0 }.write(out);
            let result = match op {
                Op::GetData(request) => self.get_data(request, watches, out),
                Op::GetChildren(request) => self.get_children(request, watches, out).map(drop),
                _ => return Err(ErrorCode::MarshallingError),
            };
            if let Err(code) = result {
                out.truncate(start);
                write_multi_error(code.code(), out);
            }
        }
        MULTI_END.write(out);
        Ok(())
    }

    fn get_ephemerals(self, prefix: &str, out: &mut Vec<u8>) {
        let all = matches!(prefix.trim(), "" | "/");
        let paths: Vec<&str> =
            self.db.tree().ephemerals(self.session_id).filter(|path| all || path.starts_with(prefix)).collect();
        paths.write(out);
    }

    fn who_am_i(self, out: &mut Vec<u8>) {
        let client_info = self
            .auth
            .iter()
            .map(|(scheme, id)| ClientInfo {
                auth_scheme: scheme,
                user: if auth::is_known(scheme) || auth::is_authenticated(scheme) { user_name(scheme, id) } else { "" },
            })
            .collect();
        WhoAmIResponse { client_info }.write(out);
    }
}

/// The part of an id that may be shown.
pub(crate) fn user_name<'a>(scheme: &str, id: &'a str) -> &'a str {
    if scheme == "digest" { id.split(':').next().unwrap_or("") } else { id }
}

/// The result of a part of a multi that failed or was not tried.
pub(crate) fn write_multi_error(err: i32, out: &mut Vec<u8>) {
    MultiHeader { op: OpCode::Error.code(), done: false, err }.write(out);
    err.write(out);
}

/// Sets a client's watches again after it came back: `fire` gets what changed while it was away.
pub(crate) fn set_watches(
    db: &Database,
    op: OpCode,
    body: &[u8],
    conn: ConnId,
    watches: &mut Watches,
    mut fire: impl FnMut(EventType, &str),
) -> Result<(), ErrorCode> {
    let mut reader = Reader::new(body);
    let request = if op == OpCode::SetWatches2 {
        reader.record::<SetWatches2<'_>>()?
    } else {
        let SetWatches { relative_zxid, data_watches, exist_watches, child_watches } = reader.record()?;
        SetWatches2 { relative_zxid, data_watches, exist_watches, child_watches, ..Default::default() }
    };
    let tree = db.tree();
    for path in request.data_watches {
        match tree.get(path) {
            None => fire(EventType::NodeDeleted, path),
            Some(node) if node.stat_persisted().mzxid > request.relative_zxid => fire(EventType::NodeDataChanged, path),
            Some(_) => watches.add_data(path, conn),
        }
    }
    for path in request.exist_watches {
        match tree.get(path) {
            Some(_) => fire(EventType::NodeCreated, path),
            None => watches.add_data(path, conn),
        }
    }
    for path in request.child_watches {
        match tree.get(path) {
            None => fire(EventType::NodeDeleted, path),
            Some(node) if node.stat_persisted().pzxid > request.relative_zxid => {
                fire(EventType::NodeChildrenChanged, path);
            }
            Some(_) => watches.add_child(path, conn),
        }
    }
    request.persistent_watches.iter().for_each(|path| watches.add_persistent(path, conn));
    request.persistent_recursive_watches.iter().for_each(|path| watches.add_recursive(path, conn));
    Ok(())
}
