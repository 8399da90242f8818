// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Response};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `ListTransactionsResponse`: response of API 66, versions 0 to 2.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct ListTransactionsResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub unknown_state_filters: Vec<Str<'a>>,
    pub transaction_states: Vec<TransactionState<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct TransactionState<'a> {
    pub transactional_id: Str<'a>,
    pub producer_id: i64,
    pub transaction_state: Str<'a>,
}

impl<'a> ListTransactionsResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            throttle_time_ms: r.i32()?,
            error_code: r.i16()?,
            unknown_state_filters: r.array(Reader::string)?,
            transaction_states: r.array(|r| TransactionState::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.throttle_time_ms);
        w.i16(self.error_code);
        w.array_len(self.unknown_state_filters.len());
        for item in &self.unknown_state_filters {
            w.string(item);
        }
        w.array_len(self.transaction_states.len());
        for item in &self.transaction_states {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ListTransactionsResponse<'static> {
        ListTransactionsResponse {
            throttle_time_ms: self.throttle_time_ms,
            error_code: self.error_code,
            unknown_state_filters: self.unknown_state_filters.into_iter().map(|x| Cow::Owned(x.into_owned())).collect(),
            transaction_states: self.transaction_states.into_iter().map(TransactionState::into_owned).collect(),
        }
    }
}

impl<'a> TransactionState<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { transactional_id: r.string()?, producer_id: r.i64()?, transaction_state: r.string()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.transactional_id);
        w.i64(self.producer_id);
        w.string(&self.transaction_state);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> TransactionState<'static> {
        TransactionState {
            transactional_id: Cow::Owned(self.transactional_id.into_owned()),
            producer_id: self.producer_id,
            transaction_state: Cow::Owned(self.transaction_state.into_owned()),
        }
    }
}

impl<'a> Message<'a> for ListTransactionsResponse<'a> {
    const NAME: &'static str = "ListTransactionsResponse";
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

impl<'a> Response<'a> for ListTransactionsResponse<'a> {
    const KEY: ApiKey = ApiKey::ListTransactions;
}
