//! The shell: its session, its history, and which command is carried out by whom.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use ottla_client::keeper_client::{ConnectString, KeeperClient, KeeperClientConfig, SessionState, WatchedEvent};
use ottla_keeper::ops::KeeperEvent;
use ottla_keeper::proto::KeeperState;

use super::print::{Notices, state_text, watched_text};
use super::syntax::{self, Arguments};
use super::{ensemble, nodes, quota, watches};

/// What `history` shows, as in zkCli.
const HISTORY_SHOWN: usize = 11;
/// What `redo` reaches back to.
const HISTORY_KEPT: usize = 1_000;
/// Exit code of a command that does not exist, as a shell has it.
const NOT_FOUND: u8 = 127;

/// Why a command was not carried out, and the exit code that says so.
#[derive(Debug)]
pub struct Problem {
    pub text: String,
    pub code: u8,
}

impl From<String> for Problem {
    fn from(text: String) -> Self {
        Self { text, code: 1 }
    }
}

/// The session of the shell, shared with whoever completes paths.
pub type SharedClient = Arc<Mutex<Option<KeeperClient>>>;

/// What the user set for all sessions.
#[derive(Clone, Debug)]
pub struct ShellOptions {
    pub timeout: Duration,
    pub read_only: bool,
    /// Print changes of the session's state too.
    pub print_states: bool,
}

/// A shell with at most one session.
pub struct Shell {
    options: ShellOptions,
    client: SharedClient,
    /// The servers as they were given.
    host: String,
    print_watches: Arc<AtomicBool>,
    notices: Notices,
    history: VecDeque<(usize, String)>,
    count: usize,
}

impl Shell {
    pub fn new(options: ShellOptions, notices: Notices) -> Self {
        Self {
            options,
            client: SharedClient::default(),
            host: String::new(),
            print_watches: Arc::new(AtomicBool::new(true)),
            notices,
            history: VecDeque::new(),
            count: 0,
        }
    }

    /// Ends the session there is and starts one with `host`; then waits for a server, at most `patience`.
    pub async fn connect(&mut self, host: &str, patience: Duration) -> Result<(), String> {
        let servers = ConnectString::parse(host)?;
        self.close().await;
        host.clone_into(&mut self.host);
        let state = Arc::new(OnceLock::new());
        let config = KeeperClientConfig {
            read_only: self.options.read_only,
            watched: Some(self.watch_printer()),
            ..KeeperClientConfig::new(servers, self.options.timeout, seed())
        };
        let client = KeeperClient::spawn(config, self.state_printer(Arc::clone(&state)));
        // The session's task has not run yet.
        let _ = state.set(client.state());
        self.set_client(Some(client.clone()));
        client.wait_connected(patience).await.map_err(|why| format!("Unable to connect to {host}: {why}"))
    }

    fn watch_printer(&self) -> Arc<dyn Fn(WatchedEvent) + Send + Sync> {
        let (print, notices) = (Arc::clone(&self.print_watches), self.notices.clone());
        Arc::new(move |event| {
            if print.load(Ordering::Relaxed) {
                notices.print(&watched_text(&event));
            }
        })
    }

