//! The relations that a query text names: where they stand in the text, and the same text with other names there.
//!
//! A stored query names its relations by id (`rw_object."17"`), so that it goes on reading the same object whatever
//! that is called later. The text outside of the names stays byte for byte as it was written.

use std::ops::ControlFlow;

use rwt_sql::{Ident, ObjectName};
use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident as SqlIdent, ObjectName as SqlName, ObjectNamePart,
    Query, Statement, TableFactor, Visit, Visitor,
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
    /// An alias stands behind the name, or the name is an argument of TUMBLE or HOP: columns are not reached by it.
    pub aliased: bool,
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
    let mut text = String::with_capacity(sql.len());
    let mut copied = 0;
    for reference in references(sql) {
        let Some(name) = new_name(&reference) else {
            continue;
        };
        text.push_str(&sql[copied..reference.start]);
        text.push_str(&name.to_string());
        if !reference.aliased && name.name() != reference.name.name() {
            text.push_str(" AS ");
            text.push_str(&Ident::new(reference.name.name()).to_string());
        }
        copied = reference.end;
    }
    text.push_str(&sql[copied..]);
    text
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

    fn add(&mut self, parts: &[SqlIdent], aliased: bool) {
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
            aliased,
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

    fn argument(&mut self, arg: &FunctionArg) {
        if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg {
            match expr {
                Expr::Identifier(ident) => self.add(std::slice::from_ref(ident), true),
                Expr::CompoundIdentifier(parts) => self.add(parts, true),
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
                ..
            } if is_window(name) => {
                if let Some(first) = args.args.first() {
                    self.argument(first);
                }
            }
            TableFactor::Function { args, name, .. } if is_window(name) => {
                if let Some(first) = args.first() {
                    self.argument(first);
                }
            }
            TableFactor::Table {
                name,
                alias,
                args: None,
                ..
            } => self.add(&idents(name), alias.is_some()),
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
            "select * from hop(rw_object.\"17\", ts, interval '1 s', interval '2 s')"
        );
    }

    #[test]
    fn positions_count_characters() {
        let (text, _) = resolve("SELECT 'ünï' FROM t", |_| Some(3));
        assert_eq!(text, "SELECT 'ünï' FROM rw_object.\"3\" AS t");
    }
}
