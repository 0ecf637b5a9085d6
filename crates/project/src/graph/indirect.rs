//! Which tests a selection of other nodes takes along: dbt's `--indirect-selection`.

use std::collections::BTreeSet;

use petgraph::Direction;

use super::dag::Dag;
use crate::manifest::{Manifest, Node, ResourceType, UniqueId};

/// When a test is chosen with what it tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Indirect {
    /// With any of the nodes that it reads.
    #[default]
    Eager,
    /// With all of them.
    Cautious,
    /// When all of them are chosen or above what is chosen.
    Buildable,
    /// Never: only when it is chosen itself.
    Empty,
}

impl Indirect {
    /// dbt's words.
    pub const WORDS: [&'static str; 4] = ["eager", "cautious", "buildable", "empty"];

    /// Reads dbt's word.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "eager" => Self::Eager,
            "cautious" => Self::Cautious,
            "buildable" => Self::Buildable,
            "empty" => Self::Empty,
            _ => return None,
        })
    }

    /// The tests that `chosen` takes along.
    pub(super) fn tests(
        self,
        chosen: &BTreeSet<UniqueId>,
        manifest: &Manifest,
        dag: &Dag,
    ) -> BTreeSet<UniqueId> {
        let mut above = BTreeSet::new();
        if self == Self::Buildable {
            above = dag.reach(chosen, Direction::Incoming, None);
        }
        let is_source = |id: &UniqueId| {
            let node = manifest.nodes.get(id);
            node.is_some_and(|node| node.resource_type == ResourceType::Source)
        };
        let takes = |test: &&Node| match self {
            Self::Eager => test.depends_on.iter().any(|id| chosen.contains(id)),
            Self::Cautious => test.depends_on.iter().all(|id| chosen.contains(id)),
            Self::Buildable => test
                .depends_on
                .iter()
                .all(|id| chosen.contains(id) || above.contains(id) || is_source(id)),
            Self::Empty => false,
        };
        touched(chosen, manifest)
            .filter(takes)
            .map(|test| test.unique_id.clone())
            .collect()
    }
}

/// The tests that read any of `chosen`.
fn touched<'m>(
    chosen: &BTreeSet<UniqueId>,
    manifest: &'m Manifest,
) -> impl Iterator<Item = &'m Node> {
    manifest.nodes.values().filter(move |node| {
        node.resource_type.is_test() && node.depends_on.iter().any(|id| chosen.contains(id))
    })
}
