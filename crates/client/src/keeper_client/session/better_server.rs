//! What a client does that is content with a server that is cut off: it looks for one that is not.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::super::connect_string::KeeperAddress;
use super::super::connector::KeeperConnector;

/// Pause between two questions: doubles from the first to the second.
#[doc(alias = "minPingRwTimeout", alias = "maxPingRwTimeout")]
const ASK_PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(60));
/// How long an answer may take.
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// Asks one server after the other, from `next` on; gives the place of the first one that takes changes.
#[doc(alias = "pingRwServer")]
pub(super) async fn find(connector: Arc<dyn KeeperConnector>, ring: Vec<KeeperAddress>, mut next: usize) -> usize {
    let mut pause = ASK_PAUSE.0;
    loop {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(ASK_PAUSE.1);
        let asked = tokio::time::timeout(ANSWER_TIME, takes_changes(&*connector, &ring[next]));
        if matches!(asked.await, Ok(Ok(true))) {
            return next;
        }
        next = (next + 1) % ring.len();
    }
}

/// Asks by the four-letter word `isro`.
async fn takes_changes(connector: &dyn KeeperConnector, server: &KeeperAddress) -> io::Result<bool> {
    let mut stream = connector.connect(server).await?;
    stream.write_all(b"isro").await?;
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).await?;
    Ok(answer == *b"rw")
}
