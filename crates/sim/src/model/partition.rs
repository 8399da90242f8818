//! One partition: what was sent to it, what was acknowledged, what was read.

use std::collections::BTreeMap;

use ottla_protocol::{BatchIter, RecordBatch};

use super::Check;

/// What retention may do to the topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing goes but by DeleteRecords.
    Plain,
    /// Old segments go.
    Retention,
    /// Records with a newer one of the same key go.
    Compact,
}

/// A value's bytes: its number, and filler that follows from it.
#[must_use]
pub fn value_bytes(value: u64) -> Vec<u8> {
    let mix = value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let len = if mix.is_multiple_of(37) { 700 } else { (mix >> 40) % 60 };
    let filler = (0..len).map(|i| (mix >> (i % 57)) as u8);
    value.to_be_bytes().into_iter().chain(filler).collect()
}

fn value_of(bytes: &[u8]) -> Option<u64> {
    let value = u64::from_be_bytes(*bytes.first_chunk()?);
    (value_bytes(value) == bytes).then_some(value)
}

/// A record as it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    value: u64,
    /// Base offset and checksum of its batch, once it was read.
    batch: Option<(i64, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    attempts: u32,
    idempotent: bool,
    key: Option<u8>,
}

/// A batch that was read.
#[derive(Clone, Debug)]
struct Seen {
    base: i64,
    next: i64,
    crc: u32,
    producer: (i64, i16),
    base_sequence: i32,
    count: i32,
    records: Vec<(i64, u64)>,
}

/// What is known of one partition of one incarnation of a topic.
#[derive(Debug)]
pub struct Partition {
    pub kind: Kind,
    sent: BTreeMap<u64, Sent>,
    known: BTreeMap<i64, Known>,
    /// One past the highest offset that was acknowledged.
    pub acked_end: i64,
    /// One past what must be there after the death that came last.
    floor: i64,
    /// One past what was synced when it died.
    flushed: i64,
    /// A death since then may have taken what was not synced.
    lossy: bool,
    /// What survived the last death was looked at.
    checked: bool,
    /// One past the highest offset that was acknowledged in this life of the node.
    acked_in_life: i64,
    /// The largest offset that DeleteRecords was asked for.
    pub delete_asked: i64,
    /// The highest watermark told in this life of the node.
    watermark: i64,
}

