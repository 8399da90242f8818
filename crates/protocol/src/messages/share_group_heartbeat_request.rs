// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `ShareGroupHeartbeatRequest`: request of API 76, versions 0 to 1.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct ShareGroupHeartbeatRequest<'a> {
    pub group_id: Str<'a>,
    pub member_id: Str<'a>,
    pub member_epoch: i32,
    pub rack_id: Option<Str<'a>>,
    pub subscribed_topic_names: Option<Vec<Str<'a>>>,
}

impl<'a> ShareGroupHeartbeatRequest<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            group_id: r.string()?,
            member_id: r.string()?,
            member_epoch: r.i32()?,
            rack_id: r.nullable_string()?,
            subscribed_topic_names: r.nullable_array(Reader::string)?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.group_id);
        w.string(&self.member_id);
        w.i32(self.member_epoch);
        w.nullable_string(self.rack_id.as_deref());
        w.nullable_array_len(self.subscribed_topic_names.as_ref().map(Vec::len));
        for item in self.subscribed_topic_names.iter().flatten() {
            w.string(item);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ShareGroupHeartbeatRequest<'static> {
        ShareGroupHeartbeatRequest {
            group_id: Cow::Owned(self.group_id.into_owned()),
            member_id: Cow::Owned(self.member_id.into_owned()),
            member_epoch: self.member_epoch,
            rack_id: self.rack_id.map(|x| Cow::Owned(x.into_owned())),
            subscribed_topic_names: self
                .subscribed_topic_names
                .map(|x| x.into_iter().map(|x| Cow::Owned(x.into_owned())).collect()),
        }
    }
}

impl<'a> Message<'a> for ShareGroupHeartbeatRequest<'a> {
    const NAME: &'static str = "ShareGroupHeartbeatRequest";
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

impl<'a> Request<'a> for ShareGroupHeartbeatRequest<'a> {
    const KEY: ApiKey = ApiKey::ShareGroupHeartbeat;
    type Response<'r> = crate::messages::ShareGroupHeartbeatResponse<'r>;
}
