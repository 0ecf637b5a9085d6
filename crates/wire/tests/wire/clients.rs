//! The clients that people use: tokio-postgres, psql, psycopg.

use std::net::SocketAddr;
use std::process::Stdio;

use tokio::process::Command;
use tokio_postgres::types::{FromSql, Type};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use crate::toy::{TEXTS, start};

async fn connect(address: SocketAddr) -> Client {
    let mut config = Config::new();
    config
        .host("127.0.0.1")
        .port(address.port())
        .user("root")
        .password("ignored")
        .dbname("dev");
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The bytes of a value of any type.
struct Bytes(Vec<u8>);

impl<'a> FromSql<'a> for Bytes {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

#[tokio::test]
async fn tokio_postgres_reads_typed_values() {
    let served = start().await;
    let client = connect(served.address).await;
    for (data_type, value) in [
        (
            Type::INT4,
            &7_i32 as &(dyn tokio_postgres::types::ToSql + Sync),
        ),
        (Type::FLOAT8, &1.5_f64),
        (Type::BOOL, &true),
        (Type::VARCHAR, &"grüße"),
        (Type::BYTEA, &&b"\0\xff"[..]),
        (Type::INT8_ARRAY, &vec![Some(1_i64), None]),
        (Type::TEXT_ARRAY, &Vec::<String>::new()),
    ] {
        let statement = client
            .prepare_typed("echo", std::slice::from_ref(&data_type))
            .await
            .unwrap();
        let expected = match data_type {
            Type::TEXT_ARRAY => Type::VARCHAR_ARRAY,
            other => other,
        };
        assert_eq!(statement.params(), std::slice::from_ref(&expected));
        let row = client.query_one(&statement, &[value]).await.unwrap();
        let Bytes(bytes) = row.get(0);
        let mut sent = bytes::BytesMut::new();
        value.to_sql_checked(&expected, &mut sent).unwrap();
        match expected {
            // PostgreSQL sends an empty array without dimensions, tokio-postgres with one of length zero
            Type::VARCHAR_ARRAY => assert_eq!(row.get::<_, Vec<String>>(0), Vec::<String>::new()),
            _ => assert_eq!(bytes, sent),
        }
    }
    let rows = client.query("rows 3", &[]).await.unwrap();
    let values: Vec<(i32, &str)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(values, [(1, "row 1"), (2, "row 2"), (3, "row 3")]);
    assert_eq!(client.execute("tag INSERT 0 4", &[]).await.unwrap(), 4);
}

#[tokio::test]
async fn tokio_postgres_reads_a_portal_in_parts() {
    let served = start().await;
    let mut client = connect(served.address).await;
    let transaction = client.transaction().await.unwrap();
    let portal = transaction.bind("rows 5", &[]).await.unwrap();
    let mut lengths = Vec::new();
    for _ in 0..3 {
        lengths.push(transaction.query_portal(&portal, 2).await.unwrap().len());
    }
    assert_eq!(lengths, [2, 2, 1]);
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn tokio_postgres_reads_texts_and_errors() {
    let served = start().await;
    let client = connect(served.address).await;
    let messages = client.simple_query("types").await.unwrap();
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    for (i, (name, _, _, text)) in TEXTS.into_iter().enumerate() {
        assert_eq!(row.unwrap().get(i), text, "{name}");
    }
    let error = client.query("fail", &[]).await.unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!(error.code().code(), "42704");
    assert!(
        error
            .message()
            .starts_with("Failed to prepare the statement")
    );
}

#[tokio::test]
async fn tokio_postgres_cancels() {
    let served = start().await;
    let client = connect(served.address).await;
    let token = client.cancel_token();
    let sleeping = client.batch_execute("sleep");
    let cancelling = async {
        while served.seen.ran.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        token.cancel_query(NoTls).await.unwrap();
    };
    let (error, ()) = tokio::join!(sleeping, cancelling);
    let error = error.unwrap_err();
    assert!(
        error
            .as_db_error()
            .unwrap()
            .message()
            .contains("Task aborted: cancelled")
    );
}

/// What a program prints on its two outputs, or `None` after saying that it is not installed.
async fn output(command: &mut Command) -> Option<(String, String)> {
    let output = match command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
    {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("SKIPPED: {command:?} is not installed");
            return None;
        }
        Err(error) => panic!("{command:?}: {error}"),
    };
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Some((text(output.stdout), text(output.stderr)))
}

#[tokio::test]
async fn psql_shows_rows_notices_and_errors() {
    let served = start().await;
    let port = served.address.port().to_string();
    let mut psql = Command::new("psql");
    psql.args([
        "-X",
        "-h",
        "127.0.0.1",
        "-p",
        &port,
        "-U",
        "root",
        "-d",
        "dev",
        "-P",
        "null=∅",
    ])
    .args([
        "-c",
        "rows 2",
        "-c",
        "types",
        "-c",
        "notice taken",
        "-c",
        "fail",
        "-c",
        "copy",
    ])
    .env("PGCLIENTENCODING", "UTF8");
    let Some((out, err)) = output(&mut psql).await else {
        return;
    };
    assert!(out.contains(" 2 | row 2\n(2 rows)\n"), "{out}");
    assert!(out.contains("2024-05-06 07:08:09.250007+00:00"), "{out}");
    assert!(out.contains(" ∅ "), "{out}");
    assert!(out.contains("DROP_TABLE\n"), "{out}");
    assert!(out.ends_with("1\ta\\tb\\\\c\n2\t\n"), "{out}");
    assert!(err.contains("NOTICE:  taken\n"), "{err}");
    assert!(err.contains("ERROR:  Failed to run the query\n"), "{err}");
    assert!(
        err.contains("2: table or source not found: nosuch\n"),
        "{err}"
    );
}

#[tokio::test]
async fn psycopg_reads_both_formats() {
    let Some(python) = std::env::var_os("RWT_PYTHON") else {
        println!("SKIPPED: RWT_PYTHON does not name a Python with psycopg");
        return;
    };
    let served = start().await;
    let script = r#"
import sys, psycopg
conn = psycopg.connect(host="127.0.0.1", port=int(sys.argv[1]), user="root", dbname="dev", autocommit=True)
for binary in (False, True):
    cur = conn.cursor(binary=binary)
    print(cur.execute("rows 2", prepare=True).fetchall())
    cur.execute("types" if not binary else "rows 1")
    print([column.type_code for column in cur.description])
try:
    conn.execute("fail")
except psycopg.errors.UndefinedObject as error:
    print("UndefinedObject", "nosuch" in str(error))
"#;
    let mut command = Command::new(python);
    command.args(["-c", script, &served.address.port().to_string()]);
    let Some((out, err)) = output(&mut command).await else {
        return;
    };
    let rows = "[(1, 'row 1'), (2, 'row 2')]";
    assert_eq!(out.matches(rows).count(), 2, "{out}{err}");
    assert!(out.ends_with("UndefinedObject True\n"), "{out}{err}");
}
