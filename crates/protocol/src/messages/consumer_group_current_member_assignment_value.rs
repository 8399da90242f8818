// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::ops::RangeInclusive;

use ottla_base::ids::Uuid;

use crate::error::{DecodeError, EncodeError};
use crate::message::Message;
use crate::reader::Reader;
use crate::writer::Writer;

/// `ConsumerGroupCurrentMemberAssignmentValue`: coordinator-value of record type 8, versions 0 to 0.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct ConsumerGroupCurrentMemberAssignmentValue {
    pub member_epoch: i32,
    pub previous_member_epoch: i32,
    pub state: i8,
    pub assigned_partitions: Vec<TopicPartitions>,
    pub partitions_pending_revocation: Vec<TopicPartitions>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TopicPartitions {
    pub topic_id: Uuid,
    pub partitions: Vec<i32>,
    pub assignment_epochs: Option<Vec<i32>>,
}

impl Default for TopicPartitions {
    fn default() -> Self {
        Self { topic_id: Uuid::ZERO, partitions: Vec::new(), assignment_epochs: Some(Vec::new()) }
    }
}

impl ConsumerGroupCurrentMemberAssignmentValue {
    fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            member_epoch: r.i32()?,
            previous_member_epoch: r.i32()?,
            state: r.i8()?,
            assigned_partitions: r.array(|r| TopicPartitions::read(r, version))?,
            partitions_pending_revocation: r.array(|r| TopicPartitions::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.member_epoch);
        w.i32(self.previous_member_epoch);
        w.i8(self.state);
        w.array_len(self.assigned_partitions.len());
        for item in &self.assigned_partitions {
            item.write(w, version);
        }
        w.array_len(self.partitions_pending_revocation.len());
        for item in &self.partitions_pending_revocation {
            item.write(w, version);
        }
        w.no_tags();
    }
}

impl TopicPartitions {
    fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, DecodeError> {
        let mut this =
            Self { topic_id: r.uuid()?, partitions: r.array(Reader::i32)?, assignment_epochs: Some(Vec::new()) };
        let mut tags = r.tags()?;
        while let Some(tag) = r.next_tag(&mut tags)? {
            match tag {
                0 => this.assignment_epochs = r.nullable_array(Reader::i32)?,
                _ => r.skip_tag(&tags),
            }
        }
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.uuid(&self.topic_id);
        w.array_len(self.partitions.len());
        for item in &self.partitions {
            w.i32(*item);
        }
        if w.flexible {
            let mut tags = w.tags();
            if self.assignment_epochs.as_ref().is_none_or(|all| !all.is_empty()) {
                w.tag(&mut tags, 0);
                w.nullable_array_len(self.assignment_epochs.as_ref().map(Vec::len));
                for item in self.assignment_epochs.iter().flatten() {
                    w.i32(*item);
                }
                w.end_tag(&tags);
            }
        }
    }
}

impl<'a> Message<'a> for ConsumerGroupCurrentMemberAssignmentValue {
    const NAME: &'static str = "ConsumerGroupCurrentMemberAssignmentValue";
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

impl ConsumerGroupCurrentMemberAssignmentValue {
    /// The number by which a record says that it is of this type.
    pub const RECORD_TYPE: i16 = 8;
}
