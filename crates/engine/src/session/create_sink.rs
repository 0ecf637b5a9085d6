//! CREATE SINK: into tables, and to connectors.

use rwt_query::TimestamptzMode;
use rwt_sql::statement::{CreateSink, SinkFrom as Written};
use rwt_sql::{DataType, ObjectName};
use rwt_wire::{Outcome, SqlError};

use super::{Session, not_implemented};
use crate::catalog::{
    Body, Column, Definition, Kind, MessageFormat, Messages, Object, Sink, SinkFrom, SinkMode,
    format_text, ident, invalid_input, options_text,
};
use crate::stream::outbox::Kafka;

/// What a sink reads, bound.
struct Input {
    from: SinkFrom,
    reads: Vec<crate::catalog::ObjectId>,
    columns: Vec<Column>,
    append_only: bool,
    /// As column names in messages are qualified.
    name: String,
}

impl Session {
    pub(super) async fn create_sink(&mut self, create: CreateSink) -> Result<Outcome, SqlError> {
        const DONE: &str = "CREATE_SINK";
        if self.skip_existing(Kind::Sink, &create.name, create.if_not_exists)? {
            return Ok(Outcome::done(DONE));
        }
        let secrets = self.secrets_of(&create.with)?;
        let written = create.with;
        let create = CreateSink {
            with: self.opened(&written),
            ..create
        };
        let mut input = self.sink_input(&create.from).await?;
        input.reads.extend(secrets.iter().map(|(_, id)| *id));
        // an Iceberg sink's options are read before what passes it is looked at
        if create.into.is_none() && create.with.text("connector") == Some("iceberg") {
            external(&create)?;
        }
        let mode = mode(&create, &input)?;
        let (into, connector) = match &create.into {
            Some((table, columns)) => (
                Some(self.sink_target(table, columns, &input, mode)?),
                "TABLE".to_owned(),
            ),
            None => (None, external(&create)?),
        };
        let mut definition = Definition::new("CREATE SINK", &create.name);
        if let (Some((id, _)), Some((name, columns))) = (&into, &create.into) {
            definition = definition.text(" INTO ").object(*id, name);
            if !columns.is_empty() {
                let names: Vec<String> = columns.iter().map(|c| ident(c.value())).collect();
                definition = definition.text(format!(" ({})", names.join(", ")));
            }
        }
        definition = match (&create.from, input.reads.first()) {
            (Written::Relation(name), Some(id)) => definition.text(" FROM ").object(*id, name),
            (Written::Relation(name), None) => definition.text(format!(" FROM {name}")),
            (Written::Query(sql), _) => definition.text(" AS ").query(sql),
        };
        let definition = definition.text(format!(
            "{}{}",
            options_text(&written),
            format_text(create.format.as_ref())
        ));
        let messages = match connector.as_str() {
            "KAFKA" => Some(messages(&create, &input)?),
            _ => None,
        };
        let sink = Sink {
            from: input.from,
            into,
            connector,
            mode,
            options: super::create_source::option_pairs(&written)?,
            secrets,
            messages,
            timezone: self.settings.current_timezone().to_owned(),
        };
        if let Some(kafka) = Kafka::of(&self.inner.catalog().opened_sink(&sink)) {
            let checked = tokio::task::spawn_blocking(move || kafka.check()).await;
            let checked = checked.map_err(crate::engine::internal)?;
            checked.map_err(|why| SqlError::internal("Sink error: Kafka error").because(why))?;
        }
        let body = Body::Sink(sink);
        self.add(&create.name, definition, input.columns, input.reads, body)
            .await?;
        Ok(Outcome::done(DONE))
    }

