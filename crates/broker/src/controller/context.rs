//! What the controller knows of the cluster: the keeper's contents, read once and kept up by watches and own writes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_base::ids::{TopicPartition, Uuid};

use crate::znodes::{BrokerRegistration, PartitionState, ReplicaAssignment, TopicAssignment};

/// In [`PartitionState::leader`]: nobody leads.
pub(crate) const NO_LEADER: i32 = -1;

/// A registered broker.
#[derive(Clone, Debug)]
pub(crate) struct LiveBroker {
    pub registration: BrokerRegistration,
    /// czxid of the registration.
    pub epoch: i64,
}

/// What an administrator may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ElectionType {
    /// The first replica leads, if it is in sync.
    Preferred,
    /// Any replica that is alive leads a partition without a leader, in sync or not.
    Unclean,
}

impl ElectionType {
    /// By its number in ElectLeaders.
    pub fn of(number: i8) -> Option<Self> {
        match number {
            0 => Some(Self::Preferred),
            1 => Some(Self::Unclean),
            _ => None,
        }
    }
}

/// One partition: its assignment, and its state with the state znode's version.
#[derive(Clone, Debug, Default)]
pub(crate) struct Partition {
    pub assignment: ReplicaAssignment,
    /// `None` before the first leader was chosen.
    pub state: Option<(PartitionState, i32)>,
    /// The state znode can't be read: hands off.
    pub is_unreadable: bool,
}

