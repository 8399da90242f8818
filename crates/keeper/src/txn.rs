//! Transactions: what a change of the tree is once it was decided (`zookeeper.jute`, module `txn`). The log, the
//! proposals between servers and the replay all carry the same bytes: [`TxnHeader`], the record of its type, and
//! [`TxnDigest`].

use crate::acl::AclList;
use crate::jute::{JuteError, Reader, record};
use crate::proto::OpCode;

record! {
    #[derive(Copy)]
    TxnHeader {
        /// The session that asked.
        client_id: i64,
        cxid: i32,
        zxid: i64,
        /// Milliseconds since 1970.
        time: i64,
        /// An [`OpCode`].
        txn_type: i32,
    }
    /// create and create2.
    CreateTxn<'a> { path: &'a str, data: Option<&'a [u8]>, acl: AclList<'a>, ephemeral: bool, parent_cversion: i32 }
    /// create as servers before 3.4 logged it.
    CreateTxnV0<'a> { path: &'a str, data: Option<&'a [u8]>, acl: AclList<'a>, ephemeral: bool }
    CreateContainerTxn<'a> { path: &'a str, data: Option<&'a [u8]>, acl: AclList<'a>, parent_cversion: i32 }
    CreateTtlTxn<'a> { path: &'a str, data: Option<&'a [u8]>, acl: AclList<'a>, parent_cversion: i32, ttl: i64 }
    /// delete and deleteContainer.
    DeleteTxn<'a> { path: &'a str }
    /// setData and reconfig; `version` is the new one.
    SetDataTxn<'a> { path: &'a str, data: Option<&'a [u8]>, version: i32 }
    /// `version` is the new one.
    SetAclTxn<'a> { path: &'a str, acl: AclList<'a>, version: i32 }
    CheckVersionTxn<'a> { path: &'a str, version: i32 }
    CreateSessionTxn { timeout_ms: i32 }
    /// The ephemeral nodes that go with the session.
    CloseSessionTxn<'a> { paths: Vec<&'a str> }
    ErrorTxn { err: i32 }
    /// A part of a multi.
    SubTxn<'a> { txn_type: i32, data: Option<&'a [u8]> }
    MultiTxn<'a> { txns: Vec<SubTxn<'a>> }
    /// The tree's digest after the transaction.
    #[derive(Copy)]
    TxnDigest { version: i32, tree_digest: i64 }
}

impl TxnHeader {
    /// Length of the encoding in bytes.
    pub const ENCODED_LEN: usize = 32;
}

