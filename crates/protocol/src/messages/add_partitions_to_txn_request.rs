// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `AddPartitionsToTxnRequest`: request of API 24, versions 0 to 5.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct AddPartitionsToTxnRequest<'a> {
    pub transactions: Vec<AddPartitionsToTxnTransaction<'a>>,
    pub v3_and_below_transactional_id: Str<'a>,
    pub v3_and_below_producer_id: i64,
    pub v3_and_below_producer_epoch: i16,
    pub v3_and_below_topics: Vec<AddPartitionsToTxnTopic<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct AddPartitionsToTxnTopic<'a> {
    pub name: Str<'a>,
    pub partitions: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct AddPartitionsToTxnTransaction<'a> {
    pub transactional_id: Str<'a>,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub verify_only: bool,
    pub topics: Vec<AddPartitionsToTxnTopic<'a>>,
}

impl<'a> AddPartitionsToTxnRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            transactions: if version >= 4 {
                r.array(|r| AddPartitionsToTxnTransaction::read(r, version))?
            } else {
                Vec::new()
            },
            v3_and_below_transactional_id: if version <= 3 { r.string()? } else { Str::Borrowed("") },
            v3_and_below_producer_id: if version <= 3 { r.i64()? } else { 0 },
            v3_and_below_producer_epoch: if version <= 3 { r.i16()? } else { 0 },
            v3_and_below_topics: if version <= 3 {
                r.array(|r| AddPartitionsToTxnTopic::read(r, version))?
            } else {
                Vec::new()
            },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version >= 4 {
            w.array_len(self.transactions.len());
            for item in &self.transactions {
                item.write(w, version);
            }
        } else if !self.transactions.is_empty() {
            w.unsupported("AddPartitionsToTxnRequest.transactions");
        }
        if version <= 3 {
            w.string(&self.v3_and_below_transactional_id);
        } else if !self.v3_and_below_transactional_id.is_empty() {
            w.unsupported("AddPartitionsToTxnRequest.v3_and_below_transactional_id");
        }
        if version <= 3 {
            w.i64(self.v3_and_below_producer_id);
        } else if self.v3_and_below_producer_id != 0 {
            w.unsupported("AddPartitionsToTxnRequest.v3_and_below_producer_id");
        }
        if version <= 3 {
            w.i16(self.v3_and_below_producer_epoch);
        } else if self.v3_and_below_producer_epoch != 0 {
            w.unsupported("AddPartitionsToTxnRequest.v3_and_below_producer_epoch");
        }
        if version <= 3 {
            w.array_len(self.v3_and_below_topics.len());
            for item in &self.v3_and_below_topics {
                item.write(w, version);
            }
        } else if !self.v3_and_below_topics.is_empty() {
            w.unsupported("AddPartitionsToTxnRequest.v3_and_below_topics");
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> AddPartitionsToTxnRequest<'static> {
        AddPartitionsToTxnRequest {
            transactions: self.transactions.into_iter().map(AddPartitionsToTxnTransaction::into_owned).collect(),
            v3_and_below_transactional_id: Cow::Owned(self.v3_and_below_transactional_id.into_owned()),
            v3_and_below_producer_id: self.v3_and_below_producer_id,
            v3_and_below_producer_epoch: self.v3_and_below_producer_epoch,
            v3_and_below_topics: self
                .v3_and_below_topics
                .into_iter()
                .map(AddPartitionsToTxnTopic::into_owned)
                .collect(),
        }
    }
}

impl<'a> AddPartitionsToTxnTopic<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { name: r.string()?, partitions: r.array(Reader::i32)? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.name);
        w.array_len(self.partitions.len());
        for item in &self.partitions {
            w.i32(*item);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> AddPartitionsToTxnTopic<'static> {
        AddPartitionsToTxnTopic { name: Cow::Owned(self.name.into_owned()), partitions: self.partitions }
    }
}

impl<'a> AddPartitionsToTxnTransaction<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            transactional_id: r.string()?,
            producer_id: r.i64()?,
            producer_epoch: r.i16()?,
            verify_only: r.bool()?,
            topics: r.array(|r| AddPartitionsToTxnTopic::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.transactional_id);
        w.i64(self.producer_id);
        w.i16(self.producer_epoch);
        w.bool(self.verify_only);
        w.array_len(self.topics.len());
        for item in &self.topics {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> AddPartitionsToTxnTransaction<'static> {
        AddPartitionsToTxnTransaction {
            transactional_id: Cow::Owned(self.transactional_id.into_owned()),
            producer_id: self.producer_id,
            producer_epoch: self.producer_epoch,
            verify_only: self.verify_only,
            topics: self.topics.into_iter().map(AddPartitionsToTxnTopic::into_owned).collect(),
        }
    }
}

impl<'a> Message<'a> for AddPartitionsToTxnRequest<'a> {
    const NAME: &'static str = "AddPartitionsToTxnRequest";
    const VERSIONS: RangeInclusive<i16> = 0..=5;
    const FIRST_FLEXIBLE: i16 = 3;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 5), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 5), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Request<'a> for AddPartitionsToTxnRequest<'a> {
    const KEY: ApiKey = ApiKey::AddPartitionsToTxn;
    type Response<'r> = crate::messages::AddPartitionsToTxnResponse<'r>;
}
