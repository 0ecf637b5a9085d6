//! Temporal joins in views: `l [LEFT] JOIN r FOR SYSTEM_TIME AS OF PROCTIME() ON …`. Rows of the left side keep the rows of the
//! right side that they met. Who runs the view keeps those, as the relation [`JOINED`], and adds to them what
//! [`TemporalJoin::probe`] finds for new rows on the left; the view's own query reads them in place of the right side.

use rwt_sql::{Ident, ObjectName};
use sqlparser::ast::{
    BinaryOperator, Expr as Ast, Ident as AstIdent, JoinConstraint, JoinOperator, ObjectName as AstName,
    ObjectNamePart, Query, Select, SetExpr, TableAlias, TableFactor, TableVersion,
};

use crate::error::QueryError;
use crate::names::{folded, parts};
use crate::parse;
use crate::queries::Queries;
use crate::relation::ROW_ID;

/// Schema and name of the relation with the rows that were joined.
pub const JOINED: (&str, &str) = ("rw_object", "joined");

/// Its hidden column with the row id of the left side.
pub const LEFT_ROW: &str = "_rw_left_row_id";

/// The temporal join of a view.
#[derive(Debug, Clone)]
pub struct TemporalJoin {
    /// The view's query over [`JOINED`] instead of the right side.
    pub query: String,
    /// The left side.
    pub left: ObjectName,
    /// The right side.
    pub right: ObjectName,
    /// Columns of the right side that the condition gives one value, as far as they are known by name.
    pub equated: Vec<String>,
    /// `l JOIN r ON …` with the names of both sides in it.
    from: String,
    left_name: Ident,
    right_name: Ident,
}

impl TemporalJoin {
    /// The query that finds the right rows of left rows: the left row ids, and these columns. It ends with a condition on row
    /// ids, to which the first new one is to be added.
    pub fn probe(&self, columns: &[String]) -> String {
        let right = &self.right_name;
        let shown = columns
            .iter()
            .map(|name| format!(", {right}.{}", Ident::new(name).quoted()));
        let (left, shown) = (&self.left_name, shown.collect::<String>());
        format!(
            "SELECT {left}.{ROW_ID} AS {LEFT_ROW}{shown} FROM {} WHERE {left}.{ROW_ID} >= ",
            self.from
        )
    }
}

/// Whether a table is read as of the time at which rows are processed.
pub(crate) fn is_proctime(version: &TableVersion) -> bool {
    matches!(version, TableVersion::ForSystemTimeAsOf(Ast::Function(call))
        if parts(&call.name).last().is_some_and(|name| name == "proctime"))
}

impl Queries {
    /// The temporal join of a query whose FROM clause begins with it; `None` for queries of other shapes.
    ///
    /// # Errors
    /// [`QueryError::Syntax`]
    pub fn temporal_join(&self, sql: &str) -> Result<Option<TemporalJoin>, QueryError> {
        let query = parse::query(sql)?;
        Ok(first_join(query))
    }
}

fn first_join(mut query: Query) -> Option<TemporalJoin> {
    let SetExpr::Select(select) = query.body.as_mut() else {
        return None;
    };
    let Select { from, .. } = select.as_mut();
    let [item] = from.as_mut_slice() else {
        return None;
    };
    let (left, left_name) = plain(&item.relation)?;
    let left_factor = item.relation.to_string();
    let join = item.joins.first_mut()?;
    let on = match &mut join.join_operator {
        JoinOperator::Join(JoinConstraint::On(on))
        | JoinOperator::Inner(JoinConstraint::On(on))
        | JoinOperator::Left(JoinConstraint::On(on))
        | JoinOperator::LeftOuter(JoinConstraint::On(on)) => on,
        _ => return None,
    };
    let (right, right_name) = plain(&join.relation)?;
    let TableFactor::Table { version, .. } = &mut join.relation else {
        return None;
    };
    if !version.take().is_some_and(|version| is_proctime(&version)) {
        return None;
    }
    let right_factor = join.relation.to_string();
    let TableFactor::Table { name, alias, .. } = &mut join.relation else {
        return None;
    };
    let from = format!("{left_factor} JOIN {right_factor} ON {on}");
    let mut equated = Vec::new();
    equalities(on, &right_name, &mut equated);
    let column = |table: &Ident, column: &str| {
        let idents = [table.value(), column].map(|part| AstIdent::with_quote('"', part));
        Ast::CompoundIdentifier(idents.to_vec())
    };
    let same = Ast::BinaryOp {
        left: Box::new(column(&right_name, LEFT_ROW)),
        op: BinaryOperator::Eq,
        right: Box::new(column(&left_name, ROW_ID)),
    };
    *on = Ast::BinaryOp {
        left: Box::new(Ast::Nested(Box::new(on.clone()))),
        op: BinaryOperator::And,
        right: Box::new(same),
    };
    alias.get_or_insert_with(|| TableAlias {
        explicit: true,
        name: AstIdent::with_quote('"', right_name.value()),
        columns: Vec::new(),
    });
    let joined = [JOINED.0, JOINED.1].map(|part| ObjectNamePart::Identifier(AstIdent::new(part)));
    *name = AstName(joined.to_vec());
    Some(TemporalJoin {
        query: query.to_string(),
        left,
        right,
        equated,
        from,
        left_name,
        right_name,
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
