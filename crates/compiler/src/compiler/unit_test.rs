//! A unit test made ready: the model's text with the test's overrides, what it reads as rows, and the rows that it should
//! give. Who runs it needs no database.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use rwt_project::manifest::{Node, ResourceType, UniqueId};
use rwt_project::project::{Input, UnitTest};
use rwt_project::yaml::Location;
use rwt_sql::{Statement, parse_statement};
use serde_json::Value as Json;

use super::Compiler;
use crate::compile::Body;
use crate::error::CompileError;
use crate::fixture::{TestRows, read_fixture, seed_rows};
use crate::jinja::{Overridden, Phase, Relation, SharedSession, TemplateError};
use crate::materialize::is_query;
use crate::parse::References;

/// A unit test that can be run.
#[derive(Debug, Clone)]
pub struct UnitTestPlan {
    /// The test.
    pub unique_id: UniqueId,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub at: Location,
    /// The model that is tested.
    pub model: UniqueId,
    /// The model's query. Relations are named as in the database.
    pub query: String,
    /// Whether a stream computes it: a materialized view's or a sink's query, in which an expression that fails on a row
    /// is NULL.
    pub is_stream: bool,
    /// What it reads.
    pub inputs: Vec<TestInput>,
    /// What it should give.
    pub expect: TestRows,
    /// What `now()` is, as the test's `config.meta.now` says.
    pub now: Option<DateTime<Utc>>,
}

/// Rows of a relation.
#[derive(Debug, Clone)]
pub struct TestInput {
    /// `ref('users')`, `source('raw', 'clicks')` or `this`.
    pub label: String,
    /// The node whose relation it is.
    pub node: UniqueId,
    /// Schema of the relation; none for an ephemeral model.
    pub schema: Option<String>,
    /// Its name.
    pub identifier: String,
    /// Its rows.
    pub rows: TestRows,
    /// Where the input stands.
    pub at: Location,
}

impl Compiler {
    /// Makes a unit test ready.
    ///
    /// # Errors
    /// What is wrong with its rows, or with the model's template under its overrides.
    pub fn unit_test(&self, id: &UniqueId) -> Result<UnitTestPlan, CompileError> {
        let (node, test) = self.test_of(id)?;
        let failed = |error: TemplateError| CompileError::template(error, Some(node.into()));
        let model = self.model_of(node)?;
        let now = node.config.get("meta").and_then(|meta| meta.get("now"));
        let now = match now {
            None | Some(Json::Null) => None,
            Some(now) => Some(now.as_str().and_then(instant).ok_or_else(|| {
                failed(TemplateError::at(
                    "rwt::test::now",
                    format!("`now: {now}` of the unit test `{}` is no time", test.name),
                    Some(
                        "write `meta: {now: '2026-01-31 12:00:00'}`; without a zone it is UTC"
                            .to_owned(),
                    ),
                    test.at.file(),
                    test.at.range(),
                ))
            })?),
        };
        let mut inputs = Vec::with_capacity(test.given.len());
        for given in &test.given {
            let label = given.input.to_string();
            let read = match &given.input {
                Input::This => Some(model),
                Input::Ref { name, version, .. } => match version {
                    None => self.references.model(name),
                    Some(version) => self.references.model(&format!("{name}.v{version}")),
                },
                Input::Source(source, table) => self.source(source, table),
            };
            // Its name was known when it was parsed: it is disabled.
            let read = read.ok_or_else(|| {
                failed(TemplateError::at(
                    "rwt::test::disabled_input",
                    format!(
                        "the unit test `{}` gives rows of {label}, which is disabled",
                        test.name
                    ),
                    Some("leave the input out".to_owned()),
                    given.at.file(),
                    given.at.range(),
                ))
            })?;
            let relation = match &given.input {
                Input::This => Relation::new(&read.database, &read.schema, &read.identifier),
                _ => References::relation(read),
            };
            let rows = match (self.project.seed(read), given.rows.is_absent()) {
                (Some(seed), true) => seed_rows(&seed.file, &given.at),
                _ => read_fixture(&given.rows, &self.project.fixtures),
            };
            inputs.push(TestInput {
                label,
                node: read.unique_id.clone(),
                schema: relation.schema,
                identifier: relation.identifier.unwrap_or_default(),
                rows: rows.map_err(failed)?,
                at: given.at.clone(),
            });
        }
        let body = self.text_under_test(node, test, model, now)?;
        let (query, is_stream) = tested_query(model, &body).ok_or_else(|| {
            failed(TemplateError::at(
                "rwt::test::no_query",
                format!(
                    "the model `{}` has no query that could be tested: it is a {}",
                    model.name,
                    model.materialized.replace('_', " ")
                ),
                Some("unit tests are of models whose text is a query".to_owned()),
                test.model_at.file(),
                test.model_at.range(),
            ))
        })?;
        Ok(UnitTestPlan {
            unique_id: id.clone(),
            name: test.name.clone(),
            at: test.at.clone(),
            model: model.unique_id.clone(),
            query,
            is_stream,
            inputs,
            expect: read_fixture(&test.expect, &self.project.fixtures).map_err(failed)?,
            now,
        })
    }

