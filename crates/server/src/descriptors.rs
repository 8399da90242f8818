//! The process's file descriptors, and who may take how many of them.
//!
//! Files and connections share one limit. Whoever opens connections must not keep a log from its files: a log directory
//! whose files can't be opened goes offline, and a keeper that can't open its next log stops.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit to what the system allows: every partition holds some files open, every client a socket.
pub(crate) fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

/// Most descriptors of the process; `None` is no limit.
pub(crate) fn limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Most connections of the broker's clients: half of the descriptors.
pub(crate) fn for_clients() -> usize {
    share(limit(), 2)
}

/// Most connections of the keeper's clients: a quarter of the descriptors.
pub(crate) fn for_keeper_clients() -> usize {
    share(limit(), 4)
}

fn share(limit: Option<u64>, parts: u64) -> usize {
    limit.and_then(|limit| usize::try_from(limit / parts).ok()).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_to_files() {
        assert_eq!((share(Some(1_024), 2), share(Some(1_024), 4)), (512, 256));
        assert_eq!((share(Some(1), 4), share(None, 2)), (1, usize::MAX));
    }
}
