//! Every API in every version that ApiVersions promises: an empty request and one that means something are answered with
//! what a client of that version can read, and no version answers with an error that the others don't.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use ottla_base::ids::Uuid;
use ottla_broker::api::{APIS, Facing, find};
use ottla_protocol::batch_builder::{BatchOptions, RecordBatchBuilder};
use ottla_protocol::compression::{Compression, Compressor};
use ottla_protocol::messages::{
    alter_configs_request, create_acls_request, create_partitions_request, create_topics_request, delete_acls_request,
    delete_records_request, delete_topics_request, describe_configs_request, describe_log_dirs_request,
    describe_producers_request, describe_topic_partitions_request, fetch_request, incremental_alter_configs_request,
    join_group_request, leave_group_request, list_offsets_request, metadata_request, metadata_response,
    offset_commit_request, offset_delete_request, offset_fetch_request, offset_for_leader_epoch_request,
    produce_request, sync_group_request,
};
use ottla_protocol::messages::{
    api_versions_request::ApiVersionsRequest, delete_groups_request::DeleteGroupsRequest,
    describe_acls_request::DescribeAclsRequest, describe_cluster_request::DescribeClusterRequest,
    describe_groups_request::DescribeGroupsRequest, elect_leaders_request,
    find_coordinator_request::FindCoordinatorRequest, heartbeat_request::HeartbeatRequest,
    init_producer_id_request::InitProducerIdRequest, list_config_resources_request::ListConfigResourcesRequest,
    list_groups_request::ListGroupsRequest, list_partition_reassignments_request,
};
use ottla_protocol::{ApiKey, Message, Records, Request, request_frame, response_head};

use super::*;

/// A client that keeps account of what it has asked.
struct Client {
    stream: TcpStream,
    asked: BTreeSet<(ApiKey, i16)>,
}

impl Client {
    /// Sends one request and gives the body of its answer.
    fn ask<'a, Q: Request<'a>>(&mut self, version: i16, request: &Q) -> Vec<u8> {
        self.asked.insert((Q::KEY, version));
        let what = format!("{:?} version {version}", Q::KEY);
        let frame = request_frame(7, Some("c"), request, version).unwrap_or_else(|e| panic!("{what}: {e}"));
        self.stream.write_all(&frame.into_bytes().expect("bytes")).expect("writes");
        let mut len = [0; 4];
        self.stream.read_exact(&mut len).unwrap_or_else(|e| panic!("{what} is not answered: {e}"));
        let mut answer = vec![0; u32::from_be_bytes(len) as usize];
        self.stream.read_exact(&mut answer).expect("an answer");
        let (correlation_id, body) = response_head(&answer, Q::KEY, version).expect("a response header");
        assert_eq!(correlation_id, 7, "{what}");
        body.rest().to_vec()
    }

    /// Asks and looks at the answer: it can be read whole, says the same when written again, and has no other errors than
    /// `allowed`.
    fn check<'a, Q: Request<'a>>(&mut self, version: i16, request: &Q, allowed: &[i16]) {
        let body = self.ask(version, request);
        let what = format!("{:?} version {version}", Q::KEY);
        let response: Q::Response<'_> =
            Message::from_bytes(&body, version).unwrap_or_else(|e| panic!("{what}: {e}: {body:?}"));
        assert_eq!(response.to_bytes(version).unwrap_or_else(|e| panic!("{what}: {e}")), body, "{what}");
        let text = format!("{response:?}");
        for after in text.split("error_code: ").skip(1) {
            let code = after.split(|c: char| c != '-' && !c.is_ascii_digit()).next().expect("a number");
            let code: i16 = code.parse().expect("a code");
            assert!(code == 0 || allowed.contains(&code), "{what}: error {code} in {text}");
        }
    }

    /// The request in each version that is served.
    fn every<'a, Q: Request<'a>>(&mut self, allowed: &[i16], request: impl Fn(i16) -> Q) {
        let (low, high) = find(Q::KEY).expect("is served").versions;
        for version in low..=high {
            self.check(version, &request(version), allowed);
        }
    }
}

/// A value that only versions from `first` on can carry.
fn from<T: Default>(version: i16, first: i16, value: T) -> T {
    if version >= first { value } else { T::default() }
}

