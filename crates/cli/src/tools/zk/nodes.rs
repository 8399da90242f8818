//! Commands on nodes: create, get, set, ls, …

use std::collections::BTreeMap;
use std::time::Duration;

use ottla_client::keeper_client::KeeperClient;
use ottla_keeper::ephemeral_type::ttl_owner;
use ottla_keeper::ops::{AclEntry, CreateMode, KeeperOp, KeeperReply};
use tokio::task::JoinSet;

use super::print::{DataForm, data_text, explain, from_base64, parse_acl, print_acl, print_stat};
use super::syntax::Arguments;

/// Nodes that `deleteall` deletes in one transaction, unless told otherwise.
const DELETE_BATCH: usize = 1_000;
/// Bytes of paths in such a transaction at most: a server takes requests of 1 MiB.
const DELETE_BATCH_BYTES: usize = 512 << 10;
/// Nodes whose children are asked for at the same time.
const LOOKS: usize = 256;
/// How long `sync` waits.
const SYNC_TIMEOUT: Duration = Duration::from_secs(30);

type Done = Result<(), String>;

/// One operation, with its refusal in words.
pub async fn call(client: &KeeperClient, op: KeeperOp, path: &str) -> Result<KeeperReply, String> {
    client.call(op).await.map_err(|error| explain(&error, path))
}

/// The form in which tools of old asked for a watch: a second word.
fn wants_watch(command: &str, arguments: &Arguments) -> bool {
    let old_form = arguments.words.len() > 1;
    if old_form {
        let flags = if command == "get" { "[-s] [-w]" } else { "[-w]" };
        eprintln!("'{command} path [watch]' has been deprecated. Please use '{command} {flags} path' instead.");
    }
    old_form || arguments.has("w")
}

pub async fn create(client: &KeeperClient, arguments: &Arguments) -> Done {
    let path = arguments.path()?;
    let mode = create_mode(arguments)?;
    let acl = arguments.words.get(2).map_or_else(|| Ok(AclEntry::open()), |text| parse_acl(text))?;
    let data = arguments.words.get(1).map(|data| data.clone().into_bytes());
    let op = KeeperOp::Create { path: path.to_owned(), data, acl, mode };
    if let KeeperReply::Created { path, .. } = call(client, op, path).await? {
        eprintln!("Created {path}");
    }
    Ok(())
}

fn create_mode(arguments: &Arguments) -> Result<CreateMode, String> {
    let (sequential, ephemeral, container) = (arguments.has("s"), arguments.has("e"), arguments.has("c"));
    let ttl_ms: i64 = arguments.number("t", 0)?;
    let ttl = arguments.has("t");
    if container && (sequential || ephemeral) {
        return Err("-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.".into());
    }
    if ttl && (ephemeral || container) {
        let kind = if ephemeral { "Ephemeral" } else { "Container" };
        return Err(format!("TTLs cannot be used with {kind} znodes"));
    }
    if ttl && ttl_owner(ttl_ms).is_none() {
        return Err(format!("-t {ttl_ms}: a TTL is a positive number of milliseconds, less than 2^40"));
    }
    Ok(match (sequential, ephemeral, container, ttl) {
        (false, true, ..) => CreateMode::Ephemeral,
        (true, true, ..) => CreateMode::EphemeralSequential,
        (_, _, true, _) => CreateMode::Container,
        (false, _, _, true) => CreateMode::PersistentWithTtl { ttl_ms },
        (true, _, _, true) => CreateMode::PersistentSequentialWithTtl { ttl_ms },
        (false, ..) => CreateMode::Persistent,
        (true, ..) => CreateMode::PersistentSequential,
    })
}

pub async fn delete(client: &KeeperClient, arguments: &Arguments) -> Done {
    let path = arguments.path()?;
    let mut version = arguments.number("v", -1)?;
    if let Some(old_form) = arguments.words.get(1) {
        eprintln!("'delete path [version]' has been deprecated. Please use 'delete [-v version] path' instead.");
        version = old_form.parse().map_err(|_| format!("{old_form}: a version must be a number"))?;
    }
    call(client, KeeperOp::Delete { path: path.to_owned(), version }, path).await.map(drop)
}

