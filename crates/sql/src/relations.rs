//! Which relations a statement reads, found by its tokens alone, so that it works for every query that RisingWave
//! knows and for those that no parser of ours reads.

use std::mem;

use crate::lexer::{Lexer, Span, Token, TokenKind};
use crate::statement::{SinkFrom, Statement};
use crate::{Ident, ObjectName};

/// A place in a query that names a relation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Read {
    /// The name as written.
    pub name: ObjectName,
    /// Its bytes.
    pub span: Span,
    /// Where an alias may be written; `None` where one is.
    pub alias_at: Option<usize>,
}

/// The relations that a query or a data change reads: behind FROM and JOIN, as first argument of TUMBLE and HOP, in
/// sub-queries; each once, in the order of the text. Names of common table expressions, table functions and the target
/// of a data change are none.
pub fn relations_read(sql: &str) -> Vec<ObjectName> {
    let tokens: Vec<Token> = Lexer::new(sql)
        .filter(|token| !token.kind.is_trivia())
        .collect();
    let mut found: Vec<ObjectName> = Vec::new();
    for read in reads(sql, tokens, 0) {
        if !found.contains(&read.name) {
            found.push(read.name);
        }
    }
    found
}

/// Every place that names a relation, in the order of the text, from token `from` on; `tokens` has no trivia.
pub(crate) fn reads(sql: &str, tokens: Vec<Token>, from: usize) -> Vec<Read> {
    let mut search = Search {
        sql,
        tokens,
        at: from,
        levels: vec![Level::default()],
        found: Vec::new(),
    };
    while search.at < search.tokens.len() {
        search.step();
    }
    search.found
}

impl Statement {
    /// The relations that the statement reads once or all the time: those of its query, what a sink, a subscription or
    /// an index is made from, the source of a change-data-capture table.
    pub fn relations_read(&self) -> Vec<ObjectName> {
        match self {
            Self::Query(text) | Self::Dml { text, .. } => relations_read(text),
            Self::CreateView(view) => relations_read(&view.query),
            Self::CreateMaterializedView(view) => relations_read(&view.query),
            Self::CreateTable(table) => match (&table.query, &table.cdc) {
                (Some(query), _) => relations_read(query),
                (None, Some(cdc)) => vec![cdc.source.clone()],
                (None, None) => Vec::new(),
            },
            Self::CreateSink(sink) => match &sink.from {
                SinkFrom::Relation(name) => vec![name.clone()],
                SinkFrom::Query(query) => relations_read(query),
            },
            Self::CreateIndex(index) => vec![index.table.clone()],
            Self::CreateSubscription(subscription) => vec![subscription.from.clone()],
            Self::Explain { text, .. } => crate::parse_statement(text)
                .map_or_else(|_| relations_read(text), |inner| inner.relations_read()),
            _ => Vec::new(),
        }
    }
}

/// What is known between two brackets, or outside of all.
#[derive(Debug, Default)]
struct Level {
    /// A SELECT was seen, so that FROM is its clause and not a part of `extract(… FROM …)`.
    selects: bool,
    /// In a list of relations, where a comma or a JOIN brings the next one.
    in_from: bool,
    /// A relation comes next.
    expects_relation: bool,
    /// Names of the common table expressions defined here.
    ctes: Vec<String>,
    /// A WITH list goes on, so that a comma brings the next expression.
    in_with: bool,
    /// RECURSIVE was said, so that an expression sees itself.
    recursive: bool,
    /// The expression whose query the next brackets hold.
    defines: Option<String>,
    /// The brackets of TUMBLE or HOP: the alias of what they read stands behind them.
    window: bool,
    /// The place in [`Search::found`] of the relation that they read.
    reads: Option<usize>,
}

/// Words that may stand behind a relation and are no alias.
#[rustfmt::skip]
const BEHIND_RELATION: [&str; 31] = [
    "asof", "cross", "emit", "except", "fetch", "for", "format", "from", "full", "group", "having", "inner",
    "intersect", "join", "lateral", "left", "limit", "natural", "offset", "on", "order", "outer", "returning", "right",
    "set", "tablesample", "union", "using", "where", "window", "with",
];

