//! The transaction log in ZooKeeper's files (`FileTxnLog`): `log.<zxid of the first transaction, hex>`, each with a
//! header (`ZKLG`, version 2, database id 0) and framed transactions, preallocated in large steps with zeros. See
//! `docs/format.md`.

use crate::jute::{Jute, Reader};
use crate::txn::{self, TxnEntry};
use crate::txn_batch::{END_OF_RECORD, FRAME_LEN, TxnBatch};
use ottla_base::checksum::adler32;
use ottla_base::disk::{Disk, DiskFile, OpenMode};
use ottla_base::limits::KEEPER_TXN_BYTES;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// "ZKLG"
pub const MAGIC: i32 = 0x5a4b_4c47;
pub const VERSION: i32 = 2;
const DB_ID: i64 = 0;
/// Length of a file's header in bytes.
pub const HEADER_LEN: u64 = 16;
/// Says that writing the log failed: what the page cache has of its last file need not be on disk, and a sync that
/// succeeds later proves nothing, because the pages count as clean.
pub const SUSPECT_FILE: &str = ".ottla_suspect";
/// Bytes of zeros written ahead of what is written a little at a time. Room that was allocated but never written makes a
/// file system note with each sync that it is in use now, in its own journal, behind whatever others do there; a sync of
/// what is written over waits for nobody.
const ZEROS_BYTES: usize = 256 << 10;
static ZEROS: [u8; ZEROS_BYTES] = [0; ZEROS_BYTES];
/// Writes of more bytes than that come from many clients, for whom the sync counts little.
const SMALL_BYTES: usize = 16 << 10;
/// The file grows by the next step when less than this is left of the last, in bytes.
const ROOM: u64 = 4_096;

/// The name of a file by its prefix and zxid.
#[must_use]
pub fn file_name(prefix: &str, zxid: i64) -> String {
    format!("{prefix}.{zxid:x}")
}

/// The zxid in a file's name; `None` when it has another prefix or no such number.
#[must_use]
pub fn zxid_of_name(name: &str, prefix: &str) -> Option<i64> {
    let (found, hex) = name.split_once('.')?;
    let hex = hex.strip_suffix(".gz").or_else(|| hex.strip_suffix(".snappy")).unwrap_or(hex);
    let digits = !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit());
    (found == prefix && digits).then(|| u64::from_str_radix(hex, 16).ok().map(|zxid| zxid as i64)).flatten()
}

/// Log files of a directory by their first zxid, in order.
pub fn log_files(disk: &dyn Disk, dir: &Path) -> io::Result<Vec<(i64, PathBuf)>> {
    let mut files: Vec<(i64, PathBuf)> = disk
        .list(dir)?
        .into_iter()
        .filter(|entry| !entry.is_dir)
        .filter_map(|entry| zxid_of_name(&entry.name, "log").map(|zxid| (zxid, dir.join(&entry.name))))
        .collect();
    files.sort_unstable();
    Ok(files)
}

/// How the log is written.
#[derive(Clone, Copy, Debug)]
pub struct LogOptions {
    /// `preAllocSize` in bytes; 0 is none.
    pub prealloc_bytes: u64,
    /// `forceSync`
    pub force_sync: bool,
    /// `txnLogSizeLimitInKb` in bytes: a larger file is closed; `None` is no limit.
    pub size_limit_bytes: Option<u64>,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { prealloc_bytes: 64 << 20, force_sync: true, size_limit_bytes: None }
    }
}

/// Appends transactions. After an error nothing is known of what was not synced: the log refuses everything from then
/// on.
#[derive(Debug)]
pub struct TxnLog {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    options: LogOptions,
    current: Option<LogFile>,
    /// Written but not synced up to here.
    written_zxid: i64,
    failed: bool,
}

#[derive(Debug)]
struct LogFile {
    file: Arc<dyn DiskFile>,
    position: u64,
    allocated: u64,
    /// Up to here zeros were written, not only allocated: see [`ZEROS_BYTES`].
    zeroed: u64,
}

