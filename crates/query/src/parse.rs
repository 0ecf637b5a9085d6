//! SQL text to sqlparser's tree, with RisingWave's shape of syntax errors.

use sqlparser::ast::{Expr, Ident, Query, Statement};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Whitespace, Word};

mod trim;

use crate::dialect::RisingWaveDialect;

use crate::error::QueryError;

/// One statement.
pub(crate) fn statement(sql: &str) -> Result<Statement, QueryError> {
    let mut statements = Tokenizer::new(&RisingWaveDialect::default(), sql)
        .tokenize_with_location()
        .map_err(|error| syntax(sql, error.into()))
        .and_then(risingwave_tokens)
        .and_then(|tokens| {
            // AT and BEFORE may name tables where nothing is read as of a time.
            let mut words = tokens.iter().map(|t| &t.token);
            let dialect = RisingWaveDialect {
                versions: words.any(|t| matches!(t, Token::Word(w) if is_word(w, "system_time"))),
            };
            Parser::new(&dialect)
                .with_tokens_with_locations(tokens)
                .parse_statements()
                .map_err(|error| syntax(sql, error))
        })?;
    match statements.len() {
        1 => Ok(statements.remove(0)),
        0 => Err(QueryError::Syntax(
            "expected a statement, found: end of input".into(),
        )),
        _ => Err(QueryError::Syntax(
            "expected one statement, found several".into(),
        )),
    }
}

/// One query.
pub(crate) fn query(sql: &str) -> Result<Query, QueryError> {
    match statement(sql)? {
        Statement::Query(query) => Ok(*query),
        other => Err(QueryError::Syntax(format!(
            "expected SELECT, found: {other}"
        ))),
    }
}

/// The query that an SQL function's body is.
pub(crate) fn function_body(sql: &str) -> Result<Query, QueryError> {
    match statement(sql)? {
        Statement::Query(query) => Ok(*query),
        _ => Err(QueryError::invalid_input(
            "failed to parse the input query and extract the udf expression, please recheck the syntax",
        )),
    }
}

/// Stands for the star of `(row).*`, which sqlparser knows after names only.
pub(crate) const ALL_FIELDS: &str = "all fields of a row";

/// Begins the operator that stands for `IS [NOT] JSON [kind]`.
pub(crate) const IS_JSON: &str = "is json ";

/// The function that a lambda is a call of: its parameters, then its body.
pub(crate) const LAMBDA: &str = "lambda |…|";

/// The function around the argument after VARIADIC.
pub(crate) const VARIADIC: &str = "variadic argument";

/// Whether a printed tree has something that stands for RisingWave's own syntax.
pub(crate) fn stands_for_other_syntax(text: &str) -> bool {
    [
        ALL_FIELDS,
        IS_JSON,
        VARIADIC,
        LAMBDA,
        " SEMI JOIN ",
        " GROUPS ",
    ]
    .iter()
    .any(|mark| text.contains(mark))
        || text.contains(DOT)
}

