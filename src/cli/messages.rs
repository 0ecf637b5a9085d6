//! What templates say, on its way to people.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use miette::Severity;
use rwt_compiler::jinja::{Level, Reporter};
use rwt_project::manifest::UniqueId;

use crate::ui::Printer;

/// Passes on what templates say, and warnings of those nodes alone that the command is about.
pub(super) struct Messages {
    printer: Printer,
    about: Arc<About>,
}

/// The nodes that a command is about; all of them until it is said.
pub(super) type About = OnceLock<BTreeSet<UniqueId>>;

impl Messages {
    pub(super) fn new(printer: &Printer) -> Self {
        Self {
            printer: printer.clone(),
            about: Arc::default(),
        }
    }

    /// Where a command says which nodes it is about.
    pub(super) fn about(&self) -> Arc<About> {
        Arc::clone(&self.about)
    }

    fn concerns(&self, node: Option<&str>) -> bool {
        let about = self.about.get();
        let (Some(about), Some(node)) = (about, node) else {
            return true;
        };
        about.contains(&UniqueId(node.to_owned()))
    }
}

impl Reporter for Messages {
    fn message(&self, level: Level, node: Option<&str>, text: &str) {
        if !self.concerns(node) {
            return;
        }
        match level {
            Level::Debug => self.printer.debug(text),
            Level::Info => self.printer.note(text),
            Level::Print => self.printer.print(text),
            Level::Warn => {
                let node = node.map(|id| format!(" ({id})")).unwrap_or_default();
                self.printer.warning(&*miette::miette!(
                    severity = Severity::Warning,
                    code = "rwt::jinja::warn",
                    "{text}{node}"
                ));
            }
        }
    }
}