/// A decoded transaction record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Txn<'a> {
    Create(CreateTxn<'a>),
    Create2(CreateTxn<'a>),
    CreateContainer(CreateContainerTxn<'a>),
    CreateTtl(CreateTtlTxn<'a>),
    Delete(DeleteTxn<'a>),
    SetData(SetDataTxn<'a>),
    SetAcl(SetAclTxn<'a>),
    Check(CheckVersionTxn<'a>),
    CreateSession(CreateSessionTxn),
    /// `None`: logged by a server that did not list the nodes.
    CloseSession(Option<CloseSessionTxn<'a>>),
    Multi(MultiTxn<'a>),
    Error(ErrorTxn),
}

impl<'a> Txn<'a> {
    /// Reads the record of a transaction of this type.
    pub fn read(txn_type: i32, reader: &mut Reader<'a>) -> Result<Self, JuteError> {
        Ok(match OpCode::from_i32(txn_type) {
            Some(OpCode::Create) => Self::Create(read_create(reader)?),
            Some(OpCode::Create2) => Self::Create2(reader.record()?),
            Some(OpCode::CreateContainer) => Self::CreateContainer(reader.record()?),
            Some(OpCode::CreateTtl) => Self::CreateTtl(reader.record()?),
            Some(OpCode::Delete | OpCode::DeleteContainer) => Self::Delete(reader.record()?),
            Some(OpCode::SetData | OpCode::Reconfig) => Self::SetData(reader.record()?),
            Some(OpCode::SetAcl) => Self::SetAcl(reader.record()?),
            Some(OpCode::Check) => Self::Check(reader.record()?),
            Some(OpCode::CreateSession) => Self::CreateSession(reader.record()?),
            Some(OpCode::CloseSession) => Self::CloseSession(read_close_session(reader)?),
            Some(OpCode::Multi) => Self::Multi(reader.record()?),
            Some(OpCode::Error) => Self::Error(reader.record()?),
            _ => return Err(JuteError::BadValue(txn_type)),
        })
    }
}

fn read_create<'a>(reader: &mut Reader<'a>) -> Result<CreateTxn<'a>, JuteError> {
    let mut old = reader.clone();
    match reader.record::<CreateTxn<'a>>() {
        Err(JuteError::Truncated) => {
            let CreateTxnV0 { path, data, acl, ephemeral } = old.record()?;
            *reader = old;
            // -1: the replay counts the parent's version on by itself.
            Ok(CreateTxn { path, data, acl, ephemeral, parent_cversion: -1 })
        }
        other => other,
    }
}

fn read_close_session<'a>(reader: &mut Reader<'a>) -> Result<Option<CloseSessionTxn<'a>>, JuteError> {
    if reader.is_empty() {
        return Ok(None);
    }
    // An old record is empty but may have a digest behind it, which can't be told from a list with certainty; a list
    // must leave either nothing or a whole digest.
    let mut ahead = reader.clone();
    match ahead.record::<CloseSessionTxn<'a>>() {
        Ok(txn) if ahead.is_empty() || ahead.rest().len() == 12 => {
            *reader = ahead;
            Ok(Some(txn))
        }
        Ok(_) | Err(_) if reader.rest().len() == 12 => Ok(None),
        Ok(txn) => {
            *reader = ahead;
            Ok(Some(txn))
        }
        Err(e) => Err(e),
    }
}

/// A transaction as the log holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxnEntry<'a> {
    pub header: TxnHeader,
    pub txn: Txn<'a>,
    /// `None` when the writer made no digests.
    pub digest: Option<TxnDigest>,
}

impl<'a> TxnEntry<'a> {
    /// Decodes header, record and digest.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, JuteError> {
        let mut reader = Reader::new(bytes);
        let header: TxnHeader = reader.record()?;
        let txn = Txn::read(header.txn_type, &mut reader)?;
        let digest = reader.record().ok();
        Ok(Self { header, txn, digest })
    }
}

/// When an encoded transaction was decided, in milliseconds since 1970, without reading the rest.
pub fn time_of(bytes: &[u8]) -> Result<i64, JuteError> {
    Ok(Reader::new(bytes).record::<TxnHeader>()?.time)
}

/// The zxid of an encoded transaction, without reading the rest.
pub fn zxid_of(bytes: &[u8]) -> Result<i64, JuteError> {
    Ok(Reader::new(bytes).record::<TxnHeader>()?.zxid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl;
    use crate::jute::Jute;
    use crate::proto::OPEN_ACL;

    fn encoded(header: &TxnHeader, record: &impl for<'x> Jute<'x>, digest: Option<TxnDigest>) -> Vec<u8> {
        let mut out = header.to_bytes();
        record.write(&mut out);
        if let Some(digest) = digest {
            digest.write(&mut out);
        }
        out
    }

    #[test]
    fn entries_decode_with_and_without_digest() {
        let header = TxnHeader { client_id: 7, cxid: 1, zxid: 9, time: 5, txn_type: OpCode::CreateSession.code() };
        let digest = TxnDigest { version: 2, tree_digest: -3 };
        for digest in [None, Some(digest)] {
            let bytes = encoded(&header, &CreateSessionTxn { timeout_ms: 4_000 }, digest);
            let entry = TxnEntry::decode(&bytes).expect("decodes");
            assert_eq!(entry.txn, Txn::CreateSession(CreateSessionTxn { timeout_ms: 4_000 }));
            assert_eq!(entry.digest, digest);
            assert_eq!(zxid_of(&bytes), Ok(9));
        }
    }

    #[test]
    fn old_forms_decode() {
        let list = acl::encode(&[OPEN_ACL]);
        let old = CreateTxnV0 { path: "/a", data: None, acl: AclList::from_encoded(&list), ephemeral: true };
        let mut bytes = TxnHeader { txn_type: 1, ..Default::default() }.to_bytes();
        old.write(&mut bytes);
        match TxnEntry::decode(&bytes).expect("decodes").txn {
            Txn::Create(txn) => assert_eq!((txn.parent_cversion, txn.ephemeral), (-1, true)),
            other => panic!("{other:?}"),
        }
        let mut bytes = TxnHeader { txn_type: -11, ..Default::default() }.to_bytes();
        assert_eq!(TxnEntry::decode(&bytes).expect("decodes").txn, Txn::CloseSession(None));
        TxnDigest { version: 2, tree_digest: 1 }.write(&mut bytes);
        let entry = TxnEntry::decode(&bytes).expect("decodes");
        assert_eq!((entry.txn, entry.digest.is_some()), (Txn::CloseSession(None), true));
    }

    #[test]
    fn unknown_types_are_refused() {
        let bytes = TxnHeader { txn_type: 3, ..Default::default() }.to_bytes();
        assert_eq!(TxnEntry::decode(&bytes), Err(JuteError::BadValue(3)));
        assert_eq!(TxnEntry::decode(&[0; 31]), Err(JuteError::Truncated));
    }
}
