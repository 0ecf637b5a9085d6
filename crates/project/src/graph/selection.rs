//! Choosing nodes: `--select` minus `--exclude`.

use std::collections::BTreeSet;
use std::sync::Arc;

use miette::{Diagnostic, SourceSpan};
use petgraph::Direction;
use thiserror::Error;

use super::criterion::{Criterion, Method};
use super::dag::Dag;
use super::indirect::Indirect;
use super::selector::{Selector, SelectorError};
use crate::manifest::{Manifest, Node, ResourceType, UniqueId};
use crate::state::{Needs, Past};
use crate::yaml::{SourceFile, nearest};

/// What `--select` and `--exclude` say.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    select: Vec<Selector>,
    exclude: Vec<Selector>,
    past: Arc<Past>,
    indirect: Indirect,
}

/// The chosen nodes, sources among them where a criterion reaches them.
#[derive(Debug, Clone, Default)]
pub struct Selected {
    /// By id.
    pub nodes: BTreeSet<UniqueId>,
    /// Criteria that match nothing.
    pub warnings: Vec<SelectionWarning>,
}

/// A criterion that matches nothing.
#[derive(Debug, Clone, Error, Diagnostic)]
#[error("the criterion `{text}` of {option} matches no node")]
#[diagnostic(code(rwt::select::no_match), severity(Warning))]
pub struct SelectionWarning {
    /// The criterion as written.
    pub text: String,
    /// `--select` or `--exclude`.
    pub option: String,
    /// The nearest that would match.
    #[help]
    pub help: Option<String>,
    /// The argument.
    #[source_code]
    pub file: Arc<SourceFile>,
    /// The criterion in it.
    #[label("matches nothing")]
    pub at: SourceSpan,
}

impl Selection {
    /// Parses the arguments of `--select` and `--exclude`; without any of `--select`, everything is chosen.
    ///
    /// # Errors
    /// One error for each malformed argument.
    pub fn parse<S: AsRef<str>>(select: &[S], exclude: &[S]) -> Result<Self, Vec<SelectorError>> {
        let mut errors = Vec::new();
        let mut all = |option: &str, texts: &[S]| -> Vec<Selector> {
            let parsed = texts
                .iter()
                .map(|text| Selector::parse(option, text.as_ref()));
            parsed
                .filter_map(|parsed| parsed.map_err(|error| errors.push(error)).ok())
                .collect()
        };
        let selection = Self {
            select: all("--select", select),
            exclude: all("--exclude", exclude),
            past: Arc::default(),
            indirect: Indirect::default(),
        };
        if errors.is_empty() {
            Ok(selection)
        } else {
            Err(errors)
        }
    }

    /// One selector.
    pub(super) fn of(selector: &Selector) -> Self {
        Self {
            select: vec![selector.clone()],
            ..Self::default()
        }
    }

    /// The same with another rule for the tests of what is chosen.
    #[must_use]
    pub fn indirect(mut self, indirect: Indirect) -> Self {
        self.indirect = indirect;
        self
    }

    /// Everything.
    pub fn all() -> Self {
        Self::default()
    }

    /// What must be known of the past to tell what is chosen.
    pub fn needs(&self) -> Needs {
        let selectors = self.select.iter().chain(&self.exclude);
        selectors.fold(Needs::default(), |needs, selector| needs | selector.needs())
    }

    /// The same, compared with the past.
    #[must_use]
    pub fn against(mut self, past: &Arc<Past>) -> Self {
        self.past = Arc::clone(past);
        self
    }

    /// The nodes of the manifest that are chosen.
    pub fn resolve(&self, manifest: &Manifest, dag: &Dag) -> Selected {
        let mut selected = Selected::default();
        let nodes = if self.select.is_empty() {
            manifest.nodes.keys().cloned().collect()
        } else {
            self.union(
                &self.select,
                "--select",
                manifest,
                dag,
                &mut selected.warnings,
            )
        };
        let excluded = self.union(
            &self.exclude,
            "--exclude",
            manifest,
            dag,
            &mut selected.warnings,
        );
        selected.nodes = nodes.difference(&excluded).cloned().collect();
        // What no criterion takes along by itself may be taken by all of them together.
        if !self.select.is_empty() {
            let mut tests = self.indirect.tests(&selected.nodes, manifest, dag);
            tests.retain(|id| !excluded.contains(id));
            selected.nodes.extend(tests);
        }
        selected
    }

