// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `StreamsGroupDescribeRequest`: request of API 89, versions 0 to 0.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct StreamsGroupDescribeRequest<'a> {
    pub group_ids: Vec<Str<'a>>,
    pub include_authorized_operations: bool,
}

impl<'a> StreamsGroupDescribeRequest<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { group_ids: r.array(Reader::string)?, include_authorized_operations: r.bool()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.array_len(self.group_ids.len());
        for item in &self.group_ids {
            w.string(item);
        }
        w.bool(self.include_authorized_operations);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> StreamsGroupDescribeRequest<'static> {
        StreamsGroupDescribeRequest {
            group_ids: self.group_ids.into_iter().map(|x| Cow::Owned(x.into_owned())).collect(),
            include_authorized_operations: self.include_authorized_operations,
        }
    }
}

impl<'a> Message<'a> for StreamsGroupDescribeRequest<'a> {
    const NAME: &'static str = "StreamsGroupDescribeRequest";
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

impl<'a> Request<'a> for StreamsGroupDescribeRequest<'a> {
    const KEY: ApiKey = ApiKey::StreamsGroupDescribe;
    type Response<'r> = crate::messages::StreamsGroupDescribeResponse<'r>;
}
