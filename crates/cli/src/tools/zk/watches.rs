//! `addWatch` and `removewatches`.

use ottla_client::keeper_client::KeeperClient;
use ottla_keeper::proto::{AddWatchMode, WatcherType};

use super::print::explain;
use super::syntax::Arguments;

pub async fn add(client: &KeeperClient, arguments: &Arguments) -> Result<(), String> {
    let path = arguments.path()?;
    let mode = match arguments.value("m").map(str::to_uppercase).as_deref() {
        None | Some("PERSISTENT_RECURSIVE") => AddWatchMode::PersistentRecursive,
        Some("PERSISTENT") => AddWatchMode::Persistent,
        Some(other) => return Err(format!("-m {other}: this must be PERSISTENT or PERSISTENT_RECURSIVE")),
    };
    client.add_watch(path, mode).await.map_err(|error| explain(&error, path))
}

/// `-l` (forget the watch although no server can be told) needs nothing: without a server there is no answer, and a new
/// session has no watches.
pub async fn remove(client: &KeeperClient, arguments: &Arguments) -> Result<(), String> {
    let path = arguments.path()?;
    let kinds = [
        ("c", WatcherType::Children),
        ("d", WatcherType::Data),
        ("p", WatcherType::Persistent),
        ("r", WatcherType::PersistentRecursive),
    ];
    let kind = kinds.iter().find(|(flag, _)| arguments.has(flag)).map_or(WatcherType::Any, |(_, kind)| *kind);
    client.remove_watches(path, kind).await.map_err(|error| explain(&error, path))
}
