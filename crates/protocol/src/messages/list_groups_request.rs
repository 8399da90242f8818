// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `ListGroupsRequest`: request of API 16, versions 0 to 5.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct ListGroupsRequest<'a> {
    pub states_filter: Vec<Str<'a>>,
    pub types_filter: Vec<Str<'a>>,
}

impl<'a> ListGroupsRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            states_filter: if version >= 4 { r.array(Reader::string)? } else { Vec::new() },
            types_filter: if version >= 5 { r.array(Reader::string)? } else { Vec::new() },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version >= 4 {
            w.array_len(self.states_filter.len());
            for item in &self.states_filter {
                w.string(item);
            }
        } else if !self.states_filter.is_empty() {
            w.unsupported("ListGroupsRequest.states_filter");
        }
        if version >= 5 {
            w.array_len(self.types_filter.len());
            for item in &self.types_filter {
                w.string(item);
            }
        } else if !self.types_filter.is_empty() {
            w.unsupported("ListGroupsRequest.types_filter");
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ListGroupsRequest<'static> {
        ListGroupsRequest {
            states_filter: self.states_filter.into_iter().map(|x| Cow::Owned(x.into_owned())).collect(),
            types_filter: self.types_filter.into_iter().map(|x| Cow::Owned(x.into_owned())).collect(),
        }
    }
}

impl<'a> Message<'a> for ListGroupsRequest<'a> {
    const NAME: &'static str = "ListGroupsRequest";
    const VERSIONS: RangeInclusive<i16> = 0..=5;
    const FIRST_FLEXIBLE: i16 = 3;

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

impl<'a> Request<'a> for ListGroupsRequest<'a> {
    const KEY: ApiKey = ApiKey::ListGroups;
    type Response<'r> = crate::messages::ListGroupsResponse<'r>;
}
