//! The lexer: RisingWave SQL text to tokens whose spans tile the input. It accepts any text; what is not SQL becomes
//! a token of kind [`TokenKind::Unknown`] or [`TokenKind::Unterminated`] and is refused by whoever parses it.

pub use crate::place::{Location, Span};
pub use crate::token::{Token, TokenKind};

/// All tokens of a text, blanks and comments among them.
pub fn tokenize(source: &str) -> Vec<Token> {
    Lexer::new(source).collect()
}

/// The tokens of a text one by one; the spans follow each other without gaps.
#[derive(Debug, Clone)]
pub struct Lexer<'a> {
    source: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    /// A lexer at the start of `source`.
    pub fn new(source: &'a str) -> Self {
        Self { source, at: 0 }
    }

    /// Steps over blanks, comments and then a line that starts with a backslash, if that is what comes next, and
    /// returns the line's span. psql reads such lines itself.
    pub(crate) fn take_meta_command(&mut self) -> Option<Span> {
        let mut ahead = self.clone();
        let start = loop {
            let before = ahead.at;
            let token = ahead.next()?;
            if !token.kind.is_trivia() {
                break before;
            }
        };
        let line = self.source[..start].rfind('\n').map_or(0, |i| i + 1);
        if self.byte(start) != b'\\' || !self.source[line..start].trim().is_empty() {
            return None;
        }
        self.at = self.run(start, |b| b != b'\n');
        Some(Span {
            start,
            end: start + self.source[start..self.at].trim_end().len(),
        })
    }

    fn byte(&self, offset: usize) -> u8 {
        self.source.as_bytes().get(offset).copied().unwrap_or(0)
    }

    /// The end of the bytes from `from` on that satisfy `accept`.
    fn run(&self, from: usize, accept: impl Fn(u8) -> bool) -> usize {
        let bytes = &self.source.as_bytes()[from..];
        from + bytes
            .iter()
            .position(|b| !accept(*b))
            .unwrap_or(bytes.len())
    }

    /// The end of a word that starts at `from`, characters beyond ASCII included.
    fn word_end(&self, from: usize) -> usize {
        let mut at = from;
        loop {
            at = self.run(at, |b| b.is_ascii_alphanumeric() || b == b'_' || b == b'$');
            match self.source[at..].chars().next() {
                Some(c) if is_wide_letter(c) => at += c.len_utf8(),
                _ => return at,
            }
        }
    }

    /// The end of a text in `quote`s whose opening quote stands at `open`; a doubled quote belongs to it if `doubled`,
    /// a character behind a backslash if `escapes`. `None` when it never ends.
    fn quoted_end(&self, open: usize, quote: u8, doubled: bool, escapes: bool) -> Option<usize> {
        let mut at = open + 1;
        loop {
            at = self.run(at, |b| b != quote && !(escapes && b == b'\\'));
            if at >= self.source.len() {
                return None;
            }
            if self.byte(at) == b'\\' && escapes {
                // The byte behind the backslash may start a longer character, whose other bytes are no quotes.
                at += 2;
                if at > self.source.len() {
                    return None;
                }
            } else if doubled && self.byte(at + 1) == quote {
                at += 2;
            } else {
                return Some(at + 1);
            }
        }
    }

    fn quoted(
        &self,
        open: usize,
        quote: u8,
        doubled: bool,
        escapes: bool,
        kind: TokenKind,
    ) -> (TokenKind, usize) {
        self.quoted_end(open, quote, doubled, escapes)
            .map_or((TokenKind::Unterminated, self.source.len()), |end| {
                (kind, end)
            })
    }

    fn block_comment(&self) -> (TokenKind, usize) {
        let mut depth = 1_usize;
        let mut at = self.at + 2;
        while depth > 0 {
            at = self.run(at, |b| b != b'/' && b != b'*');
            match (self.byte(at), self.byte(at + 1)) {
                _ if at >= self.source.len() => {
                    return (TokenKind::Unterminated, self.source.len());
                }
                (b'/', b'*') => {
                    depth += 1;
                    at += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    at += 2;
                }
                _ => at += 1,
            }
        }
        (TokenKind::Comment, at)
    }

    /// `$1`, `$$…$$` or `$tag$…$tag$`.
    fn dollar(&self) -> (TokenKind, usize) {
        if self.byte(self.at + 1).is_ascii_digit() {
            return (
                TokenKind::Parameter,
                self.run(self.at + 1, |b| b.is_ascii_digit()),
            );
        }
        let tag_end = self.run(self.at + 1, |b| b.is_ascii_alphanumeric() || b == b'_');
        if self.byte(tag_end) != b'$' {
            return (TokenKind::Unknown, self.at + 1);
        }
        let tag = &self.source[self.at..=tag_end];
        self.source[tag_end + 1..]
            .find(tag)
            .map_or((TokenKind::Unterminated, self.source.len()), |i| {
                (TokenKind::DollarString, tag_end + 1 + i + tag.len())
            })
    }

    fn number(&self) -> (TokenKind, usize) {
        let digits = |from| self.run(from, |b| b.is_ascii_digit());
        if self.byte(self.at) == b'0' {
            let radix_digit = |b: u8| match self.byte(self.at + 1) {
                b'x' | b'X' => b.is_ascii_hexdigit(),
                b'o' | b'O' => (b'0'..=b'7').contains(&b),
                b'b' | b'B' => b == b'0' || b == b'1',
                _ => false,
            };
            if radix_digit(self.byte(self.at + 2)) {
                return (TokenKind::Number, self.run(self.at + 2, radix_digit));
            }
        }
        let mut end = digits(self.at);
        if self.byte(end) == b'.' && self.byte(end + 1) != b'.' {
            end = digits(end + 1);
        }
        if matches!(self.byte(end), b'e' | b'E') {
            let sign = usize::from(matches!(self.byte(end + 1), b'+' | b'-'));
            if self.byte(end + 1 + sign).is_ascii_digit() {
                end = digits(end + 1 + sign);
            }
        }
        (TokenKind::Number, end)
    }

    /// The longest operator, by PostgreSQL's rules: it stops before a comment, and several characters end in `+` or
    /// `-` only if one of them is no arithmetic or comparison, so that `a=-1` is `a = -1`.
    fn operator(&self) -> (TokenKind, usize) {
        let mut end = self.run(self.at, is_operator);
        let text = &self.source[self.at..end];
        let comment = [text.find("--"), text.find("/*")]
            .into_iter()
            .flatten()
            .min();
        if let Some(length) = comment.filter(|length| *length > 0) {
            end = self.at + length;
        }
        let unusual = |b: &u8| !b"+-*/<>=".contains(b);
        while end - self.at > 1
            && matches!(self.byte(end - 1), b'+' | b'-')
            && !self.source.as_bytes()[self.at..end].iter().any(unusual)
        {
            end -= 1;
        }
        (TokenKind::Operator, end)
    }

    fn word(&self) -> (TokenKind, usize) {
        if self.byte(self.at + 1) == b'\'' {
            match self.byte(self.at) {
                b'e' | b'E' => {
                    return self.quoted(self.at + 1, b'\'', true, true, TokenKind::EscapeString);
                }
                b'n' | b'N' | b'x' | b'X' | b'b' | b'B' => {
                    return self.quoted(self.at + 1, b'\'', true, false, TokenKind::PrefixedString);
                }
                _ => {}
            }
        }
        (TokenKind::Word, self.word_end(self.at))
    }

    fn colon(&self) -> (TokenKind, usize) {
        match self.byte(self.at + 1) {
            b':' | b'=' => (TokenKind::Operator, self.at + 2),
            quote @ (b'\'' | b'"') => {
                let name_end = self.run(self.at + 2, |b| b.is_ascii_alphanumeric() || b == b'_');
                if name_end > self.at + 2 && self.byte(name_end) == quote {
                    (TokenKind::Variable, name_end + 1)
                } else {
                    (TokenKind::Punctuation, self.at + 1)
                }
            }
            _ => (TokenKind::Punctuation, self.at + 1),
        }
    }

    fn token_at(&self, first: u8) -> (TokenKind, usize) {
        let at = self.at;
        match (first, self.byte(at + 1)) {
            (b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C, _) => {
                let end = self.run(at, |b| b.is_ascii_whitespace() || b == 0x0B);
                (TokenKind::Whitespace, end)
            }
            (b'-', b'-') => (TokenKind::Comment, self.run(at, |b| b != b'\n')),
            (b'/', b'*') => self.block_comment(),
            (b'a'..=b'z' | b'A'..=b'Z' | b'_', _) => self.word(),
            (b'0'..=b'9', _) | (b'.', b'0'..=b'9') => self.number(),
            (b'\'', _) => self.quoted(at, b'\'', true, false, TokenKind::String),
            (b'"', _) => self.quoted(at, b'"', false, false, TokenKind::QuotedIdent),
            (b'$', _) => self.dollar(),
            (b':', _) => self.colon(),
            (b',' | b';' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'.', _) => {
                (TokenKind::Punctuation, at + 1)
            }
            (b, _) if is_operator(b) => self.operator(),
            _ => match self.source[at..].chars().next() {
                Some(c) if is_wide_letter(c) => (TokenKind::Word, self.word_end(at)),
                other => (TokenKind::Unknown, at + other.map_or(1, char::len_utf8)),
            },
        }
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let first = *self.source.as_bytes().get(self.at)?;
        let (kind, end) = self.token_at(first);
        let span = Span {
            start: self.at,
            end,
        };
        self.at = end;
        Some(Token { kind, span })
    }
}

