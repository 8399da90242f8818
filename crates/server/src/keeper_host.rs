//! Hosts a keeper server, alone or one of an ensemble: its sockets, its clock, its log and its snapshots.
//!
//! Everything that happens to the server happens under one lock, and what it wants done is handed on under the same lock,
//! so that the order stays. Connections, of clients and of other servers, live on a thread of their own, so that a
//! heartbeat never waits for a broker's work; transactions are written and synced by another, all that wait at once; a
//! snapshot by a third, while it lasts. Transactions are handed over once per turn of the connections' thread, and what is
//! on disk is applied and answered there: one wake-up in each direction for all clients that had something to say. Where a
//! sync takes no longer than a wake-up (a file system in memory), the connections' thread writes little itself.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ottla_base::hash::FixedMap;
use ottla_client::keeper_client::{Connecting, KeeperAddress, KeeperConnector, KeeperStream, TcpConnector};
use ottla_keeper::ensemble::{self, EnsembleServer};
use ottla_keeper::jute::Jute;
use ottla_keeper::keeper_server::{ConnId, Input, KeeperServer, Output};
use ottla_keeper::proto::{ConnectRequest, OpCode, RequestHeader};
use ottla_keeper::session_tracker;
use ottla_keeper::storage::KeeperStorage;
use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Notify, oneshot};

use crate::clock::Clock;
use crate::keeper_config::DynamicFiles;
use crate::keeper_quorum::{self, Patience, Ports};

mod connection;
mod journal;
mod member;
mod operator;
mod snapshot;
#[cfg(test)]
mod tests;

use connection::Outbox;
pub(crate) use journal::Journal;

/// Bytes in flight in each direction of a connection inside the process.
const DUPLEX_BYTES: usize = 64 << 10;
/// Where connections within the process come from.
const LOCAL_PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// Works that are handed over before the turn's end: each has the changes of up to a kilobyte of requests.
const ENOUGH_WORKS: usize = 32;
/// Longest time between two ticks, whatever the server says.
const MAX_TICK: Duration = Duration::from_millis(500);
/// A tick that comes so much later than it was to come lets everybody speak first.
const LATE_TICK: Duration = Duration::from_millis(100);
/// How many times everybody may: a connection is accepted, then read, and a large frame comes in parts.
const LATE_TURNS: usize = 4;

/// The server inside of a host.
pub(crate) enum Server {
    Alone(Box<KeeperServer>),
    Member(Box<EnsembleServer>),
}

impl Server {
    fn keeper_mut(&mut self) -> &mut KeeperServer {
        match self {
            Self::Alone(keeper) => keeper,
            Self::Member(member) => member.keeper_mut(),
        }
    }

    /// May clients come?
    fn is_serving(&self) -> bool {
        match self {
            Self::Alone(_) => true,
            // A leader may be told to take none.
            Self::Member(member) => member.keeper().is_serving(),
        }
    }

    fn next_wakeup_ms(&self) -> u64 {
        match self {
            Self::Alone(keeper) => keeper.next_tick_ms(),
            Self::Member(member) => member.next_wakeup_ms(),
        }
    }
}

/// What a host is made of.
pub(crate) struct KeeperParts {
    pub server: Server,
    /// What writes its transactions.
    pub journal: Journal,
    /// What it wanted done when it was made.
    pub first: Vec<ensemble::Output>,
    pub patience: Patience,
    /// Where members that change are kept.
    pub dynamic_files: Option<DynamicFiles>,
    /// Where transactions and snapshots go.
    pub storage: KeeperStorage,
    pub clock: Clock,
    /// Called once when the keeper can't go on, with one line that says why.
    pub fatal: Box<dyn Fn(String) + Send + Sync>,
}

/// A running keeper.
pub struct KeeperHost {
    shared: Arc<Shared>,
    runtime: Handle,
    threads: Mutex<Option<Threads>>,
}

impl fmt::Debug for KeeperHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeeperHost")
    }
}

struct Threads {
    stop: oneshot::Sender<()>,
    connections: JoinHandle<()>,
    journal: JoinHandle<()>,
}

/// The server and the ways to those who carry out what it wants.
pub(crate) struct Shared {
    machine: Mutex<Machine>,
    clock: Clock,
    storage: KeeperStorage,
    /// Somebody must be woken earlier than was thought.
    earlier: Notify,
    /// There are works to be handed over.
    gathered: Notify,
    /// What the journal's thread has done and nobody has told the server yet.
    done: Mutex<Vec<journal::Done>>,
    persisted: Notify,
    /// Held while something is written, so that everything is in its order.
    journal: Mutex<Journal>,
    /// How many times the journal's thread has carried out what it was handed over.
    finished: AtomicU64,
    pace: journal::Pace,
    /// Counts what makes a snapshot that is being written void: see [`snapshot`].
    generation: AtomicU64,
    /// Held by whoever names or replaces files of snapshots.
    naming: Mutex<()>,
    patience: Patience,
    dynamic_files: Option<DynamicFiles>,
    runtime: Handle,
    fatal: Box<dyn Fn(String) + Send + Sync>,
}