impl TxnLog {
    /// A log whose next transaction starts a new file in `dir`.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, dir: PathBuf, options: LogOptions) -> Self {
        Self { disk, dir, options, current: None, written_zxid: 0, failed: false }
    }

    /// Writes transactions; they are on disk after [`Self::sync`] only.
    pub fn append(&mut self, batch: &TxnBatch) -> io::Result<()> {
        self.check()?;
        let result = self.try_append(batch);
        if result.is_err() {
            self.fail();
        }
        result
    }

    fn fail(&mut self) {
        self.failed = true;
        // As far as it goes on a failing disk; it need not be durable, for after a reboot the cache tells the truth.
        let _ = self.disk.open(&self.dir.join(SUSPECT_FILE), OpenMode::Create);
    }

    fn try_append(&mut self, batch: &TxnBatch) -> io::Result<()> {
        let (Some(first), Some(last)) = (batch.first_zxid(), batch.last_zxid()) else { return Ok(()) };
        let mut log = match self.current.take() {
            Some(log) => log,
            None => self.create(first)?,
        };
        let end = log.position + batch.bytes().len() as u64;
        let size = padded_size(log.position, end, log.allocated, self.options.prealloc_bytes);
        if size > log.allocated {
            log.file.allocate(log.allocated, size - log.allocated)?;
            log.allocated = size;
        }
        log.file.write_all_at(batch.bytes(), log.position)?;
        log.position = end;
        if end > log.zeroed && batch.bytes().len() < SMALL_BYTES {
            log.zeroed = log.allocated.min(end + ZEROS_BYTES as u64);
            log.file.write_all_at(&ZEROS[..(log.zeroed.saturating_sub(end)) as usize], end)?;
        }
        self.current = Some(log);
        self.written_zxid = last;
        Ok(())
    }

    fn create(&self, zxid: i64) -> io::Result<LogFile> {
        let path = self.dir.join(file_name("log", zxid));
        let file = self.disk.open(&path, OpenMode::Truncate)?;
        let mut header = Vec::with_capacity(HEADER_LEN as usize);
        MAGIC.write(&mut header);
        VERSION.write(&mut header);
        DB_ID.write(&mut header);
        file.write_all_at(&header, 0)?;
        self.disk.sync_dir(&self.dir)?;
        Ok(LogFile { file, position: HEADER_LEN, allocated: HEADER_LEN, zeroed: 0 })
    }

    /// Makes everything appended durable; gives the last zxid that is on disk now.
    pub fn sync(&mut self) -> io::Result<i64> {
        self.check()?;
        if let Some(log) = &self.current {
            if self.options.force_sync
                && let Err(error) = log.file.sync_data()
            {
                self.fail();
                return Err(error);
            }
            if self.options.size_limit_bytes.is_some_and(|limit| log.position > limit) {
                self.current = None;
            }
        }
        Ok(self.written_zxid)
    }

    /// Syncs, and the next transaction starts a new file.
    pub fn roll(&mut self) -> io::Result<()> {
        self.sync()?;
        self.current = None;
        Ok(())
    }

    fn check(&self) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other(
                "the transaction log failed before; restart the server to recover what is on disk",
            ));
        }
        Ok(())
    }
}

/// The size that a file of `allocated` bytes should have when it is written from `position` to `end` (`FilePadding`).
fn padded_size(position: u64, end: u64, allocated: u64, step: u64) -> u64 {
    if step == 0 {
        return allocated;
    }
    let size = if position + ROOM < allocated { allocated } else { allocated + step };
    if end > size { (end + step) / step * step } else { size }
}

/// Where reading a file ended, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogEnd {
    /// Zeros or nothing: the file was written up to there.
    Clean,
    /// An entry is incomplete, or its checksum or end mark is wrong; the text says which.
    Torn(String),
}

const READ_BYTES: usize = 1 << 20;

/// Reads a log file entry by entry.
#[derive(Debug)]
pub struct LogReader {
    file: Arc<dyn DiskFile>,
    len: u64,
    buffer: Vec<u8>,
    /// Position in the file of the buffer's beginning.
    base: u64,
    at: usize,
    end: Option<LogEnd>,
}

