//! What can be wrong with a project's models and macros, and with building them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, Severity, SourceCode};
use rwt_project::graph::CycleError;
use rwt_project::manifest::{Node, UniqueId};
use thiserror::Error;

use crate::jinja::{Place, TemplateError};
use crate::materialize::{BUILT_IN_FILES, DatabaseError};

/// One thing that is wrong.
#[derive(Debug, Clone, Error, Diagnostic)]
#[allow(missing_docs)]
pub enum CompileError {
    /// In a model, a macro or a hook.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Template(Box<Problem>),
    /// Models that read each other.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Cycle(#[from] CycleError),
    /// A node that is not in the manifest.
    #[error("there is no node {0}")]
    #[diagnostic(code(rwt::compile::unknown_node))]
    UnknownNode(UniqueId),
    /// A macro that is called by name and is not there.
    #[error("there is no macro `{name}`")]
    #[diagnostic(code(rwt::compile::unknown_macro))]
    UnknownMacro {
        name: String,
        #[help]
        help: String,
    },
    /// How old a source is cannot be found out.
    #[error("cannot tell how old the source {name} is: {what}")]
    #[diagnostic(
        code(rwt::source::freshness),
        help(
            "`loaded_at_field` names a timestamp column of the table; `loaded_at_query` is a query of one row with one timestamp"
        )
    )]
    Freshness { name: String, what: String },
    /// The system refused a thread.
    #[error("no thread to render on: {0}")]
    #[diagnostic(
        code(rwt::compile::thread),
        help("the system's limit of threads or of memory is reached; see `ulimit -a`")
    )]
    Thread(String),
    /// A file of the output.
    #[error("cannot write {path}: {cause}")]
    #[diagnostic(
        code(rwt::compile::write),
        help("check that the directory may be written to and that the disk is not full")
    )]
    Write { path: PathBuf, cause: String },
}

impl CompileError {
    /// Prepares an error for people: places inside of rwt's own macros are left out.
    pub(crate) fn template(mut error: TemplateError, node: Option<NodeName<'_>>) -> Self {
        error
            .places
            .retain(|place| !place.at.file().path().starts_with(BUILT_IN_FILES));
        let mut callers: Vec<CallSite> = Vec::new();
        if let Some((cause, outer)) = error.places.split_last() {
            let other_files = outer
                .iter()
                .rev()
                .filter(|place| place.at.file() != cause.at.file());
            callers.extend(other_files.cloned().map(CallSite::Macro));
        }
        if let Some(node) = node
            && !error
                .places
                .iter()
                .any(|place| place.at.file().path() == node.original_file_path)
        {
            callers.push(CallSite::Node(format!(
                "while building {} ({})",
                node.name,
                node.original_file_path.display()
            )));
        }
        Self::Template(Box::new(Problem {
            node: node.map(|node| node.unique_id.clone()),
            error,
            callers,
        }))
    }

    /// What the database refused, if it was that.
    pub fn database(&self) -> Option<&DatabaseError> {
        match self {
            Self::Template(problem) => problem.error.database.as_deref(),
            _ => None,
        }
    }
}

/// All that is wrong; at least one. Each has its own source text, so that each is to be shown by itself.
#[derive(Debug)]
pub struct CompileErrors(pub Vec<CompileError>);

impl fmt::Display for CompileErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CompileErrors {}

impl CompileError {
    /// Whether a name was not found: of a model, a source or a docs block.
    pub(crate) fn is_of_a_name(&self) -> bool {
        let code = self.code().map(|code| code.to_string());
        let codes = [
            "rwt::jinja::unknown_ref",
            "rwt::jinja::unknown_source",
            "rwt::jinja::unknown_doc",
        ];
        code.is_some_and(|code| codes.contains(&code.as_str()))
    }
}

impl From<std::io::Error> for CompileError {
    fn from(error: std::io::Error) -> Self {
        Self::Thread(error.to_string())
    }
}

impl From<CompileError> for CompileErrors {
    fn from(error: CompileError) -> Self {
        Self(vec![error])
    }
}

/// An error of a template, with the node that it belongs to.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The node, if there is one.
    pub node: Option<UniqueId>,
    /// What, where, why.
    pub error: TemplateError,
    callers: Vec<CallSite>,
}

impl Problem {
    fn cause(&self) -> Option<&Place> {
        self.error.places.last()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error.message)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.error.code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        if let Some(help) = self.error.help.as_deref() {
            return Some(Box::new(help));
        }
        Some(Box::new(self.error.database.as_ref()?.hint()?))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.cause()?.at.file())
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let cause = self.cause()?;
        let labels = self
            .error
            .places
            .iter()
            .filter(|place| place.at.file() == cause.at.file())
            .map(label);
        Some(Box::new(labels))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        if self.callers.is_empty() {
            return None;
        }
        Some(Box::new(
            self.callers.iter().map(|site| site as &dyn Diagnostic),
        ))
    }
}

fn label(place: &Place) -> LabeledSpan {
    LabeledSpan::new_with_span(Some(place.note.clone()), place.at.span())
}

/// The node that an error belongs to.
#[derive(Debug, Clone, Copy)]
pub struct NodeName<'a> {
    /// Its id.
    pub unique_id: &'a UniqueId,
    /// Its name.
    pub name: &'a str,
    /// Its file, relative to the project.
    pub original_file_path: &'a Path,
}

impl<'a> From<&'a Node> for NodeName<'a> {
    fn from(node: &'a Node) -> Self {
        Self {
            unique_id: &node.unique_id,
            name: &node.name,
            original_file_path: &node.original_file_path,
        }
    }
}

/// How the error's place was reached.
#[derive(Debug, Clone)]
enum CallSite {
    /// A call in another file.
    Macro(Place),
    /// The node, where none of its own lines is on the way.
    Node(String),
}

impl fmt::Display for CallSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Macro(Place { at, .. }) => {
                write!(
                    f,
                    "called from {}:{}",
                    at.file().path().display(),
                    at.line()
                )
            }
            Self::Node(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for CallSite {}

impl Diagnostic for CallSite {
    fn severity(&self) -> Option<Severity> {
        Some(Severity::Advice)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        match self {
            Self::Macro(place) => Some(place.at.file() as &Arc<_>),
            Self::Node(_) => None,
        }
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        match self {
            Self::Macro(place) => Some(Box::new(std::iter::once(label(place)))),
            Self::Node(_) => None,
        }
    }
}
