//! Record batches of magic 2 (KIP-98): the unit in which records are sent, stored and fetched.
//!
//! ```text
//!  0 base offset        i64   27 base timestamp  i64
//!  8 length             i32   35 max timestamp   i64
//! 12 leader epoch       i32   43 producer id     i64
//! 16 magic              i8    51 producer epoch  i16
//! 17 crc                u32   53 base sequence   i32
//! 21 attributes         i16   57 record count    i32
//! 23 last offset delta  i32   61 records, compressed as the attributes say
//! ```
//!
//! The length counts from byte 12; the checksum (CRC-32C) covers byte 21 to the end, so that a broker can set the base
//! offset and leader epoch without touching it. Magic 0 and 1 are recognised, and not read further.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use ottla_base::{checksum, limits};

use crate::compression::{Compression, CompressionError, decompress};
use crate::error_code::ErrorCode;
use crate::record::{Cursor, RecordIter};

/// Bytes of base offset and length, which the length does not count.
pub const LOG_OVERHEAD: usize = 12;
/// Bytes before the records.
pub const HEADER_BYTES: usize = 61;
/// The magic of the batches we read and write.
pub const MAGIC: i8 = 2;

pub(crate) const LENGTH_AT: usize = 8;
pub(crate) const LEADER_EPOCH_AT: usize = 12;
pub(crate) const MAGIC_AT: usize = 16;
pub(crate) const CRC_AT: usize = 17;
pub(crate) const ATTRIBUTES_AT: usize = 21;
pub(crate) const LAST_OFFSET_DELTA_AT: usize = 23;
pub(crate) const BASE_TIMESTAMP_AT: usize = 27;
pub(crate) const MAX_TIMESTAMP_AT: usize = 35;
pub(crate) const PRODUCER_ID_AT: usize = 43;
pub(crate) const PRODUCER_EPOCH_AT: usize = 51;
pub(crate) const BASE_SEQUENCE_AT: usize = 53;
pub(crate) const COUNT_AT: usize = 57;

pub(crate) const COMPRESSION_BITS: i16 = 0x07;
pub(crate) const LOG_APPEND_TIME_BIT: i16 = 0x08;
pub(crate) const TRANSACTIONAL_BIT: i16 = 0x10;
pub(crate) const CONTROL_BIT: i16 = 0x20;
pub(crate) const DELETE_HORIZON_BIT: i16 = 0x40;

/// Smallest length that any magic can have: a message of magic 0 without key and value.
const SMALLEST_LENGTH: i32 = 14;

/// Whose clock the timestamps of a batch come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TimestampType {
    #[default]
    CreateTime,
    LogAppendTime,
}

/// What is wrong with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// The bytes can't be a batch, or fail the checksum.
    Corrupt(&'static str),
    /// The batch is sound, and something in it is not allowed.
    InvalidRecord(&'static str),
    /// An old batch, of magic 0 or 1, of `size` bytes in all.
    OldMagic { magic: i8, size: usize },
    /// The records could not be decompressed.
    Compression(CompressionError),
    /// The attributes name a compression that does not exist, or that the request's version may not use.
    UnsupportedCompression,
    /// The batch is larger than the log takes.
    TooLarge { size: usize, limit: usize },
}

impl BatchError {
    /// The error a producer is told.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Corrupt(_) | Self::Compression(CompressionError::Corrupt(_)) => ErrorCode::CorruptMessage,
            Self::InvalidRecord(_) => ErrorCode::InvalidRecord,
            Self::OldMagic { .. } => ErrorCode::UnsupportedForMessageFormat,
            Self::UnsupportedCompression => ErrorCode::UnsupportedCompressionType,
            Self::TooLarge { .. } | Self::Compression(CompressionError::TooLarge { .. }) => ErrorCode::MessageTooLarge,
        }
    }
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt(what) | Self::InvalidRecord(what) => f.write_str(what),
            Self::OldMagic { magic, .. } => write!(f, "the batch has the old format {magic}"),
            Self::Compression(error) => error.fmt(f),
            Self::UnsupportedCompression => f.write_str("the compression is not supported"),
            Self::TooLarge { size, limit } => write!(f, "the batch has {size} bytes, {limit} are allowed"),
        }
    }
}

impl Error for BatchError {}

impl From<CompressionError> for BatchError {
    fn from(error: CompressionError) -> Self {
        Self::Compression(error)
    }
}

