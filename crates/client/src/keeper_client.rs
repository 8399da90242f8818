//! A client of the keeper: ours, or Apache ZooKeeper 3.4 to 3.9.
//!
//! Operations are answered in the order of their submission, and a watch's event is delivered before the answer that
//! shows the change, because one task reads the connection and hands both out. When the connection breaks, what was
//! under way fails with [`KeeperError::ConnectionLoss`] and the client goes to the next server, takes its session along
//! and sets its watches again. When the session has expired, the client is over: spawn another.

mod connect_string;
mod connector;
mod session;
mod watches;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ottla_keeper::ops::{KeeperError, KeeperEvent, KeeperOp, KeeperReply, KeeperResult};
use ottla_keeper::proto::{AddWatchMode, EventType, Stat, WatcherType};
use tokio::sync::{mpsc, oneshot, watch};

pub use connect_string::{ConnectString, KeeperAddress};
pub use connector::{Connecting, KeeperConnector, KeeperStream, TcpConnector};
use session::{Command, Done, Session};
use wire::{Answer, AnyOp, ExtraOp};

/// How to reach the keeper and as whom.
#[derive(Clone)]
pub struct KeeperClientConfig {
    pub servers: ConnectString,
    /// What to ask for; the server's bounds decide.
    pub session_timeout: Duration,
    /// Decides with which server to start.
    pub seed: u64,
    pub connector: Arc<dyn KeeperConnector>,
    /// `(scheme, credentials)`, sent on every connection before anything else.
    pub auth: Vec<(String, Vec<u8>)>,
    /// Be content with a server that is cut off from the others and only answers reads.
    pub read_only: bool,
    /// Sees each watch event as it arrives, before it is given out as a [`KeeperEvent`]; must not block.
    pub watched: Option<WatchedSink>,
}

/// Takes watch events.
pub type WatchedSink = Arc<dyn Fn(WatchedEvent) + Send + Sync>;

/// A watch event with everything that ZooKeeper's own client shows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedEvent {
    pub kind: EventType,
    /// As the client names it, without the chroot.
    pub path: String,
    /// The transaction that made the change; -1 when the server does not say (before 3.9), and for a removed watch.
    pub zxid: i64,
}

impl KeeperClientConfig {
    /// TCP, no authentication.
    #[must_use]
    pub fn new(servers: ConnectString, session_timeout: Duration, seed: u64) -> Self {
        Self {
            servers,
            session_timeout,
            seed,
            connector: Arc::new(TcpConnector),
            auth: Vec::new(),
            read_only: false,
            watched: None,
        }
    }
}

impl fmt::Debug for KeeperClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the connector nor the credentials belong in a log.
        f.debug_struct("KeeperClientConfig")
            .field("servers", &self.servers)
            .field("session_timeout", &self.session_timeout)
            .finish_non_exhaustive()
    }
}

/// Where the session stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// On the way to a server; what the last attempt met.
    Connecting {
        last_error: Option<String>,
    },
    Connected {
        server: String,
        session_id: i64,
        timeout: Duration,
        /// The server is cut off from the others.
        read_only: bool,
    },
    /// The server refused the credentials.
    AuthFailed,
    Expired,
    Closed,
}

impl SessionState {
    /// True when nothing can happen any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self, Self::AuthFailed | Self::Expired | Self::Closed)
    }
}

/// A session with the keeper. Clones share it; it closes when the last one is dropped.
#[doc(alias = "ZooKeeper")]
#[derive(Clone, Debug)]
pub struct KeeperClient {
    commands: mpsc::UnboundedSender<Command>,
    state: watch::Receiver<SessionState>,
    servers: ConnectString,
}

impl KeeperClient {
    /// Starts a session on the current tokio runtime. `events` is called from the session's task, in order with the
    /// answers, and must not block.
    pub fn spawn(config: KeeperClientConfig, events: impl FnMut(KeeperEvent) + Send + 'static) -> Self {
        let (commands, inbox) = mpsc::unbounded_channel();
        let (state_tx, state) = watch::channel(SessionState::Connecting { last_error: None });
        let servers = config.servers.clone();
        tokio::spawn(Session::new(config, inbox, Box::new(events), state_tx).run());
        Self { commands, state, servers }
    }

