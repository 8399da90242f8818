//! From a request to a transaction (`PrepRequestProcessor`): every check is made here, against the tree and what is
//! pending; what comes out applies without a question. A request that fails becomes an error transaction, so that it
//! keeps its place in the order.

mod reconfig;
mod sessions;
#[cfg(test)]
mod tests;

pub use reconfig::EnsembleView;

use crate::acl::{self, AclList, AuthInfo};
use crate::auth;
use crate::data_tree::DataTree;
use crate::digest::{ContentCrc, DIGEST_VERSION, StatPersisted};
use crate::ephemeral_type::{CONTAINER_OWNER, EphemeralType, ttl_owner};
use crate::jute::{Jute, Reader};
use crate::multi::{self, Op};
use crate::path;
use crate::pending::{PendingChanges, PendingNode, Savepoint};
use crate::proto::{
    Acl, CheckVersionRequest, CreateMode, CreateRequest, CreateTtlRequest, DeleteRequest, ErrorCode, Id, OPEN_ACL,
    OpCode, PathRequest, ReconfigRequest, SetAclRequest, SetDataRequest, perms,
};
use crate::quota::{self, QuotaStats};
use crate::session_tracker::{LOCAL_OWNER, Owner, SessionTracker};
use crate::txn::{
    CheckVersionTxn, CloseSessionTxn, CreateContainerTxn, CreateSessionTxn, CreateTtlTxn, CreateTxn, DeleteTxn,
    ErrorTxn, SetAclTxn, SetDataTxn, TxnDigest, TxnHeader,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A request that changes something, from a client of this server or forwarded by another one.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub session_id: i64,
    pub cxid: i32,
    /// An [`OpCode`] that changes something; createSession's body is a [`CreateSessionTxn`].
    pub op: OpCode,
    pub body: &'a [u8],
    pub auth: &'a AuthInfo,
    pub owner: Owner,
    /// Its session is known to this server alone, who says that it lives.
    pub local: bool,
}

/// Settings that decide what a request may do.
#[derive(Clone, Debug, Default)]
pub struct PrepConfig {
    /// `skipACL`
    pub skip_acl: bool,
    /// `enforceQuota`
    pub enforce_quota: bool,
    /// `reconfigEnabled`
    pub reconfig_enabled: bool,
    /// `standaloneEnabled`: an ensemble never has fewer than two voters.
    pub standalone_enabled: bool,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// Its transaction was appended to the output.
    Txn { zxid: i64 },
    /// It is no request at all: answered with the error, without a transaction.
    Refused(ErrorCode),
}

/// Turns requests into transactions.
#[doc(alias = "PrepRequestProcessor")]
#[derive(Debug)]
pub struct RequestProcessor {
    config: PrepConfig,
    pending: PendingChanges,
    last_zxid: i64,
    ensemble: Option<EnsembleView>,
    /// There are sessions that only other servers know; this server's own number, as in the ids of its sessions.
    local_sessions: Option<u8>,
}

/// What every check needs.
struct Context<'a> {
    tree: &'a DataTree,
    sessions: &'a mut SessionTracker,
    local_sessions: Option<u8>,
    request: Request<'a>,
    zxid: i64,
    time: i64,
    now_ms: u64,
}

impl RequestProcessor {
    /// `last_zxid`: the last transaction of the log.
    #[must_use]
    pub fn new(config: PrepConfig, last_zxid: i64) -> Self {
        Self { config, pending: PendingChanges::default(), last_zxid, ensemble: None, local_sessions: None }
    }

    /// The last transaction decided.
    #[must_use]
    pub fn last_zxid(&self) -> i64 {
        self.last_zxid
    }

    /// Starts a new epoch, or follows what another server decided; forgets what was pending.
    pub fn reset(&mut self, last_zxid: i64) {
        self.pending.clear();
        self.last_zxid = last_zxid;
    }

