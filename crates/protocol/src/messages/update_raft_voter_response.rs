// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Response};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `UpdateRaftVoterResponse`: response of API 82, versions 0 to 0.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct UpdateRaftVoterResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub current_leader: CurrentLeader<'a>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct CurrentLeader<'a> {
    pub leader_id: i32,
    pub leader_epoch: i32,
    pub host: Str<'a>,
    pub port: i32,
}

impl Default for CurrentLeader<'_> {
    fn default() -> Self {
        Self { leader_id: -1, leader_epoch: -1, host: Default::default(), port: 0 }
    }
}

impl<'a> UpdateRaftVoterResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let mut this =
            Self { throttle_time_ms: r.i32()?, error_code: r.i16()?, current_leader: CurrentLeader::default() };
        let mut tags = r.tags()?;
        while let Some(tag) = r.next_tag(&mut tags)? {
            match tag {
                0 => this.current_leader = CurrentLeader::read(r, version)?,
                _ => r.skip_tag(&tags),
            }
        }
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.throttle_time_ms);
        w.i16(self.error_code);
        if w.flexible {
            let mut tags = w.tags();
            if self.current_leader != CurrentLeader::default() {
                w.tag(&mut tags, 0);
                self.current_leader.write(w, version);
                w.end_tag(&tags);
            }
        }
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> UpdateRaftVoterResponse<'static> {
        UpdateRaftVoterResponse {
            throttle_time_ms: self.throttle_time_ms,
            error_code: self.error_code,
            current_leader: self.current_leader.into_owned(),
        }
    }
}

impl<'a> CurrentLeader<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { leader_id: r.i32()?, leader_epoch: r.i32()?, host: r.string()?, port: r.i32()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.i32(self.leader_id);
        w.i32(self.leader_epoch);
        w.string(&self.host);
        w.i32(self.port);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> CurrentLeader<'static> {
        CurrentLeader {
            leader_id: self.leader_id,
            leader_epoch: self.leader_epoch,
            host: Cow::Owned(self.host.into_owned()),
            port: self.port,
        }
    }
}

impl<'a> Message<'a> for UpdateRaftVoterResponse<'a> {
    const NAME: &'static str = "UpdateRaftVoterResponse";
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

impl<'a> Response<'a> for UpdateRaftVoterResponse<'a> {
    const KEY: ApiKey = ApiKey::UpdateRaftVoter;
}
