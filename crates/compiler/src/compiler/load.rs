//! A project's templates and what its renderings share.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use rwt_project::Project;
use rwt_project::manifest::ResourceType;
use rwt_project::yaml::SourceFile;

use super::Flags;
use crate::error::CompileError;
use crate::jinja::{Jinja, Shared, TemplateText, from_json};
use crate::materialize::{BUILT_IN, BUILT_IN_MACROS};
use crate::parse::{
    file_template, generic_text, has_constants, in_parallel, model_name, template_name,
};

/// A project's macros and texts.
#[derive(Default)]
pub(super) struct Templates {
    pub jinja: Jinja,
    /// The models that cannot be read.
    pub unreadable: BTreeSet<String>,
    /// The texts of generic tests.
    pub tests: HashSet<String>,
}

/// Reads all macros and models; what cannot be read has its error.
pub(super) fn templates(project: &Project, errors: &mut Vec<CompileError>) -> Templates {
    let mut jinja = Jinja::default();
    let order = project.file.dispatch.iter();
    jinja.set_root(
        project.name(),
        order.map(|rule| (rule.macro_namespace.clone(), rule.search_order.clone())),
    );
    for file in &project.macros {
        let name = file.original_file_path.display().to_string();
        if let Err(found) = jinja.add_macros(&file.package, &name, &file.file) {
            errors.extend(
                found
                    .into_iter()
                    .map(|error| CompileError::template(error, None)),
            );
        }
    }
    for (name, text) in BUILT_IN_MACROS {
        if let Err(found) = jinja.add_macros(BUILT_IN, name, &SourceFile::new(name, text)) {
            errors.extend(
                found
                    .into_iter()
                    .map(|error| CompileError::template(error, None)),
            );
        }
    }
    let written = |name: String, file: &Arc<SourceFile>| TemplateText {
        name,
        file: Arc::clone(file),
        written_at: None,
    };
    let models = project.models.iter();
    let mut texts: Vec<TemplateText> = models
        .map(|model| written(template_name(model), &model.file))
        .collect();
    let files = project.tests.iter().chain(&project.functions);
    texts.extend(files.map(|file| {
        let name = file.original_file_path.display().to_string();
        written(name, &file.file)
    }));
    texts.extend(project.snapshots.iter().map(|file| {
        let name = file_template(file, ResourceType::Snapshot);
        written(name, &file.file)
    }));
    // Tests that say the same of one column are one text.
    let mut tests = HashSet::new();
    for test in &project.properties.generic_tests {
        let text = generic_text(test);
        if !tests.insert(text.name.clone()) {
            continue;
        }
        // What is made of constants can be read, and is when the test is compiled.
        if !has_constants(test) || jinja.keep(&text).is_err() {
            texts.push(text);
        }
    }
    let compiled = in_parallel(texts.len(), |index| jinja.compile(&texts[index]));
    let compiled = match compiled {
        Ok(compiled) => compiled,
        Err(error) => {
            errors.push(CompileError::from(error));
            return Templates::default();
        }
    };
    let mut unreadable = BTreeSet::new();
    for (index, (TemplateText { name, .. }, compiled)) in
        texts.into_iter().zip(compiled).enumerate()
    {
        let model = project.models.get(index);
        match (compiled, model) {
            (Ok(origin), _) => jinja.add_template(name, origin),
            (Err(error), Some(model)) => {
                let id = model.unique_id();
                errors.push(CompileError::template(error, Some(model_name(&id, model))));
                unreadable.insert(name);
            }
            (Err(error), None) => errors.push(CompileError::template(error, None)),
        }
    }
    Templates {
        jinja,
        unreadable,
        tests,
    }
}

pub(super) fn shared(project: &Project, flags: Flags, jinja: &Jinja) -> Shared {
    Shared {
        project_name: project.name().to_owned(),
        macros: Arc::clone(jinja.macros()),
        target: from_json(&project.target.to_value()),
        default_database: project.target.database.clone(),
        default_schema: project.target.schema.clone(),
        vars: project.vars.clone(),
        cli_vars: project.cli_vars.clone(),
        package_vars: project
            .packages
            .iter()
            .map(|package| (package.file.name.clone(), package.vars.clone()))
            .collect(),
        project_flags: project.file.flags.clone(),
        full_refresh: flags.full_refresh,
        store_failures: flags.store_failures,
        event_time: flags.event_time,
        empty: flags.empty,
        sample: flags.sample,
        command: flags.command,
        invocation_id: flags
            .invocation_id
            .unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
        started_at: chrono::Utc::now(),
        docs: docs(project),
        environment: project.environment.clone(),
        reporter: flags.reporter,
        selected: flags.selected,
        warned: Default::default(),
    }
}

/// The docs blocks of the project's `.md` files: `{% docs name %} text {% enddocs %}`.
fn docs(project: &Project) -> HashMap<String, String> {
    let mut found = HashMap::new();
    for file in &project.docs {
        let blocks = docs_blocks(file.text()).into_iter();
        found.extend(blocks.map(|(name, text)| (name.to_owned(), text)));
    }
    found
}

/// Name and text of each docs block of a file. Jinja in them is rendered, and nothing of the project is known to it.
pub(crate) fn docs_blocks(text: &str) -> Vec<(&str, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once("{%") {
        let Some((tag, body)) = behind.split_once("%}") else {
            break;
        };
        rest = body;
        let words = tag.trim_matches(|c: char| c.is_whitespace() || c == '-');
        let Some(name) = words.strip_prefix("docs ").map(str::trim) else {
            continue;
        };
        let end = body.match_indices("{%").find(|(at, _)| {
            let inside = body[at + 2..].trim_start_matches(|c: char| c.is_whitespace() || c == '-');
            inside.starts_with("enddocs")
        });
        if let Some((end, _)) = end {
            found.push((name, rendered(body[..end].trim())));
            rest = &body[end..];
        }
    }
    found
}

/// A text that cannot be rendered is a text.
fn rendered(text: &str) -> String {
    if !text.contains("{{") && !text.contains("{%") && !text.contains("{#") {
        return text.to_owned();
    }
    let rendered = minijinja::Environment::new().render_str(text, ());
    rendered.map_or_else(|_| text.to_owned(), |text| text.trim().to_owned())
}
