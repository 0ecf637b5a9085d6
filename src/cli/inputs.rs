//! What selected models read, where the command line says something of it: `--empty`, `--sample`, `--defer`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Months, TimeDelta, Utc};
use clap::Args;
use miette::Diagnostic;
use rwt_compiler::Deferred;
use rwt_compiler::jinja::Relation;
use rwt_compiler::microbatch::{EventTime, moment};
use rwt_plan::RelationName;
use rwt_project::manifest::{Node, ResourceType, UniqueId};
use rwt_project::project::parse_mapping;
use rwt_project::state::{Snapshot, SnapshotNode};
use serde_json::Value;

use super::Failure;
use super::context::Context;
use super::deploy::Deployer;
use crate::apply::{RunReport, Status};
use crate::catalog::Names;
use crate::ui::Printer;

/// Part of the rows.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct InputArgs {
    /// Let models, seeds and tests read no rows: what is missing is built with its columns and nothing in it
    #[arg(long, env = "DBT_EMPTY", overrides_with = "no_empty", value_parser = clap::builder::FalseyValueParser::new())]
    pub empty: bool,
    #[arg(long, hide = true, overrides_with = "empty")]
    no_empty: bool,
    /// Let models read the rows of a time, where `event_time` is said: '3 days', or {start: 2024-05-01, end: 2024-05-08}
    #[arg(long, value_name = "WINDOW", env = "DBT_SAMPLE", value_parser = sample)]
    pub sample: Option<EventTime>,
}

/// A full refresh of what is there, from part of the rows.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("with {option}, --full-refresh would put relations without their rows in place of these, and what reads them would lose them too:{}", .relations.iter().map(|name| format!("\n  {name}")).collect::<String>())]
#[diagnostic(
    code(rwt::inputs::would_empty),
    help(
        "nothing was done. Build into a schema of your own (another target), or leave --full-refresh out: then what exists is left as it is"
    )
)]
struct WouldEmpty {
    option: &'static str,
    relations: Vec<String>,
}

/// `--defer` without a manifest to defer to.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("--defer reads relations that an earlier manifest names, and none is given")]
#[diagnostic(
    code(rwt::inputs::defer_without_state),
    help(
        "`--state DIR` or `--defer-state DIR` names the folder with the manifest.json, for example a copy of production's target/"
    )
)]
struct NothingToDeferTo;

impl InputArgs {
    /// What `rwt retry` takes over.
    pub(super) fn again(empty: bool, sample: Option<EventTime>) -> Self {
        Self {
            empty,
            no_empty: false,
            sample,
        }
    }

