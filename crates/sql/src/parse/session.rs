//! What a session asks and sets: SET, SHOW, DESCRIBE, transactions, jobs, rights.

use super::alter::object_kind;
use super::cursor::{Cursor, Parsed};
use super::statement::other;
use crate::lexer::TokenKind;
use crate::statement::{ObjectKind, Show, Statement};

/// `SET [SESSION | LOCAL] <name> TO|= <value>, …`, `SET TIME ZONE <value>`, `SET TRANSACTION …`
pub(super) fn set(c: &mut Cursor<'_>) -> Parsed<Statement> {
    if c.nth_is_word(1, "transaction") {
        return other(c, 2);
    }
    if c.nth_is_word(1, "session") && c.nth_is_word(2, "characteristics") {
        return other(c, 3);
    }
    c.advance();
    let has_scope =
        c.is_any_word(&["session", "local"]) && !c.nth_is_symbol(1, "=") && !c.nth_is_word(1, "to");
    if has_scope {
        c.advance();
    }
    if c.take_words("time zone") {
        let values = if c.is_any_word(&["local", "default"]) {
            c.advance();
            Vec::new()
        } else {
            vec![setting_value(c)?]
        };
        return Ok(Statement::Set {
            name: "timezone".to_owned(),
            values,
        });
    }
    let name = c.ident()?.value().to_lowercase();
    if !c.take_assignment() {
        return Err(c.expected("'=' or 'TO' after config parameter"));
    }
    if c.take_words("default") {
        return Ok(Statement::Set {
            name,
            values: Vec::new(),
        });
    }
    let mut values = vec![setting_value(c)?];
    while c.take_symbol(",") {
        values.push(setting_value(c)?);
    }
    Ok(Statement::Set { name, values })
}

/// A string, number or word, as text without quotes
pub(super) fn setting_value(c: &mut Cursor<'_>) -> Parsed<String> {
    let from = c.position();
    let Some(token) = c.peek() else {
        return Err(c.expected("variable value"));
    };
    match token.kind {
        kind if kind.is_string() || kind == TokenKind::Variable => c.string(),
        TokenKind::QuotedIdent => c.ident().map(|name| name.value().to_owned()),
        TokenKind::Word | TokenKind::Number => {
            c.advance();
            // `bounded(2)`
            if c.is_symbol("(") {
                c.advance();
                c.skip_until(|_| false)?;
                c.expect_symbol(")")?;
            }
            Ok(c.text_since(from).to_owned())
        }
        TokenKind::Operator if matches!(c.text(token), "-" | "+") => {
            c.advance();
            match c.advance() {
                Some(number) if number.kind == TokenKind::Number => {
                    Ok(c.text_since(from).to_owned())
                }
                _ => Err(c.expected("variable value")),
            }
        }
        _ => Err(c.expected("variable value")),
    }
}

/// `SHOW …`
pub(super) fn show(c: &mut Cursor<'_>) -> Parsed<Statement> {
    const LISTS: [&str; 12] = [
        "tables",
        "internal tables",
        "sources",
        "sinks",
        "views",
        "materialized views",
        "connections",
        "secrets",
        "functions",
        "subscriptions",
        "schemas",
        "databases",
    ];
    const INTERNAL: [&str; 6] = [
        "jobs",
        "processlist",
        "cluster",
        "parameters",
        "cursors",
        "subscription cursors",
    ];
    c.advance();
    if c.take_words("create") {
        return show_create(c);
    }
    if c.is_any_word(&["columns", "indexes"]) {
        let columns = c.is_word("columns");
        c.advance();
        if !c.take_words("from") && !c.take_words("in") {
            let what = if columns {
                "from after columns"
            } else {
                "from after indexes"
            };
            return Err(c.expected(what));
        }
        let name = c.object_name()?;
        let show = if columns {
            Show::Columns(name)
        } else {
            Show::Indexes(name)
        };
        return Ok(Statement::Show(show));
    }
    if c.take_words("transaction isolation level") {
        return Ok(Statement::Show(Show::Setting(
            "transaction_isolation".to_owned(),
        )));
    }
    if let Some(what) = LISTS.iter().find(|words| c.take_words(words)) {
        let schema = if c.take_words("from") || c.take_words("in") {
            Some(c.ident()?)
        } else {
            None
        };
        let like = if c.take_words("like") {
            Some(c.string()?)
        } else {
            None
        };
        return Ok(Statement::Show(Show::Objects {
            what: (*what).to_owned(),
            schema,
            like,
        }));
    }
    if let Some(what) = INTERNAL.iter().find(|word| c.take_words(word)) {
        return Ok(Statement::Show(Show::Internal((*what).to_owned())));
    }
    let mut words = vec![c.ident()?.value().to_lowercase()];
    while !c.at_end() {
        words.push(c.ident()?.value().to_lowercase());
    }
    Ok(Statement::Show(Show::Setting(words.join(" "))))
}

