//! What the engine's tests share: an engine with clients, and the recorded suites.

#![allow(dead_code, reason = "each test file uses its part")]

pub mod slt;

use std::future::poll_fn;
use std::time::{Duration, Instant};

use rwt_engine::{Config, Engine};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_postgres::{AsyncMessage, Client, NoTls, SimpleQueryMessage};

/// An engine in a folder of its own, served on a free port.
pub struct Served {
    pub engine: std::sync::Arc<Engine>,
    pub port: u16,
    pub dir: tempfile::TempDir,
    serving: tokio::task::JoinHandle<()>,
}

impl Served {
    /// An engine that beats fast, for tests that wait for it.
    pub async fn start() -> Self {
        Self::reopen(tempfile::tempdir().unwrap()).await
    }

    pub async fn reopen(dir: tempfile::TempDir) -> Self {
        Self::beating(dir, Duration::from_millis(100)).await
    }

    /// An engine with `interval` between two checkpoints.
    pub async fn beating(dir: tempfile::TempDir, interval: Duration) -> Self {
        Self::configured(dir, |config| Config {
            barrier_interval: interval,
            ..config
        })
        .await
    }

    /// An engine in a folder, with the defaults but for what is changed.
    pub async fn configured(dir: tempfile::TempDir, change: impl FnOnce(Config) -> Config) -> Self {
        let config = change(Config::in_dir(dir.path()));
        let engine = std::sync::Arc::new(Engine::open(config).await.unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = engine.clone();
        let serving = tokio::spawn(async move { served.serve(listener).await.unwrap() });
        Self {
            engine,
            port,
            dir,
            serving,
        }
    }

    pub async fn client(&self) -> Client {
        connect(self.port).await
    }

    /// Stops in order and gives the folder back.
    pub async fn stop(self) -> tempfile::TempDir {
        self.engine.shutdown().await.unwrap();
        self.serving.await.unwrap();
        self.dir
    }
}

pub async fn connect(port: u16) -> Client {
    let config = format!("host=127.0.0.1 port={port} user=root dbname=dev");
    let (client, connection) = tokio_postgres::connect(&config, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A client, and the notices that it is sent.
pub async fn noticing(port: u16) -> (Client, UnboundedReceiver<String>) {
    let config = format!("host=127.0.0.1 port={port} user=root dbname=dev");
    let (client, mut connection) = tokio_postgres::connect(&config, NoTls).await.unwrap();
    let (sender, notices) = unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
            if let AsyncMessage::Notice(notice) = message {
                let _ = sender.send(notice.message().to_owned());
            }
        }
    });
    (client, notices)
}

/// A query's rows, cells joined by a blank, NULL as `NULL`.
pub async fn rows(client: &Client, sql: &str) -> Vec<String> {
    rows_or_error(client, sql)
        .await
        .unwrap_or_else(|e| panic!("{sql}: {e}"))
}

pub async fn rows_or_error(client: &Client, sql: &str) -> Result<Vec<String>, String> {
    let messages = client.simple_query(sql).await.map_err(|e| message(&e))?;
    Ok(messages
        .into_iter()
        .filter_map(|m| match m {
            SimpleQueryMessage::Row(row) => Some(
                (0..row.len())
                    .map(|i| row.get(i).unwrap_or("NULL").to_owned())
                    .collect::<Vec<_>>()
                    .join(" "),
            ),
            _ => None,
        })
        .collect())
}

/// The server's text of an error.
pub fn message(error: &tokio_postgres::Error) -> String {
    error
        .as_db_error()
        .map_or_else(|| error.to_string(), |e| e.message().to_owned())
}

/// Asks until the rows are these.
pub async fn until(client: &Client, sql: &str, expected: &[&str]) {
    let begun = Instant::now();
    loop {
        let found = rows_or_error(client, sql).await;
        if found.as_ref().is_ok_and(|rows| rows == expected) {
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{sql}: {found:?} instead of {expected:?}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
