// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::ops::RangeInclusive;

use crate::error::{DecodeError, EncodeError};
use crate::message::Message;
use crate::reader::Reader;
use crate::writer::Writer;

/// `ShareGroupTargetAssignmentMetadataValue`: coordinator-value of record type 12, versions 0 to 0.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct ShareGroupTargetAssignmentMetadataValue {
    pub assignment_epoch: i32,
    pub assignment_timestamp: i64,
}

impl ShareGroupTargetAssignmentMetadataValue {
    fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, DecodeError> {
        let mut this = Self { assignment_epoch: r.i32()?, assignment_timestamp: 0 };
        let mut tags = r.tags()?;
        while let Some(tag) = r.next_tag(&mut tags)? {
            match tag {
                0 => this.assignment_timestamp = r.i64()?,
                _ => r.skip_tag(&tags),
            }
        }
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i32(self.assignment_epoch);
        if w.flexible {
            let mut tags = w.tags();
            if self.assignment_timestamp != 0 {
                w.tag(&mut tags, 0);
                w.i64(self.assignment_timestamp);
                w.end_tag(&tags);
            }
        }
    }
}

impl<'a> Message<'a> for ShareGroupTargetAssignmentMetadataValue {
    const NAME: &'static str = "ShareGroupTargetAssignmentMetadataValue";
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

impl ShareGroupTargetAssignmentMetadataValue {
    /// The number by which a record says that it is of this type.
    pub const RECORD_TYPE: i16 = 12;
}
