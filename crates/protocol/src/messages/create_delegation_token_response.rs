// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Response};
use crate::reader::Reader;
use crate::types::{Blob, Str};
use crate::writer::Writer;

/// `CreateDelegationTokenResponse`: response of API 38, versions 0 to 3.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct CreateDelegationTokenResponse<'a> {
    pub error_code: i16,
    pub principal_type: Str<'a>,
    pub principal_name: Str<'a>,
    pub token_requester_principal_type: Str<'a>,
    pub token_requester_principal_name: Str<'a>,
    pub issue_timestamp_ms: i64,
    pub expiry_timestamp_ms: i64,
    pub max_timestamp_ms: i64,
    pub token_id: Str<'a>,
    pub hmac: Blob<'a>,
    pub throttle_time_ms: i32,
}

impl<'a> CreateDelegationTokenResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            error_code: r.i16()?,
            principal_type: r.string()?,
            principal_name: r.string()?,
            token_requester_principal_type: if version >= 3 { r.string()? } else { Str::Borrowed("") },
            token_requester_principal_name: if version >= 3 { r.string()? } else { Str::Borrowed("") },
            issue_timestamp_ms: r.i64()?,
            expiry_timestamp_ms: r.i64()?,
            max_timestamp_ms: r.i64()?,
            token_id: r.string()?,
            hmac: r.bytes()?,
            throttle_time_ms: r.i32()?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i16(self.error_code);
        w.string(&self.principal_type);
        w.string(&self.principal_name);
        if version >= 3 {
            w.string(&self.token_requester_principal_type);
        } else if !self.token_requester_principal_type.is_empty() {
            w.unsupported("CreateDelegationTokenResponse.token_requester_principal_type");
        }
        if version >= 3 {
            w.string(&self.token_requester_principal_name);
        } else if !self.token_requester_principal_name.is_empty() {
            w.unsupported("CreateDelegationTokenResponse.token_requester_principal_name");
        }
        w.i64(self.issue_timestamp_ms);
        w.i64(self.expiry_timestamp_ms);
        w.i64(self.max_timestamp_ms);
        w.string(&self.token_id);
        w.bytes(&self.hmac);
        w.i32(self.throttle_time_ms);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> CreateDelegationTokenResponse<'static> {
        CreateDelegationTokenResponse {
            error_code: self.error_code,
            principal_type: Cow::Owned(self.principal_type.into_owned()),
            principal_name: Cow::Owned(self.principal_name.into_owned()),
            token_requester_principal_type: Cow::Owned(self.token_requester_principal_type.into_owned()),
            token_requester_principal_name: Cow::Owned(self.token_requester_principal_name.into_owned()),
            issue_timestamp_ms: self.issue_timestamp_ms,
            expiry_timestamp_ms: self.expiry_timestamp_ms,
            max_timestamp_ms: self.max_timestamp_ms,
            token_id: Cow::Owned(self.token_id.into_owned()),
            hmac: Cow::Owned(self.hmac.into_owned()),
            throttle_time_ms: self.throttle_time_ms,
        }
    }
}

impl<'a> Message<'a> for CreateDelegationTokenResponse<'a> {
    const NAME: &'static str = "CreateDelegationTokenResponse";
    const VERSIONS: RangeInclusive<i16> = 0..=3;
    const FIRST_FLEXIBLE: i16 = 2;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 3), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 3), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Response<'a> for CreateDelegationTokenResponse<'a> {
    const KEY: ApiKey = ApiKey::CreateDelegationToken;
}
