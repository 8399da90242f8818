// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Response};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `LeaveGroupResponse`: response of API 13, versions 0 to 5.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct LeaveGroupResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub members: Vec<MemberResponse<'a>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct MemberResponse<'a> {
    pub member_id: Str<'a>,
    pub group_instance_id: Option<Str<'a>>,
    pub error_code: i16,
}

impl Default for MemberResponse<'_> {
    fn default() -> Self {
        Self { member_id: Default::default(), group_instance_id: Some(Str::Borrowed("")), error_code: 0 }
    }
}

impl<'a> LeaveGroupResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            throttle_time_ms: if version >= 1 { r.i32()? } else { 0 },
            error_code: r.i16()?,
            members: if version >= 3 { r.array(|r| MemberResponse::read(r, version))? } else { Vec::new() },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version >= 1 {
            w.i32(self.throttle_time_ms);
        }
        w.i16(self.error_code);
        if version >= 3 {
            w.array_len(self.members.len());
            for item in &self.members {
                item.write(w, version);
            }
        } else if !self.members.is_empty() {
            w.unsupported("LeaveGroupResponse.members");
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> LeaveGroupResponse<'static> {
        LeaveGroupResponse {
            throttle_time_ms: self.throttle_time_ms,
            error_code: self.error_code,
            members: self.members.into_iter().map(MemberResponse::into_owned).collect(),
        }
    }
}

impl<'a> MemberResponse<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { member_id: r.string()?, group_instance_id: r.nullable_string()?, error_code: r.i16()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.member_id);
        w.nullable_string(self.group_instance_id.as_deref());
        w.i16(self.error_code);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> MemberResponse<'static> {
        MemberResponse {
            member_id: Cow::Owned(self.member_id.into_owned()),
            group_instance_id: self.group_instance_id.map(|x| Cow::Owned(x.into_owned())),
            error_code: self.error_code,
        }
    }
}

impl<'a> Message<'a> for LeaveGroupResponse<'a> {
    const NAME: &'static str = "LeaveGroupResponse";
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

impl<'a> Response<'a> for LeaveGroupResponse<'a> {
    const KEY: ApiKey = ApiKey::LeaveGroup;
}