    /// Where the session stands, and its changes.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<SessionState> {
        self.state.clone()
    }

    /// Waits until a server has taken the session; the error is one line for the user.
    pub async fn wait_connected(&self, timeout: Duration) -> Result<(), String> {
        let mut state = self.state.clone();
        let reached =
            tokio::time::timeout(timeout, state.wait_for(|state| !matches!(state, SessionState::Connecting { .. })));
        let state = match reached.await {
            Ok(Ok(state)) => state.clone(),
            _ => self.state.borrow().clone(),
        };
        let servers: Vec<String> = self.servers.servers.iter().map(ToString::to_string).collect();
        let servers = servers.join(",");
        match state {
            SessionState::Connected { .. } => Ok(()),
            SessionState::Connecting { last_error } => {
                let why = last_error.unwrap_or_else(|| "no answer in time".to_owned());
                Err(format!("no keeper of {servers} answered: {why}; is it running?"))
            }
            SessionState::AuthFailed => Err(format!("{servers} refused the credentials")),
            SessionState::Expired => Err("the session has expired".to_owned()),
            SessionState::Closed => Err("the session is closed".to_owned()),
        }
    }

    /// Sends `op` after everything submitted before it; `done` is called from the session's task, once, and must not
    /// block.
    pub fn submit(&self, op: KeeperOp, done: Box<dyn FnOnce(KeeperResult) + Send>) {
        self.send(AnyOp::Op(op), Done::Op(done));
    }

    fn send(&self, op: AnyOp, done: Done) {
        if let Err(mpsc::error::SendError(command)) = self.commands.send(Command::Op { op, done }) {
            command.fail(&KeeperError::SessionExpired);
        }
    }

    /// Sends `op` and waits for its answer.
    pub async fn call(&self, op: KeeperOp) -> KeeperResult {
        let (tx, rx) = oneshot::channel();
        // The caller may have gone away meanwhile.
        self.submit(op, Box::new(move |result| drop(tx.send(result))));
        rx.await.unwrap_or(Err(KeeperError::SessionExpired))
    }

    async fn extra(&self, op: ExtraOp) -> Result<Answer, KeeperError> {
        let (tx, rx) = oneshot::channel();
        self.send(AnyOp::Extra(op), Done::Extra(tx));
        rx.await.unwrap_or(Err(KeeperError::SessionExpired))
    }

    /// Authenticates this session from now on (`digest`, `user:password`).
    pub async fn add_auth(&self, scheme: &str, credentials: &[u8]) -> Result<(), KeeperError> {
        let (done, rx) = oneshot::channel();
        let command = Command::Auth { scheme: scheme.to_owned(), credentials: credentials.to_vec(), done };
        if let Err(mpsc::error::SendError(command)) = self.commands.send(command) {
            command.fail(&KeeperError::SessionExpired);
        }
        rx.await.unwrap_or(Err(KeeperError::SessionExpired)).map(drop)
    }

    /// Watches `path` (and everything below it when recursive) until told otherwise. Servers from 3.6.
    pub async fn add_watch(&self, path: &str, mode: AddWatchMode) -> Result<(), KeeperError> {
        self.extra(ExtraOp::AddWatch { path: path.to_owned(), mode }).await.map(drop)
    }

    /// Takes watches of this session away; `NoWatcher` when there is none.
    pub async fn remove_watches(&self, path: &str, kind: WatcherType) -> Result<(), KeeperError> {
        self.extra(ExtraOp::RemoveWatches { path: path.to_owned(), kind }).await.map(drop)
    }

    /// The ephemeral nodes of this session whose paths begin with `prefix`.
    pub async fn ephemerals(&self, prefix: &str) -> Result<Vec<String>, KeeperError> {
        match self.extra(ExtraOp::GetEphemerals { prefix: prefix.to_owned() }).await? {
            Answer::Paths(paths) => Ok(paths),
            other => unexpected(&other),
        }
    }

    /// How many nodes are below `path`, at any depth.
    pub async fn all_children_number(&self, path: &str) -> Result<i32, KeeperError> {
        match self.extra(ExtraOp::AllChildrenNumber { path: path.to_owned() }).await? {
            Answer::Number(number) => Ok(number),
            other => unexpected(&other),
        }
    }

    /// `(scheme, user)` of each authentication of this session.
    pub async fn who_am_i(&self) -> Result<Vec<(String, String)>, KeeperError> {
        match self.extra(ExtraOp::WhoAmI).await? {
            Answer::Clients(clients) => Ok(clients),
            other => unexpected(&other),
        }
    }

    /// The ensemble's configuration (`/zookeeper/config`, whatever the chroot).
    pub async fn ensemble_config(&self, watch: bool) -> Result<(Option<Vec<u8>>, Stat), KeeperError> {
        data(self.extra(ExtraOp::GetConfig { watch }).await?)
    }

    /// Changes the ensemble; `from_config` -1 changes whatever it is. Gives the new configuration.
    pub async fn reconfigure(
        &self,
        joining: Option<String>,
        leaving: Option<String>,
        members: Option<String>,
        from_config: i64,
    ) -> Result<(Option<Vec<u8>>, Stat), KeeperError> {
        data(self.extra(ExtraOp::Reconfig { joining, leaving, members, from_config }).await?)
    }

    /// Ends the session in good order: its ephemeral nodes go at once. Gives up after `timeout`.
    pub async fn close(&self, timeout: Duration) {
        let (done, closed) = oneshot::channel();
        if self.commands.send(Command::Close { done }).is_ok() {
            // Either way nothing more can be done.
            let _ = tokio::time::timeout(timeout, closed).await;
        }
    }
}

fn data(answer: Answer) -> Result<(Option<Vec<u8>>, Stat), KeeperError> {
    match answer {
        Answer::Reply(KeeperReply::Data { data, stat }) => Ok((data, stat)),
        other => unexpected(&other),
    }
}

/// The session decodes each answer by its request, so this can't be seen; it is an error all the same, not a panic.
fn unexpected<T>(answer: &Answer) -> Result<T, KeeperError> {
    tracing::error!(?answer, "the keeper client mixed up an answer");
    Err(KeeperError::ConnectionLoss)
}
