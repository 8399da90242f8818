//! Whether a batch may enter the log as its leader: Kafka's rules for clients, in one pass over the records.
//!
//! An uncompressed batch is walked without allocating: lengths, offsets, timestamps and, for compacted topics, keys. A
//! compressed one is opened for that, up to [`ottla_base::limits::DECOMPRESSED_BATCH_BYTES`].

use ottla_base::limits::DECOMPRESSED_BATCH_BYTES;
use ottla_base::time::Now;
use ottla_protocol::compression::{Compression, CompressionError, Compressor, decompress};

use crate::batch::{self, BatchHeader, HEADER_LEN, NO_TIMESTAMP};
use crate::config::{CompressionType, LogConfig, TimestampType};
use crate::error::{AppendError, RecordError};
use crate::log::AppendOrigin;
use crate::record_walk::{RecordWalk, WalkError};

/// Most bad records named in one answer: a client reads the first few, and a batch can hold 100,000.
const MAX_RECORD_ERRORS: usize = 100;

/// What validation found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validated {
    /// Largest timestamp, as the stored header has it.
    pub max_timestamp: i64,
    /// The broker's time when the topic wants it, else -1.
    pub log_append_time: i64,
    /// The batch in another codec, to be stored instead.
    pub recompressed: Option<Vec<u8>>,
}

/// Checks one whole batch whose checksum is good, and sets its timestamps in place as the topic wants.
#[doc(alias = "LogValidator")]
pub fn validate(
    bytes: &mut [u8],
    header: &BatchHeader,
    config: &LogConfig,
    origin: AppendOrigin,
    now: Now,
) -> Result<Validated, AppendError> {
    if origin == AppendOrigin::Client {
        check_client_header(header)?;
    }
    let source = header
        .codec()
        .ok_or_else(|| AppendError::UnsupportedCompression(format!("codec {} is unknown", header.attributes & 7)))?;
    let opened = match source {
        Compression::None => None,
        codec => Some(decompress(codec, &bytes[HEADER_LEN..], DECOMPRESSED_BATCH_BYTES).map_err(|e| match e {
            CompressionError::Corrupt(_) => AppendError::CorruptMessage(e.to_string()),
            CompressionError::TooLarge { .. } => AppendError::MessageTooLarge(e.to_string()),
        })?),
    };
    let body = opened.as_deref().unwrap_or(&bytes[HEADER_LEN..]);
    let max_timestamp = check_records(header, body, config, origin, now)?;

    let recompressed = match config.compression {
        CompressionType::Codec(target) if target != source && !header.is_control() => {
            Some(recompress(bytes, body, target, config)?)
        }
        _ => None,
    };
    let mut validated = Validated { max_timestamp, log_append_time: -1, recompressed };
    let stored = validated.recompressed.as_deref_mut().unwrap_or(bytes);
    if config.timestamp_type == TimestampType::LogAppendTime {
        validated.max_timestamp = now.wall_ms;
        validated.log_append_time = now.wall_ms;
    }
    batch::set_max_timestamp(stored, config.timestamp_type, validated.max_timestamp);
    Ok(validated)
}

fn invalid(message: String) -> AppendError {
    AppendError::InvalidRecord { message, records: Vec::new() }
}

/// Rules for what a client may put into a header.
fn check_client_header(header: &BatchHeader) -> Result<(), AppendError> {
    if header.base_offset != 0 {
        return Err(invalid(format!("the base offset of the batch should be 0, but it is {}", header.base_offset)));
    }
    if header.count <= 0 || i64::from(header.count) != i64::from(header.last_offset_delta) + 1 {
        return Err(invalid(format!(
            "the batch says it has {} records, and offsets for {}",
            header.count,
            i64::from(header.last_offset_delta) + 1
        )));
    }
    if header.is_control() {
        return Err(invalid("clients may not write control records".into()));
    }
    if header.has_producer_id() && header.base_sequence < 0 {
        return Err(invalid(format!(
            "sequence {} in a batch of producer {} is negative",
            header.base_sequence, header.producer_id
        )));
    }
    Ok(())
}

