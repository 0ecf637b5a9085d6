//! The extended protocol: prepared statements and portals (`golden/wire.md` section 5).

use std::collections::HashMap;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::backend::Prepared;
use crate::decode;
use crate::encode::Format;
use crate::error::{Refusal, SqlError, Stage};
use crate::guard::{Problem, guarded, guarded_now};
use crate::message::{Bind, Message, Target};
use crate::param::Param;
use crate::reply::{self, Formats};
use crate::rows::{Progress, Rows};
use crate::session::{Answer, Session};
use crate::types::{from_oid, oid};

/// Prepared statements and portals by their names; both survive Sync. The unnamed ones have an empty name.
#[derive(Default)]
pub(crate) struct Portals {
    statements: HashMap<String, Planned>,
    portals: HashMap<String, Portal>,
}

/// A prepared statement, or `None` for an empty text.
type Planned = Option<Arc<Prepared>>;

/// A prepared statement with its values.
struct Portal {
    planned: Planned,
    values: Vec<Param>,
    formats: Formats,
    /// The rows that Execute has left because of its limit.
    rest: Option<Box<Rows>>,
}

impl Portals {
    fn statement(&self, name: &str) -> Result<&Planned, Problem> {
        self.statements.get(name).ok_or_else(|| {
            Problem::bare(match name {
                "" => "unnamed prepare statement not found".to_owned(),
                name => format!("Prepare statement {name} not found"),
            })
        })
    }

    fn close(&mut self, target: &Target) {
        match target {
            Target::Portal(name) => {
                self.portals.remove(name);
            }
            Target::Statement(name) => {
                if let Some(Some(closed)) = self.statements.remove(name) {
                    self.portals.retain(|_, portal| {
                        !portal
                            .planned
                            .as_ref()
                            .is_some_and(|plan| Arc::ptr_eq(plan, &closed))
                    });
                }
            }
        }
    }
}

fn no_portal(name: &str) -> Problem {
    Problem::bare(match name {
        "" => "unnamed portal not found".to_owned(),
        name => format!("Portal {name} not found"),
    })
}

fn cannot_prepare(cause: impl Into<String>) -> Problem {
    Problem::Refused(Refusal::new(Stage::Prepare, SqlError::internal(cause)))
}

/// Format codes are none (all text), one for all, or one for each of `count` values.
fn formats(codes: Vec<Format>, count: Option<usize>) -> Result<Formats, Problem> {
    match codes.as_slice() {
        [] => Ok(Formats::TEXT),
        [format] => Ok(Formats::All(*format)),
        many if count.is_none_or(|count| count == many.len()) => Ok(Formats::Each(codes)),
        many => Err(Problem::bare(format!(
            "Bind has {} format codes for {} values",
            many.len(),
            count.unwrap_or(0)
        ))),
    }
}

