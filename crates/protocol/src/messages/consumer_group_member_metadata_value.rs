// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::error::{DecodeError, EncodeError};
use crate::message::Message;
use crate::reader::Reader;
use crate::types::{Blob, Str};
use crate::writer::Writer;

/// `ConsumerGroupMemberMetadataValue`: coordinator-value of record type 5, versions 0 to 0.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerGroupMemberMetadataValue<'a> {
    pub instance_id: Option<Str<'a>>,
    pub rack_id: Option<Str<'a>>,
    pub client_id: Str<'a>,
    pub client_host: Str<'a>,
    pub subscribed_topic_names: Vec<Str<'a>>,
    pub subscribed_topic_regex: Option<Str<'a>>,
    pub rebalance_timeout_ms: i32,
    pub server_assignor: Option<Str<'a>>,
    pub classic_member_metadata: Option<ClassicMemberMetadata<'a>>,
}

impl Default for ConsumerGroupMemberMetadataValue<'_> {
    fn default() -> Self {
        Self {
            instance_id: Some(Str::Borrowed("")),
            rack_id: Some(Str::Borrowed("")),
            client_id: Default::default(),
            client_host: Default::default(),
            subscribed_topic_names: Vec::new(),
            subscribed_topic_regex: Some(Str::Borrowed("")),
            rebalance_timeout_ms: -1,
            server_assignor: Some(Str::Borrowed("")),
            classic_member_metadata: Some(ClassicMemberMetadata::default()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct ClassicMemberMetadata<'a> {
    pub session_timeout_ms: i32,
    pub supported_protocols: Vec<ClassicProtocol<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct ClassicProtocol<'a> {
    pub name: Str<'a>,
    pub metadata: Blob<'a>,
}

impl<'a> ConsumerGroupMemberMetadataValue<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let mut this = Self {
            instance_id: r.nullable_string()?,
            rack_id: r.nullable_string()?,
            client_id: r.string()?,
            client_host: r.string()?,
            subscribed_topic_names: r.array(Reader::string)?,
            subscribed_topic_regex: r.nullable_string()?,
            rebalance_timeout_ms: r.i32()?,
            server_assignor: r.nullable_string()?,
            classic_member_metadata: Some(ClassicMemberMetadata::default()),
        };
        let mut tags = r.tags()?;
        while let Some(tag) = r.next_tag(&mut tags)? {
            match tag {
                0 => {
                    this.classic_member_metadata =
                        if r.is_present()? { Some(ClassicMemberMetadata::read(r, version)?) } else { None }
                }
                _ => r.skip_tag(&tags),
            }
        }
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.nullable_string(self.instance_id.as_deref());
        w.nullable_string(self.rack_id.as_deref());
        w.string(&self.client_id);
        w.string(&self.client_host);
        w.array_len(self.subscribed_topic_names.len());
        for item in &self.subscribed_topic_names {
            w.string(item);
        }
        w.nullable_string(self.subscribed_topic_regex.as_deref());
        w.i32(self.rebalance_timeout_ms);
        w.nullable_string(self.server_assignor.as_deref());
        if w.flexible {
            let mut tags = w.tags();
            if self.classic_member_metadata != Some(ClassicMemberMetadata::default()) {
                w.tag(&mut tags, 0);
                match &self.classic_member_metadata {
                    Some(item) => {
                        w.i8(1);
                        item.write(w, version);
                    }
                    None => w.i8(-1),
                }
                w.end_tag(&tags);
            }
        }
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ConsumerGroupMemberMetadataValue<'static> {
        ConsumerGroupMemberMetadataValue {
            instance_id: self.instance_id.map(|x| Cow::Owned(x.into_owned())),
            rack_id: self.rack_id.map(|x| Cow::Owned(x.into_owned())),
            client_id: Cow::Owned(self.client_id.into_owned()),
            client_host: Cow::Owned(self.client_host.into_owned()),
            subscribed_topic_names: self
                .subscribed_topic_names
                .into_iter()
                .map(|x| Cow::Owned(x.into_owned()))
                .collect(),
            subscribed_topic_regex: self.subscribed_topic_regex.map(|x| Cow::Owned(x.into_owned())),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            server_assignor: self.server_assignor.map(|x| Cow::Owned(x.into_owned())),
            classic_member_metadata: self.classic_member_metadata.map(ClassicMemberMetadata::into_owned),
        }
    }
}

impl<'a> ClassicMemberMetadata<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this =
            Self { session_timeout_ms: r.i32()?, supported_protocols: r.array(|r| ClassicProtocol::read(r, version))? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.session_timeout_ms);
        w.array_len(self.supported_protocols.len());
        for item in &self.supported_protocols {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ClassicMemberMetadata<'static> {
        ClassicMemberMetadata {
            session_timeout_ms: self.session_timeout_ms,
            supported_protocols: self.supported_protocols.into_iter().map(ClassicProtocol::into_owned).collect(),
        }
    }
}

impl<'a> ClassicProtocol<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { name: r.string()?, metadata: r.bytes()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.name);
        w.bytes(&self.metadata);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ClassicProtocol<'static> {
        ClassicProtocol { name: Cow::Owned(self.name.into_owned()), metadata: Cow::Owned(self.metadata.into_owned()) }
    }
}

impl<'a> Message<'a> for ConsumerGroupMemberMetadataValue<'a> {
    const NAME: &'static str = "ConsumerGroupMemberMetadataValue";
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

impl ConsumerGroupMemberMetadataValue<'_> {
    /// The number by which a record says that it is of this type.
    pub const RECORD_TYPE: i16 = 5;
}
