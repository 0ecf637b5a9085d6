//! A database through the versions of a project: plans, their simulated application, and what must hold meanwhile.

use std::collections::BTreeSet;
use std::fmt::Write;

use rwt_plan::plan::{Action, Adopt, Consequence, ObjectPlan};
use rwt_plan::state::{STATE_FORMAT, StateObject};
use rwt_plan::step::{Effect, Phase, StepKind};
use rwt_plan::{Desired, Fact, Options, Plan, ServerVersion, StateSnapshot, Step, plan};

use super::database::Database;
use super::project::desired;

pub struct History {
    case: &'static str,
    pub database: Database,
    pub state: StateSnapshot,
    pub options: Options,
    /// Variables of the environment and of `--vars` (`name=value name=value`).
    pub env: Vec<(&'static str, &'static str)>,
    pub vars: &'static str,
    /// Names of the models that are selected; none for all.
    pub select: Option<Vec<&'static str>>,
    deployments: usize,
    /// Plans and statements so far, for the snapshot.
    pub text: String,
}

impl History {
    pub fn of(case: &'static str) -> Self {
        Self::on(case, ServerVersion::new(2, 8, 4))
    }

    pub fn on(case: &'static str, version: ServerVersion) -> Self {
        Self {
            case,
            database: Database::new(version),
            state: StateSnapshot::default(),
            options: Options::default(),
            env: Vec::new(),
            vars: "",
            select: None,
            deployments: 0,
            text: String::new(),
        }
    }

    pub fn desired(&self, version: usize) -> Desired {
        desired(self.case, version, &self.env, self.vars)
    }

    pub fn selection(&self, desired: &Desired) -> BTreeSet<String> {
        let chosen = |id: &str| {
            let name = id.rsplit('.').next().unwrap_or(id);
            self.select
                .as_ref()
                .is_none_or(|names| names.contains(&name))
        };
        desired
            .objects
            .keys()
            .filter(|id| chosen(id))
            .cloned()
            .collect()
    }

    /// Plans a version, without applying it.
    pub fn plan(&mut self, version: usize) -> Plan {
        let desired = self.desired(version);
        self.plan_of(&desired, &format!("v{version}"))
    }

    fn plan_of(&mut self, desired: &Desired, label: &str) -> Plan {
        let plan = self.planned(desired);
        let _ = writeln!(self.text, "== {label}\n{}", shown(&plan));
        check_form(&plan);
        plan
    }