/// What the first bytes of a batch say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchPeek {
    pub base_offset: i64,
    /// Bytes of the whole batch, [`LOG_OVERHEAD`] included.
    pub size: usize,
    pub magic: i8,
}

/// Reads the front of a batch of any magic. `Ok(None)` when fewer bytes are there than that takes (17); an error when
/// the length or magic can't be true.
pub fn peek(bytes: &[u8]) -> Result<Option<BatchPeek>, BatchError> {
    if bytes.len() <= MAGIC_AT {
        return Ok(None);
    }
    let length = i32::from_be_bytes(fixed(bytes, LENGTH_AT));
    let magic = bytes[MAGIC_AT] as i8;
    if length < SMALLEST_LENGTH {
        return Err(BatchError::Corrupt("a batch has a length smaller than its header"));
    }
    if !(0..=MAGIC).contains(&magic) {
        return Err(BatchError::Corrupt("a batch has an unknown magic"));
    }
    let size = LOG_OVERHEAD + length as usize;
    if magic == MAGIC && size < HEADER_BYTES {
        return Err(BatchError::Corrupt("a batch has a length smaller than its header"));
    }
    Ok(Some(BatchPeek { base_offset: i64::from_be_bytes(fixed(bytes, 0)), size, magic }))
}

/// `N` bytes at a place that the caller knows to be there.
#[inline]
fn fixed<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

/// The header of a batch, over at least [`HEADER_BYTES`] bytes of one of magic 2. The records need not be there.
#[derive(Clone, Copy)]
pub struct BatchHeader<'a> {
    bytes: &'a [u8; HEADER_BYTES],
}

impl<'a> BatchHeader<'a> {
    /// Views the first bytes of a batch. An error when they are too few, or not of a sound batch of magic 2.
    pub fn new(bytes: &'a [u8]) -> Result<Self, BatchError> {
        let front = peek(bytes)?.ok_or(BatchError::Corrupt("a batch ends inside its header"))?;
        if front.magic != MAGIC {
            return Err(BatchError::OldMagic { magic: front.magic, size: front.size });
        }
        let bytes = bytes.first_chunk().ok_or(BatchError::Corrupt("a batch ends inside its header"))?;
        Ok(Self { bytes })
    }

    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8; HEADER_BYTES] {
        self.bytes
    }

    #[must_use]
    pub fn base_offset(&self) -> i64 {
        i64::from_be_bytes(fixed(self.bytes, 0))
    }

    /// Bytes of the whole batch.
    #[must_use]
    pub fn size(&self) -> usize {
        LOG_OVERHEAD + i32::from_be_bytes(fixed(self.bytes, LENGTH_AT)) as usize
    }

    /// Epoch of the leader that appended it; -1 before.
    #[must_use]
    pub fn leader_epoch(&self) -> i32 {
        i32::from_be_bytes(fixed(self.bytes, LEADER_EPOCH_AT))
    }

    #[must_use]
    pub fn magic(&self) -> i8 {
        self.bytes[MAGIC_AT] as i8
    }

    #[must_use]
    pub fn crc(&self) -> u32 {
        u32::from_be_bytes(fixed(self.bytes, CRC_AT))
    }

    #[must_use]
    pub fn attributes(&self) -> i16 {
        i16::from_be_bytes(fixed(self.bytes, ATTRIBUTES_AT))
    }

    /// How the records are compressed; an error when the attributes name nothing that exists.
    pub fn compression(&self) -> Result<Compression, BatchError> {
        Compression::from_id((self.attributes() & COMPRESSION_BITS) as u8).ok_or(BatchError::UnsupportedCompression)
    }

    #[must_use]
    pub fn timestamp_type(&self) -> TimestampType {
        if self.attributes() & LOG_APPEND_TIME_BIT != 0 {
            TimestampType::LogAppendTime
        } else {
            TimestampType::CreateTime
        }
    }

    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.attributes() & TRANSACTIONAL_BIT != 0
    }

    /// Whether the records are the brokers' own: markers of transactions.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.attributes() & CONTROL_BIT != 0
    }

    /// When compaction may drop the batch's tombstones and markers, ms since 1970: it takes the place of the base
    /// timestamp (KIP-534).
    #[must_use]
    pub fn delete_horizon_ms(&self) -> Option<i64> {
        (self.attributes() & DELETE_HORIZON_BIT != 0).then(|| self.base_timestamp())
    }

    #[must_use]
    pub fn last_offset_delta(&self) -> i32 {
        i32::from_be_bytes(fixed(self.bytes, LAST_OFFSET_DELTA_AT))
    }

    #[must_use]
    pub fn last_offset(&self) -> i64 {
        self.base_offset().wrapping_add(i64::from(self.last_offset_delta()))
    }

    /// The offset after the last.
    #[must_use]
    pub fn next_offset(&self) -> i64 {
        self.last_offset().wrapping_add(1)
    }

    /// Timestamp from which those of the records count, ms since 1970.
    #[must_use]
    pub fn base_timestamp(&self) -> i64 {
        i64::from_be_bytes(fixed(self.bytes, BASE_TIMESTAMP_AT))
    }

    #[must_use]
    pub fn max_timestamp(&self) -> i64 {
        i64::from_be_bytes(fixed(self.bytes, MAX_TIMESTAMP_AT))
    }

    /// -1 for a producer without.
    #[must_use]
    pub fn producer_id(&self) -> i64 {
        i64::from_be_bytes(fixed(self.bytes, PRODUCER_ID_AT))
    }

    #[must_use]
    pub fn has_producer_id(&self) -> bool {
        self.producer_id() >= 0
    }

    #[must_use]
    pub fn producer_epoch(&self) -> i16 {
        i16::from_be_bytes(fixed(self.bytes, PRODUCER_EPOCH_AT))
    }

    /// Sequence number of the first record; -1 for a producer without.
    #[must_use]
    pub fn base_sequence(&self) -> i32 {
        i32::from_be_bytes(fixed(self.bytes, BASE_SEQUENCE_AT))
    }

    /// Sequence number of the last record. Numbers go on at 0 after the largest.
    #[must_use]
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence() < 0 {
            return self.base_sequence();
        }
        ((i64::from(self.base_sequence()) + i64::from(self.last_offset_delta().max(0))) & i64::from(i32::MAX)) as i32
    }

    /// Number of records.
    #[must_use]
    pub fn count(&self) -> i32 {
        i32::from_be_bytes(fixed(self.bytes, COUNT_AT))
    }
}

