//! The relations that a query text names: where they stand in the text, and the same text with other names there.
//!
//! A stored query names its relations by id (`rw_object."17"`), so that it goes on reading the same object whatever
//! that is called later. The text outside of the names stays byte for byte as it was written.

use std::collections::HashSet;
use std::ops::ControlFlow;

use rwt_sql::lexer::Lexer;
use rwt_sql::{Ident, ObjectName};
use sqlparser::ast::{
    AccessExpr, Expr, FunctionArg, FunctionArgExpr, Ident as SqlIdent, ObjectName as SqlName,
    ObjectNamePart, Query, Statement, TableAlias, TableFactor, Visit, Visitor,
};
use sqlparser::tokenizer::Location;

use super::ObjectId;

/// The schema under which a stored query names objects by their ids.
pub const BY_ID: &str = "rw_object";

/// A relation's name in a query text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The name.
    pub name: ObjectName,
    /// First byte of the name in the text.
    pub start: usize,
    /// The byte behind it.
    pub end: usize,
    /// Where an alias belongs; none if there is one. What TUMBLE and HOP give is known by the name of their argument, and
    /// the alias stands behind their closing bracket.
    pub alias_at: Option<usize>,
}

/// The relations that a query names, without its own WITH names, in the order of the text. Empty for a text that is
/// not understood here: such a query is refused when it is planned.
pub fn references(sql: &str) -> Vec<Reference> {
    let Ok(statement) = rwt_query::parse_statement(sql) else {
        return Vec::new();
    };
    let mut finder = Finder {
        lines: line_starts(sql),
        sql,
        scopes: Vec::new(),
        found: Vec::new(),
    };
    let _ = Visit::visit(&statement, &mut finder);
    let mut found = finder.found;
    found.sort_by_key(|r: &Reference| r.start);
    found.dedup_by_key(|r| r.start);
    found
}

/// The query with the relations that `find` knows named by id, and their ids.
pub fn resolve(
    sql: &str,
    find: impl Fn(&ObjectName) -> Option<ObjectId>,
) -> (String, Vec<ObjectId>) {
    let mut ids = Vec::new();
    let text = replace(sql, |reference| {
        let id = find(&reference.name)?;
        if !ids.contains(&id) {
            ids.push(id);
        }
        Some(ObjectName(vec![
            Ident::new(BY_ID),
            Ident::new(id.to_string()),
        ]))
    });
    (text, ids)
}

/// The query with other names: a relation whose name changes keeps its old name as its alias.
pub(super) fn replace(
    sql: &str,
    mut new_name: impl FnMut(&Reference) -> Option<ObjectName>,
) -> String {
    let mut edits: Vec<(usize, usize, String)> = Vec::new();
    for reference in references(sql) {
        let Some(name) = new_name(&reference) else {
            continue;
        };
        edits.push((reference.start, reference.end, name.to_string()));
        let old_name = reference.name.name();
        if let Some(at) = reference.alias_at.filter(|_| name.name() != old_name) {
            edits.push((at, at, format!(" AS {}", Ident::new(old_name))));
        }
    }
    edits.sort_by_key(|(start, ..)| *start);
    let mut text = String::with_capacity(sql.len());
    let mut copied = 0;
    for (start, end, new) in edits {
        text.push_str(&sql[copied..start]);
        text.push_str(&new);
        copied = end;
    }
    text.push_str(&sql[copied..]);
    text
}

/// The byte behind the bracket that closes the one which `at` is in.
fn behind_bracket(sql: &str, at: usize) -> Option<usize> {
    let rest = sql.get(at..)?;
    let mut depth = 0_usize;
    for token in Lexer::new(rest) {
        if token.is_symbol(rest, "(") {
            depth += 1;
        } else if token.is_symbol(rest, ")") {
            match depth.checked_sub(1) {
                Some(outer) => depth = outer,
                None => return Some(at + token.span.end),
            }
        }
    }
    None
}

