//! Where a statement names relations, so that other names can be written there: the object that it is about, what it
//! reads, what it writes to.

use crate::lexer::{Lexer, Span, Token, TokenKind};
use crate::relations::reads;
use crate::{Ident, ObjectName};

/// A place in a statement that names a relation.
#[derive(Debug, Clone, PartialEq)]
pub struct Mention {
    /// The name as written.
    pub name: ObjectName,
    /// Its bytes.
    pub span: Span,
    /// What the statement has to do with it.
    pub role: Role,
    /// Where an alias must be written so that a query's columns can go on calling the relation by its old name; `None`
    /// where there is an alias, or none can be.
    pub alias_at: Option<usize>,
}

/// What a statement has to do with a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// It creates, changes or drops it, grants rights on it or describes it.
    Subject,
    /// It reads it, or orders its backfill.
    Read,
    /// A sink writes into it.
    Target,
}

/// All places, in the order of the text. Names of common table expressions and functions are none; nor are connections
/// and secrets in options.
pub fn mentions(sql: &str) -> Vec<Mention> {
    let tokens: Vec<Token> = Lexer::new(sql)
        .filter(|token| !token.kind.is_trivia())
        .collect();
    let mut finder = Finder {
        sql,
        tokens,
        at: 0,
        found: Vec::new(),
    };
    finder.statement();
    finder.found.sort_by_key(|mention| mention.span.start);
    finder.found
}

/// The statement with other names: `other` gets each place and returns the name to write there, or `None` to leave it.
/// A relation of a query keeps its old name as alias, as RisingWave itself writes it after a swap.
pub fn rename(sql: &str, mut other: impl FnMut(&Mention) -> Option<ObjectName>) -> String {
    let mut edits: Vec<(Span, String)> = Vec::new();
    for mention in mentions(sql) {
        let Some(name) = other(&mention) else {
            continue;
        };
        if let Some(at) = mention.alias_at
            && name.name() != mention.name.name()
        {
            let alias = format!(" AS {}", Ident::new(mention.name.name()));
            edits.push((Span { start: at, end: at }, alias));
        }
        edits.push((mention.span, name.to_string()));
    }
    edits.sort_by_key(|(span, _)| (span.start, span.end));
    let mut out = String::with_capacity(sql.len());
    let mut at = 0;
    for (span, text) in edits {
        out.push_str(&sql[at..span.start]);
        out.push_str(&text);
        at = span.end;
    }
    out.push_str(&sql[at..]);
    out
}

struct Finder<'a> {
    sql: &'a str,
    tokens: Vec<Token>,
    at: usize,
    found: Vec<Mention>,
}