/// The paths at and below `path` in the order in which `ls -R` prints them: all children of a node, then what is below
/// each. Parents come before their children.
#[doc(alias = "ZKUtil.visitSubTreeDFS")]
pub async fn subtree(client: &KeeperClient, path: &str, watch: bool) -> Result<Vec<String>, String> {
    let mut found = BTreeMap::new();
    let mut level = vec![path.to_owned()];
    while !level.is_empty() {
        let mut next = Vec::new();
        for some in level.chunks(LOOKS) {
            let mut looks = JoinSet::new();
            for parent in some {
                let (client, parent) = (client.clone(), parent.clone());
                looks.spawn(async move {
                    (client.call(KeeperOp::GetChildren { path: parent.clone(), watch }).await, parent)
                });
            }
            while let Some(look) = looks.join_next().await {
                match look.map_err(|e| e.to_string())? {
                    (Ok(KeeperReply::Children { children, .. }), parent) => {
                        let children = below(&parent, children);
                        next.extend_from_slice(&children);
                        found.insert(parent, children);
                    }
                    (Ok(_), _) => {}
                    // Gone between the listing and the look.
                    (Err(error), parent) if error.is_no_node() && parent != path => {}
                    (Err(error), parent) => return Err(explain(&error, &parent)),
                }
            }
        }
        level = next;
    }
    Ok(in_order(path, &mut found))
}

/// The paths of a node's children, sorted.
fn below(parent: &str, mut children: Vec<String>) -> Vec<String> {
    children.sort();
    let prefix = if parent == "/" { "" } else { parent };
    children.iter().map(|child| format!("{prefix}/{child}")).collect()
}

fn in_order(path: &str, children: &mut BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut paths = vec![path.to_owned()];
    let mut open = vec![path.to_owned()];
    while let Some(parent) = open.pop() {
        let mine = children.remove(&parent).unwrap_or_default();
        open.extend(mine.iter().rev().cloned());
        paths.extend(mine);
    }
    paths
}

pub async fn delete_all(client: &KeeperClient, arguments: &Arguments) -> Done {
    let path = arguments.path()?;
    let batch: usize = arguments.number("b", DELETE_BATCH)?;
    let mut ops = Vec::new();
    let mut bytes = 0;
    for each in subtree(client, path, false).await?.into_iter().rev() {
        bytes += each.len();
        ops.push(KeeperOp::Delete { path: each, version: -1 });
        if ops.len() >= batch || bytes >= DELETE_BATCH_BYTES {
            delete_some(client, std::mem::take(&mut ops), path).await?;
            bytes = 0;
        }
    }
    delete_some(client, ops, path).await
}

async fn delete_some(client: &KeeperClient, ops: Vec<KeeperOp>, path: &str) -> Done {
    if ops.is_empty() {
        return Ok(());
    }
    match client.call(KeeperOp::Multi(ops)).await {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("Failed to delete some node(s) in the subtree! {}", explain(&error, path))),
    }
}

pub async fn set(client: &KeeperClient, arguments: &Arguments) -> Done {
    let path = arguments.path()?;
    let text = arguments.words.get(1).map(String::as_str).unwrap_or_default();
    let data = if arguments.has("b") { from_base64(text)? } else { text.as_bytes().to_vec() };
    let op = KeeperOp::SetData { path: path.to_owned(), data: Some(data), version: arguments.number("v", -1)? };
    if let KeeperReply::Stat(stat) = call(client, op, path).await?
        && arguments.has("s")
    {
        print_stat(&stat);
    }
    Ok(())
}

pub async fn get(client: &KeeperClient, arguments: &Arguments) -> Done {
    let path = arguments.path()?;
    let op = KeeperOp::GetData { path: path.to_owned(), watch: wants_watch("get", arguments) };
    if let KeeperReply::Data { data, stat } = call(client, op, path).await? {
        let form = match (arguments.has("x"), arguments.has("b")) {
            (true, _) => DataForm::HexDump,
            (_, true) => DataForm::Base64,
            _ => DataForm::Plain,
        };
        println!("{}", data_text(data.as_deref(), form));
        if arguments.has("s") {
            print_stat(&stat);
        }
    }
    Ok(())
}

