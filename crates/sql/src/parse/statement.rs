//! Which statement it is: the first words decide who parses the rest.

use super::cursor::{Cursor, Parsed};
use super::{alter, create, fetch, query, session};
use crate::lexer::TokenKind;
use crate::statement::Statement;

/// The one statement of a cursor, to its end.
pub(super) fn statement(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    let parsed = any_statement(cursor)?;
    cursor.end()?;
    cursor.unimplemented.take().map_or(Ok(parsed), Err)
}

fn any_statement(c: &mut Cursor<'_>) -> Parsed<Statement> {
    let Some(first) = c.peek() else {
        return Err(c.expected("statement"));
    };
    if first.is_symbol(c.source, "(") {
        return query::query_statement(c);
    }
    if first.kind != TokenKind::Word {
        return Err(c.expected("statement"));
    }
    match c.text(first).to_ascii_lowercase().as_str() {
        "select" | "with" | "values" => query::query_statement(c),
        "insert" => query::insert(c),
        "update" => query::update(c),
        "delete" => query::delete(c),
        "create" => create::create(c),
        "drop" => alter::drop(c),
        "alter" => alter::alter(c),
        "comment" => alter::comment(c),
        "show" => session::show(c),
        "describe" | "desc" => session::describe(c),
        "explain" => explain(c),
        "set" => session::set(c),
        "begin" | "start" => session::begin(c),
        "commit" => session::end_of_transaction(c, Statement::Commit),
        "rollback" | "abort" => session::end_of_transaction(c, Statement::Rollback),
        "flush" => bare(c, Statement::Flush),
        "wait" => wait(c),
        "replace" if c.nth_is_word(1, "sink") => other(c, 2),
        "cancel" => session::cancel_jobs(c),
        "kill" => session::kill(c),
        "grant" | "revoke" => session::grant(c),
        "declare" => fetch::declare(c),
        "fetch" => fetch::fetch(c),
        "close" => fetch::close(c),
        "analyze" | "copy" | "deallocate" | "discard" | "execute" | "prepare" | "recover"
        | "truncate" | "use" | "vacuum" => other(c, 1),
        _ => Err(c.expected("statement")),
    }
}

fn bare(c: &mut Cursor<'_>, statement: Statement) -> Parsed<Statement> {
    c.advance();
    Ok(statement)
}

/// `WAIT [TABLE | MATERIALIZED VIEW | SINK | INDEX <name>]`
fn wait(c: &mut Cursor<'_>) -> Parsed<Statement> {
    let names_object = ["table", "materialized", "sink", "index"]
        .iter()
        .any(|word| c.nth_is_word(1, word));
    if names_object {
        let words = 2 + usize::from(c.nth_is_word(1, "materialized"));
        return other(c, words);
    }
    bare(c, Statement::Wait)
}

/// A statement that stays text from its start on; its first `words` words name it.
pub(super) fn other(c: &mut Cursor<'_>, words: usize) -> Parsed<Statement> {
    let verb: Vec<String> = (0..words)
        .filter_map(|n| c.peek_nth(n))
        .map(|token| c.text(token).to_ascii_uppercase())
        .collect();
    let text = c.rest_since(c.position())?;
    Ok(Statement::Other {
        verb: verb.join(" "),
        text,
    })
}

/// `EXPLAIN [ANALYZE] [(option, …)] <statement>`
fn explain(c: &mut Cursor<'_>) -> Parsed<Statement> {
    c.advance();
    let analyze = c.take_words("analyze");
    if analyze && c.is_any_word(&["materialized", "table", "sink", "index", "source", "id"]) {
        return running_job(c);
    }
    let mut options = Vec::new();
    if c.is_symbol("(") && !is_query_in_brackets(c) {
        options = explain_options(c)?;
    }
    if c.is_word("explain") {
        return Err(c.failure("Explain must be root of the plan".to_owned()));
    }
    let from = c.position();
    any_statement(c)?;
    Ok(Statement::Explain {
        analyze,
        options,
        text: c.text_since(from).to_owned(),
    })
}

/// `EXPLAIN ANALYZE MATERIALIZED VIEW <name>` and the like: statistics of a job that runs.
fn running_job(c: &mut Cursor<'_>) -> Parsed<Statement> {
    let from = c.position() - 2;
    Ok(Statement::Other {
        verb: "EXPLAIN ANALYZE".to_owned(),
        text: c.rest_since(from)?,
    })
}

fn is_query_in_brackets(c: &Cursor<'_>) -> bool {
    c.nth_is_symbol(1, "(")
        || ["select", "with", "values"]
            .iter()
            .any(|word| c.nth_is_word(1, word))
}

fn explain_options(c: &mut Cursor<'_>) -> Parsed<Vec<String>> {
    const OPTIONS: [&str; 9] = [
        "verbose",
        "trace",
        "type",
        "logical",
        "physical",
        "distsql",
        "format",
        "duration_secs",
        "backfill",
    ];
    let mut options = Vec::new();
    c.expect_symbol("(")?;
    loop {
        let from = c.position();
        if !c.is_any_word(&OPTIONS) {
            return Err(c.expected("SELECT, VALUES, or a subquery in the query body"));
        }
        c.expression(|_| false)?;
        options.push(c.text_since(from).to_ascii_lowercase());
        if !c.take_symbol(",") {
            break;
        }
    }
    c.expect_symbol(")")?;
    Ok(options)
}
