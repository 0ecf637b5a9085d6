//! Running one unit test: its rows become relations, the model's query is bound and run over them, and what comes out is
//! compared with what is expected.

use rwt_compiler::{Compiler, TestRows, UnitTestPlan};
use rwt_project::manifest::Node;
use rwt_project::yaml::nearest;
use rwt_query::{Column, Plan, QueryError, Relation, Settings};
use rwt_sql::DataType;

use super::diff::{Difference, Row};
use super::engine::{Known, Printed, UnitEngine};
use super::error::TestError;
use super::rows::{Place, first_line, relation};
use super::schemas::{Schemas, Shape};

/// Everything that unit tests of one run share.
pub struct UnitTests<'a> {
    compiler: &'a Compiler,
    engine: UnitEngine,
    schemas: Schemas<'a>,
}

/// A unit test with its rows in the engine.
pub struct Prepared {
    /// What the model reads.
    pub known: Known,
    /// The clock.
    pub settings: Settings,
}

impl<'a> UnitTests<'a> {
    /// An engine for the project's unit tests.
    ///
    /// # Errors
    /// DataFusion's runtime cannot be made.
    pub fn new(compiler: &'a Compiler) -> Result<Self, QueryError> {
        let engine = UnitEngine::new(super::schemas::functions(compiler))?;
        Ok(Self {
            compiler,
            schemas: Schemas::new(compiler, &engine),
            engine,
        })
    }

    /// The engine.
    pub fn engine(&self) -> &UnitEngine {
        &self.engine
    }

    /// Columns of nodes.
    pub fn schemas(&mut self) -> &mut Schemas<'a> {
        &mut self.schemas
    }

    /// Runs a test. None if the model gives what is expected.
    ///
    /// # Errors
    /// Why it cannot be run.
    pub async fn run(&mut self, plan: &UnitTestPlan) -> Result<Option<Difference>, TestError> {
        let prepared = self.prepare(plan).await?;
        let query = self.bind(plan, &plan.query, &prepared).await?;
        self.compare(plan, &query, &prepared).await
    }

    /// What the model gives over a test's rows, sorted.
    ///
    /// # Errors
    /// Why it cannot be run.
    pub async fn answer(&mut self, plan: &UnitTestPlan) -> Result<Printed, TestError> {
        let prepared = self.prepare(plan).await?;
        let query = self.bind(plan, &plan.query, &prepared).await?;
        let printed = self.engine.print(&query, &prepared.settings).await;
        let mut printed = printed.map_err(|error| self.explain(plan, &error, &prepared.known))?;
        printed.rows.sort();
        Ok(printed)
    }

    /// Brings a test's rows into the engine.
    ///
    /// # Errors
    /// What is wrong with them.
    pub async fn prepare(&mut self, plan: &UnitTestPlan) -> Result<Prepared, TestError> {
        let now = plan.now.unwrap_or_else(UnitEngine::epoch);
        let schema = &self.compiler.project().target.schema;
        let settings = UnitEngine::settings(schema, now);
        let mut known = Known::default();
        for input in &plan.inputs {
            let shape = self.schemas.of(&input.node).await;
            let place = Place {
                engine: &self.engine,
                settings: &settings,
                label: &input.label,
                shape: &shape,
                fills: true,
            };
            let rows = relation(&input.rows, place).await?;
            known.insert(input.schema.as_deref(), &input.identifier, rows);
        }
        Ok(Prepared { known, settings })
    }

    /// Binds a query of the tested model, as it is or changed for coverage, over the test's rows.
    ///
    /// # Errors
    /// The model reads what the test does not give, or the engine refuses it.
    pub async fn bind(
        &self,
        plan: &UnitTestPlan,
        query: &str,
        prepared: &Prepared,
    ) -> Result<Plan, TestError> {
        let (known, settings) = (&prepared.known, &prepared.settings);
        let bound = self
            .engine
            .plan(query, plan.is_stream, known, settings)
            .await;
        bound.map_err(|error| self.explain(plan, &error, known))
    }

    async fn compare(
        &self,
        plan: &UnitTestPlan,
        query: &Plan,
        prepared: &Prepared,
    ) -> Result<Option<Difference>, TestError> {
        let settings = &prepared.settings;
        let failed = |error: QueryError| self.explain(plan, &error, &prepared.known);
        let actual = self.engine.print(query, settings).await.map_err(failed)?;
        let model = self.node(plan);
        let shape = Shape {
            columns: actual.columns.clone(),
            is_complete: true,
            why_not: None,
        };
        let place = Place {
            engine: &self.engine,
            settings,
            label: &model.name,
            shape: &shape,
            fills: false,
        };
        let expected = relation(&plan.expect, place).await?;
        let columns = if expected.columns.is_empty() {
            actual.columns.clone()
        } else {
            expected.columns.clone()
        };
        let mut expected = match &plan.expect {
            TestRows::Values(values) if values.rows.is_empty() => Vec::new(),
            _ => self.rows_of(expected, settings).await.map_err(failed)?,
        };
        let mut actual = chosen(&actual, &columns);
        // Queries have no order, and what is shown should have one; rows that are written keep theirs.
        actual.sort();
        if matches!(plan.expect, TestRows::Query { .. }) {
            expected.sort();
        }
        let names = columns.into_iter().map(|column| column.name).collect();
        Ok(Difference::of(names, &expected, &actual))
    }

    /// The rows of a relation as they are compared.
    async fn rows_of(&self, rows: Relation, settings: &Settings) -> Result<Vec<Row>, QueryError> {
        let columns = rows.columns.clone();
        let mut known = Known::default();
        known.insert(None, "expected", rows);
        let plan = self
            .engine
            .plan("select * from expected", false, &known, settings)
            .await?;
        let printed = self.engine.print(&plan, settings).await?;
        Ok(chosen(&printed, &columns))
    }

    /// What the engine refused, in words of the project.
    fn explain(&self, plan: &UnitTestPlan, error: &QueryError, known: &Known) -> TestError {
        let model = self.node(plan).name.clone();
        let (file, at) = (plan.at.file().clone(), first_line(&plan.at));
        if let QueryError::RelationNotFound(name) = error
            && let Some((label, help)) = self.missing(plan, known, name)
        {
            return TestError::MissingInput {
                model,
                test: plan.name.clone(),
                reads: label,
                help,
                file,
                at,
            };
        }
        // A type that nobody knows is a common cause.
        let unsure = plan.inputs.iter().find_map(|input| {
            let why = self.schemas.known(&input.node)?.why_not.clone()?;
            Some(format!(
                "the types of {} are guessed from its rows, because its own SQL does not tell them ({why}); `data_type` of its columns in a property file does",
                input.label
            ))
        });
        TestError::Model {
            model,
            cause: error.to_string(),
            help: unsure,
            file,
            at,
        }
    }

    /// The relation of the project that was asked for in vain, and what to write.
    fn missing(&self, plan: &UnitTestPlan, known: &Known, name: &str) -> Option<(String, String)> {
        let mut missing = known.missing();
        missing.retain(|(_, asked)| asked == name);
        let nodes = self.compiler.manifest().nodes.values();
        let of = |schema: &Option<String>, name: &str| {
            nodes.clone().find(|node| {
                let is_here = schema.as_ref().is_none_or(|schema| *schema == node.schema);
                let is_cte = name.strip_prefix("__dbt__cte__") == Some(node.name.as_str());
                let is_relation = node.resource_type.is_built() || node.source_name.is_some();
                is_relation && (is_here && node.identifier == name || is_cte)
            })
        };
        let found = missing
            .iter()
            .find_map(|(schema, name)| of(schema, name).map(|node| label_of(node, plan)));
        match found {
            Some(label) => {
                let help = format!(
                    "add it to `given`: `- input: {label}` with `rows: []`, or with the rows that matter"
                );
                Some((label, help))
            }
            None => {
                let (schema, name) = missing.first()?;
                let names = plan.inputs.iter().map(|input| input.identifier.as_str());
                let help = match nearest(name, names) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "relations that are not written with ref() or source() cannot be given rows: write `{{ ref('…') }}` in the model".to_owned(),
                };
                let label = match schema {
                    Some(schema) => format!("`{schema}.{name}`"),
                    None => format!("`{name}`"),
                };
                Some((label, help))
            }
        }
    }

    fn node(&self, plan: &UnitTestPlan) -> &Node {
        &self.compiler.manifest().nodes[&plan.model]
    }
}

