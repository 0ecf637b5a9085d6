//! A plan as people read it: a line per object, what each change costs, a summary; the statements with secrets hidden.

use std::fmt;

use crate::count::counted;
use crate::name::RelationName;
use crate::plan::{Action, Blocked, Consequence, Drift, LeftoverPlan, ObjectPlan, Plan, Reason};
use crate::state::Leftover;
use crate::step::{Phase, Step};

/// Actions in the order of the summary: sign, word, word of the summary.
const ACTIONS: [(Action, char, &str, &str); 12] = [
    (Action::Create, '+', "create", "to create"),
    (Action::Alter, '~', "alter", "to alter"),
    (Action::Rename, '~', "rename", "to rename"),
    (Action::Swap, '~', "swap", "to swap"),
    (Action::Replace, '!', "replace", "to replace"),
    (Action::Drop, '-', "drop", "to drop"),
    (Action::Run, '>', "run", "to run"),
    (Action::Adopt, '?', "adopt", "to adopt"),
    (Action::Drifted, '?', "drifted", "drifted"),
    (Action::Removed, '?', "removed", "no longer in the project"),
    (Action::Blocked, 'x', "blocked", "blocked"),
    (Action::Unchanged, ' ', "unchanged", "unchanged"),
];

impl Action {
    fn entry(self) -> (char, &'static str, &'static str) {
        let found = ACTIONS.iter().find(|(action, ..)| *action == self);
        found.map_or((' ', "", ""), |(_, sign, word, summary)| {
            (*sign, *word, *summary)
        })
    }

    /// One character for it.
    pub fn sign(self) -> char {
        self.entry().0
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.entry().1)
    }
}

impl Plan {
    /// How many objects each action is decided for, in the order of the summary; none are left out.
    pub fn counts(&self) -> Vec<(Action, usize)> {
        let count = |action| {
            self.objects
                .iter()
                .filter(|object| object.action == action)
                .count()
        };
        ACTIONS
            .iter()
            .map(|(action, ..)| (*action, count(*action)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    /// `1 to create, 2 to swap, 25 unchanged`
    pub fn summary(&self) -> String {
        let counts = self.counts();
        if counts.is_empty() {
            return "no objects".to_owned();
        }
        let parts = counts
            .into_iter()
            .map(|(action, count)| format!("{count} {}", action.entry().2));
        parts.collect::<Vec<_>>().join(", ")
    }

    /// Whether applying it does something to an object, or something should be done that it does not do.
    pub fn has_changes(&self) -> bool {
        self.objects
            .iter()
            .any(|object| object.action != Action::Unchanged)
            || self.steps.iter().any(|step| {
                !matches!(step.phase, Phase::Start | Phase::End) || !step.is_repeatable()
            })
    }

    /// Whether something stands in the way of an object.
    pub fn is_blocked(&self) -> bool {
        self.objects.iter().any(|object| object.blocked.is_some())
    }

    /// Objects that are blocked for want of `--allow-destructive`.
    pub fn not_allowed(&self) -> impl Iterator<Item = &ObjectPlan> {
        self.objects
            .iter()
            .filter(|object| matches!(object.blocked, Some(Blocked::NotAllowed { .. })))
    }

    /// Whether applying it loses rows or positions, or emits again.
    pub fn is_destructive(&self) -> bool {
        let acting = self
            .objects
            .iter()
            .filter(|object| object.blocked.is_none());
        acting
            .flat_map(|object| &object.consequences)
            .any(Consequence::is_destructive)
    }

    /// All statements in order, a comment before those of each step; secrets are hidden.
    pub fn sql(&self) -> String {
        let mut out = String::new();
        for step in &self.steps {
            out.push_str(&step.to_string());
            out.push('\n');
        }
        out
    }

    /// The plan as text. `everything` shows unchanged objects, too; `differences` shows what differs in the text of
    /// each.
    pub fn text(&self, everything: bool, differences: bool) -> String {
        let mut out = format!(
            "Plan for {} on {}: database {}, RisingWave {}, deployment {}\n\n",
            self.project, self.target, self.database, self.server, self.deployment
        );
        let mut any = false;
        for object in &self.objects {
            if object.action == Action::Unchanged && object.notes.is_empty() && !everything {
                continue;
            }
            any = true;
            out.push_str(&object.to_string());
            if differences && !object.diff.is_empty() {
                for line in object.diff.lines() {
                    out.push_str(&format!("      {line}\n"));
                }
            }
        }
        for leftover in &self.leftovers {
            any = true;
            out.push_str(&leftover.to_string());
        }
        if any {
            out.push('\n');
        }
        for advice in &self.advice {
            out.push_str(&format!("{advice}\n"));
        }
        if let Some(hooks) = self.hooks_first() {
            out.push_str(&format!("{hooks}\n"));
        }
        out.push_str(&format!("{}\n", self.summary()));
        out
    }

    /// `on-run-start hooks send 2 statements first`; none where they send nothing.
    pub(crate) fn hooks_first(&self) -> Option<String> {
        let steps = self.steps.iter().filter(|step| step.phase == Phase::Start);
        let count = steps.flat_map(Step::sql).count();
        let statements = counted(count, "statement");
        (count > 0).then(|| format!("on-run-start hooks send {statements} first"))
    }
}

impl fmt::Display for Plan {
    /// A line for every object, and the summary.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(true, false))
    }
}

impl fmt::Display for ObjectPlan {
    /// Its line, then a line for each thing that must be known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reasons: Vec<String> = self.reasons.iter().map(ToString::to_string).collect();
        let line = format!(
            "  {} {:<9} {} {}  {}",
            self.action.sign(),
            self.action,
            self.kind,
            self.relation,
            reasons.join("; ")
        );
        writeln!(f, "{}", line.trim_end())?;
        if let Some(blocked) = &self.blocked {
            writeln!(f, "      {blocked}")?;
        }
        for drift in &self.drift {
            writeln!(f, "      outside of rwt: {drift}")?;
        }
        for consequence in &self.consequences {
            let sign = if consequence.is_destructive() {
                '!'
            } else {
                '-'
            };
            writeln!(f, "    {sign} {consequence}")?;
        }
        for note in &self.notes {
            writeln!(f, "      {note}")?;
        }
        Ok(())
    }
}

impl fmt::Display for LeftoverPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Leftover {
            relation,
            kind,
            deployment,
            keep,
            ..
        } = &self.leftover;
        let (sign, word) = if self.drops {
            ('-', "drop")
        } else {
            ('?', "left over")
        };
        writeln!(
            f,
            "  {sign} {word:<9} {kind} {relation}  deployment {deployment} took it out of use"
        )?;
        if !self.dependents.is_empty() {
            writeln!(f, "      kept for {}", relations(&self.dependents))?;
        } else if *keep && !self.drops {
            writeln!(f, "      kept as zero_downtime says; `--clean-up` drops it")?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    /// Its number and purpose as a comment, then its statements; secrets are hidden.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "-- {}. {}", self.number, self.purpose)?;
        for sql in self.sql() {
            writeln!(f, "{};", rwt_sql::redact(sql).trim_end())?;
        }
        Ok(())
    }
}

