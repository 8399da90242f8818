//! Many connections at once: nobody waits for ever, and everybody gets everything once.
//!
//! Time stands still here, so that a wake-up that gets lost can't be made good by a timeout.

use std::thread;
use std::time::{Duration, Instant};

use ottla_protocol::messages::fetch_request::FetchRequest;
use ottla_protocol::messages::fetch_response::FetchResponse;
use ottla_protocol::record_batch::peek;

use crate::harness::{Answer, BROKER_ID, Harness, batch, fetch_request, produce_request, topic_id};

const PARTITIONS: i32 = 6;
const BATCHES: i64 = 400;

fn wait(answer: Answer) -> Answer {
    if !matches!(answer, Answer::Waits(..)) {
        return answer;
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(late) = answer.late::<FetchRequest<'_>>() {
            return late;
        }
        assert!(Instant::now() < deadline, "a wake-up was lost");
        thread::yield_now();
    }
}

fn produce(mut connection: Harness, first: i64) {
    let records = batch(&["x"], connection.now.wall_ms);
    for at in 0..BATCHES {
        let partition = ((first + at) % i64::from(PARTITIONS)) as i32;
        connection.ask(12, &produce_request("t", 1, &[(partition, &records)]));
    }
}

/// Fetches `total` records in a session; `replica_id` is -1 for a consumer.
fn fetch(mut connection: Harness, replica_id: i32, total: i64) {
    let mut offsets = [0; PARTITIONS as usize];
    let mut moved: Vec<i32> = (0..PARTITIONS).collect();
    let (mut session_id, mut session_epoch) = (0, 0);
    while offsets.iter().sum::<i64>() < total {
        let asked: Vec<(i32, i64)> = moved.drain(..).map(|p| (p, offsets[p as usize])).collect();
        let mut request = FetchRequest { session_id, session_epoch, ..fetch_request("t", &asked) };
        request.topics.retain(|topic| !topic.partitions.is_empty());
        request.replica_state.replica_id = replica_id;
        let answer = wait(connection.ask(17, &request));
        let response: FetchResponse<'_> = answer.get();
        assert_eq!(response.error_code, 0);
        (session_id, session_epoch) = (response.session_id, session_epoch + 1);
        for partition in response.responses.iter().flat_map(|topic| &topic.partitions) {
            assert_eq!(partition.error_code, 0);
            let mut bytes = partition.records.as_ref().and_then(|records| records.as_bytes()).unwrap_or_default();
            let offset = &mut offsets[partition.partition_index as usize];
            while let Ok(Some(next)) = peek(bytes) {
                assert_eq!(next.base_offset, *offset, "every record once and in order");
                *offset += 1;
                bytes = &bytes[next.size..];
                moved.push(partition.partition_index);
            }
            moved.dedup();
        }
    }
}

fn run(isr: &[i32]) {
    let mut harness = Harness::new();
    let states: Vec<_> = (0..PARTITIONS).map(|index| (index, BROKER_ID, 0, isr.to_vec(), isr.to_vec())).collect();
    harness.lead("t", topic_id("t"), &states);
    let harness = &harness;
    let total = 2 * BATCHES;
    thread::scope(|scope| {
        for first in 0..2 {
            scope.spawn(move || produce(harness.connect(), first));
        }
        for _ in 0..3 {
            scope.spawn(move || fetch(harness.connect(), -1, total));
        }
        for &follower in isr.iter().filter(|&&id| id != BROKER_ID) {
            scope.spawn(move || {
                fetch(harness.connect(), follower, total);
                // One more, to say that it has the last ones.
                let ends: Vec<(i32, i64)> = (0..PARTITIONS).map(|p| (p, end(harness, p))).collect();
                let mut request = FetchRequest { session_epoch: -1, max_wait_ms: 0, ..fetch_request("t", &ends) };
                request.replica_state.replica_id = follower;
                harness.connect().ask(17, &request);
            });
        }
    });
    assert!(harness.broker.purgatory().is_empty());
}

fn end(harness: &Harness, partition: i32) -> i64 {
    let partition = harness.broker.replicas.partition("t", partition).expect("a partition");
    partition.offsets().expect("a log").log_end
}

#[test]
fn consumers_alone() {
    run(&[BROKER_ID]);
}

#[test]
fn consumers_behind_followers() {
    run(&[BROKER_ID, 2, 3]);
}