    /// The option that leaves rows out, if one does.
    pub(super) fn limiting(&self) -> Option<&'static str> {
        match (self.empty, self.sample) {
            (true, _) => Some("--empty"),
            (false, Some(_)) => Some("--sample"),
            (false, None) => None,
        }
    }

    /// What is built from part of the rows: what is missing. An object that exists holds all of its rows, and who asks for a
    /// part does not ask to lose them.
    pub(super) fn left_to_build(
        &self,
        deployer: &Deployer<'_>,
        selected: &BTreeSet<UniqueId>,
        full_refresh: bool,
        printer: &Printer,
    ) -> Result<BTreeSet<UniqueId>, Failure> {
        let Some(option) = self.limiting() else {
            return Ok(selected.clone());
        };
        let (context, catalog) = (deployer.context, deployer.catalog()?);
        let names: BTreeSet<&RelationName> = (catalog.objects.values())
            .map(|object| &object.relation)
            .collect();
        let nodes = &context.compiler.manifest().nodes;
        let exists = |node: &Node| {
            let name = RelationName::new(node.schema.clone(), node.identifier.clone());
            !node.resource_type.is_test()
                && context.compiler.is_built(&node.unique_id)
                && names.contains(&name)
        };
        let there: Vec<&Node> = (selected.iter())
            .filter_map(|id| nodes.get(id))
            .filter(|node| exists(node))
            .collect();
        if there.is_empty() {
            return Ok(selected.clone());
        }
        let relations: Vec<String> = there.iter().map(|node| node.relation_name()).collect();
        if full_refresh {
            return Err(WouldEmpty { option, relations }.into());
        }
        printer.note(format!(
            "Left as they are, because they exist and {option} builds what is missing: {}",
            relations.join(", ")
        ));
        let there: BTreeSet<&UniqueId> = there.iter().map(|node| &node.unique_id).collect();
        let left = selected.iter().filter(|id| !there.contains(id));
        Ok(left.cloned().collect())
    }

    /// The window as `rwt retry` reads it.
    pub(super) fn shown_sample(&self) -> Option<String> {
        let (start, end) = self.sample?;
        Some(format!(
            "{{start: '{}', end: '{}'}}",
            start.format("%Y-%m-%dT%H:%M:%S%.6f"),
            end.format("%Y-%m-%dT%H:%M:%S%.6f")
        ))
    }

    /// Says what was built from part of the rows.
    pub(super) fn tell_what_is_not_whole(&self, run: &RunReport, printer: &Printer) {
        let Some(option) = self.limiting() else {
            return;
        };
        let built = (run.nodes.iter()).filter(|node| node.status == Status::Created);
        let names: Vec<&str> = built.map(|node| node.name.as_str()).collect();
        if !names.is_empty() {
            printer.note(format!(
                "\nBuilt from part of the rows ({option}), and not whole: {}. The state holds them as they were built: `rwt plan` without {option} shows them as changed, and `rwt run` builds them whole.",
                names.join(", ")
            ));
        }
    }
}

/// A window as dbt takes it: a count and a grain that reach back from now, or start and end.
pub(super) fn sample(text: &str) -> Result<EventTime, String> {
    window(text, Utc::now())
}

fn window(text: &str, now: DateTime<Utc>) -> Result<EventTime, String> {
    if text.trim_start().starts_with('{') {
        let given = parse_mapping("--sample", text).map_err(|errors| errors.to_string())?;
        let time = |key: &str| {
            let time = given.get(key).and_then(Value::as_str).and_then(moment);
            let time = time.map(|time| time.and_utc());
            time.ok_or_else(|| {
                format!("`{key}` must be a day (2024-05-01) or a time (2024-05-01T12:00:00)")
            })
        };
        return Ok((time("start")?, time("end")?));
    }
    let wrong = || "expected a count and a grain, like '3 days', or {start: …, end: …}".to_owned();
    let (count, grain) = text.split_once(' ').ok_or_else(wrong)?;
    let count: u32 = count.parse().map_err(|_| wrong())?;
    let start = match grain.to_lowercase().trim_end_matches('s') {
        "hour" => now.checked_sub_signed(TimeDelta::hours(count.into())),
        "day" => now.checked_sub_signed(TimeDelta::days(count.into())),
        "month" => now.checked_sub_months(Months::new(count)),
        "year" => count
            .checked_mul(12)
            .and_then(|count| now.checked_sub_months(Months::new(count))),
        _ => return Err(format!("`{grain}` is none of hour, day, month, year")),
    };
    let start = start.ok_or_else(|| format!("{text} ago is before all time"))?;
    Ok((start, now))
}

/// `--defer` and what belongs to it.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct DeferArgs {
    #[arg(long, global = true, hide = true, env = "DBT_DEFER", overrides_with = "no_defer", value_parser = clap::builder::FalseyValueParser::new())]
    defer: bool,
    #[arg(long, global = true, hide = true, overrides_with = "defer")]
    no_defer: bool,
    #[arg(long, global = true, hide = true, env = "DBT_FAVOR_STATE", overrides_with = "no_favor_state", value_parser = clap::builder::FalseyValueParser::new())]
    favor_state: bool,
    #[arg(long, global = true, hide = true, overrides_with = "favor_state")]
    no_favor_state: bool,
    #[arg(
        long,
        global = true,
        hide = true,
        value_name = "DIR",
        env = "DBT_DEFER_STATE"
    )]
    defer_state: Option<PathBuf>,
}

