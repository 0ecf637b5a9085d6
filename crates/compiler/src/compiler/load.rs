//! A project's templates and what its renderings share.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use rwt_project::Project;
use rwt_project::yaml::SourceFile;

use super::Flags;
use crate::error::CompileError;
use crate::jinja::{Jinja, Shared, from_json};
use crate::materialize::{BUILT_IN, BUILT_IN_MACROS};
use crate::parse::{generic_template, generic_text, model_name, template_name};

/// Reads all macros and models; names of models that cannot be read come back with their errors.
pub(super) fn templates(
    project: &Project,
    errors: &mut Vec<CompileError>,
) -> (Jinja, BTreeSet<String>) {
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
    let mut unreadable = BTreeSet::new();
    for model in &project.models {
        let name = template_name(model);
        if let Err(error) = jinja.add_template(&name, &model.file) {
            errors.push(CompileError::template(
                error,
                Some(model_name(&model.unique_id(), model)),
            ));
            unreadable.insert(name);
        }
    }
    let files = project.tests.iter().chain(&project.functions);
    let files = files.map(|file| {
        (
            file.original_file_path.display().to_string(),
            Arc::clone(&file.file),
        )
    });
    let generic = project.properties.generic_tests.iter();
    let generic = generic.map(|test| (generic_template(test), generic_text(test)));
    for (name, file) in files.chain(generic) {
        if let Err(error) = jinja.add_template(&name, &file) {
            errors.push(CompileError::template(error, None));
        }
    }
    (jinja, unreadable)
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
        full_refresh: flags.full_refresh,
        store_failures: flags.store_failures,
        command: flags.command,
        invocation_id: flags
            .invocation_id
            .unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
        started_at: chrono::Utc::now(),
        docs: docs(project),
        environment: project.environment.clone(),
        reporter: flags.reporter,
    }
}

/// The docs blocks of the project's `.md` files: `{% docs name %} text {% enddocs %}`.
fn docs(project: &Project) -> HashMap<String, String> {
    let mut found = HashMap::new();
    for file in &project.docs {
        let blocks = docs_blocks(file.text()).into_iter();
        found.extend(blocks.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }
    found
}

/// Name and text of each docs block of a file.
pub(crate) fn docs_blocks(text: &str) -> Vec<(&str, &str)> {
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
            found.push((name, body[..end].trim()));
            rest = &body[end..];
        }
    }
    found
}
