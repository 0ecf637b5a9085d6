//! ApiVersions, and the refusal of SASL.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};

use crate::server::dispatch::{APIS, Call, CallError};

/// Tells which requests are served in which versions.
pub async fn api_versions(
    _call: &Call<'_>,
    _request: ApiVersionsRequest,
) -> Result<ApiVersionsResponse, CallError> {
    Ok(versions())
}

/// The answer to an ApiVersions request that is too new; it is sent in version 0.
pub fn unsupported() -> ApiVersionsResponse {
    versions().with_error_code(ResponseError::UnsupportedVersion.code())
}

fn versions() -> ApiVersionsResponse {
    let listed = APIS.iter().map(|api| {
        // librdkafka compresses only if Produce 0 is listed, though it never sends it; Kafka 4 lists it for the same reason
        // (KAFKA-18659).
        let min = if api.key == ApiKey::Produce {
            0
        } else {
            api.min
        };
        ApiVersion::default()
            .with_api_key(api.key as i16)
            .with_min_version(min)
            .with_max_version(api.max)
    });
    ApiVersionsResponse::default().with_api_keys(listed.collect())
}

/// Refuses: there is no authentication on this broker.
pub async fn sasl_handshake(
    _call: &Call<'_>,
    _request: SaslHandshakeRequest,
) -> Result<SaslHandshakeResponse, CallError> {
    Ok(SaslHandshakeResponse::default().with_error_code(ResponseError::IllegalSaslState.code()))
}