fn show_create(c: &mut Cursor<'_>) -> Parsed<Statement> {
    let before = c.position();
    match object_kind(c) {
        Some(
            kind @ (ObjectKind::Table
            | ObjectKind::MaterializedView
            | ObjectKind::View
            | ObjectKind::Index
            | ObjectKind::Source
            | ObjectKind::Sink
            | ObjectKind::Subscription
            | ObjectKind::Function),
        ) => Ok(Statement::Show(Show::Create(kind, c.object_name()?))),
        _ => {
            c.go_back_to(before);
            Err(c.expected(
                "show create materialized view/source/sink/index/table/view/subscription/function",
            ))
        }
    }
}

/// `DESCRIBE <name>`, `DESC <name>`
pub(super) fn describe(c: &mut Cursor<'_>) -> Parsed<Statement> {
    if c.nth_is_word(1, "fragments") || c.nth_is_word(1, "fragment") {
        return other(c, 2);
    }
    c.advance();
    Ok(Statement::Describe(c.object_name()?))
}

/// `BEGIN [WORK | TRANSACTION] [mode, …]`, `START TRANSACTION [mode, …]`
pub(super) fn begin(c: &mut Cursor<'_>) -> Parsed<Statement> {
    let start = c.is_word("start");
    c.advance();
    if start {
        c.expect_words("transaction")?;
    } else if !c.take_words("transaction") {
        c.take_words("work");
    }
    let mut read_only = false;
    while !c.at_end() {
        if c.take_words("read only") {
            read_only = true;
        } else if c.take_words("read write") {
            read_only = false;
        } else if c.take_words("isolation level") {
            let levels = [
                "read committed",
                "read uncommitted",
                "repeatable read",
                "serializable",
                "snapshot",
            ];
            if !levels.iter().any(|level| c.take_words(level)) {
                return Err(c.expected("isolation level"));
            }
        } else {
            return Err(c.expected("end of statement"));
        }
        c.take_symbol(",");
    }
    Ok(Statement::Begin { read_only, start })
}

/// `COMMIT | ROLLBACK [WORK | TRANSACTION] [AND [NO] CHAIN]`
pub(super) fn end_of_transaction(c: &mut Cursor<'_>, statement: Statement) -> Parsed<Statement> {
    c.advance();
    if !c.take_words("transaction") {
        c.take_words("work");
    }
    if c.take_words("and") {
        c.take_words("no");
        c.expect_words("chain")?;
    }
    Ok(statement)
}

/// `CANCEL JOB | JOBS <id>, …`
pub(super) fn cancel_jobs(c: &mut Cursor<'_>) -> Parsed<Statement> {
    c.advance();
    if !c.take_words("jobs") && !c.take_words("job") {
        return Err(c.expected("JOBS or JOB after CANCEL"));
    }
    let mut ids = Vec::new();
    loop {
        let id = c
            .peek()
            .filter(|token| token.kind == TokenKind::Number)
            .map(|token| c.text(token).parse());
        let Some(Ok(id)) = id else {
            return Err(c.expected("literal int"));
        };
        c.advance();
        ids.push(id);
        if !c.take_symbol(",") {
            return Ok(Statement::CancelJobs(ids));
        }
    }
}

/// `KILL '<worker>:<process>'`
pub(super) fn kill(c: &mut Cursor<'_>) -> Parsed<Statement> {
    let from = c.position();
    c.advance();
    c.string()?;
    Ok(Statement::Other {
        verb: "KILL".to_owned(),
        text: c.text_since(from).to_owned(),
    })
}

/// `GRANT | REVOKE <privileges> ON …`: text, but the privileges must be such.
pub(super) fn grant(c: &mut Cursor<'_>) -> Parsed<Statement> {
    const PRIVILEGES: [&str; 13] = [
        "all",
        "connect",
        "create",
        "delete",
        "execute",
        "insert",
        "references",
        "select",
        "temporary",
        "trigger",
        "truncate",
        "update",
        "usage",
    ];
    let from = c.position();
    let verb = if c.is_word("grant") {
        "GRANT"
    } else {
        "REVOKE"
    };
    c.advance();
    if verb == "REVOKE" {
        c.take_words("grant option for");
    }
    loop {
        if !c.is_any_word(&PRIVILEGES) {
            return Err(c.expected("a privilege keyword"));
        }
        c.advance();
        c.take_words("privileges");
        if c.is_symbol("(") {
            c.names_in_brackets()?;
        }
        if !c.take_symbol(",") {
            break;
        }
    }
    Ok(Statement::Other {
        verb: verb.to_owned(),
        text: c.rest_since(from)?,
    })
}
