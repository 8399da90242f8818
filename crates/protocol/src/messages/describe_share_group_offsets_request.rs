// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `DescribeShareGroupOffsetsRequest`: request of API 90, versions 0 to 1.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct DescribeShareGroupOffsetsRequest<'a> {
    pub groups: Vec<DescribeShareGroupOffsetsRequestGroup<'a>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct DescribeShareGroupOffsetsRequestGroup<'a> {
    pub group_id: Str<'a>,
    pub topics: Option<Vec<DescribeShareGroupOffsetsRequestTopic<'a>>>,
}

impl Default for DescribeShareGroupOffsetsRequestGroup<'_> {
    fn default() -> Self {
        Self { group_id: Default::default(), topics: Some(Vec::new()) }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct DescribeShareGroupOffsetsRequestTopic<'a> {
    pub topic_name: Str<'a>,
    pub partitions: Vec<i32>,
}

impl<'a> DescribeShareGroupOffsetsRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self { groups: r.array(|r| DescribeShareGroupOffsetsRequestGroup::read(r, version))? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.array_len(self.groups.len());
        for item in &self.groups {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> DescribeShareGroupOffsetsRequest<'static> {
        DescribeShareGroupOffsetsRequest {
            groups: self.groups.into_iter().map(DescribeShareGroupOffsetsRequestGroup::into_owned).collect(),
        }
    }
}

impl<'a> DescribeShareGroupOffsetsRequestGroup<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            group_id: r.string()?,
            topics: r.nullable_array(|r| DescribeShareGroupOffsetsRequestTopic::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.group_id);
        w.nullable_array_len(self.topics.as_ref().map(Vec::len));
        for item in self.topics.iter().flatten() {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> DescribeShareGroupOffsetsRequestGroup<'static> {
        DescribeShareGroupOffsetsRequestGroup {
            group_id: Cow::Owned(self.group_id.into_owned()),
            topics: self.topics.map(|x| x.into_iter().map(DescribeShareGroupOffsetsRequestTopic::into_owned).collect()),
        }
    }
}

impl<'a> DescribeShareGroupOffsetsRequestTopic<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { topic_name: r.string()?, partitions: r.array(Reader::i32)? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.topic_name);
        w.array_len(self.partitions.len());
        for item in &self.partitions {
            w.i32(*item);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> DescribeShareGroupOffsetsRequestTopic<'static> {
        DescribeShareGroupOffsetsRequestTopic {
            topic_name: Cow::Owned(self.topic_name.into_owned()),
            partitions: self.partitions,
        }
    }
}

impl<'a> Message<'a> for DescribeShareGroupOffsetsRequest<'a> {
    const NAME: &'static str = "DescribeShareGroupOffsetsRequest";
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

impl<'a> Request<'a> for DescribeShareGroupOffsetsRequest<'a> {
    const KEY: ApiKey = ApiKey::DescribeShareGroupOffsets;
    type Response<'r> = crate::messages::DescribeShareGroupOffsetsResponse<'r>;
}
