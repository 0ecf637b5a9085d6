//! What RisingWave derives from the shape of a streaming query: whether its result only gains rows, and which columns
//! identify a row.

use rwt_sql::{Ident, ObjectName};
use sqlparser::ast::{
    Distinct, Expr, FunctionArg, FunctionArgExpr, GroupByExpr, JoinOperator, ObjectNamePart, Query,
    Select, SelectItem, SetExpr, Statement, TableFactor,
};

use crate::catalog::{Column, Object};

/// What is known about a query's result.
#[derive(Debug, Clone, Default)]
pub(super) struct Shape {
    /// Positions of the columns that identify a row; empty if that is not known.
    pub key: Vec<usize>,
    /// It only ever gains rows.
    pub append_only: bool,
}

fn parse(sql: &str) -> Option<Query> {
    match rwt_query::parse_statement(sql).ok()? {
        Statement::Query(query) => Some(*query),
        _ => None,
    }
}

fn grouped(select: &Select) -> bool {
    match &select.group_by {
        GroupByExpr::All(_) => true,
        GroupByExpr::Expressions(list, modifiers) => !list.is_empty() || !modifiers.is_empty(),
    }
}

/// True when the select list calls an aggregate function.
fn aggregates(select: &Select) -> bool {
    select.projection.iter().any(|item| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
            has_aggregate(expr)
        }
        _ => false,
    })
}

fn has_aggregate(expr: &Expr) -> bool {
    const NAMES: [&str; 14] = [
        "count",
        "sum",
        "avg",
        "min",
        "max",
        "array_agg",
        "string_agg",
        "bool_and",
        "bool_or",
        "stddev_pop",
        "stddev_samp",
        "var_pop",
        "var_samp",
        "approx_count_distinct",
    ];
    let text = expr.to_string().to_ascii_lowercase();
    NAMES.iter().any(|name| {
        text.match_indices(name).any(|(at, _)| {
            text[at + name.len()..].starts_with('(')
                && !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '\'')
        })
    })
}

/// The key and the kind of a query's result, as far as they follow from its text.
pub(super) fn shape<'a>(
    sql: &str,
    columns: &[Column],
    find: &dyn Fn(&ObjectName) -> Option<&'a Object>,
) -> Shape {
    let Some(query) = parse(sql) else {
        return Shape::default();
    };
    let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
    let key = key_columns(&query, &query, find).unwrap_or_default();
    // a key column counts under the name that the result has for it
    let mut positions: Vec<usize> = key.into_iter().filter(|i| *i < names.len()).collect();
    positions.dedup();
    Shape {
        key: positions,
        append_only: append_only(&query, find),
    }
}

/// Positions of the key columns in a query's select list, in the key's order.
fn key_columns<'a>(
    query: &Query,
    outer: &Query,
    find: &dyn Fn(&ObjectName) -> Option<&'a Object>,
) -> Option<Vec<usize>> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return None;
    };
    let items: Vec<(Option<String>, Option<String>)> = select.projection.iter().map(item).collect();
    let position = |column: &str| {
        items
            .iter()
            .position(|(source, _)| source.as_deref() == Some(column))
    };
    if matches!(select.distinct, Some(Distinct::Distinct)) {
        return Some((0..select.projection.len()).collect());
    }
    if let GroupByExpr::Expressions(list, _) = &select.group_by
        && !list.is_empty()
    {
        return list
            .iter()
            .map(|expr| match expr {
                Expr::Value(value) => value.to_string().parse::<usize>().ok()?.checked_sub(1),
                expr => {
                    let text = expr.to_string();
                    let by_text = select.projection.iter().position(|item| match item {
                        SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. } => {
                            e.to_string() == text
                        }
                        _ => false,
                    });
                    by_text
                        .or_else(|| column_name(expr).and_then(|name| position(&name)))
                        .or_else(|| {
                            items
                                .iter()
                                .position(|(_, alias)| alias.as_deref() == Some(text.as_str()))
                        })
                }
            })
            .collect();
    }
    let [table] = select.from.as_slice() else {
        return None;
    };
    if !table.joins.is_empty() || aggregates(select) {
        return None;
    }
    let wildcard = matches!(select.projection.as_slice(), [SelectItem::Wildcard(_)]);
    let through = |names: Vec<String>, all: &[String]| -> Option<Vec<usize>> {
        names
            .iter()
            .map(|name| {
                if wildcard {
                    all.iter().position(|c| c == name)
                } else {
                    position(name)
                }
            })
            .collect()
    };
    match &table.relation {
        TableFactor::Derived { subquery, .. } => {
            let inner = key_columns(subquery, outer, find)?;
            let all = output_names(subquery)?;
            through(inner.iter().map(|i| all[*i].clone()).collect(), &all)
        }
        TableFactor::Table {
            name, args: None, ..
        } => {
            let parts: Vec<Ident> = name.0.iter().filter_map(part).collect();
            let name = ObjectName(parts);
            if let Some(cte) =
                outer.with.iter().flat_map(|w| &w.cte_tables).find(|c| {
                    name.0.len() == 1 && c.alias.name.value.eq_ignore_ascii_case(name.name())
                })
            {
                let inner = key_columns(&cte.query, outer, find)?;
                let all = output_names(&cte.query)?;
                return through(inner.iter().map(|i| all[*i].clone()).collect(), &all);
            }
            let object = find(&name)?;
            let all: Vec<String> = object.visible().map(|c| c.name.clone()).collect();
            let key: Vec<String> = object.key_names().iter().map(|k| (*k).to_owned()).collect();
            if key.is_empty() {
                return None;
            }
            through(key, &all)
        }
        _ => None,
    }
}

