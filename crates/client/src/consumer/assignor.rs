//! How a group's leader spreads partitions over the members.
//!
//! Members are taken in the order of their instance ids, or member ids where they have none, so that every leader comes
//! to the same result.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_base::ids::TopicPartition;

use crate::config::Assignor;

/// A member as its subscription tells.
#[derive(Clone, Debug, Default)]
pub(super) struct Member {
    pub(super) id: String,
    pub(super) instance: Option<String>,
    pub(super) topics: BTreeSet<Arc<str>>,
    /// What it holds, and since which generation (-1: not told).
    pub(super) owned: Vec<TopicPartition>,
    pub(super) generation: i32,
}

/// Partitions by member id; every member is in it.
pub(super) type Assignment = BTreeMap<String, Vec<TopicPartition>>;

/// Spreads the partitions of `counts` (partitions by topic).
pub(super) fn assign(assignor: Assignor, members: &[Member], counts: &BTreeMap<Arc<str>, i32>) -> Assignment {
    let mut members: Vec<&Member> = members.iter().collect();
    members.sort_by_key(|member| (member.instance.is_none(), member.instance.as_deref().unwrap_or(&member.id)));
    match assignor {
        Assignor::Range => range(&members, counts),
        Assignor::RoundRobin => round_robin(&members, counts),
        Assignor::CooperativeSticky => cooperative_sticky(&members, counts),
    }
}

fn empty(members: &[&Member]) -> Assignment {
    members.iter().map(|member| (member.id.clone(), Vec::new())).collect()
}

/// Topic by topic a run of partitions to each member; the first ones get one more where it does not come out even.
fn range(members: &[&Member], counts: &BTreeMap<Arc<str>, i32>) -> Assignment {
    let mut assignment = empty(members);
    for (topic, &count) in counts {
        let subscribed: Vec<&&Member> = members.iter().filter(|member| member.topics.contains(topic)).collect();
        if subscribed.is_empty() {
            continue;
        }
        let (each, more) = (count as usize / subscribed.len(), count as usize % subscribed.len());
        let mut next = 0;
        for (i, member) in subscribed.iter().enumerate() {
            let len = each + usize::from(i < more);
            let partitions = (next..next + len).map(|p| TopicPartition::new(topic.clone(), p as i32));
            assignment.entry(member.id.clone()).or_default().extend(partitions);
            next += len;
        }
    }
    assignment
}

/// One partition after the other to one member after the other.
fn round_robin(members: &[&Member], counts: &BTreeMap<Arc<str>, i32>) -> Assignment {
    let mut assignment = empty(members);
    let mut next = 0;
    for (topic, &count) in counts {
        if !members.iter().any(|member| member.topics.contains(topic)) {
            continue;
        }
        for partition in 0..count {
            while !members[next % members.len()].topics.contains(topic) {
                next += 1;
            }
            let member = &members[next % members.len()].id;
            assignment.entry(member.clone()).or_default().push(TopicPartition::new(topic.clone(), partition));
            next += 1;
        }
    }
    assignment
}

/// As even as can be with as few moves as can be; what has to move from one member to another is given to nobody this
/// time, and to its new owner when the old one has let it go (KIP-429).
fn cooperative_sticky(members: &[&Member], counts: &BTreeMap<Arc<str>, i32>) -> Assignment {
    let exists = |p: &TopicPartition| counts.get(&p.topic).is_some_and(|&count| (0..count).contains(&p.partition));
    // Who holds what: of two claims the one of the later generation counts.
    let mut owners: BTreeMap<TopicPartition, (i32, usize)> = BTreeMap::new();
    for (index, member) in members.iter().enumerate() {
        for partition in member.owned.iter().filter(|p| exists(p) && member.topics.contains(&p.topic)) {
            match owners.get(partition) {
                Some(&(generation, _)) if generation >= member.generation => {}
                _ => drop(owners.insert(partition.clone(), (member.generation, index))),
            }
        }
    }
    let mut held: Vec<Vec<TopicPartition>> = vec![Vec::new(); members.len()];
    for (partition, &(_, index)) in &owners {
        held[index].push(partition.clone());
    }
    for (topic, &count) in counts {
        for partition in (0..count).map(|p| TopicPartition::new(topic.clone(), p)) {
            if owners.contains_key(&partition) {
                continue;
            }
            let eligible = (0..members.len()).filter(|&i| members[i].topics.contains(topic));
            if let Some(least) = eligible.min_by_key(|&i| held[i].len()) {
                held[least].push(partition);
            }
        }
    }
    while let Some((from, at, to)) = better_move(members, &held) {
        let partition = held[from].remove(at);
        held[to].push(partition);
    }
    let mut assignment = empty(members);
    for (index, partitions) in held.into_iter().enumerate() {
        let stays = |p: &TopicPartition| owners.get(p).is_none_or(|&(_, owner)| owner == index);
        assignment.insert(members[index].id.clone(), partitions.into_iter().filter(stays).collect());
    }
    assignment
}

