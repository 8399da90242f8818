//! Appending: the leader's path checks once, sets offsets in place and writes once; the follower's takes batches as they are.

use std::io;

use ottla_base::checksum::crc32c;
use ottla_base::random::Random;
use ottla_base::time::Now;
use ottla_protocol::compression::Compression;

use super::{Log, storage};
use crate::batch::{self, BatchHeader, HEADER_LEN};
use crate::error::{AppendError, RecordError};
use crate::log_validator::{self, Validated};
use crate::producer_state_manager::{BatchMetadata, EndTxnMarker};

/// Who appends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendOrigin {
    /// A producer.
    Client,
    /// The group or transaction coordinator of this broker.
    Coordinator,
    /// A leader, to its follower's log.
    Replication,
}

/// How to append as leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendOptions {
    pub origin: AppendOrigin,
    /// Stored in every batch.
    pub leader_epoch: i32,
}

/// What an append did.
#[doc(alias = "LogAppendInfo")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendInfo {
    pub first_offset: i64,
    pub last_offset: i64,
    /// Largest timestamp of the records.
    pub max_timestamp: i64,
    /// The broker's time, when the topic wants it; else -1.
    pub log_append_time: i64,
    pub log_start_offset: i64,
    pub record_count: i64,
    /// Bytes appended.
    pub bytes: usize,
    pub source_codec: Compression,
    /// The batch is in the log since an earlier try; nothing was appended, the offsets are the first try's.
    pub duplicate: bool,
    pub record_errors: Vec<RecordError>,
}

/// A run of batches about to be written.
#[derive(Clone, Copy, Debug)]
struct Extent {
    first_offset: i64,
    last_offset: i64,
    max_timestamp: i64,
    bytes: usize,
}

impl Log {
    /// Checks `records` (whole batches; exactly one from a client), gives them offsets in place and writes them.
    ///
    /// `flush.messages` is obeyed before this returns.
    pub fn append_as_leader(
        &mut self,
        records: &mut [u8],
        options: AppendOptions,
        now: Now,
    ) -> Result<AppendInfo, AppendError> {
        self.check_open().map_err(storage)?;
        let first = self.check_batch(records)?;
        if first.size == records.len() {
            return self.append_batch(records, &first, options, now);
        }
        if options.origin == AppendOrigin::Client {
            let message = "a produce request has one batch for a partition".into();
            return Err(AppendError::InvalidRecord { message, records: Vec::new() });
        }
        self.append_batches(records, options, now)
    }

    /// The usual case: one batch, in place, one write.
    fn append_batch(
        &mut self,
        bytes: &mut [u8],
        header: &BatchHeader,
        options: AppendOptions,
        now: Now,
    ) -> Result<AppendInfo, AppendError> {
        if header.has_producer_id()
            && options.origin == AppendOrigin::Client
            && let Some(earlier) = self.producers.find_duplicate(header)
        {
            // What a killed process had only written is as good as new: it is acknowledged now.
            self.flush_if_due(now)?;
            return Ok(self.duplicate_info(&earlier, header));
        }
        let mut validated = self.validate_batch(bytes, header, options, now)?;
        let mut recompressed = validated.recompressed.take();
        let bytes = recompressed.as_deref_mut().unwrap_or(bytes);
        let first_offset = self.log_end_offset;
        batch::set_offset_and_epoch(bytes, first_offset, options.leader_epoch);
        let extent = Extent {
            first_offset,
            last_offset: first_offset + i64::from(header.last_offset_delta),
            max_timestamp: validated.max_timestamp,
            bytes: bytes.len(),
        };
        self.epochs.assign(options.leader_epoch, first_offset);
        self.write(bytes, extent, now)?;
        Ok(self.append_info(extent, &validated, header.codec().unwrap_or(Compression::None), header.count.into()))
    }

    /// Several batches of this broker's own.
    fn append_batches(
        &mut self,
        records: &mut [u8],
        options: AppendOptions,
        now: Now,
    ) -> Result<AppendInfo, AppendError> {
        let mut out = Vec::with_capacity(records.len());
        let mut extent = Extent { first_offset: self.log_end_offset, last_offset: -1, max_timestamp: -1, bytes: 0 };
        let mut next_offset = self.log_end_offset;
        let (mut all, mut count) = (Validated { max_timestamp: -1, log_append_time: -1, recompressed: None }, 0);
        let mut codec = Compression::None;
        let mut rest = records;
        while !rest.is_empty() {
            let header = self.check_batch(rest)?;
            let (bytes, tail) = rest.split_at_mut(header.size);
            let validated = self.validate_batch(bytes, &header, options, now)?;
            let at = out.len();
            out.extend_from_slice(validated.recompressed.as_deref().unwrap_or(bytes));
            batch::set_offset_and_epoch(&mut out[at..], next_offset, options.leader_epoch);
            next_offset += i64::from(header.last_offset_delta) + 1;
            all.log_append_time = validated.log_append_time;
            extent.max_timestamp = extent.max_timestamp.max(validated.max_timestamp);
            codec = codec.max(header.codec().unwrap_or(Compression::None));
            count += i64::from(header.count);
            rest = tail;
        }
        extent.last_offset = next_offset - 1;
        extent.bytes = out.len();
        self.epochs.assign(options.leader_epoch, extent.first_offset);
        self.write(&out, extent, now)?;
        Ok(self.append_info(extent, &all, codec, count))
    }

