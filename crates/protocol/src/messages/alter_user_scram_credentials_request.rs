// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::{Blob, Str};
use crate::writer::Writer;

/// `AlterUserScramCredentialsRequest`: request of API 51, versions 0 to 0.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct AlterUserScramCredentialsRequest<'a> {
    pub deletions: Vec<ScramCredentialDeletion<'a>>,
    pub upsertions: Vec<ScramCredentialUpsertion<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct ScramCredentialDeletion<'a> {
    pub name: Str<'a>,
    pub mechanism: i8,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct ScramCredentialUpsertion<'a> {
    pub name: Str<'a>,
    pub mechanism: i8,
    pub iterations: i32,
    pub salt: Blob<'a>,
    pub salted_password: Blob<'a>,
}

impl<'a> AlterUserScramCredentialsRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            deletions: r.array(|r| ScramCredentialDeletion::read(r, version))?,
            upsertions: r.array(|r| ScramCredentialUpsertion::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.array_len(self.deletions.len());
        for item in &self.deletions {
            item.write(w, version);
        }
        w.array_len(self.upsertions.len());
        for item in &self.upsertions {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> AlterUserScramCredentialsRequest<'static> {
        AlterUserScramCredentialsRequest {
            deletions: self.deletions.into_iter().map(ScramCredentialDeletion::into_owned).collect(),
            upsertions: self.upsertions.into_iter().map(ScramCredentialUpsertion::into_owned).collect(),
        }
    }
}

impl<'a> ScramCredentialDeletion<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { name: r.string()?, mechanism: r.i8()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.name);
        w.i8(self.mechanism);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ScramCredentialDeletion<'static> {
        ScramCredentialDeletion { name: Cow::Owned(self.name.into_owned()), mechanism: self.mechanism }
    }
}

impl<'a> ScramCredentialUpsertion<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            name: r.string()?,
            mechanism: r.i8()?,
            iterations: r.i32()?,
            salt: r.bytes()?,
            salted_password: r.bytes()?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.name);
        w.i8(self.mechanism);
        w.i32(self.iterations);
        w.bytes(&self.salt);
        w.bytes(&self.salted_password);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> ScramCredentialUpsertion<'static> {
        ScramCredentialUpsertion {
            name: Cow::Owned(self.name.into_owned()),
            mechanism: self.mechanism,
            iterations: self.iterations,
            salt: Cow::Owned(self.salt.into_owned()),
            salted_password: Cow::Owned(self.salted_password.into_owned()),
        }
    }
}

impl<'a> Message<'a> for AlterUserScramCredentialsRequest<'a> {
    const NAME: &'static str = "AlterUserScramCredentialsRequest";
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

impl<'a> Request<'a> for AlterUserScramCredentialsRequest<'a> {
    const KEY: ApiKey = ApiKey::AlterUserScramCredentials;
    type Response<'r> = crate::messages::AlterUserScramCredentialsResponse<'r>;
}
