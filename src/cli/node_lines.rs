//! The lines that nodes get as they end, on the console and in logs.

use rwt_compiler::Compiler;

use super::node_events::{Begun, NodeEvents};
use crate::apply::{BuildProgress, NodeReport, Observer};
use crate::ui::{BuildLines, Printer, RunProgress, run_line};

/// One line per node, as dbt prints them.
pub(super) struct NodeLines<'a> {
    compiler: &'a Compiler,
    progress: RunProgress,
    builds: BuildLines,
    begun: Begun,
    total: usize,
}

impl<'a> NodeLines<'a> {
    /// For so many nodes; 0 where that is not known.
    pub(super) fn new(compiler: &'a Compiler, printer: &Printer, total: usize) -> Self {
        Self {
            compiler,
            progress: RunProgress::new(printer, total),
            builds: BuildLines::new(printer),
            begun: Begun::default(),
            total,
        }
    }

    /// Prints nodes that nothing is done about.
    pub(super) fn print(compiler: &Compiler, nodes: &[NodeReport], printer: &Printer) {
        let lines = NodeLines::new(compiler, printer, nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            lines.finished(index + 1, nodes.len(), node);
        }
        lines.finish();
    }

    /// Nothing more comes.
    pub(super) fn finish(&self) {
        self.progress.finish();
    }

    fn events(&self) -> NodeEvents<'_> {
        NodeEvents::new(self.compiler, &self.progress, &self.begun)
    }
}

impl Observer for NodeLines<'_> {
    fn began(&self, unique_id: &str, thread: usize) {
        self.events().begins(unique_id, thread, self.total);
    }

    fn working_on(&self, names: &[String]) {
        self.progress.working_on(names);
    }

    /// The line of a node, and its error below.
    fn finished(&self, index: usize, total: usize, report: &NodeReport) {
        let line = run_line(index, total, report);
        self.events().ended(&line, index, total, report);
        if let Some(error) = &report.error {
            self.progress.error(error);
        }
        self.progress.advance();
    }

    fn building(&self, builds: &[BuildProgress]) {
        self.builds.show(&self.progress, builds);
    }

    fn note(&self, text: &str) {
        self.progress.line(text);
    }
}
