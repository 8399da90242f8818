//! The checks that a leader makes before it appends a producer's batch, in Kafka's order and with Kafka's errors.

use ottla_base::limits;

use crate::compression::{Compression, decompress};
use crate::record::Cursor;
use crate::record_batch::{BatchError, RecordBatch, peek};

/// Who sends the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "AppendOrigin")]
pub enum Origin {
    /// A producer: base offset 0, no control records, count and offsets in step.
    Client,
    /// A coordinator of this cluster: may write control records.
    Coordinator,
    /// The leader, to a follower: offsets are kept, compacted batches have gaps.
    Replication,
}

/// What to check.
#[derive(Clone, Copy, Debug)]
pub struct Checks {
    pub origin: Origin,
    /// Largest batch in bytes (`max.message.bytes`).
    pub max_batch_bytes: usize,
    /// Whether to go through the records, decompressing them if needed.
    pub records: bool,
    /// Whether zstd is allowed: not in produce requests before version 7 (KIP-110).
    pub allow_zstd: bool,
}

/// What the records of a batch have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordsSummary {
    /// Smallest and largest timestamp as the producer set them, ms since 1970.
    pub min_timestamp: i64,
    pub max_timestamp: i64,
    /// Offset difference of the first record that has the largest timestamp.
    #[doc(alias = "shallowOffsetOfMaxTimestamp")]
    pub max_timestamp_delta: i32,
    /// Index of the first record without a key: a compacted topic takes none.
    pub first_without_key: Option<i32>,
    /// Bytes of the records, decompressed.
    pub bytes: usize,
}

/// The one batch of a partition in a produce request of version 3 and above.
#[doc(alias = "validateRecords")]
pub fn only_batch(records: &[u8]) -> Result<RecordBatch<'_>, BatchError> {
    // A batch that is cut off counts as none.
    if peek(records)?.is_none_or(|front| front.size > records.len()) {
        return Err(BatchError::InvalidRecord("a partition of a produce request has no whole batch"));
    }
    let batch = match RecordBatch::new(records) {
        Err(BatchError::OldMagic { .. }) => {
            return Err(BatchError::InvalidRecord("a produce request may only have batches of magic 2"));
        }
        result => result?,
    };
    if batch.bytes().len() == records.len() {
        Ok(batch)
    } else {
        Err(BatchError::InvalidRecord("a partition of a produce request has more than one batch"))
    }
}

/// Checks a batch; gives what was learnt of its records if those were to be checked.
#[doc(alias = "LogValidator")]
pub fn validate(batch: &RecordBatch<'_>, checks: &Checks) -> Result<Option<RecordsSummary>, BatchError> {
    let (size, limit) = (batch.size(), checks.max_batch_bytes);
    if size > limit {
        return Err(BatchError::TooLarge { size, limit });
    }
    batch.check_crc()?;
    let compression = batch.compression()?;
    if compression == Compression::Zstd && !checks.allow_zstd {
        return Err(BatchError::UnsupportedCompression);
    }
    if checks.origin != Origin::Replication {
        validate_header(batch, checks.origin)?;
    }
    if !checks.records {
        return Ok(None);
    }
    match compression {
        Compression::None => summarize(batch, checks.origin, batch.records_bytes()).map(Some),
        _ => {
            let data = decompress(compression, batch.records_bytes(), limits::DECOMPRESSED_BATCH_BYTES)?;
            summarize(batch, checks.origin, &data).map(Some)
        }
    }
}

fn validate_header(batch: &RecordBatch<'_>, origin: Origin) -> Result<(), BatchError> {
    let invalid = |what| Err(BatchError::InvalidRecord(what));
    if origin == Origin::Client && batch.base_offset() != 0 {
        return invalid("a producer's batch does not begin at offset 0");
    }
    if batch.last_offset_delta() < 0 {
        return invalid("a batch has a negative range of offsets");
    }
    if batch.count() <= 0 {
        return invalid("a batch has no records");
    }
    if batch.count() - 1 != batch.last_offset_delta() {
        return invalid("a batch's count and range of offsets differ");
    }
    if origin == Origin::Client {
        if batch.has_producer_id() && batch.base_sequence() < 0 {
            return invalid("a batch has a producer id and no sequence number");
        }
        if batch.is_control() {
            return invalid("a client may not write control records");
        }
    }
    Ok(())
}

