// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use ottla_base::ids::Uuid;

use crate::error::{DecodeError, EncodeError};
use crate::message::Message;
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `ShareUpdateKey`: coordinator-key of record type 1, versions 0 to 0.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct ShareUpdateKey<'a> {
    pub group_id: Str<'a>,
    pub topic_id: Uuid,
    pub partition: i32,
}

impl<'a> ShareUpdateKey<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { group_id: r.string()?, topic_id: r.uuid()?, partition: r.i32()? };
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.group_id);
        w.uuid(&self.topic_id);
        w.i32(self.partition);
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ShareUpdateKey<'static> {
        ShareUpdateKey {
            group_id: Cow::Owned(self.group_id.into_owned()),
            topic_id: self.topic_id,
            partition: self.partition,
        }
    }
}

impl<'a> Message<'a> for ShareUpdateKey<'a> {
    const NAME: &'static str = "ShareUpdateKey";
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

impl ShareUpdateKey<'_> {
    /// The number by which a record says that it is of this type.
    pub const RECORD_TYPE: i16 = 1;
}
