//! The commands of the shell, as zkCli names, spells and prints them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ottla_client::keeper_client::{ConnectString, KeeperClient};
use ottla_keeper::ops::{AclEntry, CreateMode, KeeperError, KeeperEvent, KeeperOp, KeeperReply};
use ottla_keeper::proto::{AddWatchMode, ErrorCode, Stat, WatcherType};

use super::arguments::Arguments;
use super::{quota, session};

pub const HELP: &str = "\
Commands of the shell:
  addWatch [-m PERSISTENT|PERSISTENT_RECURSIVE] path
  addauth scheme auth
  close
  config [-c] [-w] [-s]
  connect host:port
  create [-s] [-e] [-c] [-t ttl] path [data] [acl]
  delete [-v version] path
  deleteall path [-b batch size]
  delquota [-n|-b|-N|-B] path
  get [-s] [-w] [-b] [-x] path
  getAcl [-s] path
  getAllChildrenNumber path
  getEphemerals [path]
  history
  listquota path
  ls [-s] [-w] [-R] path
  printwatches on|off
  quit
  reconfig [-s] [-v version] [-members …] | [-add …] [-remove …]
  redo cmdno
  removewatches path [-c|-d|-a]
  set path data [-s] [-v version]
  setAcl [-s] [-v version] [-R] path acl
  setquota -n|-b|-N|-B val path
  stat [-w] path
  sync path
  version
  whoami
";

/// Commands that are remembered for `history` and `redo`.
const HISTORY: usize = 11;

type Done = Result<(), String>;

/// A shell with at most one session.
pub struct Shell {
    client: Option<KeeperClient>,
    timeout: Duration,
    print_watches: Arc<AtomicBool>,
    history: VecDeque<(usize, String)>,
    count: usize,
}

impl Shell {
    pub fn new(timeout: Duration) -> Self {
        Self {
            client: None,
            timeout,
            print_watches: Arc::new(AtomicBool::new(true)),
            history: VecDeque::new(),
            count: 0,
        }
    }

    pub async fn connect(&mut self, servers: ConnectString, name: &str) -> Done {
        self.close().await;
        let print = self.print_watches.clone();
        let events = move |event: KeeperEvent| {
            if print.load(Ordering::Relaxed) {
                print_event(&event);
            }
        };
        let session = session(servers, self.timeout, events).await;
        self.client = Some(session.map_err(|why| format!("Unable to connect to {name}: {why}"))?);
        Ok(())
    }

    pub async fn close(&mut self) {
        if let Some(client) = self.client.take() {
            client.close(Duration::from_secs(5)).await;
        }
    }

    /// What zkCli prints when its session is there.
    pub fn announce(&self) {
        println!("\nWATCHER::\n\nWatchedEvent state:SyncConnected type:None path:null");
    }

    pub fn remember(&mut self, line: &str) {
        self.history.push_back((self.count, line.to_owned()));
        self.count += 1;
        if self.history.len() > HISTORY {
            self.history.pop_front();
        }
    }

    fn client(&self) -> Result<&KeeperClient, String> {
        self.client.as_ref().ok_or_else(|| "Not connected".to_owned())
    }

    /// Carries out one command.
    pub async fn execute(&mut self, words: &[String]) -> Done {
        let (command, rest) = words.split_first().ok_or("a command is missing")?;
        match command.as_str() {
            "help" => print!("{HELP}"),
            "history" => self.history.iter().for_each(|(number, line)| println!("{number} - {line}")),
            "redo" => return self.redo(rest).await,
            "version" => println!("ZooKeeper CLI version: ottla {}", env!("CARGO_PKG_VERSION")),
            "printwatches" => return self.set_print_watches(rest),
            "connect" => return self.reconnect(rest).await,
            "close" => self.close().await,
            "quit" => {}
            "create" => return create(self.client()?, rest).await,
            "delete" => return delete(self.client()?, rest).await,
            "deleteall" | "rmr" => return delete_all(self.client()?, rest).await,
            "set" => return set(self.client()?, rest).await,
            "get" => return get(self.client()?, rest).await,
            "ls" => return ls(self.client()?, rest, false).await,
            "ls2" => return ls(self.client()?, rest, true).await,
            "stat" => return stat(self.client()?, rest).await,
            "getAcl" => return get_acl(self.client()?, rest).await,
            "setAcl" => return set_acl(self.client()?, rest).await,
            "sync" => return sync(self.client()?, rest).await,
            "addauth" => return add_auth(self.client()?, rest).await,
            "whoami" => return who_am_i(self.client()?).await,
            "getEphemerals" => return ephemerals(self.client()?, rest).await,
            "getAllChildrenNumber" => return all_children_number(self.client()?, rest).await,
            "addWatch" => return add_watch(self.client()?, rest).await,
            "removewatches" => return remove_watches(self.client()?, rest).await,
            "config" => return config(self.client()?, rest).await,
            "reconfig" => return reconfig(self.client()?, rest).await,
            "setquota" => return quota::set(self.client()?, rest).await,
            "listquota" => return quota::list(self.client()?, rest).await,
            "delquota" => return quota::delete(self.client()?, rest).await,
            unknown => return Err(format!("Command not found: {unknown}; `help` lists the commands")),
        }
        Ok(())
    }

