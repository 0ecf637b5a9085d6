//! Accepting connections, starting sessions and carrying cancel requests to them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::backend::{Backend, Canceller, Startup};
use crate::error::{Refusal, Stage};
use crate::guard::{Problem, guarded};
use crate::message::Opening;
use crate::reply;
use crate::session::Session;
use crate::socket::Socket;

/// Bounds on what a client may ask of the server.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest message in bytes; default 256 MiB.
    pub max_message: usize,
    /// How long a connection may take until its StartupMessage is complete; default 30 s.
    pub startup_timeout: Duration,
    /// How long sessions have to end after a shutdown before they are cut off; default 5 s.
    pub shutdown_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message: 256 * 1024 * 1024,
            startup_timeout: Duration::from_secs(30),
            shutdown_grace: Duration::from_secs(5),
        }
    }
}

/// The largest packet before the session exists.
const MAX_OPENING: usize = 10_000;

/// Serves a backend on a listener with the default [`Limits`], until the token is cancelled: then no further
/// connection is accepted, running statements are cancelled and all sessions end. Dropping the future cuts them off.
pub async fn serve(listener: TcpListener, backend: Arc<dyn Backend>, shutdown: CancellationToken) {
    serve_within(listener, backend, Limits::default(), shutdown).await;
}

/// [`serve`] with other limits.
pub async fn serve_within(
    listener: TcpListener,
    backend: Arc<dyn Backend>,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let server = Arc::new(Server {
        backend,
        limits,
        shutdown: shutdown.clone(),
        next: AtomicI32::new(1),
        sessions: Mutex::default(),
    });
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(ended) = connections.join_next(), if !connections.is_empty() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a connection failed");
                }
            }
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(Arc::clone(&server).connection(stream, peer));
                }
                Err(error) => {
                    // out of file descriptors, most likely: existing sessions go on and may free some
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.shutdown_grace, all_ended)
        .await
        .is_err()
    {
        tracing::warn!("sessions that did not end in time are cut off");
    }
}

struct Server {
    backend: Arc<dyn Backend>,
    limits: Limits,
    shutdown: CancellationToken,
    next: AtomicI32,
    sessions: Mutex<HashMap<i32, Canceller>>,
}

impl Server {
    async fn connection(self: Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        // small answers should not wait for more to send; where it cannot be set they do
        let _ = stream.set_nodelay(true);
        let mut socket = Socket::new(stream);
        let opening = tokio::select! {
            biased;
            () = self.shutdown.cancelled() => return,
            opening = tokio::time::timeout(self.limits.startup_timeout, open(&mut socket)) => opening,
        };
        match opening {
            Ok(Some(Opening::Startup(parameters))) => self.session(socket, peer, parameters).await,
            Ok(Some(Opening::Cancel { session, key })) => {
                let target = self
                    .sessions()
                    .get(&session)
                    .filter(|_| session == key)
                    .cloned();
                let reached = target.is_some_and(|canceller| canceller.cancel());
                tracing::debug!(%peer, session, reached, "cancel request");
            }
            Ok(_) => tracing::debug!(%peer, "the connection ended before a session"),
            Err(_) => tracing::debug!(%peer, "no session was asked for in time"),
        }
    }

    /// Start-up and the session itself.
    async fn session(
        &self,
        mut socket: Socket<TcpStream>,
        peer: SocketAddr,
        mut parameters: HashMap<String, String>,
    ) {
        let database = parameters
            .remove("database")
            .unwrap_or_else(|| "dev".into());
        if database.is_empty() {
            return;
        }
        let user = parameters.remove("user").unwrap_or_else(|| "root".into());
        let application_name = parameters.remove("application_name");
        let canceller = Canceller::default();
        let registered = self.register(&canceller);
        let session = registered.session;
        let startup = Startup {
            user,
            database,
            application_name: application_name.clone(),
            session,
            peer: Some(peer),
            canceller: canceller.clone(),
        };
        tracing::info!(session, %peer, user = startup.user, database = startup.database, "connected");
        let connect = self.backend.connect(startup);
        let connection = match guarded(Stage::Startup, &self.shutdown, connect).await {
            Ok(connection) => connection,
            Err(problem) => {
                let refusal = match problem {
                    Problem::Refused(refusal) => refusal,
                    Problem::Panicked(text) => {
                        Refusal::bare(format!("Panicked when handling the request: {text}"))
                    }
                    Problem::Io(_) | Problem::Closed => return,
                };
                tracing::info!(session, reason = refusal.message(), "refused");
                reply::error_response(&mut socket.output, &refusal);
                let _ = socket.flush().await;
                return;
            }
        };
        let out = &mut socket.output;
        reply::authentication_ok(out);
        reply::backend_key_data(out, session);
        for (name, value) in PARAMETERS {
            reply::parameter_status(out, name, value);
        }
        if let Some(name) = &application_name {
            reply::parameter_status(out, "application_name", name);
        }
        reply::ready_for_query(out, connection.in_read_only_transaction());
        if socket.flush().await.is_ok() {
            let shutdown = self.shutdown.clone();
            Session::new(
                socket,
                connection,
                canceller,
                shutdown,
                self.limits.max_message,
            )
            .run()
            .await;
        }
        tracing::info!(session, "disconnected");
    }

    /// Gives the session a number that no living session has.
    fn register(&self, canceller: &Canceller) -> Registered<'_> {
        let mut sessions = self.sessions();
        loop {
            let session = self.next.fetch_add(1, Ordering::Relaxed);
            if session > 0 && !sessions.contains_key(&session) {
                sessions.insert(session, canceller.clone());
                return Registered {
                    server: self,
                    session,
                };
            }
        }
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<i32, Canceller>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The parameters that RisingWave 2.8.4 reports, in its order; they are never sent again. `integer_datetimes` is ours:
/// pgjdbc reads the times of a server that does not report it as floating-point numbers, which they are not.
const PARAMETERS: [(&str, &str); 5] = [
    ("TimeZone", "UTC"),
    ("client_encoding", "UTF8"),
    ("standard_conforming_strings", "on"),
    ("server_version", "13.14.0"),
    ("integer_datetimes", "on"),
];

/// A session's place among those that cancel requests can reach.
struct Registered<'a> {
    server: &'a Server,
    session: i32,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.server.sessions().remove(&self.session);
    }
}

/// Reads packets until one starts a session or cancels a statement. Encryption is declined each time it is asked for.
async fn open(socket: &mut Socket<TcpStream>) -> Option<Opening> {
    loop {
        let body = socket.read_opening(MAX_OPENING).await.ok()?;
        match Opening::decode(body).ok()? {
            Opening::Encryption => socket.answer_byte(b'N').await.ok()?,
            opening => return Some(opening),
        }
    }
}
