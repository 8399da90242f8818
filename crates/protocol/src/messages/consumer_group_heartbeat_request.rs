// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use ottla_base::ids::Uuid;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `ConsumerGroupHeartbeatRequest`: request of API 68, versions 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerGroupHeartbeatRequest<'a> {
    pub group_id: Str<'a>,
    pub member_id: Str<'a>,
    pub member_epoch: i32,
    pub instance_id: Option<Str<'a>>,
    pub rack_id: Option<Str<'a>>,
    pub rebalance_timeout_ms: i32,
    pub subscribed_topic_names: Option<Vec<Str<'a>>>,
    pub subscribed_topic_regex: Option<Str<'a>>,
    pub server_assignor: Option<Str<'a>>,
    pub topic_partitions: Option<Vec<TopicPartitions>>,
}

impl Default for ConsumerGroupHeartbeatRequest<'_> {
    fn default() -> Self {
        Self {
            group_id: Default::default(),
            member_id: Default::default(),
            member_epoch: 0,
            instance_id: Default::default(),
            rack_id: Default::default(),
            rebalance_timeout_ms: -1,
            subscribed_topic_names: None,
            subscribed_topic_regex: Default::default(),
            server_assignor: Default::default(),
            topic_partitions: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct TopicPartitions {
    pub topic_id: Uuid,
    pub partitions: Vec<i32>,
}

impl<'a> ConsumerGroupHeartbeatRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            group_id: r.string()?,
            member_id: r.string()?,
            member_epoch: r.i32()?,
            instance_id: r.nullable_string()?,
            rack_id: r.nullable_string()?,
            rebalance_timeout_ms: r.i32()?,
            subscribed_topic_names: r.nullable_array(Reader::string)?,
            subscribed_topic_regex: if version >= 1 { r.nullable_string()? } else { None },
            server_assignor: r.nullable_string()?,
            topic_partitions: r.nullable_array(|r| TopicPartitions::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.group_id);
        w.string(&self.member_id);
        w.i32(self.member_epoch);
        w.nullable_string(self.instance_id.as_deref());
        w.nullable_string(self.rack_id.as_deref());
        w.i32(self.rebalance_timeout_ms);
        w.nullable_array_len(self.subscribed_topic_names.as_ref().map(Vec::len));
        for item in self.subscribed_topic_names.iter().flatten() {
            w.string(item);
        }
        if version >= 1 {
            w.nullable_string(self.subscribed_topic_regex.as_deref());
        } else if self.subscribed_topic_regex.is_some() {
            w.unsupported("ConsumerGroupHeartbeatRequest.subscribed_topic_regex");
        }
        w.nullable_string(self.server_assignor.as_deref());
        w.nullable_array_len(self.topic_partitions.as_ref().map(Vec::len));
        for item in self.topic_partitions.iter().flatten() {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ConsumerGroupHeartbeatRequest<'static> {
        ConsumerGroupHeartbeatRequest {
            group_id: Cow::Owned(self.group_id.into_owned()),
            member_id: Cow::Owned(self.member_id.into_owned()),
            member_epoch: self.member_epoch,
            instance_id: self.instance_id.map(|x| Cow::Owned(x.into_owned())),
            rack_id: self.rack_id.map(|x| Cow::Owned(x.into_owned())),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            subscribed_topic_names: self
                .subscribed_topic_names
                .map(|x| x.into_iter().map(|x| Cow::Owned(x.into_owned())).collect()),
            subscribed_topic_regex: self.subscribed_topic_regex.map(|x| Cow::Owned(x.into_owned())),
            server_assignor: self.server_assignor.map(|x| Cow::Owned(x.into_owned())),
            topic_partitions: self.topic_partitions,
        }
    }
}

impl TopicPartitions {
    fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { topic_id: r.uuid()?, partitions: r.array(Reader::i32)? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.uuid(&self.topic_id);
        w.array_len(self.partitions.len());
        for item in &self.partitions {
            w.i32(*item);
        }
        w.no_tags();
    }
}

impl<'a> Message<'a> for ConsumerGroupHeartbeatRequest<'a> {
    const NAME: &'static str = "ConsumerGroupHeartbeatRequest";
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

impl<'a> Request<'a> for ConsumerGroupHeartbeatRequest<'a> {
    const KEY: ApiKey = ApiKey::ConsumerGroupHeartbeat;
    type Response<'r> = crate::messages::ConsumerGroupHeartbeatResponse<'r>;
}
