//! Who votes, and which sets of servers are a quorum: a majority, or by groups and weights. With the text that ZooKeeper
//! keeps in the dynamic file, in `/zookeeper/config`, in notifications and in NEWLEADER.

use crate::config::{Role, ServerSpec, parse_properties};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The members of an ensemble and its quorums.
#[doc(alias = "QuorumMaj")]
#[doc(alias = "QuorumHierarchical")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumVerifier {
    /// Zxid of the reconfiguration that made it; 0 for one from a file.
    pub version: i64,
    members: BTreeMap<i64, ServerSpec>,
    voters: BTreeSet<i64>,
    /// `None` is a majority.
    hierarchy: Option<Hierarchy>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Hierarchy {
    group_of: BTreeMap<i64, i64>,
    weights: BTreeMap<i64, i64>,
    /// Sum of the weights of each group that has any.
    group_weights: BTreeMap<i64, i64>,
}

impl QuorumVerifier {
    /// The ensemble that the lines of a configuration describe. The error says what is wrong.
    pub fn new(
        version: i64,
        members: BTreeMap<i64, ServerSpec>,
        groups: &BTreeMap<i64, Vec<i64>>,
        weights: &BTreeMap<i64, i64>,
    ) -> Result<Self, String> {
        let voters: BTreeSet<i64> =
            members.iter().filter(|(_, spec)| spec.role == Role::Participant).map(|(sid, _)| *sid).collect();
        let hierarchy = if groups.is_empty() && weights.is_empty() {
            None
        } else {
            Some(Hierarchy::new(&voters, groups, weights)?)
        };
        Ok(Self { version, members, voters, hierarchy })
    }

    /// Reads the text that [`fmt::Display`] writes: `server.`, `group.`, `weight.` and `version` lines.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut members, mut groups, mut weights) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut version = 0;
        let number = |text: &str| text.trim().parse::<i64>().map_err(|_| format!("{text:?} is not a number"));
        for property in parse_properties(text) {
            match property.key.split_once('.') {
                Some(("server", sid)) => {
                    members.insert(number(sid)?, ServerSpec::parse(&property.value)?);
                }
                Some(("group", group)) => {
                    groups.insert(number(group)?, property.value.split(':').map(number).collect::<Result<_, _>>()?);
                }
                Some(("weight", sid)) => {
                    weights.insert(number(sid)?, number(&property.value)?);
                }
                None if property.key == "version" => {
                    version = i64::from_str_radix(&property.value, 16)
                        .map_err(|_| format!("{:?} is not a version", property.value))?;
                }
                _ => {}
            }
        }
        Self::new(version, members, &groups, &weights)
    }

    /// The same members with another version.
    #[must_use]
    pub fn with_version(&self, version: i64) -> Self {
        Self { version, ..self.clone() }
    }

    /// Are these the same members with the same quorums?
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        (&self.members, &self.hierarchy) == (&other.members, &other.hierarchy)
    }

    /// Is a quorum simply most of the voters?
    #[must_use]
    pub fn is_majority(&self) -> bool {
        self.hierarchy.is_none()
    }

    /// All members, voters and observers.
    #[must_use]
    pub fn members(&self) -> &BTreeMap<i64, ServerSpec> {
        &self.members
    }

    /// Those who vote.
    #[must_use]
    pub fn voters(&self) -> &BTreeSet<i64> {
        &self.voters
    }

    #[must_use]
    pub fn is_voter(&self, sid: i64) -> bool {
        self.voters.contains(&sid)
    }

    /// A server's weight: with 0 it votes in name only and is never leader.
    #[must_use]
    pub fn weight(&self, sid: i64) -> i64 {
        match &self.hierarchy {
            None => 1,
            Some(hierarchy) => hierarchy.weights.get(&sid).copied().unwrap_or(0),
        }
    }

    /// Do these servers, those of them who vote, make a quorum? Any two quorums have a server in common.
    #[must_use]
    pub fn contains_quorum(&self, sids: &BTreeSet<i64>) -> bool {
        let voters = sids.intersection(&self.voters);
        match &self.hierarchy {
            None => voters.count() > self.voters.len() / 2,
            Some(hierarchy) => hierarchy.contains_quorum(voters),
        }
    }
}

impl Hierarchy {
    fn new(
        voters: &BTreeSet<i64>,
        groups: &BTreeMap<i64, Vec<i64>>,
        given_weights: &BTreeMap<i64, i64>,
    ) -> Result<Self, String> {
        let mut group_of = BTreeMap::new();
        for (group, sids) in groups {
            for sid in sids {
                if group_of.insert(*sid, *group).is_some() {
                    return Err(format!("server {sid} is in multiple groups"));
                }
            }
        }
        let mut weights = given_weights.clone();
        for sid in voters {
            if !group_of.contains_key(sid) {
                return Err(format!("server {sid} is not in a group"));
            }
            weights.entry(*sid).or_insert(1);
        }
        if weights.values().any(|weight| *weight < 0) {
            return Err("a weight is below zero".to_owned());
        }
        let mut group_weights = BTreeMap::new();
        for sid in voters {
            let weight = weights[sid];
            let sum = group_weights.entry(group_of[sid]).or_insert(0_i64);
            *sum = sum.saturating_add(weight);
        }
        group_weights.retain(|_, weight| *weight > 0);
        Ok(Self { group_of, weights, group_weights })
    }