    /// Everything up to `zxid` was applied to the tree.
    pub fn applied(&mut self, zxid: i64) {
        self.pending.applied(zxid);
    }

    /// Decides about a request. Its transaction (header, record, digest) is appended to `out`. `time` is in
    /// milliseconds since 1970, `now_ms` on the clock of the session tracker.
    pub fn prepare(
        &mut self,
        tree: &DataTree,
        sessions: &mut SessionTracker,
        request: Request<'_>,
        time: i64,
        now_ms: u64,
        out: &mut Vec<u8>,
    ) -> Prepared {
        let zxid = self.last_zxid + 1;
        let start = out.len();
        let mut header =
            TxnHeader { client_id: request.session_id, cxid: request.cxid, zxid, time, txn_type: request.op.code() };
        header.write(out);
        let mut context = Context { tree, sessions, local_sessions: self.local_sessions, request, zxid, time, now_ms };
        match self.decide(&mut context, out) {
            Ok(()) => {}
            // Whoever forwarded it waits for a transaction in any case.
            Err(Failure::Unreadable) if request.op != OpCode::Multi && request.owner == LOCAL_OWNER => {
                out.truncate(start);
                return Prepared::Refused(ErrorCode::MarshallingError);
            }
            Err(failure) => {
                let code = match failure {
                    Failure::Code(code) => code,
                    Failure::Unreadable => ErrorCode::MarshallingError,
                };
                out.truncate(start);
                header.txn_type = OpCode::Error.code();
                header.write(out);
                ErrorTxn { err: code.code() }.write(out);
            }
        }
        TxnDigest { version: DIGEST_VERSION, tree_digest: self.pending.digest(tree) }.write(out);
        self.last_zxid = zxid;
        Prepared::Txn { zxid }
    }

    fn decide(&mut self, context: &mut Context<'_>, out: &mut Vec<u8>) -> Result<(), Failure> {
        let mut reader = Reader::new(context.request.body);
        match context.request.op {
            OpCode::Create | OpCode::Create2 | OpCode::CreateContainer => {
                let request: CreateRequest<'_> = reader.record()?;
                self.create(context, context.request.op, &CreateWhat::of(&request), None, out)?;
            }
            OpCode::CreateTtl => {
                let request: CreateTtlRequest<'_> = reader.record()?;
                self.create(context, OpCode::CreateTtl, &CreateWhat::of_ttl(&request), None, out)?;
            }
            OpCode::Delete => {
                let request: DeleteRequest<'_> = reader.record()?;
                self.delete(context, &request, None, out)?;
            }
            OpCode::DeleteContainer => {
                let request: PathRequest<'_> = reader.record()?;
                self.delete_container(context, request.path, out)?;
            }
            OpCode::SetData => {
                let request: SetDataRequest<'_> = reader.record()?;
                self.set_data(context, &request, None, out)?;
            }
            OpCode::SetAcl => {
                let request: SetAclRequest<'_> = reader.record()?;
                self.set_acl(context, &request, out)?;
            }
            OpCode::Multi => {
                let ops = multi::read_ops(&mut reader)?;
                self.multi(context, &ops, out)?;
            }
            OpCode::Reconfig => {
                let request: ReconfigRequest<'_> = reader.record()?;
                self.reconfig(context, &request, out)?;
            }
            OpCode::CreateSession => {
                let txn: CreateSessionTxn = reader.record()?;
                let timeout_ms = u32::try_from(txn.timeout_ms).unwrap_or(0);
                context.sessions.track(context.request.session_id, timeout_ms, context.now_ms);
                context.sessions.set_owner(context.request.session_id, context.request.owner)?;
                txn.write(out);
            }
            OpCode::CloseSession => self.close_session(context, out),
            _ => return Err(ErrorCode::Unimplemented.into()),
        }
        Ok(())
    }

