//! Places in a text: byte spans, and lines and columns for people.

use std::ops::Range;

/// A range of bytes in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// Byte behind the last.
    pub end: usize,
}

impl Span {
    /// As a range, for slicing.
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }

    /// The part of `source` that it stands for.
    pub fn of(self, source: &str) -> &str {
        &source[self.range()]
    }
}

impl From<Span> for miette::SourceSpan {
    fn from(span: Span) -> Self {
        (span.start, span.end - span.start).into()
    }
}

/// A place in a text as people count: both from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Location {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

impl Location {
    /// The place of a byte offset; an offset behind the end is the end.
    pub fn of(source: &str, offset: usize) -> Self {
        let start = Self { line: 1, column: 1 };
        start.behind(source.get(..offset).unwrap_or(source))
    }

    /// The place behind `text` that begins here.
    pub(crate) fn behind(self, text: &str) -> Self {
        match text.rsplit_once('\n') {
            Some((lines, rest)) => Self {
                line: self.line + lines.matches('\n').count() + 1,
                column: rest.chars().count() + 1,
            },
            None => Self {
                line: self.line,
                column: self.column + text.chars().count(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_count_characters_from_one() {
        let sql = "ab\nüx";
        assert_eq!(Location::of(sql, 5), Location { line: 2, column: 2 });
        assert_eq!(Location::of(sql, 0), Location { line: 1, column: 1 });
        assert_eq!(Location::of(sql, 99), Location { line: 2, column: 3 });
    }
}
