//! A database of a few words. Statements are separated by `;`.
//!
//! `rows N` (columns a integer, b varchar), `types` (one row of every type), `flood` (rows without end), `copy`,
//! `echo` (gives its only parameter back), `pair` (two parameters: integer, varchar), `tag WORDS`, `notice WORDS`,
//! `begin`, `begin read only`, `start`, `commit`, `timezone NAME`, `fail`, `fail late` (behind one row), `panic`, `sleep`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::Int32Builder;
use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray,
    Float32Array, Float64Array, Int16Array, Int32Array, Int64Array, IntervalMonthDayNanoArray,
    LargeStringArray, ListArray, MapBuilder, RecordBatch, StringArray, StringBuilder,
    StringViewArray, StructArray, Time64MicrosecondArray, TimestampMicrosecondArray,
    TimestampNanosecondArray,
};
use arrow::datatypes::{Field, Int32Type, IntervalMonthDayNano};
use async_trait::async_trait;
use futures::StreamExt;
use rwt_sql::DataType;
use rwt_wire::{
    Backend, CancellationToken, Canceller, Column, Connection, Limits, Outcome, Param, Prepared,
    RowsTag, SqlError, SqlState, Startup, rows_of, serve_within,
};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What the toy saw.
#[derive(Default)]
pub struct Seen {
    /// Statements that ran, in order.
    pub ran: Mutex<Vec<String>>,
    /// Batches that `flood` made.
    pub flooded: AtomicUsize,
    /// Cancellers of all sessions.
    pub cancellers: Mutex<Vec<Canceller>>,
}

/// A running server.
pub struct Served {
    pub address: SocketAddr,
    pub seen: Arc<Seen>,
    pub shutdown: CancellationToken,
    pub server: JoinHandle<()>,
}

pub async fn start() -> Served {
    start_within(Limits::default()).await
}

pub async fn start_within(limits: Limits) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Seen::default());
    let backend = Arc::new(Toy(seen.clone()));
    let shutdown = CancellationToken::new();
    let server = tokio::spawn(serve_within(listener, backend, limits, shutdown.clone()));
    Served {
        address,
        seen,
        shutdown,
        server,
    }
}

struct Toy(Arc<Seen>);

#[async_trait]
impl Backend for Toy {
    async fn connect(&self, startup: Startup) -> Result<Box<dyn Connection>, SqlError> {
        if startup.database != "dev" {
            return Err(SqlError::new(SqlState::UndefinedDatabase, "Catalog error")
                .because(format!("database not found: {}", startup.database)));
        }
        self.0.cancellers.lock().unwrap().push(startup.canceller);
        Ok(Box::new(Session {
            seen: self.0.clone(),
            notices: Vec::new(),
            read_only: false,
            timezone: "UTC".into(),
        }))
    }
}

struct Session {
    seen: Arc<Seen>,
    notices: Vec<String>,
    read_only: bool,
    timezone: String,
}

#[async_trait]
impl Connection for Session {
    fn parse_script(&mut self, sql: &str) -> Result<Vec<String>, SqlError> {
        let texts = sql
            .split(';')
            .map(str::trim)
            .filter(|text| !text.is_empty());
        texts
            .map(|text| match text.strip_prefix("selec ") {
                Some(_) => Err(SqlError::internal(
                    "sql parser error: expected statement, found: selec",
                )),
                None => Ok(text.to_owned()),
            })
            .collect()
    }

    async fn run(&mut self, sql: &str, _: &CancellationToken) -> Result<Outcome, SqlError> {
        self.outcome(sql, Vec::new()).await
    }