fn batch() -> Vec<u8> {
    let mut builder = RecordBatchBuilder::new(BatchOptions::default(), Compressor::new(Compression::None, None));
    builder.append(1_760_000_000_000, Some(b"k"), Some(b"v"), &[]);
    builder.finish().expect("a batch")
}

#[test]
fn every_version_of_every_api_answers() {
    let scratch = Scratch::new("node");
    let node = start(&scratch, &[("group.initial.rebalance.delay.ms", "0"), ("offsets.topic.num.partitions", "1")]);
    let mut client = Client { stream: connect(&node), asked: BTreeSet::new() };
    topics(&mut client);
    let id = topic_id(&mut client);
    records(&mut client, id);
    cluster_and_settings(&mut client);
    controller_and_acls(&mut client);
    groups(&mut client, id);
    nothing_asked(&mut client);
    deletions(&mut client);
    for api in APIS.iter().filter(|api| api.facing == Facing::Client) {
        for version in api.versions.0..=api.versions.1 {
            assert!(client.asked.contains(&(api.key, version)), "{:?} version {version} is not tried", api.key);
        }
    }
}

fn topics(client: &mut Client) {
    use create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
    use create_topics_request::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
    client.every(&[], |version| {
        let configs = vec![CreatableTopicConfig { name: "retention.ms".into(), value: Some("-1".into()) }];
        let topic = CreatableTopic {
            name: format!("t{version}").into(),
            num_partitions: 1,
            replication_factor: 1,
            configs,
            ..Default::default()
        };
        CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, validate_only: false }
    });
    client.every(&[], |version| {
        let topic = CreatePartitionsTopic { name: format!("t{version}").into(), count: 2, assignments: None };
        CreatePartitionsRequest { topics: vec![topic], timeout_ms: 10_000, validate_only: false }
    });
}

fn topic_id(client: &mut Client) -> Uuid {
    let body = client.ask(12, &metadata_request::MetadataRequest { topics: None, ..Default::default() });
    let response = metadata_response::MetadataResponse::from_bytes(&body, 12).expect("a response");
    let topic = response.topics.iter().find(|topic| topic.name.as_deref() == Some("t0")).expect("was made");
    topic.topic_id
}

fn records(client: &mut Client, id: Uuid) {
    use fetch_request::{FetchPartition, FetchRequest, FetchTopic};
    use list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
    use offset_for_leader_epoch_request::{
        OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
    };
    use produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
    let batch = batch();
    client.every(&[], |_| {
        let data = PartitionProduceData { index: 0, records: Some(Records::from(&batch[..])) };
        let topic = TopicProduceData { name: "t0".into(), topic_id: id, partition_data: vec![data] };
        ProduceRequest { acks: -1, timeout_ms: 5_000, topic_data: vec![topic], ..Default::default() }
    });
    client.every(&[], |_| {
        let partition = FetchPartition { partition_max_bytes: 1 << 20, ..Default::default() };
        let topic = FetchTopic { topic: "t0".into(), topic_id: id, partitions: vec![partition] };
        FetchRequest { min_bytes: 1, max_bytes: 1 << 20, max_wait_ms: 100, topics: vec![topic], ..Default::default() }
    });
    // Latest, earliest, by time, largest timestamp, earliest local, and the version from which each is known.
    for (timestamp, first) in [(-1, 1), (-2, 1), (1_760_000_000_000, 1), (-3, 7), (-4, 8)] {
        client.every(&[], |version| {
            let timestamp = if version >= first { timestamp } else { -1 };
            let partition = ListOffsetsPartition { current_leader_epoch: -1, timestamp, ..Default::default() };
            let topic = ListOffsetsTopic { name: "t0".into(), partitions: vec![partition] };
            ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() }
        });
    }
    client.every(&[], |_| {
        let partition = OffsetForLeaderPartition { current_leader_epoch: -1, ..Default::default() };
        let topic = OffsetForLeaderTopic { topic: "t0".into(), partitions: vec![partition] };
        OffsetForLeaderEpochRequest { replica_id: -1, topics: vec![topic] }
    });
    client.every(&[], |_| {
        let topic = describe_producers_request::TopicRequest { name: "t0".into(), partition_indexes: vec![0] };
        describe_producers_request::DescribeProducersRequest { topics: vec![topic] }
    });
    client.every(&[], |_| InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: 1_000,
        producer_id: -1,
        producer_epoch: -1,
        ..Default::default()
    });
}

