//! What is left of steps when somebody has dropped what they are about.

use rwt_plan::step::{Phase, StepKind};
use rwt_plan::{Plan, Step};

use crate::support::History;

/// A changed project before its names move.
fn before_the_swap(case: &'static str) -> (History, Plan) {
    let mut history = History::of(case);
    history.apply(1);
    let plan = history.plan(2);
    let early = plan.steps.iter().filter(|step| step.phase < Phase::Swap);
    for step in early {
        send(&mut history, step);
    }
    (history, plan)
}

fn send(history: &mut History, step: &Step) {
    for statement in &step.statements {
        let done = history.database.execute(&statement.sql);
        assert!(done.is_ok(), "{}: {done:?}", statement.sql);
    }
}

/// Drops the old objects of everything that is swapped, leaves first.
fn drop_old(history: &mut History, plan: &Plan) {
    for object in plan.objects.iter().rev() {
        let is_swapped = |step: &Step| {
            step.kind == StepKind::Swap && step.unique_id.as_ref() == Some(&object.unique_id)
        };
        let old = (object.object_id).and_then(|id| history.database.catalog.objects.get(&id));
        if let Some(old) = old.filter(|_| plan.steps.iter().any(is_swapped)) {
            let sql = format!("drop {} {}", old.kind.sql(), old.relation);
            history.database.execute(&sql).unwrap();
        }
    }
}

#[test]
fn new_objects_and_their_indexes_take_the_names_of_dropped_ones() {
    for case in ["two_levels", "changed_kind", "indexes_of_a_changed_view"] {
        let (mut history, plan) = before_the_swap(case);
        let mut usual = History::of(case);
        usual.apply(1);
        usual.apply(2);
        drop_old(&mut history, &plan);
        let late = plan.steps.iter().filter(|step| step.phase >= Phase::Swap);
        for step in late {
            let catalog = &history.database.catalog;
            let mended = step.mended(false, catalog);
            let left = mended.map_or_else(|| step.clone(), |mended| mended.step);
            send(&mut history, &left);
            if step.kind == StepKind::Swap {
                // Nobody has noted that it was done: there is nothing left to be sent.
                let again = step.mended(true, &history.database.catalog).unwrap();
                assert_eq!(again.step.statements, [], "{case}: {}", step.purpose);
            }
        }
        assert_eq!(history.database.names(), usual.database.names(), "{case}");
    }
}

#[test]
fn steps_whose_objects_are_there_are_not_changed() {
    for case in ["two_levels", "changed_kind", "indexes_of_a_changed_view"] {
        let (mut history, plan) = before_the_swap(case);
        for step in plan.steps.iter().filter(|step| step.phase >= Phase::Swap) {
            let catalog = &history.database.catalog;
            assert_eq!(
                step.mended(false, catalog),
                None,
                "{case}: {}",
                step.purpose
            );
            assert_eq!(step.mended(true, catalog), None, "{case}: {}", step.purpose);
            send(&mut history, step);
        }
    }
}

#[test]
fn a_name_that_somebody_else_has_taken_is_not_taken_from_him() {
    let (mut history, plan) = before_the_swap("changed_kind");
    drop_old(&mut history, &plan);
    let swap = plan.steps.iter().find(|step| step.kind == StepKind::Swap);
    let swap = swap.unwrap();
    let name = &plan
        .objects
        .iter()
        .find(|object| Some(&object.unique_id) == swap.unique_id.as_ref())
        .unwrap()
        .relation;
    history.by_hand(&format!("create table {name} (a int)"));
    for begun in [false, true] {
        assert_eq!(swap.mended(begun, &history.database.catalog), None);
    }
}
