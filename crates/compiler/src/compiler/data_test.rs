//! Running a data test: its query counts the rows that fail, and says whether so many are a warning or an error.

use std::sync::Arc;

use rwt_project::manifest::{Node, ResourceType, UniqueId};
use serde_json::Value as Json;

use super::Compiler;
use crate::error::CompileError;
use crate::jinja::{MacroDefinition, Relation};
use crate::materialize::{
    BUILT_IN, DatabaseError, ExistingRelation, Response, Session, Table, lend,
};
use crate::parse::EPHEMERAL;

/// What a data test found.
#[derive(Debug, Clone, PartialEq)]
pub struct TestResult {
    /// What `fail_calc` gave: the number of rows that fail, unless the test counts something else.
    pub failures: u64,
    /// Whether so many are worth a warning.
    pub should_warn: bool,
    /// Whether so many are an error.
    pub should_error: bool,
    /// The query of the rows that fail.
    pub compiled_code: String,
    /// Where the rows that fail are kept, if they are.
    pub stored_in: Option<String>,
}

/// Passes everything on, and keeps the last rows that came.
pub(super) struct Kept<'a> {
    pub session: &'a mut dyn Session,
    pub table: Option<Table>,
}

impl Session for Kept<'_> {
    fn execute(&mut self, sql: &str) -> Result<Response, DatabaseError> {
        let response = self.session.execute(sql)?;
        if response.table.is_some() {
            self.table.clone_from(&response.table);
        }
        Ok(response)
    }

    fn relation(
        &mut self,
        schema: &str,
        identifier: &str,
    ) -> Result<Option<ExistingRelation>, DatabaseError> {
        self.session.relation(schema, identifier)
    }

    fn columns(&mut self, sql: &str) -> Result<Vec<(String, u32)>, DatabaseError> {
        self.session.columns(sql)
    }

    fn is_live(&self) -> bool {
        self.session.is_live()
    }
}

impl Compiler {
    /// Runs a data test: its materialization stores the rows that fail where that is wanted, and counts them.
    ///
    /// # Errors
    /// What its template does wrong, or what the database refused.
    pub fn run_test(
        &self,
        id: &UniqueId,
        session: &mut dyn Session,
    ) -> Result<TestResult, CompileError> {
        let node = self.node(id)?;
        let mut kept = Kept {
            session,
            table: None,
        };
        let compiled_code = lend(&mut kept, |session| {
            let body = self.body(node, None, &session)?;
            self.build(node, &body, None, &session)?;
            Ok::<_, CompileError>(body.code)
        })??;
        let row = kept.table.and_then(|table| table.rows.into_iter().next());
        let mut row = row.unwrap_or_default().into_iter();
        let mut next = || row.next().unwrap_or(Json::Null);
        Ok(TestResult {
            failures: count(&next()),
            should_warn: is_true(&next()),
            should_error: is_true(&next()),
            compiled_code,
            stored_in: self.stored_in(node),
        })
    }

    /// Where a data test keeps the rows that fail, if it does.
    pub fn test_relation(&self, id: &UniqueId) -> Option<Relation> {
        let node = self.node(id).ok()?;
        self.stores(node)
            .then(|| Relation::new(&node.database, &node.schema, &node.identifier))
    }

    /// Whether a node has a materialization, and that anything to do but ask: a data test only counts, unless it keeps the
    /// rows that fail or the project has a say in that.
    pub(super) fn makes_something(&self, node: &Node) -> bool {
        let macros = self.jinja.macros();
        let is_own = |found: Option<&Arc<MacroDefinition>>| {
            found.is_some_and(|found| found.package == BUILT_IN)
        };
        if node.materialized == EPHEMERAL {
            return false;
        }
        node.resource_type != ResourceType::Test
            || self.stores(node)
            || !is_own(macros.materialization(&node.materialized))
            || !is_own(macros.find_from(&node.package_name, "should_store_failures"))
    }

    fn stored_in(&self, node: &Node) -> Option<String> {
        self.stores(node).then(|| node.relation_name())
    }

    /// Whether a test keeps the rows that fail.
    fn stores(&self, node: &Node) -> bool {
        let own = node.config.get("store_failures").and_then(Json::as_bool);
        own.unwrap_or(self.shared.store_failures)
    }
}

fn count(value: &Json) -> u64 {
    let number = value.as_f64();
    let number = number.or_else(|| value.as_str()?.trim().parse().ok());
    // Counts that come as a float (sum, avg) are cut, as in dbt.
    number.map_or(0, |number| number.max(0.0) as u64)
}

fn is_true(value: &Json) -> bool {
    match value {
        Json::Bool(value) => *value,
        Json::String(text) => matches!(text.as_str(), "t" | "true" | "True"),
        _ => false,
    }
}
