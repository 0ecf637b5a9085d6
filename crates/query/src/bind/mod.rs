//! From RisingWave's SQL to a DataFusion plan. The binder settles names, types, casts and functions as RisingWave does,
//! so that DataFusion has nothing left to coerce. Every column it makes has a name of its own (`name#7`), so that plans
//! never have ambiguous columns; the names that users see travel in [`Scope`] and [`OutputColumn`].

mod access;
mod accumulate;
mod aggregate;
mod asof;
mod call;
mod cast;
mod dml;
mod expr;
mod from;
mod functions;
mod group;
mod lambda;
mod literal;
mod name;
mod nested;
mod nested_functions;
mod operator;
mod query;
mod select;
pub(crate) mod shown;
mod sliding;
mod special;
pub(crate) mod stream;
mod subquery;
mod temporal;
mod user_function;
pub(crate) mod whole;
mod window;
mod window_table;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::DataType as ArrowType;
use datafusion::common::{Column as PlanColumn, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan};
use rwt_sql::DataType;

pub(crate) use accumulate::single_value;
pub(crate) use aggregate::is_aggregate;
pub(crate) use cast::Context as CastContext;
pub(crate) use name::output_name;
pub(crate) use operator::Comparison;
pub(crate) use subquery::subquery;
pub(crate) use user_function::has_query;

use crate::catalog::Catalog;
use crate::error::QueryError;
use crate::kernel::cast::Typed;
use crate::relation::Settings;
use crate::text::Style;
use crate::types::arrow_type;

/// An expression with its type.
#[derive(Debug, Clone)]
pub(crate) struct Bound {
    pub(crate) expr: Expr,
    pub(crate) data_type: DataType,
    pub(crate) arrow: ArrowType,
    /// A string literal, NULL or parameter whose type its place decides.
    pub(crate) untyped: bool,
    /// The parts of `ROW(…)` as written, so that a literal among them can still take a type.
    pub(crate) parts: Vec<Bound>,
}

impl Bound {
    pub(crate) fn new(expr: Expr, data_type: DataType, arrow: ArrowType) -> Self {
        Self {
            expr,
            data_type,
            arrow,
            untyped: false,
            parts: Vec::new(),
        }
    }

    /// An expression of a type in its usual Arrow form.
    pub(crate) fn of(expr: Expr, data_type: DataType) -> Self {
        let arrow = arrow_type(&data_type);
        Self::new(expr, data_type, arrow)
    }

    pub(crate) fn boolean(expr: Expr) -> Self {
        Self::of(expr, DataType::Boolean)
    }

    pub(crate) fn typed(&self) -> Typed {
        Typed::new(self.data_type.clone(), self.arrow.clone())
    }

    /// The value by which rows are compared.
    pub(crate) fn key(&self) -> Expr {
        crate::kernel::key::key(self.expr.clone(), &self.arrow)
    }

    /// The value, if the expression is a literal.
    pub(crate) fn literal(&self) -> Option<&ScalarValue> {
        match &self.expr {
            Expr::Literal(value, _) => Some(value),
            _ => None,
        }
    }

    /// The text of a string literal.
    pub(crate) fn literal_text(&self) -> Option<&str> {
        match self.literal()? {
            ScalarValue::Utf8(Some(text)) => Some(text),
            _ => None,
        }
    }

    /// The type's name in "function f(…) does not exist".
    pub(crate) fn type_name(&self) -> String {
        if self.untyped {
            "unknown".into()
        } else {
            type_name(&self.data_type)
        }
    }
}

/// A type's name in messages about functions.
pub(crate) fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Struct(_) => "record".into(),
        other => other.to_string(),
    }
}

/// A column that an expression may name.
#[derive(Debug, Clone)]
pub(crate) struct ScopeColumn {
    /// The schema that the table was named with; none under an alias.
    pub(crate) schema: Option<String>,
    /// The table's alias.
    pub(crate) table: Option<String>,
    pub(crate) name: String,
    pub(crate) bound: Bound,
    /// Left out of `*`.
    pub(crate) hidden: bool,
    /// One side of a USING join: seen only with its table's name.
    pub(crate) merged: bool,
}

/// The columns that the FROM clause gives.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    pub(crate) columns: Vec<ScopeColumn>,
}

impl Scope {
    fn find(&self, table: Option<&str>, name: &str) -> Result<Option<&Bound>, QueryError> {
        self.find_if(name, |column| match table {
            Some(table) => column.table.as_deref() == Some(table),
            None => !column.merged,
        })
    }

    /// The only column of a name among those that fit.
    fn find_if(
        &self,
        name: &str,
        fits: impl Fn(&ScopeColumn) -> bool,
    ) -> Result<Option<&Bound>, QueryError> {
        let mut found: Option<&ScopeColumn> = None;
        for column in &self.columns {
            let fits = fits(column);
            if fits && column.name == name {
                if found.is_some() {
                    return Err(QueryError::Bind(format!(
                        "internal error: Ambiguous column name: {name}"
                    )));
                }
                found = Some(column);
            }
        }
        Ok(found.map(|column| &column.bound))
    }

