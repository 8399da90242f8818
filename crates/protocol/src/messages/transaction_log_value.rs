// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::error::{DecodeError, EncodeError};
use crate::message::Message;
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `TransactionLogValue`: coordinator-value of record type 0, versions 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct TransactionLogValue<'a> {
    pub producer_id: i64,
    pub previous_producer_id: i64,
    pub next_producer_id: i64,
    pub producer_epoch: i16,
    pub next_producer_epoch: i16,
    pub transaction_timeout_ms: i32,
    pub transaction_status: i8,
    pub transaction_partitions: Option<Vec<PartitionsSchema<'a>>>,
    pub transaction_last_update_timestamp_ms: i64,
    pub transaction_start_timestamp_ms: i64,
    pub client_transaction_version: i16,
}

impl Default for TransactionLogValue<'_> {
    fn default() -> Self {
        Self {
            producer_id: 0,
            previous_producer_id: -1,
            next_producer_id: -1,
            producer_epoch: 0,
            next_producer_epoch: -1,
            transaction_timeout_ms: 0,
            transaction_status: 0,
            transaction_partitions: Some(Vec::new()),
            transaction_last_update_timestamp_ms: 0,
            transaction_start_timestamp_ms: 0,
            client_transaction_version: 0,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct PartitionsSchema<'a> {
    pub topic: Str<'a>,
    pub partition_ids: Vec<i32>,
}

impl<'a> TransactionLogValue<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let mut this = Self {
            producer_id: r.i64()?,
            previous_producer_id: -1,
            next_producer_id: -1,
            producer_epoch: r.i16()?,
            next_producer_epoch: -1,
            transaction_timeout_ms: r.i32()?,
            transaction_status: r.i8()?,
            transaction_partitions: r.nullable_array(|r| PartitionsSchema::read(r, version))?,
            transaction_last_update_timestamp_ms: r.i64()?,
            transaction_start_timestamp_ms: r.i64()?,
            client_transaction_version: 0,
        };
        let mut tags = r.tags()?;
        while let Some(tag) = r.next_tag(&mut tags)? {
            match tag {
                0 if version >= 1 => this.previous_producer_id = r.i64()?,
                1 if version >= 1 => this.next_producer_id = r.i64()?,
                3 if version >= 1 => this.next_producer_epoch = r.i16()?,
                2 if version >= 1 => this.client_transaction_version = r.i16()?,
                _ => r.skip_tag(&tags),
            }
        }
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i64(self.producer_id);
        if version < 1 && self.previous_producer_id != -1 {
            w.unsupported("TransactionLogValue.previous_producer_id");
        }
        if version < 1 && self.next_producer_id != -1 {
            w.unsupported("TransactionLogValue.next_producer_id");
        }
        w.i16(self.producer_epoch);
        if version < 1 && self.next_producer_epoch != -1 {
            w.unsupported("TransactionLogValue.next_producer_epoch");
        }
        w.i32(self.transaction_timeout_ms);
        w.i8(self.transaction_status);
        w.nullable_array_len(self.transaction_partitions.as_ref().map(Vec::len));
        for item in self.transaction_partitions.iter().flatten() {
            item.write(w, version);
        }
        w.i64(self.transaction_last_update_timestamp_ms);
        w.i64(self.transaction_start_timestamp_ms);
        if version < 1 && self.client_transaction_version != 0 {
            w.unsupported("TransactionLogValue.client_transaction_version");
        }
        if w.flexible {
            let mut tags = w.tags();
            if version >= 1 && self.previous_producer_id != -1 {
                w.tag(&mut tags, 0);
                w.i64(self.previous_producer_id);
                w.end_tag(&tags);
            }
            if version >= 1 && self.next_producer_id != -1 {
                w.tag(&mut tags, 1);
                w.i64(self.next_producer_id);
                w.end_tag(&tags);
            }
            if version >= 1 && self.client_transaction_version != 0 {
                w.tag(&mut tags, 2);
                w.i16(self.client_transaction_version);
                w.end_tag(&tags);
            }
            if version >= 1 && self.next_producer_epoch != -1 {
                w.tag(&mut tags, 3);
                w.i16(self.next_producer_epoch);
                w.end_tag(&tags);
            }
        }
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> TransactionLogValue<'static> {
        TransactionLogValue {
            producer_id: self.producer_id,
            previous_producer_id: self.previous_producer_id,
            next_producer_id: self.next_producer_id,
            producer_epoch: self.producer_epoch,
            next_producer_epoch: self.next_producer_epoch,
            transaction_timeout_ms: self.transaction_timeout_ms,
            transaction_status: self.transaction_status,
            transaction_partitions: self
                .transaction_partitions
                .map(|x| x.into_iter().map(PartitionsSchema::into_owned).collect()),
            transaction_last_update_timestamp_ms: self.transaction_last_update_timestamp_ms,
            transaction_start_timestamp_ms: self.transaction_start_timestamp_ms,
            client_transaction_version: self.client_transaction_version,
        }
    }
}

impl<'a> PartitionsSchema<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { topic: r.string()?, partition_ids: r.array(Reader::i32)? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.topic);
        w.array_len(self.partition_ids.len());
        for item in &self.partition_ids {
            w.i32(*item);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> PartitionsSchema<'static> {
        PartitionsSchema { topic: Cow::Owned(self.topic.into_owned()), partition_ids: self.partition_ids }
    }
}

impl<'a> Message<'a> for TransactionLogValue<'a> {
    const NAME: &'static str = "TransactionLogValue";
    const VERSIONS: RangeInclusive<i16> = 0..=1;
    const FIRST_FLEXIBLE: i16 = 1;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 1), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 1), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl TransactionLogValue<'_> {
    /// The number by which a record says that it is of this type.
    pub const RECORD_TYPE: i16 = 0;
}