fn cluster_and_settings(client: &mut Client) {
    use alter_configs_request::{AlterConfigsRequest, AlterConfigsResource, AlterableConfig};
    client.every(&[], |_| ApiVersionsRequest { client_software_name: "c".into(), client_software_version: "1".into() });
    client.every(&[], |_| metadata_request::MetadataRequest {
        topics: Some(vec![metadata_request::MetadataRequestTopic { name: Some("t0".into()), ..Default::default() }]),
        allow_auto_topic_creation: true,
        ..Default::default()
    });
    client.every(&[], |_| DescribeClusterRequest { endpoint_type: 1, ..Default::default() });
    client.every(&[], |_| describe_topic_partitions_request::DescribeTopicPartitionsRequest {
        topics: vec![describe_topic_partitions_request::TopicRequest { name: "t0".into() }],
        response_partition_limit: 10,
        cursor: None,
    });
    client.every(&[], |_| {
        let topic = describe_log_dirs_request::DescribableLogDirTopic { topic: "t0".into(), partitions: vec![0] };
        describe_log_dirs_request::DescribeLogDirsRequest { topics: Some(vec![topic]) }
    });
    client.every(&[], |_| ListConfigResourcesRequest::default());
    client.every(&[], |version| describe_configs_request::DescribeConfigsRequest {
        resources: vec![describe_configs_request::DescribeConfigsResource {
            resource_type: 2,
            resource_name: "t0".into(),
            configuration_keys: None,
        }],
        include_synonyms: from(version, 1, true),
        include_documentation: from(version, 3, true),
    });
    client.every(&[], |_| AlterConfigsRequest {
        resources: vec![AlterConfigsResource {
            resource_type: 2,
            resource_name: "t0".into(),
            configs: vec![AlterableConfig { name: "cleanup.policy".into(), value: Some("delete".into()) }],
        }],
        validate_only: false,
    });
    client.every(&[], |_| incremental_alter_configs_request::IncrementalAlterConfigsRequest {
        resources: vec![incremental_alter_configs_request::AlterConfigsResource {
            resource_type: 2,
            resource_name: "t0".into(),
            configs: vec![incremental_alter_configs_request::AlterableConfig {
                name: "cleanup.policy".into(),
                config_operation: 1,
                value: None,
            }],
        }],
        validate_only: false,
    });
}

fn controller_and_acls(client: &mut Client) {
    use ottla_protocol::ErrorCode::{ElectionNotNeeded, SecurityDisabled};
    client.every(&[ElectionNotNeeded as i16], |_| {
        let topic = elect_leaders_request::TopicPartitions { topic: "t0".into(), partitions: vec![0] };
        elect_leaders_request::ElectLeadersRequest { topic_partitions: Some(vec![topic]), ..Default::default() }
    });
    client.every(&[], |_| {
        use list_partition_reassignments_request::{
            ListPartitionReassignmentsRequest, ListPartitionReassignmentsTopics,
        };
        let topic = ListPartitionReassignmentsTopics { name: "t0".into(), partition_indexes: vec![0] };
        ListPartitionReassignmentsRequest { topics: Some(vec![topic]), ..Default::default() }
    });
    let disabled = [SecurityDisabled as i16];
    // Any topic, the literal name, any operation.
    client.every(&disabled, |_| DescribeAclsRequest {
        resource_type_filter: 2,
        pattern_type_filter: 3,
        operation: 1,
        permission_type: 1,
        ..Default::default()
    });
    client.every(&disabled, |_| create_acls_request::CreateAclsRequest {
        creations: vec![create_acls_request::AclCreation {
            resource_type: 2,
            resource_name: "t0".into(),
            resource_pattern_type: 3,
            principal: "User:a".into(),
            host: "*".into(),
            operation: 3,
            permission_type: 3,
        }],
    });
    client.every(&disabled, |_| delete_acls_request::DeleteAclsRequest {
        filters: vec![delete_acls_request::DeleteAclsFilter {
            resource_type_filter: 2,
            pattern_type_filter: 3,
            operation: 1,
            permission_type: 1,
            ..Default::default()
        }],
    });
}