    fn state_printer(
        &self,
        state: Arc<OnceLock<tokio::sync::watch::Receiver<SessionState>>>,
    ) -> impl FnMut(KeeperEvent) + Send + 'static {
        let (print, notices) = (Arc::clone(&self.print_watches), self.notices.clone());
        let print_states = self.options.print_states;
        move |event| {
            let read_only =
                || state.get().is_some_and(|s| matches!(*s.borrow(), SessionState::Connected { read_only: true, .. }));
            let reached = match event {
                KeeperEvent::Connected { .. } if read_only() => KeeperState::ConnectedReadOnly,
                KeeperEvent::Connected { .. } => KeeperState::SyncConnected,
                KeeperEvent::Disconnected => KeeperState::Disconnected,
                KeeperEvent::Expired => KeeperState::Expired,
                // Printed whole by `watch_printer`.
                _ => return,
            };
            if print_states && print.load(Ordering::Relaxed) {
                notices.print(&state_text(reached));
            }
        }
    }

    pub async fn close(&mut self) {
        if let Some(client) = self.set_client(None) {
            client.close(Duration::from_secs(5)).await;
        }
    }

    fn set_client(&self, client: Option<KeeperClient>) -> Option<KeeperClient> {
        match self.client.lock() {
            Ok(mut place) => std::mem::replace(&mut *place, client),
            Err(_) => None,
        }
    }

    /// The session, for who completes paths.
    pub fn shared_client(&self) -> SharedClient {
        Arc::clone(&self.client)
    }

    fn client(&self) -> Result<KeeperClient, String> {
        let client = self.client.lock().ok().and_then(|client| client.clone());
        client
            .filter(|client| !client.state().borrow().is_over())
            .ok_or_else(|| "Not connected: `connect host:port` begins a session".to_owned())
    }

    /// `[zk: host:port(CONNECTED) 0] `
    pub fn prompt(&self) -> String {
        let client = self.client.lock().ok().and_then(|client| client.clone());
        let state = client.map_or(SessionState::Closed, |client| client.state().borrow().clone());
        let state = match state {
            SessionState::Connecting { .. } => "CONNECTING",
            SessionState::Connected { read_only: true, .. } => "CONNECTEDREADONLY",
            SessionState::Connected { .. } => "CONNECTED",
            SessionState::AuthFailed => "AUTH_FAILED",
            SessionState::Expired | SessionState::Closed => "CLOSED",
        };
        format!("[zk: {}({state}) {}] ", self.host, self.count)
    }

    /// Carries out one line of a session and remembers it.
    pub async fn line(&mut self, line: &str) -> Result<(), Problem> {
        let words = syntax::split(line);
        self.remember(line);
        let done = self.execute(&words).await;
        self.count += 1;
        done
    }

    fn remember(&mut self, line: &str) {
        self.history.push_back((self.count, line.trim_end().to_owned()));
        if self.history.len() > HISTORY_KEPT {
            self.history.pop_front();
        }
    }

    /// Carries out one command.
    pub async fn execute(&mut self, words: &[String]) -> Result<(), Problem> {
        let Some((name, rest)) = words.split_first() else { return Err(String::from("a command is missing").into()) };
        let Some(command) = syntax::find(name) else {
            let text = format!("{}Command not found: {name}; above are those there are", syntax::help());
            return Err(Problem { text, code: NOT_FOUND });
        };
        let arguments = command.parse(rest)?;
        match command.name {
            "help" => print!("ottla zk -server host:port cmd args\n{}", syntax::help()),
            "history" => self.show_history(),
            "version" => println!("ZooKeeper CLI version: 3.9, Ottla {}", env!("CARGO_PKG_VERSION")),
            "printwatches" => self.set_print_watches(&arguments),
            "close" => self.close().await,
            "quit" => {}
            "redo" => return self.redo(&arguments).await,
            "connect" => {
                let host = arguments.words.first().unwrap_or(&self.host).clone();
                self.connect(&host, self.options.timeout).await?;
            }
            _ => on_session(&self.client()?, name, command.name, &arguments).await?,
        }
        Ok(())
    }

    fn show_history(&self) {
        let hidden = self.history.len().saturating_sub(HISTORY_SHOWN);
        self.history.iter().skip(hidden).for_each(|(number, line)| println!("{number} - {line}"));
    }

    async fn redo(&mut self, arguments: &Arguments) -> Result<(), Problem> {
        let number: Option<usize> = arguments.words.first().and_then(|n| n.parse().ok());
        let found = self.history.iter().find(|(n, _)| Some(*n) == number && *n < self.count);
        let Some(line) = found.map(|(_, line)| line.clone()) else {
            return Err(String::from("Command index out of range; `history` shows the last ones").into());
        };
        let words = syntax::split(&line);
        if words.first().is_some_and(|word| word == "redo") {
            return Err(String::from("No redoing redos").into());
        }
        // What was done counts, not that it was done by `redo`.
        if let Some(last) = self.history.back_mut() {
            last.1 = line;
        }
        Box::pin(self.execute(&words)).await
    }

    fn set_print_watches(&self, arguments: &Arguments) {
        match arguments.words.first() {
            Some(word) => self.print_watches.store(word == "on", Ordering::Relaxed),
            None => {
                println!("printwatches is {}", if self.print_watches.load(Ordering::Relaxed) { "on" } else { "off" });
            }
        }
    }
}

/// A command that needs a session; `called` is the name that was typed.
async fn on_session(client: &KeeperClient, called: &str, name: &str, arguments: &Arguments) -> Result<(), String> {
    match name {
        "create" => nodes::create(client, arguments).await,
        "delete" => nodes::delete(client, arguments).await,
        "deleteall" => nodes::delete_all(client, arguments).await,
        "set" => nodes::set(client, arguments).await,
        "get" => nodes::get(client, arguments).await,
        "ls" => nodes::ls(client, arguments, called == "ls2").await,
        "stat" => nodes::stat(client, arguments).await,
        "getAcl" => nodes::get_acl(client, arguments).await,
        "setAcl" => nodes::set_acl(client, arguments).await,
        "sync" => nodes::sync(client, arguments).await,
        "getEphemerals" => nodes::ephemerals(client, arguments).await,
        "getAllChildrenNumber" => nodes::all_children_number(client, arguments).await,
        "addWatch" => watches::add(client, arguments).await,
        "removewatches" => watches::remove(client, arguments).await,
        "addauth" => ensemble::add_auth(client, arguments).await,
        "whoami" => ensemble::who_am_i(client).await,
        "config" => ensemble::config(client, arguments).await,
        "reconfig" => ensemble::reconfig(client, arguments).await,
        "setquota" => quota::set(client, arguments).await,
        "listquota" => quota::list(client, arguments).await,
        "delquota" => quota::delete(client, arguments).await,
        other => Err(format!("{other} needs no session")),
    }
}

/// Which server is tried first need not be secret, only different.
fn seed() -> u64 {
    crate::time::now_ms() as u64 ^ u64::from(std::process::id()) << 32
}
