use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Instant;

use ottla_base::disk::{Disk, FileSlice, OpenMode};
use ottla_base::sim_disk::SimDisk;
use ottla_base::time::Now;
use ottla_broker::purgatory::DelayedOperation;
use ottla_broker::reply::{Reply, ReplySink};
use ottla_protocol::{Frame, Segment};

use super::*;
use crate::listener::BindTo;
use crate::metrics::Metrics;
use crate::real_disk::RealDisk;
use crate::scratch::Scratch;

/// Answers by the request's first byte: `e`cho, `l`ate echo after 30 ms, `n`o answer, `c`lose, `g`ive up, a piece of a
/// `f`ile; what begins like a Fetch waits until another connection says `w`ake.
#[derive(Default)]
struct Echo {
    file: Mutex<Option<FileSlice>>,
    waiting: Mutex<Vec<(Box<dyn ReplySink>, Frame)>>,
    /// Requests that wait, and are given up when their client goes.
    abandoned: Arc<Abandoned>,
}

#[derive(Debug, Default)]
struct Abandoned(AtomicU64);

impl DelayedOperation for Abandoned {
    fn expire(self: Arc<Self>, _now: Now) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn frame_of(body: &[u8]) -> Frame {
    let mut bytes = (body.len() as u32).to_be_bytes().to_vec();
    bytes.extend_from_slice(body);
    Frame { segments: vec![Segment::Bytes(bytes)] }
}

impl RequestHandler for Echo {
    fn handle(
        &self,
        _now: Now,
        frame: &mut [u8],
        _connection: &mut ConnectionInfo,
        sink: &mut dyn FnMut() -> Box<dyn ReplySink>,
    ) -> Reply {
        match frame.first() {
            Some(b'e') => Reply::Now(frame_of(frame)),
            Some(b'l') => {
                let (sink, answer) = (sink(), frame_of(frame));
                std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_millis(30));
                    sink.reply(Reply::Now(answer));
                });
                Reply::Later
            }
            Some(0) => {
                let sink = sink();
                let abandoned = Arc::downgrade(&self.abandoned);
                sink.set_operation(abandoned);
                self.waiting.lock().push((sink, frame_of(frame)));
                Reply::Later
            }
            Some(b'w') => {
                for (sink, answer) in self.waiting.lock().drain(..) {
                    sink.reply(Reply::Now(answer));
                }
                Reply::Now(frame_of(frame))
            }
            Some(b'n') => Reply::None,
            Some(b'g') => {
                drop(sink());
                Reply::Later
            }
            Some(b'f') => {
                let slice = self.file.lock().clone().expect("a file was set");
                let len = slice.len as u32 + 2;
                let head = [&len.to_be_bytes()[..], b"<"].concat();
                let segments = vec![Segment::Bytes(head), Segment::File(slice), Segment::Bytes(b">".to_vec())];
                Reply::Now(Frame { segments })
            }
            _ => Reply::Close("asked to".to_owned()),
        }
    }
}

struct Server {
    server: SocketServer<Echo>,
    handler: Arc<Echo>,
    metrics: Metrics,
    address: SocketAddr,
}

fn start(config: SocketServerConfig) -> Server {
    let metrics = Metrics::default();
    let cores = Cores::start(2, &metrics).expect("threads start");
    let handler = Arc::new(Echo::default());
    let server = SocketServer::new(config, Arc::clone(&handler), cores, Clock::start());
    let to = BindTo {
        host: "127.0.0.1".to_owned(),
        port: 0,
        send_buffer: None,
        receive_buffer: None,
        backlog: 50,
        setting: "listeners",
    };
    let socket = to.bind().expect("binds");
    let address = socket.local_addr().expect("has an address");
    server.listen("PLAINTEXT", socket).expect("listens");
    Server { server, handler, metrics, address }
}