/// Goes through the records once.
fn summarize(batch: &RecordBatch<'_>, origin: Origin, data: &[u8]) -> Result<RecordsSummary, BatchError> {
    let base_timestamp = batch.base_timestamp();
    let mut summary = RecordsSummary {
        min_timestamp: i64::MAX,
        max_timestamp: i64::MIN,
        max_timestamp_delta: 0,
        first_without_key: None,
        bytes: data.len(),
    };
    let mut cursor = Cursor { bytes: data };
    let mut previous = -1;
    for index in 0..batch.count() {
        let record = cursor.record()?;
        let is_next = record.offset_delta == previous + 1;
        let is_later = record.offset_delta > previous && record.offset_delta <= batch.last_offset_delta();
        if !(is_next || origin == Origin::Replication && is_later) {
            return Err(BatchError::InvalidRecord("the offsets of a batch's records are out of order"));
        }
        previous = record.offset_delta;
        let timestamp = base_timestamp.wrapping_add(record.timestamp_delta);
        if timestamp > summary.max_timestamp {
            summary.max_timestamp = timestamp;
            summary.max_timestamp_delta = record.offset_delta;
        }
        summary.min_timestamp = summary.min_timestamp.min(timestamp);
        if record.key.is_none() && summary.first_without_key.is_none() {
            summary.first_without_key = Some(index);
        }
    }
    if cursor.bytes.is_empty() { Ok(summary) } else { Err(BatchError::InvalidRecord("bytes follow the last record")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;
    use crate::batch_builder::{BatchOptions, RecordBatchBuilder};
    use crate::compression::Compressor;
    use crate::record_batch::{ATTRIBUTES_AT, COUNT_AT, LAST_OFFSET_DELTA_AT, PRODUCER_ID_AT, put, seal};

    const CHECKS: Checks = Checks { origin: Origin::Client, max_batch_bytes: 1 << 20, records: true, allow_zstd: true };

    fn sample(compression: Compression) -> Vec<u8> {
        let mut builder = RecordBatchBuilder::new(BatchOptions::default(), Compressor::new(compression, None));
        builder.append(1_000, Some(b"a"), Some(b"1"), &[]);
        builder.append(3_000, None, Some(b"2"), &[]);
        builder.append(2_000, Some(b"c"), None, &[]);
        builder.finish().expect("finishes")
    }

    fn code_of(bytes: &[u8], checks: &Checks) -> ErrorCode {
        match only_batch(bytes).and_then(|batch| validate(&batch, checks)) {
            Ok(_) => ErrorCode::None,
            Err(error) => error.code(),
        }
    }

    /// A batch with `change` made and the checksum right.
    fn changed(compression: Compression, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = sample(compression);
        change(&mut bytes);
        seal(&mut bytes);
        bytes
    }

    #[test]
    fn a_sound_batch_passes() {
        for compression in Compression::ALL {
            let bytes = sample(compression);
            let batch = only_batch(&bytes).expect("one batch");
            let summary = validate(&batch, &CHECKS).expect("valid").expect("records were checked");
            assert_eq!((summary.min_timestamp, summary.max_timestamp, summary.max_timestamp_delta), (1_000, 3_000, 1));
            assert_eq!(summary.first_without_key, Some(1));
        }
    }

    #[test]
    fn headers_that_lie_are_refused() {
        use ErrorCode::{CorruptMessage, InvalidRecord, MessageTooLarge, UnsupportedCompressionType};
        let none = Compression::None;
        assert_eq!(code_of(&[], &CHECKS), InvalidRecord);
        assert_eq!(code_of(&sample(none)[..70], &CHECKS), InvalidRecord);
        assert_eq!(code_of(&sample(none)[..10], &CHECKS), InvalidRecord);
        assert_eq!(code_of(&[sample(none), sample(none)].concat(), &CHECKS), InvalidRecord);
        let mut flipped = sample(none);
        flipped[65] ^= 1;
        assert_eq!(code_of(&flipped, &CHECKS), CorruptMessage);
        assert_eq!(code_of(&sample(none), &Checks { max_batch_bytes: 80, ..CHECKS }), MessageTooLarge);
        assert_eq!(
            code_of(&sample(Compression::Zstd), &Checks { allow_zstd: false, ..CHECKS }),
            UnsupportedCompressionType
        );
        assert_eq!(code_of(&changed(none, |b| b[ATTRIBUTES_AT + 1] = 7), &CHECKS), UnsupportedCompressionType);
        assert_eq!(code_of(&changed(none, |b| b[ATTRIBUTES_AT + 1] = 0x20), &CHECKS), InvalidRecord);
        assert_eq!(code_of(&changed(none, |b| put(b, 0, 5i64.to_be_bytes())), &CHECKS), InvalidRecord);
        assert_eq!(code_of(&changed(none, |b| put(b, COUNT_AT, 0i32.to_be_bytes())), &CHECKS), InvalidRecord);
        assert_eq!(code_of(&changed(none, |b| put(b, COUNT_AT, 4i32.to_be_bytes())), &CHECKS), InvalidRecord);
        assert_eq!(code_of(&changed(none, |b| put(b, COUNT_AT, i32::MIN.to_be_bytes())), &CHECKS), InvalidRecord);
        assert_eq!(
            code_of(&changed(none, |b| put(b, LAST_OFFSET_DELTA_AT, (-1i32).to_be_bytes())), &CHECKS),
            InvalidRecord
        );
        assert_eq!(code_of(&changed(none, |b| put(b, PRODUCER_ID_AT, 9i64.to_be_bytes())), &CHECKS), InvalidRecord);
    }

    #[test]
    fn records_that_lie_are_refused() {
        let lying_count = |b: &mut Vec<u8>| {
            put(b, COUNT_AT, i32::MAX.to_be_bytes());
            put(b, LAST_OFFSET_DELTA_AT, (i32::MAX - 1).to_be_bytes());
        };
        for compression in Compression::ALL {
            assert_eq!(code_of(&changed(compression, lying_count), &CHECKS), ErrorCode::InvalidRecord);
            let fewer = |b: &mut Vec<u8>| {
                put(b, COUNT_AT, 2i32.to_be_bytes());
                put(b, LAST_OFFSET_DELTA_AT, 1i32.to_be_bytes());
            };
            assert_eq!(code_of(&changed(compression, fewer), &CHECKS), ErrorCode::InvalidRecord);
        }
        // Every byte of the records changed in every bit: an answer, never a panic.
        let bytes = sample(Compression::None);
        for at in crate::record_batch::HEADER_BYTES..bytes.len() {
            for bit in 0..8 {
                let _ = code_of(&changed(Compression::None, |b| b[at] ^= 1 << bit), &CHECKS);
            }
        }
        // The second record's offset.
        let second = crate::record_batch::HEADER_BYTES + 1 + usize::from(bytes[61] >> 1);
        assert_eq!(code_of(&changed(Compression::None, |b| b[second + 4] = 8), &CHECKS), ErrorCode::InvalidRecord);
    }
}
