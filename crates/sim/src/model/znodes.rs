//! The znodes of one keeper client, as far as it was told: for each the states that it may have.

use std::collections::BTreeMap;

use super::Check;

/// A znode; `None` in a list of states is "not there".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Znode {
    pub data: Vec<u8>,
    pub version: i32,
    pub ephemeral: bool,
}

/// The possible states of every path of the client.
#[derive(Debug, Default)]
pub struct Znodes(BTreeMap<String, Vec<Option<Znode>>>);

/// A change and the state it leads to; `None` when it can't happen in that state.
pub type Change<'a> = &'a dyn Fn(Option<&Znode>) -> Option<Option<Znode>>;

impl Znodes {
    fn states(&mut self, path: &str) -> &mut Vec<Option<Znode>> {
        self.0.entry(path.to_owned()).or_insert_with(|| vec![None])
    }

    /// The states that `path` may have.
    pub fn possible(&mut self, path: &str) -> Vec<Option<Znode>> {
        self.states(path).clone()
    }

    /// A change was acknowledged.
    pub fn done(&mut self, path: &str, change: Change<'_>) -> Check {
        let states = self.states(path);
        let after: Vec<_> = states.iter().filter_map(|state| change(state.as_ref())).collect();
        if after.is_empty() {
            return Err(format!("a change of {path} was acknowledged that {states:?} does not allow"));
        }
        *states = after;
        Ok(())
    }

    /// A change may have happened.
    pub fn maybe(&mut self, path: &str, change: Change<'_>) {
        let states = self.states(path);
        for after in states.clone().iter().filter_map(|state| change(state.as_ref())) {
            if !states.contains(&after) {
                states.push(after);
            }
        }
    }

    /// The state was seen.
    pub fn seen(&mut self, path: &str, fits: impl Fn(Option<&Znode>) -> bool, what: &str) -> Check {
        let states = self.states(path);
        let before = states.clone();
        states.retain(|state| fits(state.as_ref()));
        if states.is_empty() {
            return Err(format!("{path} was found to be {what}, but it can only be {before:?}"));
        }
        Ok(())
    }

    /// The session is over, and what it kept alive is gone.
    pub fn session_over(&mut self) {
        for states in self.0.values_mut() {
            for state in states.iter_mut() {
                if state.as_ref().is_some_and(|znode| znode.ephemeral) {
                    *state = None;
                }
            }
            let mut unique: Vec<Option<Znode>> = Vec::new();
            for state in states.drain(..) {
                if !unique.contains(&state) {
                    unique.push(state);
                }
            }
            *states = unique;
        }
    }
}
