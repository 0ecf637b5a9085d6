//! One connection, used from synchronous code: macros call the database in the middle of rendering.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rwt_compiler::QueryComment;
use rwt_compiler::materialize::DatabaseError;
use rwt_project::environment::Environment;
use rwt_project::profile::{SslMode, Target, TargetKind, is_secret_name, replace_markers};
use rwt_sql::Ident;
use tokio::runtime::Handle;
use tokio_postgres::types::Type;
use tokio_postgres::{CancelToken, Client, Config, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls::{self, Files, TlsError, Verification};

/// Why there is no connection.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum ConnectError {
    /// The network or the server refused.
    #[error("cannot connect to {address}: {reason}")]
    #[diagnostic(code(rwt::client::connect), help("{help}"))]
    Refused {
        /// `host:port/database`
        address: String,
        /// What was said.
        reason: String,
        /// What to do.
        help: String,
    },
    /// TLS could not be set up.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Tls(#[from] TlsError),
    /// A session setting of the profile was refused.
    #[error("the server refused a session setting of the profile: {0}")]
    #[diagnostic(
        code(rwt::client::session_setting),
        help("remove it from the target in profiles.yml, or use a server version that knows it")
    )]
    Setting(DatabaseError),
}

/// Opens connections to one target.
#[derive(Clone)]
pub struct Connector {
    target: Arc<Target>,
    handle: Handle,
    secrets: Arc<Secrets>,
    comment: Option<QueryComment>,
}

/// What markers in statements stand for.
struct Secrets {
    of_target: BTreeMap<String, String>,
    environment: Environment,
}

impl Secrets {
    fn get(&self, name: &str) -> Option<String> {
        let of_target = self.of_target.get(name).cloned();
        of_target.or_else(|| is_secret_name(name).then(|| self.environment.get(name))?)
    }
}

/// What one statement gave, all values as the server's text.
#[derive(Debug, Clone, Default)]
pub struct ResultSet {
    /// Column names; empty for statements without rows.
    pub columns: Vec<String>,
    /// Rows.
    pub rows: Vec<Vec<Option<String>>>,
    /// Rows changed or returned, as the command tag says.
    pub count: u64,
}

/// An open connection.
pub struct Connection {
    client: Client,
    handle: Handle,
    secrets: Arc<Secrets>,
    tls: Option<MakeRustlsConnect>,
    comment: Option<QueryComment>,
}

/// Cancels what a connection is doing, from another thread.
#[derive(Clone)]
pub struct Canceller {
    token: CancelToken,
    handle: Handle,
    tls: Option<MakeRustlsConnect>,
}

impl Canceller {
    /// Asks the server to cancel the connection's statement. RisingWave cancels the creation of an object with it. The
    /// statement then fails; whether the request came too late, nobody says.
    ///
    /// # Errors
    /// The server could not be asked.
    pub fn cancel(&self) -> Result<(), DatabaseError> {
        let asked = match self.tls.clone() {
            Some(tls) => self.handle.block_on(self.token.cancel_query(tls)),
            None => self.handle.block_on(self.token.cancel_query(NoTls)),
        };
        asked.map_err(|error| database_error(&error, "", None))
    }
}

impl Connector {
    /// A connector for `target`; `handle` drives the sockets.
    /// `environment` holds the secrets that models name by `env_var`.
    pub fn new(target: Arc<Target>, environment: Environment, handle: Handle) -> Self {
        let secrets = Secrets {
            of_target: target.secrets(),
            environment,
        };
        Self {
            target,
            handle,
            secrets: Arc::new(secrets),
            comment: None,
        }
    }

    /// A connector whose connections put a comment on what they send, until they get another one.
    #[must_use]
    pub fn with_comment(mut self, comment: Option<QueryComment>) -> Self {
        self.comment = comment;
        self
    }

    /// The target.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// `host:port/database`
    pub fn address(&self) -> String {
        let target = &self.target;
        format!("{}:{}/{}", target.host, target.port, target.database)
    }

    /// A text with secrets in the place of their markers, for a connection to something else than the database.
    pub fn reveal(&self, text: &str) -> String {
        replace_markers(text, |name| self.secrets.get(name))
    }

