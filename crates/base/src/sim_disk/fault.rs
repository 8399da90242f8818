//! What can go wrong on a simulated disk, by order of the test.

use std::io;
use std::path::Path;

use crate::random::Random;

/// Linux error numbers, as the real disk would give them.
pub const EIO: i32 = 5;
pub const ENOSPC: i32 = 28;

/// A kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Open,
    Read,
    /// Writes, `set_len` and `allocate`.
    Write,
    Sync,
    /// Creations of directories, renames, removals and `sync_dir`.
    Dir,
}

/// A rule that makes calls fail.
#[derive(Clone, Debug)]
pub struct Fault {
    pub call: Call,
    /// The rule holds for paths that contain this; "" for all.
    pub path_contains: String,
    /// How often it strikes, in millionths.
    pub chance: u32,
    /// The error number given.
    pub errno: i32,
    /// How many times it may still strike; `None` for ever.
    pub times: Option<u32>,
}

impl Fault {
    /// Every such call on a path that contains `path_contains` fails with `EIO`.
    #[must_use]
    pub fn always(call: Call, path_contains: &str) -> Self {
        Self { call, path_contains: path_contains.to_owned(), chance: 1_000_000, errno: EIO, times: None }
    }

    /// The same, once.
    #[must_use]
    pub fn once(call: Call, path_contains: &str) -> Self {
        Self { times: Some(1), ..Self::always(call, path_contains) }
    }
}

/// The rules in force.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) rules: Vec<Fault>,
    /// Calls that may still change the disk before all of them fail.
    pub(super) calls_left: Option<u64>,
    /// A call failed because none was left.
    pub(super) spent: bool,
}

impl Faults {
    /// Errs when a rule strikes this call.
    pub(super) fn check(&mut self, call: Call, path: &Path, random: &mut Random) -> io::Result<()> {
        if !matches!(call, Call::Open | Call::Read)
            && let Some(left) = &mut self.calls_left
        {
            if *left == 0 {
                self.spent = true;
                return Err(io::Error::from_raw_os_error(EIO));
            }
            *left -= 1;
        }
        for rule in &mut self.rules {
            let concerned = rule.call == call && path.to_string_lossy().contains(&rule.path_contains);
            if !concerned || rule.times == Some(0) || !random.chance(rule.chance) {
                continue;
            }
            if let Some(times) = &mut rule.times {
                *times -= 1;
            }
            return Err(io::Error::from_raw_os_error(rule.errno));
        }
        Ok(())
    }
}
