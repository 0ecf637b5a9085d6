//! Tokens of SQL: their kinds, and the values that their texts stand for.

use crate::place::Span;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// Blanks and line ends.
    Whitespace,
    /// `-- …` up to the line's end, or `/* … */`, nested.
    Comment,
    /// An unquoted name or a keyword.
    Word,
    /// `"…"`. RisingWave has no way to write a quote inside of it.
    QuotedIdent,
    /// `'…'`, a quote inside doubled.
    String,
    /// `E'…'` with backslash escapes.
    EscapeString,
    /// `$$…$$` or `$tag$…$tag$`.
    DollarString,
    /// `N'…'`, `X'…'`, `B'…'`.
    PrefixedString,
    /// `1`, `1.5`, `.5`, `1e-3`, `0xff`.
    Number,
    /// `$1`
    Parameter,
    /// psql's `:'NAME'` and `:"NAME"`.
    Variable,
    /// `=`, `<>`, `||`, `->`, `::`, …
    Operator,
    /// One of `, ; ( ) [ ] { } . :`.
    Punctuation,
    /// A string, quoted name or block comment that never ends; it reaches to the end of the text.
    Unterminated,
    /// A character that SQL does not know, such as `\`.
    Unknown,
}

impl TokenKind {
    /// Blanks and comments.
    pub fn is_trivia(self) -> bool {
        matches!(self, Self::Whitespace | Self::Comment)
    }

    /// The kinds whose value is a string.
    pub fn is_string(self) -> bool {
        matches!(self, Self::String | Self::EscapeString | Self::DollarString)
    }
}

/// A token: its kind and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// Its kind.
    pub kind: TokenKind,
    /// Its bytes.
    pub span: Span,
}

impl Token {
    /// The text as written.
    pub fn text<'a>(&self, source: &'a str) -> &'a str {
        self.span.of(source)
    }

    /// Whether it is this unquoted word, in any case.
    pub fn is_word(&self, source: &str, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text(source).eq_ignore_ascii_case(word)
    }

    /// Whether it is this operator or punctuation.
    pub fn is_symbol(&self, source: &str, symbol: &str) -> bool {
        matches!(self.kind, TokenKind::Operator | TokenKind::Punctuation)
            && self.text(source) == symbol
    }

    /// The value of a string, without quotes and escapes; of a name, folded to lower case unless quoted; of anything
    /// else its text.
    pub fn value(&self, source: &str) -> String {
        let text = self.text(source);
        match self.kind {
            TokenKind::Word => text.to_lowercase(),
            TokenKind::QuotedIdent => text[1..text.len() - 1].to_owned(),
            TokenKind::String => text[1..text.len() - 1].replace("''", "'"),
            TokenKind::EscapeString => unescape(&text[2..text.len() - 1]),
            TokenKind::DollarString => {
                let tag = text[1..].find('$').map_or(1, |i| i + 2);
                text[tag..text.len() - tag].to_owned()
            }
            TokenKind::Variable => text[2..text.len() - 1].to_owned(),
            _ => text.to_owned(),
        }
    }
}

/// The value of an `E'…'` string's inside: PostgreSQL's backslash escapes, and doubled quotes.
fn unescape(inside: &str) -> String {
    let mut value = String::with_capacity(inside.len());
    let mut rest = inside;
    while let Some(i) = rest.find(['\\', '\'']) {
        value.push_str(&rest[..i]);
        let is_quote = rest[i..].starts_with('\'');
        rest = &rest[i + 1..];
        if is_quote {
            value.push('\'');
            rest = rest.strip_prefix('\'').unwrap_or(rest);
            continue;
        }
        let Some(escaped) = rest.chars().next() else {
            break;
        };
        let (c, length) = match escaped {
            'b' => ('\u{8}', 1),
            'f' => ('\u{c}', 1),
            'n' => ('\n', 1),
            'r' => ('\r', 1),
            't' => ('\t', 1),
            'x' => coded(rest, 1, 2, 16),
            'u' => coded(rest, 1, 4, 16),
            'U' => coded(rest, 1, 8, 16),
            '0'..='7' => coded(rest, 0, 3, 8),
            other => (other, other.len_utf8()),
        };
        value.push(c);
        rest = &rest[length..];
    }
    value.push_str(rest);
    value
}

/// A character by its code: up to `most` digits of `radix` behind `skip` bytes. Without digits, or for a code that is
/// no character, the first character stands for itself.
fn coded(text: &str, skip: usize, most: usize, radix: u32) -> (char, usize) {
    let digits = text[skip..]
        .chars()
        .take(most)
        .take_while(|c| c.is_digit(radix))
        .count();
    u32::from_str_radix(&text[skip..skip + digits], radix)
        .ok()
        .and_then(char::from_u32)
        .map_or_else(
            || text.chars().next().map_or(('\\', 0), |c| (c, c.len_utf8())),
            |c| (c, skip + digits),
        )
}

#[cfg(test)]
mod tests {
    use crate::lexer::tokenize;

    #[test]
    fn values_lose_quotes_and_escapes() {
        let value = |sql: &str| tokenize(sql)[0].value(sql);
        assert_eq!(value("'it''s'"), "it's");
        assert_eq!(value(r"'a\n'"), r"a\n");
        assert_eq!(value(r"E'a\tb\x41\u00e9\\\'c''d'"), "a\tbAé\\'c'd");
        assert_eq!(value("$tag$ it's $tag$"), " it's ");
        assert_eq!(value("FooBar"), "foobar");
        assert_eq!(value("\"FooBar\""), "FooBar");
        assert_eq!(value(":'S3_KEY'"), "S3_KEY");
    }
}
