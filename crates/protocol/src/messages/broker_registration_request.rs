// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use ottla_base::ids::Uuid;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `BrokerRegistrationRequest`: request of API 62, versions 0 to 4.
#[derive(Clone, Debug, PartialEq)]
pub struct BrokerRegistrationRequest<'a> {
    pub broker_id: i32,
    pub cluster_id: Str<'a>,
    pub incarnation_id: Uuid,
    pub listeners: Vec<Listener<'a>>,
    pub features: Vec<Feature<'a>>,
    pub rack: Option<Str<'a>>,
    pub is_migrating_zk_broker: bool,
    pub log_dirs: Vec<Uuid>,
    pub previous_broker_epoch: i64,
}

impl Default for BrokerRegistrationRequest<'_> {
    fn default() -> Self {
        Self {
            broker_id: 0,
            cluster_id: Default::default(),
            incarnation_id: Uuid::ZERO,
            listeners: Vec::new(),
            features: Vec::new(),
            rack: Some(Str::Borrowed("")),
            is_migrating_zk_broker: false,
            log_dirs: Vec::new(),
            previous_broker_epoch: -1,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Listener<'a> {
    pub name: Str<'a>,
    pub host: Str<'a>,
    pub port: u16,
    pub security_protocol: i16,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Feature<'a> {
    pub name: Str<'a>,
    pub min_supported_version: i16,
    pub max_supported_version: i16,
}

impl<'a> BrokerRegistrationRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            broker_id: r.i32()?,
            cluster_id: r.string()?,
            incarnation_id: r.uuid()?,
            listeners: r.array(|r| Listener::read(r, version))?,
            features: r.array(|r| Feature::read(r, version))?,
            rack: r.nullable_string()?,
            is_migrating_zk_broker: if version >= 1 { r.bool()? } else { false },
            log_dirs: if version >= 2 { r.array(Reader::uuid)? } else { Vec::new() },
            previous_broker_epoch: if version >= 3 { r.i64()? } else { -1 },
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.broker_id);
        w.string(&self.cluster_id);
        w.uuid(&self.incarnation_id);
        w.array_len(self.listeners.len());
        for item in &self.listeners {
            item.write(w, version);
        }
        w.array_len(self.features.len());
        for item in &self.features {
            item.write(w, version);
        }
        w.nullable_string(self.rack.as_deref());
        if version >= 1 {
            w.bool(self.is_migrating_zk_broker);
        } else if self.is_migrating_zk_broker {
            w.unsupported("BrokerRegistrationRequest.is_migrating_zk_broker");
        }
        if version >= 2 {
            w.array_len(self.log_dirs.len());
            for item in &self.log_dirs {
                w.uuid(item);
            }
        }
        if version >= 3 {
            w.i64(self.previous_broker_epoch);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> BrokerRegistrationRequest<'static> {
        BrokerRegistrationRequest {
            broker_id: self.broker_id,
            cluster_id: Cow::Owned(self.cluster_id.into_owned()),
            incarnation_id: self.incarnation_id,
            listeners: self.listeners.into_iter().map(Listener::into_owned).collect(),
            features: self.features.into_iter().map(Feature::into_owned).collect(),
            rack: self.rack.map(|x| Cow::Owned(x.into_owned())),
            is_migrating_zk_broker: self.is_migrating_zk_broker,
            log_dirs: self.log_dirs,
            previous_broker_epoch: self.previous_broker_epoch,
        }
    }
}

impl<'a> Listener<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { name: r.string()?, host: r.string()?, port: r.u16()?, security_protocol: r.i16()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.name);
        w.string(&self.host);
        w.u16(self.port);
        w.i16(self.security_protocol);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> Listener<'static> {
        Listener {
            name: Cow::Owned(self.name.into_owned()),
            host: Cow::Owned(self.host.into_owned()),
            port: self.port,
            security_protocol: self.security_protocol,
        }
    }
}

impl<'a> Feature<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { name: r.string()?, min_supported_version: r.i16()?, max_supported_version: r.i16()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.name);
        w.i16(self.min_supported_version);
        w.i16(self.max_supported_version);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> Feature<'static> {
        Feature {
            name: Cow::Owned(self.name.into_owned()),
            min_supported_version: self.min_supported_version,
            max_supported_version: self.max_supported_version,
        }
    }
}

impl<'a> Message<'a> for BrokerRegistrationRequest<'a> {
    const NAME: &'static str = "BrokerRegistrationRequest";
    const VERSIONS: RangeInclusive<i16> = 0..=4;
    const FIRST_FLEXIBLE: i16 = 0;

    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.begin(Self::NAME, version, (0, 4), Self::FIRST_FLEXIBLE)?;
        Self::read(r, version)
    }

    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.begin(Self::NAME, version, (0, 4), Self::FIRST_FLEXIBLE)?;
        self.write(w, version);
        w.end()
    }
}

impl<'a> Request<'a> for BrokerRegistrationRequest<'a> {
    const KEY: ApiKey = ApiKey::BrokerRegistration;
    type Response<'r> = crate::messages::BrokerRegistrationResponse;
}
