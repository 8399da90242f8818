//! The audit log (`audit.enable`): one line for each change that a client asked for, and for what ends with a session,
//! in ZooKeeper's form (`AuditEvent`), to the log's target `audit`. Failures are errors there, as with ZooKeeper.

use super::KeeperServer;
use crate::acl::AuthInfo;
use crate::database::TxnResult;
use crate::jute::Reader;
use crate::multi::{self, Op};
use crate::proto::{
    Acl, CreateRequest, CreateTtlRequest, DeleteRequest, OpCode, PathRequest, SetAclRequest, SetDataRequest, perms,
};
use crate::txn::{Txn, TxnEntry};
use ottla_base::hash::FixedMap;
use std::collections::VecDeque;
use std::fmt::Write;

/// Changes of one session whose outcome is not known yet, oldest first, with their request numbers.
pub(super) type Notes = FixedMap<i64, VecDeque<(i32, Note)>>;

/// What a request asked for.
#[derive(Clone, Debug)]
pub(super) struct Note {
    users: String,
    ip: String,
    operation: &'static str,
    path: Option<String>,
    znode_type: Option<&'static str>,
    acl: Option<String>,
    /// Of a multi: the kinds of nodes that it creates.
    parts: Vec<(String, &'static str)>,
}

/// Fields of a line; what is missing is left out.
#[derive(Clone, Copy, Debug, Default)]
struct Event<'a> {
    session: Option<i64>,
    user: &'a str,
    ip: Option<&'a str>,
    operation: &'a str,
    znode: Option<&'a str>,
    znode_type: Option<&'a str>,
    acl: Option<&'a str>,
    result: &'a str,
}

impl Event<'_> {
    fn to_line(self) -> String {
        let mut line = String::new();
        let mut field = |name: &str, value: &str| {
            if !line.is_empty() {
                line.push('\t');
            }
            line.push_str(name);
            line.push('=');
            // One event, one line, whatever a client calls itself or its nodes.
            line.extend(value.chars().map(|c| if c.is_control() { '?' } else { c }));
        };
        if let Some(session) = self.session {
            field("session", &format!("0x{session:x}"));
        }
        if !self.user.is_empty() {
            field("user", self.user);
        }
        let rest = [("ip", self.ip), ("operation", Some(self.operation)), ("znode", self.znode)];
        let rest = rest.into_iter().chain([("znode_type", self.znode_type), ("acl", self.acl)]);
        for (name, value) in rest {
            if let Some(value) = value {
                field(name, value);
            }
        }
        field("result", self.result);
        line
    }

    fn log(self) {
        let line = self.to_line();
        if self.result == "failure" {
            tracing::error!(target: "audit", "{line}");
        } else {
            tracing::info!(target: "audit", "{line}");
        }
    }
}

/// Tells of the server's own start (`serverStart`, `success`) and end (`serverStop`, `invoked`).
pub fn server_event(user: &str, operation: &str, result: &str) {
    Event { user, operation, result, ..Event::default() }.log();
}

impl KeeperServer {
    /// Remembers what was asked for until its outcome is known.
    pub(super) fn audit_request(
        &mut self,
        session: i64,
        ip: String,
        xid: i32,
        op: OpCode,
        body: &[u8],
        auth: &AuthInfo,
    ) {
        if let Some(note) = Note::of(op, body, auth, ip) {
            self.operator.notes.entry(session).or_default().push_back((xid, note));
        }
    }

    /// The newest request of a session was refused without a transaction.
    pub(super) fn audit_refused(&mut self, session: i64, xid: i32) {
        let Some(notes) = self.operator.notes.get_mut(&session) else { return };
        if notes.back().is_some_and(|(noted, _)| *noted == xid)
            && let Some((_, note)) = notes.pop_back()
        {
            note.log(session, note.operation, note.path.as_deref(), note.znode_type, false);
        }
        if notes.is_empty() {
            self.operator.notes.remove(&session);
        }
    }

