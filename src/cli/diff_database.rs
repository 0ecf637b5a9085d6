//! `rwt diff` without an earlier manifest: how a target's database differs from the project, whatever a plan would make of
//! it.

use std::fmt;

use rwt_plan::counted;
use rwt_plan::plan::{Action, ObjectPlan, Plan, Reason};
use serde::Serialize;

use super::args::{GlobalArgs, SelectArgs};
use super::context::{Context, FlagsOf};
use super::deploy::{Deployer, Errors};
use super::{CommandResult, Exit};
use crate::ui::Printer;

/// The project on one side, a database on the other.
#[derive(Debug, Serialize)]
struct DiffReport {
    project: String,
    /// The target whose database it is.
    target: String,
    database: String,
    /// What differs, in the order of the DAG; what is only in the database comes last.
    differences: Vec<Difference>,
    /// How many objects are the same on both sides.
    same: usize,
}

/// One object that differs.
#[derive(Debug, Serialize)]
struct Difference {
    unique_id: String,
    /// `schema.name`
    relation: String,
    /// `table`, `materialized view`, …
    kind: String,
    how: How,
    /// What differs, a line each.
    details: Vec<String>,
    /// The unified difference of its statements, from the database to the project; secrets are hidden.
    diff: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum How {
    OnlyInProject,
    OnlyInDatabase,
    /// Its statement, or what kind of object it is.
    Statement,
    /// Names, indexes, rights, descriptions, settings of the living object.
    Configuration,
    /// It was changed in the database by somebody else.
    Drifted,
    /// It exists, and rwt has not made it; its definition is compared as far as the server shows it.
    Unknown,
}

pub(super) fn main(
    global: &GlobalArgs,
    select: &SelectArgs,
    detailed_exitcode: bool,
    printer: &Printer,
) -> CommandResult {
    let mut context = Context::load_for(global, &FlagsOf::default(), printer)?;
    context.ensure_stack(printer)?;
    let selected = context.selected_ids(select, printer)?;
    let deployer = Deployer::open(&context, &selected, Errors::Refused)?;
    let plan = deployer.plan(&selected, &deployer.options())?.plan;
    let report = DiffReport::of(&plan);
    if printer.is_json() {
        printer.document(&report);
    } else {
        printer.line(report.to_string());
    }
    Ok(if detailed_exitcode && !report.differences.is_empty() {
        Exit::Changes
    } else {
        Exit::Ok
    })
}

impl DiffReport {
    fn of(plan: &Plan) -> Self {
        let differences: Vec<Difference> = plan.objects.iter().filter_map(Difference::of).collect();
        Self {
            project: plan.project.clone(),
            target: plan.target.clone(),
            database: plan.database.clone(),
            same: plan.objects.len() - differences.len(),
            differences,
        }
    }
}

impl Difference {
    /// None where both sides say the same. What only has to follow others is no difference.
    fn of(object: &ObjectPlan) -> Option<Self> {
        let differs = |reason: &Reason| match reason {
            Reason::New | Reason::Missing => Some(How::OnlyInProject),
            // What rwt remembers and nobody has any more is on neither side.
            Reason::NotInProject => object.object_id.map(|_| How::OnlyInDatabase),
            Reason::Definition | Reason::Kind { .. } => Some(How::Statement),
            // A column more.
            Reason::Columns { .. } => Some(How::Statement),
            Reason::Relation { .. }
            | Reason::Node { .. }
            | Reason::Indexes { .. }
            | Reason::Grants
            | Reason::Comments
            | Reason::Tuning { .. } => Some(How::Configuration),
            Reason::Unknown { same: Some(true) } => None,
            Reason::Unknown { .. } => Some(How::Unknown),
            Reason::Drift => Some(How::Drifted),
            Reason::Input { .. }
            | Reason::Target { .. }
            | Reason::StaleInput { .. }
            | Reason::FullRefresh
            | Reason::Imperative { .. } => None,
        };
        let mut hows = object.reasons.iter().filter_map(differs);
        let how = match hows.next() {
            Some(How::Configuration) => hows
                .find(|how| *how == How::Statement)
                .or(Some(How::Configuration)),
            None if object.object_id.is_none() && object.action == Action::Run => {
                Some(How::OnlyInProject)
            }
            None if !object.drift.is_empty() => Some(How::Drifted),
            // What a seed or an incremental model is made from.
            None if object.action == Action::Run && !object.diff.is_empty() => Some(How::Statement),
            how => how,
        }?;
        let reasons = object
            .reasons
            .iter()
            .filter(|reason| differs(reason).is_some())
            .map(ToString::to_string);
        let drift = object
            .drift
            .iter()
            .map(|drift| format!("in the database: {drift}"));
        Some(Self {
            unique_id: object.unique_id.clone(),
            relation: object.relation.to_string(),
            kind: object.kind.to_string(),
            how,
            details: reasons.chain(drift).collect(),
            diff: object.diff.clone(),
        })
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::OnlyInProject => "only in the project",
            Self::OnlyInDatabase => "only in the database",
            Self::Statement => "another statement",
            Self::Configuration => "another configuration",
            Self::Drifted => "changed in the database",
            Self::Unknown => "unknown to rwt",
        })
    }
}

impl fmt::Display for DiffReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} and database {} of target {}",
            self.project, self.database, self.target
        )?;
        for difference in &self.differences {
            write!(
                f,
                "\n  {:<23} {} {}",
                difference.how, difference.kind, difference.relation
            )?;
            for detail in &difference.details {
                write!(f, "\n      {detail}")?;
            }
            for line in difference.diff.lines() {
                write!(f, "\n      {line}")?;
            }
        }
        if !self.differences.is_empty() {
            writeln!(f)?;
        }
        write!(
            f,
            "\n{}, {} the same",
            counted(self.differences.len(), "difference"),
            self.same
        )
    }
}
