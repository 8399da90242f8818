// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `CreateTopicsRequest`: request of API 19, versions 0 to 7.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTopicsRequest<'a> {
    pub topics: Vec<CreatableTopic<'a>>,
    pub timeout_ms: i32,
    pub validate_only: bool,
}

impl Default for CreateTopicsRequest<'_> {
    fn default() -> Self {
        Self { topics: Vec::new(), timeout_ms: 60000, validate_only: false }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct CreatableTopic<'a> {
    pub name: Str<'a>,
    pub num_partitions: i32,
    pub replication_factor: i16,
    pub assignments: Vec<CreatableReplicaAssignment>,
    pub configs: Vec<CreatableTopicConfig<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct CreatableReplicaAssignment {
    pub partition_index: i32,
    pub broker_ids: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct CreatableTopicConfig<'a> {
    pub name: Str<'a>,
    pub value: Option<Str<'a>>,
}

impl Default for CreatableTopicConfig<'_> {
    fn default() -> Self {
        Self { name: Default::default(), value: Some(Str::Borrowed("")) }
    }
}

impl<'a> CreateTopicsRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            topics: r.array(|r| CreatableTopic::read(r, version))?,
            timeout_ms: r.i32()?,
            validate_only: if version >= 1 { r.bool()? } else { false },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.array_len(self.topics.len());
        for item in &self.topics {
            item.write(w, version);
        }
        w.i32(self.timeout_ms);
        if version >= 1 {
            w.bool(self.validate_only);
        } else if self.validate_only {
            w.unsupported("CreateTopicsRequest.validate_only");
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> CreateTopicsRequest<'static> {
        CreateTopicsRequest {
            topics: self.topics.into_iter().map(CreatableTopic::into_owned).collect(),
            timeout_ms: self.timeout_ms,
            validate_only: self.validate_only,
        }
    }
}

impl<'a> CreatableTopic<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            name: r.string()?,
            num_partitions: r.i32()?,
            replication_factor: r.i16()?,
            assignments: r.array(|r| CreatableReplicaAssignment::read(r, version))?,
            configs: r.array(|r| CreatableTopicConfig::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.name);
        w.i32(self.num_partitions);
        w.i16(self.replication_factor);
        w.array_len(self.assignments.len());
        for item in &self.assignments {
            item.write(w, version);
        }
        w.array_len(self.configs.len());
        for item in &self.configs {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> CreatableTopic<'static> {
        CreatableTopic {
            name: Cow::Owned(self.name.into_owned()),
            num_partitions: self.num_partitions,
            replication_factor: self.replication_factor,
            assignments: self.assignments,
            configs: self.configs.into_iter().map(CreatableTopicConfig::into_owned).collect(),
        }
    }
}

impl CreatableReplicaAssignment {
    fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { partition_index: r.i32()?, broker_ids: r.array(Reader::i32)? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i32(self.partition_index);
        w.array_len(self.broker_ids.len());
        for item in &self.broker_ids {
            w.i32(*item);
        }
        w.no_tags();
    }
}

impl<'a> CreatableTopicConfig<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { name: r.string()?, value: r.nullable_string()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.name);
        w.nullable_string(self.value.as_deref());
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> CreatableTopicConfig<'static> {
        CreatableTopicConfig {
            name: Cow::Owned(self.name.into_owned()),
            value: self.value.map(|x| Cow::Owned(x.into_owned())),
        }
    }
}

impl<'a> Message<'a> for CreateTopicsRequest<'a> {
    const NAME: &'static str = "CreateTopicsRequest";
    const VERSIONS: RangeInclusive<i16> = 0..=7;
    const FIRST_FLEXIBLE: i16 = 5;

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

impl<'a> Request<'a> for CreateTopicsRequest<'a> {
    const KEY: ApiKey = ApiKey::CreateTopics;
    type Response<'r> = crate::messages::CreateTopicsResponse<'r>;
}
