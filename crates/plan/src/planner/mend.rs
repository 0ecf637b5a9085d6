//! What is left of a step when somebody else has dropped what it is about.

use rwt_sql::parse_statement;
use rwt_sql::statement::{AlterAction, Statement};

use super::statements::{absent, exists, rename_to, shows};
use crate::catalog::CatalogSnapshot;
use crate::name::RelationName;
use crate::step::{Effect, Fact, Phase, Step, StepKind, StepStatement};

/// A step as it can still be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Mended {
    /// The step, with the statements that are left of it.
    pub step: Step,
    /// What was found, for people.
    pub found: String,
}

impl Step {
    /// The step as it can still be done after what it takes out of use, or drops, or renames was dropped by somebody else.
    /// `begun`: it may have been sent before. None where nothing of that kind has happened, or nothing can be done.
    pub fn mended(&self, begun: bool, catalog: &CatalogSnapshot) -> Option<Mended> {
        match self.kind {
            StepKind::Swap => self.swap_without_old(begun, catalog),
            StepKind::Drop => self.drop_of_nothing(catalog),
            StepKind::Rename if self.phase == Phase::Swap => self.renames_of_what_is_there(catalog),
            _ => None,
        }
    }

    /// Where the old object is gone, the new one takes the free name; it has it already where the step was sent before.
    fn swap_without_old(&self, begun: bool, catalog: &CatalogSnapshot) -> Option<Mended> {
        let [
            Fact::Is { relation, id, .. },
            Fact::Exists {
                relation: shadow,
                kind,
            },
        ] = self.requires.as_slice()
        else {
            return None;
        };
        let stands = |relation| exists(relation, *kind).holds(catalog);
        let is_free = |relation| absent(relation, *kind).holds(catalog);
        if !(Fact::Gone { id: *id }).holds(catalog) || !kind.is_renamable() {
            return None;
        }
        let statements = if stands(shadow) && is_free(relation) {
            let rename = rename_to(shadow, *kind, relation);
            vec![shows(rename, exists(relation, *kind))]
        } else if begun && stands(relation) && is_free(shadow) {
            Vec::new()
        } else {
            return None;
        };
        let found = format!(
            "the old {relation} was dropped meanwhile by somebody else; the new one has its name"
        );
        Some(self.with(statements, found))
    }

    fn drop_of_nothing(&self, catalog: &CatalogSnapshot) -> Option<Mended> {
        let is_gone = |statement: &StepStatement| match &statement.effect {
            Effect::Shows(fact @ Fact::Gone { .. }) => fact.holds(catalog),
            _ => false,
        };
        let all = !self.statements.is_empty() && self.statements.iter().all(is_gone);
        all.then(|| self.with(Vec::new(), format!("{}: it was gone already", self.purpose)))
    }

    fn renames_of_what_is_there(&self, catalog: &CatalogSnapshot) -> Option<Mended> {
        let (gone, there): (Vec<StepStatement>, Vec<StepStatement>) = (self.statements.iter())
            .cloned()
            .partition(|statement| statement.renames_nothing(catalog));
        let found = format!("{}: some of them are gone", self.purpose);
        (!gone.is_empty()).then(|| self.with(there, found))
    }

    fn with(&self, statements: Vec<StepStatement>, found: String) -> Mended {
        let step = Self {
            requires: Vec::new(),
            statements,
            ..self.clone()
        };
        Mended { step, found }
    }
}

impl StepStatement {
    /// Whether it gives another name to an index that is not there.
    pub fn renames_nothing(&self, catalog: &CatalogSnapshot) -> bool {
        let Effect::Shows(Fact::IndexExists { relation }) = &self.effect else {
            return false;
        };
        parse_statement(&self.sql).is_ok_and(|statement| match &statement {
            Statement::Alter(alter) if matches!(alter.action, AlterAction::RenameTo(_)) => {
                let from = RelationName::of(&alter.name, &relation.schema);
                catalog.find_index(&from).is_none()
            }
            _ => false,
        })
    }
}
