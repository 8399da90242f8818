//! Is there an order of these operations on one znode that explains every answer, and in which each takes effect between
//! its request and its answer? A search in the manner of Wing and Gong (*Testing and verifying concurrent objects*, 1993),
//! which knows nothing of zxids, epochs or servers: the independent check.

use std::collections::BTreeSet;

/// What a client asked. An expected version of -1 is any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Create {
        value: u64,
    },
    Set {
        value: u64,
        expected: i32,
    },
    Delete {
        expected: i32,
    },
    /// Preceded by a `sync` of the same client, which counts as its beginning.
    Read,
}

/// What it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Created,
    /// The version that the change made.
    Set(i32),
    Deleted,
    /// Value and version.
    Read(u64, i32),
    NoNode,
    NodeExists,
    BadVersion,
}

/// An operation; times are numbers that grow with every event.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    pub op: Op,
    pub began: u64,
    /// `None`: the answer was lost, so it may have taken effect at any time since, or never.
    pub ended: Option<(u64, Outcome)>,
}

/// Value and version, when the node is there.
type State = Option<(u64, i32)>;

/// Most operations of one history.
pub const MOST: usize = 64;

/// Most states that a search looks at; what is left open then is taken for good, as the other checks have seen it too.
const MOST_STATES: usize = 300_000;

/// What an operation does, and is answered.
fn run(op: Op, state: State) -> (State, Outcome) {
    let right = |expected: i32, version: i32| expected == -1 || expected == version;
    match (op, state) {
        (Op::Create { value }, None) => (Some((value, 0)), Outcome::Created),
        (Op::Create { .. }, Some(_)) => (state, Outcome::NodeExists),
        (Op::Set { .. } | Op::Delete { .. } | Op::Read, None) => (None, Outcome::NoNode),
        (Op::Set { value, expected }, Some((_, version))) if right(expected, version) => {
            (Some((value, version + 1)), Outcome::Set(version + 1))
        }
        (Op::Delete { expected }, Some((_, version))) if right(expected, version) => (None, Outcome::Deleted),
        (Op::Set { .. } | Op::Delete { .. }, Some(_)) => (state, Outcome::BadVersion),
        (Op::Read, Some((value, version))) => (state, Outcome::Read(value, version)),
    }
}

/// False when no order explains the history of a node that was not there at first. A history of more than [`MOST`]
/// operations is not looked at, one that takes too long not to its end.
#[must_use]
pub fn is_linearizable(history: &[Operation]) -> bool {
    if history.len() > MOST {
        return true;
    }
    let mut seen: BTreeSet<(u64, State)> = BTreeSet::new();
    let mut open: Vec<(u64, State)> = vec![(0, None)];
    while let Some((done, state)) = open.pop() {
        if seen.len() > MOST_STATES {
            return true;
        }
        let is_done = |index: usize| done >> index & 1 == 1;
        let left = || history.iter().enumerate().filter(|(index, _)| !is_done(*index));
        // Nothing that began after this may come next.
        let Some(first_end) = left().filter_map(|(_, operation)| operation.ended.map(|(at, _)| at)).min() else {
            return true;
        };
        for (index, operation) in left().filter(|(_, operation)| operation.began < first_end) {
            let (after, outcome) = run(operation.op, state);
            let next = (done | 1 << index, after);
            if operation.ended.is_none_or(|(_, told)| told == outcome) && seen.insert(next) {
                open.push(next);
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(op: Op, began: u64, ended: u64, outcome: Outcome) -> Operation {
        Operation { op, began, ended: Some((ended, outcome)) }
    }

    fn lost(op: Op, began: u64) -> Operation {
        Operation { op, began, ended: None }
    }

    const CREATE: Op = Op::Create { value: 1 };

    fn set(value: u64) -> Op {
        Op::Set { value, expected: -1 }
    }

    #[test]
    fn one_after_the_other() {
        let created = told(CREATE, 1, 2, Outcome::Created);
        let good = [created, told(set(2), 3, 4, Outcome::Set(1)), told(Op::Read, 5, 6, Outcome::Read(2, 1))];
        assert!(is_linearizable(&good));
        let stale = [created, told(set(2), 3, 4, Outcome::Set(1)), told(Op::Read, 5, 6, Outcome::Read(1, 0))];
        assert!(!is_linearizable(&stale), "a read of what was overwritten before");
        let twice = [created, told(CREATE, 3, 4, Outcome::Created)];
        assert!(!is_linearizable(&twice), "created twice");
        assert!(!is_linearizable(&[told(Op::Read, 1, 2, Outcome::Read(1, 0))]), "out of nothing");
    }

    #[test]
    fn at_the_same_time_any_order_will_do() {
        let created = told(CREATE, 1, 2, Outcome::Created);
        let sets = [created, told(set(2), 3, 8, Outcome::Set(2)), told(set(3), 4, 7, Outcome::Set(1))];
        assert!(is_linearizable(&sets));
        let lost_update = [created, told(set(2), 3, 8, Outcome::Set(1)), told(set(3), 4, 7, Outcome::Set(1))];
        assert!(!is_linearizable(&lost_update), "both made version 1");
        let only_one = Op::Set { value: 4, expected: 0 };
        let both = [created, told(only_one, 3, 8, Outcome::Set(1)), told(only_one, 4, 7, Outcome::Set(1))];
        assert!(!is_linearizable(&both), "both found version 0");
        let one = [created, told(only_one, 3, 8, Outcome::Set(1)), told(only_one, 4, 7, Outcome::BadVersion)];
        assert!(is_linearizable(&one));
    }

    #[test]
    fn what_was_not_answered_may_have_happened_or_not() {
        let created = told(CREATE, 1, 2, Outcome::Created);
        let maybe = lost(set(9), 3);
        let read = |began, value, version| told(Op::Read, began, began + 1, Outcome::Read(value, version));
        assert!(is_linearizable(&[created, maybe, read(5, 1, 0)]));
        assert!(is_linearizable(&[created, maybe, read(5, 9, 1)]));
        assert!(is_linearizable(&[created, maybe, read(5, 1, 0), read(7, 9, 1)]), "late");
        assert!(!is_linearizable(&[created, maybe, read(5, 9, 1), read(7, 1, 0)]), "it came and went");
        assert!(!is_linearizable(&[created, read(5, 9, 1), lost(set(9), 8)]), "seen before it was asked for");
        let lost_delete = lost(Op::Delete { expected: -1 }, 3);
        assert!(is_linearizable(&[created, lost_delete, told(CREATE, 5, 6, Outcome::Created)]));
        assert!(
            !is_linearizable(&[created, told(Op::Delete { expected: 4 }, 3, 4, Outcome::Deleted)]),
            "another version"
        );
        assert!(!is_linearizable(&[created, lost_delete, told(CREATE, 5, 6, Outcome::NodeExists), read(7, 2, 0)]));
    }
}
