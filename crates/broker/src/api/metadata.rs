//! Metadata, DescribeCluster, FindCoordinator and DescribeLogDirs: what there is, and that it is all here.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, DescribeClusterRequest, DescribeClusterResponse, DescribeLogDirsRequest,
    DescribeLogDirsResponse, FindCoordinatorRequest, FindCoordinatorResponse, MetadataRequest,
    MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use crate::api::{NONE, allowed, text};
use crate::config::Overrides;
use crate::error::BrokerError;
use crate::log::batch::LEADER_EPOCH;
use crate::node::{NODE_ID, Node};
use crate::server::dispatch::{Call, CallError, blocking};
use crate::topics::{Topic, is_valid_name};

/// Describes the broker and the topics asked for, or all of them.
pub async fn metadata(
    call: &Call<'_>,
    request: MetadataRequest,
) -> Result<MetadataResponse, CallError> {
    let node = call.node.clone();
    let version = call.version;
    let may_create = version < 4 || request.allow_auto_topic_creation;
    // In version 0 an empty list means all topics, later no topic.
    let asked = request
        .topics
        .filter(|topics| version > 0 || !topics.is_empty());
    let mut topics: Vec<MetadataResponseTopic> = match asked {
        None => node
            .topics
            .all()
            .iter()
            .map(|topic| describe(topic))
            .collect(),
        Some(asked) => {
            let node = node.clone();
            blocking(move || {
                let answer =
                    |asked: kafka_protocol::messages::metadata_request::MetadataRequestTopic| {
                        match asked.name {
                            Some(name) => by_name(&node, name, may_create),
                            None => match node.topics.by_id(asked.topic_id) {
                                Some(topic) => describe(&topic),
                                None => MetadataResponseTopic::default()
                                    .with_error_code(ResponseError::UnknownTopicId.code())
                                    .with_name((version < 12).then(TopicName::default))
                                    .with_topic_id(asked.topic_id),
                            },
                        }
                    };
                asked.into_iter().map(answer).collect()
            })
            .await?
        }
    };
    if request.include_topic_authorized_operations {
        for topic in &mut topics {
            topic.topic_authorized_operations = allowed::ON_TOPIC;
        }
    }
    let cluster_operations = allowed::if_asked(
        request.include_cluster_authorized_operations,
        allowed::ON_CLUSTER,
    );
    let broker = MetadataResponseBroker::default()
        .with_node_id(BrokerId(NODE_ID))
        .with_host(text(node.host.clone()))
        .with_port(i32::from(node.port));
    Ok(MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_cluster_id(Some(text(node.cluster_id.clone())))
        .with_controller_id(BrokerId(NODE_ID))
        .with_cluster_authorized_operations(cluster_operations)
        .with_topics(topics))
}

fn by_name(node: &Node, name: TopicName, may_create: bool) -> MetadataResponseTopic {
    if let Some(topic) = node.topics.get(&name) {
        return describe(&topic);
    }
    let failed = |error: ResponseError| {
        MetadataResponseTopic::default()
            .with_error_code(error.code())
            .with_name(Some(name.clone()))
    };
    if !is_valid_name(&name) {
        return failed(ResponseError::InvalidTopicException);
    }
    let Some(partitions) = node.config.auto_create_partitions.filter(|_| may_create) else {
        return failed(ResponseError::UnknownTopicOrPartition);
    };
    match node.topics.create(&name, partitions, Overrides::default()) {
        Ok(topic) => describe(&topic),
        Err(BrokerError::TopicExists { .. }) => failed(ResponseError::LeaderNotAvailable),
        Err(error) => {
            tracing::error!(topic = %name.0, %error, "cannot create the topic");
            failed(ResponseError::UnknownTopicOrPartition)
        }
    }
}

fn describe(topic: &Topic) -> MetadataResponseTopic {
    let count = i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX);
    let partitions = (0..count).map(|index| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(BrokerId(NODE_ID))
            .with_leader_epoch(LEADER_EPOCH)
            .with_replica_nodes(vec![BrokerId(NODE_ID)])
            .with_isr_nodes(vec![BrokerId(NODE_ID)])
    });
    MetadataResponseTopic::default()
        .with_error_code(NONE)
        .with_name(Some(TopicName(text(topic.name.clone()))))
        .with_topic_id(topic.id)
        .with_partitions(partitions.collect())
}

