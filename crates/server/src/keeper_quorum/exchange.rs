//! Both directions of one connection between servers, until it ends.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::outgoing::Outgoing;

/// Bytes read at a time.
const READ_BYTES: usize = 64 << 10;
/// A buffer that held one large packet is not kept.
const KEPT_BYTES: usize = 1 << 20;
/// How long the last words may take to leave: the other side may not read any more.
const CLOSING: Duration = Duration::from_secs(5);

/// Who is told what happens on a connection.
pub(super) trait Receiver {
    /// True once the other side has said who it is.
    fn received(&mut self, bytes: &[u8]) -> bool;

    /// The next part of a snapshot can be put into the outgoing bytes.
    fn hungry(&mut self);
}

/// Sends and receives until the other side closes, or [`Outgoing`] says so. Who the other side is has to be said within
/// `first_word`, when that is given.
pub(super) async fn exchange(
    stream: TcpStream,
    outgoing: &Outgoing,
    receiver: &mut impl Receiver,
    first_word: Option<Duration>,
) -> io::Result<()> {
    let (mut reader, mut writer) = stream.into_split();
    let mut deadline = first_word.map(|limit| Instant::now() + limit);
    let mut received = Vec::with_capacity(READ_BYTES);
    let (mut sending, mut sent) = (Vec::new(), 0);
    let mut closing = false;
    loop {
        if sent == sending.len() {
            sent = 0;
            sending.clear();
            if sending.capacity() > KEPT_BYTES {
                sending = Vec::new();
            }
        }
        let next = outgoing.take(&mut sending);
        let sends = sent < sending.len();
        if next.overfull {
            return Err(io::Error::other("the other server does not read what it is sent"));
        }
        if next.hungry && !sends {
            receiver.hungry();
            continue;
        }
        if next.closing && !sends {
            return writer.shutdown().await;
        }
        if next.closing && !closing {
            closing = true;
            deadline = Some(Instant::now() + CLOSING);
        }
        tokio::select! {
            biased;
            count = writer.write(&sending[sent..]), if sends => match count? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => sent += count,
            },
            () = outgoing.changed() => {}
            count = reader.read_buf(&mut received), if !closing => {
                if count? == 0 {
                    return Ok(());
                }
                if receiver.received(&received) {
                    deadline = None;
                }
                received.clear();
            }
            () = until(deadline) => return Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::net::TcpListener;

    use super::*;

    /// Gives `parts` parts of a snapshot.
    struct Source {
        outgoing: Arc<Outgoing>,
        parts: usize,
    }

    impl Receiver for Source {
        fn received(&mut self, bytes: &[u8]) -> bool {
            bytes.len() > 1
        }

        fn hungry(&mut self) {
            match self.parts {
                0 => {
                    self.outgoing.stream(false);
                    self.outgoing.send(b"z".to_vec());
                }
                _ => self.outgoing.send(b"s".to_vec()),
            }
            self.parts = self.parts.saturating_sub(1);
        }
    }

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let connecting = TcpStream::connect(listener.local_addr().expect("bound"));
        let (there, here) = tokio::join!(connecting, listener.accept());
        (here.expect("accepts").0, there.expect("connects"))
    }

    #[tokio::test]
    async fn a_snapshot_goes_part_by_part() {
        let (here, mut there) = pair().await;
        let outgoing = Arc::new(Outgoing::default());
        outgoing.send(b"a".to_vec());
        outgoing.stream(true);
        let mut source = Source { outgoing: Arc::clone(&outgoing), parts: 3 };
        let mut got = [0; 5];
        tokio::select! {
            _ = exchange(here, &outgoing, &mut source, None) => {}
            read = there.read_exact(&mut got) => drop(read.expect("reads")),
        }
        assert_eq!(&got, b"asssz");
    }

    #[tokio::test]
    async fn what_waits_is_sent_before_closing() {
        let (here, mut there) = pair().await;
        let outgoing = Arc::new(Outgoing::default());
        outgoing.send(b"last".to_vec());
        outgoing.close();
        let mut source = Source { outgoing: Arc::clone(&outgoing), parts: 0 };
        let mut got = Vec::new();
        let (done, _) = tokio::join!(exchange(here, &outgoing, &mut source, None), there.read_to_end(&mut got));
        done.expect("closed in good order");
        assert_eq!(got, b"last");
    }

    #[tokio::test]
    async fn whoever_is_silent_or_does_not_read_is_left() {
        let (here, mut there) = pair().await;
        there.write_all(b"?").await.expect("writes");
        let outgoing = Arc::new(Outgoing::default());
        let mut source = Source { outgoing: Arc::clone(&outgoing), parts: 0 };
        let silent = exchange(here, &outgoing, &mut source, Some(Duration::from_millis(20))).await;
        assert_eq!(silent.expect_err("silent").kind(), io::ErrorKind::TimedOut);

        let (here, _there) = pair().await;
        for _ in 0..2 {
            outgoing.send(vec![0; 200 << 20]);
        }
        exchange(here, &outgoing, &mut source, None).await.expect_err("does not read");
    }
}
