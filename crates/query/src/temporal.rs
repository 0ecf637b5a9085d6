//! Temporal joins in views: `l [LEFT] JOIN r FOR SYSTEM_TIME AS OF PROCTIME() ON …`. Rows of the left side keep the rows of the
//! right sides that they met. Who runs the view keeps the joined rows, and adds to them what [`TemporalJoin::probe`] finds for
//! new rows on the left; the view's own query reads them in place of the right sides.

use rwt_sql::{Ident, ObjectName};
use sqlparser::ast::{
    BinaryOperator, Expr as Ast, Ident as AstIdent, Join, JoinConstraint, JoinOperator,
    ObjectName as AstName, ObjectNamePart, Query, SetExpr, TableAlias, TableFactor, TableVersion,
};

use crate::error::QueryError;
use crate::names::{folded, parts};
use crate::parse;
use crate::queries::Queries;
use crate::relation::ROW_ID;

/// The schema of the relations with the rows that were joined; [`joined_name`] names them.
pub const JOINED: &str = "rw_object";

/// Their hidden column with the row id of the left side.
pub const LEFT_ROW: &str = "_rw_left_row_id";

/// The name of the relation that stands for a right side, by its place.
pub fn joined_name(place: usize) -> String {
    format!("joined {place}")
}

/// A right side of a view's temporal joins.
#[derive(Debug, Clone)]
pub struct TemporalSide {
    /// The table.
    pub name: ObjectName,
    /// Its columns that the condition gives one value, as far as they are known by name.
    pub equated: Vec<String>,
    alias: Ident,
}

/// The temporal joins that a view's FROM clause begins with.
#[derive(Debug, Clone)]
pub struct TemporalJoin {
    /// The view's query over the rows that were joined instead of the right sides. Each row has them all.
    pub query: String,
    /// The left side.
    pub left: ObjectName,
    /// The right sides, as they are joined.
    pub rights: Vec<TemporalSide>,
    /// `l JOIN r ON …` with the names of all sides in it.
    from: String,
    left_name: Ident,
}

impl TemporalJoin {
    /// The query that finds what left rows meet: their row ids, and these columns of each right side. It ends with a condition
    /// on row ids, to which the first new one is to be added.
    pub fn probe(&self, columns: &[Vec<String>]) -> String {
        let mut shown = String::new();
        for (side, (right, names)) in self.rights.iter().zip(columns).enumerate() {
            for (place, name) in names.iter().enumerate() {
                let (name, kept) = (Ident::new(name).quoted(), kept_name(side, place));
                shown.push_str(&format!(", {}.{name} AS {kept}", right.alias));
            }
        }
        let left = &self.left_name;
        format!(
            "SELECT {left}.{ROW_ID} AS {LEFT_ROW}{shown} FROM {} WHERE {left}.{ROW_ID} >= ",
            self.from
        )
    }
}

/// The name under which a column of a right side is kept.
pub fn kept_name(side: usize, place: usize) -> String {
    format!("_rw_{side}_{place}")
}

/// Whether a table is read as of the time at which rows are processed.
pub(crate) fn is_proctime(version: &TableVersion) -> bool {
    matches!(version, TableVersion::ForSystemTimeAsOf(Ast::Function(call))
        if parts(&call.name).last().is_some_and(|name| name == "proctime"))
}

impl Queries {
    /// The temporal joins that a query's FROM clause begins with; `None` for queries of other shapes.
    ///
    /// # Errors
    /// [`QueryError::Syntax`]
    pub fn temporal_join(&self, sql: &str) -> Result<Option<TemporalJoin>, QueryError> {
        let query = parse::query(sql)?;
        Ok(first_joins(query))
    }
}