fn groups(client: &mut Client, id: Uuid) {
    use offset_commit_request::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic};
    use offset_fetch_request::{
        OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    };
    let find = |version: i16| FindCoordinatorRequest {
        key: if version < 4 { "g".into() } else { "".into() },
        coordinator_keys: from(version, 4, vec!["g".into()]),
        ..Default::default()
    };
    wait_for_coordinator(client, &find(6));
    client.every(&[], find);
    client.every(&[], |version| {
        let partition = OffsetCommitRequestPartition { committed_offset: 1, ..Default::default() };
        let topic = OffsetCommitRequestTopic {
            name: "t0".into(),
            topic_id: from(version, 10, id),
            partitions: vec![partition],
        };
        OffsetCommitRequest {
            group_id: "g".into(),
            generation_id_or_member_epoch: -1,
            retention_time_ms: -1,
            topics: vec![topic],
            ..Default::default()
        }
    });
    client.every(&[], |version| {
        let topic = OffsetFetchRequestTopic { name: "t0".into(), partition_indexes: vec![0] };
        let of_group = OffsetFetchRequestTopics { name: "t0".into(), topic_id: id, partition_indexes: vec![0] };
        let group = OffsetFetchRequestGroup {
            group_id: "g".into(),
            member_epoch: -1,
            topics: Some(vec![of_group]),
            ..Default::default()
        };
        match version {
            0..=7 => OffsetFetchRequest { group_id: "g".into(), topics: Some(vec![topic]), ..Default::default() },
            _ => OffsetFetchRequest { groups: vec![group], ..Default::default() },
        }
    });
    members(client);
    client.every(&[], |_| ListGroupsRequest::default());
    // Version 6 answers for a group that is not there with GROUP_ID_NOT_FOUND; this one has offsets.
    client.every(&[], |_| DescribeGroupsRequest { groups: vec!["g".into()], ..Default::default() });
    client.every(&[], |_| {
        let partition = offset_delete_request::OffsetDeleteRequestPartition { partition_index: 0 };
        let topic = offset_delete_request::OffsetDeleteRequestTopic { name: "t0".into(), partitions: vec![partition] };
        offset_delete_request::OffsetDeleteRequest { group_id: "g".into(), topics: vec![topic] }
    });
}

