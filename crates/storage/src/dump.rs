//! Pure readers behind the dump-log tool: a file's bytes in, its entries and damage out. They read what Kafka or we wrote,
//! whole or broken, and never fail: damage is an entry of the answer.

use ottla_protocol::record_batch::RecordBatch;

use crate::batch::{BatchHeader, HEADER_LEN};
use crate::checkpoint::{self, EpochEntry, Offsets};
use crate::index_file::IndexEntry;
use crate::log_dir::{INDEX_SUFFIX, LOG_SUFFIX, SNAPSHOT_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX};
use crate::offset_index::OffsetEntry;
use crate::producer_snapshot;
use crate::producer_state_manager::{EndTxnMarker, ProducerStateEntry};
use crate::time_index::TimeEntry;
use crate::transaction_index::{AbortedTxn, ENTRY_LEN};

/// What a file is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    Log,
    OffsetIndex,
    TimeIndex,
    TransactionIndex,
    ProducerSnapshot,
    OffsetCheckpoint,
    LeaderEpochs,
    PartitionMetadata,
}

impl FileKind {
    /// `None` for a name that is no file of a log directory. Suffixes such as `.deleted` are looked through.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let name = [".deleted", ".cleaned", ".swap"].iter().find_map(|s| name.strip_suffix(s)).unwrap_or(name);
        Some(match name {
            n if n.ends_with(LOG_SUFFIX) => Self::Log,
            n if n.ends_with(INDEX_SUFFIX) => Self::OffsetIndex,
            n if n.ends_with(TIME_INDEX_SUFFIX) => Self::TimeIndex,
            n if n.ends_with(TXN_INDEX_SUFFIX) => Self::TransactionIndex,
            n if n.ends_with(SNAPSHOT_SUFFIX) => Self::ProducerSnapshot,
            checkpoint::LEADER_EPOCH_FILE => Self::LeaderEpochs,
            crate::partition_metadata::PARTITION_METADATA_FILE => Self::PartitionMetadata,
            n if n.ends_with("-offset-checkpoint") => Self::OffsetCheckpoint,
            _ => return None,
        })
    }
}

/// The base offset that a segment's file name starts with.
#[must_use]
pub fn base_offset_of(name: &str) -> Option<i64> {
    let digits = name.split('.').next()?;
    if digits.len() == 20 { digits.parse().ok() } else { None }
}

/// A batch of a `.log` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DumpedBatch {
    /// Byte in the file.
    pub position: u64,
    pub header: BatchHeader,
    pub crc_ok: bool,
    /// The marker of a control batch.
    pub marker: Option<EndTxnMarker>,
    /// The records can't be read (only looked at when asked for, and with a good checksum).
    pub record_error: Option<String>,
}

/// Steps over the batches of a `.log` file's bytes. The last item is an error when the file doesn't end with a whole batch;
/// it says at which byte.
#[derive(Clone, Debug)]
pub struct LogDump<'a> {
    bytes: &'a [u8],
    position: usize,
    deep: bool,
}

impl<'a> LogDump<'a> {
    /// `deep` reads the records of every batch too (`--deep-iteration`).
    #[must_use]
    pub fn new(bytes: &'a [u8], deep: bool) -> Self {
        Self { bytes, position: 0, deep }
    }

    /// The whole batch that an item described.
    #[must_use]
    pub fn batch_bytes(&self, batch: &DumpedBatch) -> &'a [u8] {
        let from = batch.position as usize;
        &self.bytes[from..from + batch.header.size]
    }
}

