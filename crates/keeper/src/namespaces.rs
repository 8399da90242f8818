//! How much is read and written below each node of the root (`PathUtils.getTopNamespace`): `read_per_namespace` and
//! `write_per_namespace`.

use crate::jute::Reader;
use crate::proto::OpCode;
use crate::stats::Summary;
use ottla_base::hash::FixedMap;
use ottla_base::limits::{KEEPER_NAMESPACE_NAME_BYTES, KEEPER_NAMESPACES};

/// Bytes of a stat, as `DataTree` counts them.
const STAT_BYTES: u64 = 68;

/// What was read and written of one namespace, in bytes: the path, the data or the children's names, and for a read the stat.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    pub reads: Summary,
    pub writes: Summary,
}

/// The first [`KEEPER_NAMESPACES`] namespaces that something was read or written of.
#[derive(Clone, Debug, Default)]
pub struct Namespaces {
    by_name: FixedMap<Box<str>, Traffic>,
}

/// The name below the root; none of the root itself.
fn namespace_of(path: &str) -> Option<&str> {
    path.strip_prefix('/')?.split('/').next().filter(|name| !name.is_empty())
}

impl Namespaces {
    fn of(&mut self, path: &str) -> Option<&mut Traffic> {
        let name = namespace_of(path)?;
        // Twice, as the first one is nearly always there.
        if !self.by_name.contains_key(name) {
            if self.by_name.len() >= KEEPER_NAMESPACES || name.len() > KEEPER_NAMESPACE_NAME_BYTES {
                return None;
            }
            self.by_name.insert(name.into(), Traffic::default());
        }
        self.by_name.get_mut(name)
    }

    /// A node was created, changed or deleted; it has so much data now.
    pub(crate) fn wrote(&mut self, path: &str, data_len: usize) {
        if let Some(traffic) = self.of(path) {
            traffic.writes.add((path.len() + data_len) as u64);
        }
    }

    /// A read was answered. The parts of a multi are not counted.
    pub(crate) fn answered(&mut self, op: OpCode, request: &[u8], answer: &[u8]) {
        let stat = STAT_BYTES as usize;
        let content = match op {
            OpCode::Exists => answer.len().checked_sub(stat),
            // The length is four bytes.
            OpCode::GetData => answer.len().checked_sub(stat + 4),
            OpCode::GetChildren => names_len(answer),
            OpCode::GetChildren2 => answer.len().checked_sub(stat).and_then(|at| names_len(&answer[..at])),
            _ => None,
        };
        if let Some(content) = content
            && let Ok(Some(path)) = Reader::new(request).string()
            && let Some(traffic) = self.of(path)
        {
            traffic.reads.add((path.len() + content) as u64 + STAT_BYTES);
        }
    }

    /// All, in the order of their names.
    #[must_use]
    pub fn all(&self) -> Vec<(&str, &Traffic)> {
        let mut all: Vec<(&str, &Traffic)> = self.by_name.iter().map(|(name, traffic)| (&**name, traffic)).collect();
        all.sort_unstable_by_key(|(name, _)| *name);
        all
    }
}

/// Bytes of the names in an encoded list of them.
fn names_len(list: &[u8]) -> Option<usize> {
    let (count, names) = list.split_first_chunk::<4>()?;
    names.len().checked_sub(u32::from_be_bytes(*count) as usize * 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jute::Jute;
    use crate::proto::PathWatchRequest;

    #[test]
    fn bytes_are_counted_as_zookeeper_counts_them() {
        let mut namespaces = Namespaces::default();
        namespaces.wrote("/app/node", 100);
        namespaces.wrote("/app", 0);
        namespaces.wrote("/", 5);
        let request = PathWatchRequest { path: "/app/node", watch: true }.to_bytes();
        let names = vec!["one", "three"].to_bytes();
        let answers = [
            (OpCode::Exists, vec![0; 68], 9 + 68),
            (OpCode::GetData, vec![0; 4 + 100 + 68], 9 + 100 + 68),
            (OpCode::GetChildren, names.clone(), 9 + 8 + 68),
            (OpCode::GetChildren2, [names, vec![0; 68]].concat(), 9 + 8 + 68),
        ];
        for (op, answer, _) in &answers {
            namespaces.answered(*op, &request, answer);
        }
        namespaces.answered(OpCode::Ping, &request, &[]);
        // What no server of ours would answer.
        namespaces.answered(OpCode::GetChildren, &request, &[0xff; 6]);
        namespaces.answered(OpCode::GetData, &request, &[]);
        let all = namespaces.all();
        let [("app", traffic)] = all[..] else { panic!("{all:?}") };
        assert_eq!((traffic.writes.count, traffic.writes.total, traffic.writes.min), (2, 9 + 100 + 4, 4));
        assert_eq!((traffic.reads.count, traffic.reads.total), (4, answers.iter().map(|(_, _, bytes)| bytes).sum()));
    }

    #[test]
    fn clients_can_not_fill_the_memory_with_names() {
        let mut namespaces = Namespaces::default();
        namespaces.wrote(&format!("/{}", "x".repeat(KEEPER_NAMESPACE_NAME_BYTES + 1)), 1);
        for n in 0..2 * KEEPER_NAMESPACES {
            namespaces.wrote(&format!("/n{n}"), 1);
        }
        assert_eq!(namespaces.all().len(), KEEPER_NAMESPACES);
        namespaces.wrote("/n0/below", 1);
        assert_eq!(namespaces.all()[0].1.writes.count, 2, "those that are known are still counted");
    }
}
