//! Every message in every version: bytes made from the tables are read and written again, cut and damaged.

mod common;

use common::{Maker, all_messages};
use ottla_base::random::Random;
use ottla_protocol::{DecodeError, Message, Writer, messages};

/// Reads and writes again.
fn again<'a, M: Message<'a>>(bytes: &'a [u8], version: i16) -> Result<Vec<u8>, DecodeError> {
    let message = M::from_bytes(bytes, version)?;
    Ok(message.to_bytes(version).unwrap_or_else(|error| panic!("{error}\n{message:?}")))
}

/// [`again`] for a message by name.
fn again_by_name(name: &str, bytes: &[u8], version: i16) -> Result<Vec<u8>, DecodeError> {
    macro_rules! arm {
        ($message:ident) => {
            if name == stringify!($message) {
                return again::<messages::$message>(bytes, version);
            }
        };
    }
    ottla_protocol::for_every_message!(arm);
    panic!("{name} is not generated");
}

/// Calls `check` with every message and version, and a few seeds each.
fn for_all(seeds: u64, mut check: impl FnMut(&mut Maker<'_>)) {
    for message in all_messages() {
        for version in message.versions.min..=message.versions.max {
            for seed in 0..seeds {
                let random = Random::new(seed);
                check(&mut Maker { message, version, random, with_unknown_tags: false });
            }
        }
    }
}

#[test]
fn what_is_read_is_written_the_same() {
    for_all(12, |maker| {
        let bytes = maker.make();
        let name = &maker.message.name;
        let back = again_by_name(name, &bytes, maker.version).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(back, bytes, "{name} version {}", maker.version);
    });
}

#[test]
fn unknown_tagged_fields_are_passed_over() {
    for_all(3, |maker| {
        let seed = maker.random.clone();
        let plain = maker.make();
        (maker.random, maker.with_unknown_tags) = (seed, true);
        let tagged = maker.make();
        let back = again_by_name(&maker.message.name, &tagged, maker.version).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(back, plain, "{} version {}", maker.message.name, maker.version);
    });
}

#[test]
fn a_cut_message_is_an_error() {
    for_all(2, |maker| {
        let bytes = maker.make();
        for len in 0..bytes.len().min(600) {
            let cut = again_by_name(&maker.message.name, &bytes[..len], maker.version);
            assert!(cut.is_err(), "{} version {} cut at {len}", maker.message.name, maker.version);
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(again_by_name(&maker.message.name, &longer, maker.version).is_err());
    });
}

#[test]
fn a_damaged_message_never_panics() {
    for_all(2, |maker| {
        let sound = maker.make();
        for _ in 0..40.min(sound.len()) {
            let mut bytes = sound.clone();
            for _ in 0..=maker.random.index(3) {
                let at = maker.random.index(bytes.len());
                bytes[at] = [0, 0x7f, 0x80, 0xff, maker.random.next_u64() as u8][maker.random.index(5)];
            }
            // Read only: what a version can carry is asked of messages that were read from one.
            let _ = again_by_name(&maker.message.name, &bytes, maker.version);
        }
    });
}

/// Writes the default in every version that takes it, reads it, and writes it again.
fn check_default<'a, M: Message<'a>>(scratch: &'a mut Vec<u8>, version: i16) -> bool {
    let message = M::default();
    let mut w = Writer::new();
    if message.encode(&mut w, version).is_err() {
        return false;
    }
    *scratch = w.into_frame().into_bytes().expect("in memory");
    let back = M::from_bytes(scratch, version).unwrap_or_else(|error| panic!("{error}"));
    // What a version has no field for reads as its default.
    assert_eq!(back, message, "version {version}");
    true
}

#[test]
fn defaults_are_read_as_defaults() {
    let (mut written, mut refused) = (0, Vec::new());
    macro_rules! arm {
        ($message:ident) => {
            for version in messages::$message::VERSIONS {
                let mut scratch = Vec::new();
                if check_default::<messages::$message>(&mut scratch, version) {
                    written += 1;
                } else {
                    refused.push(format!("{} {version}", stringify!($message)));
                }
            }
        };
    }
    ottla_protocol::for_every_message!(arm);
    assert!(written > 700, "{written}");
    // A default of null where the version takes none.
    assert!(refused.len() < 10, "{refused:?}");
}
