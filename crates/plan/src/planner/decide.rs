//! Each object by itself and those above it: what is to be done, why, and what it costs.

use std::collections::BTreeSet;

use super::columns::{self, Columned};
use super::compare::{Renamed, Standing, There, renamed, standing};
use super::decision::{Alteration, Cutover, Decision, Treatment};
use super::known::Known;
use super::sinks::{create_table, is_lake_table, move_sink, startup_mode, target};
use crate::desired::{DesiredObject, OnConfigurationChange, OnSchemaChange};
use crate::name::{Kind, RelationName};
use crate::plan::{Action, Adopt, Blocked, Consequence, Drift, Reason};
use crate::version::Feature;

/// Decisions by unique id, in the order of the DAG; those outside of the selection are there and do nothing.
pub(crate) struct Decisions<'a> {
    pub of: indexmap::IndexMap<&'a str, Decision<'a>>,
    pub renamed: Renamed<'a>,
}

/// Decides for every object in the order of the DAG.
pub(crate) fn decide<'a>(known: &Known<'a>, selection: &BTreeSet<String>) -> Decisions<'a> {
    let renamed = renamed(known);
    let mut of: indexmap::IndexMap<&'a str, Decision<'a>> = indexmap::IndexMap::new();
    for (unique_id, object) in &known.desired.objects {
        let definition = object.definition();
        let standing = standing(known, object, &definition, &renamed);
        let mut decision = Decision::new(object, definition, standing);
        decision.outside = !selection.contains(unique_id);
        if !decision.outside {
            Deciding {
                known,
                above: &of,
                renamed: &renamed,
            }
            .decide(&mut decision);
        }
        of.insert(unique_id, decision);
    }
    Decisions { of, renamed }
}

struct Deciding<'d, 'a> {
    known: &'d Known<'a>,
    above: &'d indexmap::IndexMap<&'a str, Decision<'a>>,
    renamed: &'d Renamed<'a>,
}

