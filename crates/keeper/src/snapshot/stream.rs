//! A snapshot between two servers: a file's content without its header, seals and last two parts, then a signature. It
//! comes in any portions and has no length, so its end is where its content says.

use super::{SnapshotError, acl_id, invalid};
use crate::acl::AclList;
use crate::data_tree::{DataTree, TreeOptions};
use crate::database::Database;
use crate::digest::StatPersisted;
use crate::jute::{JuteError, Reader};
use crate::zab::messages::SNAPSHOT_SIGNATURE;
use ottla_base::limits::KEEPER_TXN_BYTES;

/// What comes next.
#[derive(Clone, Copy, Debug)]
enum Part {
    SessionCount,
    Sessions(usize),
    AclCount,
    Acls(usize),
    Nodes,
    Signature,
    Done,
}

/// Reads it.
#[derive(Debug)]
pub struct SnapshotReceiver {
    db: Box<Database>,
    zxid: i64,
    part: Part,
    unread: Vec<u8>,
}

impl SnapshotReceiver {
    /// Of a leader's tree at `zxid`.
    #[must_use]
    pub fn new(zxid: i64, options: TreeOptions) -> Self {
        let db = Box::new(Database::with_tree(DataTree::empty(options)));
        Self { db, zxid, part: Part::SessionCount, unread: Vec::new() }
    }

    /// Takes the next bytes. When the snapshot is whole, gives those that come after it.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, SnapshotError> {
        self.unread.extend_from_slice(bytes);
        let unread = std::mem::take(&mut self.unread);
        let mut reader = Reader::new(&unread);
        loop {
            if let Part::Done = self.part {
                return Ok(Some(reader.rest().to_vec()));
            }
            let mut ahead = reader.clone();
            match self.next(&mut ahead) {
                Ok(()) => reader = ahead,
                Err(Stop::More) => break,
                Err(Stop::Wrong(error)) => return Err(error),
            }
        }
        self.unread = reader.rest().to_vec();
        Ok(None)
    }

    /// The database, once it is whole.
    #[must_use]
    pub fn into_database(self) -> Box<Database> {
        self.db
    }

    /// Reads one element; nothing has changed when more bytes are needed.
    fn next(&mut self, reader: &mut Reader<'_>) -> Result<(), Stop> {
        self.part = match self.part {
            Part::SessionCount => Part::Sessions(count(reader)?),
            Part::Sessions(0) => Part::AclCount,
            Part::Sessions(left) => {
                let (id, timeout_ms) = (reader.long()?, reader.int()?);
                self.db.sessions.insert(id, timeout_ms);
                Part::Sessions(left - 1)
            }
            Part::AclCount => Part::Acls(count(reader)?),
            Part::Acls(0) => Part::Nodes,
            Part::Acls(left) => {
                let id = acl_id(reader.long()?)?;
                let list = acl_list(reader)?;
                self.db.tree.acls_mut().insert(id, AclList::from_encoded(list));
                Part::Acls(left - 1)
            }
            Part::Nodes => self.node(reader)?,
            Part::Signature => {
                if text(reader)? != SNAPSHOT_SIGNATURE {
                    return Err(Stop::Wrong(SnapshotError::Invalid("no signature after the snapshot".to_owned())));
                }
                self.db.last_zxid = self.zxid;
                // The leader went on while it wrote.
                self.db.doubt_digests();
                Part::Done
            }
            Part::Done => Part::Done,
        };
        Ok(())
    }

    fn node(&mut self, reader: &mut Reader<'_>) -> Result<Part, Stop> {
        let path = text(reader)?;
        if path == "/" {
            self.db.tree.finish_restore().map_err(SnapshotError::Invalid)?;
            return Ok(Part::Signature);
        }
        let data = buffer(reader)?;
        let acl = reader.long()?;
        let stat = StatPersisted {
            czxid: reader.long()?,
            mzxid: reader.long()?,
            ctime: reader.long()?,
            mtime: reader.long()?,
            version: reader.int()?,
            cversion: reader.int()?,
            aversion: reader.int()?,
            ephemeral_owner: reader.long()?,
            pzxid: reader.long()?,
        };
        self.db.tree.restore_node(path, data, acl_id(acl)?, stat).map_err(SnapshotError::Invalid)?;
        Ok(Part::Nodes)
    }
}

/// Why an element was not read.
enum Stop {
    More,
    Wrong(SnapshotError),
}

impl From<JuteError> for Stop {
    fn from(error: JuteError) -> Self {
        match error {
            JuteError::Truncated => Self::More,
            error => Self::Wrong(SnapshotError::Invalid(format!("in the snapshot: {error}"))),
        }
    }
}

