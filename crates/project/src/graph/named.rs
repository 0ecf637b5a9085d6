//! `selectors.yml`: selections with names, for `--selector`. dbt's grammar: a definition is a text as for `--select`, a
//! mapping of a method and its value, or a `union` or `intersection` of definitions, each with an `exclude`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;
use miette::{Diagnostic, SourceSpan};
use thiserror::Error;

use super::dag::Dag;
use super::indirect::Indirect;
use super::selection::Selection;
use super::selector::{Selector, SelectorError};
use crate::manifest::{Manifest, UniqueId};
use crate::state::{Needs, Past};
use crate::yaml::{Kind, SourceFile, Yaml, YamlError, nearest, parse, scalar_text};

/// The file's name.
const FILE: &str = "selectors.yml";

/// How deep selectors may name selectors.
const DEEPEST: usize = 32;

/// All selectors of a project.
#[derive(Debug, Clone, Default)]
pub struct NamedSelectors {
    selectors: IndexMap<String, Named>,
    past: Arc<Past>,
    indirect: Indirect,
}

#[derive(Debug, Clone)]
struct Named {
    description: String,
    default: bool,
    definition: Definition,
}

#[derive(Debug, Clone)]
enum Definition {
    /// A criterion, and its own `indirect_selection`.
    Words(Box<Selector>, Option<Indirect>),
    Named(String),
    /// Whether all must hold, the parts, and what is left out.
    Set(bool, Vec<Definition>, Vec<Definition>),
}

/// A selector that cannot be used.
#[derive(Debug, Error, Diagnostic)]
pub enum NamedError {
    /// A criterion that is none.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Criterion(#[from] SelectorError),
    /// Something that is no YAML or no definition.
    #[error("selectors.yml: {problem}")]
    #[diagnostic(
        code(rwt::select::definition),
        help(
            "a definition is a text, `method:` and `value:`, `union: […]` or `intersection: […]`"
        )
    )]
    Definition {
        /// What is wrong.
        problem: String,
        /// The file.
        #[source_code]
        file: Arc<SourceFile>,
        /// The place.
        #[label("here")]
        at: SourceSpan,
    },
    /// There is no selector of this name.
    #[error("there is no selector `{name}` in selectors.yml")]
    #[diagnostic(code(rwt::select::unknown_selector))]
    Unknown {
        /// The name.
        name: String,
        /// Those that there are.
        #[help]
        help: String,
    },
    /// Selectors that name each other.
    #[error("the selector `{0}` leads back to itself")]
    #[diagnostic(code(rwt::select::selector_cycle))]
    Cycle(String),
}

impl NamedSelectors {
    /// Reads the project's `selectors.yml`; without one there are none.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn load(root: &Path) -> Result<Self, Vec<NamedError>> {
        let Ok(text) = std::fs::read_to_string(root.join(FILE)) else {
            return Ok(Self::default());
        };
        let file = SourceFile::new(FILE, text);
        let yaml = parse(&file).map_err(|errors| {
            errors
                .iter()
                .map(|error| unreadable(error, &file))
                .collect::<Vec<_>>()
        })?;
        let mut selectors = IndexMap::new();
        let items = match yaml.get("selectors").map(|list| &list.kind) {
            Some(Kind::List(items)) => items.as_slice(),
            None | Some(Kind::Null) => &[],
            Some(_) => return Err(vec![wrong("`selectors` is no list", &yaml)]),
        };
        let mut errors = Vec::new();
        for item in items {
            match named(item) {
                Ok((name, selector)) => {
                    selectors.insert(name, selector);
                }
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            Ok(Self {
                selectors,
                past: Arc::default(),
                indirect: Indirect::default(),
            })
        } else {
            Err(errors)
        }
    }

    /// The same, compared with the past.
    #[must_use]
    pub fn against(mut self, past: &Arc<Past>) -> Self {
        self.past = Arc::clone(past);
        self
    }