    /// Reads and checks the header and checksum of the batch at the front of `bytes`.
    fn check_batch(&self, bytes: &[u8]) -> Result<BatchHeader, AppendError> {
        if bytes.len() > 16 && matches!(bytes[16], 0 | 1) {
            return Err(AppendError::UnsupportedFormat(format!("message format {} is too old", bytes[16])));
        }
        let header = BatchHeader::parse(bytes).map_err(|e| AppendError::CorruptMessage(e.0))?;
        if header.size > self.config.max_message_bytes as usize {
            return Err(AppendError::MessageTooLarge(format!(
                "the batch for {} has {} bytes, max.message.bytes is {}",
                self.topic_partition, header.size, self.config.max_message_bytes
            )));
        }
        self.check_crc(&header, bytes)?;
        Ok(header)
    }

    fn check_crc(&self, header: &BatchHeader, bytes: &[u8]) -> Result<(), AppendError> {
        let Some(whole) = bytes.get(..header.size) else {
            return Err(AppendError::CorruptMessage(format!(
                "a batch of {} bytes for {} where {} are",
                header.size,
                self.topic_partition,
                bytes.len()
            )));
        };
        if header.checksum_ok(whole) {
            return Ok(());
        }
        Err(AppendError::CorruptMessage(format!("a batch for {} fails its checksum", self.topic_partition)))
    }

    fn validate_batch(
        &self,
        bytes: &mut [u8],
        header: &BatchHeader,
        options: AppendOptions,
        now: Now,
    ) -> Result<Validated, AppendError> {
        let validated = log_validator::validate(bytes, header, &self.config, options.origin, now)?;
        let size = validated.recompressed.as_ref().map_or(header.size, Vec::len);
        if size > self.config.max_message_bytes as usize {
            return Err(AppendError::MessageTooLarge(format!("the recompressed batch has {size} bytes")));
        }
        if header.has_producer_id() {
            if header.is_control() {
                if let Some(marker) = read_marker(bytes)? {
                    self.producers.check_marker(header, &marker, options.origin)?;
                }
            } else {
                self.producers.check_data(header, options.origin)?;
            }
        }
        Ok(validated)
    }

    /// Appends a leader's batches as they are. Their offsets must ascend from the log end on; gaps are fine (the leader's
    /// log may be compacted). A batch cut off at the end is left out, and so is what an epoch above `leader_epoch` wrote,
    /// which the leader can't have meant for us yet.
    pub fn append_as_follower(
        &mut self,
        records: &[u8],
        leader_epoch: i32,
        now: Now,
    ) -> Result<AppendInfo, AppendError> {
        self.check_open().map_err(storage)?;
        let mut extent = Extent { first_offset: -1, last_offset: -1, max_timestamp: -1, bytes: 0 };
        let (mut next_offset, mut count, mut codec) = (self.log_end_offset, 0, Compression::None);
        while let Some(header) = whole_header(&records[extent.bytes..])? {
            if header.leader_epoch > leader_epoch {
                break;
            }
            self.check_crc(&header, &records[extent.bytes..])?;
            if header.has_producer_id() && header.is_control() {
                read_marker(&records[extent.bytes..extent.bytes + header.size])?; // unreadable ones stop here, not in the log
            }
            if header.base_offset < next_offset {
                return Err(AppendError::OffsetsOutOfOrder(format!(
                    "a batch at offset {} for {}, where {next_offset} or more was expected",
                    header.base_offset, self.topic_partition
                )));
            }
            if extent.bytes == 0 {
                extent.first_offset = header.base_offset;
            }
            next_offset = header.next_offset();
            extent.last_offset = header.last_offset();
            extent.max_timestamp = extent.max_timestamp.max(header.max_timestamp);
            extent.bytes += header.size;
            count += i64::from(header.count.max(0));
            codec = codec.max(header.codec().unwrap_or(Compression::None));
        }
        if extent.bytes > 0 {
            self.write(&records[..extent.bytes], extent, now)?;
        }
        let validated = Validated { max_timestamp: extent.max_timestamp, log_append_time: -1, recompressed: None };
        Ok(self.append_info(extent, &validated, codec, count))
    }

