//! `on-run-start`, schemas, and names that are given up before others take them.

use rwt_compiler::materialize::{RecordedStatement, created};

use super::Steps;
use crate::name::{Kind, RelationName};
use crate::planner::decision::{Decision, Treatment};
use crate::planner::statements::{
    absent, exists, is, rename_index, rename_to, repeatable, set_schema, shows, swap,
};
use crate::step::{Fact, Phase, Step, StepKind, StepStatement};
use crate::version::Feature;

impl Steps<'_, '_> {
    pub(super) fn prepare(&mut self) {
        for sql in &self.known.desired.on_run_start {
            self.hook(Phase::Start, sql, "on-run-start");
        }
        self.schemas();
        let decisions = self.decisions;
        let mut renames: Vec<&Decision<'_>> = decisions
            .of
            .values()
            .filter(|decision| decision.alteration.rename)
            .collect();
        // A name can be taken when nobody has it any more.
        while !renames.is_empty() {
            let free = renames.iter().position(|decision| {
                let wanted = &decision.object.relation;
                !renames.iter().any(|other| {
                    other.object.unique_id != decision.object.unique_id
                        && now(self, other).is_some_and(|name| name == *wanted)
                })
            });
            match free {
                Some(free) => {
                    let decision = renames.remove(free);
                    self.rename(decision);
                }
                None => {
                    let decision = renames.remove(0);
                    self.rename_in_circle(decision, &mut renames);
                }
            }
        }
    }

    /// A statement of a hook; one that creates what is there is left out.
    pub(super) fn hook(&mut self, phase: Phase, sql: &str, of: &str) {
        let recorded = RecordedStatement::parse(sql);
        let made = created(&recorded.statement).and_then(|(kind, name, _)| {
            let relation = RelationName::of(name, &self.known.desired.schema);
            Some((Kind::parse(kind)?, relation))
        });
        let statement = match made {
            Some((kind, relation)) => {
                if self.known.find(&relation, kind).is_some() {
                    return;
                }
                shows(sql.to_owned(), exists(&relation, kind))
            }
            None => repeatable(sql.to_owned()),
        };
        let mut step = self.step(phase, StepKind::Hook, None, of.to_owned());
        step.statements.push(statement);
        self.push(step);
    }

    fn schemas(&mut self) {
        let needed: std::collections::BTreeSet<String> = self
            .decisions
            .of
            .values()
            .filter(|decision| decision.treatment != Treatment::Nothing)
            .map(|decision| decision.object.relation.schema.clone())
            .filter(|schema| !self.known.catalog.schemas.contains(schema))
            .collect();
        for schema in needed {
            let mut step = self.step(
                Phase::Prepare,
                StepKind::Create,
                None,
                format!("create the schema {schema}"),
            );
            let sql = format!(
                "CREATE SCHEMA IF NOT EXISTS {}",
                rwt_sql::Ident::new(&schema)
            );
            step.statements
                .push(shows(sql, Fact::SchemaExists { schema }));
            self.push(step);
        }
    }

    fn rename(&mut self, decision: &Decision<'_>) {
        let Some(from) = now(self, decision) else {
            return;
        };
        let step = self.renaming(decision, &from, &decision.object.relation);
        let Some(mut step) = step else { return };
        let schema = &decision.object.relation.schema;
        for (old, new) in &decision.alteration.indexes.rename {
            step.statements.push(rename_index(schema, old, new));
            step.undo.push(rename_index(&from.schema, new, old));
        }
        self.push(step);
        if decision.alteration.only_names() {
            self.complete(decision);
        }
    }

    /// Objects that take one another's names: one steps aside first.
    fn rename_in_circle(&mut self, decision: &Decision<'_>, others: &mut Vec<&Decision<'_>>) {
        let Some(from) = now(self, decision) else {
            return;
        };
        let exchanged = others.iter().position(|other| {
            other.object.relation == from
                && now(self, other).as_ref() == Some(&decision.object.relation)
                && other.object.kind == decision.object.kind
                && from.schema == decision.object.relation.schema
        });
        if let Some(other) = exchanged
            && Feature::Swap.is_in(self.known.catalog.server.version)
        {
            let other = others.remove(other);
            self.exchange(decision, other, &from);
            return;
        }
        let aside = super::shadow_name(&from, self.deployment);
        if let Some(step) = self.renaming(decision, &from, &aside) {
            self.push(step);
        }
        let mut wanted = from;
        while let Some(next) = others
            .iter()
            .position(|other| other.object.relation == wanted)
        {
            let other = others.remove(next);
            let Some(was) = now(self, other) else { break };
            self.rename(other);
            wanted = was;
        }
        if let Some(step) = self.renaming(decision, &aside, &decision.object.relation) {
            self.push(step);
            if decision.alteration.only_names() {
                self.complete(decision);
            }
        }
    }