    async fn prepare(
        &mut self,
        sql: &str,
        declared: &[Option<DataType>],
        _: &CancellationToken,
    ) -> Result<Prepared, SqlError> {
        let declared = |i: usize, default| declared.get(i).cloned().flatten().unwrap_or(default);
        let (params, columns) = match sql.split_once(' ').map_or(sql, |(verb, _)| verb) {
            "echo" => {
                let data_type = declared(0, DataType::Varchar);
                (
                    vec![data_type.clone()],
                    Some(vec![Column::new("echo", data_type)]),
                )
            }
            "pair" => (
                vec![declared(0, DataType::Integer), DataType::Varchar],
                None,
            ),
            "rows" | "fail" if sql != "fail" => (vec![], Some(rows_columns())),
            "types" => (vec![], Some(types().0)),
            "fail" => return Err(SqlError::not_found("table or source", "nosuch")),
            _ => (vec![], None),
        };
        Ok(Prepared {
            sql: sql.to_owned(),
            params,
            columns,
            plan: None,
        })
    }

    async fn execute(
        &mut self,
        prepared: &Prepared,
        params: Vec<Param>,
        _: &CancellationToken,
    ) -> Result<Outcome, SqlError> {
        assert_eq!(params.len(), prepared.params.len());
        if prepared.sql == "echo" {
            let data_type = prepared.params[0].clone();
            let array = params[0].to_array(&data_type).unwrap();
            let batch = RecordBatch::try_from_iter_with_nullable([("echo", array, true)]).unwrap();
            let columns = vec![Column::new("echo", data_type)];
            return Ok(Outcome::select(columns, rows_of(vec![batch])));
        }
        self.outcome(&prepared.sql, params).await
    }

    fn take_notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }

    fn in_read_only_transaction(&self) -> bool {
        self.read_only
    }

    fn timezone(&self) -> &str {
        &self.timezone
    }
}

impl Session {
    async fn outcome(&mut self, sql: &str, params: Vec<Param>) -> Result<Outcome, SqlError> {
        self.seen.ran.lock().unwrap().push(sql.to_owned());
        let (verb, rest) = sql.split_once(' ').unwrap_or((sql, ""));
        let verb = verb.to_lowercase();
        match (verb.as_str(), rest) {
            ("rows", count) => {
                let all: Vec<i32> = (1..=count.parse().unwrap()).collect();
                let batches = all.chunks(2).map(rows_batch).collect();
                Ok(Outcome::select(rows_columns(), rows_of(batches)))
            }
            ("types", _) => {
                let (columns, batch) = types();
                Ok(Outcome::Rows {
                    columns,
                    rows: rows_of(vec![batch]),
                    tag: RowsTag::Fixed("SHOW_COMMAND".into()),
                })
            }
            ("flood", _) => {
                let seen = self.seen.clone();
                let thousand: Vec<i32> = (0..1000).collect();
                let batch = rows_batch(&thousand);
                let rows = futures::stream::repeat_with(move || {
                    seen.flooded.fetch_add(1, Ordering::Relaxed);
                    Ok(batch.clone())
                });
                Ok(Outcome::select(rows_columns(), rows.boxed()))
            }
            ("copy", _) => {
                let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a\tb\\c"), None]));
                let batch = RecordBatch::try_from_iter([("a", ints(&[1, 2])), ("b", texts)]);
                Ok(Outcome::CopyOut {
                    columns: rows_columns(),
                    rows: rows_of(vec![batch.unwrap()]),
                })
            }
            ("pair", _) => Ok(Outcome::done(format!("{params:?}"))),
            ("tag", words) => Ok(Outcome::done(words)),
            ("notice", words) => {
                self.notices.push(words.into());
                Ok(Outcome::done("DROP_TABLE"))
            }
            ("begin", rest) => {
                self.read_only = rest == "read only";
                Ok(Outcome::done("BEGIN"))
            }
            ("start", _) => Ok(Outcome::done("START_TRANSACTION")),
            ("commit", _) => {
                self.notices
                    .push("there is no transaction in progress".into());
                self.read_only = false;
                Ok(Outcome::done("COMMIT"))
            }
            ("timezone", name) => {
                self.timezone = name.into();
                Ok(Outcome::done("SET_VARIABLE"))
            }
            ("fail", "late") => {
                let late = [
                    Ok(rows_batch(&[1])),
                    Err(SqlError::internal("Division by zero")),
                ];
                Ok(Outcome::select(
                    rows_columns(),
                    futures::stream::iter(late).boxed(),
                ))
            }
            ("fail", _) => Err(SqlError::not_found("table or source", "nosuch")),
            ("panic", _) => panic!("the toy broke"),
            ("sleep", _) => std::future::pending().await,
            (verb, _) => Err(SqlError::internal(format!("unknown word {verb}"))),
        }
    }
}