    fn create(
        &mut self,
        context: &mut Context<'_>,
        op: OpCode,
        what: &CreateWhat<'_>,
        undo: Option<&mut Savepoint>,
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        let tree = context.tree;
        let mode = CreateMode::from_i32(what.flags).ok_or(ErrorCode::BadArguments)?;
        if mode.is_ttl() && !tree.extended_types() {
            return Err(ErrorCode::Unimplemented);
        }
        if mode.is_ttl() && ttl_owner(what.ttl).is_none() || !mode.is_ttl() && what.ttl >= 0 {
            return Err(ErrorCode::BadArguments);
        }
        if mode.is_ephemeral() {
            context.check_global_session()?;
        } else {
            context.check_session()?;
        }
        let (parent_path, _) = path::split(what.path).ok_or(ErrorCode::BadArguments)?;
        if what.path.contains('\0') {
            return Err(ErrorCode::BadArguments);
        }
        let acl = fix_acl(tree, what.acl, context.request.auth)?;
        let mut parent = self.pending.node(tree, parent_path)?;
        let mut parent_stat = parent.stat.ok_or(ErrorCode::NoNode)?;
        self.check_acl(context, &parent.acl, perms::CREATE)?;
        let sequential;
        let path = if mode.is_sequential() {
            sequential = format!("{}{:010}", what.path, parent_stat.cversion);
            &sequential
        } else {
            what.path
        };
        if !path::is_valid(path) {
            return Err(ErrorCode::BadArguments);
        }
        if self.pending.exists(tree, path) {
            return Err(ErrorCode::NodeExists);
        }
        if EphemeralType::of(parent_stat.ephemeral_owner, tree.extended_types()) == EphemeralType::Normal {
            return Err(ErrorCode::NoChildrenForEphemerals);
        }
        let data_len = what.data.map_or(0, <[u8]>::len);
        self.check_quota(tree, path, data_len as i64, 1)?;
        let parent_cversion = parent_stat.cversion.wrapping_add(1);
        let (data, ephemeral) = (what.data, mode.is_ephemeral());
        let acl_list = AclList::from_encoded(&acl);
        let owner = match op {
            OpCode::CreateContainer => {
                CreateContainerTxn { path, data, acl: acl_list, parent_cversion }.write(out);
                CONTAINER_OWNER
            }
            OpCode::CreateTtl => {
                CreateTtlTxn { path, data, acl: acl_list, parent_cversion, ttl: what.ttl }.write(out);
                ttl_owner(what.ttl).unwrap_or(0)
            }
            _ => {
                CreateTxn { path, data, acl: acl_list, ephemeral, parent_cversion }.write(out);
                if ephemeral { context.request.session_id } else { 0 }
            }
        };
        let mut undo = undo;
        parent_stat.cversion = parent_cversion;
        parent_stat.pzxid = context.zxid;
        parent.num_children += 1;
        parent.zxid = context.zxid;
        parent.stat = Some(parent_stat);
        self.pending.put(tree, parent_path, parent, undo.as_deref_mut());
        let node = PendingNode {
            zxid: context.zxid,
            stat: Some(StatPersisted::created(context.zxid, context.time, owner)),
            num_children: 0,
            acl,
            crc: ContentCrc::of(path, data.unwrap_or(&[])),
            data_len,
            // There is none yet, or it will be gone.
            digest: 0,
        };
        self.pending.put(tree, path, node, undo);
        Ok(())
    }

    fn delete(
        &mut self,
        context: &mut Context<'_>,
        request: &DeleteRequest<'_>,
        undo: Option<&mut Savepoint>,
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        context.check_session()?;
        let path = request.path;
        let parent_path = deletable_parent(path)?;
        let parent = self.pending.node(context.tree, parent_path)?;
        self.check_acl(context, &parent.acl, perms::DELETE)?;
        let node = self.pending.node(context.tree, path)?;
        next_version(node.stat.ok_or(ErrorCode::NoNode)?.version, request.version)?;
        if node.num_children > 0 {
            return Err(ErrorCode::NotEmpty);
        }
        DeleteTxn { path }.write(out);
        self.remove_pending(context, path, parent_path, parent, node, undo);
        Ok(())
    }