impl Iterator for LogDump<'_> {
    type Item = Result<DumpedBatch, String>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.bytes.get(self.position..).filter(|rest| !rest.is_empty())?;
        let at = self.position;
        self.position = self.bytes.len(); // after an error there is no more
        let header = match BatchHeader::parse(rest) {
            Ok(header) => header,
            // Blocks reserved ahead read as zeros.
            Err(_) if rest.iter().all(|&b| b == 0) => return None,
            Err(e) => return Some(Err(format!("no batch at byte {at}: {e}"))),
        };
        let Some(whole) = rest.get(..header.size) else {
            return Some(Err(format!("the batch at byte {at} has {} bytes, {} are there", header.size, rest.len())));
        };
        self.position = at + header.size;
        let crc_ok = header.checksum_ok(whole);
        let marker = if header.is_control() { EndTxnMarker::read(&whole[HEADER_LEN..]).ok().flatten() } else { None };
        let record_error = if self.deep && crc_ok { check_records(whole).err() } else { None };
        Some(Ok(DumpedBatch { position: at as u64, header, crc_ok, marker, record_error }))
    }
}

fn check_records(batch: &[u8]) -> Result<(), String> {
    let batch = RecordBatch::new(batch).and_then(|b| b.open()).map_err(|e| e.to_string())?;
    batch.iter().try_for_each(|r| r.map(drop)).map_err(|e| e.to_string())
}

/// Entries of an index, and what is wrong with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexDump<E> {
    pub entries: Vec<E>,
    pub problems: Vec<String>,
}

impl<E> Default for IndexDump<E> {
    fn default() -> Self {
        Self { entries: Vec::new(), problems: Vec::new() }
    }
}

/// An `.index`: offset and position. Stops at the zeros of a mapped file's unused part. `log` are the segment's bytes, when
/// the entries are to be checked against them.
#[must_use]
pub fn dump_offset_index(bytes: &[u8], base_offset: i64, log: Option<&[u8]>) -> IndexDump<(i64, u32)> {
    let mut dump = IndexDump::default();
    if !bytes.len().is_multiple_of(OffsetEntry::SIZE) {
        dump.problems.push(format!("{} bytes are no whole entries of {}", bytes.len(), OffsetEntry::SIZE));
    }
    let mut last: Option<OffsetEntry> = None;
    for entry in bytes.chunks_exact(OffsetEntry::SIZE).map(OffsetEntry::decode) {
        if entry.relative_offset == 0 && last.is_some() {
            break;
        }
        if entry == (OffsetEntry { relative_offset: 0, position: 0 }) {
            break;
        }
        let offset = base_offset + i64::from(entry.relative_offset);
        if last.is_some_and(|l| l.relative_offset >= entry.relative_offset || l.position > entry.position) {
            dump.problems.push(format!("offset {offset} at {} goes back", entry.position));
        }
        if let Some(log) = log {
            match log.get(entry.position as usize..).map(BatchHeader::parse) {
                Some(Ok(header)) if (header.base_offset..=header.last_offset()).contains(&offset) => {}
                _ => dump.problems.push(format!("offset {offset} is not in a batch at byte {}", entry.position)),
            }
        }
        dump.entries.push((offset, entry.position));
        last = Some(entry);
    }
    dump
}

/// A `.timeindex`: timestamp and offset. Stops at the zeros of a mapped file's unused part.
#[must_use]
pub fn dump_time_index(bytes: &[u8], base_offset: i64) -> IndexDump<(i64, i64)> {
    let mut dump = IndexDump::default();
    if !bytes.len().is_multiple_of(TimeEntry::SIZE) {
        dump.problems.push(format!("{} bytes are no whole entries of {}", bytes.len(), TimeEntry::SIZE));
    }
    let mut last: Option<TimeEntry> = None;
    for entry in bytes.chunks_exact(TimeEntry::SIZE).map(TimeEntry::decode) {
        if entry == (TimeEntry { timestamp: 0, relative_offset: 0 }) {
            break;
        }
        let offset = base_offset + i64::from(entry.relative_offset);
        if last.is_some_and(|l| l.timestamp >= entry.timestamp || l.relative_offset > entry.relative_offset) {
            dump.problems.push(format!("timestamp {} for offset {offset} goes back", entry.timestamp));
        }
        dump.entries.push((entry.timestamp, offset));
        last = Some(entry);
    }
    dump
}

