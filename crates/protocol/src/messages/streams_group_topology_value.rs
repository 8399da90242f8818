// Made by `cargo xtask generate` from the tables in `reference/`; change those, or the generator.
use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::error::{DecodeError, EncodeError};
use crate::message::Message;
use crate::reader::Reader;
use crate::types::Str;
use crate::writer::Writer;

/// `StreamsGroupTopologyValue`: coordinator-value of record type 23, versions 0 to 0.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct StreamsGroupTopologyValue<'a> {
    pub epoch: i32,
    pub subtopologies: Vec<Subtopology<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct TopicConfig<'a> {
    pub key: Str<'a>,
    pub value: Str<'a>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct TopicInfo<'a> {
    pub name: Str<'a>,
    pub partitions: i32,
    pub replication_factor: i16,
    pub topic_configs: Vec<TopicConfig<'a>>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Subtopology<'a> {
    pub subtopology_id: Str<'a>,
    pub source_topics: Vec<Str<'a>>,
    pub source_topic_regex: Vec<Str<'a>>,
    pub state_changelog_topics: Vec<TopicInfo<'a>>,
    pub repartition_sink_topics: Vec<Str<'a>>,
    pub repartition_source_topics: Vec<TopicInfo<'a>>,
    pub copartition_groups: Vec<CopartitionGroup>,
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct CopartitionGroup {
    pub source_topics: Vec<i16>,
    pub source_topic_regex: Vec<i16>,
    pub repartition_source_topics: Vec<i16>,
}

impl<'a> StreamsGroupTopologyValue<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self { epoch: r.i32()?, subtopologies: r.array(|r| Subtopology::read(r, version))? };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.i32(self.epoch);
        w.array_len(self.subtopologies.len());
        for item in &self.subtopologies {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> StreamsGroupTopologyValue<'static> {
        StreamsGroupTopologyValue {
            epoch: self.epoch,
            subtopologies: self.subtopologies.into_iter().map(Subtopology::into_owned).collect(),
        }
    }
}

impl<'a> TopicConfig<'a> {
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
    pub fn into_owned(self) -> TopicConfig<'static> {
        TopicConfig { key: Cow::Owned(self.key.into_owned()), value: Cow::Owned(self.value.into_owned()) }
    }
}

impl<'a> TopicInfo<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            name: r.string()?,
            partitions: r.i32()?,
            replication_factor: r.i16()?,
            topic_configs: r.array(|r| TopicConfig::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.name);
        w.i32(self.partitions);
        w.i16(self.replication_factor);
        w.array_len(self.topic_configs.len());
        for item in &self.topic_configs {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> TopicInfo<'static> {
        TopicInfo {
            name: Cow::Owned(self.name.into_owned()),
            partitions: self.partitions,
            replication_factor: self.replication_factor,
            topic_configs: self.topic_configs.into_iter().map(TopicConfig::into_owned).collect(),
        }
    }
}

impl<'a> Subtopology<'a> {
    fn read(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            subtopology_id: r.string()?,
            source_topics: r.array(Reader::string)?,
            source_topic_regex: r.array(Reader::string)?,
            state_changelog_topics: r.array(|r| TopicInfo::read(r, version))?,
            repartition_sink_topics: r.array(Reader::string)?,
            repartition_source_topics: r.array(|r| TopicInfo::read(r, version))?,
            copartition_groups: r.array(|r| CopartitionGroup::read(r, version))?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, version: i16) {
        w.string(&self.subtopology_id);
        w.array_len(self.source_topics.len());
        for item in &self.source_topics {
            w.string(item);
        }
        w.array_len(self.source_topic_regex.len());
        for item in &self.source_topic_regex {
            w.string(item);
        }
        w.array_len(self.state_changelog_topics.len());
        for item in &self.state_changelog_topics {
            item.write(w, version);
        }
        w.array_len(self.repartition_sink_topics.len());
        for item in &self.repartition_sink_topics {
            w.string(item);
        }
        w.array_len(self.repartition_source_topics.len());
        for item in &self.repartition_source_topics {
            item.write(w, version);
        }
        w.array_len(self.copartition_groups.len());
        for item in &self.copartition_groups {
            item.write(w, version);
        }
        w.no_tags();
    }

    /// The same, holding its own bytes.
    #[must_use]
    pub fn into_owned(self) -> Subtopology<'static> {
        Subtopology {
            subtopology_id: Cow::Owned(self.subtopology_id.into_owned()),
            source_topics: self.source_topics.into_iter().map(|x| Cow::Owned(x.into_owned())).collect(),
            source_topic_regex: self.source_topic_regex.into_iter().map(|x| Cow::Owned(x.into_owned())).collect(),
            state_changelog_topics: self.state_changelog_topics.into_iter().map(TopicInfo::into_owned).collect(),
            repartition_sink_topics: self
                .repartition_sink_topics
                .into_iter()
                .map(|x| Cow::Owned(x.into_owned()))
                .collect(),
            repartition_source_topics: self.repartition_source_topics.into_iter().map(TopicInfo::into_owned).collect(),
            copartition_groups: self.copartition_groups,
        }
    }
}

impl CopartitionGroup {
    fn read(r: &mut Reader<'_>, _version: i16) -> Result<Self, DecodeError> {
        let this = Self {
            source_topics: r.array(Reader::i16)?,
            source_topic_regex: r.array(Reader::i16)?,
            repartition_source_topics: r.array(Reader::i16)?,
        };
        r.skip_tags()?;
        Ok(this)
    }

    fn write(&self, w: &mut Writer, _version: i16) {
        w.array_len(self.source_topics.len());
        for item in &self.source_topics {
            w.i16(*item);
        }
        w.array_len(self.source_topic_regex.len());
        for item in &self.source_topic_regex {
            w.i16(*item);
        }
        w.array_len(self.repartition_source_topics.len());
        for item in &self.repartition_source_topics {
            w.i16(*item);
        }
        w.no_tags();
    }
}

impl<'a> Message<'a> for StreamsGroupTopologyValue<'a> {
    const NAME: &'static str = "StreamsGroupTopologyValue";
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

impl StreamsGroupTopologyValue<'_> {
    /// The number by which a record says that it is of this type.
    pub const RECORD_TYPE: i16 = 23;
}
