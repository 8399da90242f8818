//! What an error means, in a sentence.

use crate::error_code::ErrorCode;

impl ErrorCode {
    /// A short explanation for people.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::UnknownServerError => "The server met an error that it did not expect.",
            Self::None => "No error.",
            Self::OffsetOutOfRange => "The partition has no record at the requested offset.",
            Self::CorruptMessage => {
                "The records fail their checksum, have a wrong size, lack a key in a compacted topic, or are damaged otherwise."
            }
            Self::UnknownTopicOrPartition => "This server has no such topic or partition.",
            Self::InvalidFetchSize => "The requested fetch size is not valid.",
            Self::LeaderNotAvailable => "The partition has no leader just now, as in the middle of an election.",
            Self::NotLeaderOrFollower => {
                "This broker is not the leader that the request needs, or not a replica of the partition."
            }
            Self::RequestTimedOut => "The request took longer than its timeout.",
            Self::BrokerNotAvailable => "The broker is not available.",
            Self::ReplicaNotAvailable => {
                "The replica is not available for this request. Producers and consumers need not mind while leaders change."
            }
            Self::MessageTooLarge => "The request holds a batch larger than the topic takes.",
            Self::StaleControllerEpoch => "The controller has been replaced by one with a higher epoch.",
            Self::OffsetMetadataTooLarge => "The metadata beside a committed offset is too long.",
            Self::NetworkException => "The connection was lost before the response came.",
            Self::CoordinatorLoadInProgress => "The coordinator is still loading its state.",
            Self::CoordinatorNotAvailable => "The coordinator is not available.",
            Self::NotCoordinator => "This broker is not the coordinator that the request needs.",
            Self::InvalidTopicException => "The topic's name is not valid, or the topic can't be used so.",
            Self::RecordListTooLarge => "The request holds more records than a segment of the log can take.",
            Self::NotEnoughReplicas => "Fewer replicas are in sync than the topic's minimum, so nothing was written.",
            Self::NotEnoughReplicasAfterAppend => {
                "The records were written, but fewer replicas are in sync than the topic's minimum."
            }
            Self::InvalidRequiredAcks => "The number of acknowledgements asked for is not valid.",
            Self::IllegalGeneration => "The generation is not the group's current one.",
            Self::InconsistentGroupProtocol => {
                "The member's protocol type or protocols have nothing in common with those of the group."
            }
            Self::InvalidGroupId => "The group id is not valid.",
            Self::UnknownMemberId => "The coordinator knows no such member.",
            Self::InvalidSessionTimeout => "The session timeout lies outside the range that the broker allows.",
            Self::RebalanceInProgress => "The group is rebalancing, so the member has to join again.",
            Self::InvalidCommitOffsetSize => "The offset and its metadata make a record that is too large.",
            Self::TopicAuthorizationFailed => "Not authorized for one or more of the topics.",
            Self::GroupAuthorizationFailed => "Not authorized for the group.",
            Self::ClusterAuthorizationFailed => "Not authorized for the cluster.",
            Self::InvalidTimestamp => "A record's timestamp is out of the range that the topic takes.",
            Self::UnsupportedSaslMechanism => "The broker has no such SASL mechanism.",
            Self::IllegalSaslState => "The request does not fit the state that the SASL exchange is in.",
            Self::UnsupportedVersion => "The broker does not know this version of the API.",
            Self::TopicAlreadyExists => "A topic of this name is already there.",
            Self::InvalidPartitions => "The number of partitions is not valid.",
            Self::InvalidReplicationFactor => "The replication factor is below 1 or above the number of brokers.",
            Self::InvalidReplicaAssignment => "The assignment of replicas is not valid.",
            Self::InvalidConfig => "The configuration is not valid.",
            Self::NotController => "This broker is not the controller.",
            Self::InvalidRequest => "The request is malformed, or its fields contradict each other.",
            Self::UnsupportedForMessageFormat => "The log's message format does not support the request.",
            Self::PolicyViolation => "The request breaks a policy of the cluster.",
            Self::OutOfOrderSequenceNumber => "The batch's sequence number does not follow the producer's last one.",
            Self::DuplicateSequenceNumber => "The batch's sequence number has been seen already.",
            Self::InvalidProducerEpoch => "The producer's epoch is old.",
            Self::InvalidTxnState => "The transaction is not in a state that allows this.",
            Self::InvalidProducerIdMapping => "The producer id is not the one now assigned to the transactional id.",
            Self::InvalidTransactionTimeout => "The transaction timeout is larger than the broker allows.",
            Self::ConcurrentTransactions => "Another operation of the same transaction is still going on.",
            Self::TransactionCoordinatorFenced => "The transaction coordinator that sent this has been replaced.",
            Self::TransactionalIdAuthorizationFailed => "Not authorized for the transactional id.",
            Self::SecurityDisabled => "Security features are switched off.",
            Self::OperationNotAttempted => "The operation was not tried, because another of the same request failed.",
            Self::KafkaStorageError => "The disk of the log failed.",
            Self::LogDirNotFound => "The broker has no such log directory.",
            Self::SaslAuthenticationFailed => "SASL authentication failed.",
            Self::UnknownProducerId => {
                "The broker keeps no state of this producer id, perhaps because its records are gone."
            }
            Self::ReassignmentInProgress => "The partition is being reassigned already.",
            Self::DelegationTokenAuthDisabled => "Delegation tokens are switched off.",
            Self::DelegationTokenNotFound => "The server has no such delegation token.",
            Self::DelegationTokenOwnerMismatch => {
                "The principal is neither the token's owner nor one who may renew it."
            }
            Self::DelegationTokenRequestNotAllowed => "Delegation tokens can't be asked for over this connection.",
            Self::DelegationTokenAuthorizationFailed => "Not authorized for the delegation token.",
            Self::DelegationTokenExpired => "The delegation token has expired.",
            Self::InvalidPrincipalType => "The type of the principal is not supported.",
            Self::NonEmptyGroup => "The group has members.",
            Self::GroupIdNotFound => "There is no such group.",
            Self::FetchSessionIdNotFound => "The broker has no such fetch session.",
            Self::InvalidFetchSessionEpoch => "The epoch of the fetch session is not the expected one.",
            Self::ListenerNotFound => "The leader has no listener of the name on which the request came.",
            Self::TopicDeletionDisabled => "Topics can't be deleted on this cluster.",
            Self::FencedLeaderEpoch => "The leader epoch in the request is older than the broker's.",
            Self::UnknownLeaderEpoch => "The leader epoch in the request is newer than the broker's.",
            Self::UnsupportedCompressionType => {
                "The broker does not support the compression for a request of this version."
            }
            Self::StaleBrokerEpoch => "The broker has registered again since.",
            Self::OffsetNotAvailable => {
                "The leader's high watermark has not caught up since its election, so offsets are not known yet."
            }
            Self::MemberIdRequired => "The member has to join again with the id it has been given.",
            Self::PreferredLeaderNotAvailable => "The preferred leader is not available.",
            Self::GroupMaxSizeReached => "The group is full.",
            Self::FencedInstanceId => "Another member with this group instance id has taken over.",
            Self::EligibleLeadersNotAvailable => "No replica that may become leader is available.",
            Self::ElectionNotNeeded => "The partition already has the leader that the election would choose.",
            Self::NoReassignmentInProgress => "The partition is not being reassigned.",
            Self::GroupSubscribedToTopic => "The group still consumes the topic, so its offsets can't be deleted.",
            Self::InvalidRecord => "A record failed the broker's checks.",
            Self::UnstableOffsetCommit => "Offsets of transactions that are still open have to be waited for.",
            Self::ThrottlingQuotaExceeded => "The quota is used up.",
            Self::ProducerFenced => "A newer producer with the same transactional id has taken over.",
            Self::ResourceNotFound => "The request names something that is not there.",
            Self::DuplicateResource => "The request names the same thing twice.",
            Self::UnacceptableCredential => "The credential does not meet the requirements.",
            Self::InconsistentVoterSet => "Either sender or receiver is not in the set of voters known.",
            Self::InvalidUpdateVersion => "The update has an invalid version.",
            Self::FeatureUpdateFailed => "The features could not be updated.",
            Self::PrincipalDeserializationFailure => "The principal of a forwarded request could not be read.",
            Self::SnapshotNotFound => "There is no such snapshot.",
            Self::PositionOutOfRange => "The position is not within the snapshot.",
            Self::UnknownTopicId => "This server has no topic of this id.",
            Self::DuplicateBrokerRegistration => "Another broker with this id is registered.",
            Self::BrokerIdNotRegistered => "No broker with this id is registered.",
            Self::InconsistentTopicId => "The topic id of the log is not the one in the request.",
            Self::InconsistentClusterId => "The cluster id in the request is not the one of this cluster.",
            Self::TransactionalIdNotFound => "There is no such transactional id.",
            Self::FetchSessionTopicIdError => {
                "The fetch session uses topic ids where it used names before, or the other way round."
            }
            Self::IneligibleReplica => "The replica may not join the in-sync replicas.",
            Self::NewLeaderElected => "The change was made and moved leadership to another replica.",
            Self::OffsetMovedToTieredStorage => "The records at this offset are in tiered storage.",
            Self::FencedMemberEpoch => "The coordinator has fenced the member's epoch, so it has to join again.",
            Self::UnreleasedInstanceId => "Another member of the group still uses the instance id.",
            Self::UnsupportedAssignor => "The coordinator supports neither the assignor asked for nor its versions.",
            Self::StaleMemberEpoch => "The member's epoch is old, so it has to try again with a new one.",
            Self::MismatchedEndpointType => "The request came to the wrong type of endpoint.",
            Self::UnsupportedEndpointType => "This type of endpoint is not known.",
            Self::UnknownControllerId => "There is no controller of this id.",
            Self::UnknownSubscriptionId => "The telemetry subscription of the client is not the current one.",
            Self::TelemetryTooLarge => "The telemetry is larger than the broker takes.",
            Self::InvalidRegistration => "The controller does not accept the registration of the broker.",
            Self::TransactionAbortable => "The transaction can't go on; it can be aborted.",
            Self::InvalidRecordState => "The record is not in a state that allows this acknowledgement.",
            Self::ShareSessionNotFound => "The broker has no such share session.",
            Self::InvalidShareSessionEpoch => "The epoch of the share session is not the expected one.",
            Self::FencedStateEpoch => "The share coordinator has fenced the epoch of the state.",
            Self::InvalidVoterKey => "The voter's key is not that of the receiver.",
            Self::DuplicateVoter => "The voter is already one.",
            Self::VoterNotFound => "There is no such voter.",
            Self::InvalidRegularExpression => "The regular expression is not valid.",
            Self::RebootstrapRequired => "The client has to start over from its bootstrap servers.",
            Self::StreamsInvalidTopology => "The topology is not valid.",
            Self::StreamsInvalidTopologyEpoch => "The epoch of the topology is not valid.",
            Self::StreamsTopologyFenced => "The epoch of the topology is old.",
            Self::ShareSessionLimitReached => "The broker has as many share sessions as it takes.",
        }
    }
}
