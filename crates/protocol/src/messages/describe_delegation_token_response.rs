// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Response};
use crate::reader::Reader;
use crate::types::{Blob, Str};
use crate::writer::Writer;

/// `DescribeDelegationTokenResponse`: response of API 41, versions 0 to 3.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct DescribeDelegationTokenResponse<'a> {
    pub error_code: i16,
    pub tokens: Vec<DescribedDelegationToken<'a>>,
    pub throttle_time_ms: i32,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct DescribedDelegationToken<'a> {
    pub principal_type: Str<'a>,
    pub principal_name: Str<'a>,
    pub token_requester_principal_type: Str<'a>,
    pub token_requester_principal_name: Str<'a>,
    pub issue_timestamp: i64,
    pub expiry_timestamp: i64,
    pub max_timestamp: i64,
    pub token_id: Str<'a>,
    pub hmac: Blob<'a>,
    pub renewers: Vec<DescribedDelegationTokenRenewer<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct DescribedDelegationTokenRenewer<'a> {
    pub principal_type: Str<'a>,
    pub principal_name: Str<'a>,
}

impl<'a> DescribeDelegationTokenResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            error_code: r.i16()?,
            tokens: r.array(|r| DescribedDelegationToken::read(r, version))?,
            throttle_time_ms: r.i32()?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i16(self.error_code);
        w.array_len(self.tokens.len());
        for item in &self.tokens {
            item.write(w, version);
        }
        w.i32(self.throttle_time_ms);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> DescribeDelegationTokenResponse<'static> {
        DescribeDelegationTokenResponse {
            error_code: self.error_code,
            tokens: self.tokens.into_iter().map(DescribedDelegationToken::into_owned).collect(),
            throttle_time_ms: self.throttle_time_ms,
        }
    }
}

impl<'a> DescribedDelegationToken<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            principal_type: r.string()?,
            principal_name: r.string()?,
            token_requester_principal_type: if version >= 3 { r.string()? } else { Str::Borrowed("") },
            token_requester_principal_name: if version >= 3 { r.string()? } else { Str::Borrowed("") },
            issue_timestamp: r.i64()?,
            expiry_timestamp: r.i64()?,
            max_timestamp: r.i64()?,
            token_id: r.string()?,
            hmac: r.bytes()?,
            renewers: r.array(|r| DescribedDelegationTokenRenewer::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.principal_type);
        w.string(&self.principal_name);
        if version >= 3 {
            w.string(&self.token_requester_principal_type);
        } else if !self.token_requester_principal_type.is_empty() {
            w.unsupported("DescribedDelegationToken.token_requester_principal_type");
        }
        if version >= 3 {
            w.string(&self.token_requester_principal_name);
        } else if !self.token_requester_principal_name.is_empty() {
            w.unsupported("DescribedDelegationToken.token_requester_principal_name");
        }
        w.i64(self.issue_timestamp);
        w.i64(self.expiry_timestamp);
        w.i64(self.max_timestamp);
        w.string(&self.token_id);
        w.bytes(&self.hmac);
        w.array_len(self.renewers.len());
        for item in &self.renewers {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> DescribedDelegationToken<'static> {
        DescribedDelegationToken {
            principal_type: Cow::Owned(self.principal_type.into_owned()),
            principal_name: Cow::Owned(self.principal_name.into_owned()),
            token_requester_principal_type: Cow::Owned(self.token_requester_principal_type.into_owned()),
            token_requester_principal_name: Cow::Owned(self.token_requester_principal_name.into_owned()),
            issue_timestamp: self.issue_timestamp,
            expiry_timestamp: self.expiry_timestamp,
            max_timestamp: self.max_timestamp,
            token_id: Cow::Owned(self.token_id.into_owned()),
            hmac: Cow::Owned(self.hmac.into_owned()),
            renewers: self.renewers.into_iter().map(DescribedDelegationTokenRenewer::into_owned).collect(),
        }
    }
}

impl<'a> DescribedDelegationTokenRenewer<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { principal_type: r.string()?, principal_name: r.string()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.principal_type);
        w.string(&self.principal_name);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> DescribedDelegationTokenRenewer<'static> {
        DescribedDelegationTokenRenewer {
            principal_type: Cow::Owned(self.principal_type.into_owned()),
            principal_name: Cow::Owned(self.principal_name.into_owned()),
        }
    }
}

impl<'a> Message<'a> for DescribeDelegationTokenResponse<'a> {
    const NAME: &'static str = "DescribeDelegationTokenResponse";
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

impl<'a> Response<'a> for DescribeDelegationTokenResponse<'a> {
    const KEY: ApiKey = ApiKey::DescribeDelegationToken;
}
