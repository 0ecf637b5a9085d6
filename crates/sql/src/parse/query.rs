//! Queries and data changes: where they end, which table they change, and what RisingWave's grammar leaves out of
//! PostgreSQL's. Their inside is for a query parser.

use super::cursor::{Cursor, Parsed};
use crate::lexer::TokenKind;
use crate::statement::{DmlVerb, Statement};

/// Where a query inside of another statement stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QueryEnd {
    /// At the statement's end.
    Statement,
    /// Before `EMIT ON WINDOW CLOSE`.
    Emit,
    /// Before `EMIT …` or the `WITH (` of options, as in a sink.
    Options,
    /// Before a closing `ENGINE = <name>`, as in a table.
    Engine,
}

/// The text of a query up to `end`.
pub(super) fn query_text(c: &mut Cursor<'_>, end: QueryEnd) -> Parsed<String> {
    let from = c.position();
    if !(c.is_symbol("(") || c.is_any_word(&["select", "with", "values"])) {
        return Err(c.expected("SELECT, VALUES, or a subquery in the query body"));
    }
    c.skip_until(|c| match end {
        QueryEnd::Statement => c.is_words("emit on"),
        QueryEnd::Emit => c.is_words("emit on"),
        QueryEnd::Options => {
            c.is_words("emit on")
                || (c.position() > from && c.is_word("with") && c.nth_is_symbol(1, "("))
        }
        QueryEnd::Engine => c.is_words("emit on") || is_closing_engine(c),
    })?;
    let ends_in = |words: &[&str]| {
        let last = c.previous();
        last.is_some_and(|token| words.iter().any(|word| token.is_word(c.source, word)))
    };
    if ends_in(&["values"]) {
        return Err(c.expected("("));
    }
    if ends_in(&["from", "join"]) {
        return Err(c.expected("identifier"));
    }
    if ends_in(&["select", "where", "on", "by", "and", "or", "not"])
        || c.previous()
            .is_some_and(|token| token.is_symbol(c.source, ","))
    {
        return Err(c.expected("an expression"));
    }
    Ok(c.text_since(from).to_owned())
}

/// `ENGINE = iceberg` as a table's clause and not as the end of a condition.
fn is_closing_engine(c: &Cursor<'_>) -> bool {
    let is_engine = c.is_word("engine")
        && c.nth_is_symbol(1, "=")
        && (c.nth_is_word(2, "iceberg") || c.nth_is_word(2, "hummock"))
        && c.peek_nth(3).is_none_or(|t| t.is_symbol(c.source, ";"));
    let in_condition = |token: crate::lexer::Token| {
        token.kind == TokenKind::Operator
            || token.is_symbol(c.source, ".")
            || token.is_symbol(c.source, ",")
            || [
                "where", "and", "or", "on", "not", "having", "select", "when", "then", "else", "by",
            ]
            .iter()
            .any(|word| token.is_word(c.source, word))
    };
    is_engine && !c.previous().is_some_and(in_condition)
}

/// `SELECT`, `WITH`, `VALUES`, `(`
pub(super) fn query_statement(c: &mut Cursor<'_>) -> Parsed<Statement> {
    query_text(c, QueryEnd::Statement).map(Statement::Query)
}

/// `INSERT INTO <table> [(columns)] <query> [RETURNING …]`
pub(super) fn insert(c: &mut Cursor<'_>) -> Parsed<Statement> {
    let from = c.position();
    c.expect_words("insert into")?;
    let table = c.object_name()?;
    if c.is_symbol("(")
        && !["select", "with", "values"]
            .iter()
            .any(|word| c.nth_is_word(1, word))
        && !c.nth_is_symbol(1, "(")
    {
        c.names_in_brackets()?;
    }
    if c.take_words("values") {
        values(c)?;
    } else {
        query_text(c, QueryEnd::Statement)?;
    }
    // A query takes RETURNING for an alias or a word of its own, so that only an ON CONFLICT can be told from it.
    Ok(Statement::Dml {
        verb: DmlVerb::Insert,
        table,
        text: c.text_since(from).to_owned(),
    })
}

/// The rows behind VALUES, with what may follow them.
fn values(c: &mut Cursor<'_>) -> Parsed<()> {
    loop {
        row(c)?;
        if !c.take_symbol(",") {
            break;
        }
    }
    if c.is_any_word(&[
        "returning",
        "order",
        "limit",
        "offset",
        "union",
        "except",
        "intersect",
    ]) {
        c.skip_until(|_| false)?;
    }
    Ok(())
}

/// `(value, …)`
fn row(c: &mut Cursor<'_>) -> Parsed<()> {
    c.expect_symbol("(")?;
    loop {
        if let Some(token) = c.peek().filter(|token| token.is_word(c.source, "default")) {
            let error = c.near(token);
            c.advance();
            return Err(c.failure(error));
        }
        c.skip_expression(|_| false)?;
        if !c.take_symbol(",") {
            return c.expect_symbol(")");
        }
    }
}

/// `UPDATE <table> SET … [WHERE …] [RETURNING …]`; RisingWave has neither an alias nor FROM.
pub(super) fn update(c: &mut Cursor<'_>) -> Parsed<Statement> {
    let from = c.position();
    c.expect_words("update")?;
    let table = c.object_name()?;
    c.expect_words("set")?;
    if c.at_end() {
        return Err(c.expected("identifier"));
    }
    // IS DISTINCT FROM is no clause.
    let is_from = |c: &Cursor<'_>| {
        c.is_word("from")
            && !c
                .previous()
                .is_some_and(|token| token.is_word(c.source, "distinct"))
    };
    c.skip_until(is_from)?;
    Ok(Statement::Dml {
        verb: DmlVerb::Update,
        table,
        text: c.text_since(from).to_owned(),
    })
}

/// `DELETE FROM <table> [WHERE …] [RETURNING …]`; RisingWave has neither an alias nor USING.
pub(super) fn delete(c: &mut Cursor<'_>) -> Parsed<Statement> {
    let from = c.position();
    c.expect_words("delete from")?;
    let table = c.object_name()?;
    if c.is_any_word(&["where", "returning"]) {
        c.advance();
        c.expression(|_| false)?;
        if c.is_symbol(",") {
            c.skip_until(|_| false)?;
        }
    }
    Ok(Statement::Dml {
        verb: DmlVerb::Delete,
        table,
        text: c.text_since(from).to_owned(),
    })
}
