//! The directed graph of nodes: an edge runs from what is read to what reads it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;
use miette::Diagnostic;
use petgraph::Direction;
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use thiserror::Error;

use super::schedule::Schedule;
use crate::manifest::{Manifest, UniqueId};

/// The graph of a manifest's nodes. It is cheap to clone.
#[derive(Debug, Clone)]
pub struct Dag(Arc<Graph>);

#[derive(Debug)]
pub(super) struct Graph {
    pub graph: DiGraph<UniqueId, ()>,
    pub indexes: IndexMap<UniqueId, NodeIndex>,
    /// By index: whether the node is one that runs; sources do not.
    pub runs: Vec<bool>,
}

/// Nodes that read one another in a circle.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[error("models read one another in a circle: {}", shown(path))]
#[diagnostic(code(rwt::graph::cycle), help("{}", help(steps)))]
pub struct CycleError {
    /// The nodes of the circle, each reading the next one; the first stands at the end again.
    pub path: Vec<UniqueId>,
    /// How each node of the circle reads the next one.
    pub steps: Vec<CycleStep>,
}

/// One edge of a circle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CycleStep {
    /// The file that reads.
    pub file: PathBuf,
    /// The line of its text that names what it reads, counted from 1, and that line; none if a macro names it.
    pub line: Option<(usize, String)>,
    /// The name of what it reads.
    pub reads: String,
}

fn shown(path: &[UniqueId]) -> String {
    let names: Vec<&str> = path.iter().map(short).collect();
    names.join(" reads ")
}

fn short(id: &UniqueId) -> &str {
    id.0.splitn(3, '.').nth(2).unwrap_or(&id.0)
}

fn help(steps: &[CycleStep]) -> String {
    let mut help = match steps {
        [_] => "a model reads what it has built so far as `this`, not by `ref`:",
        _ => "remove one of these refs:",
    }
    .to_owned();
    for step in steps {
        let file = step.file.display();
        help.push_str(&match &step.line {
            Some((line, text)) => format!("\n  {file}:{line} reads {}: {text}", step.reads),
            None => format!("\n  {file} reads {}", step.reads),
        });
    }
    help
}

impl Dag {
    /// The graph of all nodes of the manifest. What a node reads and the manifest has not (a disabled node) is left out.
    ///
    /// # Errors
    /// The shortest circle of the first group of nodes that read one another.
    pub fn new(manifest: &Manifest) -> Result<Self, CycleError> {
        let mut graph = DiGraph::with_capacity(manifest.nodes.len(), manifest.nodes.len());
        let mut ids: Vec<&UniqueId> = manifest.nodes.keys().collect();
        ids.sort();
        let indexes: IndexMap<UniqueId, NodeIndex> = ids
            .iter()
            .map(|id| ((*id).clone(), graph.add_node((*id).clone())))
            .collect();
        let mut runs = Vec::with_capacity(ids.len());
        for id in ids {
            let node = &manifest.nodes[id];
            runs.push(node.resource_type.is_built());
            let parents: BTreeSet<&UniqueId> = node.depends_on.iter().collect();
            for parent in parents {
                if let Some(from) = indexes.get(parent) {
                    graph.add_edge(*from, indexes[id], ());
                }
            }
        }
        let dag = Graph {
            graph,
            indexes,
            runs,
        };
        match dag.cycle() {
            Some(path) => Err(cycle_error(path, manifest)),
            None => Ok(Self(Arc::new(dag))),
        }
    }

    /// All nodes, by id.
    pub fn ids(&self) -> impl Iterator<Item = &UniqueId> {
        self.0.indexes.keys()
    }

    /// Whether the node is in the graph.
    pub fn contains(&self, id: &UniqueId) -> bool {
        self.0.indexes.contains_key(id)
    }

    /// What the node reads, by id.
    pub fn parents(&self, id: &UniqueId) -> BTreeSet<UniqueId> {
        self.ancestors(id, Some(1))
    }

    /// What reads the node, by id.
    pub fn children(&self, id: &UniqueId) -> BTreeSet<UniqueId> {
        self.descendants(id, Some(1))
    }

    /// All that the node depends on, at most `depth` edges away; without the node itself.
    pub fn ancestors(&self, id: &UniqueId, depth: Option<usize>) -> BTreeSet<UniqueId> {
        self.reach([id], Direction::Incoming, depth)
    }

    /// All that depends on the node, at most `depth` edges away; without the node itself.
    pub fn descendants(&self, id: &UniqueId, depth: Option<usize>) -> BTreeSet<UniqueId> {
        self.reach([id], Direction::Outgoing, depth)
    }

