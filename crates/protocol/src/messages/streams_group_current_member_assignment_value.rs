// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::error::{DecodeError, EncodeError};
use crate::message::Message;
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `StreamsGroupCurrentMemberAssignmentValue`: coordinator-value of record type 22, versions 0 to 0.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct StreamsGroupCurrentMemberAssignmentValue<'a> {
    pub member_epoch: i32,
    pub previous_member_epoch: i32,
    pub state: i8,
    pub active_tasks: Vec<TaskIds<'a>>,
    pub standby_tasks: Vec<TaskIds<'a>>,
    pub warmup_tasks: Vec<TaskIds<'a>>,
    pub active_tasks_pending_revocation: Vec<TaskIds<'a>>,
    pub standby_tasks_pending_revocation: Vec<TaskIds<'a>>,
    pub warmup_tasks_pending_revocation: Vec<TaskIds<'a>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TaskIds<'a> {
    pub subtopology_id: Str<'a>,
    pub partitions: Vec<i32>,
    pub assignment_epochs: Option<Vec<i32>>,
}

impl Default for TaskIds<'_> {
    fn default() -> Self {
        Self { subtopology_id: Default::default(), partitions: Vec::new(), assignment_epochs: Some(Vec::new()) }
    }
}

impl<'a> StreamsGroupCurrentMemberAssignmentValue<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            member_epoch: r.i32()?,
            previous_member_epoch: r.i32()?,
            state: r.i8()?,
            active_tasks: r.array(|r| TaskIds::read(r, version))?,
            standby_tasks: r.array(|r| TaskIds::read(r, version))?,
            warmup_tasks: r.array(|r| TaskIds::read(r, version))?,
            active_tasks_pending_revocation: r.array(|r| TaskIds::read(r, version))?,
            standby_tasks_pending_revocation: r.array(|r| TaskIds::read(r, version))?,
            warmup_tasks_pending_revocation: r.array(|r| TaskIds::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.member_epoch);
        w.i32(self.previous_member_epoch);
        w.i8(self.state);
        w.array_len(self.active_tasks.len());
        for item in &self.active_tasks {
            item.write(w, version);
        }
        w.array_len(self.standby_tasks.len());
        for item in &self.standby_tasks {
            item.write(w, version);
        }
        w.array_len(self.warmup_tasks.len());
        for item in &self.warmup_tasks {
            item.write(w, version);
        }
        w.array_len(self.active_tasks_pending_revocation.len());
        for item in &self.active_tasks_pending_revocation {
            item.write(w, version);
        }
        w.array_len(self.standby_tasks_pending_revocation.len());
        for item in &self.standby_tasks_pending_revocation {
            item.write(w, version);
        }
        w.array_len(self.warmup_tasks_pending_revocation.len());
        for item in &self.warmup_tasks_pending_revocation {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> StreamsGroupCurrentMemberAssignmentValue<'static> {
        StreamsGroupCurrentMemberAssignmentValue {
            member_epoch: self.member_epoch,
            previous_member_epoch: self.previous_member_epoch,
            state: self.state,
            active_tasks: self.active_tasks.into_iter().map(TaskIds::into_owned).collect(),
            standby_tasks: self.standby_tasks.into_iter().map(TaskIds::into_owned).collect(),
            warmup_tasks: self.warmup_tasks.into_iter().map(TaskIds::into_owned).collect(),
            active_tasks_pending_revocation: self
                .active_tasks_pending_revocation
                .into_iter()
                .map(TaskIds::into_owned)
                .collect(),
            standby_tasks_pending_revocation: self
                .standby_tasks_pending_revocation
                .into_iter()
                .map(TaskIds::into_owned)
                .collect(),
            warmup_tasks_pending_revocation: self
                .warmup_tasks_pending_revocation
                .into_iter()
                .map(TaskIds::into_owned)
                .collect(),
        }
    }
}

impl<'a> TaskIds<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let mut this = Self {
            subtopology_id: r.string()?,
            partitions: r.array(Reader::i32)?,
            assignment_epochs: Some(Vec::new()),
        };
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
        w.string(&self.subtopology_id);
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

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> TaskIds<'static> {
        TaskIds {
            subtopology_id: Cow::Owned(self.subtopology_id.into_owned()),
            partitions: self.partitions,
            assignment_epochs: self.assignment_epochs,
        }
    }
}

impl<'a> Message<'a> for StreamsGroupCurrentMemberAssignmentValue<'a> {
    const NAME: &'static str = "StreamsGroupCurrentMemberAssignmentValue";
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

impl StreamsGroupCurrentMemberAssignmentValue<'_> {
    /// The number by which a record says that it is of this type.
    pub const RECORD_TYPE: i16 = 22;
}