impl Server {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("connects");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("sets the timeout");
        stream
    }

    /// Waits until `done`; panics after 10 s.
    fn wait(&self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let end = Instant::now() + Duration::from_secs(10);
        while !done(self) {
            assert!(Instant::now() < end, "still waiting: {what}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn framed(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes()[..], body].concat()
}

fn read_frame(stream: &mut TcpStream) -> Vec<u8> {
    let mut len = [0; 4];
    stream.read_exact(&mut len).expect("a length arrives");
    let mut body = vec![0; u32::from_be_bytes(len) as usize];
    stream.read_exact(&mut body).expect("a body arrives");
    body
}

/// True when the server has closed the connection without another byte.
fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 16]) {
        Ok(count) => count == 0,
        Err(e) => e.kind() == io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn pipelined_requests_are_answered_in_order_early_and_late() {
    let server = start(SocketServerConfig::default());
    let mut stream = server.connect();
    let requests: Vec<Vec<u8>> = (0..200u32)
        .map(|i| {
            let kind = if i % 20 == 7 { 'l' } else { 'e' };
            format!("{kind}{i}{}", "x".repeat((i as usize * 37) % 900)).into_bytes()
        })
        .collect();
    let mut bytes = Vec::new();
    for request in &requests {
        bytes.extend(framed(request));
        bytes.extend(framed(b"nothing comes back"));
    }
    stream.write_all(&bytes).expect("writes");
    for request in &requests {
        assert_eq!(&read_frame(&mut stream), request);
    }
    stream.write_all(&framed(b"end")).expect("writes");
    assert_eq!(read_frame(&mut stream), b"end");
}

#[test]
fn large_frames_arrive_whole_among_small_ones() {
    let server = start(SocketServerConfig::default());
    let mut stream = server.connect();
    let mut writer = stream.try_clone().expect("clones");
    let requests: Vec<Vec<u8>> = [1, 65_536, 3, 70_000, 5 << 20, 16_384, 1_000_000, 2, 131_072]
        .iter()
        .map(|&len| (0..len as u32).map(|i| if i == 0 { b'e' } else { (i % 251) as u8 }).collect())
        .collect();
    let sent = requests.clone();
    let sending = std::thread::spawn(move || {
        for request in sent.iter().chain(&sent) {
            writer.write_all(&framed(request)).expect("writes");
        }
    });
    for request in requests.iter().chain(&requests) {
        assert!(&read_frame(&mut stream) == request, "a frame of {} bytes", request.len());
    }
    sending.join().expect("all was sent");
    server.wait("the memory is given back", |s| s.server.queued_bytes() == 0);
}

#[test]
fn bytes_may_come_one_by_one() {
    let server = start(SocketServerConfig::default());
    let mut stream = server.connect();
    stream.set_nodelay(true).expect("sets");
    for byte in framed(b"e slow").iter().chain(&framed(b"e again")) {
        stream.write_all(&[*byte]).expect("writes");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!((read_frame(&mut stream), read_frame(&mut stream)), (b"e slow".to_vec(), b"e again".to_vec()));
}

#[test]
fn bad_lengths_end_the_connection_after_the_good_requests_answer() {
    let server = start(SocketServerConfig::default());
    let garbage: [&[u8]; 4] =
        [&[0xff; 4], &(104_857_601u32).to_be_bytes(), b"GET / HTTP/1.1\r\n\r\n", &[0x16, 3, 1, 2, 0, 1]];
    for bytes in garbage {
        let mut stream = server.connect();
        stream.write_all(&[&framed(b"e good"), bytes].concat()).expect("writes");
        assert_eq!(read_frame(&mut stream), b"e good");
        assert!(is_closed(&mut stream), "{bytes:?}");
    }
    server.wait("all are counted", |s| s.metrics.render().contains("bad_requests_total"));
    let mut stream = server.connect();
    stream.write_all(&framed(b"e fine")).expect("writes");
    assert_eq!(read_frame(&mut stream), b"e fine", "the server goes on");
}

#[test]
fn a_lying_length_reserves_nothing_much() {
    let server = start(SocketServerConfig::default());
    let mut streams: Vec<_> = (0..50).map(|_| server.connect()).collect();
    for stream in &mut streams {
        stream.write_all(&[&104_857_600u32.to_be_bytes()[..], &[b'e'; 100]].concat()).expect("writes");
    }
    std::thread::sleep(Duration::from_millis(100));
    assert!(server.server.queued_bytes() <= 50 * (128 << 10), "{}", server.server.queued_bytes());
    drop(streams);
    server.wait("the connections end", |s| s.server.connection_count() == 0 && s.server.queued_bytes() == 0);
}

#[test]
fn a_closing_or_forgotten_request_ends_the_connection() {
    let server = start(SocketServerConfig::default());
    for request in ["close", "give up"] {
        let mut stream = server.connect();
        stream.write_all(&[framed(b"e1"), framed(request.as_bytes()), framed(b"e2")].concat()).expect("writes");
        assert_eq!(read_frame(&mut stream), b"e1");
        assert!(is_closed(&mut stream), "{request}");
    }
    let mut stream = server.connect();
    stream.write_all(&framed(b"")).expect("writes");
    assert!(is_closed(&mut stream), "an empty request");
}

#[test]
fn a_piece_of_a_file_is_sent_between_bytes() {
    let server = start(SocketServerConfig::default());
    let content: Vec<u8> = (0..3_000_000u32).map(|i| (i % 249) as u8).collect();
    let scratch = Scratch::new("send-file");
    let disks: [(Box<dyn Disk>, &Path); 2] =
        [(Box::new(RealDisk), scratch.path()), (Box::new(SimDisk::new(1)), Path::new("/"))];
    for (disk, dir) in disks {
        let file = disk.open(&dir.join("log"), OpenMode::Create).expect("opens");
        file.write_all_at(&content, 0).expect("writes");
        *server.handler.file.lock() = Some(FileSlice { file, position: 1_001, len: 2_500_000 });
        let mut stream = server.connect();
        stream.write_all(&[framed(b"e1"), framed(b"f"), framed(b"e2")].concat()).expect("writes");
        assert_eq!(read_frame(&mut stream), b"e1");
        let answer = read_frame(&mut stream);
        assert!(answer[0] == b'<' && answer[1..2_500_001] == content[1_001..2_501_001] && answer[2_500_001] == b'>');
        assert_eq!(read_frame(&mut stream), b"e2");
    }
}

#[test]
fn a_file_that_is_too_short_ends_the_connection() {
    let server = start(SocketServerConfig::default());
    let disk = SimDisk::new(1);
    let file = disk.open(Path::new("/log"), OpenMode::Create).expect("opens");
    file.write_all_at(&[1; 100], 0).expect("writes");
    *server.handler.file.lock() = Some(FileSlice { file, position: 0, len: 200 });
    let mut stream = server.connect();
    stream.write_all(&framed(b"f")).expect("writes");
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    assert!(bytes.len() < 206, "the answer must not look complete");
}

#[test]
fn idle_and_dripping_connections_end_and_busy_ones_stay() {
    let config = SocketServerConfig { max_idle: Some(Duration::from_millis(300)), ..SocketServerConfig::default() };
    let server = start(config);
    let (mut idle, mut dripping, mut busy) = (server.connect(), server.connect(), server.connect());
    dripping.write_all(&1_000u32.to_be_bytes()).expect("writes");
    for _ in 0..12 {
        std::thread::sleep(Duration::from_millis(50));
        // Fails once the server has closed it.
        let _ = dripping.write_all(b"e");
        busy.write_all(&framed(b"l")).expect("writes");
        assert_eq!(read_frame(&mut busy), b"l");
    }
    assert!(is_closed(&mut idle) && is_closed(&mut dripping));
    assert_eq!(server.server.connection_count(), 1);
}

#[test]
fn connections_are_bounded_in_all_and_per_address() {
    let limits = |max, max_per_ip| ConnectionLimits { max, max_per_ip, ..ConnectionLimits::default() };
    let server = start(SocketServerConfig { limits: limits(10, 2), ..SocketServerConfig::default() });
    let mut kept: Vec<_> = (0..2).map(|_| server.connect()).collect();
    server.wait("two are in", |s| s.server.connection_count() == 2);
    assert!(is_closed(&mut server.connect()));
    kept.pop();
    server.wait("one is out", |s| s.server.connection_count() == 1);
    let mut stream = server.connect();
    stream.write_all(&framed(b"e")).expect("writes");
    assert_eq!(read_frame(&mut stream), b"e");

    let server = start(SocketServerConfig { limits: limits(1, 10), ..SocketServerConfig::default() });
    let first = server.connect();
    server.wait("the first is in", |s| s.server.connection_count() == 1);
    let mut second = server.connect();
    second.write_all(&framed(b"e waits")).expect("writes");
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(server.server.connection_count(), 1);
    drop(first);
    assert_eq!(read_frame(&mut second), b"e waits");

    let mut third = server.connect();
    third.write_all(&framed(b"e waits, too")).expect("writes");
    std::thread::sleep(Duration::from_millis(50));
    server.server.set_limits(limits(2, 2));
    assert_eq!(read_frame(&mut third), b"e waits, too", "there is room now");
    server.server.set_limits(limits(10, 2));
    // The one that was waited for with the old limit may still get in.
    let _ = server.connect();
    server.wait("two are left", |s| s.server.connection_count() == 2);
    assert!(is_closed(&mut server.connect()), "too many of one address");
}

/// A request that begins like Fetch (API key 1).
fn waiting_request(i: usize, len: usize) -> Vec<u8> {
    let mut body = vec![0, 1, i as u8];
    body.resize(len.max(3), b'x');
    body
}

#[test]
fn those_who_wait_are_answered_by_another_ones_request() {
    let server = start(SocketServerConfig::default());
    let mut waker = server.connect();
    let mut clients: Vec<_> = (0..9).map(|_| server.connect()).collect();
    for round in 0..20 {
        // Some pipeline the next request behind the one that waits, some answers are too large to be sent directly.
        let requests: Vec<_> = (0..clients.len()).map(|i| waiting_request(i, (i % 3) * 9_000 + round)).collect();
        for (i, (client, request)) in clients.iter_mut().zip(&requests).enumerate() {
            client.write_all(&framed(request)).expect("writes");
            if i % 2 == 1 {
                client.write_all(&framed(b"e next")).expect("writes");
            }
        }
        server.wait("all wait", |s| s.handler.waiting.lock().len() == requests.len());
        waker.write_all(&framed(b"wake")).expect("writes");
        assert_eq!(read_frame(&mut waker), b"wake");
        for (i, (client, request)) in clients.iter_mut().zip(&requests).enumerate() {
            assert_eq!(&read_frame(client), request, "round {round}, client {i}");
            if i % 2 == 1 {
                assert_eq!(read_frame(client), b"e next");
            }
        }
    }
    assert_eq!(server.handler.abandoned.0.load(Ordering::Relaxed), 0);
}

#[test]
fn a_client_that_does_not_read_its_direct_answers_loses_nothing() {
    let server = start(SocketServerConfig::default());
    let (mut waker, mut client) = (server.connect(), server.connect());
    let count = 800;
    let mut writer = client.try_clone().expect("clones");
    let writing = std::thread::spawn(move || {
        // More than any socket buffer holds, each answer small enough to be sent directly.
        for i in 0..count {
            writer.write_all(&framed(&waiting_request(i, 15_000))).expect("writes");
        }
    });
    let mut wake = || {
        waker.write_all(&framed(b"wake")).expect("writes");
        assert_eq!(read_frame(&mut waker), b"wake");
    };
    for _ in 0..2_000 {
        wake();
    }
    let reading = std::thread::spawn(move || {
        for i in 0..count {
            assert_eq!(read_frame(&mut client), waiting_request(i, 15_000), "{i}");
        }
    });
    let end = Instant::now() + Duration::from_secs(30);
    while !reading.is_finished() && Instant::now() < end {
        wake();
    }
    assert!(reading.is_finished(), "answers are missing");
    reading.join().expect("all came");
    writing.join().expect("all was asked");
}

#[test]
fn a_waiting_fetch_is_given_up_when_its_client_goes() {
    let server = start(SocketServerConfig::default());
    for gone in 1..4 {
        let mut client = server.connect();
        client.write_all(&framed(&waiting_request(0, 20))).expect("writes");
        server.wait("it waits", |s| s.handler.waiting.lock().len() == gone);
        drop(client);
        server.wait("it is given up", |s| s.handler.abandoned.0.load(Ordering::Relaxed) == gone as u64);
        server.wait("the connection ends", |s| s.server.connection_count() == 0);
    }
}

#[test]
fn stopping_closes_everything() {
    let server = start(SocketServerConfig::default());
    let mut stream = server.connect();
    stream.write_all(&framed(b"e")).expect("writes");
    read_frame(&mut stream);
    server.server.stop();
    assert!(is_closed(&mut stream));
    server.wait("the books are empty", |s| s.server.connection_count() == 0);
}
