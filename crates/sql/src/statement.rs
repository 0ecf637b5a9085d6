//! The one model of a RisingWave statement. The planner, the redactor, the script writer and the embedded engine all
//! work on it. Queries inside of statements stay text: RisingWave or DataFusion parse them.

use std::borrow::Cow;
use std::fmt;

use crate::{DataType, Ident, ObjectName};

/// A statement, parsed as far as its verb, object and options.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// `CREATE SOURCE`
    CreateSource(CreateSource),
    /// `CREATE TABLE`, with columns or `AS`, with or without a connector or an engine
    CreateTable(CreateTable),
    /// `CREATE VIEW`
    CreateView(CreateView),
    /// `CREATE MATERIALIZED VIEW`
    CreateMaterializedView(CreateMaterializedView),
    /// `CREATE SINK`
    CreateSink(CreateSink),
    /// `CREATE CONNECTION`
    CreateConnection(CreateConnection),
    /// `CREATE SECRET`
    CreateSecret(CreateSecret),
    /// `CREATE INDEX`
    CreateIndex(CreateIndex),
    /// `CREATE SCHEMA`
    CreateSchema(CreateSchema),
    /// `CREATE SUBSCRIPTION`
    CreateSubscription(CreateSubscription),
    /// `DROP <kind> [IF EXISTS] <name> [CASCADE | RESTRICT]`
    Drop(Drop),
    /// `ALTER <kind> <name> …`
    Alter(Alter),
    /// `ALTER SYSTEM SET <name> TO|= <value>`
    AlterSystem {
        /// The parameter.
        name: String,
        /// Its value as text, `None` for DEFAULT.
        value: Option<String>,
    },
    /// `SELECT`, `WITH`, `VALUES`, `(`: text for a query parser.
    Query(String),
    /// `INSERT`, `UPDATE`, `DELETE`: text for a query parser, and the table's name.
    Dml {
        /// Which of the three.
        verb: DmlVerb,
        /// The changed table.
        table: ObjectName,
        /// The whole statement.
        text: String,
    },
    /// `EXPLAIN [ANALYZE] [(option, …)] <statement>`
    Explain {
        /// `ANALYZE` was said.
        analyze: bool,
        /// The options in lower case: `verbose`, `format json`, …
        options: Vec<String>,
        /// The inner statement's text.
        text: String,
    },
    /// `SHOW <words>`: a setting or a list
    Show(Show),
    /// `DESCRIBE <name>` and `DESC <name>`
    Describe(ObjectName),
    /// `SET [SESSION | LOCAL] <name> TO|= <value>`, also `SET TIME ZONE`
    Set {
        /// Lower case.
        name: String,
        /// Values as text without quotes; empty for DEFAULT.
        values: Vec<String>,
    },
    /// `FLUSH`
    Flush,
    /// `WAIT`
    Wait,
    /// `BEGIN`, `START TRANSACTION`
    Begin {
        /// `READ ONLY` was said.
        read_only: bool,
        /// `START TRANSACTION` rather than `BEGIN`.
        start: bool,
    },
    /// `COMMIT`
    Commit,
    /// `ROLLBACK`, `ABORT`
    Rollback,
    /// `COMMENT ON <kind> <name> IS …`
    Comment {
        /// The object, with its kind's word as written (`table`, `column`, …).
        on: String,
        /// The dotted name; for a column its last part is the column.
        name: ObjectName,
        /// The text, or `None` for NULL.
        text: Option<String>,
    },
    /// `CANCEL JOB[S] <id>[, …]`
    CancelJobs(Vec<u64>),
    /// `DECLARE <cursor> [SUBSCRIPTION] CURSOR FOR …`
    DeclareCursor {
        /// The cursor.
        name: Ident,
        /// What it goes over.
        over: CursorOver,
    },
    /// `FETCH NEXT | <count> FROM <cursor> [WITH (timeout = '…')]`
    FetchCursor {
        /// The cursor.
        name: Ident,
        /// How many rows at most.
        count: u32,
        /// Its options.
        with: Options,
    },
    /// `CLOSE <cursor> | ALL`; none for all.
    CloseCursor(Option<Ident>),
    /// A statement of RisingWave's grammar that has no structure here (GRANT, CREATE USER, CREATE FUNCTION, …):
    /// its first words in upper case, for example `CREATE FUNCTION`, and its text.
    Other {
        /// The first words, upper case.
        verb: String,
        /// The whole statement.
        text: String,
    },
}

