//! `EMIT ON WINDOW CLOSE`: the query of a view that shows a window only when no row can fall into it any more. It is the
//! view's own query with a condition on its groups: the window ends before the watermark, which lies a fixed time behind
//! the newest row.

use std::ops::ControlFlow;

use rwt_sql::{Ident, ObjectName};
use sqlparser::ast::{
    Expr as Ast, FunctionArg, FunctionArgExpr, GroupByExpr, Query, Select, SelectItem, SetExpr,
    TableFactor, Value, Visit, Visitor,
};

use crate::bind::is_aggregate;
use crate::error::QueryError;
use crate::names::{self, folded};
use crate::parse;
use crate::queries::Queries;
use crate::text;
use crate::value::Interval;

/// The watermark of a table: its column, and how many microseconds it lies behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatermarkOf {
    /// The column with the time.
    pub column: String,
    /// Microseconds behind the newest value.
    pub delay: i64,
}

fn no_watermark() -> QueryError {
    QueryError::Bind(
        "Not supported: Emit-On-Window-Close mode requires a watermark column in GROUP BY.\nHINT: Please try to GROUP BY a \
         watermark column"
            .into(),
    )
}

fn refused() -> QueryError {
    QueryError::NotImplemented(
        "EMIT ON WINDOW CLOSE of anything but groups of one table's windows in the embedded engine"
            .into(),
    )
}

impl Queries {
    /// The query that shows only what is closed. `watermark` knows the tables that have one.
    ///
    /// # Errors
    /// RisingWave's, if no group has a watermark; [`QueryError::NotImplemented`] for queries of other shapes.
    pub fn closed_windows(
        &self,
        sql: &str,
        watermark: &dyn Fn(&ObjectName) -> Option<WatermarkOf>,
    ) -> Result<String, QueryError> {
        let mut query = parse::query(sql)?;
        let text = {
            let select = plain(&query)?;
            let groups = grouped(select)?;
            if groups.is_empty() {
                let condition = closed_rows(select, watermark)?;
                return with_condition(query, &condition);
            }
            let (table, time) = read(select)?;
            let found = watermark(&table).ok_or_else(no_watermark)?;
            let windowed = time.is_some();
            if time.is_some_and(|time| time != found.column) {
                return Err(no_watermark());
            }
            let column = Ident::new(&found.column);
            let mark = mark(&table, &found);
            let named = |name: &str| groups.iter().any(|g| g == name);
            if windowed && (named("window_start") || named("window_end")) {
                format!("max(window_end) <= {mark}")
            } else if named(&found.column) {
                format!("max({column}) < {mark}")
            } else {
                return Err(no_watermark());
            }
        };
        let SetExpr::Select(select) = query.body.as_mut() else {
            return Err(refused());
        };
        let condition = match &select.having {
            Some(having) => format!("({having}) AND {text}"),
            None => text,
        };
        let probe = parse::query(&format!("SELECT 1 HAVING {condition}"))?;
        let SetExpr::Select(probe) = *probe.body else {
            return Err(refused());
        };
        select.having = probe.having;
        Ok(query.to_string())
    }
}

/// The watermark as an expression.
fn mark(table: &ObjectName, found: &WatermarkOf) -> String {
    let delay = text::interval(Interval {
        months: 0,
        days: 0,
        micros: found.delay,
    });
    let column = Ident::new(&found.column);
    format!("(SELECT max({column}) FROM {table}) - INTERVAL '{delay}'")
}

fn no_mode() -> QueryError {
    QueryError::Bind(
        "Not supported: The query cannot be executed in Emit-On-Window-Close mode.\nHINT: Try define a watermark column in \
         the source, or avoid aggregation without GROUP BY"
            .into(),
    )
}

/// The condition on single rows: the first column of the result that has a watermark lies behind it.
fn closed_rows(
    select: &Select,
    watermark: &dyn Fn(&ObjectName) -> Option<WatermarkOf>,
) -> Result<String, QueryError> {
    if select.distinct.is_some() || select.having.is_some() {
        return Err(refused());
    }
    let (table, time) = read(select)?;
    let found = watermark(&table).ok_or_else(no_mode)?;
    let windowed = time.is_some();
    if time.is_some_and(|time| time != found.column) {
        return Err(no_mode());
    }
    if select.projection.iter().any(looks_at_others) {
        return Err(refused());
    }
    let mark = mark(&table, &found);
    let column = Ident::new(&found.column);
    for item in &select.projection {
        let expr = match item {
            SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => {
                return Ok(format!("{column} < {mark}"));
            }
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => expr,
        };
        match column_name(expr) {
            Some(name) if name == found.column => return Ok(format!("{column} < {mark}")),
            Some(name) if windowed && (name == "window_start" || name == "window_end") => {
                return match is_tumble(select) {
                    true => Ok(format!("window_end <= {mark}")),
                    false => Err(refused()),
                };
            }
            Some(_) => {}
            // What is computed of a column with a watermark may have one too.
            None => return Err(refused()),
        }
    }
    Err(no_mode())
}

/// The query with a further condition on its rows.
fn with_condition(mut query: Query, condition: &str) -> Result<String, QueryError> {
    let SetExpr::Select(select) = query.body.as_mut() else {
        return Err(refused());
    };
    let condition = match &select.selection {
        Some(selection) => format!("({selection}) AND {condition}"),
        None => condition.to_owned(),
    };
    let probe = parse::query(&format!("SELECT 1 WHERE {condition}"))?;
    let SetExpr::Select(probe) = *probe.body else {
        return Err(refused());
    };
    select.selection = probe.selection;
    Ok(query.to_string())
}

fn is_tumble(select: &Select) -> bool {
    matches!(
        select.from.first().map(|from| &from.relation),
        Some(TableFactor::Table { name, .. }) if names::parts(name).last().is_some_and(|n| n == "tumble")
    )
}

