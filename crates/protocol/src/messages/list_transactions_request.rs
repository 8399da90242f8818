// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `ListTransactionsRequest`: request of API 66, versions 0 to 2.
#[derive(Clone, Debug, PartialEq)]
pub struct ListTransactionsRequest<'a> {
    pub state_filters: Vec<Str<'a>>,
    pub producer_id_filters: Vec<i64>,
    pub duration_filter: i64,
    pub transactional_id_pattern: Option<Str<'a>>,
}

impl Default for ListTransactionsRequest<'_> {
    fn default() -> Self {
        Self {
            state_filters: Vec::new(),
            producer_id_filters: Vec::new(),
            duration_filter: -1,
            transactional_id_pattern: Default::default(),
        }
    }
}

impl<'a> ListTransactionsRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            state_filters: r.array(Reader::string)?,
            producer_id_filters: r.array(Reader::i64)?,
            duration_filter: if version >= 1 { r.i64()? } else { -1 },
            transactional_id_pattern: if version >= 2 { r.nullable_string()? } else { None },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.array_len(self.state_filters.len());
        for item in &self.state_filters {
            w.string(item);
        }
        w.array_len(self.producer_id_filters.len());
        for item in &self.producer_id_filters {
            w.i64(*item);
        }
        if version >= 1 {
            w.i64(self.duration_filter);
        } else if self.duration_filter != -1 {
            w.unsupported("ListTransactionsRequest.duration_filter");
        }
        if version >= 2 {
            w.nullable_string(self.transactional_id_pattern.as_deref());
        } else if self.transactional_id_pattern.is_some() {
            w.unsupported("ListTransactionsRequest.transactional_id_pattern");
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ListTransactionsRequest<'static> {
        ListTransactionsRequest {
            state_filters: self.state_filters.into_iter().map(|x| Cow::Owned(x.into_owned())).collect(),
            producer_id_filters: self.producer_id_filters,
            duration_filter: self.duration_filter,
            transactional_id_pattern: self.transactional_id_pattern.map(|x| Cow::Owned(x.into_owned())),
        }
    }
}

impl<'a> Message<'a> for ListTransactionsRequest<'a> {
    const NAME: &'static str = "ListTransactionsRequest";
    const VERSIONS: RangeInclusive<i16> = 0..=2;
    const FIRST_FLEXIBLE: i16 = 0;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 2), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 2), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Request<'a> for ListTransactionsRequest<'a> {
    const KEY: ApiKey = ApiKey::ListTransactions;
    type Response<'r> = crate::messages::ListTransactionsResponse<'r>;
}
