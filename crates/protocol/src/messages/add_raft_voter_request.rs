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

/// `AddRaftVoterRequest`: request of API 80, versions 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct AddRaftVoterRequest<'a> {
    pub cluster_id: Option<Str<'a>>,
    pub timeout_ms: i32,
    pub voter_id: i32,
    pub voter_directory_id: Uuid,
    pub listeners: Vec<Listener<'a>>,
    pub ack_when_committed: bool,
}

impl Default for AddRaftVoterRequest<'_> {
    fn default() -> Self {
        Self {
            cluster_id: Some(Str::Borrowed("")),
            timeout_ms: 0,
            voter_id: 0,
            voter_directory_id: Uuid::ZERO,
            listeners: Vec::new(),
            ack_when_committed: true,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Listener<'a> {
    pub name: Str<'a>,
    pub host: Str<'a>,
    pub port: u16,
}

impl<'a> AddRaftVoterRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            cluster_id: r.nullable_string()?,
            timeout_ms: r.i32()?,
            voter_id: r.i32()?,
            voter_directory_id: r.uuid()?,
            listeners: r.array(|r| Listener::read(r, version))?,
            ack_when_committed: if version >= 1 { r.bool()? } else { true },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.nullable_string(self.cluster_id.as_deref());
        w.i32(self.timeout_ms);
        w.i32(self.voter_id);
        w.uuid(&self.voter_directory_id);
        w.array_len(self.listeners.len());
        for item in &self.listeners {
            item.write(w, version);
        }
        if version >= 1 {
            w.bool(self.ack_when_committed);
        } else if !self.ack_when_committed {
            w.unsupported("AddRaftVoterRequest.ack_when_committed");
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> AddRaftVoterRequest<'static> {
        AddRaftVoterRequest {
            cluster_id: self.cluster_id.map(|x| Cow::Owned(x.into_owned())),
            timeout_ms: self.timeout_ms,
            voter_id: self.voter_id,
            voter_directory_id: self.voter_directory_id,
            listeners: self.listeners.into_iter().map(Listener::into_owned).collect(),
            ack_when_committed: self.ack_when_committed,
        }
    }
}

impl<'a> Listener<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { name: r.string()?, host: r.string()?, port: r.u16()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.name);
        w.string(&self.host);
        w.u16(self.port);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> Listener<'static> {
        Listener { name: Cow::Owned(self.name.into_owned()), host: Cow::Owned(self.host.into_owned()), port: self.port }
    }
}

impl<'a> Message<'a> for AddRaftVoterRequest<'a> {
    const NAME: &'static str = "AddRaftVoterRequest";
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

impl<'a> Request<'a> for AddRaftVoterRequest<'a> {
    const KEY: ApiKey = ApiKey::AddRaftVoter;
    type Response<'r> = crate::messages::AddRaftVoterResponse<'r>;
}
