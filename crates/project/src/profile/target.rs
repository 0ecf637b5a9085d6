//! The chosen target: what a command connects to, and what models read as `target`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::memory_size::MemorySize;
use super::secret::Secret;
use super::session::session_statement;

/// What a target's `type` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// The engine, broker and lake in a background process of the same binary.
    Embedded,
    /// A RisingWave cluster.
    RisingWave,
}

impl TargetKind {
    /// The word in `profiles.yml`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::RisingWave => "risingwave",
        }
    }
}

impl fmt::Display for TargetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SslMode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl SslMode {
    /// All of them, in libpq's words.
    pub const ALL: [(&'static str, Self); 6] = [
        ("disable", Self::Disable),
        ("allow", Self::Allow),
        ("prefer", Self::Prefer),
        ("require", Self::Require),
        ("verify-ca", Self::VerifyCa),
        ("verify-full", Self::VerifyFull),
    ];

    /// libpq's word.
    pub fn as_str(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, mode)| *mode == self)
            .map_or("prefer", |(word, _)| word)
    }
}

/// Which Iceberg catalog RisingWave writes to: its own (`hosted`), or `catalog.type` of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LakeCatalog {
    Hosted,
    Rest,
    Storage,
    Jdbc,
    Glue,
    Hive,
    Snowflake,
}

impl LakeCatalog {
    /// All of them, in RisingWave's words.
    pub const ALL: [(&'static str, Self); 7] = [
        ("hosted", Self::Hosted),
        ("rest", Self::Rest),
        ("storage", Self::Storage),
        ("jdbc", Self::Jdbc),
        ("glue", Self::Glue),
        ("hive", Self::Hive),
        ("snowflake", Self::Snowflake),
    ];

    /// RisingWave's word.
    pub fn as_str(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, catalog)| *catalog == self)
            .map_or("hosted", |(word, _)| word)
    }
}

/// A setting's value, secret or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// Shown as it is.
    Plain(String),
    /// Never shown.
    Secret(Secret),
}

impl Setting {
    /// The value itself, for the one who uses it.
    pub fn expose(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Secret(secret) => secret.expose(),
        }
    }

    /// The value, or a secret's marker.
    fn shown(&self) -> String {
        match self {
            Self::Plain(text) => text.clone(),
            Self::Secret(secret) => secret.marker(),
        }
    }
}

/// The target's Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kafka {
    /// `host:port[,…]` as the database sees it.
    pub bootstrap: String,
    /// `host:port[,…]` as this machine sees it.
    pub local: String,
    /// librdkafka's security settings (`security.protocol`, `sasl.*`, `ssl.*`), in the order written.
    pub security: IndexMap<String, Setting>,
}

/// The S3 of a lake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3 {
    /// URL as the database sees it; none for AWS's own.
    pub endpoint: Option<String>,
    /// URL as this machine sees it; `endpoint` where nothing else is said.
    pub local_endpoint: Option<String>,
    /// Region; `us-east-1` where nothing is said.
    pub region: String,
    /// Access key id. It is handled as a secret, so that scripts do not hold one half of the pair.
    pub access_key: Option<Secret>,
    /// Secret access key.
    pub secret_key: Option<Secret>,
    /// Buckets in the path rather than in the host's name.
    pub path_style_access: bool,
}

/// The target's Iceberg catalog and storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lake {
    /// The catalog's kind.
    pub catalog: LakeCatalog,
    /// The catalog's URI as the database sees it.
    pub uri: Option<String>,
    /// The catalog's URI as this machine sees it; `uri` where nothing else is said.
    pub local_uri: Option<String>,
    /// Name or path of the warehouse.
    pub warehouse: String,
    /// OAuth2 credential of a REST catalog, `client:secret`.
    pub credential: Option<Secret>,
    /// Bearer token of a REST catalog.
    pub token: Option<Secret>,
    /// Where a REST catalog's tokens come from.
    pub oauth2_server_uri: Option<String>,
    /// OAuth2 scope.
    pub scope: Option<String>,
    /// Storage, if it is S3.
    pub s3: Option<S3>,
}

/// What `rwt up` starts for a target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stack {
    /// What the engine of the embedded stack may hold in memory, instead of half of the machine's.
    pub memory_limit: Option<MemorySize>,
}

