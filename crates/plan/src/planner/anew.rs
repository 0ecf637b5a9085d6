//! How an object is made anew, and what that costs in rows.

use super::compare::There;
use super::decide::{Deciding, Outcome};
use super::decision::{Alteration, Cutover, Treatment};
use super::sinks::{create_table, is_lake_table, move_sink, startup_mode, target};
use crate::desired::DesiredObject;
use crate::name::Kind;
use crate::plan::{Action, Blocked, Consequence, Reason};
use crate::version::Feature;

impl Deciding<'_, '_> {
    /// How the object is made anew.
    pub(super) fn rebuild(&self, object: &DesiredObject, there: &There<'_>, outcome: &mut Outcome) {
        outcome.alteration = Alteration::default();
        let same_relation = there.object.relation == object.relation;
        let kind_changed = there.object.kind != object.kind;
        let cutover = match (same_relation, kind_changed) {
            (false, _) => Cutover::NewName,
            (true, true) => Cutover::Renames,
            (true, false) => Cutover::Swap,
        };
        if !same_relation {
            if let Some((id, found)) = self
                .known
                .find(&object.relation, object.kind)
                .filter(|(id, _)| *id != there.id && !self.moves_away(*id, &object.relation))
            {
                outcome.blocked = Some(Blocked::NameTaken {
                    kind: found.kind,
                    unique_id: self.known.owner(id).map(str::to_owned),
                });
                return;
            }
            let reason = Reason::Relation {
                from: there.object.relation.clone(),
            };
            if !outcome.reasons.contains(&reason) {
                outcome.reasons.push(reason);
            }
            outcome.consequences.push(Consequence::NameGone {
                relation: there.object.relation.clone(),
            });
        }
        match object.kind {
            Kind::Sink => self.sink(object, there, same_relation && !kind_changed, outcome),
            Kind::Connection | Kind::Secret | Kind::Function | Kind::Index => {
                outcome.treatment = Treatment::InPlace;
                outcome.action = Some(Action::Replace);
            }
            _ => self.beside(object, there, cutover, outcome),
        }
        if kind_changed && there.object.kind == Kind::Table {
            outcome.consequences.push(Consequence::LosesRows {
                relation: there.object.relation.clone(),
            });
        }
    }

    fn sink(
        &self,
        object: &DesiredObject,
        there: &There<'_>,
        same_relation: bool,
        outcome: &mut Outcome,
    ) {
        let target_is_new = object.writes_to.as_ref().is_some_and(|id| {
            self.above
                .get(id.as_str())
                .is_some_and(|d| matches!(d.treatment, Treatment::Shadow(_)))
        });
        let stays = same_relation && !self.reads_in_place(object);
        if target_is_new && stays && self.lacks(Feature::Swap).is_none() {
            outcome.treatment = Treatment::Shadow(Cutover::Swap);
            outcome.action = Some(Action::Swap);
            return;
        }
        let (treatment, mut costs) = move_sink(self.known, object, stays);
        // What is made anew has nothing of the old sink.
        let is_new = object
            .writes_to
            .as_ref()
            .is_some_and(|id| self.is_rebuilt(id));
        let other_target = target(&there.state.definition.create) != target(&object.create);
        costs.retain(|cost| match cost {
            Consequence::EmitsAgain { .. } => !is_new,
            Consequence::ReceiverKeepsRows { .. } => !is_new && !other_target,
            _ => true,
        });
        outcome.action = Some(match treatment {
            Treatment::ReplaceSink => Action::Swap,
            _ => Action::Replace,
        });
        outcome.treatment = treatment;
        outcome.consequences.extend(costs);
    }

    /// Whether something that it hangs on is dropped before it is built anew, so that it must be dropped before that.
    fn reads_in_place(&self, object: &DesiredObject) -> bool {
        object.bound_to.iter().chain(&object.writes_to).any(|id| {
            self.above
                .get(id.as_str())
                .is_some_and(|above| above.treatment == Treatment::InPlace)
        })
    }

    /// A shadow, or a rebuild in place where there can be none.
    fn beside(
        &self,
        object: &DesiredObject,
        there: &There<'_>,
        cutover: Cutover,
        outcome: &mut Outcome,
    ) {
        let relation = &object.relation;
        let lake = is_lake_table(&object.create) || is_lake_table(&there.state.definition.create);
        let asked = object
            .config
            .zero_downtime
            .or(self.known.options.zero_downtime)
            == Some(false);
        if lake || self.reads_in_place(object) || asked {
            outcome.treatment = Treatment::InPlace;
            outcome.action = Some(Action::Replace);
            if lake {
                outcome.consequences.push(Consequence::LosesLake {
                    relation: relation.clone(),
                });
            }
            if object.kind.is_readable() {
                outcome.consequences.push(Consequence::NameMissing {
                    relation: relation.clone(),
                });
            }
        } else {
            if cutover == Cutover::Swap
                && let Some(blocked) = self.lacks(Feature::Swap)
            {
                outcome.blocked = Some(blocked);
                return;
            }
            outcome.treatment = Treatment::Shadow(cutover);
            outcome.action = Some(Action::Swap);
            if cutover == Cutover::Renames {
                outcome.consequences.push(Consequence::NameMissingBriefly {
                    relation: relation.clone(),
                });
            }
        }
        self.costs(object, there, lake, outcome);
    }

    /// What rows a rebuild costs.
    fn costs(&self, object: &DesiredObject, there: &There<'_>, lake: bool, outcome: &mut Outcome) {
        let relation = object.relation.clone();
        match object.kind {
            Kind::Subscription => {
                outcome
                    .consequences
                    .push(Consequence::LosesPosition { relation });
            }
            Kind::Source => {
                if let Some(mode) = startup_mode(&object.create) {
                    outcome
                        .consequences
                        .push(Consequence::RestartsReading { relation, mode });
                }
            }
            // Nothing was ever written to what a query still gives.
            Kind::Table if matches!(there.object.kind, Kind::View | Kind::MaterializedView) => {
                outcome.action = Some(Action::Replace);
            }
            Kind::Table if !lake => {
                outcome.action = Some(Action::Replace);
                let table = create_table(&object.create);
                let from_query = table.as_ref().is_some_and(|table| table.query.is_some());
                let from_cdc = table.as_ref().is_some_and(|table| table.cdc.is_some());
                outcome
                    .consequences
                    .push(match startup_mode(&object.create) {
                        Some(mode) => Consequence::RestartsReading { relation, mode },
                        None if from_query => Consequence::RowsFromQuery { relation },
                        None if from_cdc => Consequence::RestartsReading {
                            relation,
                            mode: "snapshot".to_owned(),
                        },
                        None => Consequence::LosesRows { relation },
                    });
            }
            Kind::MaterializedView => {
                for parent in &object.bound_to {
                    let Some(source) = self.known.desired.objects.get(parent) else {
                        continue;
                    };
                    if source.kind == Kind::Source
                        && let Some(mode) = startup_mode(&source.create)
                    {
                        outcome.consequences.push(Consequence::RestartsReading {
                            relation: source.relation.clone(),
                            mode,
                        });
                    }
                }
            }
            _ => {}
        }
    }
}