    /// Takes a container or TTL node away that has no children (any more); asked for by the server itself.
    fn delete_container(&mut self, context: &Context<'_>, path: &str, out: &mut Vec<u8>) -> Result<(), ErrorCode> {
        let parent_path = deletable_parent(path)?;
        let node = self.pending.node(context.tree, path)?;
        if node.num_children > 0 {
            return Err(ErrorCode::NotEmpty);
        }
        let owner = node.stat.ok_or(ErrorCode::NoNode)?.ephemeral_owner;
        match EphemeralType::of(owner, context.tree.extended_types()) {
            EphemeralType::Container | EphemeralType::Ttl(_) => {}
            // ZooKeeper stops at ephemeral nodes only; nobody but the clean-up should be able to ask at all.
            EphemeralType::Normal | EphemeralType::Void => return Err(ErrorCode::BadVersion),
        }
        let parent = self.pending.node(context.tree, parent_path)?;
        DeleteTxn { path }.write(out);
        self.remove_pending(context, path, parent_path, parent, node, None);
        Ok(())
    }

    fn remove_pending(
        &mut self,
        context: &Context<'_>,
        path: &str,
        parent_path: &str,
        mut parent: PendingNode,
        mut node: PendingNode,
        mut undo: Option<&mut Savepoint>,
    ) {
        parent.zxid = context.zxid;
        parent.num_children -= 1;
        if let Some(stat) = &mut parent.stat {
            stat.pzxid = context.zxid;
        }
        self.pending.put(context.tree, parent_path, parent, undo.as_deref_mut());
        node.zxid = context.zxid;
        node.stat = None;
        self.pending.put(context.tree, path, node, undo);
    }

    fn set_data(
        &mut self,
        context: &mut Context<'_>,
        request: &SetDataRequest<'_>,
        undo: Option<&mut Savepoint>,
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        context.check_session()?;
        let path = valid(request.path)?;
        let mut node = self.pending.node(context.tree, path)?;
        self.check_acl(context, &node.acl, perms::WRITE)?;
        let data_len = request.data.map_or(0, <[u8]>::len);
        self.check_quota(context.tree, path, data_len as i64 - node.data_len as i64, 0)?;
        let mut stat = node.stat.ok_or(ErrorCode::NoNode)?;
        stat.version = next_version(stat.version, request.version)?;
        SetDataTxn { path, data: request.data, version: stat.version }.write(out);
        stat.mtime = context.time;
        stat.mzxid = context.zxid;
        node.zxid = context.zxid;
        node.stat = Some(stat);
        node.crc = ContentCrc::of(path, request.data.unwrap_or(&[]));
        node.data_len = data_len;
        self.pending.put(context.tree, path, node, undo);
        Ok(())
    }

    fn set_acl(
        &mut self,
        context: &mut Context<'_>,
        request: &SetAclRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        context.check_session()?;
        let path = valid(request.path)?;
        let acl = fix_acl(context.tree, &request.acl, context.request.auth)?;
        let mut node = self.pending.node(context.tree, path)?;
        self.check_acl(context, &node.acl, perms::ADMIN)?;
        let mut stat = node.stat.ok_or(ErrorCode::NoNode)?;
        stat.aversion = next_version(stat.aversion, request.version)?;
        SetAclTxn { path, acl: AclList::from_encoded(&acl), version: stat.aversion }.write(out);
        node.zxid = context.zxid;
        node.stat = Some(stat);
        // ZooKeeper keeps the old list in its pending record; the new one is what the next request must pass.
        node.acl = acl;
        self.pending.put(context.tree, path, node, None);
        Ok(())
    }

