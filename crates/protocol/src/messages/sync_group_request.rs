// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::{Blob, Str};
use crate::writer::Writer;

/// `SyncGroupRequest`: request of API 14, versions 0 to 5.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct SyncGroupRequest<'a> {
    pub group_id: Str<'a>,
    pub generation_id: i32,
    pub member_id: Str<'a>,
    pub group_instance_id: Option<Str<'a>>,
    pub protocol_type: Option<Str<'a>>,
    pub protocol_name: Option<Str<'a>>,
    pub assignments: Vec<SyncGroupRequestAssignment<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct SyncGroupRequestAssignment<'a> {
    pub member_id: Str<'a>,
    pub assignment: Blob<'a>,
}

impl<'a> SyncGroupRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            group_id: r.string()?,
            generation_id: r.i32()?,
            member_id: r.string()?,
            group_instance_id: if version >= 3 { r.nullable_string()? } else { None },
            protocol_type: if version >= 5 { r.nullable_string()? } else { None },
            protocol_name: if version >= 5 { r.nullable_string()? } else { None },
            assignments: r.array(|r| SyncGroupRequestAssignment::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.group_id);
        w.i32(self.generation_id);
        w.string(&self.member_id);
        if version >= 3 {
            w.nullable_string(self.group_instance_id.as_deref());
        } else if self.group_instance_id.is_some() {
            w.unsupported("SyncGroupRequest.group_instance_id");
        }
        if version >= 5 {
            w.nullable_string(self.protocol_type.as_deref());
        }
        if version >= 5 {
            w.nullable_string(self.protocol_name.as_deref());
        }
        w.array_len(self.assignments.len());
        for item in &self.assignments {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> SyncGroupRequest<'static> {
        SyncGroupRequest {
            group_id: Cow::Owned(self.group_id.into_owned()),
            generation_id: self.generation_id,
            member_id: Cow::Owned(self.member_id.into_owned()),
            group_instance_id: self.group_instance_id.map(|x| Cow::Owned(x.into_owned())),
            protocol_type: self.protocol_type.map(|x| Cow::Owned(x.into_owned())),
            protocol_name: self.protocol_name.map(|x| Cow::Owned(x.into_owned())),
            assignments: self.assignments.into_iter().map(SyncGroupRequestAssignment::into_owned).collect(),
        }
    }
}

impl<'a> SyncGroupRequestAssignment<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { member_id: r.string()?, assignment: r.bytes()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.member_id);
        w.bytes(&self.assignment);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> SyncGroupRequestAssignment<'static> {
        SyncGroupRequestAssignment {
            member_id: Cow::Owned(self.member_id.into_owned()),
            assignment: Cow::Owned(self.assignment.into_owned()),
        }
    }
}

impl<'a> Message<'a> for SyncGroupRequest<'a> {
    const NAME: &'static str = "SyncGroupRequest";
    const VERSIONS: RangeInclusive<i16> = 0..=5;
    const FIRST_FLEXIBLE: i16 = 4;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 5), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 5), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Request<'a> for SyncGroupRequest<'a> {
    const KEY: ApiKey = ApiKey::SyncGroup;
    type Response<'r> = crate::messages::SyncGroupResponse<'r>;
}
