//! Which topics there are, as far as was told.

use std::collections::BTreeMap;

use ottla_base::ids::Uuid;

use super::partition::{Kind, Partition};

/// Whether a topic is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Absent,
    /// A creation was asked for and not answered.
    Creating,
    Present,
    /// A deletion was asked for and not answered.
    Deleting,
}

/// A topic by its name; deleted and created again it is another incarnation.
#[derive(Debug)]
pub struct Topic {
    pub kind: Kind,
    pub state: State,
    pub incarnation: u32,
    pub id: Option<Uuid>,
    /// Partitions that are certain.
    pub partitions: Vec<Partition>,
}

/// All topics that the workload ever uses.
#[derive(Debug, Default)]
pub struct Topics(pub BTreeMap<&'static str, Topic>);

/// Names and kinds. The first is never deleted: groups commit offsets of it.
pub const NAMES: [(&str, Kind); 5] = [
    ("kept", Kind::Plain),
    ("plain", Kind::Plain),
    ("other", Kind::Plain),
    ("aging", Kind::Retention),
    ("compact", Kind::Compact),
];

impl Topics {
    /// The topic, absent when it was never spoken of.
    pub fn get(&mut self, name: &'static str) -> &mut Topic {
        self.0.entry(name).or_insert_with(|| {
            let kind = NAMES.iter().find(|(of, _)| *of == name).map_or(Kind::Plain, |(_, kind)| *kind);
            Topic { kind, state: State::Absent, incarnation: 0, id: None, partitions: Vec::new() }
        })
    }

    /// Topics that are certainly there, with their numbers of partitions.
    #[must_use]
    pub fn present(&self) -> Vec<(&'static str, usize)> {
        let there = self.0.iter().filter(|(_, topic)| topic.state == State::Present && !topic.partitions.is_empty());
        there.map(|(name, topic)| (*name, topic.partitions.len())).collect()
    }

    /// A partition of the given incarnation, when that is certainly there still.
    pub fn partition(&mut self, name: &str, incarnation: u32, index: i32) -> Option<&mut Partition> {
        let topic = self.0.get_mut(name)?;
        if topic.incarnation != incarnation || matches!(topic.state, State::Absent | State::Creating) {
            return None;
        }
        topic.partitions.get_mut(usize::try_from(index).ok()?)
    }

    /// True when that incarnation is there for certain and is not being deleted.
    #[must_use]
    pub fn is_present(&self, name: &str, incarnation: u32) -> bool {
        self.0.get(name).is_some_and(|topic| topic.incarnation == incarnation && topic.state == State::Present)
    }
}

impl Topic {
    /// A creation is asked for.
    pub fn creating(&mut self) {
        if self.state == State::Absent {
            self.incarnation += 1;
            self.id = None;
            self.partitions.clear();
            self.state = State::Creating;
        }
    }

    /// It is there, with `count` partitions at least.
    pub fn created(&mut self, count: usize) {
        self.state = State::Present;
        let kind = self.kind;
        if self.partitions.len() < count {
            self.partitions.resize_with(count, || Partition::new(kind));
        }
    }
}