    /// What must be known of the past to tell what a selector chooses.
    pub fn needs(&self, name: &str) -> Needs {
        let mut seen = BTreeSet::new();
        let mut open = vec![name];
        let mut needs = Needs::default();
        while let Some(name) = open.pop() {
            if seen.insert(name)
                && let Some(selector) = self.selectors.get(name)
            {
                needs = needs | selector.definition.needs(&mut open);
            }
        }
        needs
    }

    /// The same with another rule for the tests of what is chosen, where a definition has none of its own.
    #[must_use]
    pub fn indirect(mut self, indirect: Indirect) -> Self {
        self.indirect = indirect;
        self
    }

    /// The selector that holds where nothing is selected.
    pub fn default_name(&self) -> Option<&str> {
        let mut all = self.selectors.iter();
        all.find(|(_, selector)| selector.default)
            .map(|(name, _)| name.as_str())
    }

    /// Name and description of each.
    pub fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.selectors
            .iter()
            .map(|(name, selector)| (name.as_str(), selector.description.as_str()))
    }

    /// What a selector chooses.
    ///
    /// # Errors
    /// No such selector.
    pub fn resolve(
        &self,
        name: &str,
        manifest: &Manifest,
        dag: &Dag,
    ) -> Result<BTreeSet<UniqueId>, NamedError> {
        self.named(name, manifest, dag, 0)
    }

    fn named(
        &self,
        name: &str,
        manifest: &Manifest,
        dag: &Dag,
        depth: usize,
    ) -> Result<BTreeSet<UniqueId>, NamedError> {
        if depth > DEEPEST {
            return Err(NamedError::Cycle(name.to_owned()));
        }
        let selector = self.selectors.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.selectors.keys().map(String::as_str).collect();
            NamedError::Unknown {
                name: name.to_owned(),
                help: match nearest(name, names.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if names.is_empty() => "there are none".to_owned(),
                    None => format!("there are: {}", names.join(", ")),
                },
            }
        })?;
        self.chosen(&selector.definition, manifest, dag, depth)
    }

    fn chosen(
        &self,
        definition: &Definition,
        manifest: &Manifest,
        dag: &Dag,
        depth: usize,
    ) -> Result<BTreeSet<UniqueId>, NamedError> {
        match definition {
            Definition::Words(selector, indirect) => {
                let selection = Selection::of(selector)
                    .indirect(indirect.unwrap_or(self.indirect))
                    .against(&self.past);
                Ok(selection.resolve(manifest, dag).nodes)
            }
            Definition::Named(name) => self.named(name, manifest, dag, depth + 1),
            Definition::Set(all, parts, exclude) => {
                let mut chosen: Option<BTreeSet<UniqueId>> = None;
                for part in parts {
                    let found = self.chosen(part, manifest, dag, depth)?;
                    chosen = Some(match chosen {
                        None => found,
                        Some(so_far) if *all => so_far.intersection(&found).cloned().collect(),
                        Some(so_far) => so_far.union(&found).cloned().collect(),
                    });
                }
                let mut chosen = chosen.unwrap_or_default();
                for part in exclude {
                    let left_out = self.chosen(part, manifest, dag, depth)?;
                    chosen.retain(|id| !left_out.contains(id));
                }
                Ok(chosen)
            }
        }
    }
}

impl Definition {
    /// What must be known of the past; selectors that it names are added to `open`.
    fn needs<'a>(&'a self, open: &mut Vec<&'a str>) -> Needs {
        match self {
            Self::Words(selector, _) => selector.needs(),
            Self::Named(name) => {
                open.push(name);
                Needs::default()
            }
            Self::Set(_, parts, exclude) => {
                let all = parts.iter().chain(exclude);
                all.fold(Needs::default(), |needs, part| needs | part.needs(open))
            }
        }
    }
}

/// What keeps the file from being YAML, at its place.
fn unreadable(error: &YamlError, file: &Arc<SourceFile>) -> NamedError {
    let label = error.labels().and_then(|mut labels| labels.next());
    NamedError::Definition {
        problem: error.to_string(),
        file: Arc::clone(file),
        at: label.map_or_else(|| (0, 0).into(), |label| *label.inner()),
    }
}

