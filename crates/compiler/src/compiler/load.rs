//! A project's templates and what its renderings share.

use std::collections::BTreeSet;
use std::sync::Arc;

use rwt_project::Project;
use rwt_project::yaml::SourceFile;

use super::Flags;
use crate::error::CompileError;
use crate::jinja::{Jinja, Shared, from_json};
use crate::materialize::{BUILT_IN, BUILT_IN_MACROS};
use crate::parse::{model_name, template_name};

/// Reads all macros and models; names of models that cannot be read come back with their errors.
pub(super) fn templates(
    project: &Project,
    errors: &mut Vec<CompileError>,
) -> (Jinja, BTreeSet<String>) {
    let mut jinja = Jinja::default();
    for file in &project.macros {
        let name = file.original_file_path.display().to_string();
        if let Err(found) = jinja.add_macros(project.name(), &name, &file.file) {
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
        full_refresh: flags.full_refresh,
        command: flags.command,
        invocation_id: uuid::Uuid::new_v4().to_string(),
        started_at: chrono::Utc::now(),
        environment: project.environment.clone(),
        reporter: flags.reporter,
    }
}
