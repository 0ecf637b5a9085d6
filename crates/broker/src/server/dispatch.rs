//! Which requests the broker serves, in which versions, and how one becomes a response.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, ApiKey, ApiVersionsRequest, ApiVersionsResponse,
    CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse,
    DeleteGroupsRequest, DeleteGroupsResponse, DeleteRecordsRequest, DeleteRecordsResponse,
    DeleteTopicsRequest, DeleteTopicsResponse, DescribeClusterRequest, DescribeClusterResponse,
    DescribeConfigsRequest, DescribeConfigsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    DescribeLogDirsRequest, DescribeLogDirsResponse, FetchRequest, FetchResponse,
    FindCoordinatorRequest, FindCoordinatorResponse, HeartbeatRequest, HeartbeatResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, InitProducerIdRequest,
    InitProducerIdResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    LeaveGroupResponse, ListGroupsRequest, ListGroupsResponse, ListOffsetsRequest,
    ListOffsetsResponse, MetadataRequest, MetadataResponse, OffsetCommitRequest,
    OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, OffsetFetchRequest,
    OffsetFetchResponse, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, ProduceRequest,
    ProduceResponse, RequestHeader, ResponseHeader, SaslHandshakeRequest, SaslHandshakeResponse,
    SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion};

use crate::api;
use crate::node::Node;
use crate::server::connection::Peer;
use crate::server::shape::{self, ShapeError};

/// Requests that carry no records may have this many bytes.
const MAX_PLAIN_REQUEST: usize = 4 << 20;

/// A request that ends the connection.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Shorter than a request header.
    #[error("the request has no header")]
    NoHeader,
    /// Not served; clients ask ApiVersions first.
    #[error("request {key} in version {version} is not served")]
    NotServed {
        /// Kafka's number of the request.
        key: i16,
        /// Its version.
        version: i16,
    },
    /// Larger than such a request can be.
    #[error("request {key:?} of {size} bytes is not accepted")]
    TooLarge {
        /// The request.
        key: ApiKey,
        /// Its size in bytes.
        size: usize,
    },
    /// Its bytes do not form a request.
    #[error("request {key:?} in version {version} is malformed: {source}")]
    Shape {
        /// The request.
        key: ApiKey,
        /// Its version.
        version: i16,
        /// What does not fit.
        source: ShapeError,
    },
    /// The codec rejects it.
    #[error("request or response is malformed: {0}")]
    Codec(String),
    /// The client closed the connection while it was waiting.
    #[error("the client is gone")]
    ClientGone,
    /// The broker stops.
    #[error("the broker stops")]
    Stopping,
    /// Records that nobody waits for the acknowledgement of could not be kept; closing is the only way to say so.
    #[error("records sent without acknowledgement were refused")]
    Unacknowledged,
    /// A bug.
    #[error("the request failed within the broker: {0}")]
    Internal(String),
}

/// What a handler knows of the request beside its fields.
#[derive(Debug)]
pub struct Call<'a> {
    /// The broker's state.
    pub node: &'a Arc<Node>,
    /// Where it comes from.
    pub peer: &'a Peer<'a>,
    /// Name that the client gives itself.
    pub client_id: &'a str,
    /// Version of the request, and so of the response.
    pub version: i16,
}

impl Call<'_> {
    /// Waits for `work`, or gives up when the client closes the connection or the broker stops. The work must not be in the middle
    /// of writing.
    pub async fn unless_gone<T>(&self, work: impl Future<Output = T>) -> Result<T, CallError> {
        tokio::select! {
            done = work => Ok(done),
            () = self.peer.gone() => Err(CallError::ClientGone),
            () = self.node.stopped() => Err(CallError::Stopping),
        }
    }
}

/// Runs disk work where it does not hold up other connections.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, CallError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| CallError::Internal(error.to_string()))
}

/// A request that is served.
#[derive(Debug, Clone, Copy)]
pub struct Api {
    /// Which one.
    pub key: ApiKey,
    /// Oldest version served.
    pub min: i16,
    /// Newest version served.
    pub max: i16,
    /// See [`shape`].
    pub shape: &'static str,
}

