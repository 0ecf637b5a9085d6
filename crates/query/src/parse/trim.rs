//! The shapes of TRIM that RisingWave reads and sqlparser does not: `trim(leading from x)`, `trim(x, chars)`.

use sqlparser::tokenizer::{Token, TokenWithSpan, Whitespace, Word};

use super::{is_blank, is_word};

/// All calls of TRIM as `trim([side] [chars from] x)`.
pub(super) fn trims(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let calls = tokens
        .iter()
        .any(|t| matches!(&t.token, Token::Word(w) if is_word(w, "trim")));
    if calls { within(&tokens) } else { tokens }
}

fn within(tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    let mut out = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while let Some(next) = tokens.get(at) {
        out.push(next.clone());
        at += 1;
        let qualified = matches!(
            out.iter().rev().nth(1).map(|t| &t.token),
            Some(Token::Period)
        );
        if qualified || !word(next).is_some_and(|w| is_word(w, "trim")) {
            continue;
        }
        let open = at + blanks(&tokens[at..]);
        let Some(length) = tokens.get(open..).and_then(in_parentheses) else {
            continue;
        };
        out.extend_from_slice(&tokens[at..=open]);
        out.extend(arguments(&within(&tokens[open + 1..open + length])));
        at = open + length;
    }
    out
}

/// What stands in the parentheses of a call.
fn arguments(tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    let mut out = Vec::with_capacity(tokens.len());
    let mut rest = &tokens[blanks(tokens)..];
    let is = |tokens: &[TokenWithSpan], names: &[&str]| {
        let found = tokens.first().and_then(word);
        found.is_some_and(|w| names.iter().any(|name| is_word(w, name)))
    };
    if is(rest, &["both", "leading", "trailing"]) && blanks(&rest[1..]) + 1 < rest.len() {
        let behind = 1 + blanks(&rest[1..]);
        out.extend_from_slice(&rest[..behind]);
        rest = &rest[behind..];
    }
    if is(rest, &["from"]) {
        rest = &rest[1..];
    }
    let top = |found: &dyn Fn(&TokenWithSpan) -> bool| {
        let mut depth = 0_usize;
        rest.iter().position(|t| {
            match t.token {
                Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
                Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && found(t)
        })
    };
    let comma = top(&|t| t.token == Token::Comma);
    let from = top(&|t| word(t).is_some_and(|w| is_word(w, "from")));
    let (Some(comma), None) = (comma, from) else {
        out.extend_from_slice(rest);
        return out;
    };
    let (value, chars) = (&rest[..comma], &rest[comma + 1..]);
    let span = rest[comma].span;
    let space = Token::Whitespace(Whitespace::Space);
    out.extend_from_slice(chars);
    for token in [space.clone(), Token::make_keyword("FROM"), space] {
        out.push(TokenWithSpan { token, span });
    }
    out.extend_from_slice(value);
    out
}

fn word(token: &TokenWithSpan) -> Option<&Word> {
    match &token.token {
        Token::Word(word) => Some(word),
        _ => None,
    }
}

fn blanks(tokens: &[TokenWithSpan]) -> usize {
    tokens.iter().take_while(|t| is_blank(&t.token)).count()
}

/// Where the parenthesis that opens here is closed.
fn in_parentheses(tokens: &[TokenWithSpan]) -> Option<usize> {
    if tokens.first()?.token != Token::LParen {
        return None;
    }
    let mut depth = 0_usize;
    tokens.iter().position(|t| {
        match t.token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ => {}
        }
        depth == 0
    })
}