/// A partition whose move makes two members more even: `(from, position, to)`.
fn better_move(members: &[&Member], held: &[Vec<TopicPartition>]) -> Option<(usize, usize, usize)> {
    let mut by_load: Vec<usize> = (0..members.len()).collect();
    by_load.sort_by_key(|&i| held[i].len());
    for &to in &by_load {
        for &from in by_load.iter().rev() {
            if held[from].len() <= held[to].len() + 1 {
                break;
            }
            let may_go = |p: &TopicPartition| members[to].topics.contains(&p.topic);
            if let Some(at) = held[from].iter().rposition(may_go) {
                return Some((from, at, to));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, topics: &[&str], owned: &[(&str, i32)]) -> Member {
        Member {
            id: id.into(),
            instance: None,
            topics: topics.iter().map(|&t| t.into()).collect(),
            owned: owned.iter().map(|&(t, p)| TopicPartition::new(t, p)).collect(),
            generation: 1,
        }
    }

    fn counts(topics: &[(&str, i32)]) -> BTreeMap<Arc<str>, i32> {
        topics.iter().map(|&(topic, count)| (topic.into(), count)).collect()
    }

    fn shown(assignment: &Assignment) -> String {
        let shown: Vec<String> = assignment.iter().map(|(id, partitions)| format!("{id}{partitions:?}")).collect();
        shown.join(" ")
    }

    #[test]
    fn range_and_round_robin_are_kafkas() {
        let members = [member("b", &["t", "u"], &[]), member("a", &["t", "u"], &[])];
        let counts = counts(&[("t", 3), ("u", 3)]);
        assert_eq!(shown(&assign(Assignor::Range, &members, &counts)), "a[t-0, t-1, u-0, u-1] b[t-2, u-2]");
        assert_eq!(shown(&assign(Assignor::RoundRobin, &members, &counts)), "a[t-0, t-2, u-1] b[t-1, u-0, u-2]");
        let uneven = [member("a", &["t"], &[]), member("b", &["t", "u"], &[])];
        assert_eq!(shown(&assign(Assignor::RoundRobin, &uneven, &counts)), "a[t-0, t-2] b[t-1, u-0, u-1, u-2]");
        assert_eq!(shown(&assign(Assignor::Range, &uneven, &counts)), "a[t-0, t-1] b[t-2, u-0, u-1, u-2]");
    }

    #[test]
    fn cooperative_moves_little_and_in_two_steps() {
        let counts = counts(&[("t", 4)]);
        let alone = [member("a", &["t"], &[])];
        assert_eq!(shown(&assign(Assignor::CooperativeSticky, &alone, &counts)), "a[t-0, t-1, t-2, t-3]");
        let joined = [member("a", &["t"], &[("t", 0), ("t", 1), ("t", 2), ("t", 3)]), member("b", &["t"], &[])];
        assert_eq!(shown(&assign(Assignor::CooperativeSticky, &joined, &counts)), "a[t-0, t-1] b[]");
        let released = [member("a", &["t"], &[("t", 0), ("t", 1)]), member("b", &["t"], &[])];
        assert_eq!(shown(&assign(Assignor::CooperativeSticky, &released, &counts)), "a[t-0, t-1] b[t-2, t-3]");
    }

    #[test]
    fn the_later_generation_owns() {
        let counts = counts(&[("t", 2)]);
        let mut old = member("a", &["t"], &[("t", 0), ("t", 1)]);
        old.generation = 0;
        let new = member("b", &["t"], &[("t", 0)]);
        assert_eq!(shown(&assign(Assignor::CooperativeSticky, &[old, new], &counts)), "a[t-1] b[t-0]");
    }
}
