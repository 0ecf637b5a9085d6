//! CREATE of everything but tables and sources.

use super::cursor::{Cursor, Parsed};
use super::options::{format, options_in_brackets, required_options, with_options};
use super::query::{QueryEnd, query_text};
use super::relation::{create_source, create_table};
use super::statement::other;
use crate::lexer::TokenKind;
use crate::statement::{
    CreateConnection, CreateIndex, CreateMaterializedView, CreateSchema, CreateSecret, CreateSink,
    CreateSubscription, CreateView, SinkFrom, Statement,
};

/// `CREATE …`
pub(super) fn create(c: &mut Cursor<'_>) -> Parsed<Statement> {
    if c.nth_is_word(1, "function") || c.nth_is_word(1, "aggregate") || c.nth_is_word(1, "database")
    {
        return other(c, 2);
    }
    if c.nth_is_word(1, "user") {
        return create_user(c);
    }
    c.advance();
    let or_replace = c.take_words("or replace");
    let temporary = c.take_words("temporary") || c.take_words("temp");
    let materialized = c.take_words("materialized");
    let unique = !materialized && c.is_words("unique index") && c.take_words("unique");
    let Some(object) = c.peek() else {
        return Err(c.expected("an object type after CREATE"));
    };
    let word = c.text(object).to_ascii_lowercase();
    let known = [
        "connection",
        "index",
        "schema",
        "secret",
        "sink",
        "source",
        "subscription",
        "table",
        "view",
    ];
    if object.kind != TokenKind::Word
        || !known.contains(&word.as_str())
        || (materialized && word != "view")
    {
        let what = if materialized {
            "VIEW"
        } else {
            "an object type after CREATE"
        };
        return Err(c.expected(what));
    }
    c.advance();
    if or_replace {
        c.not_implemented(format!("CREATE OR REPLACE {}", word.to_ascii_uppercase()));
    } else if temporary {
        c.not_implemented(format!("CREATE TEMPORARY {}", word.to_ascii_uppercase()));
    } else if unique {
        c.not_implemented("create unique index".to_owned());
    }
    match word.as_str() {
        "table" => create_table(c),
        "source" => create_source(c),
        "view" if materialized => create_materialized_view(c),
        "view" => create_view(c),
        "sink" => create_sink(c),
        "connection" => create_connection(c),
        "secret" => create_secret(c),
        "index" => create_index(c),
        "schema" => create_schema(c),
        _ => create_subscription(c),
    }
}

fn create_view(c: &mut Cursor<'_>) -> Parsed<Statement> {
    let if_not_exists = c.if_not_exists();
    let name = c.object_name()?;
    let columns = if c.is_symbol("(") {
        c.names_in_brackets()?
    } else {
        Vec::new()
    };
    c.expect_words("as")?;
    let query = query_text(c, QueryEnd::Statement)?;
    Ok(Statement::CreateView(CreateView {
        name,
        if_not_exists,
        columns,
        query,
    }))
}

fn create_materialized_view(c: &mut Cursor<'_>) -> Parsed<Statement> {
    let if_not_exists = c.if_not_exists();
    let name = c.object_name()?;
    let columns = if c.is_symbol("(") {
        c.names_in_brackets()?
    } else {
        Vec::new()
    };
    let with = with_options(c)?;
    let before = emit(c)?;
    c.expect_words("as")?;
    let query = query_text(c, QueryEnd::Emit)?;
    let emit_on_window_close = emit(c)? || before;
    Ok(Statement::CreateMaterializedView(CreateMaterializedView {
        name,
        if_not_exists,
        columns,
        with,
        query,
        emit_on_window_close,
    }))
}

/// `[EMIT ON WINDOW CLOSE | ON UPDATE | IMMEDIATELY]`
fn emit(c: &mut Cursor<'_>) -> Parsed<bool> {
    if !c.take_words("emit") {
        return Ok(false);
    }
    if c.take_words("immediately") || c.take_words("on update") {
        return Ok(false);
    }
    c.expect_words("on window close")?;
    Ok(true)
}

