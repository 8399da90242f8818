//! Quotas: znodes below /zookeeper/quota, written by the client.

use ottla_client::keeper_client::KeeperClient;
use ottla_keeper::ops::{AclEntry, CreateMode, KeeperOp, KeeperReply};

use super::nodes::{call, subtree};
use super::print::explain;
use super::syntax::{self, Arguments};

const ROOT: &str = "/zookeeper/quota";

/// The four limits; -1 is none.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Limits {
    count: i64,
    bytes: i64,
    byte_hard: i64,
    count_hard: i64,
}

impl Limits {
    const NONE: Self = Self { count: -1, bytes: -1, byte_hard: -1, count_hard: -1 };

    /// As ZooKeeper's StatsTrack writes them; the odd `=` keeps older servers reading.
    fn text(&self) -> String {
        format!(
            "count={},bytes={}=;byteHardLimit={};countHardLimit={}",
            self.count, self.bytes, self.byte_hard, self.count_hard
        )
    }

    /// These where they are given, else those of `before`.
    fn over(&self, before: &Self) -> Self {
        let either = |new: i64, old: i64| if new > -1 { new } else { old };
        Self {
            count: either(self.count, before.count),
            bytes: either(self.bytes, before.bytes),
            byte_hard: either(self.byte_hard, before.byte_hard),
            count_hard: either(self.count_hard, before.count_hard),
        }
    }

    fn parse(text: &str) -> Self {
        let mut limits = Self::NONE;
        for part in text.split([',', ';']) {
            let mut pieces = part.split('=');
            let (name, value) =
                (pieces.next().unwrap_or_default(), pieces.next().and_then(|v| v.parse().ok()).unwrap_or(-1));
            match name {
                "count" => limits.count = value,
                "bytes" => limits.bytes = value,
                "byteHardLimit" => limits.byte_hard = value,
                "countHardLimit" => limits.count_hard = value,
                _ => {}
            }
        }
        limits
    }
}

/// The limits of `path`, when it has some.
async fn read(client: &KeeperClient, path: &str) -> Result<Option<Limits>, String> {
    let node = format!("{ROOT}{path}/zookeeper_limits");
    match client.call(KeeperOp::GetData { path: node.clone(), watch: false }).await {
        Ok(KeeperReply::Data { data, .. }) => {
            Ok(Some(Limits::parse(&String::from_utf8_lossy(&data.unwrap_or_default()))))
        }
        Ok(_) => Ok(None),
        Err(error) if error.is_no_node() => Ok(None),
        Err(error) => Err(explain(&error, &node)),
    }
}

async fn write(client: &KeeperClient, path: &str, limits: &Limits) -> Result<(), String> {
    let data = Some(limits.text().into_bytes());
    call(client, KeeperOp::SetData { path: format!("{ROOT}{path}/zookeeper_limits"), data, version: -1 }, path)
        .await
        .map(drop)
}

async fn ensure(client: &KeeperClient, path: String, data: Option<Vec<u8>>) -> Result<(), String> {
    let op = KeeperOp::Create { path: path.clone(), data, acl: AclEntry::open(), mode: CreateMode::Persistent };
    match client.call(op).await {
        Err(error) if !error.is_node_exists() => Err(explain(&error, &path)),
        _ => Ok(()),
    }
}

pub async fn set(client: &KeeperClient, arguments: &Arguments) -> Result<(), String> {
    let path = arguments.path()?;
    if path == "/" || path.starts_with("/zookeeper") {
        return Err(format!("cannot set a quota under the path: {path}"));
    }
    let wanted = wanted(arguments)?;
    call(client, KeeperOp::Exists { path: path.to_owned(), watch: false }, path).await?;
    let before = read(client, path).await?;
    if before.is_none() {
        make_nodes(client, path).await?;
    }
    let limits = wanted.over(&before.unwrap_or(Limits::NONE));
    write(client, path, &limits).await?;
    warn_if_exceeded(client, path, &limits).await
}

/// The limits of the command line.
fn wanted(arguments: &Arguments) -> Result<Limits, String> {
    if !["n", "b", "N", "B"].iter().any(|flag| arguments.has(flag)) {
        return Err(syntax::find("setquota").map_or_else(String::new, syntax::Syntax::usage_line));
    }
    let number = |flag: &str, least: i64, problem: &str| match arguments.number(flag, -1)? {
        value if arguments.has(flag) && value < least => Err(problem.to_owned()),
        value => Ok(value),
    };
    let (few, small) =
        ("the num quota must be greater than zero", "the bytes quota must be greater than or equal to zero");
    Ok(Limits {
        count: number("n", 1, few)?,
        bytes: number("b", 0, small)?,
        byte_hard: number("B", 0, small)?,
        count_hard: number("N", 1, few)?,
    })
}