impl fmt::Debug for BatchHeader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchHeader")
            .field("base_offset", &self.base_offset())
            .field("last_offset", &self.last_offset())
            .field("size", &self.size())
            .field("leader_epoch", &self.leader_epoch())
            .field("attributes", &self.attributes())
            .field("producer", &(self.producer_id(), self.producer_epoch(), self.base_sequence()))
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}

/// A whole batch of magic 2.
#[derive(Clone, Copy, Debug)]
pub struct RecordBatch<'a> {
    header: BatchHeader<'a>,
    bytes: &'a [u8],
}

impl<'a> std::ops::Deref for RecordBatch<'a> {
    type Target = BatchHeader<'a>;

    fn deref(&self) -> &BatchHeader<'a> {
        &self.header
    }
}

impl<'a> RecordBatch<'a> {
    /// Views the first batch of `bytes`, which may go on after it.
    pub fn new(bytes: &'a [u8]) -> Result<Self, BatchError> {
        let header = BatchHeader::new(bytes)?;
        let bytes = bytes.get(..header.size()).ok_or(BatchError::Corrupt("a batch ends before its length does"))?;
        Ok(Self { header, bytes })
    }

    #[must_use]
    pub fn header(&self) -> BatchHeader<'a> {
        self.header
    }

    /// The whole batch.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The records as they stand, compressed or not.
    #[must_use]
    pub fn records_bytes(&self) -> &'a [u8] {
        &self.bytes[HEADER_BYTES..]
    }

    #[must_use]
    pub fn is_crc_valid(&self) -> bool {
        checksum::crc32c(&self.bytes[ATTRIBUTES_AT..]) == self.crc()
    }

    /// An error when the checksum is wrong.
    #[doc(alias = "ensureValid")]
    pub fn check_crc(&self) -> Result<(), BatchError> {
        if self.is_crc_valid() { Ok(()) } else { Err(BatchError::Corrupt("a batch fails its checksum")) }
    }

    /// Decompresses the records, if they are compressed, into at most [`limits::DECOMPRESSED_BATCH_BYTES`].
    pub fn open(&self) -> Result<OpenBatch<'a>, BatchError> {
        let data = match self.compression()? {
            Compression::None => Cow::Borrowed(self.records_bytes()),
            compression => Cow::Owned(decompress(compression, self.records_bytes(), limits::DECOMPRESSED_BATCH_BYTES)?),
        };
        Ok(OpenBatch { header: self.header, data })
    }
}