/// Declares the requests: name, versions, shape, handler.
macro_rules! apis {
    ($($key:ident($request:ident -> $response:ident) $min:literal ..= $max:literal $shape:literal => $handler:path;)*) => {
        /// Every request that is served.
        pub const APIS: &[Api] = &[$(Api { key: ApiKey::$key, min: $min, max: $max, shape: $shape }),*];

        async fn handle(call: &Call<'_>, key: ApiKey, correlation: i32, body: Bytes) -> Result<Option<Bytes>, CallError> {
            match key {
                $(ApiKey::$key => {
                    let request: $request = decode(body, call.version)?;
                    let response: Option<$response> = $handler(call, request).await?.into();
                    reply(response, correlation, call.version)
                })*
                _ => Err(CallError::NotServed { key: key as i16, version: call.version }),
            }
        }
    };
}

apis! {
    Produce(ProduceRequest -> ProduceResponse) 3..=13 "s 2 4 { s@3-12 16@13 { 4 b } }" => api::produce::produce;
    Fetch(FetchRequest -> FetchResponse) 4..=16 "4@4-14 4 4 4 1 4@7+ 4@7+ { s@4-12 16@13+ { 4 4@9+ 8 4@12+ 8@5+ 4 } } { s@7-12 16@13+ [ 4 ] }@7+ s@11+"
        => api::fetch::fetch;
    ListOffsets(ListOffsetsRequest -> ListOffsetsResponse) 1..=10 "4 1@2+ { s { 4 4@4+ 8 } } 4@10" => api::offsets::list_offsets;
    Metadata(MetadataRequest -> MetadataResponse) 0..=13 "{ 16@10+ s } 1@4+ 1@8-10 1@8+" => api::metadata::metadata;
    OffsetCommit(OffsetCommitRequest -> OffsetCommitResponse) 2..=9 "s 4 s s@7+ 8@2-4 { s { 4 8 4@6+ s } }" => api::group_offsets::commit;
    OffsetFetch(OffsetFetchRequest -> OffsetFetchResponse) 1..=9 "s@1-7 { s [ 4 ] }@1-7 { s s@9 4@9 { s [ 4 ] } }@8+ 1@7+" => api::group_offsets::fetch;
    FindCoordinator(FindCoordinatorRequest -> FindCoordinatorResponse) 0..=6 "s@0-3 1@1+ [ s ]@4+" => api::metadata::find_coordinator;
    JoinGroup(JoinGroupRequest -> JoinGroupResponse) 0..=9 "s 4 4@1+ s s@5+ s { s b } s@8+" => api::groups::join;
    Heartbeat(HeartbeatRequest -> HeartbeatResponse) 0..=4 "s 4 s s@3+" => api::groups::heartbeat;
    LeaveGroup(LeaveGroupRequest -> LeaveGroupResponse) 0..=5 "s s@0-2 { s s s@5 }@3+" => api::groups::leave;
    SyncGroup(SyncGroupRequest -> SyncGroupResponse) 0..=5 "s 4 s s@3+ s@5 s@5 { s b }" => api::groups::sync;
    DescribeGroups(DescribeGroupsRequest -> DescribeGroupsResponse) 0..=6 "[ s ] 1@3+" => api::groups::describe;
    ListGroups(ListGroupsRequest -> ListGroupsResponse) 0..=5 "[ s ]@4+ [ s ]@5" => api::groups::list;
    SaslHandshake(SaslHandshakeRequest -> SaslHandshakeResponse) 0..=1 "s" => api::versions::sasl_handshake;
    ApiVersions(ApiVersionsRequest -> ApiVersionsResponse) 0..=4 "s@3+ s@3+" => api::versions::api_versions;
    CreateTopics(CreateTopicsRequest -> CreateTopicsResponse) 2..=7 "{ s 4 2 { 4 [ 4 ] } { s s } } 4 1" => api::topics::create;
    DeleteTopics(DeleteTopicsRequest -> DeleteTopicsResponse) 1..=6 "{ s 16 }@6 [ s ]@1-5 4" => api::topics::delete;
    DeleteRecords(DeleteRecordsRequest -> DeleteRecordsResponse) 0..=2 "{ s { 4 8 } } 4" => api::offsets::delete_records;
    InitProducerId(InitProducerIdRequest -> InitProducerIdResponse) 0..=5 "s 4 8@3+ 2@3+" => api::produce::init_producer_id;
    OffsetForLeaderEpoch(OffsetForLeaderEpochRequest -> OffsetForLeaderEpochResponse) 2..=4 "4@3+ { s { 4 4 4 } }" => api::offsets::offset_for_leader_epoch;
    DescribeConfigs(DescribeConfigsRequest -> DescribeConfigsResponse) 1..=4 "{ 1 s [ s ] } 1 1@3+" => api::configs::describe;
    AlterConfigs(AlterConfigsRequest -> AlterConfigsResponse) 0..=2 "{ 1 s { s s } } 1" => api::configs::alter;
    CreatePartitions(CreatePartitionsRequest -> CreatePartitionsResponse) 0..=3 "{ s 4 { [ 4 ] } } 4 1" => api::topics::create_partitions;
    DeleteGroups(DeleteGroupsRequest -> DeleteGroupsResponse) 0..=2 "[ s ]" => api::groups::delete;
    IncrementalAlterConfigs(IncrementalAlterConfigsRequest -> IncrementalAlterConfigsResponse) 0..=1 "{ 1 s { s 1 s } } 1" => api::configs::alter_incrementally;
    OffsetDelete(OffsetDeleteRequest -> OffsetDeleteResponse) 0..=0 "s { s { 4 } }" => api::group_offsets::delete;
    DescribeCluster(DescribeClusterRequest -> DescribeClusterResponse) 0..=2 "1 1@1+ 1@2" => api::metadata::describe_cluster;
    DescribeLogDirs(DescribeLogDirsRequest -> DescribeLogDirsResponse) 1..=4 "{ s [ 4 ] }" => api::metadata::describe_log_dirs;
}

