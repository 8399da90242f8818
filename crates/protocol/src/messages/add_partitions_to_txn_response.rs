// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Response};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `AddPartitionsToTxnResponse`: response of API 24, versions 0 to 5.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct AddPartitionsToTxnResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub results_by_transaction: Vec<AddPartitionsToTxnResult<'a>>,
    pub results_by_topic_v3_and_below: Vec<AddPartitionsToTxnTopicResult<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct AddPartitionsToTxnTopicResult<'a> {
    pub name: Str<'a>,
    pub results_by_partition: Vec<AddPartitionsToTxnPartitionResult>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct AddPartitionsToTxnPartitionResult {
    pub partition_index: i32,
    pub partition_error_code: i16,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct AddPartitionsToTxnResult<'a> {
    pub transactional_id: Str<'a>,
    pub topic_results: Vec<AddPartitionsToTxnTopicResult<'a>>,
}

impl<'a> AddPartitionsToTxnResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            throttle_time_ms: r.i32()?,
            error_code: if version >= 4 { r.i16()? } else { 0 },
            results_by_transaction: if version >= 4 {
                r.array(|r| AddPartitionsToTxnResult::read(r, version))?
            } else {
                Vec::new()
            },
            results_by_topic_v3_and_below: if version <= 3 {
                r.array(|r| AddPartitionsToTxnTopicResult::read(r, version))?
            } else {
                Vec::new()
            },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.throttle_time_ms);
        if version >= 4 {
            w.i16(self.error_code);
        }
        if version >= 4 {
            w.array_len(self.results_by_transaction.len());
            for item in &self.results_by_transaction {
                item.write(w, version);
            }
        } else if !self.results_by_transaction.is_empty() {
            w.unsupported("AddPartitionsToTxnResponse.results_by_transaction");
        }
        if version <= 3 {
            w.array_len(self.results_by_topic_v3_and_below.len());
            for item in &self.results_by_topic_v3_and_below {
                item.write(w, version);
            }
        } else if !self.results_by_topic_v3_and_below.is_empty() {
            w.unsupported("AddPartitionsToTxnResponse.results_by_topic_v3_and_below");
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> AddPartitionsToTxnResponse<'static> {
        AddPartitionsToTxnResponse {
            throttle_time_ms: self.throttle_time_ms,
            error_code: self.error_code,
            results_by_transaction: self
                .results_by_transaction
                .into_iter()
                .map(AddPartitionsToTxnResult::into_owned)
                .collect(),
            results_by_topic_v3_and_below: self
                .results_by_topic_v3_and_below
                .into_iter()
                .map(AddPartitionsToTxnTopicResult::into_owned)
                .collect(),
        }
    }
}

impl<'a> AddPartitionsToTxnTopicResult<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            name: r.string()?,
            results_by_partition: r.array(|r| AddPartitionsToTxnPartitionResult::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.name);
        w.array_len(self.results_by_partition.len());
        for item in &self.results_by_partition {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> AddPartitionsToTxnTopicResult<'static> {
        AddPartitionsToTxnTopicResult {
            name: Cow::Owned(self.name.into_owned()),
            results_by_partition: self.results_by_partition,
        }
    }
}

impl AddPartitionsToTxnPartitionResult {
    fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { partition_index: r.i32()?, partition_error_code: r.i16()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i32(self.partition_index);
        w.i16(self.partition_error_code);
        w.no_tags();
    }
}

impl<'a> AddPartitionsToTxnResult<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            transactional_id: r.string()?,
            topic_results: r.array(|r| AddPartitionsToTxnTopicResult::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.transactional_id);
        w.array_len(self.topic_results.len());
        for item in &self.topic_results {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> AddPartitionsToTxnResult<'static> {
        AddPartitionsToTxnResult {
            transactional_id: Cow::Owned(self.transactional_id.into_owned()),
            topic_results: self.topic_results.into_iter().map(AddPartitionsToTxnTopicResult::into_owned).collect(),
        }
    }
}

impl<'a> Message<'a> for AddPartitionsToTxnResponse<'a> {
    const NAME: &'static str = "AddPartitionsToTxnResponse";
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

impl<'a> Response<'a> for AddPartitionsToTxnResponse<'a> {
    const KEY: ApiKey = ApiKey::AddPartitionsToTxn;
}
