//! From a text to its statements: where each begins and ends, and psql's commands between them.

use super::cursor::Cursor;
use super::statement::statement;
use crate::error::{ParseError, ParseErrorKind};
use crate::lexer::{Lexer, Location, Span, Token, TokenKind};
use crate::statement::Statement;

/// Something with the place in a script where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Located<T> {
    /// The thing itself.
    pub value: T,
    /// Its text, without the closing `;` and without comments before and behind it.
    pub text: String,
    /// The bytes of the text.
    pub span: Span,
    /// Line and column of its first character.
    pub location: Location,
}

/// A part of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// A statement or a command of psql.
    pub kind: PieceKind,
    /// Its text, without the closing `;` and without comments before and behind it.
    pub text: &'a str,
    /// The bytes of the text.
    pub span: Span,
    /// Line and column of its first character.
    pub location: Location,
}

/// What a part of a script is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PieceKind {
    /// A statement, not yet parsed.
    Statement,
    /// A line that starts with a backslash, such as `\getenv NAME VARIABLE`; psql runs it, no server sees it.
    MetaCommand,
}

/// Parses a text that holds exactly one statement; a closing `;` is fine.
///
/// # Errors
/// Says what stands where the grammar of RisingWave expects something else, or which part RisingWave does not implement.
pub fn parse_statement(sql: &str) -> Result<Statement, ParseError> {
    let mut tokens = Vec::with_capacity(sql.len() / 8 + 8);
    let mut lexer = Lexer::new(sql);
    let first = loop {
        let (end, more) = next_statement(sql, &mut lexer, &mut tokens)?;
        match end {
            0 if more => tokens.clear(),
            _ => break statement(&mut Cursor::new(sql, &tokens))?,
        }
    };
    tokens.clear();
    while next_statement(sql, &mut lexer, &mut tokens)?.1 || !tokens.is_empty() {
        let rest = Cursor::new(sql, &tokens);
        rest.end()?;
        tokens.clear();
    }
    Ok(first)
}

/// Parses the statements of a script. Empty statements and lines with commands of psql are left out.
///
/// # Errors
/// The first statement that [`parse_statement`] would refuse, with its place in the script.
pub fn parse_script(sql: &str) -> Result<Vec<Located<Statement>>, ParseError> {
    let mut statements = Vec::new();
    walk(sql, |piece, tokens| {
        if piece.kind == PieceKind::Statement {
            statements.push(Located {
                value: statement(&mut Cursor::new(sql, tokens))?,
                text: piece.text.to_owned(),
                span: piece.span,
                location: piece.location,
            });
        }
        Ok(())
    })?;
    Ok(statements)
}

/// Splits a script into its statements and psql's commands, without parsing them. A `;` inside of strings, quoted
/// names, dollar quotes and comments separates nothing.
///
/// # Errors
/// A string, quoted name or comment never ends.
pub fn split_script(sql: &str) -> Result<Vec<Piece<'_>>, ParseError> {
    let mut pieces = Vec::new();
    walk(sql, |piece, _| {
        pieces.push(piece);
        Ok(())
    })?;
    Ok(pieces)
}

/// Calls `visit` with each part of a script and its tokens.
fn walk<'a>(
    sql: &'a str,
    mut visit: impl FnMut(Piece<'a>, &[Token]) -> Result<(), ParseError>,
) -> Result<(), ParseError> {
    let mut lexer = Lexer::new(sql);
    let mut tokens = Vec::new();
    let mut known = (0, Location { line: 1, column: 1 });
    let mut piece = |kind, span: Span| {
        known = (span.start, known.1.behind(&sql[known.0..span.start]));
        Piece {
            kind,
            text: span.of(sql),
            span,
            location: known.1,
        }
    };
    loop {
        while let Some(span) = lexer.take_meta_command() {
            visit(piece(PieceKind::MetaCommand, span), &[])?;
        }
        tokens.clear();
        let (length, more) = next_statement(sql, &mut lexer, &mut tokens)?;
        if length > 0 {
            let span = Span {
                start: tokens[0].span.start,
                end: tokens[length - 1].span.end,
            };
            visit(piece(PieceKind::Statement, span), &tokens)?;
        }
        if !more {
            return Ok(());
        }
    }
}

/// Reads the tokens up to a `;`, which is among them, or up to the end. Returns how many belong to the statement
/// itself, and whether a `;` closed it.
fn next_statement(
    sql: &str,
    lexer: &mut Lexer<'_>,
    tokens: &mut Vec<Token>,
) -> Result<(usize, bool), ParseError> {
    for token in lexer.by_ref() {
        match token.kind {
            TokenKind::Whitespace | TokenKind::Comment => {}
            TokenKind::Unterminated => return Err(unterminated(sql, token)),
            _ => {
                tokens.push(token);
                if token.is_symbol(sql, ";") {
                    return Ok((tokens.len() - 1, true));
                }
            }
        }
    }
    Ok((tokens.len(), false))
}

fn unterminated(sql: &str, token: Token) -> ParseError {
    let what = match token.text(sql).as_bytes() {
        [b'/', ..] => "Unexpected EOF while in a multi-line comment",
        [b'"', ..] => "Expected close delimiter '\"' before EOF.",
        [b'$', ..] => "Unterminated dollar quoted string",
        _ => "Unterminated string literal",
    };
    ParseError::new(ParseErrorKind::Syntax, what.to_owned(), sql, token.span)
}