fn first_joins(mut query: Query) -> Option<TemporalJoin> {
    let SetExpr::Select(select) = query.body.as_mut() else {
        return None;
    };
    let [item] = select.from.as_mut_slice() else {
        return None;
    };
    let (left, left_name) = plain(&item.relation)?;
    let mut from = item.relation.to_string();
    let mut rights: Vec<TemporalSide> = Vec::new();
    for join in &mut item.joins {
        let before = match rights.last() {
            Some(right) => (right.alias.clone(), ROW_ID),
            None => (left_name.clone(), ROW_ID),
        };
        let Some(right) = taken_out(join, rights.len(), before, &mut from) else {
            break;
        };
        rights.push(right);
    }
    (!rights.is_empty()).then(|| TemporalJoin {
        query: query.to_string(),
        left,
        rights,
        from,
        left_name,
    })
}

/// Makes a temporal join one with the rows that were joined, and adds what it was to the text of all of them.
fn taken_out(
    join: &mut Join,
    place: usize,
    before: (Ident, &str),
    from: &mut String,
) -> Option<TemporalSide> {
    let (kind, on) = match &join.join_operator {
        JoinOperator::Join(JoinConstraint::On(on))
        | JoinOperator::Inner(JoinConstraint::On(on)) => ("JOIN", on),
        JoinOperator::Left(JoinConstraint::On(on))
        | JoinOperator::LeftOuter(JoinConstraint::On(on)) => ("LEFT JOIN", on),
        _ => return None,
    };
    let (name, alias) = plain(&join.relation)?;
    let TableFactor::Table { version, .. } = &mut join.relation else {
        return None;
    };
    if !version.as_ref().is_some_and(is_proctime) {
        return None;
    }
    *version = None;
    from.push_str(&format!(" {kind} {} ON {on}", join.relation));
    let mut equated = Vec::new();
    equalities(on, &alias, &mut equated);
    let quoted = |part: &str| AstIdent::with_quote('"', part);
    let column = |table: &Ident, column: &str| {
        Ast::CompoundIdentifier(vec![quoted(table.value()), quoted(column)])
    };
    // The first one is found by the left row, further ones are in the same row as it.
    let own = if place == 0 { LEFT_ROW } else { ROW_ID };
    join.join_operator = JoinOperator::Inner(JoinConstraint::On(Ast::BinaryOp {
        left: Box::new(column(&alias, own)),
        op: BinaryOperator::Eq,
        right: Box::new(column(&before.0, before.1)),
    }));
    if let TableFactor::Table {
        name: written,
        alias: seen,
        ..
    } = &mut join.relation
    {
        let joined = [JOINED, &joined_name(place)].map(|p| ObjectNamePart::Identifier(quoted(p)));
        *written = AstName(joined.to_vec());
        seen.get_or_insert_with(|| TableAlias {
            explicit: true,
            name: quoted(alias.value()),
            columns: Vec::new(),
        });
    }
    Some(TemporalSide {
        name,
        equated,
        alias,
    })
}

/// A table by name, and the name that columns have in front; one with names for its columns is none.
fn plain(factor: &TableFactor) -> Option<(ObjectName, Ident)> {
    let TableFactor::Table {
        name,
        alias,
        args: None,
        ..
    } = factor
    else {
        return None;
    };
    let names = parts(name);
    let seen = match alias {
        Some(alias) if !alias.columns.is_empty() => return None,
        Some(alias) => folded(&alias.name),
        None => names.last()?.clone(),
    };
    let name = ObjectName(names.into_iter().map(Ident::new).collect());
    Some((name, Ident::new(seen)))
}

/// The columns that equalities of a condition may give one value: those of a table, and those without a table's name.
fn equalities(condition: &Ast, table: &Ident, found: &mut Vec<String>) {
    match condition {
        Ast::Nested(inner) => equalities(inner, table, found),
        Ast::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            equalities(left, table, found);
            equalities(right, table, found);
        }
        Ast::BinaryOp {
            left,
            op: BinaryOperator::Eq,
            right,
        } => {
            for side in [left, right] {
                match side.as_ref() {
                    Ast::Identifier(ident) => found.push(folded(ident)),
                    Ast::CompoundIdentifier(idents) => {
                        if let [.., of, column] = idents.as_slice()
                            && folded(of) == table.value()
                        {
                            found.push(folded(column));
                        }
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}
