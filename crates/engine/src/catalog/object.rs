//! What the catalog holds: one [`Object`] per named thing, with what its kind needs beside the name.

use rwt_sql::DataType;
use serde::{Deserialize, Serialize};

use super::Definition;

/// The number of an object, never used twice in the life of a data directory.
pub type ObjectId = u32;

/// The kinds of objects that live in a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Kind {
    Table,
    Source,
    View,
    MaterializedView,
    Sink,
    Index,
    Subscription,
    Connection,
    Secret,
    Function,
}

impl Kind {
    /// As RisingWave's messages and `rw_relations` name it.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Source => "source",
            Self::View => "view",
            Self::MaterializedView => "materialized view",
            Self::Sink => "sink",
            Self::Index => "index",
            Self::Subscription => "subscription",
            Self::Connection => "connection",
            Self::Secret => "secret",
            Self::Function => "function",
        }
    }

    /// Kinds that share one name space per schema.
    pub fn is_relation(self) -> bool {
        !matches!(self, Self::Connection | Self::Secret | Self::Function)
    }
}

/// A column of a relation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(with = "type_text")]
    pub data_type: DataType,
    /// Not part of `*`.
    #[serde(default)]
    pub hidden: bool,
    /// `NOT NULL`
    #[serde(default)]
    pub not_null: bool,
    /// `DEFAULT <expr>`
    #[serde(default)]
    pub default: Option<String>,
    /// `AS <expr>`
    #[serde(default)]
    pub generated: Option<String>,
    /// `COMMENT ON COLUMN`
    #[serde(default)]
    pub comment: Option<String>,
}

impl Column {
    /// A visible column without constraints.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self {
            name: name.into(),
            data_type,
            hidden: false,
            not_null: false,
            default: None,
            generated: None,
            comment: None,
        }
    }

    /// A column that `*` leaves out.
    pub fn hidden(name: impl Into<String>, data_type: DataType) -> Self {
        Self {
            hidden: true,
            ..Self::new(name, data_type)
        }
    }
}

mod type_text {
    use rwt_sql::DataType;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &DataType, serializer: S) -> Result<S::Ok, S::Error> {
        // Names of fields keep their case and may be any word.
        serializer.serialize_str(&value.in_definitions())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DataType, D::Error> {
        let text = String::deserialize(deserializer)?;
        DataType::parse(&text).map_err(|e| D::Error::custom(format!("type {text}: {e}")))
    }
}

/// A named thing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Object {
    /// Its number.
    pub id: ObjectId,
    /// The schema it lives in.
    pub schema: ObjectId,
    /// Its name.
    pub name: String,
    /// The user who owns it.
    pub owner: u32,
    /// The statement that made it, as RisingWave shows it, with the present names of what it reads.
    pub definition: Definition,
    /// Its columns, without `_row_id` and `_rw_timestamp`; empty for what has none.
    pub columns: Vec<Column>,
    /// The objects that it reads or uses.
    pub depends_on: Vec<ObjectId>,
    /// Microseconds since 1970.
    pub created_at: i64,
    /// `COMMENT ON TABLE`
    pub comment: Option<String>,
    /// The object this one came with and goes with: the hidden sink and source of an Iceberg table.
    pub part_of: Option<ObjectId>,
    /// What its kind adds.
    pub body: Body,
}

/// What the kinds add.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Body {
    Table(Table),
    Source(Source),
    View(View),
    MaterializedView(MaterializedView),
    Sink(Sink),
    Index(Index),
    Subscription(Subscription),
    Connection(Connection),
    Secret(Secret),
    Function(Function),
}

/// A table.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Table {
    /// Positions of the primary key's columns; empty without a key.
    pub key: Vec<usize>,
    /// `APPEND ONLY`
    pub append_only: bool,
    /// What an insert with a known key does.
    pub on_conflict: OnConflict,
    /// The stream that fills it, for a table with a connector.
    pub source: Option<Source>,
    /// For `ENGINE = iceberg`.
    pub lake: Option<LakeTable>,
    /// `WATERMARK FOR`
    pub watermark: Option<Watermark>,
}

/// How late a row may be: one whose time lies further behind the newest one than this is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// The position of the column with the time.
    pub column: usize,
    /// In microseconds.
    pub delay: i64,
}

/// What an insert does when its key exists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnConflict {
    /// The new row replaces the old one.
    #[default]
    Overwrite,
    /// The old row stays.
    Ignore,
    /// The new row's values that are not NULL replace the old ones.
    UpdateIfNotNull,
}

/// A table that lives in the lake.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LakeTable {
    /// Its connection.
    pub connection: ObjectId,
    /// Checkpoints between two commits.
    pub commit_interval: u64,
    /// Its namespace in the lake's catalog: the schema's name when it was created.
    pub namespace: String,
    /// Its name in the lake's catalog.
    pub table: String,
}