/// A batch with its records decompressed.
#[derive(Clone, Debug)]
pub struct OpenBatch<'a> {
    pub header: BatchHeader<'a>,
    data: Cow<'a, [u8]>,
}

impl OpenBatch<'_> {
    /// Bytes of the records.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The records in order.
    #[must_use]
    pub fn iter(&self) -> RecordIter<'_> {
        let append_time = self.header.timestamp_type() == TimestampType::LogAppendTime;
        RecordIter {
            cursor: Cursor { bytes: &self.data },
            left: self.header.count().max(0) as u32,
            base_offset: self.header.base_offset(),
            base_timestamp: self.header.base_timestamp(),
            append_time: append_time.then(|| self.header.max_timestamp()),
        }
    }
}

impl<'b> IntoIterator for &'b OpenBatch<'_> {
    type Item = Result<crate::record::Record<'b>, BatchError>;
    type IntoIter = RecordIter<'b>;

    fn into_iter(self) -> RecordIter<'b> {
        self.iter()
    }
}

/// Changes a batch in place: what a broker sets when it appends.
#[derive(Debug)]
pub struct RecordBatchMut<'a> {
    bytes: &'a mut [u8],
}

impl<'a> RecordBatchMut<'a> {
    /// Views the first batch of `bytes`, which may go on after it.
    pub fn new(bytes: &'a mut [u8]) -> Result<Self, BatchError> {
        let size = RecordBatch::new(bytes)?.size();
        Ok(Self { bytes: &mut bytes[..size] })
    }

    #[must_use]
    pub fn as_batch(&self) -> RecordBatch<'_> {
        let (bytes, header) = (&*self.bytes, self.bytes.first_chunk().expect("a batch has a header"));
        RecordBatch { header: BatchHeader { bytes: header }, bytes }
    }

    /// Outside the checksum.
    pub fn set_base_offset(&mut self, offset: i64) {
        set_base_offset(self.bytes, offset);
    }

    /// Outside the checksum.
    pub fn set_leader_epoch(&mut self, epoch: i32) {
        set_leader_epoch(self.bytes, epoch);
    }

    /// Sets whose clock the timestamps are of, and the largest (for `LogAppendTime`: the timestamp of all records).
    /// Recomputes the checksum if anything changes.
    pub fn set_max_timestamp(&mut self, of: TimestampType, max_timestamp: i64) {
        let batch = self.as_batch();
        if batch.timestamp_type() == of && batch.max_timestamp() == max_timestamp {
            return;
        }
        let mut attributes = batch.attributes() & !LOG_APPEND_TIME_BIT;
        if of == TimestampType::LogAppendTime {
            attributes |= LOG_APPEND_TIME_BIT;
        }
        put(self.bytes, ATTRIBUTES_AT, attributes.to_be_bytes());
        put(self.bytes, MAX_TIMESTAMP_AT, max_timestamp.to_be_bytes());
        seal(self.bytes);
    }

    /// Sets the producer's part of the header (retried batches of a new epoch) and recomputes the checksum.
    pub fn set_producer(&mut self, id: i64, epoch: i16, base_sequence: i32) {
        put(self.bytes, PRODUCER_ID_AT, id.to_be_bytes());
        put(self.bytes, PRODUCER_EPOCH_AT, epoch.to_be_bytes());
        put(self.bytes, BASE_SEQUENCE_AT, base_sequence.to_be_bytes());
        seal(self.bytes);
    }
}

#[inline]
pub(crate) fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&value);
}

/// Computes the checksum of a whole batch and puts it in its place.
pub(crate) fn seal(batch: &mut [u8]) {
    let crc = checksum::crc32c(&batch[ATTRIBUTES_AT..]);
    put(batch, CRC_AT, crc.to_be_bytes());
}

/// Sets the base offset in a (copy of a) header. Panics on fewer than 8 bytes.
pub fn set_base_offset(header: &mut [u8], offset: i64) {
    put(header, 0, offset.to_be_bytes());
}

/// Sets the leader epoch in a (copy of a) header. Panics on fewer than 16 bytes.
pub fn set_leader_epoch(header: &mut [u8], epoch: i32) {
    put(header, LEADER_EPOCH_AT, epoch.to_be_bytes());
}