    /// Before a transaction is applied: what ends with its session.
    pub(super) fn audit_before(&self, entry: &TxnEntry<'_>) {
        let Txn::CloseSession(listed) = &entry.txn else { return };
        let session = entry.header.client_id;
        let paths: Vec<&str> = match listed {
            Some(txn) => txn.paths.clone(),
            None => self.db.tree.ephemerals(session).collect(),
        };
        let environment = &self.config.info.environment;
        let user = environment.iter().find(|(key, _)| key == "user.name").map_or("", |(_, value)| value.as_str());
        for path in paths {
            let result = if self.db.tree.get(path).is_some() { "success" } else { "failure" };
            let operation = "ephemeralZNodeDeletionOnSessionCloseOrExpire";
            Event { session: Some(session), user, operation, znode: Some(path), result, ..Event::default() }.log();
        }
    }
}

/// After a transaction was applied: what became of the request that asked for it, if it came from here.
pub(super) fn audit_applied(all: &mut Notes, entry: &TxnEntry<'_>, result: &TxnResult<'_>) {
    let session = entry.header.client_id;
    let Some(notes) = all.get_mut(&session) else { return };
    // Those before it never became a transaction: their answers were lost with a leader.
    if let Some(at) = notes.iter().position(|(xid, _)| *xid == entry.header.cxid) {
        notes.drain(..at);
        if let Some((_, note)) = notes.pop_front() {
            note.applied(session, result);
        }
    }
    if notes.is_empty() || matches!(entry.txn, Txn::CloseSession(_)) {
        all.remove(&session);
    }
}

