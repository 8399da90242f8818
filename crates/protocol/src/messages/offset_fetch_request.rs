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

/// `OffsetFetchRequest`: request of API 9, versions 0 to 10.
#[derive(Clone, Debug, PartialEq)]
pub struct OffsetFetchRequest<'a> {
    pub group_id: Str<'a>,
    pub topics: Option<Vec<OffsetFetchRequestTopic<'a>>>,
    pub groups: Vec<OffsetFetchRequestGroup<'a>>,
    pub require_stable: bool,
}

impl Default for OffsetFetchRequest<'_> {
    fn default() -> Self {
        Self { group_id: Default::default(), topics: Some(Vec::new()), groups: Vec::new(), require_stable: false }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct OffsetFetchRequestTopic<'a> {
    pub name: Str<'a>,
    pub partition_indexes: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct OffsetFetchRequestGroup<'a> {
    pub group_id: Str<'a>,
    pub member_id: Option<Str<'a>>,
    pub member_epoch: i32,
    pub topics: Option<Vec<OffsetFetchRequestTopics<'a>>>,
}

impl Default for OffsetFetchRequestGroup<'_> {
    fn default() -> Self {
        Self { group_id: Default::default(), member_id: Default::default(), member_epoch: -1, topics: Some(Vec::new()) }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct OffsetFetchRequestTopics<'a> {
    pub name: Str<'a>,
    pub topic_id: Uuid,
    pub partition_indexes: Vec<i32>,
}

impl<'a> OffsetFetchRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            group_id: if version <= 7 { r.string()? } else { Str::Borrowed("") },
            topics: if version <= 7 {
                if version >= 2 {
                    r.nullable_array(|r| OffsetFetchRequestTopic::read(r, version))?
                } else {
                    Some(r.array(|r| OffsetFetchRequestTopic::read(r, version))?)
                }
            } else {
                Some(Vec::new())
            },
            groups: if version >= 8 { r.array(|r| OffsetFetchRequestGroup::read(r, version))? } else { Vec::new() },
            require_stable: if version >= 7 { r.bool()? } else { false },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version <= 7 {
            w.string(&self.group_id);
        } else if !self.group_id.is_empty() {
            w.unsupported("OffsetFetchRequest.group_id");
        }
        if version <= 7 {
            if self.topics.is_none() && version < 2 {
                w.null_field("OffsetFetchRequest.topics");
            }
            w.nullable_array_len(self.topics.as_ref().map(Vec::len));
            for item in self.topics.iter().flatten() {
                item.write(w, version);
            }
        } else if self.topics.as_ref().is_none_or(|all| !all.is_empty()) {
            w.unsupported("OffsetFetchRequest.topics");
        }
        if version >= 8 {
            w.array_len(self.groups.len());
            for item in &self.groups {
                item.write(w, version);
            }
        } else if !self.groups.is_empty() {
            w.unsupported("OffsetFetchRequest.groups");
        }
        if version >= 7 {
            w.bool(self.require_stable);
        } else if self.require_stable {
            w.unsupported("OffsetFetchRequest.require_stable");
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> OffsetFetchRequest<'static> {
        OffsetFetchRequest {
            group_id: Cow::Owned(self.group_id.into_owned()),
            topics: self.topics.map(|x| x.into_iter().map(OffsetFetchRequestTopic::into_owned).collect()),
            groups: self.groups.into_iter().map(OffsetFetchRequestGroup::into_owned).collect(),
            require_stable: self.require_stable,
        }
    }
}

impl<'a> OffsetFetchRequestTopic<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { name: r.string()?, partition_indexes: r.array(Reader::i32)? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.name);
        w.array_len(self.partition_indexes.len());
        for item in &self.partition_indexes {
            w.i32(*item);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> OffsetFetchRequestTopic<'static> {
        OffsetFetchRequestTopic { name: Cow::Owned(self.name.into_owned()), partition_indexes: self.partition_indexes }
    }
}

impl<'a> OffsetFetchRequestGroup<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            group_id: r.string()?,
            member_id: if version >= 9 { r.nullable_string()? } else { None },
            member_epoch: if version >= 9 { r.i32()? } else { -1 },
            topics: r.nullable_array(|r| OffsetFetchRequestTopics::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.group_id);
        if version >= 9 {
            w.nullable_string(self.member_id.as_deref());
        }
        if version >= 9 {
            w.i32(self.member_epoch);
        }
        w.nullable_array_len(self.topics.as_ref().map(Vec::len));
        for item in self.topics.iter().flatten() {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> OffsetFetchRequestGroup<'static> {
        OffsetFetchRequestGroup {
            group_id: Cow::Owned(self.group_id.into_owned()),
            member_id: self.member_id.map(|x| Cow::Owned(x.into_owned())),
            member_epoch: self.member_epoch,
            topics: self.topics.map(|x| x.into_iter().map(OffsetFetchRequestTopics::into_owned).collect()),
        }
    }
}

impl<'a> OffsetFetchRequestTopics<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            name: if version <= 9 { r.string()? } else { Str::Borrowed("") },
            topic_id: if version >= 10 { r.uuid()? } else { Uuid::ZERO },
            partition_indexes: r.array(Reader::i32)?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version <= 9 {
            w.string(&self.name);
        }
        if version >= 10 {
            w.uuid(&self.topic_id);
        }
        w.array_len(self.partition_indexes.len());
        for item in &self.partition_indexes {
            w.i32(*item);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> OffsetFetchRequestTopics<'static> {
        OffsetFetchRequestTopics {
            name: Cow::Owned(self.name.into_owned()),
            topic_id: self.topic_id,
            partition_indexes: self.partition_indexes,
        }
    }
}

impl<'a> Message<'a> for OffsetFetchRequest<'a> {
    const NAME: &'static str = "OffsetFetchRequest";
    const VERSIONS: RangeInclusive<i16> = 0..=10;
    const FIRST_FLEXIBLE: i16 = 6;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 10), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 10), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Request<'a> for OffsetFetchRequest<'a> {
    const KEY: ApiKey = ApiKey::OffsetFetch;
    type Response<'r> = crate::messages::OffsetFetchResponse<'r>;
}