    /// The query of a model as it is without a test, and whether a stream computes it. None if it has no query.
    ///
    /// # Errors
    /// What its template does wrong.
    pub fn query_of(&self, id: &UniqueId) -> Result<Option<(String, bool)>, CompileError> {
        let node = self.node(id)?;
        if node.resource_type != ResourceType::Model {
            return Ok(None);
        }
        let session: SharedSession = Arc::new(Mutex::new(self.recorder()));
        let body = self.body(node, None, &session)?;
        Ok(tested_query(node, &body))
    }

    /// The same as a unit test runs it: ephemeral models are relations to read, and not part of it.
    ///
    /// # Errors
    /// What its template does wrong.
    pub fn bare_query_of(&self, id: &UniqueId) -> Result<Option<String>, CompileError> {
        let node = self.node(id)?;
        let session: SharedSession = Arc::new(Mutex::new(self.recorder()));
        let (body, _) = self.own_body(node, None, &session)?;
        Ok(tested_query(node, &body).map(|(query, _)| query))
    }

    fn test_of(&self, id: &UniqueId) -> Result<(&Node, &UnitTest), CompileError> {
        let node = self.node(id)?;
        let test = self.declared_unit_test(node);
        let test = test.ok_or_else(|| CompileError::UnknownNode(id.clone()))?;
        Ok((node, test))
    }

    /// What a property file says of a unit test; none for any other node.
    pub(crate) fn declared_unit_test(&self, node: &Node) -> Option<&UnitTest> {
        if node.resource_type != ResourceType::UnitTest {
            return None;
        }
        let model = node.fqn.iter().rev().nth(1);
        let tests = self.project.properties.unit_tests.iter();
        let mut tests =
            tests.filter(|test| Some(&test.model) == model && test.file == node.original_file_path);
        // A version of the model stands behind the name.
        let is_of = |test: &&UnitTest| {
            let rest = node.name.strip_prefix(&test.name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("_v"))
        };
        let exact = tests.clone().find(|test| test.name == node.name);
        exact.or_else(|| tests.find(is_of))
    }

    fn model_of(&self, test: &Node) -> Result<&Node, CompileError> {
        let id = test.depends_on.first().unwrap_or(&test.unique_id);
        self.node(id)
    }

    fn source(&self, source: &str, table: &str) -> Option<&Node> {
        self.manifest.nodes.values().find(|node| {
            node.source_name.as_deref() == Some(source)
                && node.name == table
                && node.resource_type == ResourceType::Source
        })
    }

    /// The model's text, rendered with the test's macros, variables and environment.
    fn text_under_test(
        &self,
        node: &Node,
        test: &UnitTest,
        model: &Node,
        now: Option<DateTime<Utc>>,
    ) -> Result<Body, CompileError> {
        let env_vars = test.overrides.env_vars.iter().map(|(name, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), text)
        });
        let overridden = Overridden {
            macros: test.overrides.macros.clone(),
            vars: test.overrides.vars.clone(),
            env_vars: env_vars.collect(),
            now,
        };
        let session: SharedSession = Arc::new(Mutex::new(self.recorder()));
        let mut scope = self.node_scope(model, Phase::Compile, &session);
        // The rows are the test's.
        scope.resolver = self.references.clone();
        scope.overridden = Some(Arc::new(overridden));
        let template = model.original_file_path.display().to_string();
        let (rendered, _) = self
            .jinja
            .render(&template, scope)
            .map_err(|error| CompileError::template(error, Some(node.into())))?;
        Ok(Body::new(rendered.text, rendered.lines))
    }
}

/// Reads a time as SQL writes it; one without a zone is UTC.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    use chrono::{NaiveDate, NaiveDateTime};
    let text = text.trim().replacen('T', " ", 1).replace('Z', "+00:00");
    let zoned = ["%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f %#z"];
    let zoned = zoned
        .iter()
        .find_map(|format| DateTime::parse_from_str(&text, format).ok());
    if let Some(time) = zoned {
        return Some(time.to_utc());
    }
    let bare = NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f").ok();
    let midnight = || {
        NaiveDate::parse_from_str(&text, "%Y-%m-%d")
            .ok()?
            .and_hms_opt(0, 0, 0)
    };
    Some(bare.or_else(midnight)?.and_utc())
}

/// The query in a model's text, and whether a stream computes it.
fn tested_query(model: &Node, body: &Body) -> Option<(String, bool)> {
    let text = body.code.as_str();
    if !is_query(text) {
        return match parse_statement(text).ok()? {
            Statement::CreateMaterializedView(create) => Some((create.query, true)),
            Statement::CreateView(create) => Some((create.query, false)),
            Statement::CreateTable(create) => Some((create.query?, false)),
            Statement::CreateSink(create) => match create.from {
                rwt_sql::statement::SinkFrom::Query(query) => Some((query, true)),
                rwt_sql::statement::SinkFrom::Relation(_) => None,
            },
            _ => None,
        };
    }
    let is_stream = !matches!(
        model.materialized.as_str(),
        "view" | "table" | "incremental" | "ephemeral"
    );
    // `EMIT ON WINDOW CLOSE` says when rows come, not which.
    let query = match parse_statement(&format!("CREATE MATERIALIZED VIEW tested AS {text}")) {
        Ok(Statement::CreateMaterializedView(create)) => create.query,
        _ => text.to_owned(),
    };
    Some((query, is_stream))
}