    fn union(
        &self,
        selectors: &[Selector],
        option: &str,
        manifest: &Manifest,
        dag: &Dag,
        warnings: &mut Vec<SelectionWarning>,
    ) -> BTreeSet<UniqueId> {
        let mut nodes = BTreeSet::new();
        for selector in selectors {
            for (part, criteria) in selector.union.iter().enumerate() {
                let mut of_part: Option<BTreeSet<UniqueId>> = None;
                for (place, criterion) in criteria.iter().enumerate() {
                    let found = expand(criterion, self.indirect, &self.past, manifest, dag);
                    // That nothing has changed is an answer, and no slip.
                    if found.is_empty() && !criterion.needs().any() {
                        warnings.push(no_match(
                            selector,
                            (part, place),
                            criterion,
                            option,
                            manifest,
                        ));
                    }
                    of_part = Some(match of_part {
                        None => found,
                        Some(so_far) => so_far.intersection(&found).cloned().collect(),
                    });
                }
                nodes.extend(of_part.unwrap_or_default());
            }
        }
        nodes
    }
}

/// What a criterion matches, and what its signs reach from there.
fn expand(
    criterion: &Criterion,
    indirect: Indirect,
    past: &Past,
    manifest: &Manifest,
    dag: &Dag,
) -> BTreeSet<UniqueId> {
    let matched: BTreeSet<UniqueId> = manifest
        .nodes
        .values()
        .filter(|node| criterion.matches(node, manifest, past))
        .map(|node| node.unique_id.clone())
        .collect();
    let mut all = matched.clone();
    if criterion.at {
        all.extend(dag.reach(&matched, Direction::Outgoing, None));
        let needed = dag.reach(&all, Direction::Incoming, None);
        all.extend(needed);
    }
    if let Some(depth) = criterion.parents {
        all.extend(dag.reach(&matched, Direction::Incoming, depth));
    }
    if let Some(depth) = criterion.children {
        all.extend(dag.reach(&matched, Direction::Outgoing, depth));
    }
    let tests = indirect.tests(&all, manifest, dag);
    all.extend(tests);
    all
}

fn no_match(
    selector: &Selector,
    (part, place): (usize, usize),
    criterion: &Criterion,
    option: &str,
    manifest: &Manifest,
) -> SelectionWarning {
    let (file, at) = selector.place(part, place);
    let text = file.text()[at.offset()..at.offset() + at.len()].to_owned();
    let candidates: BTreeSet<String> = manifest
        .nodes
        .values()
        .flat_map(|node| candidates(&criterion.method, node))
        .collect();
    let near = nearest(&criterion.value, candidates.iter().map(String::as_str));
    let help = match near {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if candidates.is_empty() || candidates.len() > 12 => None,
        None => Some(format!(
            "there are: {}",
            candidates.into_iter().collect::<Vec<_>>().join(", ")
        )),
    };
    SelectionWarning {
        text,
        option: option.to_owned(),
        help,
        file,
        at,
    }
}

/// The values of a node that a method could have matched.
fn candidates(method: &Method, node: &Node) -> Vec<String> {
    let path = &node.original_file_path;
    match method {
        Method::Fqn if node.resource_type == ResourceType::Model => vec![node.name.clone()],
        Method::Exposure if node.resource_type == ResourceType::Exposure => vec![node.name.clone()],
        Method::Fqn | Method::ResourceType => Vec::new(),
        Method::Tag => node.tags.iter().cloned().collect(),
        Method::Path => path
            .ancestors()
            .map(|path| path.display().to_string())
            .filter(|path| !path.is_empty())
            .collect(),
        Method::File => path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .into_iter()
            .collect(),
        Method::Source => match &node.source_name {
            Some(source) => vec![source.clone(), format!("{source}.{}", node.name)],
            None => Vec::new(),
        },
        Method::Package => vec![node.package_name.clone()],
        Method::Config(keys) if keys == &["materialized"] => vec![node.materialized.clone()],
        Method::UnitTest if node.resource_type == ResourceType::UnitTest => {
            vec![node.name.clone()]
        }
        Method::Config(_)
        | Method::UnitTest
        | Method::TestType
        | Method::TestName
        | Method::Group
        | Method::Version
        | Method::Exposure
        | Method::Access
        | Method::State
        | Method::Result
        | Method::SourceStatus => Vec::new(),
    }
}
