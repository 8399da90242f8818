//! Reading a snapshot's file, every checksum in it too.

use super::{MAGIC, SnapshotError, VERSION, acl_id, invalid};
use crate::acl::AclList;
use crate::compression;
use crate::data_tree::{DataTree, TreeOptions};
use crate::database::{Database, ZxidDigest};
use crate::digest::{DIGEST_VERSION, StatPersisted};
use crate::jute::Jute;
use ottla_base::checksum::adler32;
use ottla_base::disk::{Disk, DiskFile, OpenMode};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Bytes of a snapshot read at a time.
const READ_BYTES: usize = 1 << 20;

/// Where a snapshot's bytes come from.
pub trait ByteSource {
    /// Reads up to `bytes.len()` bytes; 0 at the end.
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize>;
    /// Bytes left, when that is known: no length within may be greater.
    fn remaining(&self) -> usize;
}

/// A file from its beginning.
#[derive(Debug)]
pub struct FileSource {
    file: Arc<dyn DiskFile>,
    position: u64,
    len: u64,
}

impl FileSource {
    pub fn new(file: Arc<dyn DiskFile>) -> io::Result<Self> {
        let len = file.len()?;
        Ok(Self { file, position: 0, len })
    }
}

impl ByteSource for FileSource {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(bytes, self.position)?;
        self.position += read as u64;
        Ok(read)
    }

    fn remaining(&self) -> usize {
        self.len.saturating_sub(self.position) as usize
    }
}

/// Bytes in memory.
impl ByteSource for &[u8] {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let len = bytes.len().min(self.len());
        bytes[..len].copy_from_slice(&self[..len]);
        *self = &self[len..];
        Ok(len)
    }

    fn remaining(&self) -> usize {
        self.len()
    }
}

/// Reads jute values from a source, with the running checksum of what was read.
struct SnapshotReader<S> {
    source: S,
    buffer: Vec<u8>,
    at: usize,
    /// Up to here the checksum covers the buffer.
    summed: usize,
    checksum: u32,
}

impl<S: ByteSource> SnapshotReader<S> {
    fn new(source: S) -> Self {
        Self { source, buffer: Vec::new(), at: 0, summed: 0, checksum: 1 }
    }

    fn sum(&mut self) -> u32 {
        self.checksum = adler32(self.checksum, &self.buffer[self.summed..self.at]);
        self.summed = self.at;
        self.checksum
    }

    /// The next `len` bytes; `None` when the file has less.
    fn bytes(&mut self, len: usize) -> Result<Option<&[u8]>, SnapshotError> {
        if self.buffer.len() - self.at < len {
            if len > self.buffer.len() - self.at + self.source.remaining() {
                return Ok(None);
            }
            self.sum();
            self.buffer.drain(..self.at);
            (self.at, self.summed) = (0, 0);
            let filled = self.buffer.len();
            self.buffer.resize(len.max(READ_BYTES), 0);
            let read = self.source.read(&mut self.buffer[filled..])?;
            self.buffer.truncate(filled + read);
            if self.buffer.len() < len {
                return Ok(None);
            }
        }
        self.at += len;
        Ok(Some(&self.buffer[self.at - len..self.at]))
    }

    fn must(&mut self, len: usize) -> Result<&[u8], SnapshotError> {
        match self.bytes(len)? {
            Some(bytes) => Ok(bytes),
            None => invalid("the snapshot ends too early"),
        }
    }

    fn int(&mut self) -> Result<i32, SnapshotError> {
        let mut array = [0; 4];
        array.copy_from_slice(self.must(4)?);
        Ok(i32::from_be_bytes(array))
    }

    fn long(&mut self) -> Result<i64, SnapshotError> {
        let mut array = [0; 8];
        array.copy_from_slice(self.must(8)?);
        Ok(i64::from_be_bytes(array))
    }

    /// A buffer that ends where the next value begins; `None` is null.
    fn buffer(&mut self) -> Result<Option<Vec<u8>>, SnapshotError> {
        match self.int()? {
            -1 => Ok(None),
            len => match usize::try_from(len) {
                Ok(len) => Ok(Some(self.must(len)?.to_vec())),
                Err(_) => invalid(format!("a length of {len} in the snapshot")),
            },
        }
    }

    fn string(&mut self) -> Result<String, SnapshotError> {
        let bytes = self.buffer()?.unwrap_or_default();
        String::from_utf8(bytes).or_else(|_| invalid("a string in the snapshot is not UTF-8"))
    }

    fn count(&mut self) -> Result<usize, SnapshotError> {
        let count = self.int()?;
        usize::try_from(count).or_else(|_| invalid(format!("a count of {count} in the snapshot")))
    }