    async fn redo(&mut self, rest: &[String]) -> Done {
        let number: usize = rest.first().and_then(|n| n.parse().ok()).ok_or("redo needs the number of a command")?;
        let line = self.history.iter().find(|(n, _)| *n == number).map(|(_, line)| line.clone());
        let line = line.ok_or("Command index out of range")?;
        let words = super::words::split(&line);
        if words.first().is_some_and(|word| word == "redo") {
            return Err("No redoing redos".into());
        }
        Box::pin(self.execute(&words)).await
    }

    fn set_print_watches(&self, rest: &[String]) -> Done {
        match rest.first().map(String::as_str) {
            Some(word) => self.print_watches.store(word == "on", Ordering::Relaxed),
            None => {
                println!("printwatches is {}", if self.print_watches.load(Ordering::Relaxed) { "on" } else { "off" });
            }
        }
        Ok(())
    }

    async fn reconnect(&mut self, rest: &[String]) -> Done {
        let address = rest.first().map_or("localhost:2181", String::as_str);
        self.connect(ConnectString::parse(address)?, address).await
    }
}

fn print_event(event: &KeeperEvent) {
    let (kind, path) = match event {
        KeeperEvent::NodeCreated { path } => ("NodeCreated", path),
        KeeperEvent::NodeDeleted { path } => ("NodeDeleted", path),
        KeeperEvent::NodeDataChanged { path } => ("NodeDataChanged", path),
        KeeperEvent::NodeChildrenChanged { path } => ("NodeChildrenChanged", path),
        KeeperEvent::Connected { .. } => return,
        KeeperEvent::Disconnected => return eprintln!("disconnected; trying again"),
        KeeperEvent::Expired => return eprintln!("the session has expired"),
    };
    println!("\nWATCHER::\n\nWatchedEvent state:SyncConnected type:{kind} path:{path}");
}

/// A refusal in zkCli's words.
pub fn explain(error: &KeeperError, path: &str) -> String {
    match error {
        KeeperError::ConnectionLoss => format!("KeeperErrorCode = ConnectionLoss for {path}: the outcome is not known"),
        KeeperError::SessionExpired => format!("KeeperErrorCode = Session expired for {path}"),
        KeeperError::Code(code) | KeeperError::Multi { code, .. } => match code {
            ErrorCode::NoNode => format!("Node does not exist: {path}"),
            ErrorCode::NodeExists => format!("Node already exists: {path}"),
            ErrorCode::NotEmpty => format!("Node not empty: {path}"),
            ErrorCode::NoChildrenForEphemerals => format!("Ephemerals cannot have children: {path}"),
            ErrorCode::BadVersion => format!("version No is not valid : {path}"),
            ErrorCode::InvalidAcl => "Acl is not valid : ".to_owned() + path,
            ErrorCode::NoAuth => format!("Insufficient permission : {path}"),
            ErrorCode::QuotaExceeded => format!("Quota has exceeded : {path}"),
            code => format!("KeeperErrorCode = {code} for {path}"),
        },
    }
}

/// One operation, with its refusal in words.
pub async fn call(client: &KeeperClient, op: KeeperOp, path: &str) -> Result<KeeperReply, String> {
    client.call(op).await.map_err(|error| explain(&error, path))
}

