//! New objects, shadows of changed ones, and changes in place. Nothing that is read changes its meaning.

use super::Steps;
use crate::desired::without_if_not_exists;
use crate::name::{Kind, RelationName};
use crate::planner::clean::shadow_name;
use crate::planner::compare::Standing;
use crate::planner::decision::{Cutover, Decision, Treatment};
use crate::planner::statements::{
    about, absent, drop_if_exists, exists, index_on, inherited_grants, is, rename_index,
    repeatable, revocations, shows, tune, uncomment,
};
use crate::step::{Built, Fact, Phase, Step, StepKind, StepStatement};

impl<'a> Steps<'_, 'a> {
    pub(super) fn build(&mut self) {
        let decisions = self.decisions;
        for (unique_id, decision) in &decisions.of {
            if self.late.contains(*unique_id) {
                continue;
            }
            match decision.treatment {
                Treatment::Create => self.create(Phase::Build, decision),
                Treatment::Shadow(Cutover::NewName) => {
                    self.create(Phase::Build, decision);
                }
                Treatment::Shadow(Cutover::Swap | Cutover::Renames) => self.shadow(decision),
                Treatment::Alter => self.alter(decision),
                Treatment::Run => self.run(Phase::Build, decision),
                Treatment::Nothing
                | Treatment::InPlace
                | Treatment::ReplaceSink
                | Treatment::MoveSink { .. } => {}
            }
        }
    }

    /// The object under its own name.
    pub(super) fn create(&mut self, phase: Phase, decision: &Decision<'_>) {
        self.create_as(phase, decision, &decision.object.create);
    }

    /// The same, by another statement.
    pub(super) fn create_as(&mut self, phase: Phase, decision: &Decision<'_>, create: &str) {
        let object = decision.object;
        let purpose = format!("create the {} {}", object.kind, object.relation);
        self.created(
            phase,
            StepKind::Create,
            decision,
            (&object.relation, create),
            purpose,
        );
        self.indexes_of(phase, decision, &object.relation);
        self.rights_of(phase, decision, &object.relation);
        self.post_hooks(phase, decision);
        self.complete(decision);
    }

    /// The object beside the old one.
    fn shadow(&mut self, decision: &Decision<'_>) {
        let object = decision.object;
        let shadow = shadow_name(&object.relation, self.deployment);
        let purpose = format!("build the new {} beside the old one", object.relation);
        self.created(
            Phase::Build,
            StepKind::Shadow,
            decision,
            (&shadow, &object.create),
            purpose,
        );
        self.indexes_of(Phase::Build, decision, &shadow);
        self.rights_of(Phase::Build, decision, &shadow);
    }

    /// A CREATE statement.
    pub(super) fn created(
        &mut self,
        phase: Phase,
        kind: StepKind,
        decision: &Decision<'_>,
        (relation, create): (&RelationName, &str),
        purpose: String,
    ) {
        let object = decision.object;
        let create = without_if_not_exists(create);
        let sql = if phase == Phase::Build {
            self.built(&create, &object.relation, relation)
        } else {
            let schema = &self.known.desired.schema;
            about(&create, schema, (&object.relation, relation), &|_| None)
        };
        let mut step = self.step(phase, kind, Some(decision), purpose);
        step.waits_for.extend(self.above(decision));
        step.waits_for.sort_unstable();
        step.waits_for.dedup();
        step.requires.push(absent(relation, object.kind));
        step.before.clone_from(&object.before);
        step.statements
            .push(shows(sql, exists(relation, object.kind)));
        step.after.clone_from(&object.after);
        if has_backfill(object.kind) {
            step.builds = Some(Built {
                relation: relation.clone(),
                kind: object.kind,
            });
        }
        if phase == Phase::Build {
            step.undo.push(shows(
                drop_if_exists(relation, object.kind),
                absent(relation, object.kind),
            ));
        }
        self.push(step);
    }

    /// The indexes, on the object or on its shadow.
    pub(super) fn indexes_of(&mut self, phase: Phase, decision: &Decision<'_>, on: &RelationName) {
        let object = decision.object;
        for (name, sql) in &object.indexes {
            let shadow = shadow_name(&object.relation.sibling(name), self.deployment).name;
            let name = if *on == object.relation && !self.keeps_old_index(decision, name) {
                name.clone()
            } else {
                shadow
            };
            self.index(phase, decision, (&name, sql), on);
        }
        for (name, definition) in self.indexes_by_hand(decision) {
            let name = shadow_name(&object.relation.sibling(name), self.deployment).name;
            if *on != object.relation {
                self.index(phase, decision, (&name, &definition), on);
            }
        }
    }

    /// Whether an old object under another name keeps an index of this name.
    fn keeps_old_index(&self, decision: &Decision<'_>, name: &str) -> bool {
        decision.treatment == Treatment::Shadow(Cutover::NewName)
            && decision
                .id()
                .is_some_and(|id| self.known.indexes(id).contains(name))
    }

    /// Indexes of the old object that somebody else has made: name and statement.
    pub(super) fn indexes_by_hand(&self, decision: &Decision<'_>) -> Vec<(String, String)> {
        let Standing::There(there) = &decision.standing else {
            return Vec::new();
        };
        let ours = &there.state.definition.indexes;
        let wanted = &decision.object.indexes;
        let on_it = self
            .known
            .catalog
            .indexes
            .values()
            .filter(|index| index.on == there.id);
        on_it
            .filter(|index| {
                let name = &index.relation.name;
                !ours.contains_key(name) && !wanted.contains_key(name)
            })
            .filter_map(|index| Some((index.relation.name.clone(), index.definition.clone()?)))
            .collect()
    }

    fn index(
        &mut self,
        phase: Phase,
        decision: &Decision<'_>,
        (name, sql): (&str, &str),
        on: &RelationName,
    ) {
        let relation = on.sibling(name);
        let mut step = self.step(
            phase,
            StepKind::Create,
            Some(decision),
            format!("create the index {} on {on}", relation.name),
        );
        step.requires.push(exists(on, decision.object.kind));
        let sql = index_on(sql, name, on);
        step.statements.push(shows(
            sql,
            Fact::IndexExists {
                relation: relation.clone(),
            },
        ));
        step.builds = Some(Built {
            relation: relation.clone(),
            kind: Kind::Index,
        });
        if phase == Phase::Build && *on == decision.object.relation {
            step.undo.push(shows(
                drop_if_exists(&relation, Kind::Index),
                Fact::IndexAbsent { relation },
            ));
        }
        self.push(step);
    }

    /// Owner, rights and descriptions, on the object or on its shadow.
    pub(super) fn rights_of(&mut self, phase: Phase, decision: &Decision<'_>, on: &RelationName) {
        let object = decision.object;
        let mut statements: Vec<String> = Vec::new();
        let old = decision
            .id()
            .and_then(|id| self.known.catalog.objects.get(&id));
        if let Some(old) = old {
            if old.owner != self.known.catalog.user && !old.owner.is_empty() {
                let owner = rwt_sql::Ident::new(&old.owner);
                statements.push(format!("ALTER {} {on} OWNER TO {owner}", object.kind.sql()));
            }
            statements.extend(inherited_grants(old, &object.grants, object.kind, on));
        }
        let own = object.grants.iter().chain(&object.comments);
        let schema = &self.known.desired.schema;
        statements.extend(own.map(|sql| about(sql, schema, (&object.relation, on), &|_| None)));
        if statements.is_empty() {
            return;
        }
        let mut step = self.step(
            phase,
            StepKind::Alter,
            Some(decision),
            format!("rights and descriptions of {on}"),
        );
        step.statements = statements.into_iter().map(repeatable).collect();
        self.push(step);
    }

    /// Post-hooks, when the object has its name.
    pub(super) fn post_hooks(&mut self, phase: Phase, decision: &Decision<'_>) {
        let object = decision.object;
        if object.post_hooks.is_empty() {
            return;
        }
        let mut step = self.step(
            phase,
            StepKind::Hook,
            Some(decision),
            format!("post-hook of {}", object.name),
        );
        step.statements = object.post_hooks.iter().cloned().map(repeatable).collect();
        self.push(step);
    }

    /// Runs the node's materialization.
    pub(super) fn run(&mut self, phase: Phase, decision: &Decision<'_>) {
        let purpose = format!(
            "run the {} {}",
            decision.object.materialized, decision.object.name
        );
        let mut step = self.step(phase, StepKind::Run, Some(decision), purpose);
        if phase == Phase::Build && decision.id().is_none() {
            let (relation, kind) = (&decision.object.relation, decision.object.kind);
            step.undo.push(shows(
                drop_if_exists(relation, kind),
                absent(relation, kind),
            ));
        }
        step.waits_for.extend(self.above(decision));
        self.push(step);
        self.complete(decision);
    }

    /// Changes of an object that stays.
    fn alter(&mut self, decision: &Decision<'_>) {
        let alteration = &decision.alteration;
        if alteration.only_names() && alteration.rename {
            return;
        }
        let (object, relation) = (decision.object, &decision.object.relation);
        let Some(id) = decision.id() else { return };
        let mut statements: Vec<StepStatement> = Vec::new();
        for (name, definition) in &alteration.columns {
            statements.push(shows(
                format!(
                    "ALTER {} {relation} ADD COLUMN {definition}",
                    object.kind.sql()
                ),
                Fact::HasColumn {
                    relation: relation.clone(),
                    column: name.clone(),
                },
            ));
        }
        if alteration.secret
            && let Some(sql) = alter_secret(&object.create, relation)
        {
            statements.push(repeatable(sql));
        }
        if !alteration.rename {
            for (old, new) in &alteration.indexes.rename {
                statements.push(rename_index(&relation.schema, old, new));
            }
        }
        let drops = |index: &String| {
            let index = relation.sibling(index);
            let sql = drop_if_exists(&index, Kind::Index);
            shows(sql, Fact::IndexAbsent { relation: index })
        };
        // Only the name that a new one takes is given up before: a new index that cannot be made takes none away.
        let (renewed, gone): (Vec<&String>, Vec<&String>) = (alteration.indexes.drop.iter())
            .partition(|index| alteration.indexes.add.contains(*index));
        statements.extend(renewed.into_iter().map(drops));
        for (setting, value) in &alteration.tuning {
            statements.extend(tune(object, setting, value.as_ref()).map(repeatable));
        }
        statements.extend(
            alteration
                .comments
                .1
                .iter()
                .filter_map(|sql| uncomment(sql))
                // Its text is written anew.
                .filter(|sql| {
                    let about = sql.trim_end_matches("null");
                    !object
                        .comments
                        .iter()
                        .any(|comment| comment.starts_with(about))
                })
                .map(repeatable),
        );
        let new = alteration.grants.0.iter().chain(&alteration.comments.0);
        statements.extend(new.cloned().map(repeatable));
        // What others keep is given before anything is taken.
        let taken = revocations(&alteration.grants.1, &object.grants);
        statements.extend(taken.into_iter().map(repeatable));
        if !statements.is_empty() {
            let purpose = format!("change {relation} in place");
            let mut step = self.step(Phase::Build, StepKind::Alter, Some(decision), purpose);
            step.requires.push(is(relation, object.kind, id));
            step.statements = statements;
            self.push(step);
        }
        for name in &alteration.indexes.add {
            if let Some(sql) = object.indexes.get(name) {
                self.index(Phase::Build, decision, (name, sql), relation);
            }
        }
        if !gone.is_empty() {
            let purpose = format!("drop indexes of {relation} that are no longer wanted");
            let mut step = self.step(Phase::Build, StepKind::Alter, Some(decision), purpose);
            step.requires.push(is(relation, object.kind, id));
            step.statements = gone.into_iter().map(drops).collect();
            self.push(step);
        }
        self.complete(decision);
    }

    /// Every shadow that reads something is built to its end before names are swapped.
    pub(super) fn await_backfills(&mut self) {
        let decisions = self.decisions;
        let waits = crate::version::Feature::WaitForObject.is_in(self.known.catalog.server.version);
        for decision in decisions.of.values() {
            let object = decision.object;
            let Treatment::Shadow(cutover) = decision.treatment else {
                continue;
            };
            if !has_backfill(object.kind) {
                continue;
            }
            let built = match cutover {
                Cutover::NewName => object.relation.clone(),
                _ => shadow_name(&object.relation, self.deployment),
            };
            let purpose = format!("wait until {built} is built");
            let mut step: Step = self.step(Phase::Await, StepKind::Wait, Some(decision), purpose);
            if waits {
                let sql = format!("WAIT {} {built}", object.kind.sql());
                step.statements.push(repeatable(sql));
            }
            step.builds = Some(Built {
                relation: built,
                kind: object.kind,
            });
            self.push(step);
        }
    }
}

/// Whether creating it reads what is there, which takes time.
fn has_backfill(kind: Kind) -> bool {
    matches!(kind, Kind::MaterializedView | Kind::Table | Kind::Sink)
}

/// `ALTER SECRET` out of a CREATE SECRET: everything from `WITH` or `AS` on is the same.
fn alter_secret(create: &str, relation: &RelationName) -> Option<String> {
    let subject = rwt_sql::mentions(create)
        .into_iter()
        .find(|mention| mention.role == rwt_sql::Role::Subject)?;
    Some(format!(
        "ALTER SECRET {relation}{}",
        &create[subject.span.end..]
    ))
}