/// Answers one request; `None` if it wants no answer.
pub async fn answer(
    node: &Arc<Node>,
    peer: &Peer<'_>,
    frame: Bytes,
) -> Result<Option<Bytes>, CallError> {
    let &[k0, k1, v0, v1, c0, c1, c2, c3, ..] = &frame[..] else {
        return Err(CallError::NoHeader);
    };
    let (number, version) = (i16::from_be_bytes([k0, k1]), i16::from_be_bytes([v0, v1]));
    let correlation = i32::from_be_bytes([c0, c1, c2, c3]);
    let not_served = CallError::NotServed {
        key: number,
        version,
    };
    let Ok(key) = ApiKey::try_from(number) else {
        return Err(not_served);
    };
    let Some(api) = APIS.iter().find(|api| api.key == key) else {
        return Err(not_served);
    };
    if !(api.min..=api.max).contains(&version) {
        return match key {
            // The one request that must be answered in any version, so that both sides can find a common one.
            ApiKey::ApiVersions => reply(Some(api::versions::unsupported()), correlation, 0),
            _ => Err(not_served),
        };
    }
    if frame.len() > MAX_PLAIN_REQUEST && key != ApiKey::Produce {
        return Err(CallError::TooLarge {
            key,
            size: frame.len(),
        });
    }
    let mut body = frame;
    let header_version = key.request_header_version(version);
    let header = RequestHeader::decode(&mut body, header_version).map_err(codec)?;
    shape::check(api.shape, &body, version, header_version >= 2).map_err(|source| {
        CallError::Shape {
            key,
            version,
            source,
        }
    })?;
    let client_id = header.client_id.as_deref().unwrap_or_default();
    tracing::trace!(?key, version, client_id, "request");
    handle(
        &Call {
            node,
            peer,
            client_id,
            version,
        },
        key,
        correlation,
        body,
    )
    .await
}

fn decode<R: Decodable>(mut body: Bytes, version: i16) -> Result<R, CallError> {
    R::decode(&mut body, version).map_err(codec)
}

/// The response, framed; `None` if the client wants none.
fn reply<R: Encodable + HeaderVersion>(
    response: Option<R>,
    correlation: i32,
    version: i16,
) -> Result<Option<Bytes>, CallError> {
    let Some(response) = response else {
        return Ok(None);
    };
    let header = ResponseHeader::default().with_correlation_id(correlation);
    let header_version = R::header_version(version);
    let size = header
        .compute_size(header_version)
        .and_then(|header| Ok(header + response.compute_size(version)?));
    let size = size.map_err(codec)?;
    let mut frame = BytesMut::with_capacity(4 + size);
    frame.put_i32(i32::try_from(size).map_err(|error| CallError::Internal(error.to_string()))?);
    header.encode(&mut frame, header_version).map_err(codec)?;
    response.encode(&mut frame, version).map_err(codec)?;
    Ok(Some(frame.freeze()))
}

fn codec(error: impl std::fmt::Display) -> CallError {
    CallError::Codec(error.to_string())
}

#[cfg(test)]
mod tests;
