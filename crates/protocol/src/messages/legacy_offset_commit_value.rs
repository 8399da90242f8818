// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::error::{DecodeError, EncodeError};
use crate::message::Message;
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `LegacyOffsetCommitValue`: coordinator-value of record type 0, versions 0 to 0.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct LegacyOffsetCommitValue<'a> {
    pub offset: i64,
    pub metadata: Str<'a>,
    pub commit_timestamp: i64,
}

impl<'a> LegacyOffsetCommitValue<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { offset: r.i64()?, metadata: r.string()?, commit_timestamp: r.i64()? };
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i64(self.offset);
        w.string(&self.metadata);
        w.i64(self.commit_timestamp);
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> LegacyOffsetCommitValue<'static> {
        LegacyOffsetCommitValue {
            offset: self.offset,
            metadata: Cow::Owned(self.metadata.into_owned()),
            commit_timestamp: self.commit_timestamp,
        }
    }
}

impl<'a> Message<'a> for LegacyOffsetCommitValue<'a> {
    const NAME: &'static str = "LegacyOffsetCommitValue";
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

impl LegacyOffsetCommitValue<'_> {
    /// The number by which a record says that it is of this type.
    pub const RECORD_TYPE: i16 = 0;
}