impl From<SnapshotError> for Stop {
    fn from(error: SnapshotError) -> Self {
        Self::Wrong(error)
    }
}

fn count(reader: &mut Reader<'_>) -> Result<usize, Stop> {
    let count = reader.int()?;
    Ok(usize::try_from(count).or_else(|_| invalid(format!("a count of {count} in the snapshot")))?)
}

/// A buffer; one that is longer than anything in a log is an error before it is waited for.
fn buffer<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a [u8]>, Stop> {
    match reader.clone().int()? {
        len if usize::try_from(len).is_ok_and(|len| len > KEEPER_TXN_BYTES) => {
            Ok(invalid(format!("a length of {len} in the snapshot"))?)
        }
        _ => Ok(reader.buffer()?),
    }
}

fn text<'a>(reader: &mut Reader<'a>) -> Result<&'a str, Stop> {
    match std::str::from_utf8(buffer(reader)?.unwrap_or(&[])) {
        Ok(text) => Ok(text),
        Err(_) => Ok(invalid("a string in the snapshot is not UTF-8")?),
    }
}

/// The encoding of a list, count and all.
fn acl_list<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Stop> {
    let whole = reader.rest();
    let count = reader.int()?;
    for _ in 0..count.max(0) {
        reader.int()?;
        text(reader)?;
        text(reader)?;
    }
    Ok(&whole[..whole.len() - reader.rest().len()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl;
    use crate::proto::OPEN_ACL;
    use crate::snapshot::SnapshotWriter;

    fn sample() -> Database {
        let mut db = Database::new(false);
        let open = acl::encode(&[OPEN_ACL]);
        for i in 0..50 {
            let data = vec![b'x'; i * 7];
            let list = AclList::from_encoded(&open);
            let path = format!("/n{i}");
            db.tree.create_node(&path, Some(&data), list, 0, -1, i as i64 + 1, 9, &mut ()).expect("created");
        }
        db.sessions.insert(77, 4_000);
        db.last_zxid = 300;
        db
    }

    fn sent(db: &Database) -> Vec<u8> {
        let mut writer = SnapshotWriter::for_learner();
        let mut out = Vec::new();
        while !writer.step(db, 100, &mut out) {}
        out
    }

    #[test]
    fn arrives_in_any_portions() {
        let db = sample();
        let mut bytes = sent(&db);
        bytes.extend_from_slice(b"next");
        for portion in [1, 7, 1_000, bytes.len()] {
            let mut receiver = SnapshotReceiver::new(300, false.into());
            let mut rest = None;
            for part in bytes.chunks(portion) {
                match &mut rest {
                    None => rest = receiver.push(part).expect("good"),
                    Some(rest) => rest.extend_from_slice(part),
                }
            }
            assert_eq!(rest.as_deref(), Some(&b"next"[..]));
            let got = receiver.into_database();
            assert_eq!((got.tree.digest(), got.last_zxid), (db.tree.digest(), 300));
            assert_eq!(got.sessions, db.sessions);
        }
    }

    #[test]
    fn real_servers_snapshot() {
        use crate::zab::messages::{PacketType, QuorumPacket};
        let mut bytes: &[u8] = include_bytes!("../zab/captures/quorum-snap-leader.bin");
        let zxid = loop {
            let (packet, len) = QuorumPacket::decode(bytes, 1 << 20).expect("good").expect("whole");
            bytes = &bytes[len..];
            if packet.kind == PacketType::Snap {
                break packet.zxid;
            }
        };
        let mut receiver = SnapshotReceiver::new(zxid, false.into());
        let rest = receiver.push(bytes).expect("good").expect("whole");
        let (packet, _) = QuorumPacket::decode(&rest, 1 << 20).expect("good").expect("whole");
        assert_eq!(packet.kind, PacketType::NewLeader);
        let db = receiver.into_database();
        assert!(db.tree.get("/zookeeper/config").is_some());
        // What we would send of the same tree is what the real one sent.
        assert_eq!(sent(&db), bytes[..bytes.len() - rest.len()]);
    }

    #[test]
    fn nonsense_is_refused() {
        let bytes = sent(&sample());
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 0x90;
            // Most is found; what isn't must not panic.
            let _ = SnapshotReceiver::new(300, false.into()).push(&bad);
            assert!(matches!(SnapshotReceiver::new(300, false.into()).push(&bytes[..at]), Ok(None)), "cut at {at}");
        }
        assert!(SnapshotReceiver::new(1, false.into()).push(&(-1_i32).to_be_bytes()).is_err());
    }
}
