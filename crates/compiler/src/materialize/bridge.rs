//! Lends a borrowed session to template functions, which can only hold what they own.
//!
//! The template runs on a thread of its own, with a stack that deep macros do not exhaust; its statements come back over
//! a channel and run on the caller's thread, in order, one at a time.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use super::session::{DatabaseError, ExistingRelation, Response, Session};
use crate::jinja::SharedSession;

enum Request {
    Execute(String, Sender<Result<Response, DatabaseError>>),
    Perform(String, Sender<Result<Response, DatabaseError>>),
    Columns(String, Sender<Result<Vec<(String, u32)>, DatabaseError>>),
    Relation(
        String,
        String,
        Sender<Result<Option<ExistingRelation>, DatabaseError>>,
    ),
}

struct Bridge {
    requests: Sender<Request>,
    live: bool,
}

/// Bytes of stack for a thread that renders; minijinja's frames are large in debug builds.
pub const RENDERING_STACK: usize = 16 << 20;

fn gone<T>(sql: &str) -> Result<T, DatabaseError> {
    Err(DatabaseError {
        sqlstate: None,
        message: "the session is closed".to_owned(),
        statement: sql.to_owned(),
        line: None,
    })
}

impl Bridge {
    fn ask<T>(
        &self,
        sql: &str,
        request: impl FnOnce(Sender<Result<T, DatabaseError>>) -> Request,
    ) -> Result<T, DatabaseError> {
        let (answer, answers) = channel();
        match self.requests.send(request(answer)).map(|()| answers.recv()) {
            Ok(Ok(result)) => result,
            _ => gone(sql),
        }
    }
}

impl Session for Bridge {
    fn execute(&mut self, sql: &str) -> Result<Response, DatabaseError> {
        self.ask(sql, |answer| Request::Execute(sql.to_owned(), answer))
    }

    fn perform(&mut self, sql: &str) -> Result<Response, DatabaseError> {
        self.ask(sql, |answer| Request::Perform(sql.to_owned(), answer))
    }

    fn columns(&mut self, sql: &str) -> Result<Vec<(String, u32)>, DatabaseError> {
        self.ask(sql, |answer| Request::Columns(sql.to_owned(), answer))
    }

    fn relation(
        &mut self,
        schema: &str,
        identifier: &str,
    ) -> Result<Option<ExistingRelation>, DatabaseError> {
        self.ask("", |answer| {
            Request::Relation(schema.to_owned(), identifier.to_owned(), answer)
        })
    }

    fn is_live(&self) -> bool {
        self.live
    }
}

/// Runs `work` on a rendering thread with the session lent to it.
///
/// # Errors
/// The system has no thread to give.
pub fn lend<R: Send>(
    session: &mut dyn Session,
    work: impl FnOnce(SharedSession) -> R + Send,
) -> std::io::Result<R> {
    let (requests, received) = channel();
    let bridge = Bridge {
        requests,
        live: session.is_live(),
    };
    std::thread::scope(|scope| {
        let shared: SharedSession = Arc::new(Mutex::new(bridge));
        let running = rendering_thread().spawn_scoped(scope, move || work(shared))?;
        serve(session, &received);
        Ok(joined(running.join()))
    })
}

fn rendering_thread() -> std::thread::Builder {
    std::thread::Builder::new()
        .name("rwt-render".to_owned())
        .stack_size(RENDERING_STACK)
}

fn joined<R>(result: std::thread::Result<R>) -> R {
    match result {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Answers until the rendering side has let go of the bridge.
fn serve(session: &mut dyn Session, received: &Receiver<Request>) {
    while let Ok(request) = received.recv() {
        match request {
            Request::Execute(sql, answer) => {
                let _ = answer.send(session.execute(&sql));
            }
            Request::Perform(sql, answer) => {
                let _ = answer.send(session.perform(&sql));
            }
            Request::Columns(sql, answer) => {
                let _ = answer.send(session.columns(&sql));
            }
            Request::Relation(schema, identifier, answer) => {
                let _ = answer.send(session.relation(&schema, &identifier));
            }
        }
    }
}
