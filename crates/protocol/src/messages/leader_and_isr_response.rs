// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use ottla_base::ids::Uuid;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Response};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `LeaderAndIsrResponse`: response of API 4, versions 0 to 7.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct LeaderAndIsrResponse<'a> {
    pub error_code: i16,
    pub partition_errors: Vec<LeaderAndIsrPartitionError<'a>>,
    pub topics: Vec<LeaderAndIsrTopicError<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct LeaderAndIsrPartitionError<'a> {
    pub topic_name: Str<'a>,
    pub partition_index: i32,
    pub error_code: i16,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct LeaderAndIsrTopicError<'a> {
    pub topic_id: Uuid,
    pub partition_errors: Vec<LeaderAndIsrPartitionError<'a>>,
}

impl<'a> LeaderAndIsrResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            error_code: r.i16()?,
            partition_errors: if version <= 4 {
                r.array(|r| LeaderAndIsrPartitionError::read(r, version))?
            } else {
                Vec::new()
            },
            topics: if version >= 5 { r.array(|r| LeaderAndIsrTopicError::read(r, version))? } else { Vec::new() },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i16(self.error_code);
        if version <= 4 {
            w.array_len(self.partition_errors.len());
            for item in &self.partition_errors {
                item.write(w, version);
            }
        } else if !self.partition_errors.is_empty() {
            w.unsupported("LeaderAndIsrResponse.partition_errors");
        }
        if version >= 5 {
            w.array_len(self.topics.len());
            for item in &self.topics {
                item.write(w, version);
            }
        } else if !self.topics.is_empty() {
            w.unsupported("LeaderAndIsrResponse.topics");
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> LeaderAndIsrResponse<'static> {
        LeaderAndIsrResponse {
            error_code: self.error_code,
            partition_errors: self.partition_errors.into_iter().map(LeaderAndIsrPartitionError::into_owned).collect(),
            topics: self.topics.into_iter().map(LeaderAndIsrTopicError::into_owned).collect(),
        }
    }
}

impl<'a> LeaderAndIsrPartitionError<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            topic_name: if version <= 4 { r.string()? } else { Str::Borrowed("") },
            partition_index: r.i32()?,
            error_code: r.i16()?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version <= 4 {
            w.string(&self.topic_name);
        }
        w.i32(self.partition_index);
        w.i16(self.error_code);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> LeaderAndIsrPartitionError<'static> {
        LeaderAndIsrPartitionError {
            topic_name: Cow::Owned(self.topic_name.into_owned()),
            partition_index: self.partition_index,
            error_code: self.error_code,
        }
    }
}

impl<'a> LeaderAndIsrTopicError<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this =
            Self { topic_id: r.uuid()?, partition_errors: r.array(|r| LeaderAndIsrPartitionError::read(r, version))? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.uuid(&self.topic_id);
        w.array_len(self.partition_errors.len());
        for item in &self.partition_errors {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> LeaderAndIsrTopicError<'static> {
        LeaderAndIsrTopicError {
            topic_id: self.topic_id,
            partition_errors: self.partition_errors.into_iter().map(LeaderAndIsrPartitionError::into_owned).collect(),
        }
    }
}

impl<'a> Message<'a> for LeaderAndIsrResponse<'a> {
    const NAME: &'static str = "LeaderAndIsrResponse";
    const VERSIONS: RangeInclusive<i16> = 0..=7;
    const FIRST_FLEXIBLE: i16 = 4;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 7), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 7), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Response<'a> for LeaderAndIsrResponse<'a> {
    const KEY: ApiKey = ApiKey::LeaderAndIsr;
}