/// Notices of these statements follow CommandComplete instead of preceding it.
fn notices_follow(tag: &str) -> bool {
    matches!(tag, "BEGIN" | "START_TRANSACTION" | "COMMIT" | "ROLLBACK")
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// Answers Parse, Bind, Describe, Close and Execute.
    pub(crate) async fn extended(&mut self, message: Message) -> Result<(), Problem> {
        match message {
            Message::Parse { name, sql, types } => self.parse(name, &sql, &types).await,
            Message::Bind(bind) => self.bind(bind),
            Message::Describe(target) => self.describe(&target),
            Message::Close(target) => {
                self.portals.close(&target);
                reply::bare(&mut self.socket.output, b'3');
                Ok(())
            }
            Message::Execute { portal, limit } => self.execute(&portal, limit).await,
            _ => Err(Problem::Closed),
        }
    }

    async fn parse(&mut self, name: String, sql: &str, types: &[u32]) -> Result<(), Problem> {
        if name.is_empty() {
            self.portals.statements.remove("");
        } else if self.portals.statements.contains_key(&name) {
            return Err(cannot_prepare("Duplicated statement name"));
        }
        let mut declared = Vec::with_capacity(types.len());
        for number in types {
            declared.push(match number {
                0 => None,
                number => match from_oid(*number) {
                    Some(data_type) => Some(data_type),
                    None => return Err(cannot_prepare(format!("Unsupported oid {number}"))),
                },
            });
        }
        let statements = guarded_now(Stage::Prepare, || self.connection.parse_script(sql))?;
        let planned = match statements.as_slice() {
            [] => None,
            [statement] => {
                let token = self.shutdown.child_token();
                let _running = self.canceller.running(&token);
                let prepare = self.connection.prepare(statement, &declared, &token);
                Some(Arc::new(guarded(Stage::Prepare, &token, prepare).await?))
            }
            _ => {
                let message = "Only one statement is allowed in extended query mode";
                return Err(cannot_prepare(message));
            }
        };
        self.portals.statements.insert(name, planned);
        reply::bare(&mut self.socket.output, b'1');
        self.send_notices();
        Ok(())
    }

    fn bind(&mut self, bind: Bind) -> Result<(), Problem> {
        if bind.portal.is_empty() {
            self.portals.portals.remove("");
        } else if self.portals.portals.contains_key(&bind.portal) {
            return Err(Problem::bare("Duplicated portal name"));
        }
        let planned = self.portals.statement(&bind.statement)?.clone();
        let types = planned.as_ref().map_or(&[][..], |plan| &plan.params);
        if bind.values.len() < types.len() {
            return Err(Problem::bare(format!(
                "Bind has {} values, the statement has {} parameters",
                bind.values.len(),
                types.len()
            )));
        }
        let value_formats = formats(bind.formats, Some(bind.values.len()))?;
        let timezone = self.connection.timezone();
        let mut values = Vec::with_capacity(types.len());
        // values beyond the statement's parameters are ignored, as RisingWave does
        for (i, (value, data_type)) in bind.values.iter().zip(types).enumerate() {
            let value = decode::param(value.as_deref(), data_type, value_formats.of(i), timezone);
            values.push(value.map_err(Problem::bare)?);
        }
        let columns = planned.as_ref().and_then(|plan| plan.columns.as_ref());
        let formats = formats(bind.result_formats, columns.map(Vec::len))?;
        let portal = Portal {
            planned,
            values,
            formats,
            rest: None,
        };
        self.portals.portals.insert(bind.portal, portal);
        reply::bare(&mut self.socket.output, b'2');
        Ok(())
    }

    fn describe(&mut self, target: &Target) -> Result<(), Problem> {
        let out = &mut self.socket.output;
        let (planned, formats) = match target {
            Target::Statement(name) => {
                let planned = self.portals.statement(name)?;
                let types = planned.as_ref().map_or(&[][..], |plan| &plan.params);
                reply::parameter_description(out, types.iter().map(oid));
                (planned, &Formats::TEXT)
            }
            Target::Portal(name) => {
                let portal = self
                    .portals
                    .portals
                    .get(name)
                    .ok_or_else(|| no_portal(name))?;
                (&portal.planned, &portal.formats)
            }
        };
        match planned.as_ref().and_then(|plan| plan.columns.as_ref()) {
            Some(columns) => reply::row_description(out, columns, formats),
            None => reply::bare(out, b'n'),
        }
        Ok(())
    }

    /// Runs a portal, or goes on with the rows that a limit left. A named portal can run again; an unnamed one ends
    /// when a limit suspends it (RisingWave panics at its next Execute).
    async fn execute(&mut self, name: &str, limit: u32) -> Result<(), Problem> {
        let mut portal = self
            .portals
            .portals
            .remove(name)
            .ok_or_else(|| no_portal(name))?;
        let result = self.execute_portal(&mut portal, limit).await;
        let gone = name.is_empty() && portal.rest.is_some();
        if !gone {
            self.portals.portals.insert(name.to_owned(), portal);
        }
        result
    }

    async fn execute_portal(&mut self, portal: &mut Portal, limit: u32) -> Result<(), Problem> {
        let Some(planned) = &portal.planned else {
            reply::bare(&mut self.socket.output, b'I');
            return Ok(());
        };
        let token = match &portal.rest {
            Some(rest) => rest.token.clone(),
            None => self.shutdown.child_token(),
        };
        let _running = self.canceller.running(&token);
        let answer = match portal.rest.take() {
            Some(rest) => Answer::Rows(rest),
            None => {
                let values = portal.values.clone();
                let execute = self.connection.execute(planned, values, &token);
                let outcome = guarded(Stage::Execute, &token, execute).await?;
                let formats = portal.formats.clone();
                let answer = self.rows_or_tag(outcome, formats, Stage::Execute, token.clone())?;
                if let Answer::Rows(rows) = &answer
                    && rows.is_copy()
                {
                    rows.announce(&mut self.socket.output);
                }
                answer
            }
        };
        let tag = match answer {
            Answer::Tag(tag) => tag,
            Answer::Rows(mut rows) => {
                let limit = if rows.is_copy() { 0 } else { limit };
                match rows.send(&mut self.socket, limit).await? {
                    Progress::Complete(tag) => tag,
                    Progress::Suspended => {
                        portal.rest = Some(rows);
                        self.send_notices();
                        reply::bare(&mut self.socket.output, b's');
                        return Ok(());
                    }
                }
            }
        };
        if !notices_follow(&tag) {
            self.send_notices();
        }
        reply::command_complete(&mut self.socket.output, &tag);
        self.send_notices();
        Ok(())
    }
}
