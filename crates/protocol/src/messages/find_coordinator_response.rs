// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Response};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `FindCoordinatorResponse`: response of API 10, versions 0 to 6.
#[derive(Clone, Debug, PartialEq)]
pub struct FindCoordinatorResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub error_message: Option<Str<'a>>,
    pub node_id: i32,
    pub host: Str<'a>,
    pub port: i32,
    pub coordinators: Vec<Coordinator<'a>>,
}

impl Default for FindCoordinatorResponse<'_> {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            error_message: Some(Str::Borrowed("")),
            node_id: 0,
            host: Default::default(),
            port: 0,
            coordinators: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Coordinator<'a> {
    pub key: Str<'a>,
    pub node_id: i32,
    pub host: Str<'a>,
    pub port: i32,
    pub error_code: i16,
    pub error_message: Option<Str<'a>>,
}

impl Default for Coordinator<'_> {
    fn default() -> Self {
        Self {
            key: Default::default(),
            node_id: 0,
            host: Default::default(),
            port: 0,
            error_code: 0,
            error_message: Some(Str::Borrowed("")),
        }
    }
}

impl<'a> FindCoordinatorResponse<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            throttle_time_ms: if version >= 1 { r.i32()? } else { 0 },
            error_code: if version <= 3 { r.i16()? } else { 0 },
            error_message: if (1..=3).contains(&version) { r.nullable_string()? } else { Some(Str::Borrowed("")) },
            node_id: if version <= 3 { r.i32()? } else { 0 },
            host: if version <= 3 { r.string()? } else { Str::Borrowed("") },
            port: if version <= 3 { r.i32()? } else { 0 },
            coordinators: if version >= 4 { r.array(|r| Coordinator::read(r, version))? } else { Vec::new() },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        if version >= 1 {
            w.i32(self.throttle_time_ms);
        }
        if version <= 3 {
            w.i16(self.error_code);
        } else if self.error_code != 0 {
            w.unsupported("FindCoordinatorResponse.error_code");
        }
        if (1..=3).contains(&version) {
            w.nullable_string(self.error_message.as_deref());
        }
        if version <= 3 {
            w.i32(self.node_id);
        } else if self.node_id != 0 {
            w.unsupported("FindCoordinatorResponse.node_id");
        }
        if version <= 3 {
            w.string(&self.host);
        } else if !self.host.is_empty() {
            w.unsupported("FindCoordinatorResponse.host");
        }
        if version <= 3 {
            w.i32(self.port);
        } else if self.port != 0 {
            w.unsupported("FindCoordinatorResponse.port");
        }
        if version >= 4 {
            w.array_len(self.coordinators.len());
            for item in &self.coordinators {
                item.write(w, version);
            }
        } else if !self.coordinators.is_empty() {
            w.unsupported("FindCoordinatorResponse.coordinators");
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> FindCoordinatorResponse<'static> {
        FindCoordinatorResponse {
            throttle_time_ms: self.throttle_time_ms,
            error_code: self.error_code,
            error_message: self.error_message.map(|x| Cow::Owned(x.into_owned())),
            node_id: self.node_id,
            host: Cow::Owned(self.host.into_owned()),
            port: self.port,
            coordinators: self.coordinators.into_iter().map(Coordinator::into_owned).collect(),
        }
    }
}

impl<'a> Coordinator<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            key: r.string()?,
            node_id: r.i32()?,
            host: r.string()?,
            port: r.i32()?,
            error_code: r.i16()?,
            error_message: r.nullable_string()?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.key);
        w.i32(self.node_id);
        w.string(&self.host);
        w.i32(self.port);
        w.i16(self.error_code);
        w.nullable_string(self.error_message.as_deref());
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> Coordinator<'static> {
        Coordinator {
            key: Cow::Owned(self.key.into_owned()),
            node_id: self.node_id,
            host: Cow::Owned(self.host.into_owned()),
            port: self.port,
            error_code: self.error_code,
            error_message: self.error_message.map(|x| Cow::Owned(x.into_owned())),
        }
    }
}

impl<'a> Message<'a> for FindCoordinatorResponse<'a> {
    const NAME: &'static str = "FindCoordinatorResponse";
    const VERSIONS: RangeInclusive<i16> = 0..=6;
    const FIRST_FLEXIBLE: i16 = 3;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 6), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 6), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Response<'a> for FindCoordinatorResponse<'a> {
    const KEY: ApiKey = ApiKey::FindCoordinator;
}