impl LogReader {
    /// Checks the header. A file too short to have one is empty (its writer died just then).
    pub fn open(file: Arc<dyn DiskFile>) -> io::Result<Self> {
        let len = file.len()?;
        let mut reader = Self { file, len, buffer: Vec::new(), base: 0, at: 0, end: None };
        let Some(header) = reader.bytes(HEADER_LEN as usize)? else {
            reader.end = Some(LogEnd::Clean);
            return Ok(reader);
        };
        let mut header = Reader::new(header);
        let (magic, version) = (header.int().unwrap_or(0), header.int().unwrap_or(0));
        if magic == 0 && version == 0 {
            // Preallocated, but the header never reached the disk.
            reader.end = Some(LogEnd::Clean);
        } else if magic != MAGIC || version != VERSION {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("not a ZooKeeper transaction log: magic {magic:#x}, version {version}"),
            ));
        }
        reader.at = HEADER_LEN as usize;
        Ok(reader)
    }

    /// Makes `len` bytes from the current place available; `None` past the end of the file.
    fn bytes(&mut self, len: usize) -> io::Result<Option<&[u8]>> {
        if self.buffer.len() - self.at < len {
            if self.position() + len as u64 > self.len {
                return Ok(None);
            }
            self.buffer.drain(..self.at);
            self.base += self.at as u64;
            self.at = 0;
            let filled = self.buffer.len();
            self.buffer.resize(len.max(READ_BYTES), 0);
            let read = self.file.read_at(&mut self.buffer[filled..], self.base + filled as u64)?;
            self.buffer.truncate(filled + read);
            if self.buffer.len() < len {
                return Ok(None);
            }
        }
        Ok(Some(&self.buffer[self.at..self.at + len]))
    }

    /// Where the next entry begins: after the last good one.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.base + self.at as u64
    }

    /// Why [`Self::next_entry`] gave `None`.
    #[must_use]
    pub fn end(&self) -> Option<&LogEnd> {
        self.end.as_ref()
    }

    fn torn(&mut self, what: &str) -> io::Result<Option<&[u8]>> {
        self.end = Some(LogEnd::Torn(format!("{what} at byte {}", self.position())));
        Ok(None)
    }

    /// The next transaction (header, record, digest); `None` at the end of what was written.
    pub fn next_entry(&mut self) -> io::Result<Option<&[u8]>> {
        if self.end.is_some() {
            return Ok(None);
        }
        let Some(frame) = self.bytes(FRAME_LEN)? else {
            self.end = Some(LogEnd::Clean);
            return Ok(None);
        };
        let mut reader = Reader::new(frame);
        let (checksum, len) = (reader.long().unwrap_or(0), reader.int().unwrap_or(0));
        if len == 0 {
            // What follows may still be a later part of a write that did not arrive whole; nothing of it was promised.
            self.end = Some(LogEnd::Clean);
            return Ok(None);
        }
        let Some(len) = usize::try_from(len).ok().filter(|&len| len <= KEEPER_TXN_BYTES) else {
            return self.torn("an impossible length");
        };
        let Some(whole) = self.bytes(FRAME_LEN + len + 1)? else {
            return self.torn("an incomplete transaction");
        };
        if i64::from(adler32(1, &whole[FRAME_LEN..FRAME_LEN + len])) != checksum {
            return self.torn("a transaction with a wrong checksum");
        }
        if whole[FRAME_LEN + len] != END_OF_RECORD {
            return self.torn("a transaction without its end mark");
        }
        self.at += FRAME_LEN + len + 1;
        Ok(Some(&self.buffer[self.at - len - 1..self.at - 1]))
    }
}

