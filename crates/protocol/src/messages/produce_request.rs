// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use ottla_base::ids::Uuid;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::{Records, Str};
use crate::writer::Writer;

/// `ProduceRequest`: request of API 0, versions 0 to 13.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct ProduceRequest<'a> {
    pub transactional_id: Option<Str<'a>>,
    pub acks: i16,
    pub timeout_ms: i32,
    pub topic_data: Vec<TopicProduceData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct TopicProduceData<'a> {
    pub name: Str<'a>,
    pub topic_id: Uuid,
    pub partition_data: Vec<PartitionProduceData<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct PartitionProduceData<'a> {
    pub index: i32,
    pub records: Option<Records<'a>>,
}

impl<'a> ProduceRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            transactional_id: if version >= 3 { r.nullable_string()? } else { None },
            acks: r.i16()?,
            timeout_ms: r.i32()?,
            topic_data: r.array(|r| TopicProduceData::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version >= 3 {
            w.nullable_string(self.transactional_id.as_deref());
        } else if self.transactional_id.is_some() {
            w.unsupported("ProduceRequest.transactional_id");
        }
        w.i16(self.acks);
        w.i32(self.timeout_ms);
        w.array_len(self.topic_data.len());
        for item in &self.topic_data {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ProduceRequest<'static> {
        ProduceRequest {
            transactional_id: self.transactional_id.map(|x| Cow::Owned(x.into_owned())),
            acks: self.acks,
            timeout_ms: self.timeout_ms,
            topic_data: self.topic_data.into_iter().map(TopicProduceData::into_owned).collect(),
        }
    }
}

impl<'a> TopicProduceData<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            name: if version <= 12 { r.string()? } else { Str::Borrowed("") },
            topic_id: if version >= 13 { r.uuid()? } else { Uuid::ZERO },
            partition_data: r.array(|r| PartitionProduceData::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version <= 12 {
            w.string(&self.name);
        }
        if version >= 13 {
            w.uuid(&self.topic_id);
        }
        w.array_len(self.partition_data.len());
        for item in &self.partition_data {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> TopicProduceData<'static> {
        TopicProduceData {
            name: Cow::Owned(self.name.into_owned()),
            topic_id: self.topic_id,
            partition_data: self.partition_data.into_iter().map(PartitionProduceData::into_owned).collect(),
        }
    }
}

impl<'a> PartitionProduceData<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { index: r.i32()?, records: r.records()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i32(self.index);
        w.records(self.records.as_ref());
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> PartitionProduceData<'static> {
        PartitionProduceData { index: self.index, records: self.records.map(Records::into_owned) }
    }
}

impl<'a> Message<'a> for ProduceRequest<'a> {
    const NAME: &'static str = "ProduceRequest";
    const VERSIONS: RangeInclusive<i16> = 0..=13;
    const FIRST_FLEXIBLE: i16 = 9;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 13), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 13), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Request<'a> for ProduceRequest<'a> {
    const KEY: ApiKey = ApiKey::Produce;
    type Response<'r> = crate::messages::ProduceResponse<'r>;
}