    async fn sink_input(&mut self, from: &Written) -> Result<Input, SqlError> {
        match from {
            Written::Relation(name) => {
                let catalog = self.inner.catalog();
                catalog.check_schema(name)?;
                let object = catalog
                    .find_readable(name, &self.path())
                    .ok_or_else(|| SqlError::not_found("table or source", name.name()))?;
                Ok(Input {
                    from: SinkFrom::Relation(object.id),
                    reads: vec![object.id],
                    columns: object.visible().cloned().collect(),
                    append_only: object.append_only(),
                    name: object.name.clone(),
                })
            }
            Written::Query(sql) => {
                let columns = self.describe_stream(sql).await?;
                let bound = self.bind(sql, columns);
                let catalog = self.inner.catalog();
                let path = self.path();
                let shape = super::streaming::shape(sql, &bound.columns, &|name| {
                    catalog.find_readable(name, &path)
                });
                Ok(Input {
                    from: SinkFrom::Query(bound.query),
                    reads: bound.reads,
                    columns: bound.columns,
                    append_only: shape.append_only,
                    name: "query".into(),
                })
            }
        }
    }

    /// The target of a sink INTO, with the positions of the columns that it fills.
    fn sink_target(
        &self,
        name: &ObjectName,
        columns: &[rwt_sql::Ident],
        input: &Input,
        mode: SinkMode,
    ) -> Result<(crate::catalog::ObjectId, Vec<usize>), SqlError> {
        let catalog = self.inner.catalog();
        let table = catalog.require(Kind::Table, name, &self.path())?;
        let key = table.table().map(|t| t.key.clone()).unwrap_or_default();
        if key.is_empty() && mode == SinkMode::Upsert {
            return Err(SqlError::internal(format!(
                "Invalid input syntax: Only append-only sinks can sink to a table without primary keys. please try to add type = 'append-only' in the with option. e.g. create sink s into {} as select * from t1 with (type = 'append-only')",
                table.name
            )));
        }
        if table.source().is_some() {
            return Err(not_implemented(
                "CREATE SINK INTO a table with a connector in the embedded engine",
            ));
        }
        let targets: Vec<usize> = if columns.is_empty() {
            (0..table.columns.len())
                .filter(|i| !table.columns[*i].hidden && table.columns[*i].generated.is_none())
                .collect()
        } else {
            columns
                .iter()
                .map(|c| {
                    table.column(c.value()).ok_or_else(|| {
                        SqlError::internal(format!(
                            "Bind error: Column {} not found in table {}",
                            c.value(),
                            table.name
                        ))
                    })
                })
                .collect::<Result<_, _>>()?
        };
        if input.columns.len() > targets.len() {
            return Err(SqlError::internal(
                "Bind error: INSERT has more expressions than target columns",
            ));
        }
        if !columns.is_empty() && input.columns.len() < targets.len() {
            return Err(SqlError::internal(
                "Bind error: INSERT has more target columns than expressions",
            ));
        }
        let targets: Vec<usize> = targets.into_iter().take(input.columns.len()).collect();
        for (column, target) in input.columns.iter().zip(&targets) {
            let expected = &table.columns[*target].data_type;
            if column.data_type != *expected {
                return Err(SqlError::internal(format!(
                    "Bind error: column type mismatch: {} vs {}, column name: \"{}.{}\"",
                    column.data_type, expected, input.name, column.name
                )));
            }
        }
        if mode == SinkMode::Upsert && !key.iter().all(|k| targets.contains(k)) {
            return Err(invalid_input(
                "the sink does not fill the primary key of its table",
            ));
        }
        self.refuse_circle(table, input)?;
        Ok((table.id, targets))
    }

    /// A sink must not feed what it reads.
    fn refuse_circle(&self, table: &Object, input: &Input) -> Result<(), SqlError> {
        let catalog = self.inner.catalog();
        let mut open = input.reads.clone();
        let mut seen = Vec::new();
        while let Some(id) = open.pop() {
            if id == table.id {
                return Err(SqlError::internal(
                    "Bind error: Creating such a sink will result in circular dependency.",
                ));
            }
            if seen.contains(&id) {
                continue;
            }
            seen.push(id);
            if let Some(object) = catalog.get(id) {
                open.extend(&object.depends_on);
            }
            for sink in catalog.sinks_into(id) {
                open.extend(&sink.depends_on);
            }
        }
        Ok(())
    }
}

