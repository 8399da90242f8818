// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::error::{DecodeError, EncodeError};
use crate::message::Message;
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `StreamsGroupMetadataValue`: coordinator-value of record type 17, versions 0 to 0.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamsGroupMetadataValue<'a> {
    pub epoch: i32,
    pub metadata_hash: i64,
    pub validated_topology_epoch: i32,
    pub last_assignment_configs: Option<Vec<LastAssignmentConfig<'a>>>,
}

impl Default for StreamsGroupMetadataValue<'_> {
    fn default() -> Self {
        Self { epoch: 0, metadata_hash: 0, validated_topology_epoch: -1, last_assignment_configs: Some(Vec::new()) }
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct LastAssignmentConfig<'a> {
    pub key: Str<'a>,
    pub value: Str<'a>,
}

impl<'a> StreamsGroupMetadataValue<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let mut this = Self {
            epoch: r.i32()?,
            metadata_hash: r.i64()?,
            validated_topology_epoch: -1,
            last_assignment_configs: Some(Vec::new()),
        };
        let mut tags = r.tags()?;
        while let Some(tag) = r.next_tag(&mut tags)? {
            match tag {
                0 => this.validated_topology_epoch = r.i32()?,
                1 => this.last_assignment_configs = r.nullable_array(|r| LastAssignmentConfig::read(r, version))?,
                _ => r.skip_tag(&tags),
            }
        }
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.epoch);
        w.i64(self.metadata_hash);
        if w.flexible {
            let mut tags = w.tags();
            if self.validated_topology_epoch != -1 {
                w.tag(&mut tags, 0);
                w.i32(self.validated_topology_epoch);
                w.end_tag(&tags);
            }
            if self.last_assignment_configs.as_ref().is_none_or(|all| !all.is_empty()) {
                w.tag(&mut tags, 1);
                w.nullable_array_len(self.last_assignment_configs.as_ref().map(Vec::len));
                for item in self.last_assignment_configs.iter().flatten() {
                    item.write(w, version);
                }
                w.end_tag(&tags);
            }
        }
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> StreamsGroupMetadataValue<'static> {
        StreamsGroupMetadataValue {
            epoch: self.epoch,
            metadata_hash: self.metadata_hash,
            validated_topology_epoch: self.validated_topology_epoch,
            last_assignment_configs: self
                .last_assignment_configs
                .map(|x| x.into_iter().map(LastAssignmentConfig::into_owned).collect()),
        }
    }
}

impl<'a> LastAssignmentConfig<'a> {
    fn read(r: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self { key: r.string()?, value: r.string()? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.string(&self.key);
        w.string(&self.value);
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> LastAssignmentConfig<'static> {
        LastAssignmentConfig { key: Cow::Owned(self.key.into_owned()), value: Cow::Owned(self.value.into_owned()) }
    }
}

impl<'a> Message<'a> for StreamsGroupMetadataValue<'a> {
    const NAME: &'static str = "StreamsGroupMetadataValue";
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

impl StreamsGroupMetadataValue<'_> {
    /// The number by which a record says that it is of this type.
    pub const RECORD_TYPE: i16 = 17;
}
