//! Quotas: znodes below /zookeeper/quota, written by the client.

use ottla_client::keeper_client::KeeperClient;
use ottla_keeper::ops::{AclEntry, CreateMode, KeeperOp, KeeperReply};

use super::arguments::Arguments;
use super::commands::{call, explain, subtree};

const ROOT: &str = "/zookeeper/quota";

/// The four limits; -1 is none.
#[derive(Debug, PartialEq)]
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

pub async fn set(client: &KeeperClient, rest: &[String]) -> Result<(), String> {
    let arguments = Arguments::parse(rest, "", &["n", "b", "N", "B"])?;
    let path = arguments.path()?;
    call(client, KeeperOp::Exists { path: path.to_owned(), watch: false }, path).await?;
    if path == "/" || path.starts_with("/zookeeper") {
        return Err(format!("cannot set a quota under {path}"));
    }
    let mut limits = match read(client, path).await? {
        Some(limits) => limits,
        None => {
            make_nodes(client, path).await?;
            Limits::NONE
        }
    };
    limits.count = arguments.number("n", limits.count)?;
    limits.bytes = arguments.number("b", limits.bytes)?;
    limits.count_hard = arguments.number("N", limits.count_hard)?;
    limits.byte_hard = arguments.number("B", limits.byte_hard)?;
    write(client, path, &limits).await
}

/// Makes the znodes of a quota; refuses where one above or below has one already, as the counts would be wrong.
async fn make_nodes(client: &KeeperClient, path: &str) -> Result<(), String> {
    let names: Vec<&str> = path.split('/').skip(1).collect();
    let mut at = String::new();
    for (i, name) in names.iter().enumerate() {
        at = format!("{at}/{name}");
        if i + 1 < names.len() && read(client, &at).await?.is_some() {
            return Err(format!("{at} has a quota; {path} below it cannot have another"));
        }
        ensure(client, format!("{ROOT}{at}"), None).await?;
    }
    let below = subtree(client, &format!("{ROOT}{path}")).await?;
    if let Some(other) = below.iter().find(|node| node.ends_with("/zookeeper_limits")) {
        return Err(format!("{other} is a quota below {path}, which cannot have another"));
    }
    let (mut count, mut bytes) = (0, 0);
    for node in subtree(client, path).await? {
        if let KeeperReply::Stat(stat) =
            call(client, KeeperOp::Exists { path: node.clone(), watch: false }, &node).await?
        {
            count += 1;
            bytes += i64::from(stat.data_length);
        }
    }
    ensure(client, format!("{ROOT}{path}/zookeeper_limits"), Some(Limits::NONE.text().into_bytes())).await?;
    ensure(client, format!("{ROOT}{path}/zookeeper_stats"), Some(format!("count={count},bytes={bytes}").into_bytes()))
        .await
}

pub async fn list(client: &KeeperClient, rest: &[String]) -> Result<(), String> {
    let arguments = Arguments::parse(rest, "", &[])?;
    let path = arguments.path()?;
    let absolute = format!("{ROOT}{path}/zookeeper_limits");
    eprintln!("absolute path is {absolute}");
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

pub async fn delete(client: &KeeperClient, rest: &[String]) -> Result<(), String> {
    let arguments = Arguments::parse(rest, "nbNB", &[])?;
    let path = arguments.path()?;
    let mut limits = read(client, path).await?.ok_or_else(|| format!("quota for {path} does not exist."))?;
    if ["n", "b", "N", "B"].iter().any(|flag| arguments.has(flag)) {
        let keep = |flag, value| if arguments.has(flag) { -1 } else { value };
        limits = Limits {
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
        assert_eq!(Limits::parse("count=1,bytes=2"), Limits { count: 1, bytes: 2, ..Limits::NONE });
    }
}
