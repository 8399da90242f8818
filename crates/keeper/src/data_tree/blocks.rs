//! Where names and data of the nodes are. Most nodes are small and many are of the same length, for which an allocator has
//! a header each and steps of 16 bytes; here blocks of a length stand side by side in chunks, in steps of 8.

use std::num::NonZeroU32;

/// Lengths are rounded up to a multiple of this, in bytes.
const STEP: usize = 8;
/// Longer blocks have an allocation of their own, in bytes.
const LONGEST: usize = 1_024;
/// A chunk has about so many bytes: little enough that a chunk of each length is no loss.
const CHUNK_BYTES: usize = 32 << 10;
/// Says that a chunk is not among those with room, or that no block of it is free.
const NONE: u32 = u32::MAX;

/// The place of a block. It has a meaning together with the block's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(NonZeroU32);

impl Place {
    fn new(index: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(index))
    }

    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// All blocks.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// By length in steps.
    classes: Vec<Class>,
    long: Vec<Box<[u8]>>,
    free_long: Vec<u32>,
}

/// Blocks of one length.
#[derive(Debug, Default)]
struct Class {
    chunks: Vec<Chunk>,
    /// Chunks of which some blocks are free; the next block comes from the last of them.
    with_room: Vec<u32>,
    /// Chunks that have no memory.
    empty: Vec<u32>,
}

#[derive(Debug)]
struct Chunk {
    bytes: Box<[u8]>,
    /// Where `with_room` has this chunk.
    room_at: u32,
    /// Number of blocks in use.
    used: u32,
    /// Blocks up to here have been in use.
    fresh: u32,
    /// The block that was given back last; its first bytes name the one before.
    free: u32,
}

fn class_of(len: usize) -> usize {
    len.div_ceil(STEP).max(1)
}

/// Blocks in a chunk of this class: a power of two, as the place is told apart by it.
fn per_chunk(class: usize) -> usize {
    1 << (CHUNK_BYTES / (class * STEP)).ilog2()
}

impl Blocks {
    /// A new block with these two parts one behind the other.
    pub(super) fn insert(&mut self, head: &[u8], tail: &[u8]) -> Place {
        let len = head.len() + tail.len();
        if len > LONGEST {
            let block = [head, tail].concat().into_boxed_slice();
            if let Some(index) = self.free_long.pop() {
                self.long[index as usize] = block;
                return Place::new(index);
            }
            self.long.push(block);
            return Place::new((self.long.len() - 1) as u32);
        }
        let class = class_of(len);
        if self.classes.len() <= class {
            self.classes.resize_with(class + 1, Class::default);
        }
        let place = self.classes[class].take(class);
        let bytes = self.get_mut(place, len);
        bytes[..head.len()].copy_from_slice(head);
        bytes[head.len()..].copy_from_slice(tail);
        place
    }

    /// The block of this length.
    pub(super) fn get(&self, place: Place, len: usize) -> &[u8] {
        if len > LONGEST {
            return &self.long[place.index()];
        }
        let class = class_of(len);
        let (chunk, at) = split(place, class);
        &self.classes[class].chunks[chunk].bytes[at..at + len]
    }

    pub(super) fn get_mut(&mut self, place: Place, len: usize) -> &mut [u8] {
        if len > LONGEST {
            return &mut self.long[place.index()];
        }
        let class = class_of(len);
        let (chunk, at) = split(place, class);
        &mut self.classes[class].chunks[chunk].bytes[at..at + len]
    }

    /// Gives the block of this length back.
    pub(super) fn remove(&mut self, place: Place, len: usize) {
        if len > LONGEST {
            self.long[place.index()] = Box::default();
            self.free_long.push(place.index() as u32);
        } else {
            let class = class_of(len);
            self.classes[class].give_back(class, place);
        }
    }
}

/// The chunk of a place, and where its block begins there.
fn split(place: Place, class: usize) -> (usize, usize) {
    let bits = per_chunk(class).ilog2();
    (place.index() >> bits, (place.index() & ((1 << bits) - 1)) * class * STEP)
}

impl Class {
    fn take(&mut self, class: usize) -> Place {
        let (step, most) = (class * STEP, per_chunk(class) as u32);
        if self.with_room.is_empty() {
            let new = Chunk { bytes: vec![0; step * most as usize].into(), room_at: 0, used: 0, fresh: 0, free: NONE };
            let index = match self.empty.pop() {
                Some(index) => {
                    self.chunks[index as usize] = new;
                    index
                }
                None => {
                    self.chunks.push(new);
                    (self.chunks.len() - 1) as u32
                }
            };
            self.with_room.push(index);
        }
        let index = self.with_room[self.with_room.len() - 1];
        let chunk = &mut self.chunks[index as usize];
        let block = if chunk.free == NONE {
            chunk.fresh += 1;
            chunk.fresh - 1
        } else {
            let block = chunk.free;
            let at = block as usize * step;
            chunk.free = chunk.bytes[at..].first_chunk::<4>().map_or(NONE, |next| u32::from_le_bytes(*next));
            block
        };
        chunk.used += 1;
        if chunk.used == most {
            chunk.room_at = NONE;
            self.with_room.pop();
        }
        Place::new(index * most + block)
    }

    fn give_back(&mut self, class: usize, place: Place) {
        let (index, at) = split(place, class);
        let chunk = &mut self.chunks[index];
        chunk.bytes[at..at + 4].copy_from_slice(&chunk.free.to_le_bytes());
        chunk.free = (at / (class * STEP)) as u32;
        chunk.used -= 1;
        if chunk.room_at == NONE {
            chunk.room_at = self.with_room.len() as u32;
            self.with_room.push(index as u32);
        } else if chunk.used == 0 && self.with_room.len() > 1 {
            // Its memory may be of use to other lengths.
            let room_at = std::mem::replace(&mut chunk.room_at, NONE);
            chunk.bytes = Box::default();
            self.with_room.swap_remove(room_at as usize);
            if let Some(&moved) = self.with_room.get(room_at as usize) {
                self.chunks[moved as usize].room_at = room_at;
            }
            self.empty.push(index as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_base::random::Random;

    #[test]
    fn blocks_keep_their_bytes_and_free_ones_are_used_again() {
        let mut random = Random::new(7);
        let mut blocks = Blocks::default();
        let mut kept: Vec<(Place, Vec<u8>)> = Vec::new();
        for round in 0..40_000u32 {
            // More and more, then fewer and fewer.
            if random.below(10) < if round < 20_000 { 7 } else { 3 } || kept.is_empty() {
                let len = if random.below(50) == 0 { 1_000 + random.below(100) } else { random.below(64) } as usize;
                let bytes: Vec<u8> = (0..len).map(|i| (round as usize + i) as u8).collect();
                let place = blocks.insert(&bytes[..len / 3], &bytes[len / 3..]);
                kept.push((place, bytes));
            } else {
                let (place, bytes) = kept.swap_remove(random.below(kept.len() as u64) as usize);
                assert_eq!(blocks.get(place, bytes.len()), bytes);
                blocks.remove(place, bytes.len());
            }
        }
        for (place, bytes) in &kept {
            assert_eq!(blocks.get(*place, bytes.len()), bytes);
        }
        for (place, bytes) in kept {
            blocks.remove(place, bytes.len());
        }
        for class in &blocks.classes {
            let memory = class.chunks.iter().filter(|chunk| !chunk.bytes.is_empty()).count();
            assert!(memory <= 1, "{memory} chunks without a block");
            assert!(class.chunks.iter().all(|chunk| chunk.used == 0));
        }
        assert!(blocks.long.iter().all(|block| block.is_empty()));
    }
}
