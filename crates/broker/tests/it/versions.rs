//! Every request in every version that is offered gets an answer of that version.

use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Request, StrBytes};

use crate::harness::Running;
use crate::raw::Raw;

fn versions_of(raw: &mut Raw, key: i16) -> std::ops::RangeInclusive<i16> {
    let response = raw.call(3, &ApiVersionsRequest::default());
    let api = response
        .api_keys
        .iter()
        .find(|api| api.api_key == key)
        .unwrap();
    api.min_version..=api.max_version
}

fn call_all<R: Request>(
    running: &Running,
    mut request: impl FnMut(i16) -> R,
    mut check: impl FnMut(i16, R::Response),
) {
    let mut raw = Raw::connect(running.broker.local_addr());
    let versions = versions_of(&mut raw, R::KEY);
    for version in versions.clone() {
        // Produce 0 to 2 are listed for librdkafka's sake only.
        if R::KEY == ApiKey::Produce as i16 && version < 3 {
            continue;
        }
        check(version, raw.call(version, &request(version)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_answered_in_every_version() {
    let running = Running::start().await;
    running.broker.create_topic("events", 1).await.unwrap();
    let text = StrBytes::from_static_str;
    let topic = || TopicName(text("events"));
    let group = || GroupId(text("group"));
    let mut served = std::collections::BTreeSet::new();
    macro_rules! each {
        ($request:ident, $make:expr, $check:expr) => {
            call_all::<$request>(&running, $make, $check);
            served.insert($request::KEY);
        };
    }
    each!(
        ApiVersionsRequest,
        |_| ApiVersionsRequest::default(),
        |_, response: ApiVersionsResponse| {
            assert!(response.api_keys.len() > 20);
        }
    );
    each!(
        MetadataRequest,
        |version| {
            let name = metadata_request::MetadataRequestTopic::default().with_name(Some(topic()));
            let topics = if version == 0 { vec![] } else { vec![name] };
            MetadataRequest::default().with_topics(Some(topics))
        },
        |_, response: MetadataResponse| {
            assert_eq!(response.topics[0].error_code, 0);
            assert_eq!(response.topics[0].partitions.len(), 1);
        }
    );
    let by_id = running_topic_id(&running);
    each!(
        ProduceRequest,
        |version| {
            let batch = crate::idempotence::batch(-1, -1, -1, &["x"]);
            let mut request = crate::idempotence::produce_request("events", batch);
            if version >= 13 {
                request.topic_data[0].name = TopicName::default();
                request.topic_data[0].topic_id = by_id;
            }
            request
        },
        |version, response: ProduceResponse| {
            let partition = &response.responses[0].partition_responses[0];
            assert_eq!(
                (partition.error_code, partition.base_offset),
                (0, i64::from(version) - 3)
            );
        }
    );
    each!(
        FetchRequest,
        |version| {
            let partition =
                fetch_request::FetchPartition::default().with_partition_max_bytes(1_000_000);
            let asked = fetch_request::FetchTopic::default().with_partitions(vec![partition]);
            let asked = if version >= 13 {
                asked.with_topic_id(by_id)
            } else {
                asked.with_topic(topic())
            };
            let request = FetchRequest::default()
                .with_max_wait_ms(1_000)
                .with_min_bytes(1)
                .with_max_bytes(1_000_000);
            request.with_topics(vec![asked])
        },
        |version, response: FetchResponse| {
            let partition = &response.responses[0].partitions[0];
            assert_eq!(
                (partition.error_code, partition.high_watermark),
                (0, 11),
                "version {version}"
            );
            assert!(partition.records.as_ref().unwrap().len() > 500);
        }
    );
    each!(
        ListOffsetsRequest,
        |_| {
            let partition =
                list_offsets_request::ListOffsetsPartition::default().with_timestamp(-1);
            let asked = list_offsets_request::ListOffsetsTopic::default()
                .with_name(topic())
                .with_partitions(vec![partition]);
            ListOffsetsRequest::default()
                .with_replica_id(BrokerId(-1))
                .with_topics(vec![asked])
        },
        |_, response: ListOffsetsResponse| assert_eq!(response.topics[0].partitions[0].offset, 11)
    );
    each!(
        OffsetForLeaderEpochRequest,
        |_| {
            let partition = offset_for_leader_epoch_request::OffsetForLeaderPartition::default();
            let asked = offset_for_leader_epoch_request::OffsetForLeaderTopic::default()
                .with_topic(topic())
                .with_partitions(vec![partition]);
            OffsetForLeaderEpochRequest::default().with_topics(vec![asked])
        },
        |_, response: OffsetForLeaderEpochResponse| assert_eq!(
            response.topics[0].partitions[0].end_offset,
            11
        )
    );
    each!(
        OffsetCommitRequest,
        |_| {
            let partition = offset_commit_request::OffsetCommitRequestPartition::default()
                .with_committed_offset(4);
            let asked = offset_commit_request::OffsetCommitRequestTopic::default()
                .with_name(topic())
                .with_partitions(vec![partition]);
            OffsetCommitRequest::default()
                .with_group_id(group())
                .with_topics(vec![asked])
        },
        |_, response: OffsetCommitResponse| assert_eq!(
            response.topics[0].partitions[0].error_code,
            0
        )
    );
    each!(
        OffsetFetchRequest,
        |version| {
            if version < 8 {
                let asked = offset_fetch_request::OffsetFetchRequestTopic::default()
                    .with_name(topic())
                    .with_partition_indexes(vec![0]);
                return OffsetFetchRequest::default()
                    .with_group_id(group())
                    .with_topics(Some(vec![asked]));
            }
            let asked = offset_fetch_request::OffsetFetchRequestGroup::default()
                .with_group_id(group())
                .with_topics(None);
            OffsetFetchRequest::default().with_groups(vec![asked])
        },
        |version, response: OffsetFetchResponse| {
            let offset = if version < 8 {
                response.topics[0].partitions[0].committed_offset
            } else {
                response.groups[0].topics[0].partitions[0].committed_offset
            };
            assert_eq!(offset, 4);
        }
    );
    each!(
        FindCoordinatorRequest,
        |version| match version {
            ..4 => FindCoordinatorRequest::default().with_key(text("group")),
            _ => FindCoordinatorRequest::default().with_coordinator_keys(vec![text("group")]),
        },
        |version, response: FindCoordinatorResponse| {
            let port = if version < 4 {
                response.port
            } else {
                response.coordinators[0].port
            };
            assert_eq!(port, i32::from(running.broker.local_addr().port()));
        }
    );
    let mut at = 0;
    each!(
        JoinGroupRequest,
        |_| {
            at += 1;
            let protocol =
                join_group_request::JoinGroupRequestProtocol::default().with_name(text("range"));
            JoinGroupRequest::default()
                .with_group_id(GroupId(StrBytes::from_string(format!("joined-{at}"))))
                .with_session_timeout_ms(10_000)
                .with_protocol_type(text("consumer"))
                .with_protocols(vec![protocol])
        },
        |version, response: JoinGroupResponse| {
            let expected = if version >= 4 {
                kafka_protocol::ResponseError::MemberIdRequired.code()
            } else {
                0
            };
            assert_eq!(response.error_code, expected, "version {version}");
            assert!(!response.member_id.is_empty());
        }
    );
    let unknown = kafka_protocol::ResponseError::UnknownMemberId.code();
    each!(
        HeartbeatRequest,
        |_| HeartbeatRequest::default().with_group_id(group()),
        |_, response: HeartbeatResponse| {
            assert_eq!(response.error_code, unknown);
        }
    );
    each!(
        SyncGroupRequest,
        |_| SyncGroupRequest::default().with_group_id(group()),
        |_, response: SyncGroupResponse| {
            assert_eq!(response.error_code, unknown);
        }
    );
    each!(
        LeaveGroupRequest,
        |version| {
            let member =
                leave_group_request::MemberIdentity::default().with_member_id(text("nobody"));
            let request = LeaveGroupRequest::default().with_group_id(group());
            if version < 3 {
                request.with_member_id(text("nobody"))
            } else {
                request.with_members(vec![member])
            }
        },
        |version, response: LeaveGroupResponse| {
            let code = if version < 3 {
                response.error_code
            } else {
                response.members[0].error_code
            };
            assert_eq!(code, unknown);
        }
    );
    each!(
        DescribeGroupsRequest,
        |_| DescribeGroupsRequest::default().with_groups(vec![group()]),
        |_, response: DescribeGroupsResponse| {
            assert_eq!(response.groups[0].group_state.as_str(), "Empty");
        }
    );
    each!(
        ListGroupsRequest,
        |_| ListGroupsRequest::default(),
        |_, response: ListGroupsResponse| {
            assert!(
                response
                    .groups
                    .iter()
                    .any(|listed| listed.group_id == group())
            );
        }
    );
    each!(
        OffsetDeleteRequest,
        |_| {
            let partition = offset_delete_request::OffsetDeleteRequestPartition::default();
            let asked = offset_delete_request::OffsetDeleteRequestTopic::default()
                .with_name(topic())
                .with_partitions(vec![partition]);
            OffsetDeleteRequest::default()
                .with_group_id(group())
                .with_topics(vec![asked])
        },
        |_, response: OffsetDeleteResponse| assert_eq!(response.error_code, 0)
    );
    each!(
        DeleteGroupsRequest,
        |_| DeleteGroupsRequest::default().with_groups_names(vec![group()]),
        |_, response: DeleteGroupsResponse| {
            assert_eq!(
                response.results[0].error_code,
                kafka_protocol::ResponseError::GroupIdNotFound.code()
            );
        }
    );
    each!(
        SaslHandshakeRequest,
        |_| SaslHandshakeRequest::default().with_mechanism(text("PLAIN")),
        |_, response: SaslHandshakeResponse| {
            assert_eq!(
                response.error_code,
                kafka_protocol::ResponseError::IllegalSaslState.code()
            );
        }
    );
    each!(
        CreateTopicsRequest,
        |version| {
            let name = TopicName(StrBytes::from_string(format!("made-{version}")));
            let asked = create_topics_request::CreatableTopic::default()
                .with_name(name)
                .with_num_partitions(2)
                .with_replication_factor(1);
            CreateTopicsRequest::default().with_topics(vec![asked])
        },
        |version, response: CreateTopicsResponse| {
            assert_eq!(response.topics[0].error_code, 0);
            assert!(version < 5 || response.topics[0].num_partitions == 2);
        }
    );
    each!(
        CreatePartitionsRequest,
        |version| {
            let asked = create_partitions_request::CreatePartitionsTopic::default()
                .with_name(topic())
                .with_count(i32::from(version) + 2);
            CreatePartitionsRequest::default().with_topics(vec![asked.with_assignments(None)])
        },
        |_, response: CreatePartitionsResponse| assert_eq!(response.results[0].error_code, 0)
    );
    each!(
        DeleteTopicsRequest,
        |version| {
            let name = TopicName(StrBytes::from_string(format!("made-{}", version + 1)));
            let state =
                delete_topics_request::DeleteTopicState::default().with_name(Some(name.clone()));
            match version {
                ..6 => DeleteTopicsRequest::default().with_topic_names(vec![name]),
                _ => DeleteTopicsRequest::default().with_topics(vec![state]),
            }
        },
        |_, response: DeleteTopicsResponse| assert_eq!(response.responses[0].error_code, 0)
    );
    each!(
        DeleteRecordsRequest,
        |_| {
            let partition =
                delete_records_request::DeleteRecordsPartition::default().with_offset(5);
            let asked = delete_records_request::DeleteRecordsTopic::default()
                .with_name(topic())
                .with_partitions(vec![partition]);
            DeleteRecordsRequest::default().with_topics(vec![asked])
        },
        |_, response: DeleteRecordsResponse| assert_eq!(
            response.topics[0].partitions[0].low_watermark,
            5
        )
    );
    each!(
        InitProducerIdRequest,
        |_| InitProducerIdRequest::default().with_transactional_id(None),
        |_, response: InitProducerIdResponse| {
            assert_eq!((response.error_code, response.producer_epoch), (0, 0));
        }
    );
    each!(
        DescribeConfigsRequest,
        |_| {
            let asked = describe_configs_request::DescribeConfigsResource::default()
                .with_resource_type(2)
                .with_resource_name(text("events"));
            DescribeConfigsRequest::default().with_resources(vec![
                asked.with_configuration_keys(Some(vec![text("retention.ms")])),
            ])
        },
        |_, response: DescribeConfigsResponse| {
            let configs = &response.results[0].configs;
            assert_eq!(
                (configs.len(), configs[0].value.as_deref()),
                (1, Some("-1"))
            );
        }
    );
    each!(
        AlterConfigsRequest,
        |_| {
            let asked = alter_configs_request::AlterConfigsResource::default()
                .with_resource_type(2)
                .with_resource_name(text("events"));
            AlterConfigsRequest::default().with_resources(vec![asked])
        },
        |_, response: AlterConfigsResponse| assert_eq!(response.responses[0].error_code, 0)
    );
    each!(
        IncrementalAlterConfigsRequest,
        |_| {
            let config = incremental_alter_configs_request::AlterableConfig::default()
                .with_name(text("retention.ms"))
                .with_value(Some(text("5")));
            let asked = incremental_alter_configs_request::AlterConfigsResource::default()
                .with_resource_type(2)
                .with_resource_name(text("events"));
            IncrementalAlterConfigsRequest::default()
                .with_resources(vec![asked.with_configs(vec![config])])
        },
        |_, response: IncrementalAlterConfigsResponse| assert_eq!(
            response.responses[0].error_code,
            0
        )
    );
    each!(
        DescribeClusterRequest,
        |_| DescribeClusterRequest::default(),
        |_, response: DescribeClusterResponse| {
            assert_eq!((response.error_code, response.brokers.len()), (0, 1));
        }
    );
    each!(
        DescribeLogDirsRequest,
        |_| DescribeLogDirsRequest::default().with_topics(None),
        |_, response: DescribeLogDirsResponse| {
            assert!(
                response.results[0]
                    .topics
                    .iter()
                    .any(|listed| listed.name == topic())
            );
        }
    );
    let mut raw = Raw::connect(running.broker.local_addr());
    let listed: std::collections::BTreeSet<i16> = raw
        .call(3, &ApiVersionsRequest::default())
        .api_keys
        .iter()
        .map(|api| api.api_key)
        .collect();
    assert_eq!(
        listed, served,
        "this test calls every request that is listed"
    );
}

fn running_topic_id(running: &Running) -> uuid::Uuid {
    let asked = metadata_request::MetadataRequestTopic::default()
        .with_name(Some(TopicName(StrBytes::from_static_str("events"))));
    let request = MetadataRequest::default().with_topics(Some(vec![asked]));
    Raw::connect(running.broker.local_addr())
        .call(12, &request)
        .topics[0]
        .topic_id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_from_the_future_learns_what_is_served() {
    let running = Running::start().await;
    let mut raw = Raw::connect(running.broker.local_addr());
    raw.send_frame(&[0, 18, 0, 99, 0, 0, 0, 1, 0xff, 0xff, 0, 0]);
    let mut frame = raw.receive_frame().unwrap();
    // The answer has version 0: correlation id, error code, plain array.
    assert_eq!(bytes::Buf::get_i32(&mut frame), 1);
    let response =
        <ApiVersionsResponse as kafka_protocol::protocol::Decodable>::decode(&mut frame, 0)
            .unwrap();
    assert_eq!(
        response.error_code,
        kafka_protocol::ResponseError::UnsupportedVersion.code()
    );
    assert!(
        response
            .api_keys
            .iter()
            .any(|api| api.api_key == 18 && api.max_version == 4)
    );
}
