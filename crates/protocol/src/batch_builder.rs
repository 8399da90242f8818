//! Making record batches of magic 2.

use ottla_base::varint;

use crate::compression::{Compression, Compressor};
use crate::record::Header;
use crate::record_batch::{
    ATTRIBUTES_AT, BASE_SEQUENCE_AT, BASE_TIMESTAMP_AT, BatchError, CONTROL_BIT, COUNT_AT, DELETE_HORIZON_BIT,
    HEADER_BYTES, LAST_OFFSET_DELTA_AT, LEADER_EPOCH_AT, LENGTH_AT, LOG_APPEND_TIME_BIT, LOG_OVERHEAD, MAGIC, MAGIC_AT,
    MAX_TIMESTAMP_AT, PRODUCER_EPOCH_AT, PRODUCER_ID_AT, TRANSACTIONAL_BIT, TimestampType, put, seal,
};

/// What a batch says of itself, apart from its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchOptions {
    /// Offset of the first record; producers send 0, the leader sets it.
    pub base_offset: i64,
    /// -1 when not appended by a leader yet.
    pub leader_epoch: i32,
    pub timestamp_type: TimestampType,
    /// Timestamp of all records when the type is `LogAppendTime`.
    pub log_append_time: i64,
    /// -1 for a producer without; then epoch and sequence are -1 too.
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub is_transactional: bool,
    pub is_control: bool,
    /// When compaction may drop the batch's tombstones and markers, ms since 1970.
    pub delete_horizon_ms: Option<i64>,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self {
            base_offset: 0,
            leader_epoch: -1,
            timestamp_type: TimestampType::CreateTime,
            log_append_time: -1,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            is_transactional: false,
            is_control: false,
            delete_horizon_ms: None,
        }
    }
}

/// Collects records straight into the bytes of a batch; nothing is allocated per record.
///
/// ```
/// use ottla_protocol::batch_builder::RecordBatchBuilder;
/// use ottla_protocol::record_batch::RecordBatch;
///
/// let mut builder = RecordBatchBuilder::default();
/// builder.append(1_700_000_000_000, Some(b"key"), Some(b"value"), &[]);
/// let bytes = builder.finish().unwrap();
/// let batch = RecordBatch::new(&bytes).unwrap();
/// assert_eq!((batch.count(), batch.is_crc_valid()), (1, true));
/// ```
#[derive(Debug)]
pub struct RecordBatchBuilder {
    options: BatchOptions,
    compressor: Compressor,
    /// The batch so far: room for the header, then records, not compressed.
    bytes: Vec<u8>,
    count: i32,
    last_offset_delta: i32,
    base_timestamp: i64,
    max_timestamp: i64,
    /// Offset difference of the first record that has the largest timestamp.
    max_timestamp_delta: i32,
}

impl Default for RecordBatchBuilder {
    fn default() -> Self {
        Self::new(BatchOptions::default(), Compressor::new(Compression::None, None))
    }
}

/// Length of a key or value with its length before it.
#[inline]
fn blob_len(blob: Option<&[u8]>) -> usize {
    blob.map_or(1, |blob| varint::len_i64(blob.len() as i64) + blob.len())
}

