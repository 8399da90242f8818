//! Key → newest offset, for one cleaning. Keys are kept as 128-bit keyed hashes (SipHash-2-4), so the memory is the same for
//! all keys; without the secret nobody can make two keys collide. Class `SkimpyOffsetMap`.

/// Bytes of a slot.
pub const SLOT_BYTES: usize = 24;
/// Marks a free slot.
const FREE: i64 = -1;

#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: [u64; 2],
    offset: i64,
}

/// An open-addressing table that never grows: whoever fills it checks [`OffsetMap::is_full`].
#[derive(Debug)]
pub struct OffsetMap {
    slots: Vec<Slot>,
    len: usize,
    most: usize,
    secret: [u64; 2],
    latest_offset: i64,
}

impl OffsetMap {
    /// Room for `keys` keys, but no more than `bytes` allow at `load_factor`.
    #[must_use]
    pub fn new(keys: usize, bytes: usize, load_factor: f64, secret: [u64; 2]) -> Self {
        let load_factor = load_factor.clamp(0.1, 0.95);
        let wanted = (keys as f64 / load_factor) as usize + 1;
        let count = wanted.min(bytes / SLOT_BYTES).max(2);
        let most = ((count as f64 * load_factor) as usize).max(1);
        Self { slots: vec![Slot { hash: [0; 2], offset: FREE }; count], len: 0, most, secret, latest_offset: -1 }
    }

    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len >= self.most
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The last offset that was looked at, put or not.
    #[must_use]
    pub fn latest_offset(&self) -> i64 {
        self.latest_offset
    }

    pub fn set_latest_offset(&mut self, offset: i64) {
        self.latest_offset = offset;
    }

    fn slot_of(&self, hash: [u64; 2]) -> usize {
        let mut at = (hash[0] % self.slots.len() as u64) as usize;
        while self.slots[at].offset != FREE && self.slots[at].hash != hash {
            at = if at + 1 == self.slots.len() { 0 } else { at + 1 };
        }
        at
    }

    /// Keeps `offset` as the key's newest. Must not be called when full.
    pub fn put(&mut self, key: &[u8], offset: i64) {
        assert!(!self.is_full(), "the map is full");
        let hash = siphash128(self.secret, key);
        let at = self.slot_of(hash);
        self.len += usize::from(self.slots[at].offset == FREE);
        self.slots[at] = Slot { hash, offset };
    }

    /// The key's newest offset.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<i64> {
        let slot = &self.slots[self.slot_of(siphash128(self.secret, key))];
        (slot.offset != FREE).then_some(slot.offset)
    }
}

/// SipHash-2-4 with 128 bits of output (Aumasson, Bernstein).
fn siphash128(key: [u64; 2], bytes: &[u8]) -> [u64; 2] {
    let mut v = [
        key[0] ^ 0x736f_6d65_7073_6575,
        key[1] ^ 0x646f_7261_6e64_6f6d ^ 0xee,
        key[0] ^ 0x6c79_6765_6e65_7261,
        key[1] ^ 0x7465_6462_7974_6573,
    ];
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        absorb(&mut v, chunk.iter().rev().fold(0, |word, &b| (word << 8) | u64::from(b)));
    }
    let tail = chunks.remainder().iter().rev().fold(0, |word, &b| (word << 8) | u64::from(b));
    absorb(&mut v, tail | (bytes.len() as u64) << 56);
    v[2] ^= 0xee;
    rounds(&mut v, 4);
    let low = v[0] ^ v[1] ^ v[2] ^ v[3];
    v[1] ^= 0xdd;
    rounds(&mut v, 4);
    [low, v[0] ^ v[1] ^ v[2] ^ v[3]]
}

fn absorb(v: &mut [u64; 4], word: u64) {
    v[3] ^= word;
    rounds(v, 2);
    v[0] ^= word;
}

fn rounds(v: &mut [u64; 4], count: usize) {
    let [a, b, c, d] = v;
    for _ in 0..count {
        *a = a.wrapping_add(*b);
        *c = c.wrapping_add(*d);
        *b = b.rotate_left(13) ^ *a;
        *d = d.rotate_left(16) ^ *c;
        *a = a.rotate_left(32);
        *c = c.wrapping_add(*b);
        *a = a.wrapping_add(*d);
        *b = b.rotate_left(17) ^ *c;
        *d = d.rotate_left(21) ^ *a;
        *c = c.rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vectors() {
        let key = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        let hash = |len: u8| {
            let [low, high] = siphash128(key, &(0..len).collect::<Vec<_>>());
            [low.to_le_bytes(), high.to_le_bytes()].concat()
        };
        assert_eq!(hash(0), 0xa381_7f04_ba25_a8e6_6df6_7214_c755_0293_u128.to_be_bytes());
        assert_eq!(hash(1), 0xda87_c1d8_6b99_af44_3476_5911_9b22_fc45_u128.to_be_bytes());
    }

    #[test]
    fn newest_offsets() {
        let mut map = OffsetMap::new(1_000, 1 << 20, 0.9, [1, 2]);
        for i in 0..2_000i64 {
            map.put(format!("k{}", i % 700).as_bytes(), i);
        }
        assert_eq!((map.len(), map.is_full()), (700, false));
        assert_eq!(map.get(b"k699"), Some(1_399));
        assert_eq!(map.get(b"k0"), Some(1_400));
        assert_eq!(map.get(b"other"), None);
        let mut small = OffsetMap::new(1_000, 240, 0.5, [1, 2]);
        while !small.is_full() {
            small.put(&small.len().to_be_bytes(), 1);
        }
        assert_eq!(small.len(), 5);
    }
}