/// Gives every transaction after `zxid` to `each`, decoded and as bytes, in order, from all files of `dir`. A torn end of the last file is
/// what a crash leaves: it is cut off in the zeroed sense that reading stops there. Anything wrong earlier is an error,
/// because acknowledged transactions would be missing.
///
/// `InvalidData` carries the text for the operator.
pub fn replay(
    disk: &dyn Disk,
    dir: &Path,
    zxid: i64,
    mut each: impl FnMut(&TxnEntry<'_>, &[u8]) -> io::Result<()>,
) -> io::Result<ReplaySummary> {
    let files = log_files(disk, dir)?;
    let first = files.iter().rposition(|(first, _)| *first <= zxid + 1).unwrap_or(0);
    let mut summary = ReplaySummary { last_zxid: zxid, ..Default::default() };
    let bad = |path: &Path, what: String| {
        let text = format!(
            "{}: {what}. The transactions behind it would be lost; restore the file from another server or a backup, or \
             cut it there with the log tool if you accept the loss",
            path.display()
        );
        Err(io::Error::new(io::ErrorKind::InvalidData, text))
    };
    let count = files.len();
    for (i, (_, path)) in files.into_iter().enumerate().skip(first) {
        let last_file = i + 1 == count;
        let mut begins = true;
        let mut reader = LogReader::open(disk.open(&path, OpenMode::Read)?)
            .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))?;
        while let Some(bytes) = reader.next_entry()? {
            let at = txn::zxid_of(bytes).unwrap_or(i64::MIN);
            if at <= summary.last_zxid {
                begins = false;
                continue;
            }
            if std::mem::take(&mut begins) && is_gap(summary.last_zxid, at) {
                // ZooKeeper goes on here, and a number may have been skipped for a request that it couldn't read.
                tracing::error!(
                    "{} begins with transaction {at:#x}, but the one before it is {:#x}: a log file in between may be \
                     missing, or cut off",
                    path.display(),
                    summary.last_zxid
                );
                summary.gaps += 1;
            }
            match TxnEntry::decode(bytes) {
                Ok(entry) => each(&entry, bytes)?,
                Err(e) => return bad(&path, format!("transaction {at:#x} can't be read ({e})")),
            }
            summary.last_zxid = at;
            summary.txns += 1;
        }
        if let Some(LogEnd::Torn(what)) = reader.end() {
            if !last_file {
                return bad(&path, what.clone());
            }
            summary.torn = Some((path, reader.position(), what.clone()));
        }
    }
    Ok(summary)
}

/// True when numbers of one epoch are missing between two transactions; a new epoch begins anew.
fn is_gap(before: i64, after: i64) -> bool {
    before > 0 && before >> 32 == after >> 32 && after > before + 1
}

/// What a replay found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplaySummary {
    pub last_zxid: i64,
    pub txns: u64,
    /// Files that do not join the one before, or the snapshot.
    pub gaps: u64,
    /// The last file ends torn: its path, where its good part ends, and what is there.
    pub torn: Option<(PathBuf, u64, String)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(file_name("log", 0x1_0000_0001), "log.100000001");
        assert_eq!(zxid_of_name("log.100000001", "log"), Some(0x1_0000_0001));
        assert_eq!(zxid_of_name("snapshot.ff.gz", "snapshot"), Some(255));
        for bad in ["log.", "log.xyz", "log", "snapshot.1", "log.+1", "log.11111111111111111"] {
            assert_eq!(zxid_of_name(bad, "log"), None, "{bad}");
        }
    }

    #[test]
    fn gaps_are_within_an_epoch() {
        assert!(is_gap(5, 7) && is_gap(0x1_0000_0002, 0x1_0000_0009));
        for (before, after) in [(5, 6), (0, 7), (0x1_0000_0002, 0x2_0000_0001)] {
            assert!(!is_gap(before, after), "{before:#x} {after:#x}");
        }
    }

    #[test]
    fn sizes_grow_in_steps() {
        let step = 64 << 20;
        assert_eq!(padded_size(16, 90, 16, step), step + 16);
        assert_eq!(padded_size(100, 200, step, step), step);
        assert_eq!(padded_size(step - 100, step - 50, step, step), 2 * step);
        assert_eq!(padded_size(step - 9_000, 3 * step, step, step), 4 * step);
        assert_eq!(padded_size(100, 500, 100, 0), 100);
    }
}