fn wrong(problem: impl Into<String>, yaml: &Yaml) -> NamedError {
    NamedError::Definition {
        problem: problem.into(),
        file: Arc::clone(yaml.at.file()),
        at: yaml.at.span(),
    }
}

fn named(item: &Yaml) -> Result<(String, Named), NamedError> {
    let text = |key: &str| item.get(key).and_then(scalar_text);
    let name = text("name").ok_or_else(|| wrong("a selector has no name", item))?;
    let definition = item
        .get("definition")
        .ok_or_else(|| wrong(format!("the selector `{name}` has no definition"), item))?;
    let selector = Named {
        description: text("description").unwrap_or_default(),
        default: text("default").is_some_and(|text| text.eq_ignore_ascii_case("true")),
        definition: self::definition(definition)?,
    };
    Ok((name, selector))
}

fn definition(yaml: &Yaml) -> Result<Definition, NamedError> {
    let map = match &yaml.kind {
        Kind::Text(text) => return words(text),
        // A list is a union, as dbt takes it.
        Kind::List(items) => return set(false, items),
        Kind::Map(map) => map,
        _ => return Err(wrong("this is no definition", yaml)),
    };
    for (key, all) in [("union", false), ("intersection", true)] {
        if let Some(entry) = map.get(key) {
            return match &entry.value.kind {
                Kind::List(items) => set(all, items),
                _ => Err(wrong(format!("`{key}` is no list"), &entry.value)),
            };
        }
    }
    let text = |key: &str| map.get(key).and_then(|entry| scalar_text(&entry.value));
    let (Some(method), Some(value)) = (text("method"), text("value")) else {
        // `tag: nightly`
        return match map.first() {
            Some((key, entry)) if map.len() == 1 => match scalar_text(&entry.value) {
                Some(value) => words(&format!("{key}:{value}")),
                None => Err(wrong("a method has one value", &entry.value)),
            },
            _ => Err(wrong("this is no definition", yaml)),
        };
    };
    if method == "selector" {
        return Ok(Definition::Named(value));
    }
    if value.contains([' ', ',']) {
        return Err(wrong(
            "a value with a blank or a comma cannot be selected",
            yaml,
        ));
    }
    let is = |key: &str| text(key).is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let depth = |key: &str| text(key).unwrap_or_default();
    let mut criterion = String::new();
    if is("childrens_parents") {
        criterion.push('@');
    }
    if is("parents") {
        criterion.push_str(&format!("{}+", depth("parents_depth")));
    }
    criterion.push_str(&format!("{method}:{value}"));
    if is("children") {
        criterion.push_str(&format!("+{}", depth("children_depth")));
    }
    let indirect = match text("indirect_selection") {
        None => None,
        Some(word) => Some(Indirect::parse(&word).ok_or_else(|| {
            let words = Indirect::WORDS.join(", ");
            wrong(format!("`indirect_selection` is one of {words}"), yaml)
        })?),
    };
    let chosen = Definition::Words(Box::new(Selector::parse(FILE, &criterion)?), indirect);
    match map.get("exclude").map(|entry| &entry.value.kind) {
        Some(Kind::List(items)) => {
            let exclude = items.iter().map(definition).collect::<Result<_, _>>()?;
            Ok(Definition::Set(false, vec![chosen], exclude))
        }
        _ => Ok(chosen),
    }
}

fn words(text: &str) -> Result<Definition, NamedError> {
    Ok(Definition::Words(
        Box::new(Selector::parse(FILE, text)?),
        None,
    ))
}

/// The parts of a union or intersection; `exclude:` among them is what is left out of it.
fn set(all: bool, items: &[Yaml]) -> Result<Definition, NamedError> {
    let mut parts = Vec::new();
    let mut exclude = Vec::new();
    for item in items {
        match item.get("exclude") {
            Some(list) if item.as_map().is_some_and(|map| map.len() == 1) => match &list.kind {
                Kind::List(items) => {
                    for item in items {
                        exclude.push(definition(item)?);
                    }
                }
                _ => return Err(wrong("`exclude` is no list", list)),
            },
            _ => parts.push(definition(item)?),
        }
    }
    Ok(Definition::Set(all, parts, exclude))
}
