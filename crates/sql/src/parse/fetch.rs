//! Cursors: DECLARE, FETCH and CLOSE.

use super::cursor::{Cursor, Parsed};
use super::options::with_options;
use super::query::query_statement;
use crate::lexer::TokenKind;
use crate::statement::{CursorOver, Since, Statement};

/// `DECLARE <name> CURSOR FOR <query>`, `DECLARE <name> SUBSCRIPTION CURSOR FOR <subscription> [FULL | SINCE …]`
pub(super) fn declare(c: &mut Cursor<'_>) -> Parsed<Statement> {
    c.advance();
    let name = c.ident()?;
    let over = if c.take_words("subscription") {
        c.expect_words("cursor for")?;
        CursorOver::Subscription {
            name: c.object_name()?,
            since: since(c)?,
        }
    } else {
        c.expect_words("cursor for")?;
        match query_statement(c)? {
            Statement::Query(text) => CursorOver::Query(text),
            _ => return Err(c.expected("a query")),
        }
    };
    Ok(Statement::DeclareCursor { name, over })
}

fn since(c: &mut Cursor<'_>) -> Parsed<Since> {
    if c.take_words("full") {
        return Ok(Since::Full);
    }
    if !c.take_words("since") {
        return Ok(Since::Now);
    }
    if let Some(millis) = number(c) {
        return Ok(Since::Millis(millis));
    }
    let since = if c.take_words("begin") {
        Since::Begin
    } else if c.take_words("now") || c.take_words("proctime") {
        Since::Now
    } else {
        return Err(c.expected("proctime(), begin() , now(), Number"));
    };
    c.expect_symbol("(")?;
    c.expect_symbol(")")?;
    Ok(since)
}

/// `FETCH NEXT | <count> FROM <cursor> [WITH (…)]`
pub(super) fn fetch(c: &mut Cursor<'_>) -> Parsed<Statement> {
    c.advance();
    let count = if c.take_words("next") {
        1
    } else {
        number(c).ok_or_else(|| c.expected("literal int"))?
    };
    c.expect_words("from")?;
    Ok(Statement::FetchCursor {
        name: c.ident()?,
        count,
        with: with_options(c)?,
    })
}

/// `CLOSE <cursor> | ALL`
pub(super) fn close(c: &mut Cursor<'_>) -> Parsed<Statement> {
    c.advance();
    if c.take_words("all") {
        return Ok(Statement::CloseCursor(None));
    }
    c.ident().map(|name| Statement::CloseCursor(Some(name)))
}

/// Steps over a whole number if it comes next.
fn number<T: std::str::FromStr>(c: &mut Cursor<'_>) -> Option<T> {
    let token = c.peek().filter(|token| token.kind == TokenKind::Number)?;
    let number = c.text(token).parse().ok()?;
    c.advance();
    Some(number)
}
