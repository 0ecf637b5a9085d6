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
        in_one_dialect(tokens)
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
        assert_eq!(
            same(
                "CREATE VIEW v AS select a as b from t",
                "create view v as select b from t"
            ),
            Some(false)
        );
    }
}