fn create_sink(c: &mut Cursor<'_>) -> Parsed<Statement> {
    let if_not_exists = c.if_not_exists();
    let name = c.object_name()?;
    let mut into = None;
    if c.take_words("into") {
        let table = c.object_name()?;
        let columns = if c.is_symbol("(") {
            c.names_in_brackets()?
        } else {
            Vec::new()
        };
        into = Some((table, columns));
    }
    let from = if c.take_words("from") {
        SinkFrom::Relation(c.object_name()?)
    } else if c.take_words("as") {
        SinkFrom::Query(query_text(c, QueryEnd::Options)?)
    } else {
        return Err(c.expected("FROM or AS after CREATE SINK sink_name"));
    };
    let emit_on_window_close = emit(c)?;
    let with = if into.is_none() {
        required_options(c)?
    } else {
        with_options(c)?
    };
    if into.is_none() && with.0.is_empty() {
        return Err(c.failure("sink properties not provided".to_owned()));
    }
    let format = format(c)?;
    Ok(Statement::CreateSink(CreateSink {
        name,
        if_not_exists,
        into,
        from,
        emit_on_window_close,
        with,
        format,
    }))
}

fn create_connection(c: &mut Cursor<'_>) -> Parsed<Statement> {
    let if_not_exists = c.if_not_exists();
    let name = c.object_name()?;
    let with = required_options(c)?;
    Ok(Statement::CreateConnection(CreateConnection {
        name,
        if_not_exists,
        with,
    }))
}

fn create_secret(c: &mut Cursor<'_>) -> Parsed<Statement> {
    let if_not_exists = c.if_not_exists();
    let name = c.object_name()?;
    let with = with_options(c)?;
    c.expect_words("as")?;
    let value = c.string()?;
    Ok(Statement::CreateSecret(CreateSecret {
        name,
        if_not_exists,
        with,
        value,
    }))
}

fn create_index(c: &mut Cursor<'_>) -> Parsed<Statement> {
    let if_not_exists = c.if_not_exists();
    let name = c.object_name()?;
    c.expect_words("on")?;
    let table = c.object_name()?;
    if c.take_words("using") {
        c.ident()?;
    }
    let columns = expressions_in_brackets(c)?;
    let include = if c.take_words("include") {
        c.names_in_brackets()?
    } else {
        Vec::new()
    };
    let distributed_by = if c.take_words("distributed by") {
        expressions_in_brackets(c)?
    } else {
        Vec::new()
    };
    if c.take_words("with") {
        options_in_brackets(c)?;
    }
    Ok(Statement::CreateIndex(CreateIndex {
        name,
        if_not_exists,
        table,
        columns,
        include,
        distributed_by,
    }))
}

fn expressions_in_brackets(c: &mut Cursor<'_>) -> Parsed<Vec<String>> {
    c.expect_symbol("(")?;
    let mut expressions = vec![c.expression(|_| false)?];
    while c.take_symbol(",") {
        expressions.push(c.expression(|_| false)?);
    }
    c.expect_symbol(")")?;
    Ok(expressions)
}

fn create_schema(c: &mut Cursor<'_>) -> Parsed<Statement> {
    let if_not_exists = c.if_not_exists();
    let name = c.object_name()?;
    let owner = if c.take_words("authorization") {
        Some(c.ident()?)
    } else {
        None
    };
    Ok(Statement::CreateSchema(CreateSchema {
        name,
        if_not_exists,
        owner,
    }))
}

fn create_subscription(c: &mut Cursor<'_>) -> Parsed<Statement> {
    let if_not_exists = c.if_not_exists();
    let name = c.object_name()?;
    if !c.take_words("from") {
        return Err(c.expected("FROM after CREATE SUBSCRIPTION subscription_name"));
    }
    let from = c.object_name()?;
    let with = required_options(c)?;
    Ok(Statement::CreateSubscription(CreateSubscription {
        name,
        if_not_exists,
        from,
        with,
    }))
}

/// `CREATE USER <name> [WITH] [option …]`: text, but RisingWave has no IF NOT EXISTS here.
fn create_user(c: &mut Cursor<'_>) -> Parsed<Statement> {
    const OPTIONS: [&str; 14] = [
        "with",
        "superuser",
        "nosuperuser",
        "createdb",
        "nocreatedb",
        "createuser",
        "nocreateuser",
        "login",
        "nologin",
        "admin",
        "noadmin",
        "encrypted",
        "password",
        "oauth",
    ];
    let next = c.peek_nth(3);
    let is_option =
        |token: crate::lexer::Token| OPTIONS.iter().any(|word| token.is_word(c.source, word));
    if next.is_some_and(|token| !is_option(token) && !token.is_symbol(c.source, ";")) {
        c.advance();
        c.advance();
        c.ident()?;
        return Err(c.expected("end of statement"));
    }
    other(c, 2)
}