fn print_stat(stat: &Stat) {
    println!("cZxid = 0x{:x}\nctime = {}", stat.czxid, java_date(stat.ctime));
    println!("mZxid = 0x{:x}\nmtime = {}", stat.mzxid, java_date(stat.mtime));
    println!("pZxid = 0x{:x}\ncversion = {}\ndataVersion = {}", stat.pzxid, stat.cversion, stat.version);
    println!("aclVersion = {}\nephemeralOwner = 0x{:x}", stat.aversion, stat.ephemeral_owner);
    println!("dataLength = {}\nnumChildren = {}", stat.data_length, stat.num_children);
}

fn java_date(ms: i64) -> String {
    crate::time::java_date(ms)
}

fn print_data(data: Option<&[u8]>, arguments: &Arguments) {
    let data = data.unwrap_or_default();
    if arguments.has("x") {
        data.chunks(16)
            .for_each(|row| println!("{}", row.iter().map(|b| format!("{b:02x} ")).collect::<String>().trim_end()));
    } else {
        println!("{}", String::from_utf8_lossy(data));
    }
}

/// `world:anyone:cdrwa,digest:user:hash:rw`
fn parse_acl(text: &str) -> Result<Vec<AclEntry>, String> {
    let bad = || format!("{text} does not have the form scheme:id:perm");
    text.split(',')
        .map(|entry| {
            let (scheme, rest) = entry.split_once(':').ok_or_else(bad)?;
            let (id, letters) = rest.rsplit_once(':').ok_or_else(bad)?;
            let mut perms = 0;
            for letter in letters.chars() {
                perms |= match letter {
                    'r' => 1,
                    'w' => 2,
                    'c' => 4,
                    'd' => 8,
                    'a' => 16,
                    other => return Err(format!("Unknown perm type: {other}")),
                };
            }
            Ok(AclEntry { perms, scheme: scheme.to_owned(), id: id.to_owned() })
        })
        .collect()
}

fn print_acl(acl: &[AclEntry]) {
    for entry in acl {
        let letters = [(4, 'c'), (8, 'd'), (1, 'r'), (2, 'w'), (16, 'a')];
        let perms: String =
            letters.iter().filter(|(bit, _)| entry.perms & bit != 0).map(|(_, letter)| letter).collect();
        println!("'{},'{}\n: {perms}", entry.scheme, entry.id);
    }
}

async fn create(client: &KeeperClient, rest: &[String]) -> Done {
    let arguments = Arguments::parse(rest, "sec", &["t"])?;
    let path = arguments.path()?;
    let (sequential, ephemeral, container) = (arguments.has("s"), arguments.has("e"), arguments.has("c"));
    let ttl_ms: i64 = arguments.number("t", 0)?;
    let mode = match (sequential, ephemeral, container, arguments.has("t")) {
        (false, false, false, false) => CreateMode::Persistent,
        (true, false, false, false) => CreateMode::PersistentSequential,
        (false, true, false, false) => CreateMode::Ephemeral,
        (true, true, false, false) => CreateMode::EphemeralSequential,
        (false, false, true, false) => CreateMode::Container,
        (false, false, false, true) => CreateMode::PersistentWithTtl { ttl_ms },
        (true, false, false, true) => CreateMode::PersistentSequentialWithTtl { ttl_ms },
        (_, _, true, _) => {
            return Err("-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.".into());
        }
        _ => return Err("TTLs cannot be used with Ephemeral or Container znodes".into()),
    };
    let acl = arguments.words.get(2).map_or_else(|| Ok(AclEntry::open()), |text| parse_acl(text))?;
    let data = arguments.words.get(1).map(|data| data.clone().into_bytes());
    if let KeeperReply::Created { path, .. } =
        call(client, KeeperOp::Create { path: path.to_owned(), data, acl, mode }, path).await?
    {
        eprintln!("Created {path}");
    }
    Ok(())
}

async fn delete(client: &KeeperClient, rest: &[String]) -> Done {
    let arguments = Arguments::parse(rest, "", &["v"])?;
    let path = arguments.path()?;
    call(client, KeeperOp::Delete { path: path.to_owned(), version: arguments.number("v", -1)? }, path).await.map(drop)
}

/// The paths at and below `path`, parents first.
pub async fn subtree(client: &KeeperClient, path: &str) -> Result<Vec<String>, String> {
    let mut paths = vec![path.to_owned()];
    let mut at = 0;
    while at < paths.len() {
        let parent = paths[at].clone();
        match client.call(KeeperOp::GetChildren { path: parent.clone(), watch: false }).await {
            Ok(KeeperReply::Children { mut children, .. }) => {
                children.sort();
                let prefix = if parent == "/" { "" } else { parent.as_str() };
                paths.extend(children.iter().map(|child| format!("{prefix}/{child}")));
            }
            Ok(_) => {}
            // Gone between the listing and the look.
            Err(error) if error.is_no_node() && at > 0 => {}
            Err(error) => return Err(explain(&error, &parent)),
        }
        at += 1;
    }
    Ok(paths)
}

