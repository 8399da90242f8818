//! Which brokers a partition's replicas go to.

use std::collections::{BTreeMap, BTreeSet};

use ottla_base::random::Random;

/// A broker as an assignment sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BrokerRack {
    pub id: i32,
    pub rack: Option<String>,
}

/// From where an assignment counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    /// Index of the broker that leads partition 0.
    pub broker: usize,
    /// Distance of the second replica from the first.
    pub shift: usize,
    /// The first partition to assign.
    pub partition: i32,
}

impl Start {
    pub fn random(random: &mut Random, brokers: usize) -> Self {
        Self { broker: random.index(brokers), shift: random.index(brokers), partition: 0 }
    }
}

/// Assigns `count` partitions round robin, over racks where every broker has one; the other replicas lie at distances that grow by one
/// with every round, so that the load of a broker that is gone spreads. `factor` is at least 1 and no more than there are brokers.
#[doc(alias = "AdminUtils.assignReplicasToBrokers")]
pub(crate) fn assign_replicas(brokers: &[BrokerRack], count: i32, factor: usize, start: Start) -> Vec<Vec<i32>> {
    debug_assert!((1..=brokers.len()).contains(&factor), "checked by the caller");
    let racks: Option<BTreeMap<i32, &str>> = brokers.iter().map(|b| Some((b.id, b.rack.as_deref()?))).collect();
    let ids = match &racks {
        Some(racks) => alternate_racks(racks),
        None => brokers.iter().map(|broker| broker.id).collect(),
    };
    let n = ids.len();
    let mut shift = start.shift;
    let mut assignment = Vec::new();
    for partition in (start.partition..).take(usize::try_from(count).unwrap_or(0)) {
        let partition = usize::try_from(partition).unwrap_or(0);
        if partition > 0 && partition.is_multiple_of(n) {
            shift += 1;
        }
        let first = (partition + start.broker) % n;
        assignment.push(match &racks {
            None => {
                let others = (0..factor - 1).map(|j| ids[replica_index(first, shift, j, n)]);
                std::iter::once(ids[first]).chain(others).collect()
            }
            Some(racks) => over_racks(racks, &ids, first, shift, factor),
        });
    }
    assignment
}

fn replica_index(first: usize, shift: usize, replica: usize, brokers: usize) -> usize {
    (first + 1 + (shift + replica) % (brokers - 1)) % brokers
}

/// The first brokers of all racks, then the second ones, and so on.
fn alternate_racks(racks: &BTreeMap<i32, &str>) -> Vec<i32> {
    let mut by_rack: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for (id, rack) in racks {
        by_rack.entry(rack).or_default().push(*id);
    }
    let longest = by_rack.values().map(Vec::len).max().unwrap_or(0);
    (0..longest).flat_map(|round| by_rack.values().filter_map(move |ids| ids.get(round).copied())).collect()
}

/// One partition's replicas: no rack twice while another has none, no broker twice.
fn over_racks(racks: &BTreeMap<i32, &str>, ids: &[i32], first: usize, shift: usize, factor: usize) -> Vec<i32> {
    let n = ids.len();
    let rack_count = racks.values().collect::<BTreeSet<_>>().len();
    let mut replicas = vec![ids[first]];
    let mut used: BTreeSet<&str> = BTreeSet::from([racks[&ids[first]]]);
    let mut k = 0;
    while replicas.len() < factor {
        let id = ids[replica_index(first, shift * rack_count, k, n)];
        k += 1;
        let rack_is_fine = !used.contains(racks[&id]) || used.len() == rack_count;
        if rack_is_fine && !replicas.contains(&id) {
            replicas.push(id);
            used.insert(racks[&id]);
        }
    }
    replicas
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brokers(racks: &[(i32, Option<&str>)]) -> Vec<BrokerRack> {
        racks.iter().map(|(id, rack)| BrokerRack { id: *id, rack: rack.map(str::to_owned) }).collect()
    }

    #[test]
    fn replicas_go_round_robin_as_kafka_documents() {
        // The table in the documentation of AdminUtils: 10 partitions, 5 brokers, 3 replicas.
        let five = brokers(&[(0, None), (1, None), (2, None), (3, None), (4, None)]);
        let start = Start { broker: 0, shift: 0, partition: 0 };
        let expected = [
            [0, 1, 2],
            [1, 2, 3],
            [2, 3, 4],
            [3, 4, 0],
            [4, 0, 1],
            [0, 2, 3],
            [1, 3, 4],
            [2, 4, 0],
            [3, 0, 1],
            [4, 1, 2],
        ];
        assert_eq!(assign_replicas(&five, 10, 3, start), expected);
    }

    #[test]
    fn a_single_broker_takes_all() {
        let one = brokers(&[(7, None)]);
        let start = Start { broker: 0, shift: 0, partition: 3 };
        assert_eq!(assign_replicas(&one, 2, 1, start), [[7], [7]]);
    }

    #[test]
    fn racks_get_one_replica_each() {
        let six =
            brokers(&[(0, Some("a")), (1, Some("c")), (2, Some("b")), (3, Some("c")), (4, Some("b")), (5, Some("a"))]);
        let mut random = Random::new(3);
        for _ in 0..50 {
            for replicas in assign_replicas(&six, 12, 3, Start::random(&mut random, 6)) {
                let racks: BTreeSet<_> = replicas.iter().map(|id| six[*id as usize].rack.clone()).collect();
                assert_eq!((racks.len(), replicas.len()), (3, 3), "{replicas:?}");
            }
        }
    }

    #[test]
    fn leaders_are_spread_evenly_over_racks() {
        let four = brokers(&[(0, Some("a")), (1, Some("a")), (2, Some("a")), (3, Some("b"))]);
        let all = assign_replicas(&four, 8, 2, Start { broker: 0, shift: 0, partition: 0 });
        for id in 0..4 {
            assert_eq!(all.iter().filter(|replicas| replicas[0] == id).count(), 2);
        }
    }
}
