//! The names that a statement mentions: relations, functions, object names in casts to regclass.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName as AstName, Query, Statement,
    TableFactor, TableObject, Value, Visit, Visitor,
};

use crate::catalog::Key;

/// An identifier as the catalog stores it: lower case unless quoted.
pub(crate) fn folded(ident: &Ident) -> String {
    if ident.quote_style.is_some() {
        ident.value.clone()
    } else {
        ident.value.to_lowercase()
    }
}

/// The parts of a dotted name.
pub(crate) fn parts(name: &AstName) -> Vec<String> {
    name.0
        .iter()
        .map(|part| part.as_ident().map_or_else(|| part.to_string(), folded))
        .collect()
}

/// Schema and name; the database in front is dropped.
pub(crate) fn key(name: &AstName) -> Key {
    key_of(parts(name))
}

pub(crate) fn key_of(mut parts: Vec<String>) -> Key {
    let name = parts.pop().unwrap_or_default();
    (parts.pop(), name)
}

/// Schema and name of a text that names a relation, as in `'s.t'::regclass`.
pub(crate) fn key_of_text(text: &str) -> Key {
    let bare = |part: &str| part.trim_matches('"').to_owned();
    match text.rsplit_once('.') {
        Some((schema, name)) => {
            let schema = schema.rsplit_once('.').map_or(schema, |(_, schema)| schema);
            (Some(bare(schema)), bare(name))
        }
        None => (None, bare(text)),
    }
}

/// The name inside of an expression such as the first argument of TUMBLE.
pub(crate) fn relation_of_expr(expr: &Expr) -> Option<Key> {
    match expr {
        Expr::Identifier(ident) => Some((None, folded(ident))),
        Expr::CompoundIdentifier(idents) => Some(key_of(idents.iter().map(folded).collect())),
        Expr::Nested(inner) => relation_of_expr(inner),
        _ => None,
    }
}

/// Whether a table function takes a relation as its first argument.
pub(crate) fn is_window_function(name: &AstName) -> bool {
    matches!(
        parts(name).last().map(String::as_str),
        Some("tumble" | "hop")
    )
}

/// Whether a function tells what a user may do.
pub(crate) fn asks_for_privileges(function: &str) -> bool {
    matches!(
        function,
        "has_table_privilege"
            | "has_any_column_privilege"
            | "has_schema_privilege"
            | "has_database_privilege"
            | "has_function_privilege"
    )
}

/// What a statement mentions.
#[derive(Debug, Default)]
pub(crate) struct Mentions {
    /// Relations in order of appearance, common table expressions of the same name included.
    pub(crate) relations: Vec<Key>,
    /// Relations without those that are common table expressions.
    pub(crate) read: Vec<Key>,
    /// Called functions.
    pub(crate) functions: BTreeSet<Key>,
    /// Texts cast to regclass.
    pub(crate) object_names: Vec<String>,
    /// Something other than a literal is cast to regclass.
    pub(crate) any_object: bool,
    frames: Vec<Frame>,
    hidden: Vec<(usize, usize)>,
}

/// The common table expressions of a query around the current place.
#[derive(Debug)]
struct Frame {
    names: Vec<String>,
    /// How many of the frame below are in sight: a common table expression sees only those before it.
    below: Option<usize>,
}

impl Mentions {
    fn add(&mut self, key: Key) {
        if !self.relations.contains(&key) {
            self.relations.push(key.clone());
        }
        let is_cte = key.0.is_none() && self.is_cte(&key.1);
        if !is_cte && !self.read.contains(&key) {
            self.read.push(key);
        }
    }

    fn is_cte(&self, name: &str) -> bool {
        let mut limit = None;
        for frame in self.frames.iter().rev() {
            let visible = limit.unwrap_or(frame.names.len()).min(frame.names.len());
            if frame.names[..visible].iter().any(|n| n == name) {
                return true;
            }
            limit = frame.below;
        }
        false
    }
}

impl Visitor for Mentions {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let here = std::ptr::from_ref(query).addr();
        let below = self
            .hidden
            .iter()
            .find(|(at, _)| *at == here)
            .map(|(_, count)| *count);
        let mut names = Vec::new();
        if let Some(with) = &query.with {
            for (i, cte) in with.cte_tables.iter().enumerate() {
                let visible = if with.recursive { i + 1 } else { i };
                self.hidden
                    .push((std::ptr::from_ref(cte.query.as_ref()).addr(), visible));
                names.push(folded(&cte.alias.name));
            }
        }
        self.frames.push(Frame { names, below });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
        self.frames.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table {
                name, args: None, ..
            } => self.add(key(name)),
            TableFactor::Table {
                name,
                args: Some(args),
                ..
            } if is_window_function(name) => {
                if let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(first))) = args.args.first()
                    && let Some(key) = relation_of_expr(first)
                {
                    self.add(key);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(function) => {
                let key = key(&function.name);
                // They take the names of relations.
                self.any_object |= asks_for_privileges(&key.1);
                self.functions.insert(key);
            }
            Expr::Cast {
                expr, data_type, ..
            } if data_type
                .to_string()
                .to_ascii_lowercase()
                .ends_with("regclass") =>
            {
                let literal = match expr.as_ref() {
                    Expr::Value(value) => match &value.value {
                        Value::SingleQuotedString(text) => Some(text.clone()),
                        _ => None,
                    },
                    _ => None,
                };
                self.any_object |= literal.is_none();
                self.object_names.extend(literal);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// What a statement mentions; the target of an INSERT, UPDATE or DELETE included.
pub(crate) fn mentions(statement: &Statement) -> Mentions {
    let mut found = Mentions::default();
    if let Statement::Insert(insert) = statement
        && let TableObject::TableName(name) = &insert.table
    {
        found.add(key(name));
    }
    let _ = statement.visit(&mut found);
    found
}

/// What a query mentions.
pub(crate) fn mentions_of_query(query: &Query) -> Mentions {
    let mut found = Mentions::default();
    let _ = query.visit(&mut found);
    found
}
