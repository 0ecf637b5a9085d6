//! Advice on what a plan does to a lake.

use std::collections::BTreeSet;

use rwt_sql::parse_statement;
use rwt_sql::statement::Statement;

use super::{Advice, Code, advice, is_heard};
use crate::desired::{Desired, DesiredObject};
use crate::name::Kind;
use crate::plan::{Action, Consequence, Plan};

/// Advice on a plan: what [`super::lint`] says of the project's hooks and of the objects that it makes or changes, and what
/// is in a lake already of the sources that it reads anew.
pub fn of_plan(plan: &Plan, desired: &Desired) -> Vec<Advice> {
    let acting: BTreeSet<&str> = plan
        .objects
        .iter()
        .filter(|object| {
            matches!(
                object.action,
                Action::Create | Action::Alter | Action::Swap | Action::Replace | Action::Blocked
            )
        })
        .map(|object| object.unique_id.as_str())
        .collect();
    let mut found = super::hooks::lint(desired);
    let objects = acting.iter().filter_map(|id| desired.objects.get(*id));
    found.extend(objects.flat_map(|object| super::statements::lint(desired, object)));
    for object in &plan.objects {
        let read_anew = object
            .consequences
            .iter()
            .any(|cost| matches!(cost, Consequence::RestartsReading { .. }));
        let source = desired
            .objects
            .get(&object.unique_id)
            .filter(|source| read_anew && matches!(source.kind, Kind::Source | Kind::Table));
        if let Some(source) = source {
            found.extend(lake_keeps_rows(desired, source));
        }
    }
    found.retain(|advice| is_heard(desired, advice));
    found
}

fn lake_keeps_rows(desired: &Desired, source: &DesiredObject) -> Option<Advice> {
    let lakes: Vec<String> = below(desired, &source.unique_id)
        .into_iter()
        .filter_map(|id| desired.objects.get(&id))
        .filter(|sink| sink.kind == Kind::Sink)
        .filter_map(|sink| lake_of(desired, sink))
        .collect();
    (!lakes.is_empty()).then(|| {
        advice(
            source,
            Code::LakeKeepsRows,
            format!(
                "{} is read anew, and {} keeps what came from it",
                source.relation,
                lakes.join(", ")
            ),
            "the rows come twice: keep the source as it is, let it begin at 'latest', or empty the lake's table before",
        )
    })
}

/// All that depends on a node.
fn below(desired: &Desired, unique_id: &str) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = BTreeSet::from([unique_id.to_owned()]);
    for (id, object) in &desired.objects {
        if object.bound_to.iter().any(|above| found.contains(above)) {
            found.insert(id.clone());
        }
    }
    found
}

/// The Iceberg table that a sink writes to.
fn lake_of(desired: &Desired, sink: &DesiredObject) -> Option<String> {
    let Ok(Statement::CreateSink(create)) = parse_statement(&sink.create) else {
        return None;
    };
    if create.into.is_none() {
        let table = create.with.text("table.name").unwrap_or("the lake");
        return (create.with.text("connector") == Some("iceberg")).then(|| table.to_owned());
    }
    let target = desired.objects.get(sink.writes_to.as_ref()?)?;
    match parse_statement(&target.create) {
        Ok(Statement::CreateTable(table)) if table.engine.as_deref() == Some("iceberg") => {
            Some(target.relation.to_string())
        }
        _ => None,
    }
}