/// What passes, from `type`, `force_append_only` and the input.
fn mode(create: &CreateSink, input: &Input) -> Result<SinkMode, SqlError> {
    let format = create.format.as_ref();
    let force = create
        .with
        .text("force_append_only")
        .or_else(|| format?.options.text("force_append_only"))
        .is_some_and(|v| v.eq_ignore_ascii_case("true"));
    let format = format.map(|f| f.format.as_str());
    let wanted = match create.with.text("type") {
        Some("append-only") => Some(SinkMode::AppendOnly),
        Some("upsert" | "debezium") => Some(SinkMode::Upsert),
        Some(other) => {
            return Err(SqlError::internal(format!(
                "sink type unsupported: {other}"
            )));
        }
        None if format == Some("PLAIN") => Some(SinkMode::AppendOnly),
        None if matches!(format, Some("UPSERT" | "DEBEZIUM")) => Some(SinkMode::Upsert),
        None => None,
    };
    match wanted {
        Some(SinkMode::AppendOnly) if force => Ok(SinkMode::ForceAppendOnly),
        Some(SinkMode::AppendOnly) if input.append_only => Ok(SinkMode::AppendOnly),
        Some(SinkMode::AppendOnly) => Err(invalid_input(
            "The sink of retract stream cannot be append-only. Please add \"force_append_only='true'\" in WITH options to force the sink to be append-only. Note that this will cause the sink executor to drop DELETE messages and convert UPDATE to INSERT.",
        )),
        Some(other) => Ok(other),
        None if force => Ok(SinkMode::ForceAppendOnly),
        None if input.append_only => Ok(SinkMode::AppendOnly),
        None => Ok(SinkMode::Upsert),
    }
}

/// How the rows of a sink to Kafka become messages.
fn messages(create: &CreateSink, input: &Input) -> Result<Messages, SqlError> {
    let Some(written) = &create.format else {
        return Err(SqlError::internal(
            "Sink error: Config: missing FORMAT ... ENCODE ...",
        ));
    };
    let (format, name) = match written.format.as_str() {
        "PLAIN" => (MessageFormat::Plain, "AppendOnly"),
        "UPSERT" => (MessageFormat::Upsert, "Upsert"),
        "DEBEZIUM" => (MessageFormat::Debezium, "Debezium"),
        other => {
            return Err(SqlError::internal(format!(
                "Bind error: connector kafka does not support format {other}"
            )));
        }
    };
    if written.encode != "JSON" {
        return Err(not_implemented(format!(
            "CREATE SINK with FORMAT {} ENCODE {} in the embedded engine",
            written.format, written.encode
        )));
    }
    let names = create.with.text("primary_key").unwrap_or_default();
    let names = names.split(',').map(str::trim).filter(|n| !n.is_empty());
    let key = names
        .map(|name| {
            let mut columns = input.columns.iter();
            columns.position(|c| c.name == name).ok_or_else(|| {
                SqlError::internal(format!(
                    "Sink error: Sink primary key column not found: {name}. Please use ',' as the delimiter for different primary key columns."
                ))
            })
        })
        .collect::<Result<Vec<usize>, _>>()?;
    if key.is_empty() && format != MessageFormat::Plain {
        return Err(SqlError::internal(format!(
            "Sink error: Config: primary key not defined for {name} kafka sink (please define in `primary_key` field)"
        )));
    }
    let text_key = match written.key_encode.as_deref() {
        None | Some("JSON") => false,
        Some("TEXT") => {
            let columns: Vec<&Column> = key.iter().map(|at| &input.columns[*at]).collect();
            let is_one = matches!(columns.as_slice(), [one] if is_plain(&one.data_type));
            if !is_one {
                return Err(SqlError::internal(
                    "Sink error: Config: KEY ENCODE TEXT expects a primary key of one column of type varchar, bool, small int, int, or big int",
                ));
            }
            true
        }
        Some(other) => {
            return Err(not_implemented(format!(
                "CREATE SINK with KEY ENCODE {other} in the embedded engine"
            )));
        }
    };
    let timestamptz = match written.options.text("timestamptz.handling.mode") {
        None => TimestamptzMode::default(),
        Some(mode) => TimestamptzMode::named(mode).ok_or_else(|| {
            SqlError::internal(format!(
                "Sink error: Config: unrecognized timestamptz.handling.mode value {mode}"
            ))
        })?,
    };
    Ok(Messages {
        format,
        key,
        text_key,
        timestamptz,
        from_name: input.name.clone(),
    })
}