    /// An error if a table of the other side has the name of one of these.
    fn refuse_same_tables(&self, other: &Self) -> Result<(), QueryError> {
        for column in &other.columns {
            let same = |c: &ScopeColumn| c.table == column.table && c.schema == column.schema;
            if let (Some(table), true) = (&column.table, self.columns.iter().any(same)) {
                return Err(QueryError::Bind(format!(
                    "internal error: Duplicated table name while binding table to context: {table}"
                )));
            }
        }
        Ok(())
    }

    fn has_table(&self, table: &str) -> bool {
        self.columns
            .iter()
            .any(|c| c.table.as_deref() == Some(table))
    }
}

/// A common table expression, ready to be read any number of times.
#[derive(Debug)]
pub(crate) struct Cte {
    pub(crate) query: BoundQuery,
}

/// Where an expression or sub-query stands.
#[derive(Clone, Copy)]
pub(crate) struct Env<'e> {
    pub(crate) scope: &'e Scope,
    pub(crate) ctes: &'e Ctes,
    pub(crate) outer: Option<&'e Env<'e>>,
    /// Named windows of the SELECT.
    pub(crate) windows: &'e [sqlparser::ast::NamedWindowDefinition],
    /// The arguments of a SQL function whose body is being bound.
    pub(crate) arguments: Option<&'e Arguments>,
}

impl<'e> Env<'e> {
    /// A place with nothing around it.
    pub(crate) fn alone(scope: &'e Scope, ctes: &'e Ctes) -> Self {
        Self {
            scope,
            ctes,
            outer: None,
            windows: &[],
            arguments: None,
        }
    }
}

/// The arguments of a SQL function's call: by position, and by name where the function names them.
pub(crate) struct Arguments {
    pub(crate) values: Vec<(Option<String>, Bound)>,
}

/// The common table expressions in sight.
pub(crate) type Ctes = HashMap<String, Arc<Cte>>;

/// A column of a query's result.
#[derive(Debug, Clone)]
pub(crate) struct OutputColumn {
    pub(crate) name: String,
    pub(crate) bound: Bound,
    /// Has a name of the user's or of a column, not one made up for an expression.
    pub(crate) named: bool,
}

/// A bound query: the plan's columns are exactly `columns`, in order.
#[derive(Debug, Clone)]
pub(crate) struct BoundQuery {
    pub(crate) plan: LogicalPlan,
    pub(crate) columns: Vec<OutputColumn>,
}

/// The state of binding one statement.
pub(crate) struct Binder<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) settings: &'a Settings,
    pub(crate) style: Style,
    /// The query of a materialized view or sink: errors of a row are NULL, and RisingWave's limits of streams hold.
    pub(crate) streaming: bool,
    /// Notes conditions that hold, see [`crate::probe`].
    pub(crate) probe: Option<crate::probe::Probe>,
    counter: Cell<usize>,
    depth: Cell<usize>,
    params: RefCell<Vec<Option<DataType>>>,
}

impl<'a> Binder<'a> {
    pub(crate) fn new(
        catalog: &'a Catalog,
        settings: &'a Settings,
        params: &[Option<DataType>],
    ) -> Result<Self, QueryError> {
        let zone = crate::kernel::datetime::parse_zone(&settings.timezone)?;
        Ok(Self {
            catalog,
            settings,
            style: Style { zone },
            streaming: false,
            probe: None,
            counter: Cell::new(0),
            depth: Cell::new(0),
            params: RefCell::new(params.to_vec()),
        })
    }

    /// A name that no other column or table of the plan has.
    pub(crate) fn fresh(&self, hint: &str) -> String {
        let n = self.counter.get();
        self.counter.set(n + 1);
        format!("{hint}#{n}")
    }

    /// The types of the parameters; a parameter that nothing gives a type is an error.
    pub(crate) fn finish_params(&self) -> Result<Vec<DataType>, QueryError> {
        self.params
            .borrow()
            .iter()
            .enumerate()
            .map(|(i, param)| {
                param.clone().ok_or_else(|| {
                    QueryError::invalid_input(format!(
                        "Cannot infer the type of the parameter {}.",
                        i + 1
                    ))
                })
            })
            .collect()
    }

    /// Counts nested views and sub-queries, so that a loop of views ends.
    pub(crate) fn deeper<T>(
        &self,
        run: impl FnOnce() -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        let depth = self.depth.get();
        if depth > 64 {
            return Err(QueryError::bind("queries are nested too deeply"));
        }
        self.depth.set(depth + 1);
        let result = run();
        self.depth.set(depth);
        result
    }
}

/// The expression of a column of a plan.
pub(crate) fn column(name: &str) -> Expr {
    Expr::Column(PlanColumn::new_unqualified(name))
}
