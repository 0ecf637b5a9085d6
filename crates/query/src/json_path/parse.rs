//! The text of a path.

use regex::RegexBuilder;
use serde_json::Value as Json;

use super::{Accessor, Arithmetic, Compare, Method, Node, Path, Sign, Test};
use crate::error::QueryError;

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Number(String),
    /// `$name`; `$` alone has an empty name.
    Dollar(String),
    Sign(&'static str),
}

const SIGNS: [&str; 24] = [
    "&&", "||", "==", "!=", "<>", "<=", ">=", "<", ">", "!", "@", ".", "*", "[", "]", "(", ")",
    ",", "?", "+", "-", "/", "%", "=",
];

pub(super) fn path(text: &str) -> Result<Path, QueryError> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
    };
    let strict = parser.word("strict");
    if !strict {
        parser.word("lax");
    }
    let root = parser.any()?;
    match parser.peek() {
        None => Ok(Path { strict, root }),
        Some(token) => Err(unexpected(token)),
    }
}

fn wrong(why: impl std::fmt::Display) -> QueryError {
    QueryError::Evaluation(format!("invalid jsonpath: {why}"))
}

fn unexpected(token: &Token) -> QueryError {
    wrong(match token {
        Token::Word(word) | Token::Number(word) => format!("unexpected {word}"),
        Token::Text(text) => format!("unexpected \"{text}\""),
        Token::Dollar(name) => format!("unexpected ${name}"),
        Token::Sign(sign) => format!("unexpected {sign}"),
    })
}

fn tokens(text: &str) -> Result<Vec<Token>, QueryError> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = |text: &str| {
            text.find(|c: char| !(c.is_alphanumeric() || c == '_'))
                .unwrap_or(text.len())
        };
        let (token, length) = if first.is_whitespace() {
            rest = &rest[first.len_utf8()..];
            continue;
        } else if first == '"' {
            let (text, length) = quoted(rest)?;
            (Token::Text(text), length)
        } else if first == '$' {
            let after = &rest[1..];
            if after.starts_with('"') {
                let (name, length) = quoted(after)?;
                (Token::Dollar(name), length + 1)
            } else {
                let length = word(after);
                (Token::Dollar(after[..length].to_owned()), length + 1)
            }
        } else if first.is_ascii_digit() {
            let length = number_length(rest);
            (Token::Number(rest[..length].to_owned()), length)
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            (Token::Sign(sign), sign.len())
        } else {
            match word(rest) {
                0 => return Err(wrong(format!("unexpected {first}"))),
                length => (Token::Word(rest[..length].to_owned()), length),
            }
        };
        out.push(token);
        rest = &rest[length..];
    }
    Ok(out)
}

/// A JSON text at the start of this text, and its length with its quotes.
fn quoted(text: &str) -> Result<(String, usize), QueryError> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => {
                let length = at + 1;
                let text = serde_json::from_str(&text[..length]).map_err(wrong)?;
                return Ok((text, length));
            }
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    Err(wrong("a text without its closing quote"))
}

fn number_length(text: &str) -> usize {
    let digits = |from: usize| {
        text[from..]
            .find(|c: char| !c.is_ascii_digit())
            .map_or(text.len(), |length| from + length)
    };
    let mut end = digits(0);
    let more = text[end..].strip_prefix('.');
    if more.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
        end = digits(end + 1);
    }
    if let Some(rest) = text[end..].strip_prefix(['e', 'E']) {
        let sign = usize::from(rest.starts_with(['+', '-']));
        if rest[sign..].starts_with(|c: char| c.is_ascii_digit()) {
            end = digits(end + 1 + sign);
        }
    }
    end
}