fn is_plain(data_type: &DataType) -> bool {
    use DataType as T;
    matches!(
        data_type,
        T::Varchar | T::Boolean | T::SmallInt | T::Integer | T::BigInt
    )
}

/// The connector of a sink that leaves the engine: `kafka`, or `blackhole`, which keeps nothing.
fn external(create: &CreateSink) -> Result<String, SqlError> {
    let connector = create
        .with
        .text("connector")
        .ok_or_else(|| SqlError::internal("Bind error: missing field 'connector'"))?
        .to_lowercase();
    let text = |key: &str| create.with.text(key);
    let missing =
        |field: &str| SqlError::internal("Sink error").because(format!("missing field `{field}`"));
    match connector.as_str() {
        "blackhole" => Ok("BLACKHOLE".into()),
        "kafka" => {
            if create.format.is_none() {
                return Err(SqlError::internal(
                    "Sink error: Config: missing FORMAT ... ENCODE ...",
                ));
            }
            let brokers = text("properties.bootstrap.server")
                .ok_or_else(|| missing("properties.bootstrap.server"))?;
            text("topic").ok_or_else(|| missing("topic"))?;
            let reachable =
                std::net::ToSocketAddrs::to_socket_addrs(brokers).is_ok_and(|mut all| {
                    all.any(|a| {
                        std::net::TcpStream::connect_timeout(&a, std::time::Duration::from_secs(3))
                            .is_ok()
                    })
                });
            if !reachable {
                return Err(SqlError::internal("Sink error: Kafka error")
                    .because(format!("cannot connect to kafka broker ({brokers})")));
            }
            Ok("KAFKA".into())
        }
        "iceberg" => {
            text("table.name").ok_or_else(|| missing("table.name"))?;
            match text("catalog.type") {
                None | Some("storage" | "rest" | "hive" | "jdbc" | "glue" | "snowflake") => {
                    Err(not_implemented(
                        "CREATE SINK with connector = 'iceberg' in the embedded engine; use CREATE TABLE ... ENGINE = iceberg and CREATE SINK ... INTO it",
                    ))
                }
                Some(other) => Err(SqlError::internal(format!(
                    "Sink error: Iceberg error: Unsupported catalog type: {other}, only support `storage`, `rest`, `hive`, `jdbc`, `glue`, `snowflake`"
                ))),
            }
        }
        other if OTHER_CONNECTORS.contains(&other) => Err(not_implemented(format!(
            "CREATE SINK with connector = '{connector}' in the embedded engine"
        ))),
        other => Err(invalid_input(format!("unsupported sink type {other}"))),
    }
}

/// RisingWave's connectors that this engine does not have.
const OTHER_CONNECTORS: [&str; 27] = [
    "azblob",
    "bigquery",
    "cassandra",
    "clickhouse",
    "deltalake",
    "doris",
    "dynamodb",
    "elasticsearch",
    "fs",
    "gcs",
    "google_pubsub",
    "jdbc",
    "kinesis",
    "mongodb",
    "mqtt",
    "nats",
    "opensearch",
    "postgres",
    "pulsar",
    "redis",
    "redshift",
    "s3",
    "snowflake",
    "snowflake_v2",
    "sqlserver",
    "starrocks",
    "webhdfs",
];