/// Names of nodes as people call them.
fn nodes(unique_ids: &[String]) -> String {
    let names: Vec<&str> = unique_ids
        .iter()
        .map(|id| id.rsplit('.').next().unwrap_or(id))
        .collect();
    names.join(", ")
}

fn relations(relations: &[RelationName]) -> String {
    let names: Vec<String> = relations.iter().map(ToString::to_string).collect();
    names.join(", ")
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => f.write_str("new"),
            Self::Missing => f.write_str("it was dropped outside of rwt"),
            Self::Definition => f.write_str("its statement has changed"),
            Self::Kind { from } => write!(f, "it was a {from}"),
            Self::Relation { from } => write!(f, "it was called {from}"),
            Self::Node { from } => write!(
                f,
                "the model was called {}",
                nodes(std::slice::from_ref(from))
            ),
            Self::Input { unique_ids } => write!(f, "it reads {}", nodes(unique_ids)),
            Self::Target { unique_id } => {
                write!(f, "it writes to {}", nodes(std::slice::from_ref(unique_id)))
            }
            Self::StaleInput { unique_ids } => {
                write!(f, "it still reads an old {}", nodes(unique_ids))
            }
            Self::Indexes { added, removed } => {
                let mut parts = Vec::new();
                if !added.is_empty() {
                    parts.push(format!("index {} is added", added.join(", ")));
                }
                if !removed.is_empty() {
                    parts.push(format!("index {} is dropped", removed.join(", ")));
                }
                f.write_str(&parts.join(", "))
            }
            Self::Grants => f.write_str("its grants have changed"),
            Self::Comments => f.write_str("its description has changed"),
            Self::Tuning { settings } => write!(f, "{} has changed", settings.join(", ")),
            Self::Columns { added } => write!(f, "column {} is added", added.join(", ")),
            Self::FullRefresh => f.write_str("full refresh"),
            Self::Drift => f.write_str("it was changed outside of rwt"),
            Self::NotInProject => f.write_str("its model is no longer in the project"),
            Self::Imperative { materialization } => {
                write!(f, "materialization {materialization}")
            }
            Self::Unknown { same: Some(true) } => {
                f.write_str("it exists, unknown to rwt, with the same definition")
            }
            Self::Unknown { .. } => {
                f.write_str("it exists, unknown to rwt, with another definition")
            }
        }
    }
}