    /// Writes checked batches, and takes note of them everywhere.
    fn write(&mut self, bytes: &[u8], extent: Extent, now: Now) -> Result<(), AppendError> {
        if bytes.len() > self.config.segment_bytes as usize {
            return Err(AppendError::RecordListTooLarge(format!(
                "{} bytes for {} don't fit a segment of {}",
                bytes.len(),
                self.topic_partition,
                self.config.segment_bytes
            )));
        }
        self.guard("append", |log| {
            log.maybe_roll(extent, now)?;
            let config = log.config.clone();
            log.active_mut().append(bytes, &config)?;
            log.log_end_offset = extent.last_offset + 1;
            log.note_batches(bytes)
        })
        .map_err(storage)?;
        self.flush_if_due(now)
    }

    /// Obeys `flush.messages`.
    fn flush_if_due(&mut self, now: Now) -> Result<(), AppendError> {
        if self.unflushed_records() >= self.config.flush_messages {
            self.flush(now).map_err(storage)?;
        }
        Ok(())
    }

    fn maybe_roll(&mut self, extent: Extent, now: Now) -> io::Result<()> {
        let jitter_ms = self.roll_jitter_ms();
        let config = self.config.clone();
        let active = self.active_mut();
        let too_far = extent.last_offset - active.base_offset() > i64::from(i32::MAX);
        let full = active.size() > 0
            && (active.size() as usize + extent.bytes > config.segment_bytes as usize
                || active.offset_index.is_full(config.segment_index_bytes)
                || active.time_index.is_full(config.segment_index_bytes)
                || active.time_waited_for_roll(now.wall_ms, extent.max_timestamp)?
                    > config.max_segment_ms() - jitter_ms);
        if full || too_far { self.roll(now, extent.first_offset) } else { Ok(()) }
    }

    /// The part of `segment.jitter.ms` that the active segment rolls earlier: by chance, but the same at every call.
    fn roll_jitter_ms(&self) -> i64 {
        let most = self.config.segment_jitter_ms.min(self.config.max_segment_ms());
        let Ok(most @ 1..) = u64::try_from(most) else { return 0 };
        let name = u64::from(crc32c(self.topic_partition.topic.as_bytes()));
        let seed = name ^ ((self.topic_partition.partition as u64) << 32) ^ (self.active().base_offset() as u64) << 8;
        Random::new(seed).below(most) as i64
    }

    /// Takes note of appended batches: producers, transactions and leader epochs.
    fn note_batches(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut at = 0;
        while at < bytes.len() {
            let header = BatchHeader::parse(&bytes[at..])?;
            if header.leader_epoch >= 0 {
                self.epochs.assign(header.leader_epoch, header.base_offset);
            }
            if let Some(aborted) = self.producers.apply(&header, &bytes[at + HEADER_LEN..at + header.size])? {
                self.active_mut().txn_index.append(&aborted)?;
                self.folder_changes.note();
            }
            at += header.size;
        }
        self.producers.update_map_end_offset(self.log_end_offset);
        Ok(())
    }

    fn append_info(&self, extent: Extent, validated: &Validated, source_codec: Compression, count: i64) -> AppendInfo {
        AppendInfo {
            first_offset: extent.first_offset,
            last_offset: extent.last_offset,
            max_timestamp: extent.max_timestamp,
            log_append_time: validated.log_append_time,
            log_start_offset: self.log_start_offset,
            record_count: count,
            bytes: extent.bytes,
            source_codec,
            duplicate: false,
            record_errors: Vec::new(),
        }
    }

    fn duplicate_info(&self, earlier: &BatchMetadata, header: &BatchHeader) -> AppendInfo {
        AppendInfo {
            first_offset: earlier.first_offset(),
            last_offset: earlier.last_offset,
            max_timestamp: earlier.timestamp,
            log_append_time: earlier.timestamp,
            log_start_offset: self.log_start_offset,
            record_count: 0,
            bytes: 0,
            source_codec: header.codec().unwrap_or(Compression::None),
            duplicate: true,
            record_errors: Vec::new(),
        }
    }
}

/// The header of the batch at the front, `None` when it is cut off.
fn whole_header(bytes: &[u8]) -> Result<Option<BatchHeader>, AppendError> {
    if bytes.len() < HEADER_LEN {
        return Ok(None);
    }
    let header = BatchHeader::parse(bytes).map_err(|e| AppendError::CorruptMessage(e.0))?;
    Ok((header.size <= bytes.len()).then_some(header))
}

fn read_marker(bytes: &[u8]) -> Result<Option<EndTxnMarker>, AppendError> {
    EndTxnMarker::read(&bytes[HEADER_LEN..])
        .map_err(|e| AppendError::InvalidRecord { message: e.0, records: Vec::new() })
}