fn output_names(query: &Query) -> Option<Vec<String>> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return None;
    };
    select
        .projection
        .iter()
        .map(|i| match i {
            SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. } => {
                item(i).1.or(Some(String::new()))
            }
            _ => None,
        })
        .collect()
}

/// The column that a select item passes on, and the item's own name.
fn item(item: &SelectItem) -> (Option<String>, Option<String>) {
    match item {
        SelectItem::UnnamedExpr(expr) => (column_name(expr), column_name(expr)),
        SelectItem::ExprWithAlias { expr, alias } => (column_name(expr), Some(alias.value.clone())),
        _ => (None, None),
    }
}

fn column_name(expr: &Expr) -> Option<String> {
    let ident = match expr {
        Expr::Identifier(ident) => ident,
        Expr::CompoundIdentifier(parts) => parts.last()?,
        _ => return None,
    };
    Some(match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    })
}

fn part(part: &ObjectNamePart) -> Option<Ident> {
    let ident = part.as_ident()?;
    Some(Ident::new(match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }))
}

/// True if the result only gains rows: projections and filters over what only gains rows, and unions and inner joins of
/// such.
fn append_only<'a>(query: &Query, find: &dyn Fn(&ObjectName) -> Option<&'a Object>) -> bool {
    query.with.is_none()
        && query.order_by.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none()
        && body_append_only(&query.body, find)
}

fn body_append_only<'a>(body: &SetExpr, find: &dyn Fn(&ObjectName) -> Option<&'a Object>) -> bool {
    match body {
        SetExpr::Query(query) => append_only(query, find),
        SetExpr::SetOperation {
            left,
            right,
            set_quantifier,
            op,
        } => {
            op.to_string() == "UNION"
                && set_quantifier.to_string() == "ALL"
                && body_append_only(left, find)
                && body_append_only(right, find)
        }
        SetExpr::Select(select) => {
            let text = select.to_string().to_ascii_lowercase();
            select.distinct.is_none()
                && !grouped(select)
                && !aggregates(select)
                && select.having.is_none()
                && !text.contains(" over (")
                && !text.contains("now()")
                && select
                    .selection
                    .as_ref()
                    .is_none_or(|w| !w.to_string().to_ascii_lowercase().contains("(select"))
                && !select.from.is_empty()
                && select.from.iter().all(|t| {
                    factor_append_only(&t.relation, find)
                        && t.joins.iter().all(|j| {
                            matches!(
                                j.join_operator,
                                JoinOperator::Join(_)
                                    | JoinOperator::Inner(_)
                                    | JoinOperator::CrossJoin(_)
                            ) && factor_append_only(&j.relation, find)
                        })
                })
        }
        _ => false,
    }
}

fn factor_append_only<'a>(
    factor: &TableFactor,
    find: &dyn Fn(&ObjectName) -> Option<&'a Object>,
) -> bool {
    let named = |name: ObjectName| find(&name).is_some_and(Object::append_only);
    match factor {
        TableFactor::Derived { subquery, .. } => append_only(subquery, find),
        TableFactor::Table {
            name, args: None, ..
        } => named(ObjectName(name.0.iter().filter_map(part).collect())),
        TableFactor::Table {
            args: Some(args), ..
        } => args.args.first().is_some_and(|a| argument(a, &named)),
        TableFactor::Function { args, .. } => args.first().is_some_and(|a| argument(a, &named)),
        _ => false,
    }
}

fn argument(arg: &FunctionArg, named: &dyn Fn(ObjectName) -> bool) -> bool {
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg else {
        return false;
    };
    let idents = match expr {
        Expr::Identifier(ident) => std::slice::from_ref(ident),
        Expr::CompoundIdentifier(parts) => parts,
        _ => return false,
    };
    named(ObjectName(
        idents
            .iter()
            .map(|i| {
                Ident::new(match i.quote_style {
                    Some(_) => i.value.clone(),
                    None => i.value.to_lowercase(),
                })
            })
            .collect(),
    ))
}
