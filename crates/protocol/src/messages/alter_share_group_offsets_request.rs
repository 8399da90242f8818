// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `AlterShareGroupOffsetsRequest`: request of API 91, versions 0 to 0.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct AlterShareGroupOffsetsRequest<'a> {
    pub group_id: Str<'a>,
    pub topics: Vec<AlterShareGroupOffsetsRequestTopic<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct AlterShareGroupOffsetsRequestTopic<'a> {
    pub topic_name: Str<'a>,
    pub partitions: Vec<AlterShareGroupOffsetsRequestPartition>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct AlterShareGroupOffsetsRequestPartition {
    pub partition_index: i32,
    pub start_offset: i64,
}

impl<'a> AlterShareGroupOffsetsRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this =
            Self { group_id: r.string()?, topics: r.array(|r| AlterShareGroupOffsetsRequestTopic::read(r, version))? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.group_id);
        w.array_len(self.topics.len());
        for item in &self.topics {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> AlterShareGroupOffsetsRequest<'static> {
        AlterShareGroupOffsetsRequest {
            group_id: Cow::Owned(self.group_id.into_owned()),
            topics: self.topics.into_iter().map(AlterShareGroupOffsetsRequestTopic::into_owned).collect(),
        }
    }
}

impl<'a> AlterShareGroupOffsetsRequestTopic<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            topic_name: r.string()?,
            partitions: r.array(|r| AlterShareGroupOffsetsRequestPartition::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.topic_name);
        w.array_len(self.partitions.len());
        for item in &self.partitions {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> AlterShareGroupOffsetsRequestTopic<'static> {
        AlterShareGroupOffsetsRequestTopic {
            topic_name: Cow::Owned(self.topic_name.into_owned()),
            partitions: self.partitions,
        }
    }
}

impl AlterShareGroupOffsetsRequestPartition {
    fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { partition_index: r.i32()?, start_offset: r.i64()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i32(self.partition_index);
        w.i64(self.start_offset);
        w.no_tags();
    }
}

impl<'a> Message<'a> for AlterShareGroupOffsetsRequest<'a> {
    const NAME: &'static str = "AlterShareGroupOffsetsRequest";
    const VERSIONS: RangeInclusive<i16> = 0..=0;
    const FIRST_FLEXIBLE: i16 = 0;

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

impl<'a> Request<'a> for AlterShareGroupOffsetsRequest<'a> {
    const KEY: ApiKey = ApiKey::AlterShareGroupOffsets;
    type Response<'r> = crate::messages::AlterShareGroupOffsetsResponse<'r>;
}
