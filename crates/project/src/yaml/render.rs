//! Jinja in YAML values. The caller renders; this module says where the text stands and what it may see.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use indexmap::IndexMap;
use miette::{Diagnostic, LabeledSpan, SourceCode};
use serde_json::Value;

use super::file::{Location, SourceFile};
use super::tree::{Entry, Kind, Yaml};
use crate::profile::Target;

/// Renders the Jinja text of one YAML value; given by whoever loads a project (the compiler's
/// `jinja::render_yaml`). As dbt does, a text that is one expression gives that expression's value (`"{{ 4566 | int }}"`
/// is a number). `env_var` of a name that holds a secret renders as its marker ([`crate::profile::marker`]).
pub type Render<'a> = dyn Fn(&str, &Location, &Scope<'_>) -> Result<Value, RenderFailure> + 'a;

/// What Jinja in a YAML value may see, besides `env_var`.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// What `var` knows: `--vars` in profiles and the project file, also the project's `vars` in property files.
    pub vars: &'a IndexMap<String, Value>,
    /// `target`; nothing while the profile itself is read.
    pub target: Option<&'a Target>,
}

/// Why a text cannot be rendered, in the words of the renderer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RenderFailure {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// The bytes of the text that are to blame, if that is known.
    pub range: Option<Range<usize>>,
    /// A stable code of its own, for example `rwt::jinja::missing_env_var`.
    pub code: Option<String>,
}

/// A YAML value whose Jinja cannot be rendered, with its file.
#[derive(Debug, Clone)]
pub struct RenderError {
    failure: Box<RenderFailure>,
    at: Location,
    file: Arc<SourceFile>,
}

impl RenderError {
    /// The failure of the value `text` that stands at `at`.
    pub fn new(failure: RenderFailure, text: &str, at: &Location) -> Self {
        let at = match failure.range.clone() {
            Some(range) => at.within(text, range),
            None => at.clone(),
        };
        Self {
            failure: Box::new(failure),
            file: Arc::clone(at.file()),
            at,
        }
    }
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot render {}: {}", self.at, self.failure.message)
    }
}

impl std::error::Error for RenderError {}

impl Diagnostic for RenderError {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(
            self.failure.code.as_deref().unwrap_or("rwt::yaml::render"),
        ))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.failure.help.as_deref()?;
        Some(Box::new(help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.file)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = LabeledSpan::new_with_span(Some("in this value".to_owned()), self.at.span());
        Some(Box::new(std::iter::once(label)))
    }
}

/// Whether a text has anything to render.
pub(crate) fn holds_jinja(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

/// Renders one text.
pub(crate) fn render_text(
    text: &str,
    at: &Location,
    render: &Render<'_>,
    scope: &Scope<'_>,
) -> Result<Value, RenderError> {
    render(text, at, scope).map_err(|failure| RenderError::new(failure, text, at))
}

/// Renders every text of a tree that holds Jinja, except below the keys that `skip` names (hooks and descriptions are
/// rendered when they are used). All failures are collected; a value that failed becomes null.
pub fn render_tree(
    tree: &Yaml,
    render: &Render<'_>,
    scope: &Scope<'_>,
    skip: &dyn Fn(&str) -> bool,
    errors: &mut Vec<RenderError>,
) -> Yaml {
    let kind = match &tree.kind {
        Kind::Text(text) if holds_jinja(text) => {
            return match render_text(text, &tree.at, render, scope) {
                Ok(value) => Yaml::from_value(value, &tree.at),
                Err(error) => {
                    errors.push(error);
                    Yaml {
                        kind: Kind::Null,
                        at: tree.at.clone(),
                    }
                }
            };
        }
        Kind::List(items) => Kind::List(
            items
                .iter()
                .map(|item| render_tree(item, render, scope, skip, errors))
                .collect(),
        ),
        Kind::Map(map) => Kind::Map(
            map.iter()
                .map(|(key, entry)| {
                    let value = if skip(key) {
                        entry.value.clone()
                    } else {
                        render_tree(&entry.value, render, scope, skip, errors)
                    };
                    let key_at = entry.key.clone();
                    (key.clone(), Entry { key: key_at, value })
                })
                .collect(),
        ),
        other => other.clone(),
    };
    Yaml {
        kind,
        at: tree.at.clone(),
    }
}
