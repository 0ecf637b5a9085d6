//! A place in the tokens of one statement, the small steps of the grammar, and how RisingWave words a refusal.

use std::borrow::Cow;

use crate::error::{ParseError, ParseErrorKind};
use crate::lexer::{Location, Span, Token, TokenKind};
use crate::redact::hidden_parts;
use crate::{Ident, ObjectName};

pub(super) type Parsed<T> = Result<T, ParseError>;

/// Walks over the tokens of one statement, blanks and comments left out.
pub(super) struct Cursor<'a> {
    /// The whole text, which the spans are about.
    pub(super) source: &'a str,
    tokens: &'a [Token],
    at: usize,
    /// How much of the next operator is used up, see [`Cursor::take_angle`].
    angles: usize,
    /// The first thing that the grammar accepts and RisingWave does not implement. RisingWave finds it after parsing,
    /// so a syntax error behind it comes first.
    pub(super) unimplemented: Option<ParseError>,
}

impl<'a> Cursor<'a> {
    /// A cursor over a statement's tokens, its `;` included if it has one.
    pub(super) fn new(source: &'a str, tokens: &'a [Token]) -> Self {
        Self {
            source,
            tokens,
            at: 0,
            angles: 0,
            unimplemented: None,
        }
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Returns to a place that [`Cursor::position`] gave.
    pub(super) fn go_back_to(&mut self, position: usize) {
        self.at = position;
    }

    pub(super) fn peek_nth(&self, n: usize) -> Option<Token> {
        self.tokens.get(self.at + n).copied()
    }

    pub(super) fn peek(&self) -> Option<Token> {
        self.peek_nth(0)
    }

    /// The token before the next one.
    pub(super) fn previous(&self) -> Option<Token> {
        self.at.checked_sub(1).map(|i| self.tokens[i])
    }

    pub(super) fn advance(&mut self) -> Option<Token> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    pub(super) fn text(&self, token: Token) -> &'a str {
        token.span.of(self.source)
    }