fn label_of(node: &Node, plan: &UnitTestPlan) -> String {
    match &node.source_name {
        Some(source) => format!("source('{source}', '{}')", node.name),
        None if node.unique_id == plan.model => "this".to_owned(),
        None => format!("ref('{}')", node.name),
    }
}

/// The cells of some columns, as they are compared: booleans as dbt writes them, numbers by their value.
fn chosen(printed: &Printed, columns: &[Column]) -> Vec<Row> {
    let places: Vec<Option<usize>> = columns
        .iter()
        .map(|column| {
            printed
                .columns
                .iter()
                .position(|known| known.name == column.name)
        })
        .collect();
    let cell = |row: &Row, place: &Option<usize>| -> Option<String> {
        let place = (*place)?;
        let text = row[place].as_deref()?;
        Some(match printed.columns[place].data_type {
            DataType::Boolean => if text == "t" { "true" } else { "false" }.to_owned(),
            DataType::Numeric => plain_number(text),
            _ => text.to_owned(),
        })
    };
    let row = |row: &Row| places.iter().map(|place| cell(row, place)).collect();
    printed.rows.iter().map(row).collect()
}

/// A numeric without the zeros at its end: 1.50 and 1.5 are equal.
fn plain_number(text: &str) -> String {
    let digits = text.trim_start_matches('-');
    let is_plain = digits.contains('.') && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if !is_plain {
        return text.to_owned();
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::plain_number;

    #[test]
    fn zeros_at_the_end_do_not_count() {
        for (text, plain) in [
            ("1.50", "1.5"),
            ("2.00", "2"),
            ("100", "100"),
            ("-0.10", "-0.1"),
            ("NaN", "NaN"),
        ] {
            assert_eq!(plain_number(text), plain);
        }
    }
}