impl Partition {
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            sent: BTreeMap::new(),
            known: BTreeMap::new(),
            acked_end: 0,
            floor: 0,
            flushed: 0,
            lossy: false,
            checked: true,
            acked_in_life: 0,
            delete_asked: 0,
            watermark: 0,
        }
    }

    /// A value was sent, once more.
    pub fn sent(&mut self, value: u64, idempotent: bool, key: Option<u8>) {
        self.sent.entry(value).or_insert(Sent { attempts: 0, idempotent, key }).attempts += 1;
    }

    /// The highest watermark told in this life.
    #[must_use]
    pub fn watermark(&self) -> i64 {
        self.watermark
    }

    /// Records were acknowledged from `base` on.
    pub fn acked(&mut self, base: i64, values: &[u64]) -> Check {
        for (offset, &value) in (base..).zip(values) {
            match self.known.get(&offset) {
                Some(known) if known.value != value => {
                    return Err(format!("value {value} was acknowledged at {offset}, where {} is", known.value));
                }
                Some(_) => {}
                None => drop(self.known.insert(offset, Known { value, batch: None })),
            }
        }
        let end = base + values.len() as i64;
        self.acked_end = self.acked_end.max(end);
        self.acked_in_life = self.acked_in_life.max(end);
        Ok(())
    }

    /// The node told of its high watermark; answers to other clients may be older.
    pub fn told_watermark(&mut self, watermark: i64) {
        self.watermark = self.watermark.max(watermark);
    }

    /// The node told where the log starts.
    pub fn told_start(&self, start: i64) -> Check {
        // Retention may take what nobody has heard of yet.
        let lost = self.kind != Kind::Retention && start > self.delete_asked;
        if lost {
            return Err(format!("the log starts at {start}, records were to be deleted up to {}", self.delete_asked));
        }
        Ok(())
    }

    /// A fetch at `asked` gave these bytes, and this high watermark. Gives the offset to go on with.
    pub fn read(&mut self, asked: i64, watermark: i64, bytes: &[u8]) -> Result<i64, String> {
        let mut next = asked;
        for (index, seen) in self.batches(bytes)?.into_iter().enumerate() {
            let continues = match self.kind {
                Kind::Compact => seen.next > next,
                _ if index == 0 => seen.base <= next && next < seen.next,
                _ => seen.base == next,
            };
            if !continues {
                return Err(format!("a fetch at {asked} gave offsets {}..{} after {next}", seen.base, seen.next));
            }
            if seen.next > watermark {
                return Err(format!("a fetch gave offset {}, the high watermark is {watermark}", seen.next - 1));
            }
            self.note(&seen)?;
            next = seen.next;
        }
        Ok(next)
    }

    fn batches(&self, bytes: &[u8]) -> Result<Vec<Seen>, String> {
        let mut batches = Vec::new();
        let mut iter = BatchIter::new(bytes);
        for batch in &mut iter {
            let batch = batch.map_err(|e| format!("a fetch gave a bad batch: {e}"))?;
            batches.push(self.open(&batch)?);
        }
        Ok(batches)
    }

    fn open(&self, batch: &RecordBatch<'_>) -> Result<Seen, String> {
        let base = batch.base_offset();
        batch.check_crc().map_err(|e| format!("the batch at {base}: {e}"))?;
        let open = batch.open().map_err(|e| format!("the batch at {base}: {e}"))?;
        let mut records = Vec::new();
        for record in &open {
            let record = record.map_err(|e| format!("a record of the batch at {base}: {e}"))?;
            let value = record.value.and_then(value_of);
            let value = value.ok_or_else(|| format!("offset {} has bytes that nobody sent", record.offset))?;
            let key = self.sent.get(&value).ok_or_else(|| {
                format!("offset {} has value {value}, which was not sent to this partition", record.offset)
            })?;
            if key.key.map(|key| vec![key]).as_deref() != record.key {
                return Err(format!("offset {} has another key than was sent", record.offset));
            }
            records.push((record.offset, value));
        }
        Ok(Seen {
            base,
            next: batch.next_offset(),
            crc: batch.crc(),
            producer: (batch.producer_id(), batch.producer_epoch()),
            base_sequence: batch.base_sequence(),
            count: batch.count(),
            records,
        })
    }

    /// Compares a batch with what is known, and remembers it.
    fn note(&mut self, seen: &Seen) -> Check {
        for &(offset, value) in &seen.records {
            let batch = Some((seen.base, seen.crc));
            match self.known.get_mut(&offset) {
                Some(known) if known.value != value => {
                    return Err(format!("offset {offset} has value {value}, it had {}", known.value));
                }
                Some(known) => {
                    if self.kind != Kind::Compact && known.batch.is_some() && known.batch != batch {
                        return Err(format!("the batch of offset {offset} changed: {:?} to {batch:?}", known.batch));
                    }
                    known.batch = batch;
                }
                None => drop(self.known.insert(offset, Known { value, batch })),
            }
        }
        Ok(())
    }

    /// The node died, with everything below `flushed` synced. What was acknowledged must be there again, unless that
    /// `may_lose` what was not synced.
    pub fn died(&mut self, flushed: i64, may_lose: bool) {
        let promised = if self.checked { self.acked_end } else { self.floor.max(self.acked_in_life) };
        let synced = if self.checked { flushed } else { flushed.min(self.flushed) };
        self.floor = if may_lose { promised.min(synced) } else { promised };
        self.flushed = synced.min(promised);
        self.watermark = 0;
        self.acked_in_life = 0;
        self.lossy |= may_lose;
        self.checked = false;
    }

    /// The power went before the node was back.
    pub fn died_again(&mut self) {
        self.floor = self.flushed;
        self.lossy = true;
    }

    /// The node is back, and leads the log from `start` to `end`; `bytes` are all its batches.
    pub fn back(&mut self, start: i64, end: i64, bytes: &[Vec<u8>]) -> Check {
        if end < self.floor {
            return Err(format!("the log ends at {end}, but everything below {} was safe", self.floor));
        }
        self.told_watermark(end);
        self.told_start(start)?;
        // What is gone may be replaced: only what is there still must be what it was.
        drop(self.known.split_off(&end));
        let mut next = start;
        let mut all = Vec::new();
        for bytes in bytes {
            all.extend(self.batches(bytes)?);
            next = self.read(next, end, bytes)?;
        }
        if next != end && self.kind != Kind::Compact {
            return Err(format!("the log from {start} to {end} can be read up to {next} only"));
        }
        self.acked_end = self.acked_end.min(end);
        self.checked = true;
        self.check_missing(start, &all)?;
        self.lossy = false;
        let there: std::collections::BTreeSet<i64> =
            all.iter().flat_map(|seen| &seen.records).map(|(offset, _)| *offset).collect();
        self.known.retain(|offset, _| *offset < start || there.contains(offset));
        self.check_duplicates(&all)?;
        if self.kind == Kind::Compact { Ok(()) } else { check_sequences(&all) }
    }

    /// Nothing known between start and end is gone, unless compaction may have taken it.
    fn check_missing(&self, start: i64, all: &[Seen]) -> Check {
        let there: BTreeMap<i64, u64> = all.iter().flat_map(|seen| seen.records.iter().copied()).collect();
        let mut later_keys = std::collections::BTreeSet::new();
        for (offset, value) in &there {
            later_keys.insert((self.sent.get(value).and_then(|sent| sent.key), *offset));
        }
        for (offset, known) in self.known.range(start..) {
            if there.contains_key(offset) {
                continue;
            }
            if self.kind == Kind::Compact && self.lossy && *offset >= self.floor {
                continue; // what was lost unsynced looks like any other hole there
            }
            let key = self.sent.get(&known.value).and_then(|sent| sent.key);
            let superseded = later_keys.range((key, *offset + 1)..(key, i64::MAX)).next().is_some();
            if self.kind != Kind::Compact || !superseded {
                return Err(format!("offset {offset} with value {} is gone", known.value));
            }
        }
        Ok(())
    }

    fn check_duplicates(&self, all: &[Seen]) -> Check {
        let mut times: BTreeMap<u64, u32> = BTreeMap::new();
        for (_, value) in all.iter().flat_map(|seen| &seen.records) {
            *times.entry(*value).or_default() += 1;
        }
        for (value, times) in times {
            let sent = self.sent[&value];
            let most = if sent.idempotent { 1 } else { sent.attempts };
            if times > most {
                return Err(format!("value {value} is there {times} times, it was sent {} times", sent.attempts));
            }
        }
        Ok(())
    }
}

/// The sequences of a producer have no gap and nothing twice.
fn check_sequences(all: &[Seen]) -> Check {
    let mut next: BTreeMap<(i64, i16), i32> = BTreeMap::new();
    for seen in all.iter().filter(|seen| seen.producer.0 >= 0) {
        let expected = next.insert(seen.producer, seen.base_sequence + seen.count);
        if let Some(expected) = expected
            && expected != seen.base_sequence
        {
            let (id, _) = seen.producer;
            return Err(format!("producer {id} has sequence {} after {expected} at {}", seen.base_sequence, seen.base));
        }
    }
    Ok(())
}
