//! Why events could not be made or sent.

/// Why events could not be made or sent.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum ProduceError {
    /// Nobody answers.
    #[error("no Kafka broker answers at {bootstrap}: {reason}")]
    #[diagnostic(
        code(rwt::produce::no_broker),
        help(
            "`rwt up` starts the embedded broker; for another one check `kafka.local` of the target in profiles.yml"
        )
    )]
    NoBroker {
        /// Where it was looked for.
        bootstrap: String,
        /// What librdkafka said.
        reason: String,
    },
    /// Topics do not exist.
    #[error("missing at {bootstrap}: topic {}", topics.join(", topic "))]
    #[diagnostic(
        code(rwt::produce::no_topic),
        help("`rwt up` creates the topics that the project's sources read")
    )]
    NoTopic {
        /// The broker.
        bootstrap: String,
        /// The topics.
        topics: Vec<String>,
    },
    /// Tables do not exist.
    #[error("missing in schema {schema}: table {}", tables.join(", table "))]
    #[diagnostic(
        code(rwt::produce::no_table),
        help("`rwt run` creates the project's tables")
    )]
    NoTable {
        /// The schema.
        schema: String,
        /// The tables.
        tables: Vec<String>,
    },
    /// The database refused a statement, or went away.
    #[error("the database refuses {doing}: {reason}")]
    #[diagnostic(code(rwt::produce::database))]
    Database {
        /// What was tried.
        doing: String,
        /// What was said.
        reason: String,
    },
    /// Not everything was acknowledged in time.
    #[error("{count} events were not acknowledged within {seconds} s")]
    #[diagnostic(
        code(rwt::produce::not_acknowledged),
        help(
            "the broker or the database is overloaded or gone; `rwt status` shows the embedded one"
        )
    )]
    NotAcknowledged {
        /// How many.
        count: u64,
        /// How long it was waited for.
        seconds: u64,
    },
    /// librdkafka refused its configuration or a message.
    #[error("the Kafka producer fails: {0}")]
    #[diagnostic(code(rwt::produce::kafka))]
    Kafka(#[from] rdkafka::error::KafkaError),
    /// A replayed file cannot be read.
    #[error("{path} cannot be read: {reason}")]
    #[diagnostic(
        code(rwt::produce::replay_file),
        help("--replay takes .jsonl, .ndjson, .json (one object a line) and .csv (with a header)")
    )]
    File {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// A line of a replayed file is no event.
    #[error("{path}:{line}: {reason}\n  {text}")]
    #[diagnostic(
        code(rwt::produce::replay_line),
        help(
            "what stands before this line was sent; mend the line, or cut the file and replay the rest"
        )
    )]
    Line {
        /// The file.
        path: String,
        /// The line, from 1.
        line: u64,
        /// Why.
        reason: String,
        /// The line itself, cut if it is long.
        text: String,
    },
    /// A field of the column map is not in a record.
    #[error("{path}:{line}: the record has no field `{field}`, which --map gives to `{column}`")]
    #[diagnostic(
        code(rwt::produce::replay_map),
        help("the record's fields are: {fields}")
    )]
    Map {
        /// The file.
        path: String,
        /// The line, from 1.
        line: u64,
        /// The missing field.
        field: String,
        /// The column it is for.
        column: String,
        /// What is there.
        fields: String,
    },
}