impl fmt::Display for Consequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LosesRows { relation } => write!(f, "the rows of {relation} are lost"),
            Self::RowsFromQuery { relation } => write!(
                f,
                "{relation} is filled by its query; rows that were written to it otherwise are lost"
            ),
            Self::LosesLake { relation } => {
                write!(
                    f,
                    "the Iceberg table of {relation} is dropped with its rows"
                )
            }
            Self::EmitsAgain {
                relation,
                into,
                keyed: true,
            } => write!(
                f,
                "{relation} writes all of its rows to {into} once more; those with the same key are replaced, those that are gone stay"
            ),
            Self::EmitsAgain {
                relation,
                into,
                keyed: false,
            } => {
                write!(f, "{relation} writes all of its rows to {into} once more")
            }
            Self::ReceiverKeepsRows { relation, into } => write!(
                f,
                "{into} keeps what {relation} has written so far, so that rows are there twice; empty it before, or set move_snapshot: false"
            ),
            Self::SkipsDifference { relation } => write!(
                f,
                "{relation} goes on with changes from now on; what differs between the old and the new result is not written"
            ),
            Self::EmitsOverlap { relation } => {
                write!(
                    f,
                    "a few changes may be written twice while the new {relation} takes over"
                )
            }
            Self::LosesPosition { relation } => write!(
                f,
                "what readers of {relation} have not fetched is lost; their cursors begin anew"
            ),
            Self::RestartsReading { relation, mode } if mode == "earliest" => write!(
                f,
                "{relation} is read anew from the earliest message that its topic still holds"
            ),
            Self::RestartsReading { relation, mode } => {
                write!(
                    f,
                    "{relation} is read anew from `{mode}` on; rows from before are lost"
                )
            }
            Self::NameMissingBriefly { relation } => {
                write!(f, "{relation} cannot be read between two statements")
            }
            Self::NameMissing { relation } => {
                write!(f, "{relation} cannot be read while it is built")
            }
            Self::NameMissingSinceMove { relation, moved } => write!(
                f,
                "{relation} cannot be read from the moment that {} goes to another schema until the new one has its name",
                nodes(moved)
            ),
            Self::NameGone { relation } => write!(f, "readers of {relation} no longer find it"),
            Self::LeavesBehind {
                kept_as,
                dependents,
            } => write!(
                f,
                "{} {} on the old object, which is kept as {kept_as}",
                relations(dependents),
                if dependents.len() == 1 {
                    "stays"
                } else {
                    "stay"
                }
            ),
        }
    }
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAllowed { would } => {
                write!(f, "left as it is: to {would} it needs --allow-destructive")
            }
            Self::WaitsFor { unique_ids } => {
                write!(
                    f,
                    "left as it is, for it goes together with {}",
                    nodes(unique_ids)
                )
            }
            Self::NothingToRead { unique_ids } => {
                write!(f, "{} is not there; select it as well", nodes(unique_ids))
            }
            Self::TooOld {
                feature,
                needs,
                has,
            } => {
                write!(
                    f,
                    "{feature} needs RisingWave {needs} or newer; the server is {has}"
                )
            }
            Self::NameTaken {
                kind,
                unique_id: Some(id),
            } => {
                write!(
                    f,
                    "its name is taken by the {kind} of {}",
                    nodes(std::slice::from_ref(id))
                )
            }
            Self::NameTaken {
                kind,
                unique_id: None,
            } => {
                write!(f, "its name is taken by a {kind} that is not rwt's")
            }
            Self::HasDependents { dependents } => {
                write!(f, "left as it is, for {} hang on it", relations(dependents))
            }
            Self::Creating => f.write_str("it is still being created; see `rwt jobs`"),
            Self::Refused { key } => write!(f, "{key} is `fail`"),
        }
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recreated { .. } => f.write_str("it was dropped and created"),
            Self::Kind { is } => write!(f, "it has become a {is}"),
            Self::Renamed { is } => write!(f, "it is called {is} now"),
            Self::ColumnAdded { column, data_type } => {
                write!(f, "column {column} {data_type} was added")
            }
            Self::ColumnRemoved { column, data_type } => {
                write!(f, "column {column} {data_type} was removed")
            }
            Self::IndexMissing { index } => write!(f, "index {index} was dropped"),
            Self::IndexAdded { index } => write!(f, "index {index} was created"),
        }
    }
}
