// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Response};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `ControlledShutdownResponse`: response of API 7, versions 0 to 3.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct ControlledShutdownResponse<'a> {
    pub error_code: i16,
    pub remaining_partitions: Vec<RemainingPartition<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct RemainingPartition<'a> {
    pub topic_name: Str<'a>,
    pub partition_index: i32,
}

impl<'a> ControlledShutdownResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this =
            Self { error_code: r.i16()?, remaining_partitions: r.array(|r| RemainingPartition::read(r, version))? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i16(self.error_code);
        w.array_len(self.remaining_partitions.len());
        for item in &self.remaining_partitions {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ControlledShutdownResponse<'static> {
        ControlledShutdownResponse {
            error_code: self.error_code,
            remaining_partitions: self.remaining_partitions.into_iter().map(RemainingPartition::into_owned).collect(),
        }
    }
}

impl<'a> RemainingPartition<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { topic_name: r.string()?, partition_index: r.i32()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.topic_name);
        w.i32(self.partition_index);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> RemainingPartition<'static> {
        RemainingPartition {
            topic_name: Cow::Owned(self.topic_name.into_owned()),
            partition_index: self.partition_index,
        }
    }
}

impl<'a> Message<'a> for ControlledShutdownResponse<'a> {
    const NAME: &'static str = "ControlledShutdownResponse";
    const VERSIONS: RangeInclusive<i16> = 0..=3;
    const FIRST_FLEXIBLE: i16 = 3;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 3), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 3), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Response<'a> for ControlledShutdownResponse<'a> {
    const KEY: ApiKey = ApiKey::ControlledShutdown;
}