/// What a command with `--defer` does.
#[derive(Debug, Clone)]
pub(super) struct Deferral {
    /// Where its manifest is.
    pub folder: PathBuf,
    pub favor_state: bool,
    snapshot: Snapshot,
}

impl DeferArgs {
    /// The manifest that is deferred to; none without `--defer`.
    pub(super) fn read(&self, state: Option<&Path>) -> Result<Option<Deferral>, Failure> {
        if !self.defer {
            return Ok(None);
        }
        let folder = self.defer_state.as_deref().or(state);
        let folder = folder.ok_or_else(|| Failure::usage(NothingToDeferTo))?;
        Deferral::read(folder, self.favor_state).map(Some)
    }
}

impl Deferral {
    /// Reads the manifest of a folder.
    pub(super) fn read(folder: &Path, favor_state: bool) -> Result<Self, Failure> {
        let path = folder.join("manifest.json");
        Ok(Self {
            folder: folder.to_owned(),
            favor_state,
            snapshot: Snapshot::read(&path).map_err(Failure::usage)?,
        })
    }

    /// dbt's rule: what is not in the target is read where the other manifest has it; with `--favor-state` all that is not
    /// selected. What is built now (`built`) is there when it is read.
    pub(super) fn relations(
        &self,
        context: &Context,
        selected: &BTreeSet<UniqueId>,
        are_built: bool,
        names: &Names,
    ) -> Deferred {
        let nodes = &context.compiler.manifest().nodes;
        let is_there = |node: &Node| {
            are_built && selected.contains(&node.unique_id)
                || names.get(&node.schema, &node.identifier).is_some()
        };
        let is_read = |node: &Node| {
            matches!(
                node.resource_type,
                ResourceType::Model
                    | ResourceType::Seed
                    | ResourceType::Snapshot
                    | ResourceType::Function
            ) && context.compiler.is_built(&node.unique_id)
        };
        (nodes.values().filter(|node| is_read(node)))
            .filter(|node| {
                let is_favored = self.favor_state && !selected.contains(&node.unique_id);
                is_favored || !is_there(node)
            })
            .filter_map(|node| {
                let other = self.snapshot.node(&node.unique_id.0)?;
                Some((node.unique_id.clone(), relation(other)?))
            })
            .collect()
    }
}

/// The relation of a node of another manifest; an ephemeral model has none.
fn relation(node: &SnapshotNode) -> Option<Relation> {
    node.relation_name.as_ref()?;
    let name = node.alias.as_deref().or(node.identifier.as_deref());
    Some(Relation::new(
        node.database.as_deref().unwrap_or_default(),
        node.schema.as_deref()?,
        name.unwrap_or(&node.name),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        moment(text).expect("a time").and_utc()
    }

    #[test]
    fn windows_reach_back_from_now_or_are_said() {
        let now = at("2024-03-31 10:30:00");
        let back = |text: &str| window(text, now).map(|(start, _)| start);
        assert_eq!(back("3 days"), Ok(at("2024-03-28 10:30:00")));
        assert_eq!(back("1 HOUR"), Ok(at("2024-03-31 09:30:00")));
        assert_eq!(back("1 month"), Ok(at("2024-02-29 10:30:00")));
        assert_eq!(back("2 years"), Ok(at("2022-03-31 10:30:00")));
        assert_eq!(
            window("{start: '2024-05-01', end: '2024-05-08 18:00:00'}", now),
            Ok((at("2024-05-01"), at("2024-05-08 18:00:00")))
        );
        for wrong in [
            "3",
            "x days",
            "3 weeks",
            "{start: 2024-05-01}",
            "3 days ago",
        ] {
            assert!(window(wrong, now).is_err(), "{wrong}");
        }
    }
}