async fn delete_all(client: &KeeperClient, rest: &[String]) -> Done {
    let arguments = Arguments::parse(rest, "", &["b"])?;
    let path = arguments.path()?;
    let batch: usize = arguments.number("b", 1000)?;
    let mut paths = subtree(client, path).await?;
    paths.reverse();
    for chunk in paths.chunks(batch.max(1)) {
        let ops = chunk.iter().map(|path| KeeperOp::Delete { path: path.clone(), version: -1 }).collect();
        call(client, KeeperOp::Multi(ops), path).await?;
    }
    Ok(())
}

async fn set(client: &KeeperClient, rest: &[String]) -> Done {
    let arguments = Arguments::parse(rest, "sb", &["v"])?;
    let path = arguments.path()?;
    let data = arguments.words.get(1).ok_or("set needs a path and data")?.clone().into_bytes();
    let op = KeeperOp::SetData { path: path.to_owned(), data: Some(data), version: arguments.number("v", -1)? };
    if let KeeperReply::Stat(stat) = call(client, op, path).await?
        && arguments.has("s")
    {
        print_stat(&stat);
    }
    Ok(())
}

async fn get(client: &KeeperClient, rest: &[String]) -> Done {
    let arguments = Arguments::parse(rest, "swbx", &[])?;
    let path = arguments.path()?;
    let op = KeeperOp::GetData { path: path.to_owned(), watch: arguments.has("w") };
    if let KeeperReply::Data { data, stat } = call(client, op, path).await? {
        print_data(data.as_deref(), &arguments);
        if arguments.has("s") {
            print_stat(&stat);
        }
    }
    Ok(())
}

async fn ls(client: &KeeperClient, rest: &[String], with_stat: bool) -> Done {
    let arguments = Arguments::parse(rest, "swR", &[])?;
    let path = arguments.path()?;
    if arguments.has("R") {
        let mut paths = subtree(client, path).await?;
        paths.sort();
        paths.iter().for_each(|path| println!("{path}"));
        return Ok(());
    }
    let op = KeeperOp::GetChildren { path: path.to_owned(), watch: arguments.has("w") };
    if let KeeperReply::Children { mut children, stat } = call(client, op, path).await? {
        children.sort();
        println!("[{}]", children.join(", "));
        if with_stat || arguments.has("s") {
            print_stat(&stat);
        }
    }
    Ok(())
}

async fn stat(client: &KeeperClient, rest: &[String]) -> Done {
    let arguments = Arguments::parse(rest, "w", &[])?;
    let path = arguments.path()?;
    let op = KeeperOp::Exists { path: path.to_owned(), watch: arguments.has("w") };
    if let KeeperReply::Stat(stat) = call(client, op, path).await? {
        print_stat(&stat);
    }
    Ok(())
}

async fn get_acl(client: &KeeperClient, rest: &[String]) -> Done {
    let arguments = Arguments::parse(rest, "s", &[])?;
    let path = arguments.path()?;
    if let KeeperReply::Acl { acl, stat } = call(client, KeeperOp::GetAcl { path: path.to_owned() }, path).await? {
        print_acl(&acl);
        if arguments.has("s") {
            print_stat(&stat);
        }
    }
    Ok(())
}

async fn set_acl(client: &KeeperClient, rest: &[String]) -> Done {
    let arguments = Arguments::parse(rest, "sR", &["v"])?;
    let path = arguments.path()?;
    let acl = parse_acl(arguments.words.get(1).ok_or("setAcl needs a path and an acl")?)?;
    let version = arguments.number("v", -1)?;
    let paths = if arguments.has("R") { subtree(client, path).await? } else { vec![path.to_owned()] };
    for path in &paths {
        let op = KeeperOp::SetAcl { path: path.clone(), acl: acl.clone(), version };
        if let KeeperReply::Stat(stat) = call(client, op, path).await?
            && arguments.has("s")
        {
            print_stat(&stat);
        }
    }
    Ok(())
}