impl Finder<'_> {
    fn is(&self, n: usize, word: &str) -> bool {
        self.tokens
            .get(self.at + n)
            .is_some_and(|token| token.is_word(self.sql, word))
    }

    fn symbol(&self, n: usize, symbol: &str) -> bool {
        self.tokens
            .get(self.at + n)
            .is_some_and(|token| token.is_symbol(self.sql, symbol))
    }

    fn is_name(&self) -> bool {
        self.tokens
            .get(self.at)
            .is_some_and(|token| matches!(token.kind, TokenKind::Word | TokenKind::QuotedIdent))
    }

    /// Steps over these words, if they come next.
    fn take(&mut self, words: &[&str]) -> bool {
        let found = words.iter().enumerate().all(|(n, word)| self.is(n, word));
        if found {
            self.at += words.len();
        }
        found
    }

    fn statement(&mut self) {
        if self.take(&["replace", "sink"]) {
            self.name(Role::Subject);
            self.sink();
        } else if self.take(&["create"]) {
            self.take(&["or", "replace"]);
            self.create();
        } else if self.take(&["drop"]) || self.take(&["alter"]) {
            self.kind();
            if !self.take(&["if", "exists"]) {
                self.take(&["if", "not", "exists"]);
            }
            self.name(Role::Subject);
        } else if self.take(&["grant"]) || self.take(&["revoke"]) {
            self.rights();
        } else if self.take(&["comment", "on"]) {
            let column = self.take(&["column"]);
            if !column {
                self.kind();
            }
            self.described(column);
        } else {
            self.query();
        }
    }

    /// The words of an object's kind; which one it is.
    fn kind(&mut self) -> &'static str {
        if self.take(&["materialized", "view"]) {
            return "view";
        }
        let kinds = [
            "view",
            "table",
            "source",
            "sink",
            "index",
            "subscription",
            "connection",
            "secret",
            "function",
            "schema",
        ];
        kinds
            .into_iter()
            .find(|word| self.take(&[word]))
            .unwrap_or("")
    }

    fn create(&mut self) {
        let kind = self.kind();
        self.take(&["if", "not", "exists"]);
        match kind {
            "sink" => {
                self.name(Role::Subject);
                self.sink();
            }
            "subscription" => {
                self.name(Role::Subject);
                if self.take(&["from"]) {
                    self.name(Role::Read);
                }
            }
            "index" => {
                self.name(Role::Subject);
                if self.take(&["on"]) {
                    self.name(Role::Read);
                }
            }
            "view" | "table" => {
                self.name(Role::Subject);
                self.backfill_order();
                self.cdc_source();
                self.query();
            }
            "" => {}
            _ => self.name(Role::Subject),
        }
    }

    /// `[INTO table [(…)]] FROM relation | AS query`
    fn sink(&mut self) {
        if self.take(&["into"]) {
            self.name(Role::Target);
            if self.symbol(0, "(") {
                while self.at < self.tokens.len() && !self.symbol(0, ")") {
                    self.at += 1;
                }
                self.at += 1;
            }
        }
        if self.take(&["from"]) {
            self.name(Role::Read);
        } else {
            self.query();
        }
    }

    /// The names in `backfill_order = FIXED(a -> b, …)`.
    fn backfill_order(&mut self) {
        let start = self.at;
        while self.at < self.tokens.len() && !self.is(0, "as") {
            if self.take(&["backfill_order"]) && self.symbol(0, "=") {
                self.at += 1;
                if self.take(&["fixed"]) {
                    self.at += 1;
                    while self.is_name() {
                        self.name(Role::Read);
                        self.at += 1;
                    }
                }
                break;
            }
            self.at += 1;
        }
        self.at = start;
    }

    /// `FROM source TABLE 'name'` of a table that a change-data-capture source feeds.
    fn cdc_source(&mut self) {
        let start = self.at;
        let mut depth = 0_usize;
        while self.at < self.tokens.len() && !(depth == 0 && self.is(0, "as")) {
            if self.symbol(0, "(") {
                depth += 1;
            } else if self.symbol(0, ")") {
                depth = depth.saturating_sub(1);
            } else if depth == 0 && self.take(&["from"]) {
                self.name(Role::Read);
                break;
            }
            self.at += 1;
        }
        self.at = start;
    }

    /// `… ON [kind] name, … TO|FROM user`
    fn rights(&mut self) {
        while self.at < self.tokens.len() && !self.is(0, "on") {
            self.at += 1;
        }
        self.at += 1;
        if self.is(0, "all") || self.is(0, "schema") || self.is(0, "database") {
            return;
        }
        self.kind();
        loop {
            self.name(Role::Subject);
            if !self.symbol(0, ",") {
                break;
            }
            self.at += 1;
        }
    }

    /// What COMMENT describes; of a column, its relation.
    fn described(&mut self, column: bool) {
        let before = self.found.len();
        self.name(Role::Subject);
        let Some(mention) = self.found.get_mut(before).filter(|_| column) else {
            return;
        };
        mention.name.0.pop();
        // Column, dot, and the relation's last part before them.
        match self.at.checked_sub(3).and_then(|n| self.tokens.get(n)) {
            Some(token) if !mention.name.0.is_empty() => mention.span.end = token.span.end,
            _ => {
                self.found.pop();
            }
        }
    }

    fn query(&mut self) {
        let reads = reads(self.sql, self.tokens.clone(), self.at);
        self.found.extend(reads.into_iter().map(|read| Mention {
            name: read.name,
            span: read.span,
            role: Role::Read,
            alias_at: read.alias_at,
        }));
        self.at = self.tokens.len();
    }

    /// A dotted name.
    fn name(&mut self, role: Role) {
        let start = self.at;
        let mut parts = Vec::new();
        while self.is_name() {
            parts.push(Ident::new(self.tokens[self.at].value(self.sql)));
            self.at += 1;
            if !self.symbol(0, ".") {
                break;
            }
            self.at += 1;
        }
        if parts.is_empty() {
            return;
        }
        self.found.push(Mention {
            name: ObjectName(parts),
            span: Span {
                start: self.tokens[start].span.start,
                end: self.tokens[self.at - 1].span.end,
            },
            role,
            alias_at: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every name `x` written as `n.x_new`.
    fn renamed(sql: &str) -> String {
        rename(sql, |mention| {
            let name = format!("{}_new", mention.name.name());
            Some(ObjectName(vec![Ident::new("n"), Ident::new(name)]))
        })
    }

    #[test]
    fn queries_keep_the_old_name_as_alias() {
        let cases = [
            (
                "create materialized view if not exists \"dev\".\"p\".\"v\" as select a.x, t from p.a where a.x in (select x from b y)",
                "create materialized view if not exists n.v_new as select a.x, t from n.a_new AS a where a.x in (select x from n.b_new y)",
            ),
            (
                "create view v as with c as (select * from a) select * from c join b as z on true, d",
                "create view n.v_new as with c as (select * from n.a_new AS a) select * from c join n.b_new as z on true, n.d_new AS d",
            ),
            (
                "create view v as select a.x from tumble(a, ts, interval '1 minute') where a.x > 1",
                "create view n.v_new as select a.x from tumble(n.a_new, ts, interval '1 minute') AS a where a.x > 1",
            ),
            (
                "create view v as select * from hop(a, ts, i, j) as w",
                "create view n.v_new as select * from hop(n.a_new, ts, i, j) as w",
            ),
            (
                "create view v as select * from a join b for system_time as of proctime() on a.x = b.x",
                "create view n.v_new as select * from n.a_new AS a join n.b_new for system_time as of proctime() AS b on a.x = b.x",
            ),
            (
                "create view v as select * from a left join b for system_time as of proctime() as c on true",
                "create view n.v_new as select * from n.a_new AS a left join n.b_new for system_time as of proctime() as c on true",
            ),
        ];
        for (sql, expected) in cases {
            assert_eq!(renamed(sql), expected);
            crate::parse_statement(&renamed(sql)).expect("parses");
        }
    }

    #[test]
    fn other_statements_name_relations_without_alias() {
        let cases = [
            (
                "create sink s into t (a, b) from v with (type = 'append-only')",
                "create sink n.s_new into n.t_new (a, b) from n.v_new with (type = 'append-only')",
            ),
            (
                "create sink s as select * from v with (connector = 'blackhole')",
                "create sink n.s_new as select * from n.v_new AS v with (connector = 'blackhole')",
            ),
            (
                "REPLACE SINK s FROM v WITH (connector = 'kafka')",
                "REPLACE SINK n.s_new FROM n.v_new WITH (connector = 'kafka')",
            ),
            (
                "create subscription s from v with (retention = '1D')",
                "create subscription n.s_new from n.v_new with (retention = '1D')",
            ),
            (
                "create index if not exists \"i\" on \"p\".\"v\" (a) include (b)",
                "create index if not exists n.i_new on n.v_new (a) include (b)",
            ),
            (
                "create table t (a int primary key) from pg table 'public.t'",
                "create table n.t_new (a int primary key) from n.pg_new table 'public.t'",
            ),
            (
                "grant select, insert on materialized view \"dev\".\"p\".\"v\" to \"a\"",
                "grant select, insert on materialized view n.v_new to \"a\"",
            ),
            (
                "comment on column p.v.c is 'x'",
                "comment on column n.v_new.c is 'x'",
            ),
            (
                "comment on table p.v is 'x'",
                "comment on table n.v_new is 'x'",
            ),
            (
                "create materialized view v with (backfill_order = FIXED(a -> p.b)) as select 1 from a join p.b on true",
                "create materialized view n.v_new with (backfill_order = FIXED(n.a_new -> n.b_new)) as select 1 from n.a_new AS a join n.b_new AS b on true",
            ),
            (
                "create source s (a int, ts timestamp as f(a)) with (connector = 'kafka') format plain encode json",
                "create source n.s_new (a int, ts timestamp as f(a)) with (connector = 'kafka') format plain encode json",
            ),
        ];
        for (sql, expected) in cases {
            assert_eq!(renamed(sql), expected);
        }
    }

    #[test]
    fn only_what_is_asked_for_is_renamed() {
        let sql = "create view v as select from_a, 'from a' from a -- from a";
        let out = rename(sql, |mention| {
            (mention.name.name() == "a").then(|| ObjectName(vec![Ident::new("b")]))
        });
        assert_eq!(
            out,
            "create view v as select from_a, 'from a' from b AS a -- from a"
        );
    }
}
