// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::api_key::ApiKey;
use crate::error::{DecodeError, EncodeError};
use crate::message::{Message, Request};
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `AlterReplicaLogDirsRequest`: request of API 34, versions 0 to 2.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct AlterReplicaLogDirsRequest<'a> {
    pub dirs: Vec<AlterReplicaLogDir<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct AlterReplicaLogDir<'a> {
    pub path: Str<'a>,
    pub topics: Vec<AlterReplicaLogDirTopic<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct AlterReplicaLogDirTopic<'a> {
    pub name: Str<'a>,
    pub partitions: Vec<i32>,
}

impl<'a> AlterReplicaLogDirsRequest<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self { dirs: r.array(|r| AlterReplicaLogDir::read(r, version))? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.array_len(self.dirs.len());
        for item in &self.dirs {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> AlterReplicaLogDirsRequest<'static> {
        AlterReplicaLogDirsRequest { dirs: self.dirs.into_iter().map(AlterReplicaLogDir::into_owned).collect() }
    }
}

impl<'a> AlterReplicaLogDir<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self { path: r.string()?, topics: r.array(|r| AlterReplicaLogDirTopic::read(r, version))? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.path);
        w.array_len(self.topics.len());
        for item in &self.topics {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> AlterReplicaLogDir<'static> {
        AlterReplicaLogDir {
            path: Cow::Owned(self.path.into_owned()),
            topics: self.topics.into_iter().map(AlterReplicaLogDirTopic::into_owned).collect(),
        }
    }
}

impl<'a> AlterReplicaLogDirTopic<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { name: r.string()?, partitions: r.array(Reader::i32)? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.name);
        w.array_len(self.partitions.len());
        for item in &self.partitions {
            w.i32(*item);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> AlterReplicaLogDirTopic<'static> {
        AlterReplicaLogDirTopic { name: Cow::Owned(self.name.into_owned()), partitions: self.partitions }
    }
}

impl<'a> Message<'a> for AlterReplicaLogDirsRequest<'a> {
    const NAME: &'static str = "AlterReplicaLogDirsRequest";
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

impl<'a> Request<'a> for AlterReplicaLogDirsRequest<'a> {
    const KEY: ApiKey = ApiKey::AlterReplicaLogDirs;
    type Response<'r> = crate::messages::AlterReplicaLogDirsResponse<'r>;
}