    /// Connects, tries again as often as the target's `retries` says, and applies the session settings: implicit
    /// flush, so that what was written is there for the next statement (as dbt-risingwave does), then the profile's own.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub fn connect(&self) -> Result<Connection, ConnectError> {
        let mut attempt = 0;
        let (client, tls) = loop {
            match self.open() {
                Ok(opened) => break opened,
                Err(ConnectError::Refused { .. }) if attempt < self.target.retries => {
                    attempt += 1;
                    std::thread::sleep(Duration::from_millis(200 * u64::from(attempt)));
                }
                Err(error) => return Err(error),
            }
        };
        let mut connection = Connection {
            client,
            handle: self.handle.clone(),
            secrets: self.secrets.clone(),
            tls,
            comment: None,
        };
        let mut settings = vec!["set rw_implicit_flush to true".to_owned()];
        settings.extend(self.target.session_statements());
        if let Some(path) = &self.target.search_path {
            settings.push(format!("set search_path to {path}"));
        }
        if let Some(role) = &self.target.role {
            settings.push(format!("set role {}", Ident::new(role).quoted()));
        }
        connection
            .run(&settings.join("; "))
            .map_err(ConnectError::Setting)?;
        connection.comment.clone_from(&self.comment);
        Ok(connection)
    }

    fn open(&self) -> Result<(Client, Option<MakeRustlsConnect>), ConnectError> {
        let target = &self.target;
        let mut config = Config::new();
        config
            .host(&target.host)
            .port(target.port)
            .user(&target.user)
            .dbname(&target.database)
            .application_name(&target.application_name)
            .connect_timeout(target.connect_timeout);
        if !target.keepalives_idle.is_zero() {
            config.keepalives_idle(target.keepalives_idle);
        }
        if !target.password.is_empty() {
            config.password(target.password.expose());
        }
        let (mode, verification) = match target.sslmode {
            SslMode::Disable => (tokio_postgres::config::SslMode::Disable, None),
            SslMode::Allow | SslMode::Prefer => (
                tokio_postgres::config::SslMode::Prefer,
                Some(Verification::None),
            ),
            SslMode::Require => (
                tokio_postgres::config::SslMode::Require,
                Some(Verification::None),
            ),
            SslMode::VerifyCa => (
                tokio_postgres::config::SslMode::Require,
                Some(Verification::Chain),
            ),
            SslMode::VerifyFull => (
                tokio_postgres::config::SslMode::Require,
                Some(Verification::ChainAndName),
            ),
        };
        config.ssl_mode(mode);
        let refused = |error: tokio_postgres::Error| self.refused(&error);
        let Some(verification) = verification else {
            let (client, socket) = self
                .handle
                .block_on(config.connect(NoTls))
                .map_err(refused)?;
            self.handle.spawn(socket);
            return Ok((client, None));
        };
        let tls = tls::connector(
            verification,
            Files {
                root: target.sslrootcert.as_deref(),
                certificate: target.sslcert.as_deref(),
                key: target.sslkey.as_deref(),
            },
        )?;
        let (client, socket) = self
            .handle
            .block_on(config.connect(tls.clone()))
            .map_err(refused)?;
        self.handle.spawn(socket);
        Ok((client, Some(tls)))
    }

    fn refused(&self, error: &tokio_postgres::Error) -> ConnectError {
        let target = &self.target;
        let help = if target.kind == TargetKind::Embedded {
            "`rwt up` starts the embedded stack; `rwt logs` shows what it does".to_owned()
        } else {
            format!(
                "check host, port, user, password and sslmode of target `{}` in profiles.yml; `rwt debug` checks each part",
                target.name
            )
        };
        ConnectError::Refused {
            address: self.address(),
            reason: describe(error),
            help,
        }
    }
}