/// Whether an item makes one row of many, or looks at other rows.
pub(crate) fn looks_at_others(item: &SelectItem) -> bool {
    struct Calls(bool);
    impl Visitor for Calls {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &Ast) -> ControlFlow<()> {
            if let Ast::Function(function) = expr {
                let name = names::key(&function.name).1;
                self.0 |= function.over.is_some() || is_aggregate(&name);
            }
            ControlFlow::Continue(())
        }
    }
    let mut calls = Calls(false);
    let _ = item.visit(&mut calls);
    calls.0
}

fn column_name(ast: &Ast) -> Option<String> {
    match ast {
        Ast::Identifier(ident) => Some(folded(ident)),
        Ast::CompoundIdentifier(idents) => idents.last().map(folded),
        _ => None,
    }
}

fn plain(query: &Query) -> Result<&Select, QueryError> {
    match query.body.as_ref() {
        SetExpr::Select(select) if query.with.is_none() && query.limit_clause.is_none() => {
            Ok(select)
        }
        _ => Err(refused()),
    }
}

/// The names of the columns that are grouped by.
fn grouped(select: &Select) -> Result<Vec<String>, QueryError> {
    let GroupByExpr::Expressions(items, _) = &select.group_by else {
        return Err(refused());
    };
    let name = column_name;
    Ok(items
        .iter()
        .filter_map(|item| {
            let Ast::Value(value) = item else {
                let alias = name(item)?;
                // an alias stands for what it names
                let meant = select.projection.iter().find_map(|p| match p {
                    SelectItem::ExprWithAlias { expr, alias: a } if folded(a) == alias => {
                        name(expr)
                    }
                    _ => None,
                });
                return meant.or(Some(alias));
            };
            let Value::Number(number, _) = &value.value else {
                return None;
            };
            let place = number.parse::<usize>().ok()?.checked_sub(1)?;
            match select.projection.get(place)? {
                SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                    name(expr)
                }
                _ => None,
            }
        })
        .collect())
}

/// The only table that is read, and the column that TUMBLE or HOP cuts.
fn read(select: &Select) -> Result<(ObjectName, Option<String>), QueryError> {
    let [from] = select.from.as_slice() else {
        return Err(refused());
    };
    if !from.joins.is_empty() {
        return Err(refused());
    }
    let object = |parts: Vec<String>| ObjectName(parts.into_iter().map(Ident::new).collect());
    match &from.relation {
        TableFactor::Table {
            name, args: None, ..
        } => Ok((object(names::parts(name)), None)),
        TableFactor::Table {
            name,
            args: Some(args),
            ..
        } if names::is_window_function(name) => {
            let arg = |i: usize| match args.args.get(i) {
                Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(ast))) => Some(ast),
                _ => None,
            };
            let table = match arg(0) {
                Some(Ast::Identifier(ident)) => vec![folded(ident)],
                Some(Ast::CompoundIdentifier(idents)) => idents.iter().map(folded).collect(),
                _ => return Err(refused()),
            };
            match arg(1) {
                Some(Ast::Identifier(ident)) => Ok((object(table), Some(folded(ident)))),
                _ => Err(refused()),
            }
        }
        _ => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(sql: &str) -> Result<String, QueryError> {
        Queries::new().unwrap().closed_windows(sql, &|table| {
            (table.name() == "t").then(|| WatermarkOf {
                column: "ts".into(),
                delay: 5_000_000,
            })
        })
    }

    #[test]
    fn groups_wait_for_the_watermark() {
        let query = closed(
            "SELECT window_start AS w, count(*) FROM TUMBLE(t, ts, INTERVAL '1' MINUTE) GROUP BY 1",
        )
        .unwrap();
        assert!(
            query.ends_with(
                "HAVING max(window_end) <= (SELECT max(ts) FROM t) - INTERVAL '00:00:05'"
            ),
            "{query}"
        );
        let query = closed("SELECT ts FROM t GROUP BY ts HAVING count(*) > 1").unwrap();
        assert!(
            query.contains("HAVING (count(*) > 1) AND max(ts) < "),
            "{query}"
        );
        for sql in [
            "SELECT n, count(*) FROM t GROUP BY n",
            "SELECT window_start FROM TUMBLE(u, ts, INTERVAL '1' MINUTE) GROUP BY window_start",
            "SELECT window_start FROM TUMBLE(t, other, INTERVAL '1' MINUTE) GROUP BY window_start",
        ] {
            let error = closed(sql).unwrap_err().to_string();
            assert!(error.contains("requires a watermark column"), "{error}");
        }
        for sql in [
            "SELECT ts, count(*) OVER (PARTITION BY n) FROM t",
            "SELECT count(*) OVER (PARTITION BY n), ts FROM t",
            "SELECT count(*) FROM t",
        ] {
            let error = closed(sql).unwrap_err();
            assert!(matches!(error, QueryError::NotImplemented(_)), "{error}");
        }
    }

    #[test]
    fn rows_wait_for_the_watermark() {
        let query = closed("SELECT n, ts AS at FROM t WHERE n > 1").unwrap();
        assert!(
            query.ends_with("WHERE (n > 1) AND ts < (SELECT max(ts) FROM t) - INTERVAL '00:00:05'"),
            "{query}"
        );
        let query =
            closed("SELECT window_start, n FROM TUMBLE(t, ts, INTERVAL '1' MINUTE)").unwrap();
        assert!(query.contains("WHERE window_end <= "), "{query}");
        for sql in ["SELECT n FROM t", "SELECT ts FROM u"] {
            let error = closed(sql).unwrap_err().to_string();
            assert!(error.contains("cannot be executed in Emit-On"), "{error}");
        }
    }
}