/// Where the alias of a relation stands, or would.
#[derive(Debug, Clone, Copy)]
enum Alias {
    There,
    BehindName,
    BehindBracket,
}

impl Alias {
    fn of(given: Option<&TableAlias>, place: Self) -> Self {
        match given {
            Some(_) => Self::There,
            None => place,
        }
    }
}

struct Finder<'a> {
    sql: &'a str,
    lines: Vec<usize>,
    /// Per open query its WITH names with the byte ranges of their definitions.
    scopes: Vec<Vec<(String, usize, usize)>>,
    found: Vec<Reference>,
}

impl Finder<'_> {
    fn offset(&self, at: Location) -> Option<usize> {
        let line = *self
            .lines
            .get(usize::try_from(at.line).ok()?.checked_sub(1)?)?;
        let column = usize::try_from(at.column).ok()?.checked_sub(1)?;
        let rest = self.sql.get(line..)?;
        let within = rest
            .char_indices()
            .nth(column)
            .map_or(rest.len(), |(i, _)| i);
        Some(line + within)
    }

    fn add(&mut self, parts: &[SqlIdent], alias: Alias) {
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
            return;
        };
        let (Some(start), Some(end)) = (self.offset(first.span.start), self.offset(last.span.end))
        else {
            return;
        };
        if end <= start || (parts.len() == 1 && self.is_with_name(&value(first), start)) {
            return;
        }
        self.found.push(Reference {
            name: ObjectName(parts.iter().map(|p| Ident::new(value(p))).collect()),
            start,
            end,
            alias_at: match alias {
                Alias::There => None,
                Alias::BehindName => Some(end),
                Alias::BehindBracket => behind_bracket(self.sql, end),
            },
        });
    }

    /// A WITH name is seen by the definitions behind its own and by the query itself.
    fn is_with_name(&self, name: &str, at: usize) -> bool {
        self.scopes.iter().any(|scope| {
            let inside = scope
                .iter()
                .position(|(_, start, end)| at >= *start && at < *end);
            scope
                .iter()
                .enumerate()
                .any(|(i, (with, ..))| with == name && inside.is_none_or(|inside| i < inside))
        })
    }

    fn argument(&mut self, arg: &FunctionArg, alias: Option<&TableAlias>) {
        let alias = Alias::of(alias, Alias::BehindBracket);
        if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg {
            match expr {
                Expr::Identifier(ident) => self.add(std::slice::from_ref(ident), alias),
                Expr::CompoundIdentifier(parts) => self.add(parts, alias),
                _ => {}
            }
        }
    }
}

impl Visitor for Finder<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let scope = query.with.as_ref().map_or_else(Vec::new, |with| {
            with.cte_tables
                .iter()
                .filter_map(|cte| {
                    let start = self.offset(cte.alias.name.span.start)?;
                    let end = self.offset(cte.closing_paren_token.0.span.end)?;
                    // a recursive name is seen inside of its own definition too
                    let start = if with.recursive { end } else { start };
                    Some((value(&cte.alias.name), start, end))
                })
                .collect()
        });
        self.scopes.push(scope);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table {
                args: Some(args),
                name,
                alias,
                ..
            } if is_window(name) => {
                if let Some(first) = args.args.first() {
                    self.argument(first, alias.as_ref());
                }
            }
            TableFactor::Function {
                args, name, alias, ..
            } if is_window(name) => {
                if let Some(first) = args.first() {
                    self.argument(first, alias.as_ref());
                }
            }
            TableFactor::Table {
                name,
                alias,
                args: None,
                ..
            } => self.add(&idents(name), Alias::of(alias.as_ref(), Alias::BehindName)),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        match statement {
            Statement::Query(_) => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    }
}

/// The columns that an expression names. A field of a row is none.
pub fn columns_read(expr: &str) -> HashSet<String> {
    let mut names = Columns::default();
    if let Ok(statement) = rwt_query::parse_statement(&format!("SELECT {expr}")) {
        let _ = Visit::visit(&statement, &mut names);
    }
    names.found
}