/// What ends with the parentheses that it stands in: lambdas (`|x| x + 1`) and VARIADIC arguments as calls, and session
/// frames (`SESSION WITH GAP x`) as `GROUPS x FOLLOWING`, which is no other frame of any database.
fn last_in_parentheses(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let (mut depth, mut open) = (0_usize, Vec::new());
    let mut at = 0;
    while let Some(next) = tokens.get(at) {
        let span = next.span;
        let push = |out: &mut Vec<TokenWithSpan>, token| out.push(TokenWithSpan { token, span });
        let before = out.iter().rev().map(|t| &t.token).find(|t| !is_blank(t));
        let begins = matches!(before, Some(Token::LParen | Token::Comma));
        let variadic = matches!(&next.token, Token::Word(word) if is_word(word, "variadic"));
        if begins && depth > 0 && variadic {
            push(&mut out, Token::make_word(VARIADIC, Some('"')));
            push(&mut out, Token::LParen);
            open.push((depth, Token::RParen));
            at += 1;
            continue;
        }
        // What a frame does without the words too.
        if depth > 0
            && let Some(taken) = phrase(&tokens[at..], &["exclude", "no", "others"])
        {
            at += taken;
            continue;
        }
        if depth > 0
            && let Some(taken) = phrase(&tokens[at..], &["session", "with", "gap"])
        {
            push(&mut out, Token::make_keyword("GROUPS"));
            open.push((depth, Token::make_keyword("FOLLOWING")));
            at += taken;
            continue;
        }
        if let (true, Some((params, taken))) = (begins, parameters(&tokens[at..])) {
            push(&mut out, Token::make_word(LAMBDA, Some('"')));
            push(&mut out, Token::LParen);
            for param in params {
                push(&mut out, Token::Word(param));
                push(&mut out, Token::Comma);
            }
            open.push((depth, Token::RParen));
            at += taken;
            continue;
        }
        match next.token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => {
                while let Some((_, end)) = open.pop_if(|(at, _)| *at == depth) {
                    push(&mut out, end);
                }
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
        out.push(next.clone());
        at += 1;
    }
    out
}

/// How many tokens these words take at the start of the tokens, if they stand there.
fn phrase(tokens: &[TokenWithSpan], words: &[&str]) -> Option<usize> {
    let mut rest = tokens
        .iter()
        .enumerate()
        .filter(|(_, t)| !is_blank(&t.token));
    let mut taken = 0;
    for word in words {
        let (at, next) = rest.next()?;
        if !matches!(&next.token, Token::Word(found) if is_word(found, word)) {
            return None;
        }
        taken = at + 1;
    }
    Some(taken)
}

/// The names in `|a, b|` at the start of these tokens, and how many tokens that is.
fn parameters(tokens: &[TokenWithSpan]) -> Option<(Vec<Word>, usize)> {
    let mut params = Vec::new();
    let mut rest = tokens
        .iter()
        .enumerate()
        .filter(|(_, t)| !is_blank(&t.token));
    if rest.next()?.1.token != Token::Pipe {
        return None;
    }
    loop {
        let (
            _,
            TokenWithSpan {
                token: Token::Word(param),
                ..
            },
        ) = rest.next()?
        else {
            return None;
        };
        params.push(param.clone());
        match rest.next()? {
            (
                at,
                TokenWithSpan {
                    token: Token::Pipe, ..
                },
            ) => return Some((params, at + 1)),
            (
                _,
                TokenWithSpan {
                    token: Token::Comma,
                    ..
                },
            ) => {}
            _ => return None,
        }
    }
}

/// Joins that RisingWave has beside sqlparser's, as those that it does not have: `ASOF [INNER | LEFT] JOIN` as
/// `[LEFT] SEMI JOIN`.
fn joins(tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>, QueryError> {
    const ASOF: [(&[&str], &[&str]); 3] = [
        (&["asof", "join"], &["SEMI", "JOIN"]),
        (&["asof", "inner", "join"], &["SEMI", "JOIN"]),
        (&["asof", "left", "join"], &["LEFT", "SEMI", "JOIN"]),
    ];
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while let Some(next) = tokens.get(at) {
        for kind in ["semi", "anti"] {
            if phrase(&tokens[at..], &[kind, "join"]).is_some() {
                return Err(QueryError::Syntax(format!(
                    "expected a join, found: {kind} join"
                )));
            }
        }
        let found = ASOF
            .iter()
            .find_map(|(words, join)| Some((phrase(&tokens[at..], words)?, join)));
        let Some((taken, join)) = found else {
            out.push(next.clone());
            at += 1;
            continue;
        };
        let span = next.span;
        for word in *join {
            let token = Token::make_keyword(word);
            out.push(TokenWithSpan { token, span });
            let token = Token::Whitespace(Whitespace::Space);
            out.push(TokenWithSpan { token, span });
        }
        at += taken;
    }
    Ok(out)
}

/// What sqlparser's tokens say otherwise than RisingWave's: `0b101` and `0o17` are numbers, `(row).*` and `IS JSON` are
/// expressions, `struct<…>` and `map(…)` are types, `==` is no operator.
fn risingwave_tokens(tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>, QueryError> {
    refuse_left_out(&tokens)?;
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut tokens = last_in_parentheses(joins(excepted_names(trim::trims(tokens))?)?)
        .into_iter()
        .peekable();
    while let Some(mut next) = tokens.next() {
        if next.token == Token::DoubleEq {
            return Err(QueryError::NotImplemented("binary op: \"==\"".into()));
        }
        let before = |n: usize| out.len().checked_sub(n).map(|i| &out[i].token);
        match (&next.token, before(1)) {
            (Token::Word(word), Some(Token::Number(zero, false)))
                if zero == "0" && word.quote_style.is_none() =>
            {
                let lower = word.value.to_ascii_lowercase();
                let radix = match lower.as_bytes().first() {
                    Some(b'b') => 2,
                    Some(b'o') => 8,
                    _ => 0,
                };
                if radix > 0
                    && let Ok(value) = i64::from_str_radix(&lower[1..].replace('_', ""), radix)
                {
                    out.pop();
                    next.token = Token::Number(value.to_string(), false);
                }
            }
            // A table may be named `map`; only after a cast's sign is it a type.
            (Token::Word(word), _)
                if is_word(word, "struct") || is_word(word, "map") && casts(&out) =>
            {
                let name = word.value.to_lowercase();
                let opens = |t: &Token| match name.as_str() {
                    "map" => matches!(t, Token::LParen),
                    _ => matches!(t, Token::Lt),
                };
                let rest = tokens.clone().map(|t| t.token).filter(|t| !is_blank(t));
                if let Some(text) = type_text(rest, opens) {
                    let mut left = text.1;
                    while left > 0 {
                        left -= usize::from(tokens.next().is_some_and(|t| !is_blank(&t.token)));
                    }
                    next.token = Token::make_word(&format!("{name}{}", text.0), Some('"'));
                }
            }
            (Token::Word(word), _) if is_word(word, "is") => {
                let mut ahead = tokens.clone().map(|t| t.token).filter(|t| !is_blank(t));
                let mut taken = 1;
                let mut kind = String::new();
                let mut first = ahead.next();
                if matches!(&first, Some(Token::Word(w)) if is_word(w, "not")) {
                    kind.push_str("not ");
                    taken += 1;
                    first = ahead.next();
                }
                if matches!(&first, Some(Token::Word(w)) if is_word(w, "json")) {
                    if let Some(Token::Word(w)) = ahead.next()
                        && ["value", "array", "object", "scalar"]
                            .iter()
                            .any(|k| is_word(&w, k))
                    {
                        kind.push_str(&w.value.to_lowercase());
                        taken += 1;
                    }
                    while taken > 0 {
                        taken -= usize::from(tokens.next().is_some_and(|t| !is_blank(&t.token)));
                    }
                    let span = next.span;
                    let operator = Token::make_word(&format!("{IS_JSON}{kind}"), Some('"'));
                    for token in [
                        Token::make_keyword("OPERATOR"),
                        Token::LParen,
                        operator,
                        Token::RParen,
                    ] {
                        out.push(TokenWithSpan { token, span });
                    }
                    next.token = Token::make_keyword("NULL");
                }
            }
            (Token::Mul, Some(Token::Period)) if before(2) == Some(&Token::RParen) => {
                next.token = Token::make_word(ALL_FIELDS, Some('"'));
            }
            _ => {}
        }
        out.push(next);
    }
    Ok(out)
}

/// Between the parts of a name in `* EXCEPT (t.a)`, where the parser has room for one word.
const DOT: char = '\u{1f}';

/// A column of `* EXCEPT`, as an expression.
pub(crate) fn excepted(ident: &Ident) -> Expr {
    let part = |value: &str, quote: Option<char>| Ident {
        value: value.to_owned(),
        quote_style: quote,
        span: ident.span,
    };
    if !ident.value.contains(DOT) {
        return Expr::Identifier(ident.clone());
    }
    let parts = ident.value.split(DOT).map(|value| part(value, Some('"')));
    Expr::CompoundIdentifier(parts.collect())
}

/// The names behind `* EXCEPT (` each as one word.
fn excepted_names(tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>, QueryError> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let mut before = out.iter().rev().filter(|t| !is_blank(&t.token));
        let opens = token.token == Token::LParen
            && matches!(before.next().map(|t| &t.token), Some(Token::Word(w)) if is_word(w, "except"))
            && matches!(before.next().map(|t| &t.token), Some(Token::Mul));
        out.push(token);
        if !opens {
            continue;
        }
        let mut name: Option<(TokenWithSpan, Vec<Word>)> = None;
        while let Some(next) = tokens.next_if(|t| t.token != Token::RParen) {
            match &next.token {
                Token::Word(word) => match &mut name {
                    Some((_, parts)) => parts.push(word.clone()),
                    None => name = Some((next.clone(), vec![word.clone()])),
                },
                Token::Comma => {
                    out.extend(name.take().map(joined));
                    out.push(next);
                }
                Token::Period => {}
                other if is_blank(other) => {}
                _ => return Err(QueryError::bind("Only support column name in except list")),
            }
        }
        out.extend(name.map(joined));
    }
    Ok(out)
}

/// The parts of a name as one word; a name of one part stays as it is.
fn joined((first, parts): (TokenWithSpan, Vec<Word>)) -> TokenWithSpan {
    if parts.len() == 1 {
        return first;
    }
    let folded: Vec<String> = parts
        .iter()
        .map(|part| match part.quote_style {
            Some(_) => part.value.clone(),
            None => part.value.to_lowercase(),
        })
        .collect();
    TokenWithSpan {
        token: Token::make_word(&folded.join(&DOT.to_string()), Some('"')),
        span: first.span,
    }
}

/// Refuses what RisingWave's syntax has and this engine has not.
fn refuse_left_out(tokens: &[TokenWithSpan]) -> Result<(), QueryError> {
    for at in 0..tokens.len() {
        if phrase(&tokens[at..], &["exclude", "current", "row"]).is_some() {
            return Err(QueryError::NotImplemented(
                "a window frame's EXCLUDE CURRENT ROW in the embedded engine".into(),
            ));
        }
    }
    Ok(())
}

/// Whether what comes next is the type of a cast.
fn casts(before: &[TokenWithSpan]) -> bool {
    let last = before.iter().rev().map(|t| &t.token).find(|t| !is_blank(t));
    match last {
        Some(Token::DoubleColon) => true,
        Some(Token::Word(word)) => is_word(word, "as"),
        _ => false,
    }
}

fn is_word(word: &Word, text: &str) -> bool {
    word.quote_style.is_none() && word.value.eq_ignore_ascii_case(text)
}

fn is_blank(token: &Token) -> bool {
    matches!(token, Token::Whitespace(_))
}

/// The text of a type's arguments, `<…>`, and how many tokens it has.
fn type_text(
    tokens: impl Iterator<Item = Token>,
    opens: impl Fn(&Token) -> bool,
) -> Option<(String, usize)> {
    let (mut text, mut depth, mut count) = (String::new(), 0_usize, 0);
    for token in tokens {
        if count == 0 && !opens(&token) {
            return None;
        }
        count += 1;
        depth = match &token {
            Token::Lt | Token::LParen => depth + 1,
            Token::Gt | Token::RParen => depth.checked_sub(1)?,
            Token::ShiftRight => depth.checked_sub(2)?,
            Token::Word(_) | Token::Comma | Token::LBracket | Token::RBracket => depth,
            _ => return None,
        };
        text.push_str(&token.to_string());
        text.push(' ');
        if depth == 0 {
            return Some((text, count));
        }
    }
    None
}

fn syntax(sql: &str, error: ParserError) -> QueryError {
    let message = match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
        ParserError::RecursionLimitExceeded => "the statement is nested too deeply".into(),
    };
    let lower_first = |text: &str| {
        let mut chars = text.chars();
        chars
            .next()
            .map(|first| first.to_lowercase().collect::<String>() + chars.as_str())
            .unwrap_or_default()
    };
    let Some((text, line, column)) = position(&message) else {
        return QueryError::Syntax(lower_first(&message));
    };
    let Some(source) = sql.lines().nth(line.saturating_sub(1)) else {
        return QueryError::Syntax(lower_first(text));
    };
    let prefix = format!("LINE {line}: ");
    let caret = " ".repeat(prefix.len() + column.saturating_sub(1));
    QueryError::Syntax(format!("{}\n{prefix}{source}\n{caret}^", lower_first(text)))
}

/// Splits `… at Line: 1, Column: 8` off a message.
fn position(message: &str) -> Option<(&str, usize, usize)> {
    let (text, place) = message.rsplit_once(" at Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    let column = column.trim_end_matches(|c: char| !c.is_ascii_digit());
    Some((text, line.trim().parse().ok()?, column.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax_errors_show_the_line() {
        let error = statement("SELECT 1,, 2").unwrap_err().to_string();
        assert!(error.starts_with("sql parser error: "), "{error}");
        assert!(error.contains("LINE 1: SELECT 1,, 2\n"), "{error}");
        assert!(error.ends_with('^'), "{error}");
    }
}