/// An error of tokio-postgres with its causes, which its own text leaves out.
fn describe(error: &tokio_postgres::Error) -> String {
    if let Some(server) = error.as_db_error() {
        return server.message().to_owned();
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

impl Connection {
    /// Puts another comment on what is sent from here on.
    pub fn set_comment(&mut self, comment: Option<QueryComment>) {
        self.comment = comment;
    }

    fn commented(&self, sql: String) -> String {
        match &self.comment {
            Some(comment) => comment.on(&sql),
            None => sql,
        }
    }

    fn error(&self, error: &tokio_postgres::Error, sql: &str) -> DatabaseError {
        database_error(error, sql, self.comment.as_ref())
    }

    /// Runs one or more statements and returns what each gave. Secret references are resolved on the way out.
    ///
    /// # Errors
    /// What the server refused; the statement in it still holds references.
    pub fn run(&self, sql: &str) -> Result<Vec<ResultSet>, DatabaseError> {
        self.send(self.resolve(sql), sql)
    }

    /// Runs statements that hold the text of others: references to secrets in it stay references.
    ///
    /// # Errors
    /// As [`Connection::run`].
    pub fn run_as_is(&self, sql: &str) -> Result<Vec<ResultSet>, DatabaseError> {
        self.send(sql.to_owned(), sql)
    }

    fn send(&self, sent: String, sql: &str) -> Result<Vec<ResultSet>, DatabaseError> {
        let messages = self
            .handle
            .block_on(self.client.simple_query(&self.commented(sent)))
            .map_err(|error| self.error(&error, sql))?;
        let mut results = Vec::new();
        let mut current = ResultSet::default();
        for message in messages {
            match message {
                SimpleQueryMessage::RowDescription(columns) => {
                    current.columns = columns.iter().map(|c| c.name().to_owned()).collect();
                }
                SimpleQueryMessage::Row(row) => {
                    if current.columns.is_empty() {
                        current.columns =
                            row.columns().iter().map(|c| c.name().to_owned()).collect();
                    }
                    let cells = (0..row.len()).map(|i| row.get(i).map(str::to_owned));
                    current.rows.push(cells.collect());
                }
                SimpleQueryMessage::CommandComplete(count) => {
                    current.count = count;
                    results.push(std::mem::take(&mut current));
                }
                _ => {}
            }
        }
        Ok(results)
    }

    /// Puts secrets in the place of their markers, which stand inside of string literals.
    fn resolve(&self, sql: &str) -> String {
        replace_markers(sql, |name| {
            self.secrets
                .get(name)
                .map(|value| value.replace('\'', "''"))
        })
    }

    /// Runs one query and returns its rows.
    ///
    /// # Errors
    /// As [`Connection::run`].
    pub fn query(&self, sql: &str) -> Result<ResultSet, DatabaseError> {
        Ok(self.run(sql)?.pop().unwrap_or_default())
    }

    /// The column types of a query, without running it; `None` if the server does not say.
    pub fn describe(&self, sql: &str) -> Option<Vec<Type>> {
        let sent = self.commented(self.resolve(sql));
        let statement = self.handle.block_on(self.client.prepare(&sent)).ok()?;
        Some(
            statement
                .columns()
                .iter()
                .map(|c| c.type_().clone())
                .collect(),
        )
    }

    /// Name of each column of a query, and its type's number, without running it.
    ///
    /// # Errors
    /// What the server refused.
    pub fn columns(&self, sql: &str) -> Result<Vec<(String, u32)>, DatabaseError> {
        let sent = self.commented(self.resolve(sql));
        let statement = self
            .handle
            .block_on(self.client.prepare(&sent))
            .map_err(|error| self.error(&error, sql))?;
        let columns = statement.columns().iter();
        Ok(columns
            .map(|column| (column.name().to_owned(), column.type_().oid()))
            .collect())
    }

    /// The client beneath, for callers that need more of the protocol.
    pub fn into_client(self) -> Client {
        self.client
    }

    /// What cancels this connection's statements.
    pub fn canceller(&self) -> Canceller {
        Canceller {
            token: self.client.cancel_token(),
            handle: self.handle.clone(),
            tls: self.tls.clone(),
        }
    }

    /// Whether the server has closed the connection.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}

/// What the server said of a statement. A line that it names is one of the statement's own: the comment before it does
/// not count.
fn database_error(
    error: &tokio_postgres::Error,
    sql: &str,
    comment: Option<&QueryComment>,
) -> DatabaseError {
    let before = comment.map_or(0, QueryComment::lines_before);
    let message = with_own_line(describe(error), sql, before);
    DatabaseError {
        sqlstate: error.code().map(|code| code.code().to_owned()),
        line: line_of(&message),
        message,
        statement: sql.to_owned(),
    }
}

/// The message with the line of the statement itself: the comment before it does not count, and a server that parses a
/// part of it by itself counts from there, so that the text of the line decides.
fn with_own_line(message: String, sql: &str, before: u32) -> String {
    let Some(line) = line_of(&message) else {
        return message;
    };
    let label = format!("LINE {line}:");
    let shown = message
        .split(label.as_str())
        .nth(1)
        .and_then(|rest| rest.lines().next());
    let shown = shown.unwrap_or_default().trim();
    let is_shown = |(_, text): &(u32, &str)| text.trim() == shown;
    let numbered = || (1..).zip(sql.lines());
    let counted = line.checked_sub(before).filter(|own| *own > 0);
    let own = match counted {
        Some(own)
            if numbered()
                .find(|(n, _)| *n == own)
                .is_some_and(|it| is_shown(&it)) =>
        {
            own
        }
        _ => {
            let mut same = numbered().filter(is_shown);
            match (same.next(), same.next()) {
                (Some((own, _)), None) => own,
                _ => counted.unwrap_or(line),
            }
        }
    };
    message.replacen(&label, &format!("LINE {own}:"), 1)
}

/// RisingWave's syntax errors say `LINE n:`.
fn line_of(message: &str) -> Option<u32> {
    let rest = message.split("LINE ").nth(1)?;
    rest.split(':').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_the_statements_own() {
        let sql = "create view v as\nselect 1,\n  2 as as b";
        let said = |line: u32| format!("sql parser error\nLINE {line}:   2 as as b\n   ^");
        // With a comment of one line before it, without one, and counted from the query on.
        for (line, before) in [(4, 1), (3, 0), (2, 0), (2, 1)] {
            assert_eq!(with_own_line(said(line), sql, before), said(3));
        }
        assert_eq!(with_own_line("no line".to_owned(), sql, 1), "no line");
    }

    #[test]
    fn the_line_of_a_syntax_error_is_found() {
        assert_eq!(
            line_of("sql parser error: …\nLINE 12: selec\n   ^"),
            Some(12)
        );
        assert_eq!(line_of("table or source not found: x"), None);
    }
}
