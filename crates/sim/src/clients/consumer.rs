//! Reads partitions from some offset on, and compares everything with what was sent and read before.

use ottla_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use ottla_protocol::messages::fetch_response::FetchResponse;
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use ottla_protocol::messages::list_offsets_response::ListOffsetsResponse;
use ottla_protocol::{ErrorCode, Message};

use super::{Call, Client, Context, Outcome, version};
use crate::model::Check;

/// A consumer.
#[derive(Debug, Default)]
pub struct Consumer {
    reading: Option<(&'static str, u32, i32)>,
    /// `None`: to be looked up.
    position: Option<i64>,
    looked_up: bool,
    /// The position was below the log's end, as far as was told, when it was asked for.
    below_end: bool,
    /// The last high watermark told, and the deaths of the node until then.
    watermark: (u64, i64),
    /// Fetches that gave records.
    pub fetched: u64,
}

impl Consumer {
    fn choose(&mut self, cx: &mut Context<'_>) -> Option<()> {
        let present = cx.model.topics.present();
        if present.is_empty() {
            return None;
        }
        let (name, partitions) = present[cx.random.index(present.len())];
        let incarnation = cx.model.topics.get(name).incarnation;
        self.reading = Some((name, incarnation, cx.random.index(partitions) as i32));
        self.position = None;
        self.watermark = (0, 0);
        Some(())
    }

    fn on_offset(&mut self, cx: &mut Context<'_>, body: &[u8], version: i16) -> Check {
        let Some((name, incarnation, index)) = self.reading else { return Ok(()) };
        let response = ListOffsetsResponse::from_bytes(body, version).map_err(|e| e.to_string())?;
        let answer = response.topics.first().and_then(|topic| topic.partitions.first());
        let answer = answer.ok_or("an answer to a list offsets request without its partition")?;
        if answer.error_code != 0 {
            self.reading = None;
            return Ok(());
        }
        if let Some(partition) = cx.model.topics.partition(name, incarnation, index) {
            partition.told_start(answer.offset).map_err(|e| format!("{name}-{index}: {e}"))?;
        }
        self.position = Some(answer.offset);
        Ok(())
    }

    fn on_fetched(&mut self, cx: &mut Context<'_>, body: &[u8], version: i16) -> Check {
        let Some((name, incarnation, index)) = self.reading else { return Ok(()) };
        let Some(position) = self.position else { return Ok(()) };
        let response = FetchResponse::from_bytes(body, version).map_err(|e| e.to_string())?;
        let Some(answer) = response.responses.first().and_then(|topic| topic.partitions.first()) else {
            self.reading = None;
            return Ok(());
        };
        let Some(partition) = cx.model.topics.partition(name, incarnation, index) else { return Ok(()) };
        let at = |e: String| format!("{name}-{index}: {e}");
        match ErrorCode::from_code(answer.error_code) {
            ErrorCode::None => {
                let told = (cx.model.deaths, answer.high_watermark);
                if told.0 == self.watermark.0 && told.1 < self.watermark.1 {
                    return Err(at(format!("the high watermark went back from {} to {}", self.watermark.1, told.1)));
                }
                self.watermark = told;
                let Some(partition) = cx.model.topics.partition(name, incarnation, index) else { return Ok(()) };
                partition.told_watermark(told.1);
                let bytes = answer.records.as_ref().and_then(|records| records.as_bytes()).unwrap_or_default();
                self.position = Some(partition.read(position, told.1, bytes).map_err(at)?);
                self.fetched += u64::from(!bytes.is_empty());
            }
            ErrorCode::OffsetOutOfRange => {
                // What was acknowledged while the answer was under way may be a lost offset's second life.
                if self.below_end && partition.told_start(position + 1).is_err() {
                    return Err(at(format!("offset {position} is out of range, though it was not to be deleted")));
                }
                self.position = None;
            }
            _ => self.reading = None,
        }
        Ok(())
    }
}

impl Client for Consumer {
    fn call(&mut self, cx: &mut Context<'_>) -> Option<Call> {
        let gone = self.reading.is_none_or(|(name, incarnation, _)| !cx.model.topics.is_present(name, incarnation));
        if gone || cx.random.chance(50_000) {
            self.reading = None;
            self.choose(cx)?;
        }
        let (name, incarnation, index) = self.reading?;
        self.looked_up = self.position.is_none();
        let Some(position) = self.position else {
            let partition =
                ListOffsetsPartition { partition_index: index, timestamp: -2, ..ListOffsetsPartition::default() };
            let topic = ListOffsetsTopic { name: name.into(), partitions: vec![partition] };
            let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..ListOffsetsRequest::default() };
            let version = version(cx.random, 1, 8);
            return Some(Call::new(&request, version));
        };
        let partition = cx.model.topics.partition(name, incarnation, index)?;
        self.below_end = position < partition.watermark().max(partition.acked_end);
        let id = cx.model.topics.get(name).id;
        let version = version(cx.random, 4, if id.is_some() { 17 } else { 12 });
        let max_bytes = [100, 1_000, 1 << 20][cx.random.index(3)];
        let partition = FetchPartition {
            partition: index,
            fetch_offset: position,
            partition_max_bytes: max_bytes,
            current_leader_epoch: -1,
            ..FetchPartition::default()
        };
        let topic = FetchTopic {
            topic: if version >= 13 { "".into() } else { name.into() },
            topic_id: id.filter(|_| version >= 13).unwrap_or_default(),
            partitions: vec![partition],
        };
        let request = FetchRequest {
            max_wait_ms: cx.random.below(500) as i32,
            min_bytes: cx.random.below(3) as i32,
            max_bytes: 1 << 20,
            isolation_level: cx.random.below(2) as i8,
            session_epoch: -1,
            topics: vec![topic],
            ..FetchRequest::default()
        };
        Some(Call::new(&request, version))
    }

    fn outcome(&mut self, cx: &mut Context<'_>, outcome: Outcome<'_>) -> Check {
        match outcome {
            Outcome::Body(body, version) if self.looked_up => self.on_offset(cx, body, version),
            Outcome::Body(body, version) => self.on_fetched(cx, body, version),
            Outcome::Lost => {
                self.position = None;
                Ok(())
            }
            Outcome::Refused => Err("the broker closed the connection of a consumer".to_owned()),
        }
    }
}
