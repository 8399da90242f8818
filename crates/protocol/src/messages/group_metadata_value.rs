// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::error::{DecodeError, EncodeError};
use crate::message::Message;
use crate::reader::Reader;
use crate::types::{Blob, Str};
use crate::writer::Writer;

/// `GroupMetadataValue`: coordinator-value of record type 2, versions 0 to 4.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupMetadataValue<'a> {
    pub protocol_type: Str<'a>,
    pub generation: i32,
    pub protocol: Option<Str<'a>>,
    pub leader: Option<Str<'a>>,
    pub current_state_timestamp: i64,
    pub members: Vec<MemberMetadata<'a>>,
}

impl Default for GroupMetadataValue<'_> {
    fn default() -> Self {
        Self {
            protocol_type: Default::default(),
            generation: 0,
            protocol: Some(Str::Borrowed("")),
            leader: Some(Str::Borrowed("")),
            current_state_timestamp: -1,
            members: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct MemberMetadata<'a> {
    pub member_id: Str<'a>,
    pub group_instance_id: Option<Str<'a>>,
    pub client_id: Str<'a>,
    pub client_host: Str<'a>,
    pub rebalance_timeout: i32,
    pub session_timeout: i32,
    pub subscription: Blob<'a>,
    pub assignment: Blob<'a>,
}

impl Default for MemberMetadata<'_> {
    fn default() -> Self {
        Self {
            member_id: Default::default(),
            group_instance_id: Default::default(),
            client_id: Default::default(),
            client_host: Default::default(),
            rebalance_timeout: -1,
            session_timeout: 0,
            subscription: Default::default(),
            assignment: Default::default(),
        }
    }
}

impl<'a> GroupMetadataValue<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            protocol_type: r.string()?,
            generation: r.i32()?,
            protocol: r.nullable_string()?,
            leader: r.nullable_string()?,
            current_state_timestamp: if version >= 2 { r.i64()? } else { -1 },
            members: r.array(|r| MemberMetadata::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.protocol_type);
        w.i32(self.generation);
        w.nullable_string(self.protocol.as_deref());
        w.nullable_string(self.leader.as_deref());
        if version >= 2 {
            w.i64(self.current_state_timestamp);
        }
        w.array_len(self.members.len());
        for item in &self.members {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> GroupMetadataValue<'static> {
        GroupMetadataValue {
            protocol_type: Cow::Owned(self.protocol_type.into_owned()),
            generation: self.generation,
            protocol: self.protocol.map(|x| Cow::Owned(x.into_owned())),
            leader: self.leader.map(|x| Cow::Owned(x.into_owned())),
            current_state_timestamp: self.current_state_timestamp,
            members: self.members.into_iter().map(MemberMetadata::into_owned).collect(),
        }
    }
}

impl<'a> MemberMetadata<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            member_id: r.string()?,
            group_instance_id: if version >= 3 { r.nullable_string()? } else { None },
            client_id: r.string()?,
            client_host: r.string()?,
            rebalance_timeout: if version >= 1 { r.i32()? } else { -1 },
            session_timeout: r.i32()?,
            subscription: r.bytes()?,
            assignment: r.bytes()?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.member_id);
        if version >= 3 {
            w.nullable_string(self.group_instance_id.as_deref());
        }
        w.string(&self.client_id);
        w.string(&self.client_host);
        if version >= 1 {
            w.i32(self.rebalance_timeout);
        }
        w.i32(self.session_timeout);
        w.bytes(&self.subscription);
        w.bytes(&self.assignment);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> MemberMetadata<'static> {
        MemberMetadata {
            member_id: Cow::Owned(self.member_id.into_owned()),
            group_instance_id: self.group_instance_id.map(|x| Cow::Owned(x.into_owned())),
            client_id: Cow::Owned(self.client_id.into_owned()),
            client_host: Cow::Owned(self.client_host.into_owned()),
            rebalance_timeout: self.rebalance_timeout,
            session_timeout: self.session_timeout,
            subscription: Cow::Owned(self.subscription.into_owned()),
            assignment: Cow::Owned(self.assignment.into_owned()),
        }
    }
}

impl<'a> Message<'a> for GroupMetadataValue<'a> {
    const NAME: &'static str = "GroupMetadataValue";
    const VERSIONS: RangeInclusive<i16> = 0..=4;
    const FIRST_FLEXIBLE: i16 = 4;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 4), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 4), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl GroupMetadataValue<'_> {
    /// The number by which a record says that it is of this type.
    pub const RECORD_TYPE: i16 = 2;
}
