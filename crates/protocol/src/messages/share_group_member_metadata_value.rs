// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::error::{DecodeError, EncodeError};
use crate::message::Message;
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `ShareGroupMemberMetadataValue`: coordinator-value of record type 10, versions 0 to 0.
#[derive(Clone, Debug, PartialEq)]
pub struct ShareGroupMemberMetadataValue<'a> {
    pub rack_id: Option<Str<'a>>,
    pub client_id: Str<'a>,
    pub client_host: Str<'a>,
    pub subscribed_topic_names: Vec<Str<'a>>,
}

impl Default for ShareGroupMemberMetadataValue<'_> {
    fn default() -> Self {
        Self {
            rack_id: Some(Str::Borrowed("")),
            client_id: Default::default(),
            client_host: Default::default(),
            subscribed_topic_names: Vec::new(),
        }
    }
}

impl<'a> ShareGroupMemberMetadataValue<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            rack_id: r.nullable_string()?,
            client_id: r.string()?,
            client_host: r.string()?,
            subscribed_topic_names: r.array(Reader::string)?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.nullable_string(self.rack_id.as_deref());
        w.string(&self.client_id);
        w.string(&self.client_host);
        w.array_len(self.subscribed_topic_names.len());
        for item in &self.subscribed_topic_names {
            w.string(item);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ShareGroupMemberMetadataValue<'static> {
        ShareGroupMemberMetadataValue {
            rack_id: self.rack_id.map(|x| Cow::Owned(x.into_owned())),
            client_id: Cow::Owned(self.client_id.into_owned()),
            client_host: Cow::Owned(self.client_host.into_owned()),
            subscribed_topic_names: self
                .subscribed_topic_names
                .into_iter()
                .map(|x| Cow::Owned(x.into_owned()))
                .collect(),
        }
    }
}

impl<'a> Message<'a> for ShareGroupMemberMetadataValue<'a> {
    const NAME: &'static str = "ShareGroupMemberMetadataValue";
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

impl ShareGroupMemberMetadataValue<'_> {
    /// The number by which a record says that it is of this type.
    pub const RECORD_TYPE: i16 = 10;
}
