// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::ops::RangeInclusive;

use ottla_base::ids::Uuid;

use crate::error::{DecodeError, EncodeError};
use crate::message::Message;
use crate::reader::Reader;
use crate::writer::Writer;

/// `LeaderChangeMessage`: data, versions 0 to 1.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct LeaderChangeMessage {
    pub version: i16,
    pub leader_id: i32,
    pub voters: Vec<Voter>,
    pub granting_voters: Vec<Voter>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Voter {
    pub voter_id: i32,
    pub voter_directory_id: Uuid,
}

impl LeaderChangeMessage {
    fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            version: r.i16()?,
            leader_id: r.i32()?,
            voters: r.array(|r| Voter::read(r, version))?,
            granting_voters: r.array(|r| Voter::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i16(self.version);
        w.i32(self.leader_id);
        w.array_len(self.voters.len());
        for item in &self.voters {
            item.write(w, version);
        }
        w.array_len(self.granting_voters.len());
        for item in &self.granting_voters {
            item.write(w, version);
        }
        w.no_tags();
    }
}

impl Voter {
    fn read(r: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError> {
        let this = Self { voter_id: r.i32()?, voter_directory_id: if version >= 1 { r.uuid()? } else { Uuid::ZERO } };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.voter_id);
        if version >= 1 {
            w.uuid(&self.voter_directory_id);
        } else if self.voter_directory_id != Uuid::ZERO {
            w.unsupported("Voter.voter_directory_id");
        }
        w.no_tags();
    }
}

impl<'a> Message<'a> for LeaderChangeMessage {
    const NAME: &'static str = "LeaderChangeMessage";
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