    /// The text from token number `from` up to the token before the next one.
    pub(super) fn text_since(&self, from: usize) -> &'a str {
        self.text_between(from, self.at)
    }

    /// The text of tokens number `from` to `to`, without the latter.
    pub(super) fn text_between(&self, from: usize, to: usize) -> &'a str {
        match self.tokens.get(from..to) {
            Some([first, .., last]) => &self.source[first.span.start..last.span.end],
            Some([only]) => self.text(*only),
            _ => "",
        }
    }

    /// Whether the statement ends here.
    pub(super) fn at_end(&self) -> bool {
        self.peek().is_none_or(|t| t.is_symbol(self.source, ";"))
    }

    pub(super) fn nth_is_word(&self, n: usize, word: &str) -> bool {
        self.peek_nth(n)
            .is_some_and(|t| t.is_word(self.source, word))
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        self.nth_is_word(0, word)
    }

    pub(super) fn is_any_word(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is_word(word))
    }

    /// Whether these words, separated by blanks in `words`, come next.
    pub(super) fn is_words(&self, words: &str) -> bool {
        words
            .split(' ')
            .enumerate()
            .all(|(n, word)| self.nth_is_word(n, word))
    }

    pub(super) fn nth_is_symbol(&self, n: usize, symbol: &str) -> bool {
        self.peek_nth(n)
            .is_some_and(|t| t.is_symbol(self.source, symbol))
    }

    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        self.nth_is_symbol(0, symbol)
    }

    /// Steps over these words if all of them come next.
    pub(super) fn take_words(&mut self, words: &str) -> bool {
        let found = self.is_words(words);
        if found {
            self.at += words.split(' ').count();
        }
        found
    }

    pub(super) fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        self.at += usize::from(found);
        found
    }

    /// Steps over one `<` or `>`, also if the lexer made one operator of several: `struct<a struct<b int>>`.
    pub(super) fn take_angle(&mut self, angle: &str) -> bool {
        let Some(token) = self
            .peek()
            .filter(|token| token.kind == TokenKind::Operator)
        else {
            return false;
        };
        let text = self.text(token);
        let found = text[self.angles..].starts_with(angle);
        self.angles += usize::from(found);
        if self.angles == text.len() {
            self.angles = 0;
            self.at += 1;
        }
        found
    }

    pub(super) fn expect_words(&mut self, words: &str) -> Parsed<()> {
        for word in words.split(' ') {
            if !self.take_words(word) {
                return Err(self.expected(&word.to_ascii_uppercase()));
            }
        }
        Ok(())
    }

    pub(super) fn expect_symbol(&mut self, symbol: &str) -> Parsed<()> {
        if self.take_symbol(symbol) {
            Ok(())
        } else {
            Err(self.expected(symbol))
        }
    }

    /// `=` or `TO`.
    pub(super) fn take_assignment(&mut self) -> bool {
        self.take_symbol("=") || self.take_words("to")
    }

    pub(super) fn if_not_exists(&mut self) -> bool {
        self.take_words("if not exists")
    }

    pub(super) fn if_exists(&mut self) -> bool {
        self.take_words("if exists")
    }

    /// A name of one part, any word or a quoted name.
    pub(super) fn ident(&mut self) -> Parsed<Ident> {
        match self.peek() {
            Some(token) if matches!(token.kind, TokenKind::Word | TokenKind::QuotedIdent) => {
                self.at += 1;
                Ok(Ident::new(token.value(self.source)))
            }
            _ => Err(self.expected("identifier")),
        }
    }

    /// A name that an expression could name too, so that no reserved word serves unquoted.
    pub(super) fn column_name(&mut self) -> Parsed<Ident> {
        let token = self.peek();
        let name = self.ident()?;
        match token {
            // `select` and the like are reserved in expressions only; RisingWave takes them here.
            Some(token)
                if token.kind == TokenKind::Word
                    && crate::name::is_reserved_column(name.value()) =>
            {
                Err(self.failure(format!("syntax error at or near {}", self.text(token))))
            }
            _ => Ok(name),
        }
    }

    /// A name of one to three parts.
    pub(super) fn object_name(&mut self) -> Parsed<ObjectName> {
        let mut parts = vec![self.ident()?];
        while self.take_symbol(".") {
            parts.push(self.ident()?);
        }
        Ok(ObjectName(parts))
    }

    /// `(name, …)`
    pub(super) fn names_in_brackets(&mut self) -> Parsed<Vec<Ident>> {
        self.expect_symbol("(")?;
        let mut names = vec![self.column_name()?];
        while self.take_symbol(",") {
            names.push(self.column_name()?);
        }
        self.expect_symbol(")")?;
        Ok(names)
    }

    /// A string literal's value; a psql variable stands for itself, as written.
    pub(super) fn string(&mut self) -> Parsed<String> {
        match self.peek() {
            Some(token) if token.kind.is_string() => {
                self.at += 1;
                Ok(token.value(self.source))
            }
            Some(token) if token.kind == TokenKind::Variable => {
                self.at += 1;
                Ok(self.text(token).to_owned())
            }
            _ => Err(self.expected("literal string")),
        }
    }

    /// Steps over balanced brackets up to where `stop` says so at their outermost level, or to the statement's end or
    /// an outer closing bracket.
    pub(super) fn skip_until(&mut self, stop: impl Fn(&Self) -> bool) -> Parsed<()> {
        let mut open: Vec<&'static str> = Vec::new();
        while let Some(token) = self.peek().filter(|_| !self.at_end()) {
            if open.is_empty() && stop(self) {
                return Ok(());
            }
            match token.kind {
                TokenKind::Unknown => return Err(self.expected("an expression")),
                TokenKind::QuotedIdent | TokenKind::String | TokenKind::Word => {
                    self.follows(token)?
                }
                TokenKind::Punctuation => match self.text(token) {
                    "," if self
                        .previous()
                        .is_some_and(|before| before.is_symbol(self.source, ",")) =>
                    {
                        return Err(self.expected("an expression"));
                    }
                    "(" if self.is_length() => return Err(self.expected("end of statement")),
                    "(" => open.push(")"),
                    "[" => open.push("]"),
                    "{" => open.push("}"),
                    closing @ (")" | "]" | "}") => match open.pop() {
                        Some(wanted) if wanted == closing => {}
                        Some(wanted) => return Err(self.expected(wanted)),
                        None => return Ok(()),
                    },
                    _ => {}
                },
                _ => {}
            }
            self.at += 1;
        }
        open.pop()
            .map_or(Ok(()), |wanted| Err(self.expected(wanted)))
    }

    /// Refuses what other databases' parsers read and RisingWave's does not, by a token and the one before it.
    fn follows(&mut self, token: Token) -> Parsed<()> {
        const CLAUSES: [&str; 12] = [
            "except",
            "fetch",
            "from",
            "group",
            "having",
            "intersect",
            "limit",
            "offset",
            "order",
            "union",
            "where",
            "window",
        ];
        let Some(before) = self.previous() else {
            return Ok(());
        };
        let adjacent = before.span.end == token.span.start;
        let refused = match token.kind {
            // `"a""b"` is one name with a quote elsewhere, and two names here.
            TokenKind::QuotedIdent => adjacent && before.kind == TokenKind::QuotedIdent,
            // `'a' 'b'` is one string elsewhere; and there are no literals of this type.
            TokenKind::String => {
                before.kind.is_string() || before.is_word(self.source, "timestamptz")
            }
            // `1_000`
            _ if adjacent && before.kind == TokenKind::Number => self.text(token).starts_with('_'),
            _ if before.is_symbol(self.source, ",")
                && CLAUSES.iter().any(|word| token.is_word(self.source, word)) =>
            {
                let error = self.near(token);
                self.advance();
                return Err(self.failure(error));
            }
            _ => false,
        };
        if refused {
            Err(self.expected("end of statement"))
        } else {
            Ok(())
        }
    }

    /// Whether the next bracket holds the length of a `varchar`, which RisingWave's has not.
    fn is_length(&self) -> bool {
        self.previous()
            .is_some_and(|before| before.is_word(self.source, "varchar"))
            && self
                .peek_nth(1)
                .is_some_and(|token| token.kind == TokenKind::Number)
            && self.nth_is_symbol(2, ")")
    }

    /// Steps over an expression: up to where `stop` says so, or to a comma, a closing bracket or the end.
    pub(super) fn skip_expression(&mut self, stop: impl Fn(&Self) -> bool) -> Parsed<()> {
        let from = self.at;
        self.skip_until(|c| c.is_symbol(",") || stop(c))?;
        if self.at == from {
            return Err(self.expected("an expression"));
        }
        Ok(())
    }

    /// The text of what [`Cursor::skip_expression`] steps over.
    pub(super) fn expression(&mut self, stop: impl Fn(&Self) -> bool) -> Parsed<String> {
        let from = self.at;
        self.skip_expression(stop)?;
        Ok(self.text_since(from).to_owned())
    }

    /// The rest of the statement, with balanced brackets, as text from token number `from` on.
    pub(super) fn rest_since(&mut self, from: usize) -> Parsed<String> {
        self.skip_until(|_| false)?;
        self.end()?;
        Ok(self.text_since(from).to_owned())
    }

    pub(super) fn end(&self) -> Parsed<()> {
        if self.at_end() {
            Ok(())
        } else {
            Err(self.expected("end of statement"))
        }
    }

    /// `expected <what>, found: <next token>`
    pub(super) fn expected(&self, what: &str) -> ParseError {
        self.failure(format!("expected {what}, found: {}", self.found()))
    }

    /// `syntax error at or near <token> at line 1, column 2`
    pub(super) fn near(&self, token: Token) -> String {
        let place = Location::of(self.source, token.span.start);
        format!(
            "syntax error at or near {} at line {}, column {}",
            self.text(token),
            place.line,
            place.column
        )
    }

    /// A syntax error at the next token.
    pub(super) fn failure(&self, message: String) -> ParseError {
        ParseError::new(
            ParseErrorKind::Syntax,
            message,
            self.source,
            self.next_span(),
        )
    }

    /// Notes a feature that RisingWave's grammar has and RisingWave refuses; the statement fails once it is parsed.
    pub(super) fn not_implemented(&mut self, message: String) {
        let span = self
            .previous()
            .map_or_else(|| self.next_span(), |token| token.span);
        let error = ParseError::new(ParseErrorKind::NotImplemented, message, self.source, span);
        self.unimplemented.get_or_insert(error);
    }

    fn next_span(&self) -> Span {
        self.peek().map_or_else(
            || {
                let end = self
                    .previous()
                    .map_or(self.source.len(), |token| token.span.end);
                Span { start: end, end }
            },
            |token| token.span,
        )
    }

    /// The next token for a message, unless it is a secret.
    fn found(&self) -> Cow<'a, str> {
        let Some(token) = self.peek() else {
            return "EOF".into();
        };
        if token.kind == TokenKind::Unknown {
            // It may be one that cannot be seen, such as a no-break space out of a document.
            return format!("{:?}", self.text(token)).into();
        }
        let hidden = hidden_parts(self.source);
        if hidden
            .iter()
            .any(|part| part.span.start < token.span.end && token.span.start < part.span.end)
        {
            return "'***'".into();
        }
        self.text(token).into()
    }
}
