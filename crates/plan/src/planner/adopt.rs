//! Whether what exists and rwt does not know is what the project wants.

use rwt_sql::lexer::{Lexer, TokenKind};

/// Whether a definition as the server shows it says what the project's statement says, quotes and the names of
/// databases and schemas aside; none if the server shows none.
pub fn same_definition(shown: Option<&str>, create: &str) -> Option<bool> {
    let bare = |sql: &str| -> Vec<String> {
        let sql = crate::desired::without_if_not_exists(sql);
        let sql = rwt_sql::rename(&sql, |mention| {
            let last = mention.name.0.last()?;
            Some(rwt_sql::ObjectName(vec![last.clone()]))
        });
        let mut tokens: Vec<String> = Lexer::new(&sql)
            .filter(|token| !token.kind.is_trivia())
            .map(|token| match token.kind {
                TokenKind::Word | TokenKind::QuotedIdent => token.value(&sql),
                kind if kind.is_string() => format!("'{}", token.value(&sql)),
                _ => token.text(&sql).to_owned(),
            })
            .collect();
        while tokens.last().is_some_and(|token| token == ";") {
            tokens.pop();
        }
        in_one_dialect(with_one_cast(&tokens))
    };
    Some(bare(shown?) == bare(create))
}

/// Tokens without what the server writes in its own way: types by their long names (`CHARACTER VARYING`), and relations
/// that were renamed with their name as an alias (`totals AS totals`).
fn in_one_dialect(tokens: Vec<String>) -> Vec<String> {
    const TYPES: [(&[&str], &str); 14] = [
        (&["character", "varying"], "varchar"),
        (&["string"], "varchar"),
        (&["integer"], "int"),
        (&["int4"], "int"),
        (&["int8"], "bigint"),
        (&["int2"], "smallint"),
        (&["bool"], "boolean"),
        (&["double", "precision"], "double"),
        (&["float8"], "double"),
        (&["float4"], "real"),
        (&["decimal"], "numeric"),
        (&["timestamp", "with", "time", "zone"], "timestamptz"),
        (&["timestamp", "without", "time", "zone"], "timestamp"),
        (&["time", "without", "time", "zone"], "time"),
    ];
    let mut out: Vec<String> = Vec::with_capacity(tokens.len());
    let mut rest = tokens.as_slice();
    while let [first, after @ ..] = rest {
        if let [word, alias, ..] = after
            && word == "as"
            && alias == first
        {
            out.push(first.clone());
            rest = &after[2..];
            continue;
        }
        let found = TYPES.iter().find(|(words, _)| {
            rest.len() >= words.len() && words.iter().zip(rest).all(|(word, token)| word == token)
        });
        match found {
            Some((words, short)) => {
                out.push((*short).to_owned());
                rest = &rest[words.len()..];
            }
            None => {
                out.push(first.clone());
                rest = after;
            }
        }
    }
    out
}

/// `CAST(a AS t)` as `a::t`, which the server writes the other way round. What is more than a name, a call or brackets
/// keeps its brackets.
fn with_one_cast(tokens: &[String]) -> Vec<String> {
    let mut out = Vec::with_capacity(tokens.len());
    let mut rest = tokens;
    while let [first, after @ ..] = rest {
        let cast = (first == "cast").then(|| cast_in_brackets(after)).flatten();
        let Some((value, data_type, behind)) = cast else {
            out.push(first.clone());
            rest = after;
            continue;
        };
        let value = with_one_cast(value);
        if is_primary(&value) {
            out.extend(value);
        } else {
            out.push("(".to_owned());
            out.extend(value);
            out.push(")".to_owned());
        }
        out.push("::".to_owned());
        out.extend(data_type.iter().cloned());
        rest = behind;
    }
    out
}

/// The value and the type of `(value AS type)`, and what is behind it.
fn cast_in_brackets(tokens: &[String]) -> Option<(&[String], &[String], &[String])> {
    let end = closing(tokens)?;
    let mut depth = 0_usize;
    let mut place = None;
    for (index, token) in tokens[..end].iter().enumerate() {
        match token.as_str() {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            "as" if depth == 1 => place = Some(index),
            _ => {}
        }
    }
    let place = place?;
    Some((
        &tokens[1..place],
        &tokens[place + 1..end],
        &tokens[end + 1..],
    ))
}

/// Where the bracket closes with which the tokens begin.
fn closing(tokens: &[String]) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "(" => depth += 1,
            ")" => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return (token == ")").then_some(index);
        }
    }
    None
}

/// Whether `::` behind the tokens is about all of them.
fn is_primary(tokens: &[String]) -> bool {
    let is_name =
        |token: &String| token.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '\'');
    let names = tokens
        .iter()
        .take_while(|token| is_name(token) || *token == ".")
        .count();
    let (names, rest) = tokens.split_at(names);
    let is_one_name = names.len() % 2 == usize::from(!names.is_empty())
        && names.iter().skip(1).step_by(2).all(|token| token == ".");
    match rest {
        [] => is_one_name && !names.is_empty(),
        [first, ..] if first == "(" => is_one_name && closing(rest) == Some(rest.len() - 1),
        // A cast of a cast.
        [cast, data_type] if cast == "::" => is_one_name && is_name(data_type),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::same_definition;

    #[test]
    fn the_servers_way_of_writing_does_not_make_a_difference() {
        let same = |shown, create| same_definition(Some(shown), create);
        assert_eq!(
            same(
                "CREATE TABLE dev.public.t (id INT PRIMARY KEY, k CHARACTER VARYING, at TIMESTAMP WITH TIME ZONE)",
                "create table \"dev\".\"public\".\"t\" (id integer primary key, k varchar, at timestamptz);",
            ),
            Some(true)
        );
        assert_eq!(
            same(
                "CREATE VIEW public.top AS select * from public.totals AS totals where total > 0",
                "create view if not exists top as select * from totals where total > 0",
            ),
            Some(true)
        );
        for (shown, written) in [
            ("CAST(total AS BIGINT) AS total", "total::bigint as total"),
            ("CAST(t.a AS CHARACTER VARYING)", "t.a::varchar"),
            ("CAST((a + b) AS INT)", "(a + b)::int"),
            ("CAST(sum(a) AS INT)", "sum(a)::integer"),
            ("CAST(CAST(a AS INT) AS BIGINT)", "a::int::bigint"),
            ("CAST('1' AS INT) + 1", "'1'::int + 1"),
            ("CAST(a + b AS INT)", "cast(a + b as int)"),
        ] {
            let shown = format!("CREATE VIEW v AS SELECT {shown} FROM t");
            let written = format!("create view v as select {written} from t");
            assert_eq!(
                same_definition(Some(&shown), &written),
                Some(true),
                "{written}"
            );
        }
        assert_eq!(
            same(
                "CREATE VIEW v AS SELECT CAST(a + b AS INT) FROM t",
                "create view v as select a + b::int from t"
            ),
            Some(false)
        );
        assert_eq!(
            same(
                "CREATE VIEW v AS select a as b from t",
                "create view v as select b from t"
            ),
            Some(false)
        );
    }
}
