// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::error::{DecodeError, EncodeError};
use crate::message::Message;
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `DefaultPrincipalData`: data, versions 0 to 0.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct DefaultPrincipalData<'a> {
    pub type_: Str<'a>,
    pub name: Str<'a>,
    pub token_authenticated: bool,
}

impl<'a> DefaultPrincipalData<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { type_: r.string()?, name: r.string()?, token_authenticated: r.bool()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.type_);
        w.string(&self.name);
        w.bool(self.token_authenticated);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> DefaultPrincipalData<'static> {
        DefaultPrincipalData {
            type_: Cow::Owned(self.type_.into_owned()),
            name: Cow::Owned(self.name.into_owned()),
            token_authenticated: self.token_authenticated,
        }
    }
}

impl<'a> Message<'a> for DefaultPrincipalData<'a> {
    const NAME: &'static str = "DefaultPrincipalData";
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
