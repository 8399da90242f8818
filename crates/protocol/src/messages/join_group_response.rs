// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Response};
use crate::reader::Reader;
use crate::types::{Blob, Str};
use crate::writer::Writer;

/// `JoinGroupResponse`: response of API 11, versions 0 to 9.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinGroupResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub generation_id: i32,
    pub protocol_type: Option<Str<'a>>,
    pub protocol_name: Option<Str<'a>>,
    pub leader: Str<'a>,
    pub skip_assignment: bool,
    pub member_id: Str<'a>,
    pub members: Vec<JoinGroupResponseMember<'a>>,
}

impl Default for JoinGroupResponse<'_> {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            generation_id: -1,
            protocol_type: Default::default(),
            protocol_name: Some(Str::Borrowed("")),
            leader: Default::default(),
            skip_assignment: false,
            member_id: Default::default(),
            members: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct JoinGroupResponseMember<'a> {
    pub member_id: Str<'a>,
    pub group_instance_id: Option<Str<'a>>,
    pub metadata: Blob<'a>,
}

impl<'a> JoinGroupResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            throttle_time_ms: if version >= 2 { r.i32()? } else { 0 },
            error_code: r.i16()?,
            generation_id: r.i32()?,
            protocol_type: if version >= 7 { r.nullable_string()? } else { None },
            protocol_name: if version >= 7 { r.nullable_string()? } else { Some(r.string()?) },
            leader: r.string()?,
            skip_assignment: if version >= 9 { r.bool()? } else { false },
            member_id: r.string()?,
            members: r.array(|r| JoinGroupResponseMember::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version >= 2 {
            w.i32(self.throttle_time_ms);
        }
        w.i16(self.error_code);
        w.i32(self.generation_id);
        if version >= 7 {
            w.nullable_string(self.protocol_type.as_deref());
        }
        if self.protocol_name.is_none() && version < 7 {
            w.null_field("JoinGroupResponse.protocol_name");
        }
        w.nullable_string(self.protocol_name.as_deref());
        w.string(&self.leader);
        if version >= 9 {
            w.bool(self.skip_assignment);
        } else if self.skip_assignment {
            w.unsupported("JoinGroupResponse.skip_assignment");
        }
        w.string(&self.member_id);
        w.array_len(self.members.len());
        for item in &self.members {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> JoinGroupResponse<'static> {
        JoinGroupResponse {
            throttle_time_ms: self.throttle_time_ms,
            error_code: self.error_code,
            generation_id: self.generation_id,
            protocol_type: self.protocol_type.map(|x| Cow::Owned(x.into_owned())),
            protocol_name: self.protocol_name.map(|x| Cow::Owned(x.into_owned())),
            leader: Cow::Owned(self.leader.into_owned()),
            skip_assignment: self.skip_assignment,
            member_id: Cow::Owned(self.member_id.into_owned()),
            members: self.members.into_iter().map(JoinGroupResponseMember::into_owned).collect(),
        }
    }
}

impl<'a> JoinGroupResponseMember<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            member_id: r.string()?,
            group_instance_id: if version >= 5 { r.nullable_string()? } else { None },
            metadata: r.bytes()?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.member_id);
        if version >= 5 {
            w.nullable_string(self.group_instance_id.as_deref());
        }
        w.bytes(&self.metadata);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> JoinGroupResponseMember<'static> {
        JoinGroupResponseMember {
            member_id: Cow::Owned(self.member_id.into_owned()),
            group_instance_id: self.group_instance_id.map(|x| Cow::Owned(x.into_owned())),
            metadata: Cow::Owned(self.metadata.into_owned()),
        }
    }
}

impl<'a> Message<'a> for JoinGroupResponse<'a> {
    const NAME: &'static str = "JoinGroupResponse";
    const VERSIONS: RangeInclusive<i16> = 0..=9;
    const FIRST_FLEXIBLE: i16 = 6;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 9), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 9), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Response<'a> for JoinGroupResponse<'a> {
    const KEY: ApiKey = ApiKey::JoinGroup;
}
