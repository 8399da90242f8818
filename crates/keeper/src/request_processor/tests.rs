//! Whose requests are decided.

use super::*;
use crate::session_tracker::owner_of;
use crate::txn::{Txn, TxnEntry};

/// What a session may that only another server knows (or that has ended): the error of its request, or 0.
fn create(processor: &mut RequestProcessor, session_id: i64, local: bool, flags: i32) -> i32 {
    let (tree, mut sessions) = (DataTree::new(false), SessionTracker::new(2_000, 1));
    let body = CreateRequest { path: "/a", data: None, acl: vec![OPEN_ACL], flags }.to_bytes();
    let owner = if local { LOCAL_OWNER } else { owner_of(2) };
    let auth = Vec::new();
    let request = Request { session_id, cxid: 1, op: OpCode::Create, body: &body, auth: &auth, owner, local };
    let mut out = Vec::new();
    processor.prepare(&tree, &mut sessions, request, 5, 5, &mut out);
    match TxnEntry::decode(&out).expect("a transaction").txn {
        Txn::Error(error) => error.err,
        _ => 0,
    }
}

#[test]
fn sessions_that_only_another_server_knows() {
    let (of_first, of_second) = (1 << 56 | 5, 2 << 56 | 5);
    let code = |code: ErrorCode| code.code();
    let mut strict = RequestProcessor::new(PrepConfig::default(), 7);
    assert_eq!(create(&mut strict, of_second, false, 0), code(ErrorCode::UnknownSession));
    assert_eq!(create(&mut strict, of_second, false, 1), code(ErrorCode::SessionExpired));
    let processor = || {
        let mut processor = RequestProcessor::new(PrepConfig::default(), 7);
        processor.allow_local_sessions(1);
        processor
    };
    assert_eq!(create(&mut processor(), of_second, false, 0), 0);
    assert_eq!(create(&mut processor(), of_second, false, 1), code(ErrorCode::SessionExpired));
    assert_eq!(create(&mut processor(), of_first, false, 0), code(ErrorCode::UnknownSession), "it would be known here");
    assert_eq!(create(&mut processor(), of_first, true, 0), 0);
    assert_eq!(create(&mut processor(), of_first, true, 1), code(ErrorCode::EphemeralOnLocalSession));
}

/// Session 7 deletes its ephemeral node, session 8 makes one of the same name that stays, and all that is decided while
/// session 7 is closed.
#[test]
fn what_somebody_else_made_again_stays() {
    let (mut db, mut sessions) = (crate::database::Database::new(false), SessionTracker::new(2_000, 1));
    let mut processor = RequestProcessor::new(PrepConfig::default(), 7);
    for session in [7, 8] {
        sessions.track(session, 10_000, 0);
    }
    let auth = Vec::new();
    let create = |flags: i32| CreateRequest { path: "/a", data: None, acl: vec![OPEN_ACL], flags }.to_bytes();
    let mut decide = |db: &crate::database::Database, session_id: i64, op: OpCode, body: &[u8]| {
        let request = Request { session_id, cxid: 1, op, body, auth: &auth, owner: LOCAL_OWNER, local: false };
        let mut out = Vec::new();
        processor.prepare(db.tree(), &mut sessions, request, 5, 5, &mut out);
        out
    };
    let made = decide(&db, 7, OpCode::Create, &create(1));
    db.apply(&TxnEntry::decode(&made).expect("a transaction"), &mut ());
    assert_eq!(db.tree().ephemerals(7).count(), 1);
    decide(&db, 7, OpCode::Delete, &crate::proto::DeleteRequest { path: "/a", version: -1 }.to_bytes());
    decide(&db, 8, OpCode::Create, &create(0));
    let closed = decide(&db, 7, OpCode::CloseSession, &[]);
    match TxnEntry::decode(&closed).expect("a transaction").txn {
        Txn::CloseSession(Some(txn)) => assert_eq!(txn.paths, Vec::<&str>::new()),
        other => panic!("{other:?}"),
    }
}