async fn sync(client: &KeeperClient, rest: &[String]) -> Done {
    let arguments = Arguments::parse(rest, "", &[])?;
    let path = arguments.path()?;
    call(client, KeeperOp::Sync { path: path.to_owned() }, path).await?;
    println!("Sync is OK");
    Ok(())
}

async fn add_auth(client: &KeeperClient, rest: &[String]) -> Done {
    let scheme = rest.first().ok_or("addauth needs a scheme")?;
    let credentials = rest.get(1).map(String::as_bytes).unwrap_or_default();
    client.add_auth(scheme, credentials).await.map_err(|error| explain(&error, scheme))
}

async fn who_am_i(client: &KeeperClient) -> Done {
    println!("Auth scheme: User");
    let known = client.who_am_i().await.map_err(|error| explain(&error, "whoami"))?;
    known.iter().for_each(|(scheme, user)| println!("{scheme}: {user}"));
    Ok(())
}

async fn ephemerals(client: &KeeperClient, rest: &[String]) -> Done {
    let prefix = rest.first().map_or("/", String::as_str);
    let paths = client.ephemerals(prefix).await.map_err(|error| explain(&error, prefix))?;
    println!("[{}]", paths.join(", "));
    Ok(())
}

async fn all_children_number(client: &KeeperClient, rest: &[String]) -> Done {
    let arguments = Arguments::parse(rest, "", &[])?;
    let path = arguments.path()?;
    println!("{}", client.all_children_number(path).await.map_err(|error| explain(&error, path))?);
    Ok(())
}

async fn add_watch(client: &KeeperClient, rest: &[String]) -> Done {
    let arguments = Arguments::parse(rest, "", &["m"])?;
    let path = arguments.path()?;
    let mode = match arguments.value("m") {
        None | Some("PERSISTENT_RECURSIVE") => AddWatchMode::PersistentRecursive,
        Some("PERSISTENT") => AddWatchMode::Persistent,
        Some(other) => return Err(format!("-m {other}: this must be PERSISTENT or PERSISTENT_RECURSIVE")),
    };
    client.add_watch(path, mode).await.map_err(|error| explain(&error, path))
}

async fn remove_watches(client: &KeeperClient, rest: &[String]) -> Done {
    let arguments = Arguments::parse(rest, "cdal", &[])?;
    let path = arguments.path()?;
    let kind = match (arguments.has("c"), arguments.has("d")) {
        (true, false) => WatcherType::Children,
        (false, true) => WatcherType::Data,
        _ => WatcherType::Any,
    };
    client.remove_watches(path, kind).await.map_err(|error| explain(&error, path))
}

async fn config(client: &KeeperClient, rest: &[String]) -> Done {
    let arguments = Arguments::parse(rest, "cws", &[])?;
    let answer = client.ensemble_config(arguments.has("w")).await;
    let (data, stat) = answer.map_err(|error| explain(&error, "/zookeeper/config"))?;
    println!("{}", String::from_utf8_lossy(&data.unwrap_or_default()));
    if arguments.has("s") {
        print_stat(&stat);
    }
    Ok(())
}

async fn reconfig(client: &KeeperClient, rest: &[String]) -> Done {
    let arguments = Arguments::parse(rest, "s", &["v", "file", "members", "add", "remove"])?;
    let members = match (arguments.value("file"), arguments.value("members")) {
        (Some(file), None) => {
            Some(std::fs::read_to_string(file).map_err(|e| format!("{file}: {e}"))?.replace('\n', ","))
        }
        (None, members) => members.map(str::to_owned),
        _ => return Err("Can't use -file and -members together".into()),
    };
    let text = |name| arguments.value(name).map(str::to_owned);
    let answer = client.reconfigure(text("add"), text("remove"), members, arguments.number("v", -1)?).await;
    let (data, stat) = answer.map_err(|error| explain(&error, "reconfig"))?;
    println!("Committed new configuration:\n{}", String::from_utf8_lossy(&data.unwrap_or_default()));
    if arguments.has("s") {
        print_stat(&stat);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acls() {
        let parsed = parse_acl("world:anyone:cdrwa,digest:u:h=:r").unwrap_or_default();
        assert_eq!(parsed.len(), 2);
        assert_eq!((parsed[0].perms, parsed[1].perms, parsed[1].id.as_str()), (31, 1, "u:h="));
        assert!(parse_acl("world").is_err() && parse_acl("world:anyone:z").is_err());
    }
}