/// Walks the records; gives their largest timestamp.
fn check_records(
    header: &BatchHeader,
    body: &[u8],
    config: &LogConfig,
    origin: AppendOrigin,
    now: Now,
) -> Result<i64, AppendError> {
    let client = origin == AppendOrigin::Client;
    let check_time = client && config.timestamp_type == TimestampType::CreateTime;
    let oldest = now.wall_ms.saturating_sub(config.timestamp_before_max_ms);
    let newest = now.wall_ms.saturating_add(config.timestamp_after_max_ms);
    let mut errors = RecordErrors::default();
    let mut max_timestamp = NO_TIMESTAMP;
    let mut index = 0;
    let mut walk = RecordWalk::new(body);
    while let Some(record) = walk.next().map_err(|WalkError(what)| invalid(format!("record {index}: {what}")))? {
        if record.offset_delta != index {
            return Err(invalid(format!("record {index} has offset {} in its batch", record.offset_delta)));
        }
        let timestamp = header.base_timestamp.wrapping_add(record.timestamp_delta);
        max_timestamp = max_timestamp.max(timestamp);
        if client && header.timestamp_type() == TimestampType::LogAppendTime {
            errors.push_time(index, || "a producer may not set the timestamp type LogAppendTime".into());
        } else if check_time && timestamp != NO_TIMESTAMP && !(oldest..=newest).contains(&timestamp) {
            errors.push_time(index, || {
                format!("timestamp {timestamp} of the record is out of range; it should be within [{oldest}, {newest}]")
            });
        }
        if config.compact && client && !record.has_key {
            errors.push_other(index, || "a compacted topic can't take a record without a key".into());
        }
        index += 1;
    }
    if index != header.count {
        return Err(invalid(format!("the batch says it has {} records, and has {index}", header.count)));
    }
    errors.finish()?;
    Ok(max_timestamp)
}

#[derive(Default)]
struct RecordErrors {
    list: Vec<RecordError>,
    count: usize,
    invalid_timestamp: bool,
}

impl RecordErrors {
    fn push_time(&mut self, index: i32, message: impl FnOnce() -> String) {
        self.invalid_timestamp = true;
        self.push_other(index, message);
    }

    fn push_other(&mut self, batch_index: i32, message: impl FnOnce() -> String) {
        self.count += 1;
        if self.list.len() < MAX_RECORD_ERRORS {
            self.list.push(RecordError { batch_index, message: message() });
        }
    }

    fn finish(self) -> Result<(), AppendError> {
        let records = self.list;
        if records.is_empty() {
            return Ok(());
        }
        if self.invalid_timestamp {
            let message = "one or more records have been rejected due to an invalid timestamp".into();
            return Err(AppendError::InvalidTimestamp { message, records });
        }
        let message = format!("one or more records have been rejected; {} errors in total", self.count);
        Err(AppendError::InvalidRecord { message, records })
    }
}

/// The batch with its records in codec `target`.
fn recompress(bytes: &[u8], body: &[u8], target: Compression, config: &LogConfig) -> Result<Vec<u8>, AppendError> {
    let level = match target {
        Compression::Gzip => Some(config.gzip_level).filter(|&level| level >= 0),
        Compression::Zstd => Some(config.zstd_level),
        Compression::Lz4 => Some(config.lz4_level),
        Compression::None | Compression::Snappy => None,
    };
    let mut out = bytes[..HEADER_LEN].to_vec();
    Compressor::new(target, level)
        .compress(body, &mut out)
        .map_err(|e| AppendError::MessageTooLarge(format!("the batch can't be stored as {target}: {e}")))?;
    batch::set_codec_and_length(&mut out, target);
    Ok(out)
}
