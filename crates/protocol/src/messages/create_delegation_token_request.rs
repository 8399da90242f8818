// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `CreateDelegationTokenRequest`: request of API 38, versions 0 to 3.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateDelegationTokenRequest<'a> {
    pub owner_principal_type: Option<Str<'a>>,
    pub owner_principal_name: Option<Str<'a>>,
    pub renewers: Vec<CreatableRenewers<'a>>,
    pub max_lifetime_ms: i64,
}

impl Default for CreateDelegationTokenRequest<'_> {
    fn default() -> Self {
        Self {
            owner_principal_type: Some(Str::Borrowed("")),
            owner_principal_name: Some(Str::Borrowed("")),
            renewers: Vec::new(),
            max_lifetime_ms: 0,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct CreatableRenewers<'a> {
    pub principal_type: Str<'a>,
    pub principal_name: Str<'a>,
}

impl<'a> CreateDelegationTokenRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            owner_principal_type: if version >= 3 { r.nullable_string()? } else { Some(Str::Borrowed("")) },
            owner_principal_name: if version >= 3 { r.nullable_string()? } else { Some(Str::Borrowed("")) },
            renewers: r.array(|r| CreatableRenewers::read(r, version))?,
            max_lifetime_ms: r.i64()?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version >= 3 {
            w.nullable_string(self.owner_principal_type.as_deref());
        } else if self.owner_principal_type.as_deref() != Some("") {
            w.unsupported("CreateDelegationTokenRequest.owner_principal_type");
        }
        if version >= 3 {
            w.nullable_string(self.owner_principal_name.as_deref());
        } else if self.owner_principal_name.as_deref() != Some("") {
            w.unsupported("CreateDelegationTokenRequest.owner_principal_name");
        }
        w.array_len(self.renewers.len());
        for item in &self.renewers {
            item.write(w, version);
        }
        w.i64(self.max_lifetime_ms);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> CreateDelegationTokenRequest<'static> {
        CreateDelegationTokenRequest {
            owner_principal_type: self.owner_principal_type.map(|x| Cow::Owned(x.into_owned())),
            owner_principal_name: self.owner_principal_name.map(|x| Cow::Owned(x.into_owned())),
            renewers: self.renewers.into_iter().map(CreatableRenewers::into_owned).collect(),
            max_lifetime_ms: self.max_lifetime_ms,
        }
    }
}

impl<'a> CreatableRenewers<'a> {
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
    pub fn into_owned(self) -> CreatableRenewers<'static> {
        CreatableRenewers {
            principal_type: Cow::Owned(self.principal_type.into_owned()),
            principal_name: Cow::Owned(self.principal_name.into_owned()),
        }
    }
}

impl<'a> Message<'a> for CreateDelegationTokenRequest<'a> {
    const NAME: &'static str = "CreateDelegationTokenRequest";
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

impl<'a> Request<'a> for CreateDelegationTokenRequest<'a> {
    const KEY: ApiKey = ApiKey::CreateDelegationToken;
    type Response<'r> = crate::messages::CreateDelegationTokenResponse<'r>;
}
