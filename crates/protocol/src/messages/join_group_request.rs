// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::{Blob, Str};
use crate::writer::Writer;

/// `JoinGroupRequest`: request of API 11, versions 0 to 9.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinGroupRequest<'a> {
    pub group_id: Str<'a>,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
    pub member_id: Str<'a>,
    pub group_instance_id: Option<Str<'a>>,
    pub protocol_type: Str<'a>,
    pub protocols: Vec<JoinGroupRequestProtocol<'a>>,
    pub reason: Option<Str<'a>>,
}

impl Default for JoinGroupRequest<'_> {
    fn default() -> Self {
        Self {
            group_id: Default::default(),
            session_timeout_ms: 0,
            rebalance_timeout_ms: -1,
            member_id: Default::default(),
            group_instance_id: Default::default(),
            protocol_type: Default::default(),
            protocols: Vec::new(),
            reason: Default::default(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct JoinGroupRequestProtocol<'a> {
    pub name: Str<'a>,
    pub metadata: Blob<'a>,
}

impl<'a> JoinGroupRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            group_id: r.string()?,
            session_timeout_ms: r.i32()?,
            rebalance_timeout_ms: if version >= 1 { r.i32()? } else { -1 },
            member_id: r.string()?,
            group_instance_id: if version >= 5 { r.nullable_string()? } else { None },
            protocol_type: r.string()?,
            protocols: r.array(|r| JoinGroupRequestProtocol::read(r, version))?,
            reason: if version >= 8 { r.nullable_string()? } else { None },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.group_id);
        w.i32(self.session_timeout_ms);
        if version >= 1 {
            w.i32(self.rebalance_timeout_ms);
        }
        w.string(&self.member_id);
        if version >= 5 {
            w.nullable_string(self.group_instance_id.as_deref());
        } else if self.group_instance_id.is_some() {
            w.unsupported("JoinGroupRequest.group_instance_id");
        }
        w.string(&self.protocol_type);
        w.array_len(self.protocols.len());
        for item in &self.protocols {
            item.write(w, version);
        }
        if version >= 8 {
            w.nullable_string(self.reason.as_deref());
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> JoinGroupRequest<'static> {
        JoinGroupRequest {
            group_id: Cow::Owned(self.group_id.into_owned()),
            session_timeout_ms: self.session_timeout_ms,
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            member_id: Cow::Owned(self.member_id.into_owned()),
            group_instance_id: self.group_instance_id.map(|x| Cow::Owned(x.into_owned())),
            protocol_type: Cow::Owned(self.protocol_type.into_owned()),
            protocols: self.protocols.into_iter().map(JoinGroupRequestProtocol::into_owned).collect(),
            reason: self.reason.map(|x| Cow::Owned(x.into_owned())),
        }
    }
}

impl<'a> JoinGroupRequestProtocol<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { name: r.string()?, metadata: r.bytes()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.name);
        w.bytes(&self.metadata);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> JoinGroupRequestProtocol<'static> {
        JoinGroupRequestProtocol {
            name: Cow::Owned(self.name.into_owned()),
            metadata: Cow::Owned(self.metadata.into_owned()),
        }
    }
}

impl<'a> Message<'a> for JoinGroupRequest<'a> {
    const NAME: &'static str = "JoinGroupRequest";
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

impl<'a> Request<'a> for JoinGroupRequest<'a> {
    const KEY: ApiKey = ApiKey::JoinGroup;
    type Response<'r> = crate::messages::JoinGroupResponse<'r>;
}