#[derive(Default)]
struct Columns {
    found: HashSet<String>,
    /// Where names of fields stand.
    fields: Vec<Location>,
}

impl Visitor for Columns {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let name = match expr {
            Expr::Identifier(name) if self.fields.contains(&name.span.start) => None,
            Expr::Identifier(name) => Some(name),
            Expr::CompoundIdentifier(parts) => parts.last(),
            Expr::CompoundFieldAccess { access_chain, .. } => {
                self.fields
                    .extend(access_chain.iter().filter_map(|access| match access {
                        AccessExpr::Dot(Expr::Identifier(field)) => Some(field.span.start),
                        _ => None,
                    }));
                None
            }
            _ => None,
        };
        self.found.extend(name.map(value));
        ControlFlow::Continue(())
    }
}

fn is_window(name: &SqlName) -> bool {
    let name = name.to_string().to_ascii_lowercase();
    name == "tumble" || name == "hop"
}

fn idents(name: &SqlName) -> Vec<SqlIdent> {
    name.0
        .iter()
        .filter_map(|part| match part {
            ObjectNamePart::Identifier(ident) => Some(ident.clone()),
            ObjectNamePart::Function(_) => None,
        })
        .collect()
}

fn value(ident: &SqlIdent) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

fn line_starts(sql: &str) -> Vec<usize> {
    std::iter::once(0)
        .chain(sql.match_indices('\n').map(|(i, _)| i + 1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(sql: &str) -> Vec<String> {
        references(sql).iter().map(|r| r.name.to_string()).collect()
    }

    #[test]
    fn relations_are_found_wherever_a_query_reads() {
        assert_eq!(
            names(
                "WITH a AS (SELECT * FROM \"dev\".\"public\".\"T\"), t AS (SELECT * FROM t JOIN a ON true)\n\
                 SELECT * FROM t, TUMBLE(public.src, ts, INTERVAL '1 MINUTE') w WHERE x IN (SELECT y FROM z)"
            ),
            ["dev.public.\"T\"", "t", "public.src", "z"]
        );
    }

    #[test]
    fn ids_replace_names_and_keep_them_as_aliases() {
        let find = |name: &ObjectName| (name.name() == "t").then_some(17);
        let (text, ids) = resolve(
            "SELECT t.a, x.b FROM public.t\nJOIN t AS x ON true JOIN u ON true",
            find,
        );
        assert_eq!(
            text,
            "SELECT t.a, x.b FROM rw_object.\"17\" AS t\nJOIN rw_object.\"17\" AS x ON true JOIN u ON true"
        );
        assert_eq!(ids, [17]);
        let (text, _) = resolve(
            "select * from hop(t, ts, interval '1 s', interval '2 s')",
            find,
        );
        assert_eq!(
            text,
            "select * from hop(rw_object.\"17\", ts, interval '1 s', interval '2 s') AS t"
        );
        let (text, _) = resolve(
            "select t.a from tumble(t, (ts), interval '1 s') join tumble(public.t, ts, interval '1 s') w on true",
            find,
        );
        assert_eq!(
            text,
            "select t.a from tumble(rw_object.\"17\", (ts), interval '1 s') AS t join tumble(rw_object.\"17\", ts, interval '1 s') w on true"
        );
    }

    #[test]
    fn a_field_and_a_text_are_no_columns() {
        let read = columns_read("(a).t || 'kind' || lower(\"B\")");
        assert_eq!(read, HashSet::from(["a".to_owned(), "B".to_owned()]));
    }

    #[test]
    fn positions_count_characters() {
        let (text, _) = resolve("SELECT 'ünï' FROM t", |_| Some(3));
        assert_eq!(text, "SELECT 'ünï' FROM rw_object.\"3\" AS t");
    }
}
