//! The one error of this crate: what the parser refuses, worded and shaped as RisingWave words it.

use std::fmt;

use miette::Diagnostic;

use crate::lexer::{Location, Span};
use crate::redact::hidden_parts;

/// Why a text is no statement. `Display` is RisingWave's: `sql parser error: …`, `LINE n:` with the line, and a caret.
/// Secret values in the shown line are replaced as [`crate::redact`] does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ParseError {
    kind: ParseErrorKind,
    message: String,
    span: Span,
    location: Location,
    excerpt: String,
    caret: usize,
}

/// Which of RisingWave's two ways to refuse a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParseErrorKind {
    /// It is not in the grammar: `sql parser error: …`.
    Syntax,
    /// The grammar knows it, the database does not: `Feature is not yet implemented: …`.
    NotImplemented,
}

impl ParseError {
    /// An error at `span` of `source`. `message` is the text behind the kind's prefix and may hold no secret.
    pub(crate) fn new(kind: ParseErrorKind, message: String, source: &str, span: Span) -> Self {
        let (excerpt, caret) = shortened(shown_line(source, span.start));
        Self {
            kind,
            message,
            span,
            location: Location::of(source, span.start),
            excerpt,
            caret,
        }
    }

    /// A refused word or an unimplemented feature.
    pub fn kind(&self) -> ParseErrorKind {
        self.kind
    }

    /// The message without prefix, line and caret: `expected end of statement, found: FROM`.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The bytes of the offending token in the parsed text; empty at its end.
    pub fn span(&self) -> Span {
        self.span
    }

    /// Line of the offending token, from 1.
    pub fn line(&self) -> usize {
        self.location.line
    }

    /// Column of the offending token in characters, from 1.
    pub fn column(&self) -> usize {
        self.location.column
    }

    /// The line in which it stands, secrets replaced; of a very long line the part around the error.
    pub fn excerpt(&self) -> &str {
        &self.excerpt
    }
}

impl Diagnostic for ParseError {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(match self.kind {
            ParseErrorKind::Syntax => "rwt::sql::syntax",
            ParseErrorKind::NotImplemented => "rwt::sql::not_implemented",
        }))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(match self.kind {
            ParseErrorKind::Syntax => "the caret marks where the text leaves RisingWave's grammar",
            ParseErrorKind::NotImplemented => {
                "RisingWave reads this and refuses it; say it in another way"
            }
        }))
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ParseErrorKind::Syntax => {
                let label = format!("LINE {}: ", self.location.line);
                let indent = " ".repeat(label.len() + self.caret);
                write!(
                    f,
                    "sql parser error: {}\n{label}{}\n{indent}^",
                    self.message, self.excerpt
                )
            }
            ParseErrorKind::NotImplemented => write!(
                f,
                "Feature is not yet implemented: {}\nNo tracking issue yet. Feel free to submit a feature request at \
                 https://github.com/risingwavelabs/risingwave/issues/new?labels=type%2Ffeature&template=feature_request.yml",
                self.message
            ),
        }
    }
}

/// The line around `offset` with secrets replaced, and the caret's distance from its start in characters.
fn shown_line(source: &str, offset: usize) -> (String, usize) {
    let offset = offset.min(source.len());
    let start = source[..offset].rfind('\n').map_or(0, |i| i + 1);
    let end = source[offset..]
        .find('\n')
        .map_or(source.len(), |i| offset + i);
    let mut shown = String::new();
    let mut caret = None;
    let mut at = start;
    for hidden in hidden_parts(source) {
        let from = hidden.span.start.max(at);
        if hidden.span.end <= start || hidden.span.start >= end {
            continue;
        }
        if caret.is_none() && offset < hidden.span.end {
            caret = Some(shown.chars().count() + source[at..offset.min(from)].chars().count());
        }
        shown.push_str(&source[at..from]);
        shown.push_str(hidden.replacement);
        at = hidden.span.end.min(end);
    }
    let caret =
        caret.unwrap_or_else(|| shown.chars().count() + source[at..offset.max(at)].chars().count());
    shown.push_str(source[at..end].trim_end_matches('\r'));
    (shown, caret)
}

/// The same, but of a very long line (an INSERT of many rows) only what is near the caret.
fn shortened((line, caret): (String, usize)) -> (String, usize) {
    const MOST: usize = 400;
    const AROUND: usize = 150;
    let length = line.chars().count();
    if length <= MOST {
        return (line, caret);
    }
    let start = caret.saturating_sub(AROUND);
    let end = (caret + AROUND).min(length);
    let part: String = line.chars().skip(start).take(end - start).collect();
    let before = if start > 0 { "…" } else { "" };
    let behind = if end < length { "…" } else { "" };
    (
        format!("{before}{part}{behind}"),
        caret - start + before.chars().count(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(source: &str, needle: &str) -> ParseError {
        let start = source.find(needle).expect("needle is in the source");
        let end = start + needle.len();
        ParseError::new(
            ParseErrorKind::Syntax,
            format!("found: {needle}"),
            source,
            Span { start, end },
        )
    }

    #[test]
    fn shows_the_line_and_a_caret() {
        let error = at("SELECT 1\nFROM a b c", "c");
        assert_eq!(
            error.to_string(),
            "sql parser error: found: c\nLINE 2: FROM a b c\n                 ^"
        );
        assert_eq!((error.line(), error.column()), (2, 10));
    }

    #[test]
    fn hides_secrets_of_the_line_and_keeps_the_caret_in_place() {
        let error = at(
            "CREATE SINK s FROM t WITH (auth.token = 'very long secret') oops;",
            "oops",
        );
        assert_eq!(
            error.to_string(),
            "sql parser error: found: oops\nLINE 1: CREATE SINK s FROM t WITH (auth.token = '***') oops;\n\
             \u{20}                                                      ^"
        );
    }

    #[test]
    fn shows_the_near_part_of_a_long_line() {
        let source = format!(
            "INSERT INTO t VALUES {} oops {}",
            "(1), ".repeat(100),
            "(1), ".repeat(100)
        );
        let error = at(&source, "oops");
        assert!(error.excerpt().chars().count() < 310, "{error}");
        assert!(error.excerpt().starts_with('…') && error.excerpt().ends_with('…'));
        let shown = error.to_string();
        let (line, caret) = shown.rsplit_once('\n').expect("the caret has its own line");
        let line = line.rsplit('\n').next().expect("the excerpt has a line");
        let column = caret.chars().count() - 1;
        assert_eq!(
            line.chars().skip(column).take(4).collect::<String>(),
            "oops"
        );
    }
}
