//! The header of a record batch v2 and the walk over its records, as far as the log needs them.
//!
//! All integers big-endian. The checksum covers everything from `attributes` on, so that the base offset and the leader
//! epoch are set without a new one.

use ottla_base::checksum::crc32c;
use ottla_base::varint;

use ottla_protocol::compression::Compression;
use ottla_protocol::record_batch::TimestampType;

use crate::error::Corrupt;

/// Bytes of a batch before its records.
pub const HEADER_LEN: usize = 61;
/// Bytes of base offset and length, which the length field doesn't count.
pub const LOG_OVERHEAD: usize = 12;
/// First byte that the checksum covers.
pub const CRC_START: usize = 21;
/// No producer id, epoch, sequence or timestamp.
pub const NO_PRODUCER_ID: i64 = -1;
pub const NO_TIMESTAMP: i64 = -1;
pub const NO_SEQUENCE: i32 = -1;

const CODEC_MASK: i16 = 0x07;
const TIMESTAMP_TYPE_MASK: i16 = 0x08;
const TRANSACTIONAL_MASK: i16 = 0x10;
const CONTROL_MASK: i16 = 0x20;
const DELETE_HORIZON_MASK: i16 = 0x40;

fn i16_at(b: &[u8], at: usize) -> i16 {
    i16::from_be_bytes([b[at], b[at + 1]])
}

fn i32_at(b: &[u8], at: usize) -> i32 {
    i32::from_be_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}

fn i64_at(b: &[u8], at: usize) -> i64 {
    let mut word = [0; 8];
    word.copy_from_slice(&b[at..at + 8]);
    i64::from_be_bytes(word)
}

/// A batch's header.
#[doc(alias = "DefaultRecordBatch")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    pub base_offset: i64,
    /// Length in bytes of the whole batch, with base offset and length.
    pub size: usize,
    pub leader_epoch: i32,
    pub magic: i8,
    pub crc: u32,
    pub attributes: i16,
    pub last_offset_delta: i32,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub count: i32,
}

impl BatchHeader {
    /// Reads the header at the front of `bytes` (at least [`HEADER_LEN`]); errors when the length or magic can't be.
    pub fn parse(bytes: &[u8]) -> Result<Self, Corrupt> {
        if bytes.len() < HEADER_LEN {
            return Err(Corrupt(format!("{} bytes are less than a batch header", bytes.len())));
        }
        let length = i32_at(bytes, 8);
        let magic = bytes[16] as i8;
        if magic != 2 {
            return Err(Corrupt(format!("batch of format {magic}, only 2 is stored")));
        }
        let size = match usize::try_from(length) {
            Ok(length) if length >= HEADER_LEN - LOG_OVERHEAD => length + LOG_OVERHEAD,
            _ => return Err(Corrupt(format!("batch length {length} is too small"))),
        };
        let header = Self {
            base_offset: i64_at(bytes, 0),
            size,
            leader_epoch: i32_at(bytes, 12),
            magic,
            crc: i32_at(bytes, 17) as u32,
            attributes: i16_at(bytes, 21),
            last_offset_delta: i32_at(bytes, 23),
            base_timestamp: i64_at(bytes, 27),
            max_timestamp: i64_at(bytes, 35),
            producer_id: i64_at(bytes, 43),
            producer_epoch: i16_at(bytes, 51),
            base_sequence: i32_at(bytes, 53),
            count: i32_at(bytes, 57),
        };
        if header.last_offset_delta < 0 || header.base_offset.checked_add(header.last_offset_delta.into()).is_none() {
            return Err(Corrupt(format!(
                "batch at offset {} ends {} after it",
                header.base_offset, header.last_offset_delta
            )));
        }
        Ok(header)
    }

    #[must_use]
    pub fn last_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_offset_delta)
    }

    #[must_use]
    pub fn next_offset(&self) -> i64 {
        self.last_offset() + 1
    }

    /// `None` for a codec number that doesn't exist.
    #[must_use]
    pub fn codec(&self) -> Option<Compression> {
        Compression::from_id((self.attributes & CODEC_MASK) as u8)
    }

    #[must_use]
    pub fn timestamp_type(&self) -> TimestampType {
        if self.attributes & TIMESTAMP_TYPE_MASK == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL_MASK != 0
    }

    #[must_use]
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL_MASK != 0
    }

    /// The time after which the cleaner drops this batch's tombstones or marker; it takes the base timestamp's place.
    #[must_use]
    pub fn delete_horizon_ms(&self) -> Option<i64> {
        (self.attributes & DELETE_HORIZON_MASK != 0).then_some(self.base_timestamp)
    }

    #[must_use]
    pub fn has_producer_id(&self) -> bool {
        self.producer_id > NO_PRODUCER_ID
    }

    /// Sequence of the last record; sequences wrap from `i32::MAX` to 0.
    #[must_use]
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence == NO_SEQUENCE {
            return NO_SEQUENCE;
        }
        increment_sequence(self.base_sequence, self.last_offset_delta)
    }

    /// True when the stored checksum is that of `batch`, this header's whole batch.
    #[must_use]
    pub fn checksum_ok(&self, batch: &[u8]) -> bool {
        crc32c(&batch[CRC_START..]) == self.crc
    }
}