/// A stream of messages.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Source {
    /// `kafka`, `datagen`, `iceberg`.
    pub connector: String,
    /// The WITH options.
    pub options: Vec<(String, String)>,
    /// The options whose values are secrets.
    #[serde(default)]
    pub secrets: Vec<(String, ObjectId)>,
    /// Upper case.
    pub format: String,
    /// Upper case.
    pub encode: String,
    /// What each stored column is filled from.
    pub origins: Vec<Origin>,
    /// Between the fields of a line.
    #[serde(default = "comma")]
    pub delimiter: char,
    /// `WATERMARK FOR` of a source; a table has its own.
    #[serde(default)]
    pub watermark: Option<Watermark>,
    /// What Avro messages are read with.
    #[serde(default)]
    pub avro: Option<Avro>,
}

/// The schema of Avro messages.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Avro {
    /// As JSON. It is read once, so that a source goes on when the file is gone.
    pub schema: String,
    /// `map.handling.mode = 'jsonb'`
    pub maps_as_jsonb: bool,
}

fn comma() -> char {
    ','
}

impl Source {
    /// An option's value.
    pub fn option(&self, key: &str) -> Option<&str> {
        self.options
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v.as_str())
    }
}

/// Where a source's column comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Origin {
    /// A field of the message's JSON.
    Field,
    /// A generated column: filled from the others.
    Generated,
    Key,
    Offset,
    Partition,
    Timestamp,
    Payload,
    /// All headers, as key and value.
    Headers,
    /// The value of the first header of this name.
    Header(String),
}

/// A plain view.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct View {
    /// Its query, relations named by id.
    pub query: String,
    /// The names of its column list; empty without one.
    pub names: Vec<String>,
}

/// A materialized view.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MaterializedView {
    /// Its query, relations named by id.
    pub query: String,
    /// Positions of the columns that identify a row, as far as they are known.
    pub key: Vec<usize>,
    /// It only ever gains rows.
    pub append_only: bool,
    /// Its temporal joins, whose rows are kept with it.
    #[serde(default)]
    pub temporal: Option<Temporal>,
    /// The time zone of the session that made it, in which it computes.
    #[serde(default = "utc")]
    pub timezone: String,
}

fn utc() -> String {
    "UTC".into()
}

/// The temporal joins of a materialized view.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Temporal {
    /// The table or source whose rows are joined as they come.
    pub left: ObjectId,
    /// What they are joined with, each with its columns when the view was made.
    pub rights: Vec<(ObjectId, Vec<Column>)>,
    /// The query of new rows, relations named by id; it lacks the first row id at its end.
    pub probe: String,
}

impl Temporal {
    /// The columns of the joined rows: the left row id, then those of the right sides. Those of one side may be seen.
    pub fn kept_columns(&self, seen: Option<usize>) -> Vec<rwt_query::Column> {
        use rwt_query::{Column, LEFT_ROW, kept_name};
        let mut kept = vec![Column::hidden(LEFT_ROW, DataType::BigInt)];
        for (side, (_, columns)) in self.rights.iter().enumerate() {
            for (place, column) in columns.iter().enumerate() {
                let data_type = column.data_type.clone();
                kept.push(match seen == Some(side) {
                    true => Column::new(column.name.clone(), data_type),
                    false => Column::hidden(kept_name(side, place), data_type),
                });
            }
        }
        kept
    }
}

/// A sink.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sink {
    /// What it reads.
    pub from: SinkFrom,
    /// The table it writes, with the positions of the columns it fills, for a sink INTO.
    pub into: Option<(ObjectId, Vec<usize>)>,
    /// Upper case as `rw_sinks` shows it: `TABLE`, `BLACKHOLE`, `ICEBERG`.
    pub connector: String,
    /// What passes.
    pub mode: SinkMode,
    /// The WITH options.
    pub options: Vec<(String, String)>,
    /// The options whose values are secrets.
    #[serde(default)]
    pub secrets: Vec<(String, ObjectId)>,
    /// How rows become messages, for a sink to Kafka.
    #[serde(default)]
    pub messages: Option<Messages>,
    /// The time zone of the session that made it, in which its query computes.
    #[serde(default = "utc")]
    pub timezone: String,
}

impl Sink {
    /// An option's value.
    pub fn option(&self, key: &str) -> Option<&str> {
        let mut options = self.options.iter();
        options.find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// Whether rows go through it; nothing does through one that keeps nothing.
    pub fn carries(&self) -> bool {
        self.into.is_some() || self.messages.is_some()
    }
}

/// How the rows of a sink to Kafka become messages.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Messages {
    /// FORMAT.
    pub format: MessageFormat,
    /// Positions of the columns of `primary_key`.
    pub key: Vec<usize>,
    /// KEY ENCODE TEXT: the key is the text of its one column.
    pub text_key: bool,
    /// `timestamptz.handling.mode`
    pub timestamptz: rwt_query::TimestamptzMode,
    /// What Debezium's messages call the relation that is read.
    pub from_name: String,
}

