//! What tools that ask for ACLs are told.

use ottla_protocol::messages::create_acls_request::{AclCreation, CreateAclsRequest};
use ottla_protocol::messages::create_acls_response::CreateAclsResponse;
use ottla_protocol::messages::delete_acls_request::{DeleteAclsFilter, DeleteAclsRequest};
use ottla_protocol::messages::delete_acls_response::DeleteAclsResponse;
use ottla_protocol::messages::describe_acls_request::DescribeAclsRequest;
use ottla_protocol::messages::describe_acls_response::DescribeAclsResponse;
use ottla_protocol::{ErrorCode, Message};

use crate::harness::Harness;

/// Answers of Kafka 4.3.1 without an authorizer, from behind the correlation id, to version 1 of each.
const DESCRIBED: &[u8] = b"\0\0\0\0\0\x36\0\x29No Authorizer is configured on the broker\0\0\0\0";
const CREATED: &[u8] =
    b"\0\0\0\0\0\0\0\x02\0\x36\0\x1cNo Authorizer is configured.\0\x36\0\x1cNo Authorizer is configured.";
const DELETED: &[u8] = b"\0\0\0\0\0\0\0\x02\0\x36\0\x1cNo Authorizer is configured.\0\0\0\0\
    \0\x36\0\x1cNo Authorizer is configured.\0\0\0\0";

#[test]
fn there_are_no_acls_to_look_after() {
    let mut harness = Harness::new();
    for version in 1..=3 {
        let answer = harness.ask(version, &DescribeAclsRequest::default());
        let described: DescribeAclsResponse<'_> = answer.get();
        assert_eq!(ErrorCode::from_code(described.error_code), ErrorCode::SecurityDisabled);
        let creations = vec![AclCreation::default(); 2];
        let answer = harness.ask(version, &CreateAclsRequest { creations });
        let created: CreateAclsResponse<'_> = answer.get();
        let filters = vec![DeleteAclsFilter::default(); 2];
        let answer = harness.ask(version, &DeleteAclsRequest { filters });
        let deleted: DeleteAclsResponse<'_> = answer.get();
        if version == 1 {
            assert_eq!(described.to_bytes(1).expect("bytes"), DESCRIBED);
            assert_eq!(created.to_bytes(1).expect("bytes"), CREATED);
            assert_eq!(deleted.to_bytes(1).expect("bytes"), DELETED);
        }
        assert_eq!((created.results.len(), deleted.filter_results.len()), (2, 2));
    }
}