    /// The nodes within `depth` edges of any of `from`, without those in `from` that no other one reaches. Each node is
    /// visited once, however many start.
    pub(super) fn reach<'i>(
        &self,
        from: impl IntoIterator<Item = &'i UniqueId>,
        direction: Direction,
        depth: Option<usize>,
    ) -> BTreeSet<UniqueId> {
        let graph = &self.0.graph;
        let mut seen = vec![false; graph.node_count()];
        let mut queue: VecDeque<(NodeIndex, usize)> = from
            .into_iter()
            .filter_map(|id| self.0.indexes.get(id))
            .map(|index| (*index, 0))
            .collect();
        let mut expanded = vec![false; graph.node_count()];
        let mut reached = BTreeSet::new();
        while let Some((index, steps)) = queue.pop_front() {
            if expanded[index.index()] || depth.is_some_and(|depth| steps >= depth) {
                continue;
            }
            expanded[index.index()] = true;
            for next in graph.neighbors_directed(index, direction) {
                if !seen[next.index()] {
                    seen[next.index()] = true;
                    reached.insert(graph[next].clone());
                    queue.push_back((next, steps + 1));
                }
            }
        }
        reached
    }

    /// The order in which `selected` run on one thread. This is dbt's order: first the nodes that wait for nothing, by
    /// id; then, as each node is done, the nodes that waited for it last, those with fewer levels above them first and
    /// otherwise by id. Sources and nodes that are not selected do not run, but what hangs on them still comes after
    /// what they hang on.
    pub fn order(&self, selected: &BTreeSet<UniqueId>) -> Vec<UniqueId> {
        let mut schedule = self.schedule(selected);
        let mut queue: VecDeque<UniqueId> = schedule.start().into();
        let mut order = Vec::with_capacity(selected.len());
        while let Some(id) = queue.pop_front() {
            queue.extend(schedule.done(&id));
            order.push(id);
        }
        order
    }

    /// The running order of `selected` as something to be driven: by [`Dag::order`], or by threads.
    pub fn schedule(&self, selected: &BTreeSet<UniqueId>) -> Schedule {
        Schedule::new(Arc::clone(&self.0), selected)
    }
}

impl Graph {
    /// The shortest circle through the smallest id of the first strongly connected group, each node reading the next.
    fn cycle(&self) -> Option<Vec<UniqueId>> {
        let group = tarjan_scc(&self.graph)
            .into_iter()
            .filter(|group| group.len() > 1 || self.graph.contains_edge(group[0], group[0]))
            .min_by_key(|group| group.iter().map(|index| &self.graph[*index]).min())?;
        let members: BTreeSet<NodeIndex> = group.iter().copied().collect();
        let start = *group.iter().min_by_key(|index| &self.graph[**index])?;
        let mut came_from: BTreeMap<NodeIndex, NodeIndex> = BTreeMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(index) = queue.pop_front() {
            let mut parents: Vec<NodeIndex> = self
                .graph
                .neighbors_directed(index, Direction::Incoming)
                .filter(|parent| members.contains(parent))
                .collect();
            parents.sort_by_key(|parent| &self.graph[*parent]);
            for parent in parents {
                if parent == start {
                    let mut path = vec![start, index];
                    let mut at = index;
                    while at != start {
                        at = came_from[&at];
                        path.push(at);
                    }
                    path.reverse();
                    return Some(
                        path.into_iter()
                            .map(|index| self.graph[index].clone())
                            .collect(),
                    );
                }
                if let std::collections::btree_map::Entry::Vacant(slot) = came_from.entry(parent) {
                    slot.insert(index);
                    queue.push_back(parent);
                }
            }
        }
        None
    }
}

fn cycle_error(path: Vec<UniqueId>, manifest: &Manifest) -> CycleError {
    let steps = path
        .windows(2)
        .map(|pair| {
            let (node, read) = (&manifest.nodes[&pair[0]], &manifest.nodes[&pair[1]]);
            CycleStep {
                file: node.original_file_path.clone(),
                line: line_of_ref(&node.raw_code, &read.name),
                reads: short(&pair[1]).to_owned(),
            }
        })
        .collect();
    CycleError { path, steps }
}

/// The first line that has both `ref` and the quoted name.
fn line_of_ref(code: &str, name: &str) -> Option<(usize, String)> {
    let quoted = [format!("'{name}'"), format!("\"{name}\"")];
    code.lines().enumerate().find_map(|(number, line)| {
        let names = line.contains("ref") && quoted.iter().any(|name| line.contains(name.as_str()));
        names.then(|| (number + 1, line.trim().to_owned()))
    })
}