/// Bytes of a record after its own length.
#[inline]
fn body_len(
    timestamp_delta: i64,
    offset_delta: i32,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[Header<'_>],
) -> usize {
    let mut len = 1 + varint::len_i64(timestamp_delta) + varint::len_i64(i64::from(offset_delta));
    len += blob_len(key) + blob_len(value) + varint::len_i64(headers.len() as i64);
    for header in headers {
        len += blob_len(Some(header.key.as_bytes())) + blob_len(header.value);
    }
    len
}

#[inline]
fn put_varint(out: &mut Vec<u8>, value: i64) {
    // Most differences and lengths fit one byte.
    if (-64..64).contains(&value) {
        out.push(((value << 1) ^ (value >> 63)) as u8);
    } else {
        varint::write_i64(out, value);
    }
}

#[inline]
fn put_blob(out: &mut Vec<u8>, blob: Option<&[u8]>) {
    match blob {
        Some(blob) => {
            put_varint(out, blob.len() as i64);
            out.extend_from_slice(blob);
        }
        None => out.push(1),
    }
}

impl RecordBatchBuilder {
    #[must_use]
    pub fn new(options: BatchOptions, compressor: Compressor) -> Self {
        let mut builder = Self {
            options,
            compressor,
            bytes: Vec::new(),
            count: 0,
            last_offset_delta: -1,
            base_timestamp: -1,
            max_timestamp: -1,
            max_timestamp_delta: 0,
        };
        builder.reset(options, Vec::new());
        builder
    }

    /// Starts a new batch in `buffer`, whose content goes and whose room is used again.
    pub fn reset(&mut self, options: BatchOptions, mut buffer: Vec<u8>) {
        buffer.clear();
        buffer.resize(HEADER_BYTES, 0);
        self.options = options;
        self.bytes = buffer;
        self.count = 0;
        self.last_offset_delta = -1;
        self.base_timestamp = -1;
        self.max_timestamp = -1;
        self.max_timestamp_delta = 0;
    }

    #[must_use]
    pub fn options(&self) -> &BatchOptions {
        &self.options
    }

    /// Changes what the batch says of itself: a producer knows its sequence only when it closes the batch. The base
    /// offset may change only before the first record.
    pub fn set_options(&mut self, options: BatchOptions) {
        debug_assert!(self.count == 0 || options.base_offset == self.options.base_offset);
        self.options = options;
    }

    #[must_use]
    pub fn count(&self) -> i32 {
        self.count
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of the batch so far, before compression.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Largest timestamp so far and the offset of the first record that has it; `(-1, base offset)` without records.
    #[must_use]
    pub fn max_timestamp(&self) -> (i64, i64) {
        (self.max_timestamp, self.options.base_offset + i64::from(self.max_timestamp_delta))
    }

    /// Bytes by which a record would make the batch grow, before compression.
    #[must_use]
    pub fn record_len(
        &self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> usize {
        let timestamp_delta = if self.count == 0 { 0 } else { timestamp.wrapping_sub(self.base_timestamp) };
        let len = body_len(timestamp_delta, self.last_offset_delta + 1, key, value, headers);
        varint::len_i64(len as i64) + len
    }

    /// Appends a record at the next offset.
    #[inline]
    pub fn append(&mut self, timestamp: i64, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header<'_>]) {
        self.append_delta(self.last_offset_delta + 1, timestamp, key, value, headers);
    }

    /// Appends a record at `offset`, leaving out those between: what compaction does. An error when it is not after
    /// the last one, or too far from the base.
    pub fn append_at(
        &mut self,
        offset: i64,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Result<(), BatchError> {
        let delta = offset.checked_sub(self.options.base_offset).and_then(|delta| i32::try_from(delta).ok());
        match delta {
            Some(delta) if delta > self.last_offset_delta => {
                self.append_delta(delta, timestamp, key, value, headers);
                Ok(())
            }
            _ => Err(BatchError::InvalidRecord("an offset does not fit its batch")),
        }
    }

    fn append_delta(
        &mut self,
        offset_delta: i32,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) {
        if self.count == 0 {
            // A delete horizon stands where the base timestamp does, so the differences count from it.
            self.base_timestamp = self.options.delete_horizon_ms.unwrap_or(timestamp);
        }
        if self.count == 0 || timestamp > self.max_timestamp {
            self.max_timestamp = timestamp;
            self.max_timestamp_delta = offset_delta;
        }
        let timestamp_delta = timestamp.wrapping_sub(self.base_timestamp);
        let len = body_len(timestamp_delta, offset_delta, key, value, headers);
        let out = &mut self.bytes;
        out.reserve(len + 5);
        put_varint(out, len as i64);
        out.push(0);
        put_varint(out, timestamp_delta);
        put_varint(out, i64::from(offset_delta));
        put_blob(out, key);
        put_blob(out, value);
        put_varint(out, headers.len() as i64);
        for header in headers {
            put_blob(out, Some(header.key.as_bytes()));
            put_blob(out, header.value);
        }
        self.count += 1;
        self.last_offset_delta = offset_delta;
    }

    /// Makes the batch reach to `offset` although its last records are gone: what compaction does, so that the log's
    /// offsets and producers' sequences stay whole.
    pub fn set_last_offset(&mut self, offset: i64) -> Result<(), BatchError> {
        let delta = offset.checked_sub(self.options.base_offset).and_then(|delta| i32::try_from(delta).ok());
        match delta {
            Some(delta) if delta >= self.last_offset_delta => {
                self.last_offset_delta = delta;
                Ok(())
            }
            _ => Err(BatchError::InvalidRecord("an offset does not fit its batch")),
        }
    }

    fn attributes(&self) -> i16 {
        let options = &self.options;
        let mut attributes = i16::from(self.compressor.compression().id());
        for (on, bit) in [
            (options.timestamp_type == TimestampType::LogAppendTime, LOG_APPEND_TIME_BIT),
            (options.is_transactional, TRANSACTIONAL_BIT),
            (options.is_control, CONTROL_BIT),
            (options.delete_horizon_ms.is_some(), DELETE_HORIZON_BIT),
        ] {
            if on {
                attributes |= bit;
            }
        }
        attributes
    }

    /// Compresses, fills in the header and the checksum, and gives the bytes. The builder is empty after, as if by
    /// [`Self::reset`] with the same options.
    pub fn finish(&mut self) -> Result<Vec<u8>, BatchError> {
        let mut bytes = std::mem::take(&mut self.bytes);
        let mut spare = Vec::new();
        if self.compressor.compression() != Compression::None {
            let mut packed = Vec::with_capacity(HEADER_BYTES + bytes.len() / 2);
            packed.resize(HEADER_BYTES, 0);
            self.compressor.compress(&bytes[HEADER_BYTES..], &mut packed)?;
            spare = std::mem::replace(&mut bytes, packed);
        }
        let length = i32::try_from(bytes.len() - LOG_OVERHEAD)
            .map_err(|_| BatchError::TooLarge { size: bytes.len(), limit: i32::MAX as usize })?;
        let options = &self.options;
        let append_time = options.timestamp_type == TimestampType::LogAppendTime;
        let max_timestamp = if append_time { options.log_append_time } else { self.max_timestamp };
        let base_timestamp =
            if self.count == 0 { options.delete_horizon_ms.unwrap_or(-1) } else { self.base_timestamp };
        put(&mut bytes, 0, options.base_offset.to_be_bytes());
        put(&mut bytes, LENGTH_AT, length.to_be_bytes());
        put(&mut bytes, LEADER_EPOCH_AT, options.leader_epoch.to_be_bytes());
        bytes[MAGIC_AT] = MAGIC as u8;
        put(&mut bytes, ATTRIBUTES_AT, self.attributes().to_be_bytes());
        put(&mut bytes, LAST_OFFSET_DELTA_AT, self.last_offset_delta.max(0).to_be_bytes());
        put(&mut bytes, BASE_TIMESTAMP_AT, base_timestamp.to_be_bytes());
        put(&mut bytes, MAX_TIMESTAMP_AT, max_timestamp.to_be_bytes());
        put(&mut bytes, PRODUCER_ID_AT, options.producer_id.to_be_bytes());
        put(&mut bytes, PRODUCER_EPOCH_AT, options.producer_epoch.to_be_bytes());
        put(&mut bytes, BASE_SEQUENCE_AT, options.base_sequence.to_be_bytes());
        put(&mut bytes, COUNT_AT, self.count.to_be_bytes());
        seal(&mut bytes);
        self.reset(self.options, spare);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record_batch::RecordBatch;

    #[test]
    fn records_come_back_in_every_compression() {
        for compression in Compression::ALL {
            let options = BatchOptions { base_offset: 100, leader_epoch: 3, ..BatchOptions::default() };
            let mut builder = RecordBatchBuilder::new(options, Compressor::new(compression, None));
            let headers = [Header { key: "h", value: Some(b"v") }, Header { key: "", value: None }];
            builder.append(1_000, None, None, &headers);
            let len = builder.len() + builder.record_len(900, Some(b"k"), Some(&[7; 300]), &[]);
            builder.append(900, Some(b"k"), Some(&[7; 300]), &[]);
            assert_eq!(builder.len(), len);
            builder.append_at(110, 5_000_000_000_000, Some(b""), Some(b""), &[]).expect("fits");
            assert!(builder.append_at(110, 0, None, None, &[]).is_err());
            assert_eq!(builder.max_timestamp(), (5_000_000_000_000, 110));
            let bytes = builder.finish().expect("finishes");
            assert!(builder.is_empty());

            let batch = RecordBatch::new(&bytes).expect("a batch");
            assert!(batch.is_crc_valid());
            assert_eq!((batch.base_offset(), batch.last_offset(), batch.count()), (100, 110, 3));
            assert_eq!((batch.leader_epoch(), batch.max_timestamp()), (3, 5_000_000_000_000));
            assert_eq!(batch.compression(), Ok(compression));
            let open = batch.open().expect("opens");
            let records: Vec<_> = open.iter().collect::<Result<_, _>>().expect("records");
            assert_eq!(records.iter().map(|r| r.offset).collect::<Vec<_>>(), [100, 101, 110]);
            assert_eq!(records.iter().map(|r| r.timestamp).collect::<Vec<_>>(), [1_000, 900, 5_000_000_000_000]);
            assert_eq!(records[0].headers.into_iter().collect::<Vec<_>>(), headers);
            assert_eq!((records[0].key, records[0].value), (None, None));
            assert_eq!((records[2].key, records[2].value), (Some(&b""[..]), Some(&b""[..])));
        }
    }

    #[test]
    fn a_delete_horizon_keeps_timestamps() {
        let options = BatchOptions { delete_horizon_ms: Some(9_000), ..BatchOptions::default() };
        let mut builder = RecordBatchBuilder::new(options, Compressor::new(Compression::None, None));
        builder.append(1_000, Some(b"k"), None, &[]);
        builder.set_last_offset(5).expect("fits");
        let bytes = builder.finish().expect("finishes");
        let batch = RecordBatch::new(&bytes).expect("a batch");
        assert_eq!((batch.delete_horizon_ms(), batch.last_offset(), batch.count()), (Some(9_000), 5, 1));
        let open = batch.open().expect("opens");
        assert_eq!(open.iter().next().map(|r| r.map(|r| r.timestamp)), Some(Ok(1_000)));
    }
}