/// Deeper than any path that somebody writes, and far from the end of the stack.
const DEEPEST: usize = 128;

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Result<Token, QueryError> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token.ok_or_else(|| wrong("it ends too early"))
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(s)) if *s == sign);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(w)) if w == word);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), QueryError> {
        if self.sign(sign) {
            return Ok(());
        }
        match self.peek() {
            Some(token) => Err(unexpected(token)),
            None => Err(wrong(format!("{sign} is missing at its end"))),
        }
    }

    /// A value or a test, `||` binding least.
    fn any(&mut self) -> Result<Node, QueryError> {
        let open = self.tokens[..self.at.min(self.tokens.len())]
            .iter()
            .filter(|t| matches!(t, Token::Sign("(")))
            .count();
        if open > DEEPEST {
            return Err(wrong("too many parentheses"));
        }
        let mut left = self.both()?;
        while self.sign("||") {
            let right = self.both()?;
            left = Node::Test(Test::Or(test(left)?, test(right)?));
        }
        Ok(left)
    }

    fn both(&mut self) -> Result<Node, QueryError> {
        let mut left = self.predicate()?;
        while self.sign("&&") {
            let right = self.predicate()?;
            left = Node::Test(Test::And(test(left)?, test(right)?));
        }
        Ok(left)
    }

    fn predicate(&mut self) -> Result<Node, QueryError> {
        let negations = std::iter::from_fn(|| self.sign("!").then_some(())).count();
        if negations > 0 {
            let mut inner = test(self.primary_predicate()?)?;
            for _ in 0..negations {
                inner = Box::new(Test::Not(inner));
            }
            return Ok(Node::Test(*inner));
        }
        self.primary_predicate()
    }

    fn primary_predicate(&mut self) -> Result<Node, QueryError> {
        let left = self.sum()?;
        if self.word("is") {
            if !self.word("unknown") {
                return Err(wrong("unknown is missing after is"));
            }
            return Ok(Node::Test(Test::IsUnknown(test(left)?)));
        }
        if self.word("starts") {
            if !self.word("with") {
                return Err(wrong("with is missing after starts"));
            }
            let prefix = self.primary()?;
            return Ok(Node::Test(Test::StartsWith(
                Box::new(left),
                Box::new(prefix),
            )));
        }
        if self.word("like_regex") {
            return Ok(Node::Test(Test::Like(Box::new(left), self.regex()?)));
        }
        let compare = match self.peek() {
            Some(Token::Sign("==" | "=")) => Compare::Equal,
            Some(Token::Sign("!=" | "<>")) => Compare::NotEqual,
            Some(Token::Sign("<")) => Compare::Less,
            Some(Token::Sign("<=")) => Compare::LessOrEqual,
            Some(Token::Sign(">")) => Compare::Greater,
            Some(Token::Sign(">=")) => Compare::GreaterOrEqual,
            _ => return Ok(left),
        };
        self.at += 1;
        let right = self.sum()?;
        Ok(Node::Test(Test::Compare(
            compare,
            Box::new(left),
            Box::new(right),
        )))
    }

    fn regex(&mut self) -> Result<regex::Regex, QueryError> {
        let Token::Text(pattern) = self.next()? else {
            return Err(wrong("like_regex takes a text"));
        };
        let flags = match self.word("flag").then(|| self.next()).transpose()? {
            Some(Token::Text(flags)) => flags,
            Some(token) => return Err(unexpected(&token)),
            None => String::new(),
        };
        let pattern = match flags.contains('q') {
            true => regex::escape(&pattern),
            false => pattern,
        };
        if let Some(flag) = flags.chars().find(|c| !"isxmq".contains(*c)) {
            return Err(wrong(format!("unrecognized flag character \"{flag}\"")));
        }
        RegexBuilder::new(&pattern)
            .case_insensitive(flags.contains('i'))
            .dot_matches_new_line(flags.contains('s'))
            .multi_line(flags.contains('m'))
            .ignore_whitespace(flags.contains('x'))
            .build()
            .map_err(wrong)
    }

    fn sum(&mut self) -> Result<Node, QueryError> {
        let mut left = self.product()?;
        loop {
            let op = match self.peek() {
                Some(Token::Sign("+")) => Arithmetic::Add,
                Some(Token::Sign("-")) => Arithmetic::Subtract,
                _ => return Ok(left),
            };
            self.at += 1;
            let right = self.product()?;
            left = Node::Arithmetic(op, Box::new(left), Box::new(right));
        }
    }

    fn product(&mut self) -> Result<Node, QueryError> {
        let mut left = self.signed()?;
        loop {
            let op = match self.peek() {
                Some(Token::Sign("*")) => Arithmetic::Multiply,
                Some(Token::Sign("/")) => Arithmetic::Divide,
                Some(Token::Sign("%")) => Arithmetic::Modulus,
                _ => return Ok(left),
            };
            self.at += 1;
            let right = self.signed()?;
            left = Node::Arithmetic(op, Box::new(left), Box::new(right));
        }
    }

    fn signed(&mut self) -> Result<Node, QueryError> {
        let mut signs = Vec::new();
        loop {
            if self.sign("-") {
                signs.push(Sign::Minus);
            } else if self.sign("+") {
                signs.push(Sign::Plus);
            } else {
                break;
            }
        }
        let mut node = self.accessed()?;
        for sign in signs.into_iter().rev() {
            node = Node::Sign(sign, Box::new(node));
        }
        Ok(node)
    }

    fn accessed(&mut self) -> Result<Node, QueryError> {
        let mut node = self.primary()?;
        loop {
            let accessor = if self.sign(".") {
                self.member()?
            } else if self.sign("[") {
                self.items()?
            } else if self.sign("?") {
                self.expect("(")?;
                let filter = test(self.any()?)?;
                self.expect(")")?;
                Accessor::Filter(*filter)
            } else {
                return Ok(node);
            };
            node = Node::Access(Box::new(node), accessor);
        }
    }

    fn member(&mut self) -> Result<Accessor, QueryError> {
        let name = match self.next()? {
            Token::Sign("*") => return Ok(Accessor::AnyMember),
            Token::Text(name) => return Ok(Accessor::Member(name)),
            Token::Word(name) => name,
            token => return Err(unexpected(&token)),
        };
        if !self.sign("(") {
            return Ok(Accessor::Member(name));
        }
        self.expect(")")?;
        let method = Method::ALL.iter().find(|(known, _)| *known == name);
        let method = method
            .ok_or_else(|| QueryError::NotImplemented(format!("jsonpath item method .{name}()")))?;
        Ok(Accessor::Method(method.1))
    }

    fn items(&mut self) -> Result<Accessor, QueryError> {
        if self.sign("*") {
            self.expect("]")?;
            return Ok(Accessor::AnyItem);
        }
        let mut items = Vec::new();
        loop {
            let from = self.sum()?;
            let to = self.word("to").then(|| self.sum()).transpose()?;
            items.push((from, to));
            if self.sign("]") {
                return Ok(Accessor::Items(items));
            }
            self.expect(",")?;
        }
    }

    fn primary(&mut self) -> Result<Node, QueryError> {
        Ok(match self.next()? {
            Token::Dollar(name) if name.is_empty() => Node::Root,
            Token::Dollar(name) => Node::Variable(name),
            Token::Text(text) => Node::Literal(Json::String(text)),
            Token::Number(number) => Node::Literal(serde_json::from_str(&number).map_err(wrong)?),
            Token::Sign("@") => Node::Current,
            Token::Sign("(") => {
                let inner = self.any()?;
                self.expect(")")?;
                inner
            }
            Token::Word(word) => match word.as_str() {
                "true" => Node::Literal(Json::Bool(true)),
                "false" => Node::Literal(Json::Bool(false)),
                "null" => Node::Literal(Json::Null),
                "last" => Node::Last,
                "exists" => {
                    self.expect("(")?;
                    let inner = self.any()?;
                    self.expect(")")?;
                    Node::Test(Test::Exists(Box::new(inner)))
                }
                _ => return Err(unexpected(&Token::Word(word))),
            },
            token => return Err(unexpected(&token)),
        })
    }
}

fn test(node: Node) -> Result<Box<Test>, QueryError> {
    match node {
        Node::Test(test) => Ok(Box::new(test)),
        _ => Err(wrong("a value stands where a predicate must")),
    }
}
