// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Blob;
use crate::writer::Writer;

/// `RenewDelegationTokenRequest`: request of API 39, versions 0 to 2.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct RenewDelegationTokenRequest<'a> {
    pub hmac: Blob<'a>,
    pub renew_period_ms: i64,
}

impl<'a> RenewDelegationTokenRequest<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { hmac: r.bytes()?, renew_period_ms: r.i64()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.bytes(&self.hmac);
        w.i64(self.renew_period_ms);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> RenewDelegationTokenRequest<'static> {
        RenewDelegationTokenRequest { hmac: Cow::Owned(self.hmac.into_owned()), renew_period_ms: self.renew_period_ms }
    }
}

impl<'a> Message<'a> for RenewDelegationTokenRequest<'a> {
    const NAME: &'static str = "RenewDelegationTokenRequest";
    const VERSIONS: RangeInclusive<i16> = 0..=2;
    const FIRST_FLEXIBLE: i16 = 2;

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

impl<'a> Request<'a> for RenewDelegationTokenRequest<'a> {
    const KEY: ApiKey = ApiKey::RenewDelegationToken;
    type Response<'r> = crate::messages::RenewDelegationTokenResponse;
}