impl Partition {
    pub fn is_led_by_preferred(&self, leader: i32) -> bool {
        self.assignment.replicas.first() == Some(&leader)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Topic {
    pub id: Uuid,
    pub partitions: BTreeMap<i32, Partition>,
    /// Being deleted: nothing is elected any more, and no partition is added.
    pub is_deleting: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Context {
    pub epoch: i32,
    /// Version of `/controller_epoch`: every write checks it.
    pub epoch_version: i32,
    pub brokers: BTreeMap<i32, LiveBroker>,
    pub topics: BTreeMap<Arc<str>, Topic>,
    /// Replicas on a failed log directory of a broker that is alive.
    pub offline_replicas: BTreeSet<(i32, TopicPartition)>,
}

impl Context {
    pub fn partition(&self, partition: &TopicPartition) -> Option<&Partition> {
        self.topics.get(&partition.topic)?.partitions.get(&partition.partition)
    }

    pub fn partition_mut(&mut self, partition: &TopicPartition) -> Option<&mut Partition> {
        self.topics.get_mut(&partition.topic)?.partitions.get_mut(&partition.partition)
    }

    /// The replica can take part: its broker is alive and its log directory too.
    pub fn is_online(&self, broker: i32, partition: &TopicPartition) -> bool {
        self.brokers.contains_key(&broker)
            && (self.offline_replicas.is_empty() || !self.offline_replicas.contains(&(broker, partition.clone())))
    }

    /// Every partition of topics that are not being deleted.
    pub fn partitions(&self) -> impl Iterator<Item = (TopicPartition, &Partition)> {
        self.topics.iter().filter(|(_, topic)| !topic.is_deleting).flat_map(|(name, topic)| {
            topic.partitions.iter().map(|(index, partition)| (TopicPartition::new(name.clone(), *index), partition))
        })
    }

    /// A leader is there, and online.
    pub fn has_leader(&self, partition: &TopicPartition) -> bool {
        let state = self.partition(partition).and_then(|p| p.state.as_ref());
        state.is_some_and(|(state, _)| state.leader != NO_LEADER && self.is_online(state.leader, partition))
    }

    /// Every partition of the topic has a leader.
    pub fn is_served(&self, topic: &str) -> bool {
        self.topics.get_key_value(topic).is_some_and(|(name, topic)| {
            !topic.is_deleting
                && topic.partitions.keys().all(|index| self.has_leader(&TopicPartition::new(name.clone(), *index)))
        })
    }

    /// The first state of a partition without one: the first live replica leads, all live ones are in sync. `None` when no
    /// replica is alive.
    #[doc(alias = "initializeLeaderAndIsrForPartitions")]
    pub fn first_state(&self, partition: &TopicPartition) -> Option<PartitionState> {
        let replicas = &self.partition(partition)?.assignment.replicas;
        let isr: Vec<i32> = replicas.iter().copied().filter(|id| self.is_online(*id, partition)).collect();
        Some(PartitionState {
            leader: *isr.first()?,
            leader_epoch: 0,
            isr,
            controller_epoch: self.epoch,
            leader_recovery_state: 0,
        })
    }

    /// The next state of a partition that has lost its leader: the first live replica of the ISR leads, else, where the topic
    /// allows it, the first live replica, as the whole ISR. `None` when nobody can.
    #[doc(alias = "offlinePartitionLeaderElection")]
    pub fn elect(&self, partition: &TopicPartition, uncleanly: bool) -> Option<PartitionState> {
        let known = self.partition(partition)?;
        let (state, _) = known.state.as_ref()?;
        let live = || known.assignment.replicas.iter().copied().filter(|id| self.is_online(*id, partition));
        let clean = live().find(|id| state.isr.contains(id));
        let leader = clean.or_else(|| if uncleanly { live().next() } else { None })?;
        let isr = match clean {
            Some(_) => state.isr.iter().copied().filter(|id| self.is_online(*id, partition)).collect(),
            None => vec![leader],
        };
        let leader_recovery_state = if clean.is_some() { state.leader_recovery_state } else { 1 };
        Some(PartitionState {
            leader,
            leader_epoch: state.leader_epoch + 1,
            isr,
            controller_epoch: self.epoch,
            leader_recovery_state,
        })
    }

    /// The next state of a partition whose first replica shall lead again. `None` when it does, or can't.
    #[doc(alias = "preferredReplicaPartitionLeaderElection")]
    pub fn prefer(&self, partition: &TopicPartition) -> Option<PartitionState> {
        let known = self.partition(partition)?;
        let (state, _) = known.state.as_ref()?;
        let leader = *known.assignment.replicas.first()?;
        let can = leader != state.leader && state.isr.contains(&leader) && self.is_online(leader, partition);
        let (leader_epoch, controller_epoch) = (state.leader_epoch + 1, self.epoch);
        can.then(|| PartitionState { leader, leader_epoch, controller_epoch, ..state.clone() })
    }

    /// The next state of a partition that is to get a leader of this kind. `None` when it has one, or nobody can.
    pub fn next_elected(&self, kind: ElectionType, partition: &TopicPartition) -> Option<PartitionState> {
        match kind {
            ElectionType::Preferred => self.prefer(partition),
            ElectionType::Unclean if self.has_leader(partition) => None,
            ElectionType::Unclean => self.elect(partition, true),
        }
    }

    /// The state without the replicas that are not online; the last of an ISR stays in it. `None` when that changes nothing.
    #[doc(alias = "removeReplicasFromIsr")]
    pub fn without_offline_replicas(&self, partition: &TopicPartition) -> Option<PartitionState> {
        let (state, _) = self.partition(partition)?.state.as_ref()?;
        let mut isr: Vec<i32> = state.isr.iter().copied().filter(|id| self.is_online(*id, partition)).collect();
        if isr.is_empty() {
            isr.extend(state.isr.last());
        }
        let leader = if self.is_online(state.leader, partition) { state.leader } else { NO_LEADER };
        if leader == state.leader && isr == state.isr {
            return None;
        }
        Some(PartitionState {
            leader,
            leader_epoch: state.leader_epoch + 1,
            isr,
            controller_epoch: self.epoch,
            leader_recovery_state: state.leader_recovery_state,
        })
    }

    /// Takes in an assignment as read from the keeper; gives the partitions that are new. Partitions are never taken away.
    pub fn set_assignment(&mut self, name: &Arc<str>, id: Uuid, assignment: &TopicAssignment) -> Vec<TopicPartition> {
        let fresh = Topic { id, partitions: BTreeMap::new(), is_deleting: false };
        let topic = self.topics.entry(name.clone()).or_insert(fresh);
        let mut added = Vec::new();
        for (index, replicas) in &assignment.partitions {
            let partition = topic.partitions.entry(*index).or_insert_with(|| {
                added.push(TopicPartition::new(name.clone(), *index));
                Partition::default()
            });
            partition.assignment = replicas.clone();
        }
        added
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(live: &[i32], replicas: &[i32], leader: i32, isr: &[i32]) -> (Context, TopicPartition) {
        let mut context = Context { epoch: 7, ..Context::default() };
        for id in live {
            let registration = BrokerRegistration { endpoints: vec![], rack: None, jmx_port: -1, timestamp_ms: 0 };
            context.brokers.insert(*id, LiveBroker { registration, epoch: 1 });
        }
        let state = PartitionState {
            leader,
            leader_epoch: 4,
            isr: isr.to_vec(),
            controller_epoch: 6,
            leader_recovery_state: 0,
        };
        let assignment = ReplicaAssignment { replicas: replicas.to_vec(), ..ReplicaAssignment::default() };
        let partition = Partition { assignment, state: Some((state, 9)), is_unreadable: false };
        let topic = Topic { id: Uuid::ZERO, partitions: BTreeMap::from([(0, partition)]), is_deleting: false };
        context.topics.insert("t".into(), topic);
        (context, TopicPartition::new("t", 0))
    }

    #[test]
    fn leaders_are_chosen_as_kafka_does() {
        // live, replicas, leader, isr, unclean -> leader, isr, recovery
        type Case<'a> = (&'a [i32], &'a [i32], i32, &'a [i32], bool, Option<(i32, &'a [i32], i8)>);
        let cases: &[Case<'_>] = &[
            (&[1, 2, 3], &[1, 2, 3], -1, &[2, 3], false, Some((2, &[2, 3], 0))),
            (&[3], &[1, 2, 3], 1, &[1, 3], false, Some((3, &[3], 0))),
            (&[3], &[1, 2, 3], 1, &[1, 2], false, None),
            (&[3], &[1, 2, 3], 1, &[1, 2], true, Some((3, &[3], 1))),
            (&[], &[1], 1, &[1], true, None),
        ];
        for (live, replicas, leader, isr, unclean, expected) in cases {
            let (context, partition) = context(live, replicas, *leader, isr);
            let elected = context.elect(&partition, *unclean);
            let short = elected.as_ref().map(|s| (s.leader, s.isr.as_slice(), s.leader_recovery_state));
            assert_eq!(short, *expected);
            assert!(elected.is_none_or(|s| (s.leader_epoch, s.controller_epoch) == (5, 7)));
        }
    }

    #[test]
    fn an_isr_never_gets_empty() {
        let (gone, partition) = context(&[], &[1], 1, &[1]);
        let state = gone.without_offline_replicas(&partition).expect("a change");
        assert_eq!((state.leader, state.isr, state.leader_epoch), (NO_LEADER, vec![1], 5));
        let (follower, partition) = context(&[1], &[1, 2], 1, &[1, 2]);
        let state = follower.without_offline_replicas(&partition).expect("a change");
        assert_eq!((state.leader, state.isr), (1, vec![1]));
        let (fine, partition) = context(&[1], &[1], 1, &[1]);
        assert_eq!(fine.without_offline_replicas(&partition), None);
    }
}
