// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Response};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `OffsetDeleteResponse`: response of API 47, versions 0 to 0.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct OffsetDeleteResponse<'a> {
    pub error_code: i16,
    pub throttle_time_ms: i32,
    pub topics: Vec<OffsetDeleteResponseTopic<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct OffsetDeleteResponseTopic<'a> {
    pub name: Str<'a>,
    pub partitions: Vec<OffsetDeleteResponsePartition>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct OffsetDeleteResponsePartition {
    pub partition_index: i32,
    pub error_code: i16,
}

impl<'a> OffsetDeleteResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            error_code: r.i16()?,
            throttle_time_ms: r.i32()?,
            topics: r.array(|r| OffsetDeleteResponseTopic::read(r, version))?,
        };
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i16(self.error_code);
        w.i32(self.throttle_time_ms);
        w.array_len(self.topics.len());
        for item in &self.topics {
            item.write(w, version);
        }
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> OffsetDeleteResponse<'static> {
        OffsetDeleteResponse {
            error_code: self.error_code,
            throttle_time_ms: self.throttle_time_ms,
            topics: self.topics.into_iter().map(OffsetDeleteResponseTopic::into_owned).collect(),
        }
    }
}

impl<'a> OffsetDeleteResponseTopic<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this =
            Self { name: r.string()?, partitions: r.array(|r| OffsetDeleteResponsePartition::read(r, version))? };
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.name);
        w.array_len(self.partitions.len());
        for item in &self.partitions {
            item.write(w, version);
        }
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> OffsetDeleteResponseTopic<'static> {
        OffsetDeleteResponseTopic { name: Cow::Owned(self.name.into_owned()), partitions: self.partitions }
    }
}

impl OffsetDeleteResponsePartition {
    fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { partition_index: r.i32()?, error_code: r.i16()? };
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i32(self.partition_index);
        w.i16(self.error_code);
    }
}

impl<'a> Message<'a> for OffsetDeleteResponse<'a> {
    const NAME: &'static str = "OffsetDeleteResponse";
    const VERSIONS: RangeInclusive<i16> = 0..=0;
    const FIRST_FLEXIBLE: i16 = i16::MAX;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 0), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 0), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Response<'a> for OffsetDeleteResponse<'a> {
    const KEY: ApiKey = ApiKey::OffsetDelete;
}
