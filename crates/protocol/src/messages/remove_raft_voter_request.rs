// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use ottla_base::ids::Uuid;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `RemoveRaftVoterRequest`: request of API 81, versions 0 to 0.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoveRaftVoterRequest<'a> {
    pub cluster_id: Option<Str<'a>>,
    pub voter_id: i32,
    pub voter_directory_id: Uuid,
}

impl Default for RemoveRaftVoterRequest<'_> {
    fn default() -> Self {
        Self { cluster_id: Some(Str::Borrowed("")), voter_id: 0, voter_directory_id: Uuid::ZERO }
    }
}

impl<'a> RemoveRaftVoterRequest<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { cluster_id: r.nullable_string()?, voter_id: r.i32()?, voter_directory_id: r.uuid()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.nullable_string(self.cluster_id.as_deref());
        w.i32(self.voter_id);
        w.uuid(&self.voter_directory_id);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> RemoveRaftVoterRequest<'static> {
        RemoveRaftVoterRequest {
            cluster_id: self.cluster_id.map(|x| Cow::Owned(x.into_owned())),
            voter_id: self.voter_id,
            voter_directory_id: self.voter_directory_id,
        }
    }
}

impl<'a> Message<'a> for RemoveRaftVoterRequest<'a> {
    const NAME: &'static str = "RemoveRaftVoterRequest";
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

impl<'a> Request<'a> for RemoveRaftVoterRequest<'a> {
    const KEY: ApiKey = ApiKey::RemoveRaftVoter;
    type Response<'r> = crate::messages::RemoveRaftVoterResponse<'r>;
}
