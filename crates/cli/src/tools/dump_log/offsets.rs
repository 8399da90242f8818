//! Keys and values as text, or as the JSON that Kafka's decoders of internal topics print.

use std::fmt::Write as _;

use ottla_protocol::messages::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, GroupMetadataKey, GroupMetadataValue, OffsetCommitKey,
    OffsetCommitValue, TransactionLogKey, TransactionLogValue, group_metadata_value,
};
use ottla_protocol::{Message, Reader, Record, from_versioned_bytes};
use serde_json::{Value, json};

use super::segment::Decoder;

/// The record's key and value, if it has them, as they are to be printed.
pub fn decode(decoder: Decoder, record: &Record<'_>) -> (Option<String>, Option<String>) {
    let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let Some(key) = record.key.filter(|_| decoder != Decoder::Text) else {
        return (text(record.key), text(record.value));
    };
    let decoded = match decoder {
        Decoder::Offsets => offsets(key, record.value),
        _ => transactions(key, record.value),
    };
    match decoded {
        Some((key, value)) => {
            (Some(key.to_string()), Some(value.map_or_else(|| "<DELETE>".to_owned(), |v| v.to_string())))
        }
        None => (text(record.key), text(record.value)),
    }
}

/// Key and value, `None` for a tombstone; no result for a record of a kind that isn't known here.
type Decoded = Option<(Value, Option<Value>)>;

/// The two bytes in front: a key's type, a value's version.
fn kind(key: &[u8]) -> Option<i16> {
    Some(i16::from_be_bytes(key.get(..2)?.try_into().ok()?))
}

fn offsets(key: &[u8], value: Option<&[u8]>) -> Decoded {
    let mut reader = Reader::new(key.get(2..)?);
    match kind(key)? {
        kind @ (0 | 1) => {
            let key = OffsetCommitKey::decode(&mut reader, 0).ok()?;
            let data = json!({"group": key.group, "topic": key.topic, "partition": key.partition});
            Some((json!({"type": kind.to_string(), "data": data}), committed(value)?))
        }
        2 => {
            let key = GroupMetadataKey::decode(&mut reader, 0).ok()?;
            Some((json!({"type": "2", "data": {"group": key.group}}), group(value)?))
        }
        _ => None,
    }
}

/// The outer `None`: the value can't be read.
#[allow(clippy::option_option)]
fn committed(value: Option<&[u8]>) -> Option<Option<Value>> {
    let Some(value) = value else { return Some(None) };
    let (value, version) = versioned::<OffsetCommitValue<'_>>(value)?;
    let mut data = json!({"offset": value.offset});
    if version >= 3 {
        data["leaderEpoch"] = value.leader_epoch.into();
    }
    data["metadata"] = value.metadata.into();
    data["commitTimestamp"] = value.commit_timestamp.into();
    if version == 1 {
        data["expireTimestamp"] = value.expire_timestamp.into();
    }
    if version >= 4 && !value.topic_id.is_zero() {
        data["topicId"] = value.topic_id.to_string().into();
    }
    Some(Some(json!({"version": version.to_string(), "data": data})))
}

#[allow(clippy::option_option)]
fn group(value: Option<&[u8]>) -> Option<Option<Value>> {
    let Some(value) = value else { return Some(None) };
    let (value, version) = versioned::<GroupMetadataValue<'_>>(value)?;
    let mut data = json!({
        "protocolType": value.protocol_type,
        "generation": value.generation,
        "protocol": value.protocol,
        "leader": value.leader,
    });
    if version >= 2 {
        data["currentStateTimestamp"] = value.current_state_timestamp.into();
    }
    data["members"] = value.members.iter().map(|m| member(m, version, &value.protocol_type)).collect();
    Some(Some(json!({"version": version.to_string(), "data": data})))
}

fn member(member: &group_metadata_value::MemberMetadata<'_>, version: i16, protocol_type: &str) -> Value {
    let mut data = json!({"memberId": member.member_id});
    if version >= 3 {
        data["groupInstanceId"] = json!(member.group_instance_id);
    }
    data["clientId"] = json!(member.client_id);
    data["clientHost"] = json!(member.client_host);
    if version >= 1 {
        data["rebalanceTimeout"] = member.rebalance_timeout.into();
    }
    data["sessionTimeout"] = member.session_timeout.into();
    let (subscription, assignment) = (&member.subscription[..], &member.assignment[..]);
    let readable = (protocol_type == "consumer").then(|| (subscribed(subscription), assigned(assignment)));
    let (subscription, assignment) = match readable {
        Some((Some(subscription), Some(assignment))) => (subscription, assignment),
        _ => (base64(subscription).into(), base64(assignment).into()),
    };
    data["subscription"] = subscription;
    data["assignment"] = assignment;
    data
}

