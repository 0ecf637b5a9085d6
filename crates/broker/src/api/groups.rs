//! JoinGroup, SyncGroup, Heartbeat, LeaveGroup, and the administration of groups.

use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    GroupId, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, LeaveGroupResponse, ListGroupsRequest, ListGroupsResponse, SyncGroupRequest,
    SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;

use crate::api::{NONE, allowed, text};
use crate::group::exchange::{Answer, Join, Joined, Sync, Synced};
use crate::server::dispatch::{Call, CallError, blocking};

fn code(result: Result<(), ResponseError>) -> i16 {
    result.map_or_else(|error| error.code(), |()| NONE)
}

fn owned(name: Option<StrBytes>) -> Option<String> {
    name.map(|name| name.to_string())
}

fn millis(ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// Joins a group; waits until the group has a new generation.
pub async fn join(
    call: &Call<'_>,
    request: JoinGroupRequest,
) -> Result<JoinGroupResponse, CallError> {
    let session = millis(request.session_timeout_ms);
    let join = Join {
        member_id: request.member_id.to_string(),
        instance: owned(request.group_instance_id),
        client_id: call.client_id.to_owned(),
        client_host: format!("/{}", call.peer.address.ip()),
        session,
        rebalance: if call.version >= 1 {
            millis(request.rebalance_timeout_ms)
        } else {
            session
        },
        protocol_type: request.protocol_type.to_string(),
        protocols: request
            .protocols
            .into_iter()
            .map(|protocol| (protocol.name.to_string(), protocol.metadata))
            .collect(),
        takes_id_first: call.version >= 4,
        can_skip_assignment: call.version >= 9,
    };
    let member_id = join.member_id.clone();
    let joined = match call.node.groups.join(&request.group_id, join) {
        Answer::Now(joined) => joined,
        Answer::Later(waiting) => call.unless_gone(waiting).await?.unwrap_or_else(|_| Joined {
            error: Some(ResponseError::RebalanceInProgress),
            generation: -1,
            member_id,
            ..Joined::default()
        }),
    };
    Ok(answer_join(joined, call.version))
}

fn answer_join(joined: Joined, version: i16) -> JoinGroupResponse {
    let members = joined.members.into_iter().map(|member| {
        JoinGroupResponseMember::default()
            .with_member_id(text(member.member_id))
            .with_group_instance_id(member.instance.filter(|_| version >= 5).map(text))
            .with_metadata(member.metadata)
    });
    // Before version 7 "no protocol" is an empty string.
    let protocol = if version >= 7 {
        joined.protocol
    } else {
        Some(joined.protocol.unwrap_or_default())
    };
    JoinGroupResponse::default()
        .with_error_code(joined.error.map_or(NONE, |error| error.code()))
        .with_generation_id(joined.generation)
        .with_protocol_type(joined.protocol_type.filter(|_| version >= 7).map(text))
        .with_protocol_name(protocol.map(text))
        .with_leader(text(joined.leader))
        .with_skip_assignment(joined.skip_assignment)
        .with_member_id(text(joined.member_id))
        .with_members(members.collect())
}

/// Gets a member its assignment; waits until the leader has sent it.
pub async fn sync(
    call: &Call<'_>,
    request: SyncGroupRequest,
) -> Result<SyncGroupResponse, CallError> {
    let assignments = request.assignments.into_iter();
    let sync = Sync {
        member_id: request.member_id.to_string(),
        instance: owned(request.group_instance_id),
        generation: request.generation_id,
        protocol_type: owned(request.protocol_type),
        protocol: owned(request.protocol_name),
        assignments: assignments
            .map(|assigned| (assigned.member_id.to_string(), assigned.assignment))
            .collect(),
    };
    let synced: Synced = match call.node.groups.sync(&request.group_id, sync) {
        Answer::Now(synced) => synced,
        Answer::Later(waiting) => call
            .unless_gone(waiting)
            .await?
            .unwrap_or(Err(ResponseError::RebalanceInProgress)),
    };
    let named = call.version >= 5;
    Ok(match synced {
        Ok(assigned) => SyncGroupResponse::default()
            .with_protocol_type(assigned.protocol_type.filter(|_| named).map(text))
            .with_protocol_name(assigned.protocol.filter(|_| named).map(text))
            .with_assignment(assigned.assignment),
        Err(error) => SyncGroupResponse::default().with_error_code(error.code()),
    })
}

/// Keeps a member alive.
pub async fn heartbeat(
    call: &Call<'_>,
    request: HeartbeatRequest,
) -> Result<HeartbeatResponse, CallError> {
    let instance = request.group_instance_id.as_deref();
    let alive = call.node.groups.heartbeat(
        &request.group_id,
        &request.member_id,
        instance,
        request.generation_id,
    );
    Ok(HeartbeatResponse::default().with_error_code(code(alive)))
}

/// Lets members go.
pub async fn leave(
    call: &Call<'_>,
    request: LeaveGroupRequest,
) -> Result<LeaveGroupResponse, CallError> {
    let groups = &call.node.groups;
    if call.version < 3 {
        let left = groups.leave(&request.group_id, &request.member_id, None);
        return Ok(LeaveGroupResponse::default().with_error_code(code(left)));
    }
    let members = request.members.into_iter().map(|member| {
        let left = groups.leave(
            &request.group_id,
            &member.member_id,
            member.group_instance_id.as_deref(),
        );
        MemberResponse::default()
            .with_member_id(member.member_id)
            .with_group_instance_id(member.group_instance_id)
            .with_error_code(code(left))
    });
    Ok(LeaveGroupResponse::default().with_members(members.collect()))
}

/// Describes groups with their members.
pub async fn describe(
    call: &Call<'_>,
    request: DescribeGroupsRequest,
) -> Result<DescribeGroupsResponse, CallError> {
    let operations = allowed::if_asked(request.include_authorized_operations, allowed::ON_GROUP);
    let groups = request.groups.into_iter().map(|id| {
        let Some(group) = call.node.groups.describe(&id) else {
            let unknown = DescribedGroup::default()
                .with_group_id(id)
                .with_group_state(text("Dead"));
            return match call.version {
                6.. => unknown
                    .with_error_code(ResponseError::GroupIdNotFound.code())
                    .with_error_message(Some(text("there is no such group"))),
                _ => unknown,
            };
        };
        let members = group.members.into_iter().map(|member| {
            DescribedGroupMember::default()
                .with_member_id(text(member.id))
                .with_group_instance_id(member.instance.filter(|_| call.version >= 4).map(text))
                .with_client_id(text(member.client_id))
                .with_client_host(text(member.client_host))
                .with_member_metadata(member.metadata)
                .with_member_assignment(member.assignment)
        });
        DescribedGroup::default()
            .with_group_id(id)
            .with_group_state(text(group.state))
            .with_protocol_type(text(group.protocol_type))
            .with_protocol_data(text(group.protocol))
            .with_authorized_operations(operations)
            .with_members(members.collect())
    });
    Ok(DescribeGroupsResponse::default().with_groups(groups.collect()))
}

/// Lists groups, of certain states and types if asked so.
pub async fn list(
    call: &Call<'_>,
    request: ListGroupsRequest,
) -> Result<ListGroupsResponse, CallError> {
    let named = |filter: &[StrBytes], name: &str| {
        filter.is_empty()
            || filter
                .iter()
                .any(|wanted| wanted.eq_ignore_ascii_case(name))
    };
    let groups = call.node.groups.list().into_iter();
    let wanted = groups.filter(|group| {
        named(&request.states_filter, group.state) && named(&request.types_filter, "classic")
    });
    let listed = wanted.map(|group| {
        let listed = ListedGroup::default()
            .with_group_id(GroupId(text(group.id)))
            .with_protocol_type(text(group.protocol_type));
        match call.version {
            5.. => listed
                .with_group_state(text(group.state))
                .with_group_type(text("classic")),
            4 => listed.with_group_state(text(group.state)),
            _ => listed,
        }
    });
    Ok(ListGroupsResponse::default().with_groups(listed.collect()))
}

/// Deletes groups that have no members.
pub async fn delete(
    call: &Call<'_>,
    request: DeleteGroupsRequest,
) -> Result<DeleteGroupsResponse, CallError> {
    let node = call.node.clone();
    let answer = move || {
        let results = request.groups_names.into_iter().map(|id| {
            let deleted = code(node.groups.delete(&id));
            DeletableGroupResult::default()
                .with_group_id(id)
                .with_error_code(deleted)
        });
        results.collect()
    };
    Ok(DeleteGroupsResponse::default().with_results(blocking(answer).await?))
}
