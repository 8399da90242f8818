// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::error::{DecodeError, EncodeError};
use crate::message::Message;
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `ShareGroupPartitionMetadataKey`: data, versions 9 to 9.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct ShareGroupPartitionMetadataKey<'a> {
    pub group_id: Str<'a>,
}

impl<'a> ShareGroupPartitionMetadataKey<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { group_id: r.string()? };
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.group_id);
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ShareGroupPartitionMetadataKey<'static> {
        ShareGroupPartitionMetadataKey { group_id: Cow::Owned(self.group_id.into_owned()) }
    }
}

impl<'a> Message<'a> for ShareGroupPartitionMetadataKey<'a> {
    const NAME: &'static str = "ShareGroupPartitionMetadataKey";
    const VERSIONS: RangeInclusive<i16> = 9..=9;
    const FIRST_FLEXIBLE: i16 = i16::MAX;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (9, 9), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (9, 9), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}
