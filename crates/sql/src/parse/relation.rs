//! CREATE TABLE and CREATE SOURCE.

use super::columns::{ParsedColumns, columns, includes};
use super::cursor::{Cursor, Parsed};
use super::options::{format, required_format, with_options};
use super::query::{QueryEnd, query_text};
use crate::error::{ParseError, ParseErrorKind};
use crate::statement::{CdcTable, CreateSource, CreateTable, Format, Options, Statement};

/// `CREATE SOURCE` behind its verb
pub(super) fn create_source(c: &mut Cursor<'_>) -> Parsed<Statement> {
    let if_not_exists = c.if_not_exists();
    let name = c.object_name()?;
    let parsed = columns(c)?;
    let include = includes(c)?;
    let with = with_options(c)?;
    let format = connector_format(c, &with, true)?;
    all_typed(c, &parsed)?;
    Ok(Statement::CreateSource(CreateSource {
        name,
        if_not_exists,
        columns: parsed.columns,
        include,
        with,
        format,
    }))
}

/// `FORMAT …`, which most connectors need: change data capture, generators and Iceberg bring their own.
fn connector_format(c: &mut Cursor<'_>, with: &Options, is_source: bool) -> Parsed<Option<Format>> {
    let own = ["-cdc", "nexmark", "datagen", "iceberg", "webhook"];
    match with.text("connector") {
        Some("datagen") if !c.is_word("format") => Ok(Some(Format {
            format: "NATIVE".into(),
            encode: "NATIVE".into(),
            options: Options::default(),
            key_encode: None,
        })),
        Some(connector) if own.iter().any(|part| connector.contains(part)) => format(c),
        None if !is_source => format(c),
        _ => required_format(c).map(Some),
    }
}

/// `CREATE TABLE` behind its verb
pub(super) fn create_table(c: &mut Cursor<'_>) -> Parsed<Statement> {
    let if_not_exists = c.if_not_exists();
    let name = c.object_name()?;
    let parsed = columns(c)?;
    let append_only = c.take_words("append");
    if append_only {
        c.expect_words("only")?;
    }
    let on_conflict = on_conflict(c)?;
    let version_columns = if c.take_words("with version column") {
        c.names_in_brackets()?
    } else {
        Vec::new()
    };
    let include = includes(c)?;
    let mut engine = engine(c)?;
    let mut with = with_options(c)?;
    let format = connector_format(c, &with, false)?;
    let query = if c.take_words("as") {
        Some(query_text(c, QueryEnd::Engine)?)
    } else {
        None
    };
    let cdc = cdc(c)?;
    let validate = if c.is_word("validate") {
        Some(validation(c)?)
    } else {
        None
    };
    if engine.is_none() {
        engine = self::engine(c)?;
        if with.0.is_empty() {
            with = with_options(c)?;
        }
    }
    if query.is_none() {
        all_typed(c, &parsed)?;
    }
    Ok(Statement::CreateTable(CreateTable {
        name,
        if_not_exists,
        columns: parsed.columns,
        append_only,
        on_conflict,
        version_columns,
        include,
        with,
        format,
        engine,
        query,
        cdc,
        validate,
    }))
}

fn on_conflict(c: &mut Cursor<'_>) -> Parsed<Option<String>> {
    if !c.take_words("on conflict") {
        return Ok(None);
    }
    for action in [
        "OVERWRITE",
        "IGNORE",
        "DO UPDATE FULL",
        "DO UPDATE IF NOT NULL",
        "DO NOTHING",
    ] {
        if c.take_words(&action.to_ascii_lowercase()) {
            return Ok(Some(action.to_owned()));
        }
    }
    Err(c.expected(
        "OVERWRITE, DO UPDATE FULL, DO UPDATE IF NOT NULL or DO NOTHING after ON CONFLICT",
    ))
}

/// `[ENGINE = iceberg | hummock]`
fn engine(c: &mut Cursor<'_>) -> Parsed<Option<String>> {
    if !c.take_words("engine") {
        return Ok(None);
    }
    c.expect_symbol("=")?;
    let name = c.object_name()?.to_string();
    match name.to_ascii_lowercase().as_str() {
        known @ ("iceberg" | "hummock") => Ok(Some(known.to_owned())),
        _ => Err(c.failure(format!("Unsupported engine: {name}"))),
    }
}

/// `[FROM <source> TABLE 'database.table']`
fn cdc(c: &mut Cursor<'_>) -> Parsed<Option<CdcTable>> {
    if !c.take_words("from") {
        return Ok(None);
    }
    let source = c.object_name()?;
    c.expect_words("table")?;
    Ok(Some(CdcTable {
        source,
        table: c.string()?,
    }))
}

/// `VALIDATE [SECRET <name>] AS <expression>` of a table that receives web hooks
fn validation(c: &mut Cursor<'_>) -> Parsed<String> {
    let from = c.position();
    c.expect_words("validate")?;
    if c.take_words("secret") {
        c.object_name()?;
    }
    c.expect_words("as")?;
    c.expression(|c| c.is_word("engine") && c.nth_is_symbol(1, "="))?;
    Ok(c.text_since(from).to_owned())
}

/// A column without a type is fine only where a query gives it one.
fn all_typed(c: &Cursor<'_>, parsed: &ParsedColumns) -> Parsed<()> {
    let Some(span) = parsed.untyped else {
        return Ok(());
    };
    let message = format!(
        "expected a data type name after column {}",
        span.of(c.source)
    );
    Err(ParseError::new(
        ParseErrorKind::Syntax,
        message,
        c.source,
        span,
    ))
}