struct Search<'a> {
    sql: &'a str,
    tokens: Vec<Token>,
    at: usize,
    levels: Vec<Level>,
    found: Vec<Read>,
}

impl Search<'_> {
    fn nth(&self, n: usize) -> Option<Token> {
        self.tokens.get(self.at + n).copied()
    }

    fn nth_is(&self, n: usize, symbol: &str) -> bool {
        self.nth(n)
            .is_some_and(|token| token.is_symbol(self.sql, symbol))
    }

    fn is_word(&self, words: &[&str]) -> bool {
        self.nth(0)
            .is_some_and(|token| words.iter().any(|word| token.is_word(self.sql, word)))
    }

    fn is_name(&self, n: usize) -> bool {
        self.nth(n)
            .is_some_and(|token| matches!(token.kind, TokenKind::Word | TokenKind::QuotedIdent))
    }

    /// The innermost level; there is always one.
    fn level(&mut self) -> &mut Level {
        if self.levels.is_empty() {
            self.levels.push(Level::default());
        }
        let last = self.levels.len() - 1;
        &mut self.levels[last]
    }

    fn step(&mut self) {
        if self.nth_is(0, "(") {
            let outer = self.level();
            let expects_relation = mem::take(&mut outer.expects_relation);
            self.levels.push(Level {
                expects_relation,
                in_from: expects_relation,
                ..Level::default()
            });
        } else if self.nth_is(0, ")") {
            self.close();
        } else if self.nth_is(0, ";") {
            self.levels.clear();
        } else if self.nth_is(0, ",") {
            let level = self.level();
            level.expects_relation = level.in_from;
            if level.in_with && self.common_table(1) {
                return;
            }
        } else if self.is_word(&["with"]) && self.common_tables() {
            return;
        } else if self.is_word(&["select"]) {
            let level = self.level();
            *level = Level {
                selects: true,
                ctes: mem::take(&mut level.ctes),
                ..Level::default()
            };
        } else if self.is_word(&["from"]) {
            let distinct = self.at > 0 && self.tokens[self.at - 1].is_word(self.sql, "distinct");
            let level = self.level();
            if level.selects && !distinct {
                level.in_from = true;
                level.expects_relation = true;
            }
        } else if self.is_word(&["join"]) {
            let level = self.level();
            level.expects_relation = level.in_from;
        } else if self.is_word(&[
            "where",
            "group",
            "having",
            "order",
            "limit",
            "offset",
            "fetch",
            "union",
            "except",
            "intersect",
            "window",
            "emit",
            "returning",
        ]) {
            let level = self.level();
            level.in_from = false;
            level.expects_relation = false;
        } else if self.is_name(0)
            && self.level().expects_relation
            && !self.is_word(&["lateral", "only"])
        {
            self.relation();
            return;
        }
        self.at += 1;
    }

    /// A closing bracket: an expression of a WITH list is known from here on.
    fn close(&mut self) {
        let closed = self.levels.pop();
        if let Some(Level {
            window: true,
            reads: Some(read),
            ..
        }) = closed
        {
            self.found[read].alias_at = self.alias_at(self.at + 1);
        }
        let level = self.level();
        if let Some(name) = level.defines.take() {
            level.ctes.push(name);
        }
    }

    /// A relation's name, a window function over one, or another table function.
    fn relation(&mut self) {
        self.level().expects_relation = false;
        if self.is_word(&["tumble", "hop"]) && self.nth_is(1, "(") {
            self.levels.push(Level {
                expects_relation: true,
                window: true,
                ..Level::default()
            });
            self.at += 2;
            return;
        }
        let start = self.at;
        let mut parts = Vec::new();
        while let Some(token) = self.nth(0).filter(|_| self.is_name(0)) {
            parts.push(Ident::new(token.value(self.sql)));
            self.at += 1;
            if !(self.nth_is(0, ".") && self.is_name(1)) {
                break;
            }
            self.at += 1;
        }
        let name = ObjectName(parts);
        let is_cte = name.0.len() == 1
            && self
                .levels
                .iter()
                .any(|level| level.ctes.iter().any(|cte| cte == name.name()));
        if !is_cte && !self.nth_is(0, "(") {
            let number = self.found.len();
            let level = self.level();
            let in_window = level.window;
            if in_window {
                level.reads = Some(number);
            }
            let span = Span {
                start: self.tokens[start].span.start,
                end: self.tokens[self.at - 1].span.end,
            };
            let alias_at = (!in_window).then(|| self.alias_at(self.at)).flatten();
            self.found.push(Read {
                name,
                span,
                alias_at,
            });
        }
    }

    /// Where an alias may be written for what ends before token `at`: behind `FOR SYSTEM_TIME AS OF …`, if that follows.
    fn alias_at(&self, mut at: usize) -> Option<usize> {
        let word = |n: usize, words: &[&str]| {
            self.tokens
                .get(n)
                .is_some_and(|token| words.iter().any(|word| token.is_word(self.sql, word)))
        };
        let as_of = word(at, &["for"])
            && word(at + 1, &["system_time", "system_version"])
            && word(at + 2, &["as"])
            && word(at + 3, &["of"]);
        if as_of {
            at += 5;
            let mut depth = 0_usize;
            // `PROCTIME()`, `NOW() - INTERVAL '1' DAY`, a number or a string.
            while let Some(token) = self.tokens.get(at) {
                if token.is_symbol(self.sql, "(") {
                    depth += 1;
                } else if token.is_symbol(self.sql, ")") && depth > 0 {
                    depth -= 1;
                } else if depth == 0 {
                    let goes_on = token.is_symbol(self.sql, "-")
                        || token.kind.is_string()
                        || word(at, &["interval", "second", "minute", "hour", "day"]);
                    if !goes_on {
                        break;
                    }
                }
                at += 1;
            }
        }
        let before = self.tokens.get(at.checked_sub(1)?)?;
        let is_alias = self.tokens.get(at).is_some_and(|token| match token.kind {
            TokenKind::QuotedIdent => true,
            TokenKind::Word => !word(at, &BEHIND_RELATION),
            _ => false,
        });
        (!is_alias).then_some(before.span.end)
    }

    /// `WITH [RECURSIVE] name …`; false where WITH means something else.
    fn common_tables(&mut self) -> bool {
        let recursive = self
            .nth(1)
            .is_some_and(|token| token.is_word(self.sql, "recursive"));
        self.level().recursive = recursive;
        let found = self.common_table(1 + usize::from(recursive));
        self.level().in_with = found;
        found
    }

    /// `name [(column, …)] AS [NOT] [MATERIALIZED] (` from token `n` on: steps up to the last bracket.
    fn common_table(&mut self, n: usize) -> bool {
        let Some(name) = self
            .nth(n)
            .filter(|_| self.is_name(n))
            .map(|token| token.value(self.sql))
        else {
            return false;
        };
        let mut ahead = n + 1;
        if self.nth_is(ahead, "(") {
            ahead += 1;
            while self.is_name(ahead) || self.nth_is(ahead, ",") {
                ahead += 1;
            }
            if !self.nth_is(ahead, ")") {
                return false;
            }
            ahead += 1;
        }
        let is_word = |n, word| {
            self.nth(n)
                .is_some_and(|token: Token| token.is_word(self.sql, word))
        };
        if !is_word(ahead, "as") {
            return false;
        }
        ahead += 1;
        ahead += usize::from(is_word(ahead, "not"));
        ahead += usize::from(is_word(ahead, "materialized"));
        if !self.nth_is(ahead, "(") {
            return false;
        }
        self.at += ahead;
        let level = self.level();
        if level.recursive {
            level.ctes.push(name);
        } else {
            level.defines = Some(name);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(sql: &str) -> Vec<String> {
        relations_read(sql)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn names_behind_from_and_join() {
        assert_eq!(
            read("SELECT * FROM a, s.b AS x LEFT JOIN \"dev\".\"public\".\"C\" y ON x.i = y.i, d"),
            ["a", "s.b", "dev.public.\"C\"", "d"]
        );
        assert_eq!(
            read("SELECT 1 FROM (a JOIN b USING (x)) JOIN a ON true"),
            ["a", "b"]
        );
    }

    #[test]
    fn window_functions_read_their_first_argument() {
        assert_eq!(
            read(
                "SELECT * FROM TUMBLE(src_page, event_time, INTERVAL '1 MINUTE') p JOIN hop((SELECT * FROM x), t, i, j) ON 1=1"
            ),
            ["src_page", "x"]
        );
        assert_eq!(
            read("SELECT * FROM generate_series(1, 2), unnest(array[1]) u, pg_catalog.f(3)"),
            [""; 0]
        );
    }

    #[test]
    fn common_table_expressions_are_no_relations_where_they_are_known() {
        assert_eq!(
            read(
                "WITH a AS (SELECT * FROM t), b (x, y) AS MATERIALIZED (SELECT * FROM a) SELECT * FROM a JOIN b ON true, c"
            ),
            ["t", "c"]
        );
        // An expression does not know itself, and is unknown outside of its query.
        assert_eq!(read("WITH a AS (SELECT * FROM a) SELECT 1 FROM a"), ["a"]);
        assert_eq!(
            read("SELECT * FROM (WITH a AS (SELECT * FROM t) SELECT * FROM a) x, a"),
            ["t", "a"]
        );
        assert_eq!(
            read("WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT * FROM r, s) SELECT * FROM r"),
            ["s"]
        );
        assert_eq!(
            read("WITH a AS (SELECT 1) SELECT * FROM public.a"),
            ["public.a"]
        );
        assert_eq!(
            read("WITH e AS (SELECT * FROM t) SELECT * FROM TUMBLE(e, ts, INTERVAL '1 m')"),
            ["t"]
        );
    }

    #[test]
    fn from_inside_of_functions_is_no_clause() {
        assert_eq!(
            read(
                "SELECT extract(epoch FROM ts), substring(a FROM 2), x IS DISTINCT FROM y, trim(both from z) FROM t"
            ),
            ["t"]
        );
    }

    #[test]
    fn data_changes_read_their_queries_only() {
        assert_eq!(
            read("INSERT INTO t (a) SELECT a FROM s WHERE EXISTS (SELECT 1 FROM u) -- FROM x"),
            ["s", "u"]
        );
        assert_eq!(
            read("DELETE FROM t WHERE a IN (SELECT a FROM s UNION SELECT b FROM r)"),
            ["s", "r"]
        );
        assert_eq!(read("UPDATE t SET a = (SELECT max(a) FROM s)"), ["s"]);
        assert_eq!(read("INSERT INTO t VALUES (1, ' FROM x ')"), [""; 0]);
    }

    #[test]
    fn statements_know_what_they_read() {
        let read = |sql: &str| -> Vec<String> {
            let statement = crate::parse_statement(sql).expect("the statement parses");
            statement
                .relations_read()
                .iter()
                .map(ToString::to_string)
                .collect()
        };
        assert_eq!(read("CREATE SINK s INTO t FROM a.b"), ["a.b"]);
        assert_eq!(
            read("CREATE SINK s AS SELECT * FROM x WITH (connector = 'blackhole')"),
            ["x"]
        );
        assert_eq!(read("CREATE INDEX i ON t (a)"), ["t"]);
        assert_eq!(
            read("EXPLAIN CREATE MATERIALIZED VIEW v AS SELECT * FROM y EMIT ON WINDOW CLOSE"),
            ["y"]
        );
        assert_eq!(
            read("CREATE TABLE c (a int) FROM pg TABLE 'public.c'"),
            ["pg"]
        );
    }
}