fn subscribed(bytes: &[u8]) -> Option<Value> {
    let (value, version) = versioned::<ConsumerProtocolSubscription<'_>>(bytes)?;
    let mut data = json!({"topics": value.topics, "userData": base64_or_null(value.user_data.as_deref())});
    if version >= 1 {
        let owned = value.owned_partitions.iter().map(|t| json!({"topic": t.topic, "partitions": t.partitions}));
        data["ownedPartitions"] = owned.collect();
    }
    if version >= 2 {
        data["generationId"] = value.generation_id.into();
    }
    if version >= 3 {
        data["rackId"] = json!(value.rack_id);
    }
    Some(data)
}

fn assigned(bytes: &[u8]) -> Option<Value> {
    if bytes.is_empty() {
        return Some("".into());
    }
    let (value, _) = versioned::<ConsumerProtocolAssignment<'_>>(bytes)?;
    let partitions: Vec<Value> =
        value.assigned_partitions.iter().map(|t| json!({"topic": t.topic, "partitions": t.partitions})).collect();
    Some(json!({"assignedPartitions": partitions, "userData": base64_or_null(value.user_data.as_deref())}))
}

fn transactions(key: &[u8], value: Option<&[u8]>) -> Decoded {
    if kind(key)? != 0 {
        return None;
    }
    let key = TransactionLogKey::decode(&mut Reader::new(key.get(2..)?), 0).ok()?;
    let shown = json!({"type": "0", "data": {"transactionalId": key.transactional_id}});
    let Some(value) = value else { return Some((shown, None)) };
    let (value, version) = versioned::<TransactionLogValue<'_>>(value)?;
    let partitions = value.transaction_partitions.as_ref().map(|topics| {
        topics.iter().map(|t| json!({"topic": t.topic, "partitionIds": t.partition_ids})).collect::<Vec<_>>()
    });
    let data = json!({
        "producerId": value.producer_id,
        "producerEpoch": value.producer_epoch,
        "transactionTimeoutMs": value.transaction_timeout_ms,
        "transactionStatus": value.transaction_status,
        "transactionPartitions": partitions,
        "transactionLastUpdateTimestampMs": value.transaction_last_update_timestamp_ms,
        "transactionStartTimestampMs": value.transaction_start_timestamp_ms,
    });
    Some((shown, Some(json!({"version": version.to_string(), "data": data}))))
}

/// A value with its version in front of it.
fn versioned<'a, M: Message<'a>>(bytes: &'a [u8]) -> Option<(M, i16)> {
    let version = kind(bytes)?;
    Some((from_versioned_bytes(bytes).ok()?, version))
}

fn base64_or_null(bytes: Option<&[u8]>) -> Value {
    bytes.map_or(Value::Null, |bytes| base64(bytes).into())
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, &b| (word << 8) | u32::from(b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let letter = if i <= chunk.len() { LETTERS[(word >> (18 - 6 * i)) as usize & 63] as char } else { '=' };
            let _ = write!(text, "{letter}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_the_rfc_has_it() {
        assert_eq!([base64(b""), base64(b"f"), base64(b"fo"), base64(b"foobar")], ["", "Zg==", "Zm8=", "Zm9vYmFy"]);
    }

    #[test]
    fn an_offset_commit() {
        let key = [&[0, 1, 0, 1][..], b"g", &[0, 1], b"t", &[0, 0, 0, 3]].concat();
        let value = [&[0, 3][..], &7i64.to_be_bytes(), &(-1i32).to_be_bytes(), &[0, 0], &9i64.to_be_bytes()].concat();
        let record =
            Record { offset: 0, timestamp: 0, key: Some(&key), value: Some(&value), headers: Default::default() };
        let (key, value) = decode(Decoder::Offsets, &record);
        assert_eq!(key.as_deref(), Some(r#"{"type":"1","data":{"group":"g","topic":"t","partition":3}}"#));
        assert_eq!(
            value.as_deref(),
            Some(r#"{"version":"3","data":{"offset":7,"leaderEpoch":-1,"metadata":"","commitTimestamp":9}}"#)
        );
        let tombstone = Record { value: None, ..record };
        assert_eq!(decode(Decoder::Offsets, &tombstone).1.as_deref(), Some("<DELETE>"));
    }
}