/// One output of a profile, ready for use.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The output's name.
    pub name: String,
    /// The profile's name.
    pub profile_name: String,
    /// Its `type`.
    pub kind: TargetKind,
    /// Host of the database.
    pub host: String,
    /// TCP port of the database.
    pub port: u16,
    /// User.
    pub user: String,
    /// Password; empty where none is asked for.
    pub password: Secret,
    /// Database.
    pub database: String,
    /// Schema that models land in unless they say otherwise.
    pub schema: String,
    /// Models that are built at the same time.
    pub threads: usize,
    /// TLS.
    pub sslmode: SslMode,
    /// File of trusted certificates.
    pub sslrootcert: Option<PathBuf>,
    /// File of the client's certificate.
    pub sslcert: Option<PathBuf>,
    /// File of the client's key.
    pub sslkey: Option<PathBuf>,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How often connecting is tried again.
    pub retries: u32,
    /// `keepalives_idle`, 0 for the system's.
    pub keepalives_idle: Duration,
    /// `search_path` of every session.
    pub search_path: Option<String>,
    /// Role that every session takes.
    pub role: Option<String>,
    /// `application_name` of every session.
    pub application_name: String,
    /// RisingWave's session settings, in the order in which they are set.
    pub session: IndexMap<String, Value>,
    /// Kafka, if the target has one.
    pub kafka: Option<Kafka>,
    /// The lake, if the target has one.
    pub lake: Option<Lake>,
    /// What `rwt up` starts.
    pub stack: Stack,
    /// Where the embedded stack keeps its state; below the project's directory unless it is absolute.
    pub data_dir: PathBuf,
    /// Fields that hold a secret's marker although they are no secret fields: their dotted path and rendered text.
    pub(super) marked: BTreeMap<String, String>,
    /// Secrets that came into other fields by `env_var`.
    pub(super) other_secrets: Vec<Secret>,
}

impl Target {
    /// What Jinja's `target` shows: dbt's fields, and `kafka` and `lake` with markers in the place of secrets. Fields
    /// without a value are null. The password is absent, as in dbt.
    pub fn to_value(&self) -> Value {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let mut value = json!({
            "name": self.name,
            "target_name": self.name,
            "profile_name": self.profile_name,
            "type": self.kind.as_str(),
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "database": self.database,
            "dbname": self.database,
            "schema": self.schema,
            "threads": self.threads,
            "connect_timeout": self.connect_timeout.as_secs(),
            "retries": self.retries,
            "keepalives_idle": self.keepalives_idle.as_secs(),
            "search_path": self.search_path,
            "role": self.role,
            "application_name": self.application_name,
            "sslmode": self.sslmode.as_str(),
            "sslcert": path(&self.sslcert),
            "sslkey": path(&self.sslkey),
            "sslrootcert": path(&self.sslrootcert),
            "kafka": self.kafka.as_ref().map(Kafka::to_value),
            "lake": self.lake.as_ref().map(Lake::to_value),
        });
        if let Value::Object(fields) = &mut value {
            for (key, setting) in &self.session {
                fields.insert(key.clone(), setting.clone());
            }
        }
        for (path, text) in &self.marked {
            set_path(&mut value, path, text);
        }
        value
    }

    /// The names that stand for secrets in rendered text, and their values, for a live session.
    pub fn secrets(&self) -> BTreeMap<String, String> {
        let lake = self.lake.as_ref();
        let s3 = lake.and_then(|lake| lake.s3.as_ref());
        let kafka = self.kafka.iter().flat_map(|kafka| kafka.security.values());
        let settings = kafka.filter_map(|setting| match setting {
            Setting::Secret(secret) => Some(secret),
            Setting::Plain(_) => None,
        });
        std::iter::once(&self.password)
            .chain(lake.and_then(|lake| lake.credential.as_ref()))
            .chain(lake.and_then(|lake| lake.token.as_ref()))
            .chain(s3.and_then(|s3| s3.access_key.as_ref()))
            .chain(s3.and_then(|s3| s3.secret_key.as_ref()))
            .chain(settings)
            .chain(&self.other_secrets)
            .map(|secret| (secret.name().to_owned(), secret.expose().to_owned()))
            .collect()
    }

    /// `set …` for each of RisingWave's session settings in the profile, in their order.
    pub fn session_statements(&self) -> Vec<String> {
        self.session
            .iter()
            .map(|(key, value)| session_statement(key, value))
            .collect()
    }
}

impl Kafka {
    fn to_value(&self) -> Value {
        let security: Map<String, Value> = self
            .security
            .iter()
            .map(|(key, setting)| (key.clone(), setting.shown().into()))
            .collect();
        json!({ "bootstrap": self.bootstrap, "local": self.local, "security": security })
    }
}

impl Lake {
    fn to_value(&self) -> Value {
        json!({
            "catalog": self.catalog.as_str(),
            "uri": self.uri,
            "local_uri": self.local_uri,
            "warehouse": self.warehouse,
            "credential": self.credential,
            "token": self.token,
            "oauth2_server_uri": self.oauth2_server_uri,
            "scope": self.scope,
            "s3": self.s3.as_ref().map(|s3| json!({
                "endpoint": s3.endpoint,
                "local_endpoint": s3.local_endpoint,
                "region": s3.region,
                "access_key": s3.access_key,
                "secret_key": s3.secret_key,
                "path_style_access": s3.path_style_access,
            })),
        })
    }
}

fn set_path(value: &mut Value, path: &str, text: &str) {
    // A Kafka setting's own name has dots, so that everything below `security` is one step.
    let (steps, last) = match path.strip_prefix("kafka.security.") {
        Some(setting) => (vec!["kafka", "security"], setting),
        None => match path.rsplit_once('.') {
            Some((parents, last)) => (parents.split('.').collect(), last),
            None => (Vec::new(), path),
        },
    };
    let mut at = value;
    for step in steps {
        match at.get_mut(step) {
            Some(inner) => at = inner,
            None => return,
        }
    }
    if let Some(field) = at.get_mut(last) {
        *field = Value::String(text.to_owned());
    }
}
