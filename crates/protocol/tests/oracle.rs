//! The crate `kafka-protocol`, which others wrote, reads every message that it knows as we do and writes it the same.

mod common;

use bytes::{Bytes, BytesMut};
use common::{Maker, all_messages};
use kafka_protocol::protocol::{Decodable, Encodable, Message};
use ottla_base::random::Random;

/// Reads and writes by the other crate; `None` when it has no such version.
fn theirs<M: Message + Decodable + Encodable + std::fmt::Debug>(bytes: &[u8], version: i16) -> Option<Vec<u8>> {
    if version < M::VERSIONS.min || version > M::VERSIONS.max {
        return None;
    }
    let mut from = Bytes::copy_from_slice(bytes);
    let message = M::decode(&mut from, version).unwrap_or_else(|error| panic!("version {version}: {error}"));
    assert!(from.is_empty(), "{message:?}");
    let mut to = BytesMut::new();
    message.encode(&mut to, version).unwrap_or_else(|error| panic!("version {version}: {error}\n{message:?}"));
    Some(to.to_vec())
}

macro_rules! compare {
    ($($message:ident)*) => {
        fn theirs_by_name(name: &str, bytes: &[u8], version: i16) -> Option<Vec<u8>> {
            match name {
                $(stringify!($message) => theirs::<kafka_protocol::messages::$message>(bytes, version),)*
                _ => None,
            }
        }
    };
}

compare! {
    ProduceRequest ProduceResponse FetchRequest FetchResponse ListOffsetsRequest ListOffsetsResponse MetadataRequest
    MetadataResponse OffsetCommitRequest OffsetCommitResponse OffsetFetchRequest OffsetFetchResponse
    FindCoordinatorRequest FindCoordinatorResponse JoinGroupRequest JoinGroupResponse HeartbeatRequest HeartbeatResponse
    LeaveGroupRequest LeaveGroupResponse SyncGroupRequest SyncGroupResponse DescribeGroupsRequest DescribeGroupsResponse
    ListGroupsRequest ListGroupsResponse SaslHandshakeRequest SaslHandshakeResponse ApiVersionsRequest
    ApiVersionsResponse CreateTopicsRequest CreateTopicsResponse DeleteTopicsRequest DeleteTopicsResponse
    DeleteRecordsRequest DeleteRecordsResponse InitProducerIdRequest InitProducerIdResponse OffsetForLeaderEpochRequest
    OffsetForLeaderEpochResponse AddPartitionsToTxnRequest AddPartitionsToTxnResponse AddOffsetsToTxnRequest
    AddOffsetsToTxnResponse EndTxnRequest EndTxnResponse WriteTxnMarkersRequest WriteTxnMarkersResponse
    TxnOffsetCommitRequest TxnOffsetCommitResponse DescribeAclsRequest DescribeAclsResponse CreateAclsRequest
    CreateAclsResponse DeleteAclsRequest DeleteAclsResponse DescribeConfigsRequest DescribeConfigsResponse
    AlterConfigsRequest AlterConfigsResponse AlterReplicaLogDirsRequest AlterReplicaLogDirsResponse
    DescribeLogDirsRequest DescribeLogDirsResponse SaslAuthenticateRequest SaslAuthenticateResponse
    CreatePartitionsRequest CreatePartitionsResponse DeleteGroupsRequest DeleteGroupsResponse ElectLeadersRequest
    ElectLeadersResponse IncrementalAlterConfigsRequest IncrementalAlterConfigsResponse
    AlterPartitionReassignmentsRequest AlterPartitionReassignmentsResponse ListPartitionReassignmentsRequest
    ListPartitionReassignmentsResponse OffsetDeleteRequest OffsetDeleteResponse DescribeClientQuotasRequest
    DescribeClientQuotasResponse AlterClientQuotasRequest AlterClientQuotasResponse AlterPartitionRequest
    AlterPartitionResponse UpdateFeaturesRequest UpdateFeaturesResponse DescribeClusterRequest DescribeClusterResponse
    DescribeProducersRequest DescribeProducersResponse DescribeTransactionsRequest DescribeTransactionsResponse
    ListTransactionsRequest ListTransactionsResponse ConsumerGroupHeartbeatRequest ConsumerGroupHeartbeatResponse
    ConsumerGroupDescribeRequest ConsumerGroupDescribeResponse DescribeTopicPartitionsRequest
    DescribeTopicPartitionsResponse ShareGroupHeartbeatRequest ShareGroupHeartbeatResponse
}

#[test]
fn another_implementation_agrees() {
    let (mut compared, mut unlike) = (0, Vec::new());
    for message in all_messages() {
        for version in message.versions.min..=message.versions.max {
            for seed in 50..56 {
                let random = Random::new(seed);
                let bytes = Maker { message, version, random, with_unknown_tags: false }.make();
                match theirs_by_name(&message.name, &bytes, version) {
                    Some(theirs) if theirs == bytes => compared += 1,
                    Some(_) => unlike.push(format!("{} {version}", message.name)),
                    None => {}
                }
            }
        }
    }
    assert!(unlike.is_empty(), "{unlike:?}");
    assert!(compared > 2_000, "{compared}");
}