/// A `.txnindex`.
#[must_use]
pub fn dump_transaction_index(bytes: &[u8]) -> IndexDump<AbortedTxn> {
    let mut dump = IndexDump::default();
    for (i, entry) in bytes.chunks(ENTRY_LEN).enumerate() {
        match AbortedTxn::decode(entry) {
            Ok(txn) => dump.entries.push(txn),
            Err(e) => dump.problems.push(format!("entry {i}: {e}")),
        }
    }
    dump
}

/// A `.snapshot`.
pub fn dump_snapshot(bytes: &[u8]) -> Result<Vec<ProducerStateEntry>, String> {
    producer_snapshot::decode(bytes).map_err(|e| e.to_string())
}

/// An offset checkpoint.
pub fn dump_offset_checkpoint(bytes: &[u8]) -> Result<Offsets, String> {
    checkpoint::decode_offsets(bytes).map_err(|e| e.to_string())
}

/// `leader-epoch-checkpoint`.
pub fn dump_leader_epochs(bytes: &[u8]) -> Result<Vec<EpochEntry>, String> {
    checkpoint::decode_epochs(bytes).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{batch, marker};

    #[test]
    fn names() {
        assert_eq!(FileKind::of("00000000000000000042.log"), Some(FileKind::Log));
        assert_eq!(FileKind::of("00000000000000000042.timeindex.deleted"), Some(FileKind::TimeIndex));
        assert_eq!(FileKind::of("recovery-point-offset-checkpoint"), Some(FileKind::OffsetCheckpoint));
        assert_eq!(FileKind::of("leader-epoch-checkpoint"), Some(FileKind::LeaderEpochs));
        assert_eq!(FileKind::of("notes.txt"), None);
        assert_eq!(base_offset_of("00000000000000000042.log"), Some(42));
        assert_eq!(base_offset_of("x.log"), None);
    }

    #[test]
    fn batches_and_damage() {
        let mut flipped = batch(&["damaged"]);
        flipped[70] ^= 1;
        let bytes = [batch(&["a", "b"]), marker(3, 0, false), flipped, vec![0; 100]].concat();
        let all: Vec<_> = LogDump::new(&bytes, true).collect::<Result<_, _>>().expect("no torn end");
        assert_eq!(all.iter().map(|b| b.crc_ok).collect::<Vec<_>>(), [true, true, false]);
        assert_eq!(all[1].marker.map(|m| (m.commit, m.coordinator_epoch)), Some((false, 7)));
        let torn = [batch(&["a"]), batch(&["b"])[..65].to_vec()].concat();
        let all: Vec<_> = LogDump::new(&torn, false).collect();
        assert!(all.len() == 2 && all[0].is_ok() && all[1].is_err());
    }

    #[test]
    fn indexes_and_damage() {
        let entries = [(5u32, 100u32), (9, 200), (9, 300)].map(|(o, p)| [o.to_be_bytes(), p.to_be_bytes()].concat());
        let dump = dump_offset_index(&[entries.concat(), vec![0; 16]].concat(), 1_000, None);
        assert_eq!(dump.entries, [(1_005, 100), (1_009, 200), (1_009, 300)]);
        assert_eq!(dump.problems.len(), 1);
        assert_eq!(dump_offset_index(&[1; 9], 0, None).problems.len(), 1);
        assert_eq!(dump_offset_index(&[0, 0, 0, 1, 0, 0, 0, 0], 0, Some(&batch(&["a", "b"]))).problems.len(), 0);
        assert_eq!(dump_offset_index(&[0, 0, 0, 2, 0, 0, 0, 0], 0, Some(&batch(&["a", "b"]))).problems.len(), 1);
        assert_eq!(dump_time_index(&[0; 24], 0), IndexDump::default());
        assert_eq!(dump_transaction_index(&[0; 40]).problems.len(), 1);
    }
}
