//! Which models have no unit test, and which branches of CASE no unit test reaches. A test reaches a branch when its
//! condition holds for a row while the model's query runs over the test's rows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rwt_compiler::{CompileError, Compiler, UnitTestPlan};
use rwt_project::manifest::{Node, ResourceType, UniqueId};
use rwt_query::Probe;
use serde::Serialize;

use super::branches::{Numbers, probed};
use super::unit::UnitTests;

/// What unit tests cover.
#[derive(Debug, Serialize)]
pub struct Coverage {
    /// Models that have a query, by file.
    pub models: Vec<ModelCoverage>,
    /// How many of them have a unit test.
    pub tested: usize,
    /// Branches of all of them.
    pub branches: usize,
    /// Branches that a test reaches.
    pub reached: usize,
}

/// What unit tests cover of one model.
#[derive(Debug, Serialize)]
pub struct ModelCoverage {
    /// The model.
    pub unique_id: String,
    /// Its name.
    pub name: String,
    /// Its file, relative to the project.
    pub file: String,
    /// Its unit tests.
    pub unit_tests: Vec<String>,
    /// The branches of its CASE expressions.
    pub branches: Vec<BranchCoverage>,
}

/// One branch.
#[derive(Debug, Serialize)]
pub struct BranchCoverage {
    /// Its line in the model's file, from 1; none where a macro writes it.
    pub line: Option<usize>,
    /// `when total > 0`, `else 0`
    pub text: String,
    /// Whether a test reaches it.
    pub reached: bool,
}

/// Measures the unit tests of these models.
///
/// # Errors
/// A model's template that cannot be rendered.
pub async fn coverage(
    compiler: &Compiler,
    models: &[&Node],
    tests: &mut UnitTests<'_>,
) -> Result<Coverage, CompileError> {
    let mut of_model: BTreeMap<&UniqueId, Vec<&Node>> = BTreeMap::new();
    for node in compiler.manifest().nodes.values() {
        if node.resource_type == ResourceType::UnitTest
            && let Some(model) = node.depends_on.first()
        {
            of_model.entry(model).or_default().push(node);
        }
    }
    let mut found = Vec::new();
    for model in models {
        let Some((query, _)) = compiler.query_of(&model.unique_id)? else {
            continue;
        };
        let mut numbers = Numbers::default();
        let (branches, _) = probed(&query, &mut numbers);
        let unit_tests = of_model.get(&model.unique_id).cloned().unwrap_or_default();
        let mut reached = BTreeSet::new();
        for test in unit_tests.iter().filter(|_| !branches.is_empty()) {
            // A test that cannot be run has an error of its own.
            if let Ok(plan) = compiler.unit_test(&test.unique_id) {
                reached.extend(reached_by(&plan, &mut numbers, tests).await);
            }
        }
        let branches = branches.iter().map(|branch| BranchCoverage {
            line: line_of(&model.raw_code, &branch.anchor),
            text: branch.text.clone(),
            reached: reached.contains(&branch.number),
        });
        found.push(ModelCoverage {
            unique_id: model.unique_id.0.clone(),
            name: model.name.clone(),
            file: model.original_file_path.display().to_string(),
            unit_tests: unit_tests.iter().map(|test| test.name.clone()).collect(),
            branches: branches.collect(),
        });
    }
    found.sort_by(|a, b| a.file.cmp(&b.file));
    let branches = || found.iter().flat_map(|model| &model.branches);
    Ok(Coverage {
        tested: found
            .iter()
            .filter(|model| !model.unit_tests.is_empty())
            .count(),
        branches: branches().count(),
        reached: branches().filter(|branch| branch.reached).count(),
        models: found,
    })
}

/// The numbers of the branches that a test reaches.
async fn reached_by(
    plan: &UnitTestPlan,
    numbers: &mut Numbers,
    tests: &mut UnitTests<'_>,
) -> BTreeSet<i64> {
    let probe = Probe::default();
    let Ok(prepared) = tests.prepare(plan).await else {
        return BTreeSet::new();
    };
    let (_, query) = probed(&plan.query, numbers);
    let sight = (&prepared.known, &prepared.settings);
    let engine = tests.engine();
    if let Ok(bound) = engine
        .plan_probed(&query, plan.is_stream, sight, &probe)
        .await
    {
        // What ran until an error has been reached all the same.
        let _ = bound.execute(&[]).await;
    }
    probe.seen()
}

/// The line of the only place where a text holds `anchor`.
fn line_of(text: &str, anchor: &str) -> Option<usize> {
    let mut places = text.match_indices(anchor).map(|(at, _)| at);
    match (places.next(), places.next()) {
        (Some(at), None) => Some(text[..at].matches('\n').count() + 1),
        _ => None,
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let without: Vec<&ModelCoverage> = (self.models.iter())
            .filter(|model| model.unit_tests.is_empty())
            .collect();
        if !without.is_empty() {
            writeln!(f, "Models without a unit test:")?;
            for model in &without {
                writeln!(f, "  {}", model.file)?;
            }
            writeln!(f)?;
        }
        let open = |model: &ModelCoverage| model.branches.iter().any(|branch| !branch.reached);
        if self.models.iter().any(open) {
            writeln!(f, "Branches of CASE that no unit test reaches:")?;
            for model in self.models.iter().filter(|model| open(model)) {
                for branch in model.branches.iter().filter(|branch| !branch.reached) {
                    let line = branch
                        .line
                        .map_or_else(String::new, |line| format!(":{line}"));
                    writeln!(f, "  {}{line}  {}", model.file, branch.text)?;
                }
            }
            writeln!(f)?;
        }
        write!(
            f,
            "Coverage: {} of {} models have a unit test, {} of {} branches are reached.",
            self.tested,
            self.models.len(),
            self.reached,
            self.branches
        )
    }
}
