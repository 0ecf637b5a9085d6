//! Which nodes may run next.

use std::collections::BTreeSet;
use std::sync::Arc;

use petgraph::Direction;
use petgraph::graph::NodeIndex;

use super::dag::Graph;
use crate::manifest::UniqueId;

/// The running order of a set of nodes, as nodes get done. Sources and nodes outside of the set count as done at once,
/// so that what is connected only through them is still in order.
#[derive(Debug, Clone)]
pub struct Schedule {
    graph: Arc<Graph>,
    /// By index: whether the node is one to run.
    selected: Vec<bool>,
    /// By index: parents that are not done.
    waiting_for: Vec<usize>,
    /// By index: the longest chain of selected nodes above the node.
    level: Vec<usize>,
    /// By index: given out, or skipped.
    settled: Vec<bool>,
    left: usize,
}

impl Schedule {
    pub(super) fn new(graph: Arc<Graph>, ids: &BTreeSet<UniqueId>) -> Self {
        let count = graph.graph.node_count();
        let mut selected = vec![false; count];
        let mut left = 0;
        for id in ids {
            let Some(index) = graph.indexes.get(id) else {
                continue;
            };
            if graph.runs[index.index()] {
                selected[index.index()] = true;
                left += 1;
            }
        }
        let waiting_for = graph
            .graph
            .node_indices()
            .map(|index| {
                graph
                    .graph
                    .neighbors_directed(index, Direction::Incoming)
                    .count()
            })
            .collect();
        let mut schedule = Self {
            selected,
            waiting_for,
            level: vec![0; count],
            settled: vec![false; count],
            left,
            graph,
        };
        schedule.find_levels();
        schedule
    }

    fn find_levels(&mut self) {
        // The graph has no circle: that was seen to when it was made.
        let order = petgraph::algo::toposort(&self.graph.graph, None).unwrap_or_default();
        for index in order {
            let below = self.level[index.index()] + usize::from(self.selected[index.index()]);
            for child in self.graph.graph.neighbors(index) {
                let level = &mut self.level[child.index()];
                *level = below.max(*level);
            }
        }
    }

    /// The nodes that wait for nothing, by id. To be called once, first.
    pub fn start(&mut self) -> Vec<UniqueId> {
        let roots: Vec<NodeIndex> = self
            .graph
            .graph
            .node_indices()
            .filter(|index| self.waiting_for[index.index()] == 0)
            .collect();
        self.release(roots)
    }

    /// Takes note that the node is done, and returns those that may run now and might not before.
    pub fn done(&mut self, id: &UniqueId) -> Vec<UniqueId> {
        let Some(index) = self.graph.indexes.get(id).copied() else {
            return Vec::new();
        };
        let ready = self.finish(index);
        self.release(ready)
    }

    /// Takes note that the node failed: everything in the set that hangs on it will not run. Returns those nodes, by id,
    /// without the ones that an earlier failure already took out.
    pub fn failed(&mut self, id: &UniqueId) -> Vec<UniqueId> {
        let Some(index) = self.graph.indexes.get(id).copied() else {
            return Vec::new();
        };
        let mut skipped = BTreeSet::new();
        let mut stack = vec![index];
        let mut seen = BTreeSet::from([index]);
        while let Some(index) = stack.pop() {
            for child in self.graph.graph.neighbors(index) {
                if !seen.insert(child) {
                    continue;
                }
                stack.push(child);
                if self.selected[child.index()] && !self.settled[child.index()] {
                    self.settled[child.index()] = true;
                    self.left -= 1;
                    skipped.insert(self.graph.graph[child].clone());
                }
            }
        }
        skipped.into_iter().collect()
    }

    /// How many nodes were neither given out nor skipped.
    pub fn left(&self) -> usize {
        self.left
    }

    fn finish(&mut self, index: NodeIndex) -> Vec<NodeIndex> {
        let graph = Arc::clone(&self.graph);
        let mut ready = Vec::new();
        for child in graph.graph.neighbors(index) {
            let waiting_for = &mut self.waiting_for[child.index()];
            *waiting_for = waiting_for.saturating_sub(1);
            if *waiting_for == 0 {
                ready.push(child);
            }
        }
        ready
    }

    /// Gives out the selected ones of `ready`; the others are done at once and may release more.
    fn release(&mut self, ready: Vec<NodeIndex>) -> Vec<UniqueId> {
        let mut out = Vec::new();
        let mut stack = ready;
        while let Some(index) = stack.pop() {
            if self.settled[index.index()] {
                continue;
            }
            if self.selected[index.index()] {
                self.settled[index.index()] = true;
                self.left -= 1;
                out.push(index);
            } else {
                stack.extend(self.finish(index));
            }
        }
        let level = &self.level;
        let graph = &self.graph.graph;
        out.sort_by(|a, b| (level[a.index()], &graph[*a]).cmp(&(level[b.index()], &graph[*b])));
        out.into_iter().map(|index| graph[index].clone()).collect()
    }
}