fn is_operator(byte: u8) -> bool {
    b"+-*/<>=~!@#%^&|`?".contains(&byte)
}

/// Letters beyond ASCII that may stand in an unquoted name.
fn is_wide_letter(c: char) -> bool {
    !c.is_ascii() && !c.is_whitespace() && !c.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;
    use TokenKind::*;

    fn kinds(sql: &str) -> Vec<(TokenKind, &str)> {
        tokenize(sql)
            .into_iter()
            .filter(|t| !t.kind.is_trivia())
            .map(|t| (t.kind, t.text(sql)))
            .collect()
    }

    #[test]
    fn strings_of_every_kind() {
        assert_eq!(
            kinds(r#"'it''s' E'a\'b' $$a 'b' ; c$$ $t$ $$ $t$ N'x' "My Id""#),
            [
                (String, "'it''s'"),
                (EscapeString, r"E'a\'b'"),
                (DollarString, "$$a 'b' ; c$$"),
                (DollarString, "$t$ $$ $t$"),
                (PrefixedString, "N'x'"),
                (QuotedIdent, "\"My Id\""),
            ]
        );
    }

    #[test]
    fn a_quoted_name_ends_at_its_first_quote_as_in_risingwave() {
        assert_eq!(
            kinds(r#""a""b""#),
            [(QuotedIdent, "\"a\""), (QuotedIdent, "\"b\"")]
        );
    }

    #[test]
    fn operators_stop_before_comments_and_signs() {
        assert_eq!(
            kinds("a=-1 b->>'c' x::int 5--c\n+/*d*/6 $1 <=> !=-"),
            [
                (Word, "a"),
                (Operator, "="),
                (Operator, "-"),
                (Number, "1"),
                (Word, "b"),
                (Operator, "->>"),
                (String, "'c'"),
                (Word, "x"),
                (Operator, "::"),
                (Word, "int"),
                (Number, "5"),
                (Operator, "+"),
                (Number, "6"),
                (Parameter, "$1"),
                (Operator, "<=>"),
                (Operator, "!=-"),
            ]
        );
    }

    #[test]
    fn numbers() {
        for number in ["1", "1.5", ".5", "1e10", "1.5E-3", "0xFF", "7."] {
            assert_eq!(kinds(number), [(Number, number)]);
        }
        assert_eq!(kinds("1_000"), [(Number, "1"), (Word, "_000")]);
        assert_eq!(kinds("1e"), [(Number, "1"), (Word, "e")]);
    }

    #[test]
    fn comments_nest_and_may_never_end() {
        assert_eq!(kinds("/* a /* b */ c */ d -- e"), [(Word, "d")]);
        for open in ["/* a", "'a", "\"a", "$$ a", "E'a\\", "e'\\"] {
            assert_eq!(kinds(open), [(Unterminated, open)]);
        }
    }

    #[test]
    fn psql_variables_are_tokens_and_casts_are_not() {
        assert_eq!(kinds(":'KEY'"), [(Variable, ":'KEY'")]);
        assert_eq!(kinds("a::varchar")[1], (Operator, "::"));
        assert_eq!(kinds("x[1:2]")[3], (Punctuation, ":"));
    }
}
