//! DeleteRecords 0–2 (KIP-107): raises a partition's log start; the answer waits until every replica that is alive has done
//! the same.

use std::sync::Arc;

use ottla_base::time::Now;
use ottla_protocol::messages::delete_records_request::DeleteRecordsRequest;
use ottla_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult,
};
use ottla_protocol::{ApiKey, ErrorCode, Str};
use parking_lot::Mutex;

use crate::api::{Api, Facing};
use crate::broker::Broker;
use crate::partition::Partition;
use crate::purgatory::{DelayedOperation, TimerSlot, Watcher};
use crate::replica_manager::Shared;
use crate::reply::{Reply, Responder};
use crate::request::RequestContext;
use crate::topic;

pub static API: Api = Api { key: ApiKey::DeleteRecords, versions: (0, 2), facing: Facing::Client, handle };

#[derive(Debug)]
struct TopicWork {
    name: String,
    partitions: Vec<PartitionWork>,
}

#[derive(Debug)]
struct PartitionWork {
    index: i32,
    error: ErrorCode,
    low_watermark: i64,
    /// The partition that is waited for, and the log start that its replicas have to reach.
    awaited: Option<(Arc<Partition>, i64)>,
}

fn handle(broker: &Broker, context: &mut RequestContext<'_>, body: &mut [u8]) -> Reply {
    let request: DeleteRecordsRequest<'_> = match context.decode(body) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    let topics: Vec<TopicWork> = request
        .topics
        .iter()
        .map(|topic| TopicWork {
            name: topic.name.to_string(),
            partitions: topic
                .partitions
                .iter()
                .map(|asked| delete(broker, context.now, &topic.name, asked.partition_index, asked.offset))
                .collect(),
        })
        .collect();
    if topics.iter().flat_map(|topic| &topic.partitions).all(|work| work.awaited.is_none()) {
        return context.reply(&response(&topics));
    }
    DelayedDeleteRecords::start(broker, context, topics, request.timeout_ms);
    Reply::Later
}

fn delete(broker: &Broker, now: Now, topic: &str, index: i32, offset: i64) -> PartitionWork {
    let mut work = PartitionWork { index, error: ErrorCode::None, low_watermark: -1, awaited: None };
    let result = broker.replicas.partition_or_error(topic, index).and_then(|partition| {
        if topic::is_internal(topic) {
            return Err(ErrorCode::InvalidTopicException);
        }
        let reached = partition.delete_records(now, offset, &is_alive(&broker.shared))?;
        Ok((partition, reached))
    });
    match result {
        Ok((partition, (wanted, low_watermark))) => {
            work.low_watermark = low_watermark;
            work.awaited = (low_watermark < wanted).then_some((partition, wanted));
        }
        Err(error) => work.error = error,
    }
    work
}

fn is_alive(shared: &Shared) -> impl Fn(i32) -> bool {
    let image = shared.metadata.image_full();
    move |id| image.brokers.contains_key(&id)
}

fn response(topics: &[TopicWork]) -> DeleteRecordsResponse<'_> {
    let topics = topics.iter().map(|topic| DeleteRecordsTopicResult {
        name: Str::Borrowed(&topic.name),
        partitions: topic
            .partitions
            .iter()
            .map(|work| DeleteRecordsPartitionResult {
                partition_index: work.index,
                low_watermark: if work.error == ErrorCode::None { work.low_watermark } else { -1 },
                error_code: work.error.code(),
            })
            .collect(),
    });
    DeleteRecordsResponse { topics: topics.collect(), ..Default::default() }
}

/// An answer that waits for the followers.
#[derive(Debug)]
struct DelayedDeleteRecords {
    shared: Arc<Shared>,
    timer: TimerSlot,
    /// `None` once answered.
    waiting: Mutex<Option<(Vec<TopicWork>, Responder)>>,
}

impl DelayedDeleteRecords {
    fn start(broker: &Broker, context: &mut RequestContext<'_>, topics: Vec<TopicWork>, timeout_ms: i32) {
        let awaited: Vec<Arc<Partition>> = topics
            .iter()
            .flat_map(|topic| &topic.partitions)
            .filter_map(|work| work.awaited.as_ref().map(|(partition, _)| partition.clone()))
            .collect();
        let delayed = Arc::new(Self {
            shared: broker.shared.clone(),
            timer: TimerSlot::default(),
            waiting: Mutex::new(Some((topics, context.responder()))),
        });
        for partition in awaited {
            partition.watchers.add(delayed.clone(), 0);
        }
        if !delayed.look(ErrorCode::None) {
            let timeout_ms = timeout_ms.max(0) as u64;
            delayed.shared.purgatory.watch(context.now, timeout_ms, &delayed.timer, delayed.clone());
        }
    }

    /// Answers if all partitions are done; those that are not get `error` and are done, too, when it is one.
    fn look(self: &Arc<Self>, error: ErrorCode) -> bool {
        let watcher: Arc<dyn Watcher> = self.clone();
        let alive = is_alive(&self.shared);
        let mut waiting = self.waiting.lock();
        let Some((topics, _)) = waiting.as_mut() else { return true };
        let mut is_done = true;
        for work in topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            let Some((partition, wanted)) = &work.awaited else { continue };
            match partition.low_watermark(&alive) {
                Ok(low_watermark) if low_watermark >= *wanted => work.low_watermark = low_watermark,
                Ok(_) if error != ErrorCode::None => work.error = error,
                Ok(_) => {
                    is_done = false;
                    continue;
                }
                Err(failed) => work.error = failed,
            }
            partition.watchers.remove(&watcher, 0);
            work.awaited = None;
        }
        if is_done {
            let state = waiting.take();
            drop(waiting);
            self.shared.purgatory.cancel(&self.timer);
            if let Some((topics, responder)) = state {
                responder.send(&response(&topics));
            }
        }
        is_done
    }
}

impl Watcher for DelayedDeleteRecords {
    fn partition_changed(self: Arc<Self>, _now: Now, _token: u32) {
        self.look(ErrorCode::None);
    }
}

impl DelayedOperation for DelayedDeleteRecords {
    fn expire(self: Arc<Self>, _now: Now) {
        self.look(ErrorCode::RequestTimedOut);
    }
}
