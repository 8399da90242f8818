// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `DeleteShareGroupOffsetsRequest`: request of API 92, versions 0 to 0.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct DeleteShareGroupOffsetsRequest<'a> {
    pub group_id: Str<'a>,
    pub topics: Vec<DeleteShareGroupOffsetsRequestTopic<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct DeleteShareGroupOffsetsRequestTopic<'a> {
    pub topic_name: Str<'a>,
}

impl<'a> DeleteShareGroupOffsetsRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this =
            Self { group_id: r.string()?, topics: r.array(|r| DeleteShareGroupOffsetsRequestTopic::read(r, version))? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.group_id);
        w.array_len(self.topics.len());
        for item in &self.topics {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> DeleteShareGroupOffsetsRequest<'static> {
        DeleteShareGroupOffsetsRequest {
            group_id: Cow::Owned(self.group_id.into_owned()),
            topics: self.topics.into_iter().map(DeleteShareGroupOffsetsRequestTopic::into_owned).collect(),
        }
    }
}

impl<'a> DeleteShareGroupOffsetsRequestTopic<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { topic_name: r.string()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.topic_name);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> DeleteShareGroupOffsetsRequestTopic<'static> {
        DeleteShareGroupOffsetsRequestTopic { topic_name: Cow::Owned(self.topic_name.into_owned()) }
    }
}

impl<'a> Message<'a> for DeleteShareGroupOffsetsRequest<'a> {
    const NAME: &'static str = "DeleteShareGroupOffsetsRequest";
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

impl<'a> Request<'a> for DeleteShareGroupOffsetsRequest<'a> {
    const KEY: ApiKey = ApiKey::DeleteShareGroupOffsets;
    type Response<'r> = crate::messages::DeleteShareGroupOffsetsResponse<'r>;
}
