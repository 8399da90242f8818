// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Response};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `AlterPartitionReassignmentsResponse`: response of API 45, versions 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterPartitionReassignmentsResponse<'a> {
    pub throttle_time_ms: i32,
    pub allow_replication_factor_change: bool,
    pub error_code: i16,
    pub error_message: Option<Str<'a>>,
    pub responses: Vec<ReassignableTopicResponse<'a>>,
}

impl Default for AlterPartitionReassignmentsResponse<'_> {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            allow_replication_factor_change: true,
            error_code: 0,
            error_message: Some(Str::Borrowed("")),
            responses: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct ReassignableTopicResponse<'a> {
    pub name: Str<'a>,
    pub partitions: Vec<ReassignablePartitionResponse<'a>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ReassignablePartitionResponse<'a> {
    pub partition_index: i32,
    pub error_code: i16,
    pub error_message: Option<Str<'a>>,
}

impl Default for ReassignablePartitionResponse<'_> {
    fn default() -> Self {
        Self { partition_index: 0, error_code: 0, error_message: Some(Str::Borrowed("")) }
    }
}

impl<'a> AlterPartitionReassignmentsResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            throttle_time_ms: r.i32()?,
            allow_replication_factor_change: if version >= 1 { r.bool()? } else { true },
            error_code: r.i16()?,
            error_message: r.nullable_string()?,
            responses: r.array(|r| ReassignableTopicResponse::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.throttle_time_ms);
        if version >= 1 {
            w.bool(self.allow_replication_factor_change);
        }
        w.i16(self.error_code);
        w.nullable_string(self.error_message.as_deref());
        w.array_len(self.responses.len());
        for item in &self.responses {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> AlterPartitionReassignmentsResponse<'static> {
        AlterPartitionReassignmentsResponse {
            throttle_time_ms: self.throttle_time_ms,
            allow_replication_factor_change: self.allow_replication_factor_change,
            error_code: self.error_code,
            error_message: self.error_message.map(|x| Cow::Owned(x.into_owned())),
            responses: self.responses.into_iter().map(ReassignableTopicResponse::into_owned).collect(),
        }
    }
}

impl<'a> ReassignableTopicResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this =
            Self { name: r.string()?, partitions: r.array(|r| ReassignablePartitionResponse::read(r, version))? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.name);
        w.array_len(self.partitions.len());
        for item in &self.partitions {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ReassignableTopicResponse<'static> {
        ReassignableTopicResponse {
            name: Cow::Owned(self.name.into_owned()),
            partitions: self.partitions.into_iter().map(ReassignablePartitionResponse::into_owned).collect(),
        }
    }
}

impl<'a> ReassignablePartitionResponse<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { partition_index: r.i32()?, error_code: r.i16()?, error_message: r.nullable_string()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i32(self.partition_index);
        w.i16(self.error_code);
        w.nullable_string(self.error_message.as_deref());
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ReassignablePartitionResponse<'static> {
        ReassignablePartitionResponse {
            partition_index: self.partition_index,
            error_code: self.error_code,
            error_message: self.error_message.map(|x| Cow::Owned(x.into_owned())),
        }
    }
}

impl<'a> Message<'a> for AlterPartitionReassignmentsResponse<'a> {
    const NAME: &'static str = "AlterPartitionReassignmentsResponse";
    const VERSIONS: RangeInclusive<i16> = 0..=1;
    const FIRST_FLEXIBLE: i16 = 0;

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

impl<'a> Response<'a> for AlterPartitionReassignmentsResponse<'a> {
    const KEY: ApiKey = ApiKey::AlterPartitionReassignments;
}