/// `sequence` moved on by `by`, wrapping from `i32::MAX` to 0.
#[must_use]
pub fn increment_sequence(sequence: i32, by: i32) -> i32 {
    ((i64::from(sequence) + i64::from(by)) & 0x7fff_ffff) as i32
}

/// Sets base offset and leader epoch in place; the checksum doesn't cover them.
pub fn set_offset_and_epoch(batch: &mut [u8], base_offset: i64, leader_epoch: i32) {
    batch[..8].copy_from_slice(&base_offset.to_be_bytes());
    batch[12..16].copy_from_slice(&leader_epoch.to_be_bytes());
}

/// Sets the largest timestamp and its type in place, and the checksum anew when that changed anything.
pub fn set_max_timestamp(batch: &mut [u8], kind: TimestampType, max_timestamp: i64) {
    let mut attributes = i16_at(batch, 21) & !TIMESTAMP_TYPE_MASK;
    if kind == TimestampType::LogAppendTime {
        attributes |= TIMESTAMP_TYPE_MASK;
    }
    if attributes == i16_at(batch, 21) && max_timestamp == i64_at(batch, 35) {
        return;
    }
    batch[21..23].copy_from_slice(&attributes.to_be_bytes());
    batch[35..43].copy_from_slice(&max_timestamp.to_be_bytes());
    let crc = crc32c(&batch[CRC_START..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}

/// Sets codec, length and checksum of a whole batch whose body was replaced.
pub fn set_codec_and_length(batch: &mut [u8], codec: Compression) {
    let attributes = (i16_at(batch, 21) & !CODEC_MASK) | i16::from(codec.id());
    let length = (batch.len() - LOG_OVERHEAD) as i32;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[21..23].copy_from_slice(&attributes.to_be_bytes());
    let crc = crc32c(&batch[CRC_START..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}

/// One record inside a batch: where it lies and what the log looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordView<'a> {
    pub timestamp_delta: i64,
    pub offset_delta: i32,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// The record whole, with its length varint.
    pub raw: &'a [u8],
}

/// The records of an uncompressed (or opened) batch body. Stops after the first error.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
    failed: bool,
}

impl<'a> Records<'a> {
    #[must_use]
    pub fn new(body: &'a [u8]) -> Self {
        Self { rest: body, failed: false }
    }

    /// Bytes after the last record given.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn step(&mut self) -> Result<RecordView<'a>, Corrupt> {
        let bad = |what: &str| Corrupt(format!("a record's {what} can't be read"));
        let (length, length_len) = varint::read_i32(self.rest).map_err(|_| bad("length"))?;
        let length = usize::try_from(length).map_err(|_| bad("length"))?;
        let whole = length_len + length;
        if whole > self.rest.len() {
            return Err(Corrupt(format!("a record of {length} bytes where {} are left", self.rest.len() - length_len)));
        }
        let (raw, rest) = self.rest.split_at(whole);
        let mut at = length_len + 1; // one byte of attributes, unused by the format
        if at > raw.len() {
            return Err(bad("attributes"));
        }
        let (timestamp_delta, n) = varint::read_i64(&raw[at..]).map_err(|_| bad("timestamp"))?;
        at += n;
        let (offset_delta, n) = varint::read_i32(&raw[at..]).map_err(|_| bad("offset"))?;
        at += n;
        let key = read_bytes(raw, &mut at).ok_or_else(|| bad("key"))?;
        let value = read_bytes(raw, &mut at).ok_or_else(|| bad("value"))?;
        self.rest = rest;
        Ok(RecordView { timestamp_delta, offset_delta, key, value, raw })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<RecordView<'a>, Corrupt>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.rest.is_empty() {
            return None;
        }
        let item = self.step();
        self.failed = item.is_err();
        Some(item)
    }
}

/// Reads a length and that many bytes; -1 means null. `None` when they aren't there.
fn read_bytes<'a>(raw: &'a [u8], at: &mut usize) -> Option<Option<&'a [u8]>> {
    let (length, n) = varint::read_i32(raw.get(*at..)?).ok()?;
    *at += n;
    if length < 0 {
        return Some(None);
    }
    let bytes = raw.get(*at..at.checked_add(length as usize)?)?;
    *at += length as usize;
    Some(Some(bytes))
}