impl Statement {
    /// What the statement does, in RisingWave's words and upper case, such as `CREATE MATERIALIZED VIEW` or `SET`, and
    /// the object that it does it to, if it names one.
    pub fn verb_and_object(&self) -> (Cow<'_, str>, Option<&ObjectName>) {
        let (verb, object) = match self {
            Self::CreateSource(create) => ("CREATE SOURCE", Some(&create.name)),
            Self::CreateTable(create) => ("CREATE TABLE", Some(&create.name)),
            Self::CreateView(create) => ("CREATE VIEW", Some(&create.name)),
            Self::CreateMaterializedView(create) => {
                ("CREATE MATERIALIZED VIEW", Some(&create.name))
            }
            Self::CreateSink(create) => ("CREATE SINK", Some(&create.name)),
            Self::CreateConnection(create) => ("CREATE CONNECTION", Some(&create.name)),
            Self::CreateSecret(create) => ("CREATE SECRET", Some(&create.name)),
            Self::CreateIndex(create) => ("CREATE INDEX", Some(&create.name)),
            Self::CreateSchema(create) => ("CREATE SCHEMA", Some(&create.name)),
            Self::CreateSubscription(create) => ("CREATE SUBSCRIPTION", Some(&create.name)),
            Self::Drop(drop) => return (format!("DROP {}", drop.kind).into(), drop.names.first()),
            Self::Alter(alter) => {
                return (format!("ALTER {}", alter.kind).into(), Some(&alter.name));
            }
            Self::AlterSystem { .. } => ("ALTER SYSTEM", None),
            Self::Query(_) => ("SELECT", None),
            Self::Dml { verb, table, .. } => {
                let verb = match verb {
                    DmlVerb::Insert => "INSERT",
                    DmlVerb::Update => "UPDATE",
                    DmlVerb::Delete => "DELETE",
                };
                (verb, Some(table))
            }
            Self::Explain { .. } => ("EXPLAIN", None),
            Self::Show(Show::Columns(name) | Show::Indexes(name) | Show::Create(_, name)) => {
                ("SHOW", Some(name))
            }
            Self::Show(_) => ("SHOW", None),
            Self::Describe(name) => ("DESCRIBE", Some(name)),
            Self::Set { .. } => ("SET", None),
            Self::Flush => ("FLUSH", None),
            Self::Wait => ("WAIT", None),
            Self::Begin { start: true, .. } => ("START TRANSACTION", None),
            Self::Begin { .. } => ("BEGIN", None),
            Self::Commit => ("COMMIT", None),
            Self::Rollback => ("ROLLBACK", None),
            Self::Comment { name, .. } => ("COMMENT", Some(name)),
            Self::CancelJobs(_) => ("CANCEL JOBS", None),
            Self::DeclareCursor { .. } => ("DECLARE CURSOR", None),
            Self::FetchCursor { .. } => ("FETCH CURSOR", None),
            Self::CloseCursor(_) => ("CLOSE CURSOR", None),
            Self::Other { verb, .. } => (verb.as_str(), None),
        };
        (verb.into(), object)
    }
}

/// What a cursor goes over.
#[derive(Debug, Clone, PartialEq)]
pub enum CursorOver {
    /// The rows of a query, as text.
    Query(String),
    /// The changes that a subscription keeps.
    Subscription {
        /// The subscription.
        name: ObjectName,
        /// Where it begins.
        since: Since,
    },
}

/// Where a cursor over a subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// `FULL`: with the rows that are there.
    Full,
    /// `SINCE begin()`: with the oldest change that is kept.
    Begin,
    /// `SINCE now()`, `SINCE proctime()` or nothing: with the next change.
    Now,
    /// `SINCE <rw_timestamp>`: milliseconds since 1970.
    Millis(u64),
}

/// Which data change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum DmlVerb {
    Insert,
    Update,
    Delete,
}

/// The kinds of objects a name can stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum ObjectKind {
    Database,
    Schema,
    Table,
    Source,
    View,
    MaterializedView,
    Sink,
    Connection,
    Secret,
    Index,
    Subscription,
    Function,
    User,
}

impl fmt::Display for ObjectKind {
    /// The kind's words in SQL, upper case.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Database => "DATABASE",
            Self::Schema => "SCHEMA",
            Self::Table => "TABLE",
            Self::Source => "SOURCE",
            Self::View => "VIEW",
            Self::MaterializedView => "MATERIALIZED VIEW",
            Self::Sink => "SINK",
            Self::Connection => "CONNECTION",
            Self::Secret => "SECRET",
            Self::Index => "INDEX",
            Self::Subscription => "SUBSCRIPTION",
            Self::Function => "FUNCTION",
            Self::User => "USER",
        })
    }
}

