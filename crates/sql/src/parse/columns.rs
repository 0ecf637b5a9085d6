//! The brackets behind a table's or a source's name, and INCLUDE.

use super::cursor::{Cursor, Parsed};
use super::data_type::data_type;
use crate::Ident;
use crate::lexer::{Span, TokenKind};
use crate::statement::{ColumnDef, Columns, Include, Watermark};

/// The columns of a statement, and the first one that has neither type nor expression: only a query can give it one.
#[derive(Default)]
pub(super) struct ParsedColumns {
    pub(super) columns: Columns,
    pub(super) untyped: Option<Span>,
}

/// `[(column | * | PRIMARY KEY (…) | WATERMARK FOR …, …)]`
pub(super) fn columns(c: &mut Cursor<'_>) -> Parsed<ParsedColumns> {
    let mut parsed = ParsedColumns::default();
    if !c.take_symbol("(") || c.take_symbol(")") {
        return Ok(parsed);
    }
    loop {
        item(c, &mut parsed)?;
        if c.take_symbol(")") {
            return Ok(parsed);
        }
        if !c.take_symbol(",") {
            return Err(c.expected("',' or ')' after column definition"));
        }
        // A closing bracket may follow a comma in RisingWave.
        if c.take_symbol(")") {
            return Ok(parsed);
        }
    }
}

fn item(c: &mut Cursor<'_>, parsed: &mut ParsedColumns) -> Parsed<()> {
    let columns = &mut parsed.columns;
    if c.take_symbol("*") {
        columns.wildcard = true;
    } else if c.is_words("primary key") && c.nth_is_symbol(2, "(") {
        c.take_words("primary key");
        columns.primary_key.extend(c.names_in_brackets()?);
    } else if c.is_word("constraint")
        || (c.is_any_word(&["unique", "check"]) && c.nth_is_symbol(1, "("))
        || c.is_words("foreign key")
    {
        table_constraint(c, &mut columns.primary_key)?;
    } else if c.take_words("watermark for") {
        let column = c.column_name()?;
        c.expect_words("as")?;
        columns.watermarks.push(Watermark {
            column,
            expr: c.expression(|_| false)?,
        });
    } else {
        let start = c.peek();
        let column = column(c)?;
        if column.data_type.is_none() && column.generated.is_none() {
            parsed.untyped = parsed.untyped.or(start.map(|token| token.span));
        }
        if column.primary_key {
            columns.primary_key.push(column.name.clone());
        }
        columns.columns.push(column);
    }
    Ok(())
}

/// `[CONSTRAINT name] PRIMARY KEY (…)`; RisingWave parses other constraints and refuses them.
fn table_constraint(c: &mut Cursor<'_>, primary_key: &mut Vec<Ident>) -> Parsed<()> {
    let from = c.position();
    if c.take_words("constraint") {
        c.ident()?;
        if c.take_words("primary key") {
            primary_key.extend(c.names_in_brackets()?);
            return Ok(());
        }
    }
    c.expression(|_| false)?;
    let text = c.text_since(from).to_owned();
    c.not_implemented(format!("table constraints \"{text}\""));
    Ok(())
}

/// A column with its constraints, as in CREATE TABLE and ADD COLUMN.
pub(super) fn column(c: &mut Cursor<'_>) -> Parsed<ColumnDef> {
    let name = c.column_name()?;
    let mut column = ColumnDef {
        name,
        data_type: None,
        not_null: false,
        primary_key: false,
        default: None,
        generated: None,
    };
    if !(c.at_end()
        || c.is_symbol(",")
        || c.is_symbol(")")
        || starts_constraint(c)
        || c.is_word("as"))
    {
        column.data_type = Some(data_type(c)?);
    }
    loop {
        if c.take_words("not null") {
            column.not_null = true;
        } else if c.take_words("null") {
        } else if c.take_words("primary key") {
            column.primary_key = true;
        } else if c.take_words("default") {
            column.default = Some(c.expression(starts_constraint)?);
        } else if c.take_words("generated always as") || c.take_words("as") {
            column.generated = Some(c.expression(starts_constraint)?);
            c.take_words("stored");
        } else if c.is_any_word(&["unique", "check", "references", "collate"]) {
            let from = c.position();
            c.advance();
            c.skip_until(|c| c.is_symbol(",") || starts_constraint(c))?;
            let text = c.text_since(from).to_owned();
            c.not_implemented(format!("column constraints \"{text}\""));
        } else {
            return Ok(column);
        }
    }
}

/// Whether a column's constraint begins here and not a part of its expression.
fn starts_constraint(c: &Cursor<'_>) -> bool {
    let after_is = c
        .previous()
        .is_some_and(|token| token.is_word(c.source, "is"));
    !after_is && (c.is_words("not null") || c.is_words("primary key"))
        || c.is_words("generated always")
        || c.is_any_word(&["default", "unique", "check", "references", "collate"])
}

/// `[INCLUDE <what> ['field' [type]] [AS name]] …`
pub(super) fn includes(c: &mut Cursor<'_>) -> Parsed<Vec<Include>> {
    let mut includes = Vec::new();
    while c.take_words("include") {
        let what = c.ident()?.value().to_owned();
        let mut include = Include {
            what,
            field: None,
            data_type: None,
            alias: None,
        };
        if c.peek()
            .is_some_and(|token| token.kind == TokenKind::String)
        {
            include.field = Some(c.string()?);
            let follows = ["as", "include", "with", "format", "engine"];
            if c.peek().is_some_and(|token| token.kind == TokenKind::Word)
                && !c.is_any_word(&follows)
            {
                include.data_type = Some(data_type(c)?);
            }
        }
        if c.take_words("as") {
            include.alias = Some(c.column_name()?);
        }
        includes.push(include);
    }
    Ok(includes)
}
