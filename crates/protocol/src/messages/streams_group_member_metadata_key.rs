// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::error::{DecodeError, EncodeError};
use crate::message::Message;
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `StreamsGroupMemberMetadataKey`: coordinator-key of record type 19, versions 0 to 0.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct StreamsGroupMemberMetadataKey<'a> {
    pub group_id: Str<'a>,
    pub member_id: Str<'a>,
}

impl<'a> StreamsGroupMemberMetadataKey<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { group_id: r.string()?, member_id: r.string()? };
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.group_id);
        w.string(&self.member_id);
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> StreamsGroupMemberMetadataKey<'static> {
        StreamsGroupMemberMetadataKey {
            group_id: Cow::Owned(self.group_id.into_owned()),
            member_id: Cow::Owned(self.member_id.into_owned()),
        }
    }
}

impl<'a> Message<'a> for StreamsGroupMemberMetadataKey<'a> {
    const NAME: &'static str = "StreamsGroupMemberMetadataKey";
    const VERSIONS: RangeInclusive<i16> = 0..=0;
    const FIRST_FLEXIBLE: i16 = i16::MAX;

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

impl StreamsGroupMemberMetadataKey<'_> {
    /// The number by which a record says that it is of this type.
    pub const RECORD_TYPE: i16 = 19;
}