/// The FORMAT of a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MessageFormat {
    /// A message a row.
    Plain,
    /// A message a row by key; none as its value where the row is gone.
    Upsert,
    /// What was before and what is now.
    Debezium,
}

/// What a sink reads.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum SinkFrom {
    Relation(ObjectId),
    /// A query, relations named by id.
    Query(String),
}

/// What passes a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SinkMode {
    /// The input only gains rows.
    AppendOnly,
    /// Deletes are dropped, updates become inserts.
    ForceAppendOnly,
    /// Everything passes, by key.
    Upsert,
}

impl SinkMode {
    /// As `rw_sinks.sink_type` shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AppendOnly | Self::ForceAppendOnly => "SINK_TYPE_APPEND_ONLY",
            Self::Upsert => "SINK_TYPE_UPSERT",
        }
    }
}

/// An index. Nothing is stored for it: queries read the table.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Index {
    /// The indexed relation.
    pub table: ObjectId,
    /// The ordered columns: position in the relation (`None` for an expression), text and whether it descends.
    pub columns: Vec<(Option<usize>, String, bool)>,
    /// Positions of the included columns.
    pub include: Vec<usize>,
    /// The texts of DISTRIBUTED BY.
    pub distributed_by: Vec<String>,
}

/// A subscription: a name for a relation's changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Subscription {
    /// The relation.
    pub from: ObjectId,
    /// In seconds.
    pub retention: u64,
}

/// A connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Connection {
    /// `iceberg`, `kafka`
    pub kind: String,
    /// The WITH options without `type`; a secret is written as `secret <name>`.
    pub options: Vec<(String, String)>,
}

/// A secret. Its value is not kept: nothing in the embedded engine needs it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Secret {
    /// `meta`, `hashicorp_vault`
    pub backend: String,
    /// What is behind AS.
    #[serde(default)]
    pub value: String,
}

/// A SQL function.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Function {
    /// Names and types of the parameters.
    pub params: Vec<(Option<String>, String)>,
    /// The result's type.
    pub returns: String,
    /// `SELECT <expression>`
    pub body: String,
}

impl Body {
    /// The kind of an object that has it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Table(_) => Kind::Table,
            Self::Source(_) => Kind::Source,
            Self::View(_) => Kind::View,
            Self::MaterializedView(_) => Kind::MaterializedView,
            Self::Sink(_) => Kind::Sink,
            Self::Index(_) => Kind::Index,
            Self::Subscription(_) => Kind::Subscription,
            Self::Connection(_) => Kind::Connection,
            Self::Secret(_) => Kind::Secret,
            Self::Function(_) => Kind::Function,
        }
    }
}

impl Object {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.body.kind()
    }

    /// The table's part, for a table.
    pub fn table(&self) -> Option<&Table> {
        match &self.body {
            Body::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The sink's part, for a sink.
    pub fn sink(&self) -> Option<&Sink> {
        match &self.body {
            Body::Sink(sink) => Some(sink),
            _ => None,
        }
    }

    /// The stream behind a source or a table with a connector.
    pub fn source(&self) -> Option<&Source> {
        match &self.body {
            Body::Source(source) => Some(source),
            Body::Table(table) => table.source.as_ref(),
            _ => None,
        }
    }

    /// How late its rows may be, for a table or source with `WATERMARK FOR`.
    pub fn watermark(&self) -> Option<Watermark> {
        match &self.body {
            Body::Table(table) => table.watermark,
            Body::Source(source) => source.watermark,
            _ => None,
        }
    }

    /// The lake's part, for a table with `ENGINE = iceberg`.
    pub fn lake(&self) -> Option<&LakeTable> {
        self.table()?.lake.as_ref()
    }

    /// True for what only ever gains rows.
    pub fn append_only(&self) -> bool {
        match &self.body {
            Body::Table(table) => table.append_only,
            Body::Source(_) => true,
            Body::MaterializedView(view) => view.append_only,
            _ => false,
        }
    }

    /// Rows of its own are stored: tables and sources, apart from the hidden source of an Iceberg table.
    pub fn is_stored(&self) -> bool {
        matches!(self.kind(), Kind::Table | Kind::Source) && self.part_of.is_none()
    }

    /// The position of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == name)
    }

    /// The columns of `*`.
    pub fn visible(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|c| !c.hidden)
    }

    /// The names of the columns that identify a row: the key, or the hidden row id.
    pub fn key_names(&self) -> Vec<&str> {
        let key: &[usize] = match &self.body {
            Body::Table(table) => &table.key,
            Body::MaterializedView(view) => &view.key,
            _ => &[],
        };
        if key.is_empty() {
            return match self.kind() {
                Kind::Table | Kind::Source => vec!["_row_id"],
                _ => Vec::new(),
            };
        }
        key.iter().map(|i| self.columns[*i].name.as_str()).collect()
    }
}