impl Note {
    /// `None` for requests that are not audited, or can't be read.
    fn of(op: OpCode, body: &[u8], auth: &AuthInfo, ip: String) -> Option<Self> {
        let mut reader = Reader::new(body);
        let mut note = Self {
            users: users(auth),
            ip,
            operation: "create",
            path: None,
            znode_type: None,
            acl: None,
            parts: Vec::new(),
        };
        match op {
            OpCode::Create | OpCode::Create2 | OpCode::CreateContainer => {
                let request: CreateRequest<'_> = reader.record().ok()?;
                note.path = Some(request.path.to_owned());
                note.znode_type = create_mode(request.flags);
            }
            OpCode::CreateTtl => {
                let request: CreateTtlRequest<'_> = reader.record().ok()?;
                note.path = Some(request.path.to_owned());
                note.znode_type = create_mode(request.flags);
            }
            OpCode::Delete => {
                note.operation = "delete";
                note.path = Some(reader.record::<DeleteRequest<'_>>().ok()?.path.to_owned());
            }
            OpCode::DeleteContainer => {
                note.operation = "delete";
                note.path = Some(reader.record::<PathRequest<'_>>().ok()?.path.to_owned());
            }
            OpCode::SetData => {
                note.operation = "setData";
                note.path = Some(reader.record::<SetDataRequest<'_>>().ok()?.path.to_owned());
            }
            OpCode::SetAcl => {
                let request: SetAclRequest<'_> = reader.record().ok()?;
                note.operation = "setAcl";
                note.acl = Some(acl_text(&request.acl));
                note.path = Some(request.path.to_owned());
            }
            OpCode::Multi => {
                note.operation = "multiOperation";
                for part in multi::read_ops(&mut reader).ok()? {
                    if let Op::Create(request) | Op::Create2(request) | Op::CreateContainer(request) = part
                        && let Some(mode) = create_mode(request.flags)
                    {
                        note.parts.push((request.path.to_owned(), mode));
                    }
                }
            }
            OpCode::Reconfig => note.operation = "reconfig",
            _ => return None,
        }
        Some(note)
    }

    fn applied(&self, session: i64, result: &TxnResult<'_>) {
        let failed = result.err != 0 || result.txn_type == OpCode::Error.code();
        if self.operation != "multiOperation" {
            // The path of a sequential node is known only now.
            let path = if failed || result.path.is_empty() { self.path.as_deref() } else { Some(result.path) };
            return self.log(session, self.operation, path, self.znode_type, !failed);
        }
        if failed || result.multi.iter().any(|part| part.txn_type == OpCode::Error.code()) {
            return self.log(session, self.operation, None, None, false);
        }
        for part in &result.multi {
            let operation = match OpCode::from_i32(part.txn_type) {
                Some(OpCode::Create | OpCode::Create2 | OpCode::CreateTtl | OpCode::CreateContainer) => "create",
                Some(OpCode::Delete | OpCode::DeleteContainer) => "delete",
                Some(OpCode::SetData) => "setData",
                _ => continue,
            };
            let mode = self.parts.iter().find(|(path, _)| operation == "create" && path == part.path);
            self.log(session, operation, Some(part.path), mode.map(|(_, mode)| *mode), true);
        }
    }

    fn log(&self, session: i64, operation: &str, path: Option<&str>, znode_type: Option<&str>, success: bool) {
        Event {
            session: Some(session),
            user: &self.users,
            ip: Some(&self.ip),
            operation,
            znode: path,
            znode_type,
            acl: self.acl.as_deref(),
            result: if success { "success" } else { "failure" },
        }
        .log();
    }
}

/// The names of all identities of a client: of a digest what comes before the colon.
#[doc(alias = "AuthUtil.getUsers")]
fn users(auth: &AuthInfo) -> String {
    let mut names = String::new();
    for (scheme, id) in auth {
        let name = match scheme.as_str() {
            "digest" => id.split(':').next().unwrap_or(""),
            "ip" => id,
            _ => continue,
        };
        if !names.is_empty() {
            names.push(',');
        }
        names.push_str(name);
    }
    names
}

/// `CreateMode` of a create request's flags; `None` when there is none.
fn create_mode(flags: i32) -> Option<&'static str> {
    Some(match flags {
        0 => "persistent",
        1 => "ephemeral",
        2 => "persistent_sequential",
        3 => "ephemeral_sequential",
        4 => "container",
        5 => "persistent_with_ttl",
        6 => "persistent_sequential_with_ttl",
        _ => return None,
    })
}

/// `scheme:id:cdrwa` of each entry, one behind the other.
#[doc(alias = "ZKUtil.aclToString")]
fn acl_text(list: &[Acl<'_>]) -> String {
    let mut text = String::new();
    for acl in list {
        // Writing to a string never fails.
        let _ = write!(text, "{}:{}:", acl.id.scheme, acl.id.id);
        let letters =
            [(perms::CREATE, 'c'), (perms::DELETE, 'd'), (perms::READ, 'r'), (perms::WRITE, 'w'), (perms::ADMIN, 'a')];
        text.extend(letters.into_iter().filter(|(bit, _)| acl.perms & bit != 0).map(|(_, letter)| letter));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_zookeepers() {
        let event = Event {
            session: Some(0x0100_00ba_52b4_0000),
            user: "127.0.0.1,u",
            ip: Some("127.0.0.1"),
            operation: "setAcl",
            znode: Some("/a"),
            znode_type: None,
            acl: Some("digest:u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=:cdrwa"),
            result: "success",
        };
        // As a real 3.9.5 wrote it.
        assert_eq!(
            event.to_line(),
            "session=0x10000ba52b40000\tuser=127.0.0.1,u\tip=127.0.0.1\toperation=setAcl\tznode=/a\t\
             acl=digest:u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=:cdrwa\tresult=success"
        );
        let start = Event { user: "root", operation: "serverStart", result: "success", ..Event::default() };
        assert_eq!(start.to_line(), "user=root\toperation=serverStart\tresult=success");
        let forged = Event { user: "u\nresult=success", operation: "create", result: "failure", ..Event::default() };
        assert_eq!(forged.to_line(), "user=u?result=success\toperation=create\tresult=failure");
    }

    #[test]
    fn identities_and_modes() {
        let auth = vec![
            ("ip".to_owned(), "127.0.0.1".to_owned()),
            ("super".to_owned(), String::new()),
            ("digest".to_owned(), "u:hash".to_owned()),
        ];
        assert_eq!(users(&auth), "127.0.0.1,u");
        assert_eq!((create_mode(6), create_mode(7)), (Some("persistent_sequential_with_ttl"), None));
    }
}
