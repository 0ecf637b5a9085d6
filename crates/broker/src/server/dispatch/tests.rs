//! The shapes agree with the codec: what it writes, and with what is missing from it.

use bytes::BytesMut;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Request, StrBytes};
use uuid::Uuid;

use crate::server::dispatch::APIS;
use crate::server::shape::{self, ShapeError};

/// Encodes the request in every version served; its shape must end where it ends, and notice every cut.
fn agrees<R: Request>(make: impl Fn(i16) -> R) {
    let api = APIS.iter().find(|api| api.key as i16 == R::KEY).unwrap();
    for version in api.min..=api.max {
        let mut body = BytesMut::new();
        make(version).encode(&mut body, version).unwrap();
        let flexible = R::header_version(version) >= 2;
        assert_eq!(
            shape::check(api.shape, &body, version, flexible),
            Ok(0),
            "{:?} {version}",
            api.key
        );
        for length in 0..body.len() {
            let cut = shape::check(api.shape, &body[..length], version, flexible);
            assert_eq!(
                cut,
                Err(ShapeError::Length),
                "{:?} {version}: {length} of {} bytes",
                api.key,
                body.len()
            );
        }
    }
}

fn text(text: &'static str) -> StrBytes {
    StrBytes::from_static_str(text)
}

#[test]
fn shapes_agree_with_the_codec() {
    let id = Uuid::from_u128(7);
    let topic = || TopicName(text("topic"));
    agrees(|version| {
        use produce_request::*;
        let partition = PartitionProduceData::default()
            .with_records(Some(bytes::Bytes::from_static(b"records")));
        let data =
            TopicProduceData::default().with_partition_data(vec![partition.clone(), partition]);
        let data = if version >= 13 {
            data.with_topic_id(id)
        } else {
            data.with_name(topic())
        };
        ProduceRequest::default().with_topic_data(vec![data.clone(), data])
    });
    agrees(|version| {
        use fetch_request::*;
        let asked = FetchTopic::default().with_partitions(vec![FetchPartition::default(); 3]);
        let asked = if version >= 13 {
            asked.with_topic_id(id)
        } else {
            asked.with_topic(topic())
        };
        let forgotten = ForgottenTopic::default().with_partitions(vec![1, 2]);
        let forgotten = if version >= 13 {
            forgotten.with_topic_id(id)
        } else {
            forgotten.with_topic(topic())
        };
        let request = FetchRequest::default().with_topics(vec![asked.clone(), asked]);
        if version >= 7 {
            request.with_forgotten_topics_data(vec![forgotten])
        } else {
            request
        }
    });
    agrees(|_| {
        use list_offsets_request::*;
        let asked = ListOffsetsTopic::default().with_name(topic());
        ListOffsetsRequest::default().with_topics(vec![
            asked.with_partitions(vec![ListOffsetsPartition::default(); 2]),
        ])
    });
    agrees(|_| {
        let asked = metadata_request::MetadataRequestTopic::default().with_name(Some(topic()));
        MetadataRequest::default().with_topics(Some(vec![asked; 2]))
    });
    agrees(|version| {
        use offset_commit_request::*;
        let asked = OffsetCommitRequestTopic::default().with_name(topic());
        let asked = asked.with_partitions(vec![OffsetCommitRequestPartition::default(); 2]);
        let request = OffsetCommitRequest::default().with_topics(vec![asked]);
        if version >= 7 {
            request.with_group_instance_id(Some(text("instance")))
        } else {
            request
        }
    });
    agrees(|version| {
        use offset_fetch_request::*;
        if version < 8 {
            let asked = OffsetFetchRequestTopic::default()
                .with_name(topic())
                .with_partition_indexes(vec![1, 2]);
            return OffsetFetchRequest::default().with_topics(Some(vec![asked]));
        }
        let asked = OffsetFetchRequestTopics::default()
            .with_name(topic())
            .with_partition_indexes(vec![1, 2]);
        let group = OffsetFetchRequestGroup::default().with_topics(Some(vec![asked]));
        OffsetFetchRequest::default().with_groups(vec![group.clone(), group])
    });
    agrees(|version| match version {
        ..4 => FindCoordinatorRequest::default().with_key(text("group")),
        _ => {
            FindCoordinatorRequest::default().with_coordinator_keys(vec![text("one"), text("two")])
        }
    });
    agrees(|version| {
        let protocol = join_group_request::JoinGroupRequestProtocol::default();
        let protocol = protocol
            .with_name(text("range"))
            .with_metadata(bytes::Bytes::from_static(b"topics"));
        let request = JoinGroupRequest::default().with_protocols(vec![protocol; 2]);
        if version >= 5 {
            request.with_group_instance_id(Some(text("instance")))
        } else {
            request
        }
    });
    agrees(|_| HeartbeatRequest::default());
    agrees(|version| {
        let member = leave_group_request::MemberIdentity::default().with_member_id(text("member"));
        let request = LeaveGroupRequest::default();
        if version >= 3 {
            request.with_members(vec![member; 2])
        } else {
            request.with_member_id(text("member"))
        }
    });
    agrees(|_| {
        let assignment = sync_group_request::SyncGroupRequestAssignment::default()
            .with_member_id(text("member"));
        SyncGroupRequest::default().with_assignments(vec![assignment; 2])
    });
    agrees(|_| DescribeGroupsRequest::default().with_groups(vec![GroupId(text("group")); 2]));
    agrees(|version| {
        let request = ListGroupsRequest::default();
        let request = if version >= 4 {
            request.with_states_filter(vec![text("Stable"); 2])
        } else {
            request
        };
        if version >= 5 {
            request.with_types_filter(vec![text("classic")])
        } else {
            request
        }
    });
    agrees(|_| SaslHandshakeRequest::default().with_mechanism(text("PLAIN")));
    agrees(|_| ApiVersionsRequest::default().with_client_software_name(text("client")));
    agrees(|_| {
        use create_topics_request::*;
        let assignment =
            CreatableReplicaAssignment::default().with_broker_ids(vec![BrokerId(1); 2]);
        let config = CreatableTopicConfig::default()
            .with_name(text("retention.ms"))
            .with_value(Some(text("1")));
        let created = CreatableTopic::default().with_name(topic());
        let created = created
            .with_assignments(vec![assignment; 2])
            .with_configs(vec![config; 2]);
        CreateTopicsRequest::default().with_topics(vec![created; 2])
    });
    agrees(|version| {
        let state = delete_topics_request::DeleteTopicState::default().with_topic_id(id);
        let request = DeleteTopicsRequest::default();
        if version >= 6 {
            request.with_topics(vec![state; 2])
        } else {
            request.with_topic_names(vec![topic(); 2])
        }
    });
    agrees(|_| {
        use delete_records_request::*;
        let asked = DeleteRecordsTopic::default().with_name(topic());
        DeleteRecordsRequest::default().with_topics(vec![
            asked.with_partitions(vec![DeleteRecordsPartition::default(); 2]),
        ])
    });
    agrees(|_| InitProducerIdRequest::default());
    agrees(|_| {
        use offset_for_leader_epoch_request::*;
        let asked = OffsetForLeaderTopic::default().with_topic(topic());
        let asked = asked.with_partitions(vec![OffsetForLeaderPartition::default(); 2]);
        OffsetForLeaderEpochRequest::default().with_topics(vec![asked])
    });
    agrees(|_| {
        let asked = describe_configs_request::DescribeConfigsResource::default();
        let asked = asked
            .with_resource_name(topic().0)
            .with_configuration_keys(Some(vec![text("a"), text("b")]));
        DescribeConfigsRequest::default().with_resources(vec![asked; 2])
    });
    agrees(|_| {
        use alter_configs_request::*;
        let asked =
            AlterConfigsResource::default().with_configs(vec![AlterableConfig::default(); 2]);
        AlterConfigsRequest::default().with_resources(vec![asked; 2])
    });
    agrees(|_| {
        use create_partitions_request::*;
        let assignment = CreatePartitionsAssignment::default().with_broker_ids(vec![BrokerId(1)]);
        let asked = CreatePartitionsTopic::default()
            .with_name(topic())
            .with_assignments(Some(vec![assignment; 2]));
        CreatePartitionsRequest::default().with_topics(vec![asked; 2])
    });
    agrees(|_| DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text("group")); 2]));
    agrees(|_| {
        use incremental_alter_configs_request::*;
        let asked =
            AlterConfigsResource::default().with_configs(vec![AlterableConfig::default(); 2]);
        IncrementalAlterConfigsRequest::default().with_resources(vec![asked; 2])
    });
    agrees(|_| {
        use offset_delete_request::*;
        let asked = OffsetDeleteRequestTopic::default().with_name(topic());
        OffsetDeleteRequest::default().with_topics(vec![
            asked.with_partitions(vec![OffsetDeleteRequestPartition::default(); 2]),
        ])
    });
    agrees(|_| DescribeClusterRequest::default());
    agrees(|_| {
        let asked =
            describe_log_dirs_request::DescribableLogDirTopic::default().with_topic(topic());
        DescribeLogDirsRequest::default()
            .with_topics(Some(vec![asked.with_partitions(vec![1, 2]); 2]))
    });
}

#[test]
fn a_length_that_cannot_be_is_noticed_before_anything_is_reserved() {
    let length = |bytes: &[u8], flexible| shape::check("{ s }", bytes, 0, flexible);
    assert_eq!(
        length(&i32::MAX.to_be_bytes(), false),
        Err(ShapeError::Length)
    );
    assert_eq!(
        length(&(-2i32).to_be_bytes(), false),
        Err(ShapeError::Length)
    );
    assert_eq!(length(&(-1i32).to_be_bytes(), false), Ok(0));
    assert_eq!(
        length(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0], true),
        Err(ShapeError::Length)
    );
    assert_eq!(
        length(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff], true),
        Err(ShapeError::Length)
    );
    // Each element is one byte here, but would be a hundred in memory.
    let many = [&300_000i32.to_be_bytes()[..], &[0; 600_000]].concat();
    assert_eq!(length(&many, false), Err(ShapeError::Elements));
}