/// A column definition, or `*` of a source whose schema comes from elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDef {
    /// Its name.
    pub name: Ident,
    /// Its type; `None` where a generated column leaves it out.
    pub data_type: Option<DataType>,
    /// `NOT NULL`
    pub not_null: bool,
    /// `PRIMARY KEY` on the column itself
    pub primary_key: bool,
    /// `DEFAULT <expr>`, as text
    pub default: Option<String>,
    /// `[GENERATED ALWAYS] AS <expr>`, as text
    pub generated: Option<String>,
}

/// `INCLUDE <what> ['field' [type]] [AS <name>]`
#[derive(Debug, Clone, PartialEq)]
pub struct Include {
    /// `key`, `offset`, `partition`, `timestamp`, `header`, `payload`, …
    pub what: String,
    /// The header's name in `INCLUDE header 'name'`.
    pub field: Option<String>,
    /// The type behind the header's name.
    pub data_type: Option<DataType>,
    /// The column's name, if given.
    pub alias: Option<Ident>,
}

/// `WATERMARK FOR <column> AS <expr>`
#[derive(Debug, Clone, PartialEq)]
pub struct Watermark {
    /// The column.
    pub column: Ident,
    /// The expression's text.
    pub expr: String,
}

/// A `WITH` option's value.
#[derive(Debug, Clone, PartialEq)]
pub enum OptionValue {
    /// A quoted string, without its quotes.
    Text(String),
    /// A bare number, boolean, name or call such as `FIXED(a -> b)`, as written.
    Bare(String),
    /// `secret <name>`
    Secret(ObjectName),
    /// `secret <name> as file`
    SecretFile(ObjectName),
    /// psql's `:'NAME'`, as written
    Variable(String),
}

impl OptionValue {
    /// The text of a string or bare value; `None` for a reference to a secret or variable.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Bare(text) => Some(text),
            Self::Secret(_) | Self::SecretFile(_) | Self::Variable(_) => None,
        }
    }
}

/// `WITH (key = value, …)` in the order written; keys are lower case where they were not quoted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Options(pub Vec<(String, OptionValue)>);

impl Options {
    /// The value of an option, by its exact key.
    pub fn get(&self, key: &str) -> Option<&OptionValue> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// The text of an option, by its exact key.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(OptionValue::as_str)
    }
}

/// `FORMAT <format> ENCODE <encode> [(…)]`
#[derive(Debug, Clone, PartialEq)]
pub struct Format {
    /// `PLAIN`, `UPSERT`, `DEBEZIUM`, … in upper case
    pub format: String,
    /// `JSON`, `AVRO`, `CSV`, `BYTES`, … in upper case
    pub encode: String,
    /// Options of the encoding.
    pub options: Options,
    /// `KEY ENCODE <encode>` of a sink, in upper case.
    pub key_encode: Option<String>,
}

/// Columns, keys and watermarks in the brackets of CREATE TABLE and CREATE SOURCE.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Columns {
    /// The columns in order; empty when there are no brackets.
    pub columns: Vec<ColumnDef>,
    /// `(*)` stands among them.
    pub wildcard: bool,
    /// Columns of the `PRIMARY KEY (…)` constraint or of the column constraints.
    pub primary_key: Vec<Ident>,
    /// Watermarks.
    pub watermarks: Vec<Watermark>,
}

#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct CreateSource {
    pub name: ObjectName,
    pub if_not_exists: bool,
    pub columns: Columns,
    pub include: Vec<Include>,
    pub with: Options,
    pub format: Option<Format>,
}

#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct CreateTable {
    pub name: ObjectName,
    pub if_not_exists: bool,
    pub columns: Columns,
    pub append_only: bool,
    /// `ON CONFLICT OVERWRITE | DO UPDATE FULL | DO UPDATE IF NOT NULL | DO NOTHING | IGNORE`: what is behind CONFLICT,
    /// upper case.
    pub on_conflict: Option<String>,
    /// `WITH VERSION COLUMN (…)`
    pub version_columns: Vec<Ident>,
    pub include: Vec<Include>,
    pub with: Options,
    pub format: Option<Format>,
    /// `ENGINE = <name>`, lower case.
    pub engine: Option<String>,
    /// The text behind `AS`.
    pub query: Option<String>,
    /// `FROM <source> TABLE '<table>'`
    pub cdc: Option<CdcTable>,
    /// `VALIDATE [SECRET <name>] AS <expr>` of a table that receives web hooks, as text.
    pub validate: Option<String>,
}

