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

/// `MetadataRequest`: request of API 3, versions 0 to 13.
#[derive(Clone, Debug, PartialEq)]
pub struct MetadataRequest<'a> {
    pub topics: Option<Vec<MetadataRequestTopic<'a>>>,
    pub allow_auto_topic_creation: bool,
    pub include_cluster_authorized_operations: bool,
    pub include_topic_authorized_operations: bool,
}

impl Default for MetadataRequest<'_> {
    fn default() -> Self {
        Self {
            topics: Some(Vec::new()),
            allow_auto_topic_creation: true,
            include_cluster_authorized_operations: false,
            include_topic_authorized_operations: false,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct MetadataRequestTopic<'a> {
    pub topic_id: Uuid,
    pub name: Option<Str<'a>>,
}

impl Default for MetadataRequestTopic<'_> {
    fn default() -> Self {
        Self { topic_id: Uuid::ZERO, name: Some(Str::Borrowed("")) }
    }
}

impl<'a> MetadataRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            topics: if version >= 1 {
                r.nullable_array(|r| MetadataRequestTopic::read(r, version))?
            } else {
                Some(r.array(|r| MetadataRequestTopic::read(r, version))?)
            },
            allow_auto_topic_creation: if version >= 4 { r.bool()? } else { true },
            include_cluster_authorized_operations: if (8..=10).contains(&version) { r.bool()? } else { false },
            include_topic_authorized_operations: if version >= 8 { r.bool()? } else { false },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if self.topics.is_none() && version < 1 {
            w.null_field("MetadataRequest.topics");
        }
        w.nullable_array_len(self.topics.as_ref().map(Vec::len));
        for item in self.topics.iter().flatten() {
            item.write(w, version);
        }
        if version >= 4 {
            w.bool(self.allow_auto_topic_creation);
        } else if !self.allow_auto_topic_creation {
            w.unsupported("MetadataRequest.allow_auto_topic_creation");
        }
        if (8..=10).contains(&version) {
            w.bool(self.include_cluster_authorized_operations);
        } else if self.include_cluster_authorized_operations {
            w.unsupported("MetadataRequest.include_cluster_authorized_operations");
        }
        if version >= 8 {
            w.bool(self.include_topic_authorized_operations);
        } else if self.include_topic_authorized_operations {
            w.unsupported("MetadataRequest.include_topic_authorized_operations");
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> MetadataRequest<'static> {
        MetadataRequest {
            topics: self.topics.map(|x| x.into_iter().map(MetadataRequestTopic::into_owned).collect()),
            allow_auto_topic_creation: self.allow_auto_topic_creation,
            include_cluster_authorized_operations: self.include_cluster_authorized_operations,
            include_topic_authorized_operations: self.include_topic_authorized_operations,
        }
    }
}

impl<'a> MetadataRequestTopic<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            topic_id: if version >= 10 { r.uuid()? } else { Uuid::ZERO },
            name: if version >= 10 { r.nullable_string()? } else { Some(r.string()?) },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version >= 10 {
            w.uuid(&self.topic_id);
        }
        if self.name.is_none() && version < 10 {
            w.null_field("MetadataRequestTopic.name");
        }
        w.nullable_string(self.name.as_deref());
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> MetadataRequestTopic<'static> {
        MetadataRequestTopic { topic_id: self.topic_id, name: self.name.map(|x| Cow::Owned(x.into_owned())) }
    }
}

impl<'a> Message<'a> for MetadataRequest<'a> {
    const NAME: &'static str = "MetadataRequest";
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

impl<'a> Request<'a> for MetadataRequest<'a> {
    const KEY: ApiKey = ApiKey::Metadata;
    type Response<'r> = crate::messages::MetadataResponse<'r>;
}
