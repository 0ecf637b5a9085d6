//! A session after its start-up: the loop over messages and the simple protocol.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::backend::{Canceller, Connection, Outcome};
use crate::encode::TextFormat;
use crate::error::{Refusal, Stage};
use crate::extended::Portals;
use crate::guard::{Problem, guarded, guarded_now};
use crate::message::Message;
use crate::reply::{self, Formats};
use crate::rows::{Kind, Progress, Rows};
use crate::socket::{NoFrame, Socket};

/// One client and its connection of the backend.
pub(crate) struct Session<S> {
    pub(crate) socket: Socket<S>,
    pub(crate) connection: Box<dyn Connection>,
    pub(crate) canceller: Canceller,
    pub(crate) shutdown: CancellationToken,
    pub(crate) portals: Portals,
    max_message: usize,
    /// An error of the extended protocol: everything up to Sync is skipped.
    skipping: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    pub(crate) fn new(
        socket: Socket<S>,
        connection: Box<dyn Connection>,
        canceller: Canceller,
        shutdown: CancellationToken,
        max_message: usize,
    ) -> Self {
        Self {
            socket,
            connection,
            canceller,
            shutdown,
            portals: Portals::default(),
            max_message,
            skipping: false,
        }
    }

    /// Answers messages until the client leaves, the connection breaks or the server shuts down.
    pub(crate) async fn run(mut self) {
        loop {
            let message = match self.next_message().await {
                Ok(Some(message)) => message,
                Ok(None) => break,
                Err(refusal) => {
                    self.refuse(&refusal);
                    let _ = self.socket.flush().await;
                    break;
                }
            };
            let extended = !matches!(message, Message::Query(_));
            let problem = match self.answer(message).await {
                Ok(()) => continue,
                Err(problem) => problem,
            };
            match problem {
                Problem::Refused(refusal) => {
                    self.refuse(&refusal);
                    self.skipping = extended;
                    let sent = if extended {
                        self.socket.flush().await
                    } else {
                        self.ready().await
                    };
                    if sent.is_err() {
                        break;
                    }
                }
                Problem::Panicked(text) => {
                    tracing::error!(panic = text, "a statement panicked");
                    let message = format!("Panicked when handling the request: {text}");
                    self.refuse(&Refusal::bare(message));
                    let _ = self.socket.flush().await;
                    break;
                }
                Problem::Io(error) => {
                    tracing::debug!(%error, "the connection broke");
                    break;
                }
                Problem::Closed => break,
            }
        }
    }

    /// The next message; `None` when there will be none. The error is the last word on the connection.
    async fn next_message(&mut self) -> Result<Option<Message>, Refusal> {
        let frame = tokio::select! {
            biased;
            () = self.shutdown.cancelled() => return Ok(None),
            frame = self.socket.read_message(self.max_message) => frame,
        };
        match frame {
            Ok((tag, body)) => match Message::decode(tag, body) {
                Ok(message) => Ok(Some(message)),
                Err(_) => Err(Refusal::bare("invalid message: the connection is closed")),
            },
            Err(NoFrame::Gone) => Ok(None),
            Err(NoFrame::Malformed) => Err(Refusal::bare(
                "invalid message length: the connection is closed",
            )),
            Err(NoFrame::TooLarge(length)) => Err(Refusal::bare(format!(
                "a message of {length} bytes is too large, the limit is {}: the connection is closed",
                self.max_message
            ))),
        }
    }

    async fn answer(&mut self, message: Message) -> Result<(), Problem> {
        match message {
            Message::Terminate | Message::FunctionCall => Err(Problem::Closed),
            Message::Sync => {
                self.skipping = false;
                Ok(self.ready().await?)
            }
            _ if self.skipping => Ok(()),
            Message::Query(sql) => {
                self.query(&sql).await?;
                Ok(self.ready().await?)
            }
            Message::Flush => Ok(self.socket.flush().await?),
            Message::Ignored => Ok(()),
            message => self.extended(message).await,
        }
    }

    /// A message of the simple protocol: parsed as a whole, then run statement by statement without a transaction, up
    /// to the first error.
    async fn query(&mut self, sql: &str) -> Result<(), Problem> {
        let statements = guarded_now(Stage::Query, || self.connection.parse_script(sql))?;
        if statements.is_empty() {
            reply::bare(&mut self.socket.output, b'I');
        }
        for statement in statements {
            self.statement(&statement).await?;
        }
        Ok(())
    }

    async fn statement(&mut self, sql: &str) -> Result<(), Problem> {
        let token = self.shutdown.child_token();
        let _running = self.canceller.running(&token);
        let run = self.connection.run(sql, &token);
        let outcome = guarded(Stage::Query, &token, run).await?;
        self.send_notices();
        let tag = match self.rows_or_tag(outcome, Formats::TEXT, Stage::Query, token.clone())? {
            Answer::Tag(tag) => tag,
            Answer::Rows(mut rows) => {
                rows.announce(&mut self.socket.output);
                match rows.send(&mut self.socket, 0).await? {
                    Progress::Complete(tag) => tag,
                    Progress::Suspended => return Err(Problem::Closed),
                }
            }
        };
        self.send_notices();
        reply::command_complete(&mut self.socket.output, &tag);
        Ok(())
    }

    /// What is to be sent for an outcome.
    pub(crate) fn rows_or_tag(
        &self,
        outcome: Outcome,
        formats: Formats,
        stage: Stage,
        token: CancellationToken,
    ) -> Result<Answer, Problem> {
        let (columns, stream, kind) = match outcome {
            Outcome::Done { tag } => return Ok(Answer::Tag(tag)),
            Outcome::Rows { columns, rows, tag } => (columns, rows, Kind::Query { tag, formats }),
            Outcome::CopyOut { columns, rows } => (columns, rows, Kind::Copy),
        };
        let text = TextFormat::new(self.connection.timezone());
        let rows = Rows::new(columns, stream, kind, text, stage, token)?;
        Ok(Answer::Rows(Box::new(rows)))
    }

    pub(crate) fn send_notices(&mut self) {
        for text in self.connection.take_notices() {
            reply::notice_response(&mut self.socket.output, &text);
        }
    }

    fn refuse(&mut self, refusal: &Refusal) {
        self.send_notices();
        reply::error_response(&mut self.socket.output, refusal);
    }

    /// ReadyForQuery, and everything before it is sent.
    async fn ready(&mut self) -> std::io::Result<()> {
        let in_transaction = self.connection.in_read_only_transaction();
        reply::ready_for_query(&mut self.socket.output, in_transaction);
        self.socket.flush().await
    }
}

/// A tag, or rows with the tag to come.
pub(crate) enum Answer {
    Tag(String),
    Rows(Box<Rows>),
}