/// The upstream of a table that a change-data-capture source feeds.
#[derive(Debug, Clone, PartialEq)]
pub struct CdcTable {
    /// The source.
    pub source: ObjectName,
    /// The table's name in the upstream database.
    pub table: String,
}

#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct CreateView {
    pub name: ObjectName,
    pub if_not_exists: bool,
    pub columns: Vec<Ident>,
    pub query: String,
}

#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct CreateMaterializedView {
    pub name: ObjectName,
    pub if_not_exists: bool,
    pub columns: Vec<Ident>,
    pub with: Options,
    pub query: String,
    pub emit_on_window_close: bool,
}

/// What a sink reads.
#[derive(Debug, Clone, PartialEq)]
pub enum SinkFrom {
    /// `FROM <relation>`
    Relation(ObjectName),
    /// `AS <query>`
    Query(String),
}

#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct CreateSink {
    pub name: ObjectName,
    pub if_not_exists: bool,
    /// `INTO <table>`, with the column list if given; `None` for an external connector.
    pub into: Option<(ObjectName, Vec<Ident>)>,
    pub from: SinkFrom,
    pub emit_on_window_close: bool,
    pub with: Options,
    pub format: Option<Format>,
}

#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct CreateConnection {
    pub name: ObjectName,
    pub if_not_exists: bool,
    pub with: Options,
}

#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct CreateSecret {
    pub name: ObjectName,
    pub if_not_exists: bool,
    pub with: Options,
    /// The secret value, without quotes; psql's `:'NAME'` as written.
    pub value: String,
}

#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct CreateIndex {
    pub name: ObjectName,
    pub if_not_exists: bool,
    pub table: ObjectName,
    /// The texts of the indexed expressions, with their ordering.
    pub columns: Vec<String>,
    pub include: Vec<Ident>,
    pub distributed_by: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct CreateSchema {
    pub name: ObjectName,
    pub if_not_exists: bool,
    pub owner: Option<Ident>,
}

#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct CreateSubscription {
    pub name: ObjectName,
    pub if_not_exists: bool,
    pub from: ObjectName,
    pub with: Options,
}

#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Drop {
    pub kind: ObjectKind,
    pub if_exists: bool,
    /// RisingWave's grammar has exactly one.
    pub names: Vec<ObjectName>,
    /// A function's argument types, as text without the brackets.
    pub arguments: Option<String>,
    pub cascade: bool,
}

#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Alter {
    pub kind: ObjectKind,
    pub name: ObjectName,
    pub action: AlterAction,
}

/// What ALTER does.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum AlterAction {
    RenameTo(Ident),
    SwapWith(ObjectName),
    SetSchema(Ident),
    OwnerTo(Ident),
    AddColumn {
        if_not_exists: bool,
        column: ColumnDef,
    },
    DropColumn {
        if_exists: bool,
        column: Ident,
    },
    /// `ALTER COLUMN <column> [SET DATA] TYPE <type>`
    ColumnType {
        column: Ident,
        data_type: DataType,
    },
    /// `[WITH (…)] AS <value>` of a secret
    SecretValue {
        with: Options,
        value: String,
    },
    /// `SET <parameter> = <value>`: parallelism, rate limits.
    SetParameter {
        name: String,
        value: String,
    },
    /// Anything else of RisingWave's grammar, as text.
    Other(String),
}

/// SHOW: a list of objects, a definition or a setting.
#[derive(Debug, Clone, PartialEq)]
pub enum Show {
    /// `SHOW TABLES | SOURCES | … [FROM schema] [LIKE pattern]`
    Objects {
        /// The plural word, lower case: `tables`, `materialized views`, `internal tables`, `databases`, …
        what: String,
        /// Schema behind FROM or IN.
        schema: Option<Ident>,
        /// Pattern behind LIKE.
        like: Option<String>,
    },
    /// `SHOW COLUMNS FROM <name>`
    Columns(ObjectName),
    /// `SHOW INDEXES FROM <name>`
    Indexes(ObjectName),
    /// `SHOW CREATE <kind> <name>`
    Create(ObjectKind, ObjectName),
    /// `SHOW JOBS | PROCESSLIST | CLUSTER | …`, lower case
    Internal(String),
    /// `SHOW <setting>`, `SHOW ALL`, lower case
    Setting(String),
}