    /// Two objects that take each other's name.
    fn exchange(&mut self, decision: &Decision<'_>, other: &Decision<'_>, from: &RelationName) {
        let (Some(id), Some(other_id)) = (decision.id(), other.id()) else {
            return;
        };
        let (kind, to) = (decision.object.kind, &decision.object.relation);
        let purpose = format!("exchange the names of {from} and {to}");
        let mut step = self.step(Phase::Prepare, StepKind::Swap, Some(decision), purpose);
        self.after_all_before(&mut step);
        step.requires = vec![is(from, kind, id), is(to, kind, other_id)];
        step.statements
            .push(shows(swap(from, kind, to), is(to, kind, id)));
        let aside = |index: &str| super::shadow_name(&from.sibling(index), self.deployment).name;
        for (exchanged, schema) in [(decision, &to.schema), (other, &from.schema)] {
            // Each may have the name that the other's index is to have.
            for (old, _) in &exchanged.alteration.indexes.rename {
                step.statements.push(rename_index(schema, old, &aside(old)));
            }
        }
        for (exchanged, schema) in [(decision, &to.schema), (other, &from.schema)] {
            for (old, new) in &exchanged.alteration.indexes.rename {
                step.statements.push(rename_index(schema, &aside(old), new));
                step.undo.push(rename_index(schema, new, &aside(old)));
            }
        }
        for (exchanged, schema) in [(decision, &to.schema), (other, &from.schema)] {
            for (old, _) in &exchanged.alteration.indexes.rename {
                step.undo.push(rename_index(schema, &aside(old), old));
            }
        }
        step.undo
            .push(shows(swap(from, kind, to), is(from, kind, id)));
        self.push(step);
        self.last
            .insert(other.object.unique_id.clone(), self.list.len());
        for exchanged in [decision, other] {
            if exchanged.alteration.only_names() {
                self.complete(exchanged);
            }
        }
    }

    /// Names are taken when their schema is there and nobody has them any more.
    fn after_all_before(&self, step: &mut Step) {
        let before = self
            .list
            .iter()
            .filter(|other| other.phase == Phase::Prepare);
        step.waits_for = before.map(|other| other.number).collect();
    }

    fn renaming(
        &self,
        decision: &Decision<'_>,
        from: &RelationName,
        to: &RelationName,
    ) -> Option<Step> {
        let (id, kind) = (decision.id()?, decision.object.kind);
        let mut step = self.step(
            Phase::Prepare,
            StepKind::Rename,
            Some(decision),
            format!("call {from} {to} from now on"),
        );
        self.after_all_before(&mut step);
        step.requires = vec![is(from, kind, id), absent(to, kind)];
        step.statements = moves(from, to, kind, id);
        step.undo = moves(to, from, kind, id);
        Some(step)
    }
}

/// The name that the object has now.
fn now(steps: &Steps<'_, '_>, decision: &Decision<'_>) -> Option<RelationName> {
    let object = steps.known.catalog.objects.get(&decision.id()?)?;
    Some(object.relation.clone())
}

/// Statements that give an object another schema and name.
fn moves(from: &RelationName, to: &RelationName, kind: Kind, id: u64) -> Vec<StepStatement> {
    let mut statements = Vec::new();
    let between = RelationName::new(to.schema.clone(), from.name.clone());
    if from.schema != to.schema {
        statements.push(shows(
            set_schema(from, kind, &to.schema),
            is(&between, kind, id),
        ));
    }
    if from.name != to.name {
        statements.push(shows(rename_to(&between, kind, to), is(to, kind, id)));
    }
    statements
}