    fn planned(&mut self, desired: &Desired) -> Plan {
        self.deployments += 1;
        let options = Options {
            deployment: Some(format!("d{}", self.deployments)),
            ..self.options.clone()
        };
        let selection = self.selection(desired);
        plan(
            desired,
            &selection,
            &self.state,
            &self.database.catalog,
            &options,
        )
        .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Plans a version and applies it. Afterwards another plan has nothing to do, unless something was blocked or only
    /// reported.
    pub fn apply(&mut self, version: usize) -> Plan {
        let desired = self.desired(version);
        self.apply_of(&desired, &format!("v{version}"))
    }

    /// The same for what a project wants.
    pub fn apply_of(&mut self, desired: &Desired, label: &str) -> Plan {
        let plan = self.plan_of(desired, label);
        assert!(plan.base.is_current(&self.state, &self.database.catalog));
        self.carry_out(&plan, desired);
        let settled = plan.objects.iter().all(|object| {
            !matches!(
                object.action,
                Action::Blocked | Action::Drifted | Action::Removed | Action::Run | Action::Adopt
            )
        });
        if settled {
            let options = std::mem::take(&mut self.options);
            self.options.adopt = options.adopt;
            let again = self.planned(desired);
            assert!(
                again.objects.iter().all(|o| o.action == Action::Unchanged)
                    && again.steps.iter().all(Step::is_repeatable),
                "not settled:\n{again}\n{}\nafter:\n{}",
                again.sql(),
                self.text
            );
            self.deployments -= 1;
            self.options = options;
        }
        plan
    }

    fn carry_out(&mut self, plan: &Plan, desired: &Desired) {
        let before = self.database.clone();
        let must_stay = must_stay(plan, &before);
        self.in_another_order(plan);
        for step in &plan.steps {
            self.step(step);
            if step.kind == StepKind::Run {
                self.materialize(desired, step);
            }
            let readable = self.database.readable();
            let missing: Vec<_> = must_stay.difference(&readable).collect();
            assert!(
                missing.is_empty(),
                "{missing:?} cannot be read after:\n{step}"
            );
            self.record(plan, step);
            if step.phase <= Phase::Build {
                check_undo(plan, step.number, &self.database, &before);
            }
        }
        // What no step completes is recorded at once.
        for object in &plan.objects {
            let by_step = plan
                .steps
                .iter()
                .any(|step| step.completes.contains(&object.unique_id));
            if object.record.is_some() && !by_step {
                self.remember(object, &plan.deployment);
                for reason in &object.reasons {
                    if let rwt_plan::plan::Reason::Node { from } = reason {
                        self.state.objects.remove(from);
                    }
                }
            }
            if object.action == Action::Drop && object.object_id.is_none() {
                self.state.objects.remove(&object.unique_id);
            }
        }
        let catalog = &self.database.catalog;
        self.state
            .leftovers
            .retain(|left| catalog.objects.contains_key(&left.object_id));
    }

    /// Several workers may run steps in any order that their phases and [`Step::waits_for`] allow.
    fn in_another_order(&self, plan: &Plan) {
        // What macros make is not known to the steps.
        if plan.steps.iter().any(|step| step.kind == StepKind::Run) {
            return;
        }
        let mut database = self.database.clone();
        for step in as_late_as_allowed(plan) {
            for sql in step.sql() {
                database.execute(sql).unwrap_or_else(|error| {
                    panic!(
                        "{error}\nin another order, at:\n{step}\nof:\n{}",
                        plan.sql()
                    )
                });
            }
        }
    }

    fn step(&mut self, step: &Step) {
        for fact in &step.requires {
            assert!(
                fact.holds(&self.database.catalog),
                "{fact:?} must hold before:\n{step}"
            );
        }
        for sql in &step.before {
            self.run(sql, step);
        }
        for statement in &step.statements {
            let holds = |database: &Database, effect: &Effect| match effect {
                Effect::Shows(fact) => Some(fact.holds(&database.catalog)),
                Effect::Repeatable => None,
            };
            assert_ne!(
                holds(&self.database, &statement.effect),
                Some(true),
                "{:?} holds already before:\n{step}",
                statement.effect
            );
            self.run(&statement.sql, step);
            assert_ne!(
                holds(&self.database, &statement.effect),
                Some(false),
                "{:?} does not hold after:\n{step}",
                statement.effect
            );
        }
        for sql in &step.after {
            self.run(sql, step);
        }
        if let Some(built) = step
            .builds
            .as_ref()
            .filter(|built| built.kind != rwt_plan::Kind::Index)
        {
            let fact = Fact::Exists {
                relation: built.relation.clone(),
                kind: built.kind,
            };
            assert!(
                fact.holds(&self.database.catalog),
                "{fact:?} after:\n{step}"
            );
        }
    }

    /// What a materialization does that makes a table where there is none.
    fn materialize(&mut self, desired: &Desired, step: &Step) {
        let object = &desired.objects[step.unique_id.as_ref().expect("a node")];
        if self
            .database
            .catalog
            .find(&object.relation, object.kind)
            .is_some()
        {
            return;
        }
        for statement in rwt_sql::parse_script(&object.create).expect("parses") {
            self.run(&statement.text, step);
        }
    }

    fn run(&mut self, sql: &str, step: &Step) {
        self.database
            .execute(sql)
            .unwrap_or_else(|error| panic!("{error}\nin step:\n{step}\nso far:\n{}", self.text));
    }

    fn record(&mut self, plan: &Plan, step: &Step) {
        for unique_id in &step.completes {
            let object = plan
                .objects
                .iter()
                .find(|object| object.unique_id == *unique_id)
                .expect("a plan of what a step completes");
            self.remember(object, &plan.deployment);
        }
        for unique_id in &step.forgets {
            self.state.objects.remove(unique_id);
        }
        self.state.leftovers.extend(step.leaves.iter().cloned());
    }

    fn remember(&mut self, object: &ObjectPlan, deployment: &str) {
        let record = object.record.clone().expect("a record");
        let found = self.database.catalog.find(&record.relation, record.kind);
        self.state.format = STATE_FORMAT;
        self.state.rwt_version = "0.1.0".to_owned();
        self.state.objects.insert(
            object.unique_id.clone(),
            StateObject {
                project: "shop".to_owned(),
                relation: record.relation.clone(),
                kind: record.kind,
                object_id: found.map(|(id, _)| id),
                columns: found
                    .map(|(_, object)| object.columns.clone())
                    .unwrap_or_default(),
                fingerprint: record.fingerprint,
                definition: record.definition,
                deployment: deployment.to_owned(),
                applied_at: "2026-11-22T12:00:00Z".to_owned(),
            },
        );
    }

    /// Somebody does something outside of rwt.
    pub fn by_hand(&mut self, sql: &str) {
        let _ = writeln!(self.text, "== by hand\n{sql};\n");
        self.database
            .execute(sql)
            .unwrap_or_else(|error| panic!("{error}"));
    }

    /// Names and bindings as they are, for the snapshot.
    pub fn show_bindings(&mut self) {
        let _ = writeln!(self.text, "== bindings");
        for (reader, reads) in self.database.bindings() {
            let _ = writeln!(self.text, "{reader} -> {}", reads.join(", "));
        }
        let _ = writeln!(self.text);
    }

    pub fn adopt(&mut self, adopt: Adopt) -> &mut Self {
        self.options.adopt = adopt;
        self
    }
}

/// A plan and its statements, however the macros break their lines.
fn shown(plan: &Plan) -> String {
    let mut text = String::new();
    for line in plan.text(true, true).lines() {
        let line = line.trim_end();
        if line.starts_with("      @@") {
            text.push_str("      @@\n");
        } else if !["", "      +", "      -"].contains(&line) {
            let _ = writeln!(text, "{line}");
        }
    }
    text.push('\n');
    for step in &plan.steps {
        let _ = writeln!(text, "-- {}. {}", step.number, step.purpose);
        for sql in step.sql() {
            let words: Vec<&str> = sql.split_whitespace().collect();
            let _ = writeln!(text, "{};", rwt_sql::redact(&words.join(" ")));
        }
    }
    text
}

/// What a plan promises to be readable all the time: every name that is readable, but those that it says it takes away.
fn must_stay(plan: &Plan, database: &Database) -> BTreeSet<rwt_plan::RelationName> {
    let mut names = database.readable();
    for object in plan
        .objects
        .iter()
        .filter(|object| object.blocked.is_none())
    {
        for consequence in &object.consequences {
            match consequence {
                Consequence::NameGone { relation } | Consequence::NameMissing { relation } => {
                    names.remove(relation);
                }
                // Two names exchanged take three steps.
                Consequence::NameMissingBriefly { relation } if object.action == Action::Rename => {
                    names.remove(relation);
                }
                _ => {}
            }
        }
    }
    for step in &plan.steps {
        for leftover in &step.leaves {
            names.remove(&leftover.relation);
        }
    }
    // Leftovers of earlier deployments.
    names.retain(|name| !name.name.contains("__rwt_"));
    names
}

/// As long as no name was swapped, taking the steps back leaves the names that were there.
fn check_undo(plan: &Plan, done: usize, database: &Database, before: &Database) {
    let mut database = database.clone();
    for step in plan.steps[..done].iter().rev() {
        for statement in &step.undo {
            database
                .execute(&statement.sql)
                .unwrap_or_else(|error| panic!("{error}\nwhen taking back:\n{step}"));
        }
    }
    let hooks = plan.steps.iter().any(|step| step.phase == Phase::Start);
    let alters_indexes = plan.steps[..done].iter().any(|step| {
        step.phase == Phase::Build
            && step
                .statements
                .iter()
                .any(|s| s.sql.to_lowercase().contains("index"))
    });
    if !hooks && !alters_indexes {
        let created: Vec<_> = database
            .names()
            .difference(&before.names())
            .cloned()
            .collect();
        assert!(
            created.is_empty(),
            "{created:?} stays when the plan is taken back"
        );
    }
    let lost: Vec<_> = before
        .readable()
        .difference(&database.readable())
        .cloned()
        .collect();
    assert!(
        lost.is_empty(),
        "{lost:?} is lost when the plan is taken back"
    );
}

/// The steps in the order that lets each come as late as it may: phases, and what each waits for, are all that is kept.
fn as_late_as_allowed(plan: &Plan) -> Vec<&Step> {
    let mut order: Vec<&Step> = Vec::new();
    let mut open: Vec<&Step> = plan.steps.iter().collect();
    while let Some(phase) = open.iter().map(|step| step.phase).min() {
        let ready = open.iter().rposition(|step| {
            step.phase == phase
                && step
                    .waits_for
                    .iter()
                    .all(|number| order.iter().any(|done| done.number == *number))
        });
        order.push(open.remove(ready.expect("a step that may run")));
    }
    order
}

/// Numbers follow one another, phases do not go back, and no step waits for a later one.
fn check_form(plan: &Plan) {
    let mut phase = Phase::Start;
    for (at, step) in plan.steps.iter().enumerate() {
        assert_eq!(step.number, at + 1);
        assert!(
            step.phase >= phase,
            "{:?} after {phase:?}:\n{step}",
            step.phase
        );
        assert!(
            step.waits_for.iter().all(|number| *number < step.number),
            "{step}"
        );
        phase = step.phase;
    }
    let json = serde_json::to_string(plan).expect("a plan is written");
    let read: Plan = serde_json::from_str(&json).expect("a plan is read");
    assert_eq!(read, *plan);
}
