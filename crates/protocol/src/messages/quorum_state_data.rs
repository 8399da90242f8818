// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use ottla_base::ids::Uuid;

use crate::error::{DecodeError, EncodeError};
use crate::message::Message;
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `QuorumStateData`: data, versions 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct QuorumStateData<'a> {
    pub cluster_id: Str<'a>,
    pub leader_id: i32,
    pub leader_epoch: i32,
    pub voted_id: i32,
    pub voted_directory_id: Uuid,
    pub applied_offset: i64,
    pub current_voters: Option<Vec<Voter>>,
}

impl Default for QuorumStateData<'_> {
    fn default() -> Self {
        Self {
            cluster_id: Default::default(),
            leader_id: -1,
            leader_epoch: -1,
            voted_id: -1,
            voted_directory_id: Uuid::ZERO,
            applied_offset: 0,
            current_voters: Some(Vec::new()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Voter {
    pub voter_id: i32,
}

impl<'a> QuorumStateData<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            cluster_id: if version <= 0 { r.string()? } else { Str::Borrowed("") },
            leader_id: r.i32()?,
            leader_epoch: r.i32()?,
            voted_id: r.i32()?,
            voted_directory_id: if version >= 1 { r.uuid()? } else { Uuid::ZERO },
            applied_offset: if version <= 0 { r.i64()? } else { 0 },
            current_voters: if version <= 0 {
                r.nullable_array(|r| Voter::read(r, version))?
            } else {
                Some(Vec::new())
            },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version <= 0 {
            w.string(&self.cluster_id);
        } else if !self.cluster_id.is_empty() {
            w.unsupported("QuorumStateData.cluster_id");
        }
        w.i32(self.leader_id);
        w.i32(self.leader_epoch);
        w.i32(self.voted_id);
        if version >= 1 {
            w.uuid(&self.voted_directory_id);
        } else if self.voted_directory_id != Uuid::ZERO {
            w.unsupported("QuorumStateData.voted_directory_id");
        }
        if version <= 0 {
            w.i64(self.applied_offset);
        } else if self.applied_offset != 0 {
            w.unsupported("QuorumStateData.applied_offset");
        }
        if version <= 0 {
            w.nullable_array_len(self.current_voters.as_ref().map(Vec::len));
            for item in self.current_voters.iter().flatten() {
                item.write(w, version);
            }
        } else if self.current_voters.as_ref().is_none_or(|all| !all.is_empty()) {
            w.unsupported("QuorumStateData.current_voters");
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> QuorumStateData<'static> {
        QuorumStateData {
            cluster_id: Cow::Owned(self.cluster_id.into_owned()),
            leader_id: self.leader_id,
            leader_epoch: self.leader_epoch,
            voted_id: self.voted_id,
            voted_directory_id: self.voted_directory_id,
            applied_offset: self.applied_offset,
            current_voters: self.current_voters,
        }
    }
}

impl Voter {
    fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { voter_id: r.i32()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i32(self.voter_id);
        w.no_tags();
    }
}

impl<'a> Message<'a> for QuorumStateData<'a> {
    const NAME: &'static str = "QuorumStateData";
    const VERSIONS: RangeInclusive<i16> = 0..=1;
    const FIRST_FLEXIBLE: i16 = 0;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 1), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 1), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}