async fn warn_if_exceeded(client: &KeeperClient, path: &str, limits: &Limits) -> Result<(), String> {
    let node = format!("{ROOT}{path}/zookeeper_stats");
    let op = KeeperOp::GetData { path: node.clone(), watch: false };
    let KeeperReply::Data { data, .. } = call(client, op, &node).await? else { return Ok(()) };
    let used = Limits::parse(&String::from_utf8_lossy(&data.unwrap_or_default()));
    let exceeded = |used: i64, limits: [i64; 2]| limits.iter().any(|limit| *limit > -1 && *limit < used);
    for (what, used, limits) in [
        ("count", used.count, [limits.count, limits.count_hard]),
        ("bytes", used.bytes, [limits.bytes, limits.byte_hard]),
    ] {
        if exceeded(used, limits) {
            println!("[Warning]: the {what} quota you create is less than the existing {what}:{used}");
        }
    }
    Ok(())
}

/// Makes the znodes of a quota; refuses where one above or below has one already, as the counts would be wrong.
async fn make_nodes(client: &KeeperClient, path: &str) -> Result<(), String> {
    let names: Vec<&str> = path.split('/').skip(1).collect();
    let mut at = String::new();
    for (i, name) in names.iter().enumerate() {
        at = format!("{at}/{name}");
        if i + 1 < names.len() && read(client, &at).await?.is_some() {
            return Err(format!("{path} has a parent {at} which has a quota"));
        }
    }
    // None, when there is nothing yet.
    let below = subtree(client, &format!("{ROOT}{path}"), false).await.unwrap_or_default();
    if let Some(node) = below.iter().find_map(|node| node.strip_suffix("/zookeeper_limits")) {
        return Err(format!("{path} has a child {} which has a quota", node.trim_start_matches(ROOT)));
    }
    at.clear();
    for name in names {
        at = format!("{at}/{name}");
        ensure(client, format!("{ROOT}{at}"), None).await?;
    }
    ensure(client, format!("{ROOT}{path}/zookeeper_limits"), Some(Limits::NONE.text().into_bytes())).await?;
    // The server counts as soon as this node is made.
    ensure(client, format!("{ROOT}{path}/zookeeper_stats"), Some(b"count=0,bytes=0".to_vec())).await
}

pub async fn list(client: &KeeperClient, arguments: &Arguments) -> Result<(), String> {
    let path = arguments.path()?;
    eprintln!("absolute path is {ROOT}{path}/zookeeper_limits");
    let limits = read(client, path).await?.ok_or_else(|| format!("quota for {path} does not exist."))?;
    println!("Output quota for {path} {}", limits.text());
    let stats = format!("{ROOT}{path}/zookeeper_stats");
    if let KeeperReply::Data { data, .. } =
        call(client, KeeperOp::GetData { path: stats.clone(), watch: false }, &stats).await?
    {
        println!("Output stat for {path} {}", String::from_utf8_lossy(&data.unwrap_or_default()));
    }
    Ok(())
}

pub async fn delete(client: &KeeperClient, arguments: &Arguments) -> Result<(), String> {
    let path = arguments.path()?;
    let Some(limits) = read(client, path).await? else {
        println!("Quota does not exist for {path}");
        return Ok(());
    };
    if ["n", "b", "N", "B"].iter().any(|flag| arguments.has(flag)) {
        let keep = |flag, value| if arguments.has(flag) { -1 } else { value };
        let limits = Limits {
            count: keep("n", limits.count),
            bytes: keep("b", limits.bytes),
            count_hard: keep("N", limits.count_hard),
            byte_hard: keep("B", limits.byte_hard),
        };
        return write(client, path, &limits).await;
    }
    for name in ["zookeeper_limits", "zookeeper_stats"] {
        let node = format!("{ROOT}{path}/{name}");
        call(client, KeeperOp::Delete { path: node.clone(), version: -1 }, &node).await?;
    }
    // Nodes that only led here go too.
    let mut at = path;
    while !at.is_empty() {
        if client.call(KeeperOp::Delete { path: format!("{ROOT}{at}"), version: -1 }).await.is_err() {
            break;
        }
        at = at.rsplit_once('/').map_or("", |(parent, _)| parent);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_as_zookeeper_writes_them() {
        let limits = Limits { count: 5, ..Limits::NONE };
        assert_eq!(limits.text(), "count=5,bytes=-1=;byteHardLimit=-1;countHardLimit=-1");
        assert_eq!(Limits::parse(&limits.text()), limits);
        assert_eq!(limits.over(&Limits { count: 9, bytes: 7, ..Limits::NONE }), Limits { bytes: 7, ..limits });
        assert_eq!(Limits::parse("count=1,bytes=2"), Limits { count: 1, bytes: 2, ..Limits::NONE });
    }
}