pub async fn ls(client: &KeeperClient, arguments: &Arguments, with_stat: bool) -> Done {
    if arguments.has("?") {
        println!("usage: ls [options] path\n -R    recurse\n -s    stat\n -w    watch");
    }
    let path = arguments.path()?;
    let watch = wants_watch("ls", arguments);
    if arguments.has("R") {
        subtree(client, path, watch).await?.iter().for_each(|path| println!("{path}"));
        return Ok(());
    }
    let op = KeeperOp::GetChildren { path: path.to_owned(), watch };
    if let KeeperReply::Children { mut children, stat } = call(client, op, path).await? {
        children.sort();
        println!("[{}]", children.join(", "));
        if with_stat || arguments.has("s") {
            print_stat(&stat);
        }
    }
    Ok(())
}

pub async fn stat(client: &KeeperClient, arguments: &Arguments) -> Done {
    let path = arguments.path()?;
    let op = KeeperOp::Exists { path: path.to_owned(), watch: wants_watch("stat", arguments) };
    if let KeeperReply::Stat(stat) = call(client, op, path).await? {
        print_stat(&stat);
    }
    Ok(())
}

pub async fn get_acl(client: &KeeperClient, arguments: &Arguments) -> Done {
    let path = arguments.path()?;
    if let KeeperReply::Acl { acl, stat } = call(client, KeeperOp::GetAcl { path: path.to_owned() }, path).await? {
        print_acl(&acl);
        if arguments.has("s") {
            print_stat(&stat);
        }
    }
    Ok(())
}

pub async fn set_acl(client: &KeeperClient, arguments: &Arguments) -> Done {
    let path = arguments.path()?;
    let acl = parse_acl(arguments.words.get(1).map(String::as_str).unwrap_or_default())?;
    let version = arguments.number("v", -1)?;
    let op = |path: &str| KeeperOp::SetAcl { path: path.to_owned(), acl: acl.clone(), version };
    if !arguments.has("R") {
        if let KeeperReply::Stat(stat) = call(client, op(path), path).await?
            && arguments.has("s")
        {
            print_stat(&stat);
        }
        return Ok(());
    }
    // One node that refuses does not keep the others from theirs.
    let mut refused = None;
    for path in subtree(client, path, false).await? {
        if let Err(problem) = call(client, op(&path), &path).await
            && let Some(earlier) = refused.replace(problem)
        {
            eprintln!("{earlier}");
        }
    }
    refused.map_or(Ok(()), Err)
}

pub async fn sync(client: &KeeperClient, arguments: &Arguments) -> Done {
    let path = arguments.path()?;
    let synced = call(client, KeeperOp::Sync { path: path.to_owned() }, path);
    match tokio::time::timeout(SYNC_TIMEOUT, synced).await {
        Ok(done) => done?,
        Err(_) => return Err(format!("Sync has failed: no answer in {} s", SYNC_TIMEOUT.as_secs())),
    };
    println!("Sync is OK");
    Ok(())
}

pub async fn ephemerals(client: &KeeperClient, arguments: &Arguments) -> Done {
    let prefix = arguments.words.first().map_or("/", String::as_str);
    let paths = client.ephemerals(prefix).await.map_err(|error| explain(&error, prefix))?;
    println!("[{}]", paths.join(", "));
    Ok(())
}

pub async fn all_children_number(client: &KeeperClient, arguments: &Arguments) -> Done {
    let path = arguments.path()?;
    println!("{}", client.all_children_number(path).await.map_err(|error| explain(&error, path))?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::syntax::{find, split};
    use super::*;

    #[test]
    fn modes() {
        let mode = |line: &str| create_mode(&find("create").ok_or("unknown")?.parse(&split(line))?);
        assert_eq!(mode("/a"), Ok(CreateMode::Persistent));
        assert_eq!(mode("-s -e /a"), Ok(CreateMode::EphemeralSequential));
        assert_eq!(mode("-s -t 5 /a"), Ok(CreateMode::PersistentSequentialWithTtl { ttl_ms: 5 }));
        assert_eq!(mode("-c /a"), Ok(CreateMode::Container));
        for bad in ["-c -s /a", "-c -e /a", "-e -t 5 /a", "-c -t 5 /a", "-t 0 /a", "-t x /a"] {
            assert!(mode(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_order_of_ls_r() {
        let mut children = BTreeMap::from([
            ("/".to_owned(), below("/", vec!["b".into(), "a".into()])),
            ("/a".to_owned(), below("/a", vec!["x".into()])),
        ]);
        assert_eq!(in_order("/", &mut children), ["/", "/a", "/b", "/a/x"]);
    }
}