    fn check_seal(&mut self) -> Result<(), SnapshotError> {
        let expected = i64::from(self.sum());
        if self.long()? != expected {
            return invalid("the snapshot's checksum does not match its content");
        }
        if self.string()? != "/" {
            return invalid("the snapshot's checksum has no end mark");
        }
        Ok(())
    }

    fn acl_list(&mut self) -> Result<Vec<u8>, SnapshotError> {
        let mut list = Vec::new();
        let count = self.int()?;
        count.write(&mut list);
        for _ in 0..count.max(0) {
            self.int()?.write(&mut list);
            self.string()?.as_str().write(&mut list);
            self.string()?.as_str().write(&mut list);
        }
        Ok(list)
    }

    fn stat(&mut self) -> Result<StatPersisted, SnapshotError> {
        Ok(StatPersisted {
            czxid: self.long()?,
            mzxid: self.long()?,
            ctime: self.long()?,
            mtime: self.long()?,
            version: self.int()?,
            cversion: self.int()?,
            aversion: self.int()?,
            ephemeral_owner: self.long()?,
            pzxid: self.long()?,
        })
    }
}

/// What else a snapshot tells, beside the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SnapshotInfo {
    pub digest: Option<ZxidDigest>,
    /// Last transaction applied when it was finished.
    pub last_zxid: Option<i64>,
}

/// Reads a whole snapshot taken at `zxid` (as its name says) and checks every checksum in it.
pub fn read(
    source: impl ByteSource,
    zxid: i64,
    options: impl Into<TreeOptions>,
) -> Result<(Database, SnapshotInfo), SnapshotError> {
    let mut reader = SnapshotReader::new(source);
    let (magic, version, _db_id) = (reader.int()?, reader.int()?, reader.long()?);
    if magic != MAGIC {
        return invalid("not a ZooKeeper snapshot (no ZKSN at its beginning)");
    }
    if version != VERSION {
        return invalid(format!("snapshot version {version}, this server reads {VERSION}"));
    }
    let mut db = Database::with_tree(DataTree::empty(options.into()));
    for _ in 0..reader.count()? {
        let id = reader.long()?;
        let timeout_ms = reader.int()?;
        db.sessions.insert(id, timeout_ms);
    }
    for _ in 0..reader.count()? {
        let id = reader.long()?;
        let list = reader.acl_list()?;
        let id = acl_id(id)?;
        db.tree.acls_mut().insert(id, AclList::from_encoded(&list));
    }
    loop {
        let path = reader.string()?;
        if path == "/" {
            break;
        }
        let data = reader.buffer()?;
        let acl = acl_id(reader.long()?)?;
        let stat = reader.stat()?;
        db.tree.restore_node(&path, data.as_deref(), acl, stat).map_err(SnapshotError::Invalid)?;
    }
    db.tree.finish_restore().map_err(SnapshotError::Invalid)?;
    reader.check_seal()?;
    let mut info = SnapshotInfo::default();
    // Old snapshots end here, those of 3.6 after the digest.
    if reader.bytes(0)?.is_some() && !at_end(&mut reader)? {
        let (zxid, version) = (reader.long()?, reader.int()?);
        let digest = if version < 2 {
            let text = reader.string()?;
            i64::from_str_radix(&text, 16).unwrap_or(0)
        } else {
            reader.long()?
        };
        info.digest = Some(ZxidDigest { zxid, version, digest });
        reader.check_seal()?;
    }
    if !at_end(&mut reader)? {
        info.last_zxid = Some(reader.long()?);
        reader.check_seal()?;
    }
    db.last_zxid = zxid;
    // A digest older than the snapshot's name says nothing of it.
    db.snapshot_digest = info.digest.filter(|digest| digest.zxid > 0 && digest.zxid >= zxid);
    if let Some(promised) = db.snapshot_digest
        && promised.zxid == zxid
    {
        db.snapshot_digest = None;
        if promised.version == DIGEST_VERSION && promised.digest != db.tree.digest() {
            db.report_mismatch(zxid, promised.digest, db.tree.digest());
        }
    }
    Ok((db, info))
}

/// Reads the file of a snapshot, compressed when its name ends in `.gz`; see [`read`].
pub fn read_file(
    disk: &dyn Disk,
    path: &Path,
    zxid: i64,
    options: impl Into<TreeOptions>,
) -> Result<(Database, SnapshotInfo), SnapshotError> {
    match path.extension().and_then(|ext| ext.to_str()) {
        Some("gz") | Some("snappy") => read(&compression::read(path, &disk.read(path)?)?[..], zxid, options),
        _ => read(FileSource::new(disk.open(path, OpenMode::Read)?)?, zxid, options),
    }
}

fn at_end<S: ByteSource>(reader: &mut SnapshotReader<S>) -> Result<bool, SnapshotError> {
    let more = reader.bytes(1)?.is_some();
    if more {
        reader.at -= 1;
    }
    Ok(!more)
}