impl<'a> Deciding<'_, 'a> {
    fn decide(&self, decision: &mut Decision<'a>) {
        let object = decision.object;
        if object.imperative {
            decision.treatment = Treatment::Run;
            decision.action = Action::Run;
            decision.reasons.push(Reason::Imperative {
                materialization: object.materialized.clone(),
            });
            return;
        }
        if let Some(blocked) = self.too_old(object) {
            let is_new = matches!(decision.standing, Standing::Missing { .. });
            if is_new {
                decision.reasons.push(Reason::New);
                return decision.block(blocked);
            }
        }
        match &decision.standing {
            Standing::Missing {
                remembered,
                in_the_way,
            } => {
                let (remembered, in_the_way) = (*remembered, *in_the_way);
                decision.reasons.push(if remembered {
                    Reason::Missing
                } else {
                    Reason::New
                });
                let taken = in_the_way
                    .filter(|(id, _)| !self.moves_away(*id, &object.relation))
                    .map(|(id, found)| Blocked::NameTaken {
                        kind: found.kind,
                        unique_id: self.known.owner(id).map(str::to_owned),
                    });
                match taken {
                    Some(blocked) => decision.block(blocked),
                    None => {
                        decision.treatment = Treatment::Create;
                        decision.action = Action::Create;
                    }
                }
            }
            Standing::Unknown { object: found, .. } => {
                let same = same_definition(found.definition.as_deref(), &object.create);
                decision.reasons.push(Reason::Unknown { same });
                decision.action = Action::Adopt;
                if self.known.options.adopt == Adopt::No {
                    decision
                        .notes
                        .push("left as it is; `rwt adopt` makes it known to rwt".to_owned());
                }
            }
            Standing::There(there) => {
                let outcome = self.there(object, there);
                outcome.into_decision(decision);
            }
        }
    }

    /// Whether the object that has this name now is about to get another one.
    fn moves_away(&self, id: u64, relation: &RelationName) -> bool {
        let Some(owner) = self.known.owner(id) else {
            return false;
        };
        let now = self
            .renamed
            .iter()
            .find(|(_, old)| **old == owner)
            .map_or(owner, |(new, _)| new.as_str());
        self.known
            .desired
            .objects
            .get(now)
            .is_some_and(|other| other.relation != *relation)
    }

    /// What the server lacks for this object at all.
    fn too_old(&self, object: &DesiredObject) -> Option<Blocked> {
        let feature = match object.kind {
            Kind::Subscription => Feature::Subscription,
            Kind::Secret => Feature::Secret,
            Kind::MaterializedView if object.create.contains("backfill_order") => {
                Feature::BackfillOrder
            }
            _ => return None,
        };
        self.lacks(feature)
    }

    fn lacks(&self, feature: Feature) -> Option<Blocked> {
        let has = self.known.catalog.server.version;
        (!feature.is_in(has)).then(|| Blocked::TooOld {
            feature,
            needs: feature.since(),
            has,
        })
    }

    fn there(&self, object: &DesiredObject, there: &There<'_>) -> Outcome {
        let mut outcome = Outcome::default();
        if there.object.creating {
            outcome.blocked = Some(Blocked::Creating);
            return outcome;
        }
        if let Some(old) = there.renamed_from {
            outcome.reasons.push(Reason::Node {
                from: old.to_owned(),
            });
        }
        self.rebuild_reasons(object, there, &mut outcome);
        let blocked_above: Vec<String> = object
            .depends_on
            .iter()
            .filter(|id| {
                self.above
                    .get(id.as_str())
                    .is_some_and(|d| d.blocked.is_some())
            })
            .filter(|id| object.bound_to.contains(*id) || object.writes_to.as_ref() == Some(*id))
            .cloned()
            .collect();
        if outcome.rebuild && !blocked_above.is_empty() {
            outcome.blocked = Some(Blocked::WaitsFor {
                unique_ids: blocked_above,
            });
        } else if outcome.rebuild {
            self.rebuild(object, there, &mut outcome);
        } else {
            self.alter(object, there, &mut outcome);
        }
        outcome
    }

    /// Why the object must be another one, if it must.
    fn rebuild_reasons(&self, object: &DesiredObject, there: &There<'_>, outcome: &mut Outcome) {
        let changes = &there.changes;
        let mut rebuild = Vec::new();
        let drifted_kind = there.object.kind != there.state.kind;
        if there.object.kind != object.kind && (!drifted_kind || self.known.options.repair) {
            rebuild.push(Reason::Kind {
                from: there.object.kind,
            });
        }
        if changes.create && !self.in_place(object, there, outcome) {
            rebuild.push(Reason::Definition);
        }
        let above: BTreeSet<String> = object
            .bound_to
            .iter()
            .chain(&object.writes_to)
            .filter(|id| self.is_rebuilt(id))
            .chain(changes.inputs.iter().filter(|id| !self.is_kept(id)))
            .cloned()
            .collect();
        let (targets, above): (Vec<String>, Vec<String>) = above
            .into_iter()
            .partition(|id| object.writes_to.as_ref() == Some(id));
        if let Some(unique_id) = targets.into_iter().next() {
            rebuild.push(Reason::Target { unique_id });
        }
        if !above.is_empty() {
            rebuild.push(Reason::Input { unique_ids: above });
        } else if !changes.stale.is_empty() && rebuild.is_empty() {
            rebuild.push(Reason::StaleInput {
                unique_ids: changes.stale.clone(),
            });
        }
        let refreshes = self.known.options.full_refresh
            && object.config.full_refresh != Some(false)
            && !matches!(object.kind, Kind::Connection | Kind::Secret);
        if refreshes {
            rebuild.push(Reason::FullRefresh);
        }
        let replaced = there.drift.iter().any(|drift| {
            matches!(
                drift,
                Drift::Recreated { .. } | Drift::ColumnAdded { .. } | Drift::ColumnRemoved { .. }
            )
        });
        if replaced && self.known.options.repair {
            rebuild.push(Reason::Drift);
        }
        outcome.rebuild = !rebuild.is_empty();
        outcome.reasons.extend(rebuild);
    }

    fn is_rebuilt(&self, id: &str) -> bool {
        self.above.get(id).is_some_and(Decision::is_rebuilt)
    }

    /// Whether a node should change and is left as it is, outside of the selection or by its configuration, so that
    /// what reads it has nothing to follow.
    fn is_kept(&self, id: &str) -> bool {
        self.above
            .get(id)
            .is_some_and(|above| match &above.standing {
                Standing::There(there) => {
                    let pending = there.changes.create || !there.changes.inputs.is_empty();
                    above.keeps_old || (above.outside && pending)
                }
                _ => above.outside,
            })
    }

    /// Whether the changed CREATE comes to statements that leave the object there.
    fn in_place(&self, object: &DesiredObject, there: &There<'_>, outcome: &mut Outcome) -> bool {
        if there.object.kind != object.kind {
            return false;
        }
        match object.kind {
            Kind::Secret => {
                outcome.alteration.secret = true;
                outcome.reasons.push(Reason::Definition);
                true
            }
            Kind::Table | Kind::Source => self.columns(object, there, outcome),
            _ => false,
        }
    }

    fn columns(&self, object: &DesiredObject, there: &There<'_>, outcome: &mut Outcome) -> bool {
        let new = rwt_sql::redact(&object.create);
        let Columned::Adds(columns) = columns::compare(&there.state.definition.create, &new) else {
            return false;
        };
        // Written otherwise, the same to RisingWave; or columns that somebody has added already.
        let more: Vec<(String, String)> = columns
            .iter()
            .filter(|column| {
                !there
                    .object
                    .columns
                    .iter()
                    .any(|c| c.name == column.name.value())
            })
            .map(|column| (column.name.value().to_owned(), columns::definition(column)))
            .collect();
        match object.config.on_schema_change {
            Some(OnSchemaChange::Ignore) if !more.is_empty() => {
                outcome.notes.push(format!(
                    "on_schema_change: ignore leaves out {}",
                    names(&more).join(", ")
                ));
                outcome.keeps_old = true;
            }
            Some(OnSchemaChange::Fail) if !more.is_empty() => {
                outcome.blocked = Some(Blocked::Refused {
                    key: "on_schema_change".to_owned(),
                });
            }
            _ => {
                if !more.is_empty() {
                    outcome.reasons.push(Reason::Columns {
                        added: names(&more),
                    });
                }
                outcome.alteration.columns = more;
            }
        }
        true
    }

    /// Changes in place of an object that stays.
    fn alter(&self, object: &DesiredObject, there: &There<'_>, outcome: &mut Outcome) {
        let changes = &there.changes;
        if object.config.on_schema_change == Some(OnSchemaChange::AppendNewColumns) {
            let known: BTreeSet<String> = names(&outcome.alteration.columns).into_iter().collect();
            let mut more = columns::missing(&object.config.additive_columns, &there.object.columns);
            more.retain(|(name, _)| !known.contains(name));
            if !more.is_empty() && !there.object.columns.is_empty() {
                outcome.reasons.push(Reason::Columns {
                    added: names(&more),
                });
                outcome.alteration.columns.extend(more);
            }
        }
        let indexes = &changes.indexes;
        if !(indexes.add.is_empty() && indexes.drop.is_empty()) {
            match object.config.on_configuration_change {
                OnConfigurationChange::Apply => {}
                OnConfigurationChange::Continue => {
                    outcome.notes.push(
                        "on_configuration_change: continue leaves its indexes as they are"
                            .to_owned(),
                    );
                    outcome.keeps_indexes = true;
                }
                OnConfigurationChange::Fail => {
                    outcome.blocked = Some(Blocked::Refused {
                        key: "on_configuration_change".to_owned(),
                    });
                }
            }
            outcome.reasons.push(Reason::Indexes {
                added: indexes.add.clone(),
                removed: indexes.drop.clone(),
            });
        }
        if !outcome.keeps_indexes {
            outcome.alteration.indexes.add.clone_from(&indexes.add);
            outcome.alteration.indexes.drop.clone_from(&indexes.drop);
        }
        outcome
            .alteration
            .indexes
            .rename
            .clone_from(&indexes.rename);
        outcome.alteration.grants.clone_from(&changes.grants);
        outcome.alteration.comments.clone_from(&changes.comments);
        outcome.alteration.tuning.clone_from(&changes.tuning);
        if !(changes.grants.0.is_empty() && changes.grants.1.is_empty()) {
            outcome.reasons.push(Reason::Grants);
        }
        if !(changes.comments.0.is_empty() && changes.comments.1.is_empty()) {
            outcome.reasons.push(Reason::Comments);
        }
        if !changes.tuning.is_empty() {
            outcome.reasons.push(Reason::Tuning {
                settings: changes.tuning.keys().cloned().collect(),
            });
        }
        self.name_of(object, there, outcome);
    }

    /// Whether it gets another name.
    fn name_of(&self, object: &DesiredObject, there: &There<'_>, outcome: &mut Outcome) {
        let was = &there.object.relation;
        let moved_by_hand = *was != there.state.relation;
        if *was == object.relation {
            return;
        }
        if moved_by_hand && !there.changes.relation && !self.known.options.repair {
            return;
        }
        let taken = self
            .known
            .find(&object.relation, object.kind)
            .filter(|(id, _)| *id != there.id && !self.moves_away(*id, &object.relation));
        if let Some((id, found)) = taken {
            outcome.blocked = Some(Blocked::NameTaken {
                kind: found.kind,
                unique_id: self.known.owner(id).map(str::to_owned),
            });
            return;
        }
        outcome.alteration.rename = true;
        outcome.reasons.push(Reason::Relation { from: was.clone() });
        let relation = was.clone();
        let next = self.known.desired.objects.values().find(|other| {
            other.relation == *was && other.kind.namespace() == object.kind.namespace()
        });
        let Some(next) = next else {
            outcome
                .consequences
                .push(Consequence::NameGone { relation });
            return;
        };
        let comes_from = self
            .known
            .remembered(&next.unique_id)
            .and_then(|state| self.known.object_of(state))
            .map(|(_, found)| &found.relation);
        let exchange = next.kind == object.kind
            && object.relation.schema == was.schema
            && self.lacks(Feature::Swap).is_none();
        match comes_from {
            Some(from) if *from == object.relation && exchange => {
                outcome.notes.push(format!("{} takes its name", next.name));
            }
            Some(_) => outcome
                .consequences
                .push(Consequence::NameMissingBriefly { relation }),
            None => outcome
                .consequences
                .push(Consequence::NameMissing { relation }),
        }
    }

    /// How the object is made anew.
    fn rebuild(&self, object: &DesiredObject, there: &There<'_>, outcome: &mut Outcome) {
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
            outcome.reasons.push(Reason::Relation {
                from: there.object.relation.clone(),
            });
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
        if target_is_new && same_relation && self.lacks(Feature::Swap).is_none() {
            outcome.treatment = Treatment::Shadow(Cutover::Swap);
            outcome.action = Some(Action::Swap);
            return;
        }
        let (treatment, mut costs) = move_sink(self.known, object, same_relation);
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
        let parent_in_place = object.bound_to.iter().chain(&object.writes_to).any(|id| {
            self.above
                .get(id.as_str())
                .is_some_and(|d| d.treatment == Treatment::InPlace)
        });
        let asked = object
            .config
            .zero_downtime
            .or(self.known.options.zero_downtime)
            == Some(false);
        if lake || parent_in_place || asked {
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
        self.costs(object, lake, outcome);
    }

    /// What rows a rebuild costs.
    fn costs(&self, object: &DesiredObject, lake: bool, outcome: &mut Outcome) {
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

fn names(columns: &[(String, String)]) -> Vec<String> {
    columns.iter().map(|(name, _)| name.clone()).collect()
}

/// Whether a definition as the server shows it says what the project's statement says, quotes and the names of
/// databases and schemas aside; none if the server shows none.
pub(crate) fn same_definition(shown: Option<&str>, create: &str) -> Option<bool> {
    use rwt_sql::lexer::{Lexer, TokenKind};
    let bare = |sql: &str| -> Vec<String> {
        let sql = crate::desired::without_if_not_exists(sql);
        let sql = rwt_sql::rename(&sql, |mention| {
            let last = mention.name.0.last()?;
            Some(rwt_sql::ObjectName(vec![last.clone()]))
        });
        let mut tokens: Vec<String> = Lexer::new(&sql)
            .filter(|token| !token.kind.is_trivia())
            .map(|token| match token.kind {
                TokenKind::Word | TokenKind::QuotedIdent => token.value(&sql),
                kind if kind.is_string() => format!("'{}", token.value(&sql)),
                _ => token.text(&sql).to_owned(),
            })
            .collect();
        while tokens.last().is_some_and(|token| token == ";") {
            tokens.pop();
        }
        in_one_dialect(tokens)
    };
    Some(bare(shown?) == bare(create))
}

/// Tokens without what the server writes in its own way: types by their long names (`CHARACTER VARYING`), and relations
/// that were renamed with their name as an alias (`totals AS totals`).
fn in_one_dialect(tokens: Vec<String>) -> Vec<String> {
    const TYPES: [(&[&str], &str); 14] = [
        (&["character", "varying"], "varchar"),
        (&["string"], "varchar"),
        (&["integer"], "int"),
        (&["int4"], "int"),
        (&["int8"], "bigint"),
        (&["int2"], "smallint"),
        (&["bool"], "boolean"),
        (&["double", "precision"], "double"),
        (&["float8"], "double"),
        (&["float4"], "real"),
        (&["decimal"], "numeric"),
        (&["timestamp", "with", "time", "zone"], "timestamptz"),
        (&["timestamp", "without", "time", "zone"], "timestamp"),
        (&["time", "without", "time", "zone"], "time"),
    ];
    let mut out: Vec<String> = Vec::with_capacity(tokens.len());
    let mut rest = tokens.as_slice();
    while let [first, after @ ..] = rest {
        if let [word, alias, ..] = after
            && word == "as"
            && alias == first
        {
            out.push(first.clone());
            rest = &after[2..];
            continue;
        }
        let found = TYPES.iter().find(|(words, _)| {
            rest.len() >= words.len() && words.iter().zip(rest).all(|(word, token)| word == token)
        });
        match found {
            Some((words, short)) => {
                out.push((*short).to_owned());
                rest = &rest[words.len()..];
            }
            None => {
                out.push(first.clone());
                rest = after;
            }
        }
    }
    out
}

/// What comes out for an object that is there.
#[derive(Default)]
struct Outcome {
    rebuild: bool,
    treatment: Treatment,
    alteration: Alteration,
    action: Option<Action>,
    reasons: Vec<Reason>,
    consequences: Vec<Consequence>,
    blocked: Option<Blocked>,
    notes: Vec<String>,
    keeps_old: bool,
    keeps_indexes: bool,
}

impl Outcome {
    fn into_decision(self, decision: &mut Decision<'_>) {
        let has_drift = match &decision.standing {
            // An index more does no harm, and follows a rebuild.
            Standing::There(there) => there
                .drift
                .iter()
                .any(|drift| !matches!(drift, Drift::IndexAdded { .. })),
            _ => false,
        };
        decision.reasons = self.reasons;
        decision.consequences = self.consequences;
        decision.notes = self.notes;
        decision.keeps_old = self.keeps_old;
        decision.keeps_indexes = self.keeps_indexes;
        if let Some(blocked) = self.blocked {
            return decision.block(blocked);
        }
        let renames_node = decision
            .reasons
            .iter()
            .any(|reason| matches!(reason, Reason::Node { .. }));
        let in_place = if self.alteration.is_empty() {
            if renames_node {
                Action::Rename
            } else if has_drift {
                Action::Drifted
            } else {
                Action::Unchanged
            }
        } else if self.alteration.only_names() {
            Action::Rename
        } else {
            Action::Alter
        };
        decision.treatment = self.treatment;
        if !self.rebuild && !self.alteration.is_empty() {
            decision.treatment = Treatment::Alter;
        }
        decision.alteration = self.alteration;
        decision.action = self.action.unwrap_or(in_place);
    }
}

#[cfg(test)]
mod tests {
    use super::same_definition;

    #[test]
    fn the_servers_way_of_writing_does_not_make_a_difference() {
        let same = |shown, create| same_definition(Some(shown), create);
        assert_eq!(
            same(
                "CREATE TABLE dev.public.t (id INT PRIMARY KEY, k CHARACTER VARYING, at TIMESTAMP WITH TIME ZONE)",
                "create table \"dev\".\"public\".\"t\" (id integer primary key, k varchar, at timestamptz);",
            ),
            Some(true)
        );
        assert_eq!(
            same(
                "CREATE VIEW public.top AS select * from public.totals AS totals where total > 0",
                "create view if not exists top as select * from totals where total > 0",
            ),
            Some(true)
        );
        assert_eq!(
            same(
                "CREATE VIEW v AS select a as b from t",
                "create view v as select b from t"
            ),
            Some(false)
        );
    }
}
