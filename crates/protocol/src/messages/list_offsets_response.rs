// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Response};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `ListOffsetsResponse`: response of API 2, versions 0 to 11.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct ListOffsetsResponse<'a> {
    pub throttle_time_ms: i32,
    pub topics: Vec<ListOffsetsTopicResponse<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct ListOffsetsTopicResponse<'a> {
    pub name: Str<'a>,
    pub partitions: Vec<ListOffsetsPartitionResponse>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ListOffsetsPartitionResponse {
    pub partition_index: i32,
    pub error_code: i16,
    pub old_style_offsets: Vec<i64>,
    pub timestamp: i64,
    pub offset: i64,
    pub leader_epoch: i32,
}

impl Default for ListOffsetsPartitionResponse {
    fn default() -> Self {
        Self {
            partition_index: 0,
            error_code: 0,
            old_style_offsets: Vec::new(),
            timestamp: -1,
            offset: -1,
            leader_epoch: -1,
        }
    }
}

impl<'a> ListOffsetsResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            throttle_time_ms: if version >= 2 { r.i32()? } else { 0 },
            topics: r.array(|r| ListOffsetsTopicResponse::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version >= 2 {
            w.i32(self.throttle_time_ms);
        }
        w.array_len(self.topics.len());
        for item in &self.topics {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ListOffsetsResponse<'static> {
        ListOffsetsResponse {
            throttle_time_ms: self.throttle_time_ms,
            topics: self.topics.into_iter().map(ListOffsetsTopicResponse::into_owned).collect(),
        }
    }
}

impl<'a> ListOffsetsTopicResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self { name: r.string()?, partitions: r.array(|r| ListOffsetsPartitionResponse::read(r, version))? };
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
    pub fn into_owned(self) -> ListOffsetsTopicResponse<'static> {
        ListOffsetsTopicResponse { name: Cow::Owned(self.name.into_owned()), partitions: self.partitions }
    }
}

impl ListOffsetsPartitionResponse {
    fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            partition_index: r.i32()?,
            error_code: r.i16()?,
            old_style_offsets: if version <= 0 { r.array(Reader::i64)? } else { Vec::new() },
            timestamp: if version >= 1 { r.i64()? } else { -1 },
            offset: if version >= 1 { r.i64()? } else { -1 },
            leader_epoch: if version >= 4 { r.i32()? } else { -1 },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.partition_index);
        w.i16(self.error_code);
        if version <= 0 {
            w.array_len(self.old_style_offsets.len());
            for item in &self.old_style_offsets {
                w.i64(*item);
            }
        } else if !self.old_style_offsets.is_empty() {
            w.unsupported("ListOffsetsPartitionResponse.old_style_offsets");
        }
        if version >= 1 {
            w.i64(self.timestamp);
        } else if self.timestamp != -1 {
            w.unsupported("ListOffsetsPartitionResponse.timestamp");
        }
        if version >= 1 {
            w.i64(self.offset);
        } else if self.offset != -1 {
            w.unsupported("ListOffsetsPartitionResponse.offset");
        }
        if version >= 4 {
            w.i32(self.leader_epoch);
        } else if self.leader_epoch != -1 {
            w.unsupported("ListOffsetsPartitionResponse.leader_epoch");
        }
        w.no_tags();
    }
}

impl<'a> Message<'a> for ListOffsetsResponse<'a> {
    const NAME: &'static str = "ListOffsetsResponse";
    const VERSIONS: RangeInclusive<i16> = 0..=11;
    const FIRST_FLEXIBLE: i16 = 6;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 11), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 11), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Response<'a> for ListOffsetsResponse<'a> {
    const KEY: ApiKey = ApiKey::ListOffsets;
}