    /// More than half of the weight in more than half of the groups that have any.
    fn contains_quorum<'a>(&self, sids: impl Iterator<Item = &'a i64>) -> bool {
        let mut sums: BTreeMap<i64, i64> = BTreeMap::new();
        for sid in sids {
            if let Some(group) = self.group_of.get(sid) {
                let sum = sums.entry(*group).or_insert(0);
                *sum = sum.saturating_add(self.weights.get(sid).copied().unwrap_or(0));
            }
        }
        let won = sums.iter().filter(|(group, sum)| self.group_weights.get(group).is_some_and(|all| **sum > all / 2));
        won.count() > self.group_weights.len() / 2
    }
}

impl fmt::Display for QuorumVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (sid, spec) in &self.members {
            write!(f, "server.{sid}=")?;
            write_spec(f, spec)?;
            writeln!(f)?;
        }
        if let Some(hierarchy) = &self.hierarchy {
            let mut groups: BTreeMap<i64, Vec<String>> = BTreeMap::new();
            for (sid, group) in &hierarchy.group_of {
                groups.entry(*group).or_default().push(sid.to_string());
            }
            for (group, sids) in groups {
                writeln!(f, "group.{group}={}", sids.join(":"))?;
            }
            for (sid, weight) in &hierarchy.weights {
                writeln!(f, "weight.{sid}={weight}")?;
            }
        }
        write!(f, "version={:x}", self.version)
    }
}

/// A server as `QuorumServer.toString` writes it.
fn write_spec(f: &mut fmt::Formatter<'_>, spec: &ServerSpec) -> fmt::Result {
    let host = |host: &str| if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    for (i, address) in spec.addresses.iter().enumerate() {
        let bar = if i == 0 { "" } else { "|" };
        write!(f, "{bar}{}:{}:{}", host(&address.host), address.quorum_port, address.election_port)?;
    }
    f.write_str(if spec.role == Role::Participant { ":participant" } else { ":observer" })?;
    match &spec.client {
        None => Ok(()),
        Some((address, port)) => write!(f, ";{}:{port}", host(address.as_deref().unwrap_or("0.0.0.0"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verifier(text: &str) -> QuorumVerifier {
        QuorumVerifier::parse(text).expect("a good configuration")
    }

    fn quorum(verifier: &QuorumVerifier, sids: &[i64]) -> bool {
        verifier.contains_quorum(&sids.iter().copied().collect())
    }

    #[test]
    fn majority_of_voters() {
        let text = "server.1=a:1:2:participant\nserver.2=b:1:2:participant\nserver.3=c:1:2:participant;0.0.0.0:2181\n\
                    server.4=[::1]:1:2:observer\nversion=1f";
        let verifier = verifier(text);
        assert_eq!(verifier.to_string(), text);
        assert_eq!((verifier.version, verifier.voters().len(), verifier.members().len()), (0x1f, 3, 4));
        assert!(quorum(&verifier, &[1, 3]) && !quorum(&verifier, &[1, 4]) && !quorum(&verifier, &[9, 8, 7]));
    }

    #[test]
    fn groups_and_weights() {
        let mut text: String = (1..=9).map(|sid| format!("server.{sid}=h{sid}:1:2:participant\n")).collect();
        text.push_str("group.1=1:2:3\ngroup.2=4:5:6\ngroup.3=7:8:9\n");
        let weights: String = (1..=9).map(|sid| format!("weight.{sid}={}\n", if sid >= 7 { 0 } else { 1 })).collect();
        text.push_str(&weights);
        text.push_str("version=0");
        let verifier = verifier(&text);
        assert_eq!(verifier.to_string(), text);
        // Group 3 has no weight, so two groups count and both are needed.
        assert!(quorum(&verifier, &[1, 2, 4, 5]) && !quorum(&verifier, &[1, 2, 3, 7, 8, 9]));
        assert!(!quorum(&verifier, &[1, 2, 4]));
        assert_eq!((verifier.weight(9), verifier.weight(1), verifier.weight(77)), (0, 1, 0));
    }

    #[test]
    fn bad_configurations_are_refused() {
        for bad in [
            "server.x=a:1:2",
            "server.1=a",
            "server.1=a:1:2\ngroup.1=2",
            "server.1=a:1:2\ngroup.1=1\ngroup.2=1",
            "version=xyz",
            "server.1=a:1:2\ngroup.1=1\nweight.1=-1",
        ] {
            assert!(QuorumVerifier::parse(bad).is_err(), "{bad}");
        }
    }
}
