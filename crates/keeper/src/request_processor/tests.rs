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