/// Until the group can be worked with: its topic has to be made and read in.
fn wait_for_coordinator(client: &mut Client, find: &FindCoordinatorRequest<'_>) {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let body = client.ask(6, find);
        let found = ottla_protocol::messages::find_coordinator_response::FindCoordinatorResponse::from_bytes(&body, 6);
        let found = found.expect("a response").coordinators.iter().all(|coordinator| coordinator.error_code == 0);
        let body = client.ask(5, &DescribeGroupsRequest { groups: vec!["g".into()], ..Default::default() });
        let group = ottla_protocol::messages::describe_groups_response::DescribeGroupsResponse::from_bytes(&body, 5);
        if found && group.expect("a response").groups.iter().all(|group| group.error_code == 0) {
            return;
        }
        assert!(std::time::Instant::now() < until, "no coordinator");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A member that comes, syncs, lives and goes, in each version; from 4 on, joining takes an id that is given first.
fn members(client: &mut Client) {
    use join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
    use ottla_protocol::messages::join_group_response::JoinGroupResponse;
    const MEMBER_ID_REQUIRED: i16 = 79;
    for version in 0..=9 {
        let group = format!("members-{version}");
        let join = |member_id: &str| JoinGroupRequest {
            group_id: group.clone().into(),
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 10_000,
            member_id: member_id.to_owned().into(),
            protocol_type: "consumer".into(),
            protocols: vec![JoinGroupRequestProtocol { name: "range".into(), metadata: b"\0\0\0\0\0\0"[..].into() }],
            ..Default::default()
        };
        let body = client.ask(version, &join(""));
        let first = JoinGroupResponse::from_bytes(&body, version).expect("a response");
        assert_eq!(first.error_code, if version >= 4 { MEMBER_ID_REQUIRED } else { 0 }, "{version}");
        let body = client.ask(version, &join(&first.member_id));
        let joined = JoinGroupResponse::from_bytes(&body, version).expect("a response");
        assert_eq!((joined.error_code, &joined.leader), (0, &first.member_id), "{version}");
        let member = || joined.member_id.to_string();
        let sync = sync_group_request::SyncGroupRequest {
            group_id: group.clone().into(),
            generation_id: joined.generation_id,
            member_id: member().into(),
            protocol_type: Some("consumer".into()),
            protocol_name: Some("range".into()),
            ..Default::default()
        };
        client.check(version.min(5), &sync, &[]);
        let heartbeat = HeartbeatRequest {
            group_id: group.clone().into(),
            generation_id: joined.generation_id,
            member_id: member().into(),
            ..Default::default()
        };
        client.check(version.min(4), &heartbeat, &[]);
        let who = leave_group_request::MemberIdentity { member_id: member().into(), ..Default::default() };
        let leave = match version {
            0..=2 => leave_group_request::LeaveGroupRequest {
                group_id: group.clone().into(),
                member_id: member().into(),
                ..Default::default()
            },
            _ => leave_group_request::LeaveGroupRequest {
                group_id: group.clone().into(),
                members: vec![who],
                ..Default::default()
            },
        };
        client.check(version.min(5), &leave, &[]);
    }
}

/// Requests that name nothing, as a careless client sends them: an answer, and no error that means a fault of ours.
fn nothing_asked(client: &mut Client) {
    const INVALID_REQUEST: i16 = 42;
    const INVALID_GROUP_ID: i16 = 24;
    const INCONSISTENT_GROUP_PROTOCOL: i16 = 23;
    client.every(&[], |_| produce_request::ProduceRequest { acks: 1, ..Default::default() });
    client.every(&[], |_| fetch_request::FetchRequest::default());
    client.every(&[], |_| list_offsets_request::ListOffsetsRequest::default());
    client.every(&[], |_| metadata_request::MetadataRequest {
        topics: Some(vec![]),
        allow_auto_topic_creation: true,
        ..Default::default()
    });
    client.every(&[INVALID_GROUP_ID], |_| join_group_request::JoinGroupRequest::default());
    client.every(&[INVALID_GROUP_ID, INCONSISTENT_GROUP_PROTOCOL], |_| sync_group_request::SyncGroupRequest::default());
    client.every(&[INVALID_GROUP_ID], |_| HeartbeatRequest::default());
    client.every(&[INVALID_GROUP_ID], |_| leave_group_request::LeaveGroupRequest::default());
    client.every(&[INVALID_GROUP_ID], |_| offset_commit_request::OffsetCommitRequest::default());
    client.every(&[INVALID_GROUP_ID], |_| offset_delete_request::OffsetDeleteRequest::default());
    client.every(&[], |_| DescribeGroupsRequest::default());
    client.every(&[], |_| DeleteGroupsRequest::default());
    client.every(&[INVALID_REQUEST], |_| create_topics_request::CreateTopicsRequest::default());
    client.every(&[INVALID_REQUEST], |_| create_partitions_request::CreatePartitionsRequest::default());
    client.every(&[INVALID_REQUEST], |_| delete_topics_request::DeleteTopicsRequest::default());
    client.every(&[], |_| delete_records_request::DeleteRecordsRequest::default());
    client.every(&[], |_| describe_configs_request::DescribeConfigsRequest::default());
    client.every(&[], |_| describe_log_dirs_request::DescribeLogDirsRequest::default());
}

fn deletions(client: &mut Client) {
    use delete_records_request::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic};
    use delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
    const GROUP_ID_NOT_FOUND: i16 = 69;
    client.every(&[], |_| {
        let partition = DeleteRecordsPartition { partition_index: 0, offset: 1 };
        let topic = DeleteRecordsTopic { name: "t0".into(), partitions: vec![partition] };
        DeleteRecordsRequest { topics: vec![topic], timeout_ms: 5_000 }
    });
    client.every(&[GROUP_ID_NOT_FOUND], |_| DeleteGroupsRequest { groups_names: vec!["members-0".into()] });
    client.every(&[], |version| {
        let name = || format!("t{version}");
        let state = DeleteTopicState { name: Some(name().into()), ..Default::default() };
        DeleteTopicsRequest {
            topics: from(version, 6, vec![state]),
            topic_names: if version < 6 { vec![name().into()] } else { vec![] },
            timeout_ms: 10_000,
        }
    });
}
