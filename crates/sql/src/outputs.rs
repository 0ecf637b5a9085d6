//! The columns that a query gives, as far as its text alone tells their names.

use crate::lexer::{Token, tokenize};
use crate::token::TokenKind;

/// The names of a query's columns, in order: of each, `None` where only a database could tell it (an expression without
/// `as`). `None` altogether where even their number is not in the text (`*`, something that is no query). Names are as
/// the database keeps them: folded to lower case unless quoted. Of a UNION the first query counts.
pub fn output_columns(sql: &str) -> Option<Vec<Option<String>>> {
    let tokens: Vec<Token> = tokenize(sql)
        .into_iter()
        .filter(|token| !token.kind.is_trivia())
        .collect();
    let mut at = select(sql, &tokens)? + 1;
    match tokens.get(at)? {
        token if token.is_word(sql, "all") => at += 1,
        token if token.is_word(sql, "distinct") => {
            at += 1;
            if tokens.get(at)?.is_word(sql, "on") {
                at = closing(sql, &tokens, at + 1)? + 1;
            }
        }
        _ => {}
    }
    let mut columns = Vec::new();
    let mut start = at;
    let mut depth = 0_usize;
    loop {
        let token = tokens.get(at);
        let ends = depth == 0 && token.is_none_or(|token| ends_list(sql, token));
        let comma = depth == 0 && token.is_some_and(|token| token.is_symbol(sql, ","));
        if ends || comma {
            columns.push(column(sql, tokens.get(start..at)?)?);
            if ends {
                return Some(columns);
            }
            start = at + 1;
        }
        match token.map(|token| token.text(sql)) {
            Some("(" | "[" | "{") => depth += 1,
            Some(")" | "]" | "}") => depth = depth.checked_sub(1)?,
            _ => {}
        }
        at += 1;
    }
}

/// The first SELECT that is not inside of parentheses.
fn select(sql: &str, tokens: &[Token]) -> Option<usize> {
    let first = tokens.first()?;
    if !first.is_word(sql, "select") && !first.is_word(sql, "with") {
        return None;
    }
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.text(sql) {
            "(" => depth += 1,
            ")" => depth = depth.checked_sub(1)?,
            _ if depth == 0 && token.is_word(sql, "select") => return Some(at),
            _ => {}
        }
    }
    None
}

/// The parenthesis that closes the one at `open`.
fn closing(sql: &str, tokens: &[Token], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text(sql) {
            "(" => depth += 1,
            ")" => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// Whether a word ends the list of a SELECT.
fn ends_list(sql: &str, token: &Token) -> bool {
    const WORDS: [&str; 12] = [
        "from",
        "where",
        "group",
        "having",
        "window",
        "union",
        "intersect",
        "except",
        "order",
        "limit",
        "offset",
        "fetch",
    ];
    token.is_symbol(sql, ";") || WORDS.iter().any(|word| token.is_word(sql, word))
}

/// The name of one item; `None` for `*`, which is any number of columns.
fn column(sql: &str, item: &[Token]) -> Option<Option<String>> {
    let is_name = |token: &Token| matches!(token.kind, TokenKind::Word | TokenKind::QuotedIdent);
    let last = item.last()?;
    if last.is_symbol(sql, "*") || item.iter().any(|token| token.is_word(sql, "except")) {
        return None;
    }
    let plain = item.iter().enumerate().all(|(i, token)| {
        if i % 2 == 0 {
            is_name(token)
        } else {
            token.is_symbol(sql, ".")
        }
    });
    let aliased = item.len() > 1 && is_name(last) && item[item.len() - 2].is_word(sql, "as");
    let constant = ["true", "false", "null"]
        .iter()
        .any(|word| last.is_word(sql, word));
    let known = aliased
        || plain
            && item.len() % 2 == 1
            && !constant
            && !(item.len() == 1 && is_function(sql, last));
    Some(known.then(|| last.value(sql)))
}

/// Words that are calls without parentheses.
fn is_function(sql: &str, token: &Token) -> bool {
    token.kind == TokenKind::Word && token.text(sql).to_lowercase().starts_with("current_")
        || token.is_word(sql, "localtimestamp")
        || token.is_word(sql, "localtime")
}

#[cfg(test)]
mod tests {
    use super::output_columns;

    fn names(sql: &str) -> Option<Vec<String>> {
        let columns = output_columns(sql)?;
        Some(
            columns
                .into_iter()
                .map(|name| name.unwrap_or_else(|| "?".to_owned()))
                .collect(),
        )
    }

    #[test]
    fn names_that_the_text_tells() {
        let all = |sql: &str| names(sql).expect("columns").join(" ");
        assert_eq!(
            all("select a, t.B, f(x, y) as \"C d\", 1 + 2 from t"),
            "a b C d ?"
        );
        assert_eq!(
            all("with x as (select 1 as i) select i as n, (select 2) from x"),
            "n ?"
        );
        assert_eq!(
            all("select distinct on (a, b) a, c::int as d, true union select 1, 2"),
            "a d ?"
        );
        assert_eq!(
            all("SELECT CASE WHEN a THEN b END AS e -- , z\n, current_date"),
            "e ?"
        );
        assert_eq!(all("select cast(x as int)"), "?");
        assert_eq!(
            all("select interval '1 day' as step, array[1, 2] as list;"),
            "step list"
        );
    }

    #[test]
    fn what_only_a_database_can_tell() {
        for sql in [
            "select * from t",
            "select a, t.* from t",
            "values (1)",
            "create table t (a int)",
            "",
            "select",
        ] {
            assert_eq!(names(sql), None, "{sql}");
        }
    }
}
