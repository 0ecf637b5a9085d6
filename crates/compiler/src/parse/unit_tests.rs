//! Unit tests as nodes. Ids and paths are dbt's (dbt-core 1.12, `parser/unit_tests.py`); a unit test hangs on the model that
//! it tests, and on nothing else.

use std::path::PathBuf;

use indexmap::IndexMap;
use rwt_project::manifest::{Declared, Node, Reference, ResourceType, UniqueId};
use rwt_project::project::{Input, UnitTest};
use rwt_project::yaml::{Location, nearest};

use super::{Parsed, Parser};
use crate::error::{CompileError, NodeName};
use crate::jinja::{Captured, TemplateError};

impl Parser<'_> {
    /// The project's unit tests, each once for every version of its model that it takes.
    pub(super) fn unit_tests(&self) -> Vec<(&UnitTest, Option<String>)> {
        let tests = self.project.properties.unit_tests.iter();
        tests
            .flat_map(|test| match self.names.versions.get(&test.model) {
                None => vec![(test, None)],
                Some(versions) => {
                    let taken = versions
                        .iter()
                        .filter(|version| test.versions.takes(version));
                    taken.map(|version| (test, Some(version.clone()))).collect()
                }
            })
            .collect()
    }

    /// A unit test of a property file, of a version of its model where that has several.
    pub(super) fn unit_test(
        &self,
        test: &UnitTest,
        version: Option<&String>,
    ) -> Result<Parsed, CompileError> {
        let versioned = match version {
            Some(version) => format!("{}_v{version}", test.name),
            None => test.name.clone(),
        };
        let (package, inner) = self.project.package_of(&test.file);
        let mut fqn = vec![package.to_owned()];
        let folders = inner.parent().into_iter().flat_map(|folder| folder.iter());
        fqn.extend(
            folders
                .skip(1)
                .map(|part| part.to_string_lossy().into_owned()),
        );
        fqn.extend([test.model.clone(), versioned.clone()]);
        let id = UniqueId(format!("unit_test.{package}.{}.{versioned}", test.model));
        let name = NodeName {
            unique_id: &id,
            name: &test.name,
            original_file_path: &test.file,
        };
        let failed = |error: TemplateError| CompileError::template(error, Some(name));
        self.check(test).map_err(failed)?;
        let config = self.project.resolve_unit_test_config(&fqn, &test.config);
        let said = (test.config.iter())
            .map(|(key, (value, _))| (key.clone(), value.clone()))
            .collect();
        let mut captured = Captured::default();
        captured.refs.insert(Reference {
            package: None,
            name: test.model.clone(),
            version: version.cloned(),
        });
        Ok(Parsed {
            node: Node {
                unique_id: id.clone(),
                resource_type: ResourceType::UnitTest,
                name: versioned.clone(),
                source_name: None,
                package_name: package.to_owned(),
                fqn,
                original_file_path: test.file.clone(),
                path: inner
                    .file_name()
                    .map_or_else(|| inner.to_path_buf(), PathBuf::from),
                database: self.shared.default_database.clone(),
                schema: self.shared.default_schema.clone(),
                identifier: versioned,
                materialized: "unit".to_owned(),
                enabled: config.enabled(),
                tags: config.tags(),
                config: config.values,
                description: test.description.clone(),
                columns: IndexMap::new(),
                raw_code: String::new(),
                depends_on: Vec::new(),
                version: None,
                property_file: None,
                declared: Declared {
                    config: said,
                    ..Declared::default()
                },
            },
            captured,
            warnings: Vec::new(),
        })
    }

    /// Whether the model and the inputs exist.
    fn check(&self, test: &UnitTest) -> Result<(), TemplateError> {
        let models = || self.project.models.iter().map(|model| model.name.as_str());
        if !models().any(|model| model == test.model) {
            return Err(unknown(
                format!(
                    "the unit test `{}` is of a model `{}`, which does not exist",
                    test.name, test.model
                ),
                nearest(&test.model, models()).map(|near| format!("did you mean `{near}`?")),
                "`model` takes the name of a model's file without .sql",
                &test.model_at,
            ));
        }
        for given in &test.given {
            match &given.input {
                Input::This => {}
                Input::Ref { name, .. } if self.names.models.contains(name) => {}
                Input::Ref { name, .. } => {
                    let names = self.names.models.iter().map(String::as_str);
                    return Err(unknown(
                        format!(
                            "the unit test `{}` gives rows of `{name}`, which does not exist",
                            test.name
                        ),
                        nearest(name, names).map(|near| format!("did you mean ref('{near}')?")),
                        "an input is a model, a seed or a source of the project",
                        &given.at,
                    ));
                }
                Input::Source(source, table) => {
                    let key = (source.clone(), table.clone());
                    if self.names.sources.contains(&key) {
                        continue;
                    }
                    let full: Vec<String> = self
                        .names
                        .sources
                        .iter()
                        .map(|(source, table)| format!("{source}.{table}"))
                        .collect();
                    let near = nearest(
                        &format!("{source}.{table}"),
                        full.iter().map(String::as_str),
                    );
                    let help = near
                        .and_then(|near| near.split_once('.'))
                        .map(|(source, table)| {
                            format!("did you mean source('{source}', '{table}')?")
                        });
                    return Err(unknown(
                        format!(
                            "the unit test `{}` gives rows of the source `{source}.{table}`, which is not declared",
                            test.name
                        ),
                        help,
                        "sources are declared under `sources:` of a property file",
                        &given.at,
                    ));
                }
            }
        }
        Ok(())
    }
}

fn unknown(message: String, near: Option<String>, otherwise: &str, at: &Location) -> TemplateError {
    let help = near.unwrap_or_else(|| otherwise.to_owned());
    TemplateError::at(
        "rwt::test::unknown_input",
        message,
        Some(help),
        at.file(),
        at.range(),
    )
}
