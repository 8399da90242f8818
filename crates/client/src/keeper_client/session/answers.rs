//! From bytes that came to those who wait for them.

use ottla_base::limits::KEEPER_ANSWER_BYTES;
use ottla_keeper::jute::{JuteError, Reader};
use ottla_keeper::ops::{KeeperError, KeeperEvent};
use ottla_keeper::proto::{ErrorCode, EventType, ReplyHeader, WatcherEvent, xid};

use super::super::WatchedEvent;
use super::super::wire::{self, Answer, Context, Expect};
use super::{Ended, InFlight, Session};

impl Session {
    /// Handles every whole frame that has arrived.
    pub(super) fn read_frames(&mut self, inbox: &mut Inbox) -> Option<Ended> {
        let mut at = 0;
        let ended = loop {
            let rest = &inbox.bytes[at..];
            let Some((len, rest)) = rest.split_first_chunk::<4>() else { break None };
            let len = match usize::try_from(i32::from_be_bytes(*len)) {
                Ok(len) if len <= KEEPER_ANSWER_BYTES => len,
                _ => break Some(Ended::Lost("an answer of unreasonable length".to_owned())),
            };
            let Some(body) = rest.get(..len) else {
                inbox.wanted = len + 4;
                break None;
            };
            match self.read_frame(body) {
                Ok(None) => at += 4 + len,
                Ok(Some(ended)) => break Some(ended),
                Err(e) => break Some(Ended::Lost(format!("an answer that can't be read: {e}"))),
            }
        };
        inbox.consume(at);
        ended
    }

    fn read_frame(&mut self, body: &[u8]) -> Result<Option<Ended>, JuteError> {
        let mut body = Reader::new(body);
        let header: ReplyHeader = body.record()?;
        match header.xid {
            xid::PING | xid::SET_WATCHES => Ok(None),
            xid::NOTIFICATION => self.read_event(header.zxid, &mut body).map(|()| None),
            xid::AUTH => {
                let waiting = self.auth_waiting.pop_front().flatten();
                if header.err != 0 {
                    if let Some(done) = waiting {
                        drop(done.send(Err(KeeperError::Code(ErrorCode::AuthFailed))));
                    }
                    return Ok(Some(Ended::AuthFailed));
                }
                if let Some(done) = waiting {
                    drop(done.send(Ok(Answer::Done)));
                }
                Ok(None)
            }
            _ => self.read_answer(header, &mut body),
        }
    }

    fn read_event(&mut self, zxid: i64, body: &mut Reader<'_>) -> Result<(), JuteError> {
        let event: WatcherEvent<'_> = body.record()?;
        // An event that a newer server invents is no reason to give up the connection.
        let Some(kind) = EventType::from_i32(event.event_type) else { return Ok(()) };
        self.watches.fired(kind, event.path);
        let path = self.config.servers.to_client(event.path).to_owned();
        if let Some(watched) = &self.config.watched {
            watched(WatchedEvent { kind, path: path.clone(), zxid });
        }
        (self.events)(match kind {
            EventType::NodeCreated => KeeperEvent::NodeCreated { path },
            EventType::NodeDeleted => KeeperEvent::NodeDeleted { path },
            EventType::NodeDataChanged => KeeperEvent::NodeDataChanged { path },
            EventType::NodeChildrenChanged => KeeperEvent::NodeChildrenChanged { path },
            EventType::None
            | EventType::DataWatchRemoved
            | EventType::ChildWatchRemoved
            | EventType::PersistentWatchRemoved => return Ok(()),
        });
        Ok(())
    }

    /// The server sends nothing when a watch is removed; the client's own watcher is told all the same.
    fn tell_removed(&self, kind: EventType, path: &str) {
        if let Some(watched) = &self.config.watched {
            watched(WatchedEvent { kind, path: self.config.servers.to_client(path).to_owned(), zxid: -1 });
        }
    }

    fn read_answer(&mut self, header: ReplyHeader, body: &mut Reader<'_>) -> Result<Option<Ended>, JuteError> {
        match self.in_flight.front() {
            Some(first) if first.xid == header.xid => {}
            _ => return Ok(Some(Ended::Lost(format!("an answer nobody waits for (xid {})", header.xid)))),
        }
        if header.zxid > 0 {
            self.last_zxid = header.zxid;
        }
        let create2 = self.in_flight.front().is_some_and(|first| matches!(first.sent.expect, Expect::Created2));
        if create2 && header.err == ErrorCode::Unimplemented.code() && self.has_create2.is_none() {
            // The server closes the connection now; `lost` takes the request over to the next one.
            self.has_create2 = Some(false);
            return Ok(Some(Ended::Lost("the server does not know create2".to_owned())));
        }
        let Some(InFlight { sent, done, .. }) = self.in_flight.pop_front() else { return Ok(None) };
        if create2 {
            self.has_create2 = Some(true);
        }
        if let Some((kind, path)) = sent.watch {
            self.watches.answered(kind, path, header.err);
        }
        if let Some((kind, path)) = sent.unwatch.filter(|_| header.err == 0) {
            let gone = self.watches.removed(kind, &path);
            for kind in self.config.watched.is_some().then_some(gone).into_iter().flatten() {
                self.tell_removed(kind, &path);
            }
        }
        let Some(done) = done else { return Ok(Some(Ended::Closed)) };
        if header.err != 0 {
            let code = ErrorCode::from_i32(header.err).unwrap_or(ErrorCode::SystemError);
            let expired = code == ErrorCode::SessionExpired;
            done.finish(Err(if expired { KeeperError::SessionExpired } else { KeeperError::Code(code) }));
            return Ok(None);
        }
        let context = Context { paths: &self.config.servers, session_id: self.session_id, old_create: false };
        match wire::decode(context, &sent.expect, header.zxid, body) {
            Ok(result) => {
                done.finish(result);
                Ok(None)
            }
            Err(e) => {
                done.finish(Err(KeeperError::ConnectionLoss));
                Err(e)
            }
        }
    }
}

/// Bytes that have arrived and not been handled.
#[derive(Default)]
pub(super) struct Inbox {
    pub(super) bytes: Vec<u8>,
    /// Length of the frame at the front, when it is known and not all here.
    wanted: usize,
}

impl Inbox {
    /// Room for the next read: grows with what has really arrived, not with what a length promises.
    pub(super) fn make_room(&mut self) {
        let missing = self.wanted.saturating_sub(self.bytes.len());
        self.bytes.reserve(missing.clamp(8 << 10, 1 << 20));
    }

    fn consume(&mut self, count: usize) {
        if count > 0 {
            self.bytes.drain(..count);
            self.wanted = 0;
            if self.bytes.is_empty() && self.bytes.capacity() > 1 << 20 {
                self.bytes = Vec::new();
            }
        }
    }
}
