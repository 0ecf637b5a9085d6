//! The lines that nodes get as they end, on the console and in logs.

use std::sync::atomic::{AtomicUsize, Ordering};

use rwt_compiler::Compiler;
use rwt_plan::counted;
use rwt_project::manifest::{ResourceType, UniqueId};

use super::node_events::{Begun, NodeEvents};
use crate::apply::{BuildProgress, NodeReport, Observer};
use crate::testing::Counter;
use crate::ui::{BuildLines, Printer, RunProgress, run_line};

/// The numbers of a command's lines: one for each node and test, whatever round it is built in.
pub(super) struct Numbers {
    counter: Counter,
    begun: Begun,
    total: AtomicUsize,
    /// Nodes that have ended.
    ended: AtomicUsize,
}

impl Numbers {
    /// For so many nodes and tests.
    pub(super) fn of(total: usize) -> Self {
        Self {
            counter: Counter::new(total),
            begun: Begun::default(),
            total: AtomicUsize::new(total),
            ended: AtomicUsize::new(0),
        }
    }

    /// What counts them.
    pub(super) fn counter(&self) -> &Counter {
        &self.counter
    }

    /// What was begun so far.
    pub(super) fn begun(&self) -> &Begun {
        &self.begun
    }

    /// So many nodes are still to come. A node that is built twice is counted twice.
    pub(super) fn expect(&self, nodes: usize) {
        let all = self.ended.load(Ordering::Relaxed) + nodes;
        self.total.fetch_max(all, Ordering::Relaxed);
    }

    fn total(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }

    fn next(&self) -> usize {
        self.ended.fetch_add(1, Ordering::Relaxed);
        self.counter.next().0
    }
}

/// `2 models and 1 seed`, in dbt's words for what nodes are.
pub(super) fn counted_nodes<'i>(
    compiler: &Compiler,
    ids: impl IntoIterator<Item = &'i UniqueId>,
) -> String {
    const KINDS: [ResourceType; 4] = [
        ResourceType::Model,
        ResourceType::Seed,
        ResourceType::Snapshot,
        ResourceType::Function,
    ];
    let nodes = &compiler.manifest().nodes;
    let kinds: Vec<ResourceType> = (ids.into_iter())
        .map(|id| {
            nodes
                .get(id)
                .map_or(ResourceType::Model, |node| node.resource_type)
        })
        .collect();
    let count = |kind: ResourceType| kinds.iter().filter(|found| **found == kind).count();
    let mut parts: Vec<String> = (KINDS.into_iter())
        .filter(|kind| count(*kind) > 0)
        .map(|kind| counted(count(kind), kind.word()))
        .collect();
    let last = parts.pop().unwrap_or_else(|| counted(0_usize, "model"));
    match parts.is_empty() {
        true => last,
        false => format!("{} and {last}", parts.join(", ")),
    }
}

/// One line per node, as dbt prints them.
pub(super) struct NodeLines<'a> {
    compiler: &'a Compiler,
    progress: RunProgress,
    builds: BuildLines,
    numbers: &'a Numbers,
}

impl<'a> NodeLines<'a> {
    /// For so many nodes at once; 0 where nobody is to watch them.
    pub(super) fn new(
        compiler: &'a Compiler,
        printer: &Printer,
        nodes: usize,
        numbers: &'a Numbers,
    ) -> Self {
        Self {
            compiler,
            progress: RunProgress::new(printer, nodes),
            builds: BuildLines::new(printer),
            numbers,
        }
    }

    /// Prints nodes that nothing is done about.
    pub(super) fn print(
        compiler: &Compiler,
        nodes: &[NodeReport],
        numbers: &Numbers,
        printer: &Printer,
    ) {
        numbers.expect(nodes.len());
        let lines = NodeLines::new(compiler, printer, nodes.len(), numbers);
        for node in nodes {
            lines.ended(node);
        }
        lines.finish();
    }

    /// The line of a node, and its error below.
    pub(super) fn ended(&self, report: &NodeReport) {
        let (index, total) = (self.numbers.next(), self.numbers.total());
        let line = run_line(index, total, report);
        self.events().ended(&line, index, total, report);
        if let Some(error) = &report.error {
            self.progress.error(error);
        }
        self.progress.advance();
    }

    /// Nothing more comes.
    pub(super) fn finish(&self) {
        self.progress.finish();
    }

    fn events(&self) -> NodeEvents<'_> {
        NodeEvents::new(self.compiler, &self.progress, self.numbers.begun())
    }
}

impl Observer for NodeLines<'_> {
    fn began(&self, unique_id: &str, thread: usize) {
        let total = self.numbers.total();
        self.events().begins(unique_id, thread, total);
    }

    fn working_on(&self, names: &[String]) {
        self.progress.working_on(names);
    }

    fn finished(&self, _index: usize, _total: usize, report: &NodeReport) {
        self.ended(report);
    }

    fn building(&self, builds: &[BuildProgress]) {
        self.builds.show(&self.progress, builds);
    }

    fn note(&self, text: &str) {
        self.progress.line(text);
    }
}