struct Machine {
    server: Server,
    outputs: Vec<Output>,
    member_outputs: Vec<ensemble::Output>,
    links: member::Links,
    /// When the ticking task wakes up next.
    wakes_at_ms: u64,
    outboxes: FixedMap<ConnId, Arc<Outbox>>,
    next_conn: u64,
    /// For the journal's thread, in their order.
    works: Vec<journal::Work>,
    /// How many times the journal's thread was handed over something.
    handed: u64,
    /// `None` once the host stops.
    journal: Option<Sender<Vec<journal::Work>>>,
    snapshot: Option<Sender<snapshot::Part>>,
}

impl KeeperHost {
    /// Starts the threads; nobody can connect yet.
    pub(crate) fn start(parts: KeeperParts) -> io::Result<Self> {
        let KeeperParts { server, journal, first, patience, dynamic_files, storage, clock, fatal } = parts;
        let (work, queue) = std::sync::mpsc::channel();
        let machine = Machine {
            server,
            outputs: Vec::new(),
            member_outputs: Vec::new(),
            links: member::Links::default(),
            wakes_at_ms: 0,
            outboxes: FixedMap::default(),
            next_conn: 1,
            works: Vec::new(),
            handed: 0,
            journal: Some(work),
            snapshot: None,
        };
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let handle = runtime.handle().clone();
        let shared = Arc::new(Shared {
            machine: Mutex::new(machine),
            clock,
            storage,
            earlier: Notify::new(),
            gathered: Notify::new(),
            done: Mutex::new(Vec::new()),
            persisted: Notify::new(),
            journal: Mutex::new(journal),
            finished: AtomicU64::new(0),
            pace: journal::Pace::default(),
            generation: AtomicU64::new(0),
            naming: Mutex::new(()),
            patience,
            dynamic_files,
            runtime: handle.clone(),
            fatal,
        });
        let (stop, stopped) = oneshot::channel();
        handle.spawn(tick(Arc::clone(&shared)));
        handle.spawn(hand_over(Arc::clone(&shared)));
        handle.spawn(acknowledge(Arc::clone(&shared)));
        let connections = std::thread::Builder::new().name("ottla-keeper".to_owned()).spawn(move || {
            // An error means that the sender is gone, which ends the thread too.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        })?;
        let writer = Arc::clone(&shared);
        let journal = std::thread::Builder::new()
            .name("ottla-keeper-log".to_owned())
            .spawn(move || journal::run(&queue, &writer))?;
        shared.begin(first);
        Ok(Self { shared, runtime: handle, threads: Mutex::new(Some(Threads { stop, connections, journal })) })
    }

    /// Accepts clients on `socket` from now on.
    pub fn listen(&self, socket: TcpListener) -> io::Result<()> {
        tracing::info!(address = %socket.local_addr()?, "the keeper is awaiting clients");
        self.runtime.spawn(connection::accept(Arc::clone(&self.shared), socket));
        Ok(())
    }

    /// Takes the other servers' connections from now on.
    pub(crate) fn listen_to_peers(&self, ports: Ports) {
        let _inside = self.runtime.enter();
        keeper_quorum::listen(&self.shared, ports);
    }

    /// Opens connections to this keeper from within the process, and while it does not serve, to one of `others`.
    #[must_use]
    pub fn connector(&self, others: Vec<KeeperAddress>) -> Arc<dyn KeeperConnector> {
        Arc::new(InProcess { shared: Arc::clone(&self.shared), runtime: self.runtime.clone(), others })
    }

    /// Is it a server of an ensemble?
    #[must_use]
    pub fn is_member(&self) -> bool {
        matches!(self.shared.machine.lock().server, Server::Member(_))
    }

    /// The files of this keeper.
    #[must_use]
    pub fn storage(&self) -> &KeeperStorage {
        self.shared.storage()
    }

    /// The present moment, as the server sees it.
    #[must_use]
    pub fn now(&self) -> ottla_base::time::Now {
        self.shared.clock.now()
    }

    /// Looks at the server between two inputs.
    pub fn with_server<T>(&self, look: impl FnOnce(&mut KeeperServer) -> T) -> T {
        look(self.shared.machine.lock().server.keeper_mut())
    }

    /// Ends a session whose client is known to be gone, as its own goodbye would: what it kept alive goes at once.
    pub fn end_session(&self, session_id: i64) {
        let passwd = session_tracker::password(session_id);
        let connect = ConnectRequest { session_id, passwd: Some(&passwd), ..ConnectRequest::default() };
        let goodbye = RequestHeader { xid: 1, op: OpCode::CloseSession.code() };
        let mut bytes = Vec::new();
        for frame in [connect.to_bytes(), goodbye.to_bytes()] {
            bytes.extend_from_slice(&(frame.len() as u32).to_be_bytes());
            bytes.extend_from_slice(&frame);
        }
        let (conn, _) = self.shared.open(LOCAL_PEER);
        self.shared.step(Input::Received { conn, bytes: &bytes });
    }

    /// Closes all connections; what was decided is on disk when this returns.
    pub fn stop(&self) {
        let Some(threads) = self.threads.lock().take() else { return };
        // A thread that is gone needs no word.
        let _ = threads.stop.send(());
        let _ = threads.connections.join();
        {
            let mut machine = self.shared.machine.lock();
            machine.hand_over();
            machine.journal = None;
            machine.snapshot = None;
        }
        let _ = threads.journal.join();
    }
}

impl Drop for KeeperHost {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    /// One input to the server, and everything that follows.
    pub(crate) fn step(self: &Arc<Self>, input: Input<'_>) {
        let machine = &mut *self.machine.lock();
        match &mut machine.server {
            Server::Alone(server) => {
                server.step(self.clock.now(), input, &mut machine.outputs);
                let mut outputs = std::mem::take(&mut machine.outputs);
                for output in outputs.drain(..) {
                    self.carry_out(machine, output);
                }
                machine.outputs = outputs;
            }
            Server::Member(_) => self.step_member(machine, ensemble::Input::Client(input)),
        }
        self.rearm(machine);
    }

    /// The ticking task may be asleep until later than the server needs now.
    fn rearm(&self, machine: &mut Machine) {
        let due_ms = machine.server.next_wakeup_ms();
        if due_ms < machine.wakes_at_ms {
            machine.wakes_at_ms = due_ms;
            self.earlier.notify_one();
        }
    }

    fn tick(self: &Arc<Self>) {
        let is_member = matches!(self.machine.lock().server, Server::Member(_));
        if is_member { self.step_ensemble(ensemble::Input::Tick) } else { self.step(Input::Tick) }
    }

    fn carry_out(self: &Arc<Self>, machine: &mut Machine, output: Output) {
        match output {
            Output::Send { conn, bytes } => {
                if let Some(outbox) = machine.outboxes.get(&conn) {
                    outbox.send(bytes);
                }
            }
            Output::Close { conn } => {
                if let Some(outbox) = machine.outboxes.remove(&conn) {
                    outbox.close();
                }
            }
            Output::Pause { conn } => machine.pause(conn, true),
            Output::Resume { conn } => machine.pause(conn, false),
            Output::Append(batch) => self.log(machine, journal::Work::Append(batch)),
            Output::RollLog => self.log(machine, journal::Work::Roll),
            Output::SnapshotBegin { zxid } => machine.snapshot = snapshot::start(self, zxid),
            Output::SnapshotChunk(bytes) => machine.snapshot_part(snapshot::Part::Chunk(bytes)),
            Output::SnapshotEnd => {
                machine.snapshot_part(snapshot::Part::End);
                machine.snapshot = None;
            }
        }
    }

    /// Work for the journal's thread, which gets it when everybody else of this turn has had his say, or when there is
    /// enough for it to do while they have.
    fn log(&self, machine: &mut Machine, work: journal::Work) {
        machine.works.push(work);
        match machine.works.len() {
            1 => self.gathered.notify_one(),
            ENOUGH_WORKS => machine.hand_over(),
            _ => {}
        }
    }

    /// Hands over what has gathered, or carries it out here and now when that is quicker.
    fn hand_over(self: &Arc<Self>) {
        let mut machine = self.machine.lock();
        let idle = machine.journal.is_some() && machine.handed == self.finished.load(Ordering::Acquire);
        // Without syncs every write is quick, until the kernel has too much to write.
        if !idle || !self.storage.force_sync() || !self.pace.is_quick() || !journal::is_little(&machine.works) {
            return machine.hand_over();
        }
        // Whatever is handed over behind the back of this waits for the lock.
        let Some(mut journal) = self.journal.try_lock() else { return machine.hand_over() };
        let works = std::mem::take(&mut machine.works);
        drop(machine);
        if let Err(why) = journal::carry_out(&mut journal, works.into_iter(), self) {
            drop(journal);
            self.machine.lock().journal = None;
            self.fail(&why);
        }
    }

    /// This is on disk now.
    fn post(&self, done: journal::Done) {
        self.done.lock().push(done);
        self.persisted.notify_one();
    }

    /// A new connection, and the box in which what is to be sent to it gathers.
    fn open(self: &Arc<Self>, peer: SocketAddr) -> (ConnId, Arc<Outbox>) {
        let outbox = Arc::new(Outbox::default());
        let conn = {
            let mut machine = self.machine.lock();
            let conn = machine.next_conn;
            machine.next_conn += 1;
            machine.outboxes.insert(conn, Arc::clone(&outbox));
            conn
        };
        self.step(Input::Opened { conn, peer });
        (conn, outbox)
    }

    /// Clients that are connected now.
    fn connection_count(&self) -> usize {
        self.machine.lock().outboxes.len()
    }

    /// The connection is gone.
    fn closed(self: &Arc<Self>, conn: ConnId) {
        self.machine.lock().outboxes.remove(&conn);
        self.step(Input::Closed { conn });
    }

    /// How long other servers are waited for.
    pub(crate) fn patience(&self) -> Patience {
        self.patience
    }

    /// The files.
    pub(crate) fn storage(&self) -> &KeeperStorage {
        &self.storage
    }

    pub(crate) fn fail(&self, why: &str) {
        tracing::error!("the keeper stops: {why}");
        (self.fatal)(format!("the keeper stops: {why}"));
    }
}

impl Machine {
    fn pause(&self, conn: ConnId, paused: bool) {
        if let Some(outbox) = self.outboxes.get(&conn) {
            outbox.pause(paused);
        }
    }

    fn hand_over(&mut self) {
        if let Some(journal) = &self.journal
            && !self.works.is_empty()
        {
            // The thread has gone when the log failed; nothing is acknowledged any more then.
            let _ = journal.send(std::mem::take(&mut self.works));
            self.handed += 1;
        }
    }

    fn snapshot_part(&self, part: snapshot::Part) {
        if let Some(snapshot) = &self.snapshot {
            // The thread has gone when the snapshot failed, which it has told.
            let _ = snapshot.send(part);
        }
    }
}

async fn tick(shared: Arc<Shared>) {
    loop {
        let now_ms = shared.clock.mono_us() / 1_000;
        let due_ms = {
            let machine = &mut *shared.machine.lock();
            machine.wakes_at_ms = machine.server.next_wakeup_ms();
            machine.wakes_at_ms
        };
        let wait = Duration::from_millis(due_ms.saturating_sub(now_ms).max(1)).min(MAX_TICK);
        let began = Instant::now();
        tokio::select! {
            () = tokio::time::sleep(wait) => {
                if began.elapsed() > wait + LATE_TICK {
                    hear_everybody().await;
                }
                shared.tick();
            }
            () = shared.earlier.notified() => {}
        }
    }
}

/// After a pause of the whole process, pings of clients and other servers wait in the sockets: whoever is given up because
/// nothing was heard of it must not have spoken meanwhile.
async fn hear_everybody() {
    for _ in 0..LATE_TURNS {
        tokio::task::yield_now().await;
    }
}

/// Gives the journal's thread what has gathered; woken behind the tasks that gather it.
async fn hand_over(shared: Arc<Shared>) {
    loop {
        shared.gathered.notified().await;
        shared.hand_over();
    }
}

/// Tells the server what is on disk.
async fn acknowledge(shared: Arc<Shared>) {
    loop {
        shared.persisted.notified().await;
        let all = std::mem::take(&mut *shared.done.lock());
        for done in all {
            if done.transactions > 0 {
                shared.machine.lock().server.keeper_mut().note_sync(done.transactions, done.took_us);
            }
            match done.durable {
                journal::Durable::Alone { zxid } => shared.step(Input::Persisted { zxid }),
                journal::Durable::Member(written) => shared.step_ensemble(ensemble::Input::Persisted(written)),
            }
        }
    }
}

/// Hands out in-process streams.
struct InProcess {
    shared: Arc<Shared>,
    runtime: Handle,
    others: Vec<KeeperAddress>,
}

impl KeeperConnector for InProcess {
    fn connect<'a>(&'a self, server: &'a KeeperAddress) -> Connecting<'a> {
        if self.shared.machine.lock().server.is_serving() {
            let (ours, theirs) = tokio::io::duplex(DUPLEX_BYTES);
            self.runtime.spawn(connection::serve(Arc::clone(&self.shared), ours, LOCAL_PEER));
            let stream: Box<dyn KeeperStream> = Box::new(theirs);
            return Pin::from(Box::new(std::future::ready(Ok(stream))));
        }
        if self.others.contains(server) {
            return TcpConnector.connect(server);
        }
        let error =
            io::Error::new(io::ErrorKind::NotConnected, "it has no leader, as no quorum of its ensemble is there");
        Pin::from(Box::new(std::future::ready(Err(error))))
    }
}