/// Describes the broker.
pub async fn describe_cluster(
    call: &Call<'_>,
    request: DescribeClusterRequest,
) -> Result<DescribeClusterResponse, CallError> {
    // 1 asks for brokers, 2 for controllers, which clients cannot reach here.
    if call.version >= 1 && request.endpoint_type != 1 {
        return Ok(DescribeClusterResponse::default()
            .with_error_code(ResponseError::UnsupportedEndpointType.code())
            .with_error_message(Some(text("only brokers can be described")))
            .with_endpoint_type(request.endpoint_type));
    }
    let broker = DescribeClusterBroker::default()
        .with_broker_id(BrokerId(NODE_ID))
        .with_host(text(call.node.host.clone()))
        .with_port(i32::from(call.node.port));
    Ok(DescribeClusterResponse::default()
        .with_cluster_id(text(call.node.cluster_id.clone()))
        .with_controller_id(BrokerId(NODE_ID))
        .with_cluster_authorized_operations(allowed::if_asked(
            request.include_cluster_authorized_operations,
            allowed::ON_CLUSTER,
        ))
        .with_brokers(vec![broker]))
}

/// Names the broker that coordinates a group: this one. There is no coordinator for transactions.
pub async fn find_coordinator(
    call: &Call<'_>,
    request: FindCoordinatorRequest,
) -> Result<FindCoordinatorResponse, CallError> {
    let (host, port) = (text(call.node.host.clone()), i32::from(call.node.port));
    let refused = match request.key_type {
        0 => None,
        1 => Some((
            ResponseError::TransactionalIdAuthorizationFailed,
            "transactions are not supported",
        )),
        _ => Some((
            ResponseError::InvalidRequest,
            "only groups have a coordinator",
        )),
    };
    if call.version >= 4 {
        let coordinators = request.coordinator_keys.into_iter().map(|key| {
            let coordinator = Coordinator::default().with_key(key);
            match refused {
                None => coordinator
                    .with_node_id(BrokerId(NODE_ID))
                    .with_host(host.clone())
                    .with_port(port),
                Some((error, reason)) => coordinator
                    .with_node_id(BrokerId(-1))
                    .with_port(-1)
                    .with_error_code(error.code())
                    .with_error_message(Some(StrBytes::from_static_str(reason))),
            }
        });
        return Ok(FindCoordinatorResponse::default().with_coordinators(coordinators.collect()));
    }
    let response = FindCoordinatorResponse::default();
    Ok(match refused {
        None => response
            .with_node_id(BrokerId(NODE_ID))
            .with_host(host)
            .with_port(port),
        Some((error, reason)) => response
            .with_node_id(BrokerId(-1))
            .with_port(-1)
            .with_error_code(error.code())
            .with_error_message((call.version >= 1).then(|| StrBytes::from_static_str(reason))),
    })
}

/// Tells how large the partitions are.
pub async fn describe_log_dirs(
    call: &Call<'_>,
    request: DescribeLogDirsRequest,
) -> Result<DescribeLogDirsResponse, CallError> {
    let size = |topic: &Topic, index: i32| {
        let partition = topic.partition(index)?;
        let bytes = i64::try_from(partition.log().bytes()).unwrap_or(i64::MAX);
        Some(
            DescribeLogDirsPartition::default()
                .with_partition_index(index)
                .with_partition_size(bytes),
        )
    };
    let asked: Vec<(_, Vec<i32>)> = match request.topics {
        Some(topics) => topics
            .into_iter()
            .filter_map(|asked| Some((call.node.topics.get(&asked.topic)?, asked.partitions)))
            .collect(),
        None => {
            let all = |topic: &Topic| {
                (0..i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX)).collect()
            };
            call.node
                .topics
                .all()
                .into_iter()
                .map(|topic| (topic.clone(), all(&topic)))
                .collect()
        }
    };
    let topics = asked.into_iter().map(|(topic, indexes)| {
        let partitions = indexes
            .into_iter()
            .filter_map(|index| size(&topic, index))
            .collect();
        DescribeLogDirsTopic::default()
            .with_name(TopicName(text(topic.name.clone())))
            .with_partitions(partitions)
    });
    let dir = call
        .node
        .config
        .data_dir
        .join("topics")
        .display()
        .to_string();
    let result = DescribeLogDirsResult::default()
        .with_log_dir(text(dir))
        .with_topics(topics.collect());
    Ok(DescribeLogDirsResponse::default().with_results(vec![result]))
}
