// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `LeaveGroupRequest`: request of API 13, versions 0 to 5.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct LeaveGroupRequest<'a> {
    pub group_id: Str<'a>,
    pub member_id: Str<'a>,
    pub members: Vec<MemberIdentity<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct MemberIdentity<'a> {
    pub member_id: Str<'a>,
    pub group_instance_id: Option<Str<'a>>,
    pub reason: Option<Str<'a>>,
}

impl<'a> LeaveGroupRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            group_id: r.string()?,
            member_id: if version <= 2 { r.string()? } else { Str::Borrowed("") },
            members: if version >= 3 { r.array(|r| MemberIdentity::read(r, version))? } else { Vec::new() },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.group_id);
        if version <= 2 {
            w.string(&self.member_id);
        } else if !self.member_id.is_empty() {
            w.unsupported("LeaveGroupRequest.member_id");
        }
        if version >= 3 {
            w.array_len(self.members.len());
            for item in &self.members {
                item.write(w, version);
            }
        } else if !self.members.is_empty() {
            w.unsupported("LeaveGroupRequest.members");
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> LeaveGroupRequest<'static> {
        LeaveGroupRequest {
            group_id: Cow::Owned(self.group_id.into_owned()),
            member_id: Cow::Owned(self.member_id.into_owned()),
            members: self.members.into_iter().map(MemberIdentity::into_owned).collect(),
        }
    }
}

impl<'a> MemberIdentity<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            member_id: r.string()?,
            group_instance_id: r.nullable_string()?,
            reason: if version >= 5 { r.nullable_string()? } else { None },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.member_id);
        w.nullable_string(self.group_instance_id.as_deref());
        if version >= 5 {
            w.nullable_string(self.reason.as_deref());
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> MemberIdentity<'static> {
        MemberIdentity {
            member_id: Cow::Owned(self.member_id.into_owned()),
            group_instance_id: self.group_instance_id.map(|x| Cow::Owned(x.into_owned())),
            reason: self.reason.map(|x| Cow::Owned(x.into_owned())),
        }
    }
}

impl<'a> Message<'a> for LeaveGroupRequest<'a> {
    const NAME: &'static str = "LeaveGroupRequest";
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

impl<'a> Request<'a> for LeaveGroupRequest<'a> {
    const KEY: ApiKey = ApiKey::LeaveGroup;
    type Response<'r> = crate::messages::LeaveGroupResponse<'r>;
}
