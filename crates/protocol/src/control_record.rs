//! Control records: what brokers write into a log for themselves.
//!
//! The key is a version and a type, the value depends on the type. The markers that end a transaction are batches of
//! one such record (KIP-98).

use crate::batch_builder::{BatchOptions, RecordBatchBuilder};
use crate::compression::{Compression, Compressor};
use crate::error::DecodeError;
use crate::message::Message;
use crate::messages::EndTxnMarker;
use crate::reader::Reader;
use crate::record::Record;
use crate::record_batch::BatchError;

/// What a control record is.
#[doc(alias = "ControlRecordType")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlType {
    Abort,
    Commit,
    LeaderChange,
    SnapshotHeader,
    SnapshotFooter,
    KraftVersion,
    KraftVoters,
    Unknown(i16),
}

impl ControlType {
    /// Reads the key of a control record.
    pub fn from_key(key: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(key);
        let _version = r.i16()?;
        Ok(match r.i16()? {
            0 => Self::Abort,
            1 => Self::Commit,
            2 => Self::LeaderChange,
            3 => Self::SnapshotHeader,
            4 => Self::SnapshotFooter,
            5 => Self::KraftVersion,
            6 => Self::KraftVoters,
            other => Self::Unknown(other),
        })
    }
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionResult {
    Abort,
    Commit,
}

/// The end of a transaction, as a partition's log tells it.
#[doc(alias = "EndTransactionMarker")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTransaction {
    pub result: TransactionResult,
    /// Epoch of the coordinator that decided: the partition of `__transaction_state`'s leader epoch.
    pub coordinator_epoch: i32,
}

impl EndTransaction {
    /// Reads the marker from a record of a control batch; `None` for control records of other types.
    pub fn from_record(record: &Record<'_>) -> Result<Option<Self>, BatchError> {
        const BAD: BatchError = BatchError::InvalidRecord("a control record can't be read");
        let result = match ControlType::from_key(record.key.ok_or(BAD)?).map_err(|_| BAD)? {
            ControlType::Abort => TransactionResult::Abort,
            ControlType::Commit => TransactionResult::Commit,
            _ => return Ok(None),
        };
        let mut value = Reader::new(record.value.ok_or(BAD)?);
        // Later versions only add to version 0.
        let _version = value.i16().map_err(|_| BAD)?;
        let marker = EndTxnMarker::decode(&mut value, 0).map_err(|_| BAD)?;
        Ok(Some(Self { result, coordinator_epoch: marker.coordinator_epoch }))
    }

    /// The batch that says so, for the producer and the moment (ms since 1970) given.
    pub fn to_batch(
        self,
        base_offset: i64,
        leader_epoch: i32,
        producer_id: i64,
        producer_epoch: i16,
        timestamp: i64,
    ) -> Result<Vec<u8>, BatchError> {
        let options = BatchOptions {
            base_offset,
            leader_epoch,
            producer_id,
            producer_epoch,
            is_transactional: true,
            is_control: true,
            ..BatchOptions::default()
        };
        let [epoch_0, epoch_1, epoch_2, epoch_3] = self.coordinator_epoch.to_be_bytes();
        let kind = match self.result {
            TransactionResult::Abort => 0,
            TransactionResult::Commit => 1,
        };
        let mut builder = RecordBatchBuilder::new(options, Compressor::new(Compression::None, None));
        let value = [0, 0, epoch_0, epoch_1, epoch_2, epoch_3];
        builder.append(timestamp, Some(&[0, 0, 0, kind]), Some(&value), &[]);
        builder.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record_batch::RecordBatch;

    #[test]
    fn markers_come_back() {
        for result in [TransactionResult::Abort, TransactionResult::Commit] {
            let marker = EndTransaction { result, coordinator_epoch: 7 };
            let bytes = marker.to_batch(42, 3, 1_000, 5, 99).expect("a batch");
            let batch = RecordBatch::new(&bytes).expect("a batch");
            assert!(batch.is_control() && batch.is_transactional() && batch.is_crc_valid());
            assert_eq!((batch.producer_id(), batch.producer_epoch(), batch.base_sequence()), (1_000, 5, -1));
            let open = batch.open().expect("opens");
            let record = open.iter().next().expect("one").expect("sound");
            assert_eq!(EndTransaction::from_record(&record), Ok(Some(marker)));
            let short = Record { value: Some(&[0, 0, 1]), ..record };
            assert!(EndTransaction::from_record(&short).is_err());
        }
    }
}
