// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Response};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `StopReplicaResponse`: response of API 5, versions 0 to 4.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct StopReplicaResponse<'a> {
    pub error_code: i16,
    pub partition_errors: Vec<StopReplicaPartitionError<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct StopReplicaPartitionError<'a> {
    pub topic_name: Str<'a>,
    pub partition_index: i32,
    pub error_code: i16,
}

impl<'a> StopReplicaResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this =
            Self { error_code: r.i16()?, partition_errors: r.array(|r| StopReplicaPartitionError::read(r, version))? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i16(self.error_code);
        w.array_len(self.partition_errors.len());
        for item in &self.partition_errors {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> StopReplicaResponse<'static> {
        StopReplicaResponse {
            error_code: self.error_code,
            partition_errors: self.partition_errors.into_iter().map(StopReplicaPartitionError::into_owned).collect(),
        }
    }
}

impl<'a> StopReplicaPartitionError<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { topic_name: r.string()?, partition_index: r.i32()?, error_code: r.i16()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.topic_name);
        w.i32(self.partition_index);
        w.i16(self.error_code);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> StopReplicaPartitionError<'static> {
        StopReplicaPartitionError {
            topic_name: Cow::Owned(self.topic_name.into_owned()),
            partition_index: self.partition_index,
            error_code: self.error_code,
        }
    }
}

impl<'a> Message<'a> for StopReplicaResponse<'a> {
    const NAME: &'static str = "StopReplicaResponse";
    const VERSIONS: RangeInclusive<i16> = 0..=4;
    const FIRST_FLEXIBLE: i16 = 2;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 4), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 4), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Response<'a> for StopReplicaResponse<'a> {
    const KEY: ApiKey = ApiKey::StopReplica;
}