    fn check(
        &mut self,
        context: &mut Context<'_>,
        request: &CheckVersionRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        context.check_session()?;
        let path = valid(request.path)?;
        let node = self.pending.node(context.tree, path)?;
        self.check_acl(context, &node.acl, perms::READ)?;
        let version = next_version(node.stat.ok_or(ErrorCode::NoNode)?.version, request.version)?;
        CheckVersionTxn { path, version }.write(out);
        Ok(())
    }

    /// All or nothing: after the first failure everything decided so far is taken back, and the rest is not tried.
    fn multi(&mut self, context: &mut Context<'_>, ops: &[Op<'_>], out: &mut Vec<u8>) -> Result<(), Failure> {
        let mut savepoint = self.pending.savepoint();
        let mut failed = None;
        (ops.len() as i32).write(out);
        for op in ops {
            let start = out.len();
            op.op_code().code().write(out);
            0.write(out);
            let record = out.len();
            let undo = Some(&mut savepoint);
            let result = match (&failed, op) {
                (Some(_), _) => Err(ErrorCode::RuntimeInconsistency),
                (None, Op::Create(r) | Op::Create2(r) | Op::CreateContainer(r)) => {
                    self.create(context, op.op_code(), &CreateWhat::of(r), undo, out)
                }
                (None, Op::CreateTtl(r)) => self.create(context, OpCode::CreateTtl, &CreateWhat::of_ttl(r), undo, out),
                (None, Op::Delete(r)) => self.delete(context, r, undo, out),
                (None, Op::SetData(r)) => self.set_data(context, r, undo, out),
                (None, Op::Check(r)) => self.check(context, r, out),
                (None, Op::GetData(_) | Op::GetChildren(_)) => return Err(Failure::Unreadable),
            };
            if let Err(code) = result {
                failed.get_or_insert(code);
                out.truncate(start);
                OpCode::Error.code().write(out);
                4.write(out);
                ErrorTxn { err: code.code() }.write(out);
                continue;
            }
            let len = (out.len() - record) as i32;
            out[record - 4..record].copy_from_slice(&len.to_be_bytes());
        }
        if failed.is_some() {
            self.pending.roll_back(savepoint);
        }
        Ok(())
    }

    /// The session's ephemeral nodes go with it, also those whose creation is still pending.
    fn close_session(&mut self, context: &mut Context<'_>, out: &mut Vec<u8>) {
        let session = context.request.session_id;
        let mut paths: BTreeSet<String> = context.tree.ephemerals(session).map(str::to_owned).collect();
        for (path, owner) in self.pending.owners() {
            if owner == Some(session) {
                paths.insert(path.to_owned());
            } else {
                // Gone by then, or there again as somebody else's.
                paths.remove(path);
            }
        }
        CloseSessionTxn { paths: paths.iter().map(String::as_str).collect() }.write(out);
        for path in &paths {
            let Some((parent_path, _)) = path::split(path) else { continue };
            let (Ok(parent), Ok(node)) =
                (self.pending.node(context.tree, parent_path), self.pending.node(context.tree, path))
            else {
                continue;
            };
            self.remove_pending(context, path, parent_path, parent, node, None);
        }
        context.sessions.set_closing(session);
    }

    fn check_acl(&self, context: &Context<'_>, list: &Arc<[u8]>, perm: i32) -> Result<(), ErrorCode> {
        if self.config.skip_acl || acl::allows(AclList::from_encoded(list), perm, context.request.auth) {
            Ok(())
        } else {
            Err(ErrorCode::NoAuth)
        }
    }

    fn check_quota(&self, tree: &DataTree, path: &str, bytes_diff: i64, count_diff: i64) -> Result<(), ErrorCode> {
        if !self.config.enforce_quota {
            return Ok(());
        }
        let Some(quota_path) = tree.quota_path(path) else { return Ok(()) };
        let read = |name: &str| {
            let node = tree.get(&format!("{}{quota_path}/{name}", quota::QUOTA_ROOT))?;
            Some(QuotaStats::parse(node.data().unwrap_or(&[])))
        };
        match (read(quota::LIMITS), read(quota::STATS)) {
            (Some(limits), Some(now)) if now.exceeds(&limits, bytes_diff, count_diff) => Err(ErrorCode::QuotaExceeded),
            _ => Ok(()),
        }
    }
}

