//! Producer ids, given out from blocks of 1,000 that a broker takes for itself in `/latest_producer_id_block`.
//!
//! Transactional ids are not here: their coordinator hands out ids of the same blocks when it comes.

use ottla_keeper::ops::{KeeperError, KeeperOp, KeeperReply, KeeperResult};
use ottla_protocol::messages::init_producer_id_request::InitProducerIdRequest;
use ottla_protocol::messages::init_producer_id_response::InitProducerIdResponse;
use ottla_protocol::{ErrorCode, Message};

use crate::control_plane::{ControlPlane, Then};
use crate::lifecycle::get;
use crate::reply::Responder;
use crate::znodes::{self, ProducerIdBlock};

/// Ids in a block (`ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE`).
const BLOCK_SIZE: i64 = 1_000;
/// Most producers that wait for the next block; the rest is told to come again.
const MAX_WAITING: usize = 10_000;

#[doc(alias = "ProducerIdManager")]
#[derive(Debug, Default)]
pub(crate) struct ProducerIds {
    /// Ids that are left of our block.
    next: i64,
    end: i64,
    waiting: Vec<Responder>,
    /// The block that is being written, while one is.
    asked: Option<Option<ProducerIdBlock>>,
}

impl ProducerIds {
    fn take(&mut self) -> Option<i64> {
        let id = self.next;
        (id < self.end).then(|| {
            self.next += 1;
            id
        })
    }

    pub fn session_lost(&mut self) {
        self.asked = None;
    }
}

fn answer(responder: Responder, error: ErrorCode, producer_id: i64) {
    let producer_epoch = if error == ErrorCode::None { 0 } else { -1 };
    let error_code = error as i16;
    responder.send(&InitProducerIdResponse {
        error_code,
        producer_id,
        producer_epoch,
        ..InitProducerIdResponse::default()
    });
}

impl ControlPlane {
    pub(crate) fn init_producer_id(&mut self, body: &[u8], responder: Responder) {
        match InitProducerIdRequest::from_bytes(body, responder.api_version()) {
            Err(error) => responder.close(error.to_string()),
            Ok(request) if request.transactional_id.as_deref() == Some("") => {
                answer(responder, ErrorCode::InvalidRequest, -1);
            }
            // No broker coordinates transactions yet; anything that can be tried again would be, for ever.
            Ok(request) if request.transactional_id.is_some() => {
                answer(responder, ErrorCode::UnsupportedVersion, -1);
            }
            // A producer that already has an id keeps it by raising its epoch; without a coordinator it gets a new one, as in Kafka.
            Ok(_) => match self.producer_ids.take() {
                Some(id) => answer(responder, ErrorCode::None, id),
                None if self.producer_ids.waiting.len() < MAX_WAITING && self.lifecycle.session_id != 0 => {
                    self.producer_ids.waiting.push(responder);
                    self.take_producer_id_block();
                }
                None => answer(responder, ErrorCode::CoordinatorLoadInProgress, -1),
            },
        }
    }

    /// Reads the last block, unless that is under way.
    fn take_producer_id_block(&mut self) {
        if self.producer_ids.asked.is_none() {
            self.producer_ids.asked = Some(None);
            self.keeper(vec![get(znodes::PRODUCER_ID_BLOCK, false)], Then::ProducerIds);
        }
    }

    pub(crate) fn on_producer_id_results(&mut self, results: Vec<KeeperResult>) {
        let written = match self.producer_ids.asked.take() {
            None => return,
            Some(written) => written,
        };
        match (&results[0], written) {
            (Ok(KeeperReply::Data { data, stat }), _) => {
                self.write_producer_id_block(data.as_deref().unwrap_or_default(), stat.version);
            }
            (Ok(KeeperReply::Stat(_)), Some(block)) => {
                self.producer_ids.next = block.first;
                self.producer_ids.end = block.last + 1;
                self.serve_waiting_producers();
            }
            // Another broker took the block, or we did on a connection that broke: the next one is as good.
            (Err(KeeperError::Code(_)), Some(_)) => self.take_producer_id_block(),
            (other, _) => {
                tracing::error!("no block of producer ids: {other:?}");
                self.fail_waiting_producers();
            }
        }
    }

    fn write_producer_id_block(&mut self, data: &[u8], version: i32) {
        let first = if data.is_empty() {
            Some(0)
        } else {
            match ProducerIdBlock::decode(data) {
                Ok(block) => {
                    block.last.checked_add(1).filter(|first| *first >= 0 && first.checked_add(BLOCK_SIZE).is_some())
                }
                Err(error) => {
                    tracing::error!("{error}; repair {}", znodes::PRODUCER_ID_BLOCK);
                    None
                }
            }
        };
        let Some(first) = first else { return self.fail_waiting_producers() };
        let block = ProducerIdBlock { broker_id: self.broker_id(), first, last: first + BLOCK_SIZE - 1 };
        let op = KeeperOp::SetData { path: znodes::PRODUCER_ID_BLOCK.to_owned(), data: Some(block.encode()), version };
        self.producer_ids.asked = Some(Some(block));
        self.keeper(vec![op], Then::ProducerIds);
    }

    fn serve_waiting_producers(&mut self) {
        while !self.producer_ids.waiting.is_empty() {
            let Some(id) = self.producer_ids.take() else { return self.take_producer_id_block() };
            answer(self.producer_ids.waiting.remove(0), ErrorCode::None, id);
        }
    }

    pub(crate) fn fail_waiting_producers(&mut self) {
        for responder in self.producer_ids.waiting.drain(..) {
            answer(responder, ErrorCode::CoordinatorLoadInProgress, -1);
        }
    }
}
