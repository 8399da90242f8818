//! What can go wrong, one small enum per operation, named by what the caller should do. The handler maps them to
//! Kafka's error codes.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// A log directory failed and is offline: nothing in it is read or written any more (`KAFKA_STORAGE_ERROR`).
#[doc(alias = "KafkaStorageException")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageError {
    /// The log directory.
    pub dir: Arc<PathBuf>,
    /// What happened first.
    pub reason: Arc<str>,
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "log directory {} is offline: {}", self.dir.display(), self.reason)
    }
}

impl std::error::Error for StorageError {}

/// One bad record of a refused batch (KIP-467).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// Index of the record in the request's partition, from 0.
    pub batch_index: i32,
    pub message: String,
}

/// Why an append was refused; nothing of it is in the log, except after [`AppendError::Storage`], where that is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// Bytes that are no batches, or fail their checksum (`CORRUPT_MESSAGE`).
    CorruptMessage(String),
    /// A batch or record that breaks the rules (`INVALID_RECORD`).
    InvalidRecord { message: String, records: Vec<RecordError> },
    /// A timestamp out of the allowed window (`INVALID_TIMESTAMP`).
    InvalidTimestamp { message: String, records: Vec<RecordError> },
    /// Larger than `max.message.bytes` (`MESSAGE_TOO_LARGE`).
    MessageTooLarge(String),
    /// Larger than a segment (`RECORD_LIST_TOO_LARGE`).
    RecordListTooLarge(String),
    /// The message format is not v2 (`UNSUPPORTED_FOR_MESSAGE_FORMAT`).
    UnsupportedFormat(String),
    /// A codec that may not be used here (`UNSUPPORTED_COMPRESSION_TYPE`).
    UnsupportedCompression(String),
    /// A gap in a producer's sequence (`OUT_OF_ORDER_SEQUENCE_NUMBER`).
    OutOfOrderSequence(String),
    /// A producer with an older epoch than the log knows (`INVALID_PRODUCER_EPOCH`).
    InvalidProducerEpoch(String),
    /// A producer that may not continue (`UNKNOWN_PRODUCER_ID`).
    UnknownProducer(String),
    /// A marker of an older transaction coordinator (`TRANSACTION_COORDINATOR_FENCED`).
    CoordinatorFenced(String),
    /// A transactional write outside a transaction (`INVALID_TXN_STATE`).
    InvalidTxnState(String),
    /// A follower's batches don't continue its log (`UNKNOWN_SERVER_ERROR`; the fetcher truncates or stops).
    OffsetsOutOfOrder(String),
    /// `KAFKA_STORAGE_ERROR`.
    Storage(StorageError),
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CorruptMessage(m)
            | Self::MessageTooLarge(m)
            | Self::RecordListTooLarge(m)
            | Self::UnsupportedFormat(m)
            | Self::UnsupportedCompression(m)
            | Self::OutOfOrderSequence(m)
            | Self::InvalidProducerEpoch(m)
            | Self::UnknownProducer(m)
            | Self::CoordinatorFenced(m)
            | Self::InvalidTxnState(m)
            | Self::OffsetsOutOfOrder(m)
            | Self::InvalidRecord { message: m, .. }
            | Self::InvalidTimestamp { message: m, .. } => f.write_str(m),
            Self::Storage(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for AppendError {}

impl From<StorageError> for AppendError {
    fn from(e: StorageError) -> Self {
        Self::Storage(e)
    }
}

/// Why a read was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// Below the log start or beyond the log end (`OFFSET_OUT_OF_RANGE`).
    OffsetOutOfRange { log_start: i64, log_end: i64 },
    /// The bytes at this offset are damaged (`CORRUPT_MESSAGE`).
    Corrupt(String),
    /// `KAFKA_STORAGE_ERROR`.
    Storage(StorageError),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OffsetOutOfRange { log_start, log_end } => {
                write!(f, "the log has offsets {log_start} to {log_end}")
            }
            Self::Corrupt(what) => f.write_str(what),
            Self::Storage(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for ReadError {}

impl From<StorageError> for ReadError {
    fn from(e: StorageError) -> Self {
        Self::Storage(e)
    }
}

/// Bytes on disk that are not what their format says; the caller rebuilds, cuts or reports.
#[doc(alias = "CorruptIndexException")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrupt(pub String);

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Corrupt {}

impl From<Corrupt> for io::Error {
    fn from(e: Corrupt) -> Self {
        io::Error::new(io::ErrorKind::InvalidData, e)
    }
}