/// The part that all create requests share.
struct CreateWhat<'a> {
    path: &'a str,
    data: Option<&'a [u8]>,
    acl: &'a [Acl<'a>],
    flags: i32,
    /// -1: none.
    ttl: i64,
}

impl<'a> CreateWhat<'a> {
    fn of(r: &'a CreateRequest<'a>) -> Self {
        Self { path: r.path, data: r.data, acl: &r.acl, flags: r.flags, ttl: -1 }
    }

    fn of_ttl(r: &'a CreateTtlRequest<'a>) -> Self {
        Self { path: r.path, data: r.data, acl: &r.acl, flags: r.flags, ttl: r.ttl }
    }
}

/// Why a request does not become what it asked for.
enum Failure {
    Code(ErrorCode),
    /// Its bytes are not a request.
    Unreadable,
}

impl From<ErrorCode> for Failure {
    fn from(code: ErrorCode) -> Self {
        Self::Code(code)
    }
}

impl From<crate::jute::JuteError> for Failure {
    fn from(_: crate::jute::JuteError) -> Self {
        Self::Unreadable
    }
}

fn valid(path: &str) -> Result<&str, ErrorCode> {
    if path::is_valid(path) { Ok(path) } else { Err(ErrorCode::BadArguments) }
}

/// The parent of a path that may be deleted at all.
fn deletable_parent(path: &str) -> Result<&str, ErrorCode> {
    match path {
        "/" | "/zookeeper" | quota::QUOTA_ROOT | "/zookeeper/config" => Err(ErrorCode::BadArguments),
        _ if path.contains('\0') => Err(ErrorCode::BadArguments),
        _ => path::split(path).map(|(parent, _)| parent).ok_or(ErrorCode::BadArguments),
    }
}

fn next_version(current: i32, expected: i32) -> Result<i32, ErrorCode> {
    if expected != -1 && expected != current {
        return Err(ErrorCode::BadVersion);
    }
    Ok(current.wrapping_add(1))
}

/// The list as it will be stored, encoded: no duplicates, `auth` replaced by who asks, every id valid in its scheme.
#[doc(alias = "fixupACL")]
fn fix_acl(tree: &DataTree, asked: &[Acl<'_>], auth_info: &AuthInfo) -> Result<Arc<[u8]>, ErrorCode> {
    if asked == [OPEN_ACL] {
        return Ok(Arc::clone(tree.acls().open()));
    }
    let mut fixed: Vec<Acl<'_>> = Vec::with_capacity(asked.len());
    for (i, acl) in asked.iter().enumerate() {
        if asked[..i].contains(acl) {
            continue;
        }
        if acl.id == OPEN_ACL.id {
            fixed.push(*acl);
        } else if acl.id.scheme == "auth" {
            let before = fixed.len();
            for (scheme, id) in auth_info.iter().filter(|(scheme, _)| auth::is_authenticated(scheme)) {
                fixed.push(Acl { perms: acl.perms, id: Id { scheme, id } });
            }
            if fixed.len() == before {
                return Err(ErrorCode::InvalidAcl);
            }
        } else if auth::is_valid_id(acl.id.scheme, acl.id.id) {
            fixed.push(*acl);
        } else {
            return Err(ErrorCode::InvalidAcl);
        }
    }
    if fixed.is_empty() {
        return Err(ErrorCode::InvalidAcl);
    }
    let list = acl::encode(&fixed);
    Ok(tree.acls().shared(&list).unwrap_or_else(|| list.into()))
}
