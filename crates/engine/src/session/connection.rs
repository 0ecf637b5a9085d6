//! CREATE CONNECTION and CREATE SECRET: options are checked, and the service is contacted, when they are created.

use std::net::ToSocketAddrs;
use std::time::Duration;

use rwt_sql::statement::{CreateConnection, CreateSecret, OptionValue, Options};
use rwt_sql::{Ident, ObjectName};
use rwt_wire::{Outcome, SqlError};

use super::{Session, not_implemented};
use crate::catalog::{Body, Catalog, Connection, Definition, Kind, ObjectId, Secret, options_text};
use crate::engine::Altering;

/// Options of an Iceberg connection that RisingWave knows.
const ICEBERG_OPTIONS: [&str; 24] = [
    "type",
    "hosted_catalog",
    "catalog.type",
    "catalog.uri",
    "catalog.name",
    "catalog.credential",
    "catalog.token",
    "catalog.oauth2_server_uri",
    "catalog.scope",
    "catalog.header",
    "catalog.jdbc.user",
    "catalog.jdbc.password",
    "catalog.rest.signing_region",
    "catalog.rest.signing_name",
    "catalog.rest.sigv4_enabled",
    "warehouse.path",
    "s3.region",
    "s3.endpoint",
    "s3.access.key",
    "s3.secret.key",
    "s3.path.style.access",
    "enable_config_load",
    "glue.id",
    "glue.region",
];

/// The connection behind the value of `iceberg_engine_connection`.
pub(super) fn find(catalog: &Catalog, value: &str) -> Result<ObjectId, SqlError> {
    let (schema, name) = value.split_once('.').unwrap_or(("public", value));
    let schema = catalog.find_schema(schema)?.id;
    catalog
        .object(schema, Kind::Connection, name)
        .map(|o| o.id)
        .ok_or_else(|| SqlError::not_found("connection", name))
}

fn refused(causes: &[&str]) -> SqlError {
    let head = "gRPC request to meta service (call `/ddl_service.DdlService/CreateConnection`) failed: Internal error";
    causes
        .iter()
        .fold(SqlError::internal(head), |e, c| e.because(*c))
}

impl Session {
    pub(super) async fn create_connection(
        &mut self,
        create: CreateConnection,
    ) -> Result<Outcome, SqlError> {
        const DONE: &str = "CREATE_CONNECTION";
        if self.skip_existing(Kind::Connection, &create.name, create.if_not_exists)? {
            return Ok(Outcome::done(DONE));
        }
        let kind = create
            .with
            .text("type")
            .ok_or_else(|| {
                SqlError::internal("Protocol error: Required property \"type\" is not provided")
            })?
            .to_lowercase();
        let secrets = self.secrets_of(&create.with)?;
        let opened = self.opened(&create.with);
        let text = |key: &str| opened.text(key);
        let mut shown = create.with.clone();
        match kind.as_str() {
            "iceberg" => {
                for (key, _) in &create.with.0 {
                    if !ICEBERG_OPTIONS.contains(&key.as_str()) {
                        return Err(refused(&[
                            "failed to parse json",
                            &format!("unknown field `{key}`"),
                        ]));
                    }
                }
                if text("hosted_catalog") != Some("true") {
                    external_catalog(&opened).await?;
                    return Err(not_implemented(
                        "CREATE CONNECTION to an external Iceberg catalog in the embedded engine: its lake is its own; use hosted_catalog = true",
                    ));
                }
            }
            "kafka" => {
                let brokers = text("properties.bootstrap.server").ok_or_else(|| {
                    refused(&[
                        "failed to parse json",
                        "missing field `properties.bootstrap.server`",
                    ])
                })?;
                if !reachable(brokers.split(',').next().unwrap_or_default()).await {
                    return Err(refused(&[
                        "Kafka error",
                        "Meta data fetch error",
                        "BrokerTransportFailure (Local: Broker transport failure)",
                    ]));
                }
            }
            "schema_registry" => {
                if text("schema.registry").is_none() {
                    return Err(refused(&[
                        "failed to parse json",
                        "missing field `schema.registry`",
                    ]));
                }
                return Err(not_implemented(
                    "CREATE CONNECTION to a schema registry in the embedded engine",
                ));
            }
            "privatelink" => {
                return Err(SqlError::internal(
                    "CREATE CONNECTION to Private Link has been deprecated, please use RisingWave Cloud Portal (Please refer to the doc https://docs.risingwave.com/cloud/create-a-connection/) instead.",
                ));
            }
            other => {
                return Err(SqlError::internal(format!(
                    "Protocol error: Connection type \"{other}\" is not supported"
                )));
            }
        }
        hide_secrets(&mut shown.0);
        let options: Vec<(String, String)> = shown
            .0
            .iter()
            .filter(|(key, _)| key != "type")
            .map(|(key, value)| match value {
                OptionValue::Secret(name) | OptionValue::SecretFile(name) => {
                    (key.clone(), format!("secret {name}"))
                }
                other => (key.clone(), other.as_str().unwrap_or_default().to_owned()),
            })
            .collect();
        let definition =
            Definition::new("CREATE CONNECTION", &create.name).text(options_text(&shown));
        let depends_on = secrets.iter().map(|(_, id)| *id).collect();
        let body = Body::Connection(Connection { kind, options });
        self.add(&create.name, definition, Vec::new(), depends_on, body)
            .await?;
        Ok(Outcome::done(DONE))
    }

