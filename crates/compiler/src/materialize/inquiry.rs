//! The session of a node that is compiled: what its text asks is noted, and answered by the database where there is one.

use std::sync::PoisonError;

use super::recorder::{RecordedStatement, Recorder, asks};
use super::session::{DatabaseError, ExistingRelation, Response, Session};
use crate::jinja::SharedSession;

/// A recorder that knows whether it was asked anything.
pub(crate) struct Inquiry {
    recorder: Recorder,
    /// Who answers; without it an empty database does.
    database: Option<SharedSession>,
    /// Schema and name of the node itself, which is compiled as if it were not there.
    this: (String, String),
    asked: bool,
    /// Whether the node's own text is rendered; its materialization always begins with an empty database.
    in_text: bool,
}

impl Inquiry {
    /// For the node with this relation.
    pub fn new(recorder: Recorder, database: Option<SharedSession>, this: (&str, &str)) -> Self {
        Self {
            recorder,
            database,
            this: (this.0.to_owned(), this.1.to_owned()),
            asked: false,
            in_text: true,
        }
    }

    /// Whether the node's text asked for anything that a database holds.
    pub fn has_asked(&self) -> bool {
        self.asked
    }

    /// Whether nothing was asked and nothing was changed.
    pub fn is_untouched(&self) -> bool {
        !self.asked && self.recorder.is_empty()
    }

    /// Notes that the text is rendered, and that what follows is its materialization.
    pub fn end_of_text(&mut self) {
        self.in_text = false;
        self.database = None;
    }

    /// Takes the statements so far.
    pub fn take_statements(&mut self) -> Vec<RecordedStatement> {
        self.recorder.take_statements()
    }

    fn note(&mut self) -> Option<&SharedSession> {
        self.asked |= self.in_text;
        self.database.as_ref()
    }
}

impl Session for Inquiry {
    fn execute(&mut self, sql: &str) -> Result<Response, DatabaseError> {
        if self.in_text
            && asks(sql)
            && let Some(database) = self.note()
        {
            let mut database = database.lock().unwrap_or_else(PoisonError::into_inner);
            return database.execute(sql);
        }
        self.recorder.execute(sql)
    }

    fn perform(&mut self, sql: &str) -> Result<Response, DatabaseError> {
        self.recorder.perform(sql)
    }

    fn columns(&mut self, sql: &str) -> Result<Vec<(String, u32)>, DatabaseError> {
        match self.note() {
            Some(database) => {
                let mut database = database.lock().unwrap_or_else(PoisonError::into_inner);
                database.columns(sql)
            }
            None => self.recorder.columns(sql),
        }
    }

    fn relation(
        &mut self,
        schema: &str,
        identifier: &str,
    ) -> Result<Option<ExistingRelation>, DatabaseError> {
        if (self.this.0.as_str(), self.this.1.as_str()) == (schema, identifier) {
            return self.recorder.relation(schema, identifier);
        }
        match self.note() {
            Some(database) => {
                let mut database = database.lock().unwrap_or_else(PoisonError::into_inner);
                database.relation(schema, identifier)
            }
            None => self.recorder.relation(schema, identifier),
        }
    }

    fn is_live(&self) -> bool {
        self.database.is_some()
    }
}