pub fn rows_columns() -> Vec<Column> {
    vec![
        Column::new("a", DataType::Integer),
        Column::new("b", DataType::Varchar),
    ]
}

fn ints(values: &[i32]) -> ArrayRef {
    Arc::new(Int32Array::from(values.to_vec()))
}

fn rows_batch(values: &[i32]) -> RecordBatch {
    let texts: StringArray = values
        .iter()
        .map(|value| Some(format!("row {value}")))
        .collect();
    RecordBatch::try_from_iter([("a", ints(values)), ("b", Arc::new(texts) as ArrayRef)]).unwrap()
}

/// 2024-05-06 07:08:09.25 in microseconds.
const INSTANT: i64 = 1_714_979_289_250_000;

/// One row of every type, some in unusual Arrow forms, in the order of [`TEXTS`].
pub fn types() -> (Vec<Column>, RecordBatch) {
    let list = |items: ArrayRef| -> ArrayRef {
        let field = Arc::new(Field::new("item", items.data_type().clone(), true));
        let offsets = arrow::buffer::OffsetBuffer::from_lengths([items.len()]);
        Arc::new(ListArray::new(field, offsets, items, None))
    };
    let entry = StructArray::from(vec![
        (
            Arc::new(Field::new("x", arrow::datatypes::DataType::Int32, true)),
            ints(&[1]),
        ),
        (
            Arc::new(Field::new("y", arrow::datatypes::DataType::Utf8View, true)),
            Arc::new(StringViewArray::from(vec!["a \"b\""])) as ArrayRef,
        ),
    ]);
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    map.keys().append_value("a");
    map.values().append_value(1);
    map.append(true).unwrap();
    let dictionary: DictionaryArray<Int32Type> = ["word"].into_iter().collect();
    let struct_type = DataType::Struct(vec![
        ("x".into(), DataType::Integer),
        ("y".into(), DataType::Varchar),
    ]);
    let of = |item: DataType| DataType::List(Box::new(item));
    let numeric = Decimal128Array::from(vec![150])
        .with_precision_and_scale(38, 2)
        .unwrap();
    let columns: Vec<(&str, DataType, ArrayRef)> = vec![
        (
            "boolean",
            DataType::Boolean,
            Arc::new(BooleanArray::from(vec![true])),
        ),
        (
            "smallint",
            DataType::SmallInt,
            Arc::new(Int16Array::from(vec![-2])),
        ),
        (
            "integer",
            DataType::Integer,
            Arc::new(Int64Array::from(vec![7])),
        ),
        (
            "bigint",
            DataType::BigInt,
            Arc::new(Int64Array::from(vec![i64::MIN])),
        ),
        (
            "real",
            DataType::Real,
            Arc::new(Float32Array::from(vec![0.1])),
        ),
        (
            "double",
            DataType::Double,
            Arc::new(Float64Array::from(vec![1e20])),
        ),
        ("numeric", DataType::Numeric, Arc::new(numeric)),
        ("varchar", DataType::Varchar, Arc::new(dictionary)),
        (
            "large",
            DataType::Varchar,
            Arc::new(LargeStringArray::from(vec!["größer"])),
        ),
        (
            "missing",
            DataType::Varchar,
            arrow::array::new_null_array(&arrow::datatypes::DataType::Null, 1),
        ),
        (
            "bytea",
            DataType::Bytea,
            Arc::new(BinaryArray::from_vec(vec![&[0, 255]])),
        ),
        (
            "date",
            DataType::Date,
            Arc::new(Date32Array::from(vec![19_849])),
        ),
        (
            "time",
            DataType::Time,
            Arc::new(Time64MicrosecondArray::from(vec![25_689_500_000])),
        ),
        (
            "timestamp",
            DataType::Timestamp,
            Arc::new(TimestampNanosecondArray::from(vec![INSTANT * 1000])),
        ),
        (
            "timestamptz",
            DataType::Timestamptz,
            Arc::new(TimestampMicrosecondArray::from(vec![INSTANT + 7]).with_timezone("UTC")),
        ),
        (
            "interval",
            DataType::Interval,
            Arc::new(IntervalMonthDayNanoArray::from(vec![
                IntervalMonthDayNano::new(14, 1, 7_384_000_000_000),
            ])),
        ),
        (
            "jsonb",
            DataType::Jsonb,
            Arc::new(StringViewArray::from(vec![r#"{"b":[1,"x"],"a":null}"#])),
        ),
        (
            "int256",
            DataType::Int256,
            Arc::new(StringArray::from(vec!["123"])),
        ),
        (
            "serial",
            DataType::Serial,
            Arc::new(Int64Array::from(vec![5])),
        ),
        (
            "ints",
            of(DataType::Integer),
            list(Arc::new(Int32Array::from(vec![Some(1), None]))),
        ),
        (
            "strings",
            of(DataType::Varchar),
            list(Arc::new(StringArray::from(vec!["a", "b c", "", "null"]))),
        ),
        ("struct", struct_type.clone(), Arc::new(entry.clone())),
        ("structs", of(struct_type), list(Arc::new(entry))),
        (
            "map",
            DataType::Map(Box::new(DataType::Varchar), Box::new(DataType::Integer)),
            Arc::new(map.finish()),
        ),
    ];
    let batch = columns
        .iter()
        .map(|(name, _, array)| (*name, array.clone(), true));
    let batch = RecordBatch::try_from_iter_with_nullable(batch).unwrap();
    let columns = columns
        .into_iter()
        .map(|(name, data_type, _)| Column::new(name, data_type));
    (columns.collect(), batch)
}

/// Name, OID, length and text of the columns of `types`; the OIDs and forms are those of `golden/wire.md` section 4.
pub const TEXTS: [(&str, u32, i16, Option<&str>); 24] = [
    ("boolean", 16, 1, Some("t")),
    ("smallint", 21, 2, Some("-2")),
    ("integer", 23, 4, Some("7")),
    ("bigint", 20, 8, Some("-9223372036854775808")),
    ("real", 700, 4, Some("0.1")),
    ("double", 701, 8, Some("1e+20")),
    ("numeric", 1700, -1, Some("1.50")),
    ("varchar", 1043, -1, Some("word")),
    ("large", 1043, -1, Some("größer")),
    ("missing", 1043, -1, None),
    ("bytea", 17, -1, Some("\\x00ff")),
    ("date", 1082, 4, Some("2024-05-06")),
    ("time", 1083, 8, Some("07:08:09.500")),
    ("timestamp", 1114, 8, Some("2024-05-06 07:08:09.250")),
    (
        "timestamptz",
        1184,
        8,
        Some("2024-05-06 07:08:09.250007+00:00"),
    ),
    ("interval", 1186, 16, Some("1 year 2 mons 1 day 02:03:04")),
    ("jsonb", 3802, -1, Some(r#"{"a": null, "b": [1, "x"]}"#)),
    ("int256", 1301, -1, Some("123")),
    ("serial", 20, 8, Some("5")),
    ("ints", 1007, -1, Some("{1,NULL}")),
    ("strings", 1015, -1, Some(r#"{a,"b c","","null"}"#)),
    ("struct", 2249, -1, Some(r#"(1,"a ""b""")"#)),
    ("structs", 2287, -1, Some(r#"{"(1,\"a \"\"b\"\"\")"}"#)),
    ("map", 1303, -1, Some("{a:1}")),
];