    pub(super) async fn create_secret(
        &mut self,
        create: CreateSecret,
    ) -> Result<Outcome, SqlError> {
        const DONE: &str = "CREATE_SECRET";
        if self.skip_existing(Kind::Secret, &create.name, create.if_not_exists)? {
            return Ok(Outcome::done(DONE));
        }
        let backend = backend_of(&create.with)?;
        let definition = Definition::new("CREATE SECRET", &create.name)
            .text(format!("{} AS '******'", options_text(&create.with)));
        self.add(
            &create.name,
            definition,
            Vec::new(),
            Vec::new(),
            Body::Secret(Secret {
                backend,
                value: create.value,
            }),
        )
        .await?;
        Ok(Outcome::done(DONE))
    }

    /// ALTER SECRET: what uses it connects anew.
    pub(super) async fn alter_secret(
        &mut self,
        id: ObjectId,
        with: &Options,
        value: String,
    ) -> Result<(), SqlError> {
        backend_of(with)?;
        self.inner
            .clone()
            .alter(async |altering: &mut Altering<'_>| {
                if let Some(object) = altering.catalog.objects.get_mut(&id)
                    && let Body::Secret(secret) = &mut object.body
                {
                    secret.value = value;
                }
                altering.set_catalog()
            })
            .await?;
        let users = self.inner.catalog().users_of_secret(id);
        self.inner.stop_sources(&users).await;
        for user in users {
            self.start_source(user);
        }
        Ok(())
    }

    /// The options whose values are secrets, with the secrets' ids.
    pub(super) fn secrets_of(
        &self,
        options: &Options,
    ) -> Result<Vec<(String, ObjectId)>, SqlError> {
        let catalog = self.inner.catalog();
        options
            .0
            .iter()
            .filter_map(|(key, value)| match value {
                OptionValue::Secret(name) | OptionValue::SecretFile(name) => Some((key, name)),
                _ => None,
            })
            .map(|(key, name)| {
                let secret = catalog.require(Kind::Secret, name, &self.path())?;
                Ok((key.clone(), secret.id))
            })
            .collect()
    }

    /// The options with the values of their secrets.
    pub(super) fn opened(&self, options: &Options) -> Options {
        let catalog = self.inner.catalog();
        let opened = options.0.iter().map(|(key, value)| {
            let value = match value {
                OptionValue::Secret(name) => catalog
                    .find(Kind::Secret, name, &self.path())
                    .map(|secret| OptionValue::Text(catalog.secret(secret.id).to_owned())),
                _ => None,
            }
            .unwrap_or_else(|| value.clone());
            (key.clone(), value)
        });
        Options(opened.collect())
    }

    /// SET iceberg_engine_connection: the connection has to exist.
    pub(super) fn check_engine_connection(&self, values: &[String]) -> Result<(), SqlError> {
        match values {
            [value] if value.contains('.') => find(&self.inner.catalog(), value).map(|_| ()),
            _ => Ok(()),
        }
    }
}

/// Where a secret's value is kept: here, or nowhere.
fn backend_of(with: &Options) -> Result<String, SqlError> {
    match with.text("backend").unwrap_or("meta") {
        "meta" => Ok("meta".to_owned()),
        other @ ("hashicorp_vault" | "aws_secrets_manager") => Err(not_implemented(format!(
            "the secret backend '{other}' in the embedded engine"
        ))),
        other => Err(SqlError::internal(format!(
            "Invalid parameter backend: secret backend \"{other}\" is not supported. Supported backends are: meta, hashicorp_vault"
        ))),
    }
}

/// What RisingWave checks about a catalog that is not its own.
async fn external_catalog(with: &Options) -> Result<(), SqlError> {
    let text = |key: &str| with.text(key);
    if text("catalog.type") == Some("rest") && text("catalog.uri").is_none() {
        return Err(refused(&["`catalog.uri` must be set in rest catalog"]));
    }
    let Some(warehouse) = text("warehouse.path") else {
        return Err(refused(&["`warehouse.path` must be set"]));
    };
    if text("catalog.type") == Some("storage") {
        let bucket = warehouse
            .strip_prefix("s3://")
            .or_else(|| warehouse.strip_prefix("s3a://"));
        if bucket.is_none_or(str::is_empty) {
            return Err(refused(&[&format!(
                "Invalid s3 path: {warehouse}, bucket is missing"
            )]));
        }
        if text("s3.region").is_none() && text("s3.endpoint").is_none() {
            return Err(refused(&[
                "ConfigInvalid (permanent) at Builder::build, context: { service: s3 } => region is missing. Please find it by S3::detect_region() or set them in env.",
            ]));
        }
    }
    let address = text("s3.endpoint")
        .or(text("catalog.uri"))
        .unwrap_or_default();
    let host = address
        .split("://")
        .last()
        .unwrap_or_default()
        .split('/')
        .next()
        .unwrap_or_default();
    if !host.is_empty() && !reachable(host).await {
        return Err(refused(&[
            &format!("error sending request for url ({address})"),
            "client error (Connect)",
            "tcp connect error",
            "Connection refused (os error 111)",
        ]));
    }
    Ok(())
}

/// True if somebody listens at `host:port`.
async fn reachable(address: &str) -> bool {
    let address = address.trim().to_owned();
    tokio::task::spawn_blocking(move || {
        address.to_socket_addrs().is_ok_and(|mut addresses| {
            addresses
                .any(|a| std::net::TcpStream::connect_timeout(&a, Duration::from_secs(3)).is_ok())
        })
    })
    .await
    .unwrap_or(false)
}

/// Replaces the values of keys and passwords in what is kept and shown.
fn hide_secrets(options: &mut [(String, OptionValue)]) {
    for (key, value) in options {
        if rwt_sql::is_secret_key(key) && value.as_str().is_some() {
            *value = OptionValue::Text("******".into());
        }
    }
}

/// A name of one part.
pub(super) fn plain_name(name: &str) -> ObjectName {
    ObjectName(vec![Ident::new(name)])
}
