//! Where a model's relation is and what it is called: the project's `generate_…_name` macros, or dbt's rules.

use std::sync::Arc;

use minijinja::Value;

use super::Parser;
use crate::jinja::{MacroDefinition, Phase, Scope, TemplateError};
use crate::materialize::BUILT_IN;

/// Database, schema and name of a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    /// Database.
    pub database: String,
    /// Schema.
    pub schema: String,
    /// Name.
    pub identifier: String,
}

impl Parser<'_> {
    /// Names a model's relation. `node` is what the macros get as their second argument.
    pub(super) fn name(
        &self,
        custom: impl Fn(&str) -> Option<String>,
        name: &str,
        node: &dyn Fn() -> Value,
    ) -> Result<Naming, TemplateError> {
        let shared = &self.shared;
        let database = self.generate(
            "generate_database_name",
            custom("database"),
            node,
            |custom| custom.unwrap_or_else(|| shared.default_database.clone()),
        )?;
        let schema =
            self.generate(
                "generate_schema_name",
                custom("schema"),
                node,
                |custom| match custom {
                    Some(custom) => format!("{}_{}", shared.default_schema, custom.trim()),
                    None => shared.default_schema.clone(),
                },
            )?;
        let identifier = self.generate("generate_alias_name", custom("alias"), node, |custom| {
            custom.map_or_else(|| name.to_owned(), |custom| custom.trim().to_owned())
        })?;
        Ok(Naming {
            database,
            schema,
            identifier,
        })
    }

    fn generate(
        &self,
        name: &str,
        custom: Option<String>,
        node: &dyn Fn() -> Value,
        default: impl FnOnce(Option<String>) -> String,
    ) -> Result<String, TemplateError> {
        let macros = self.jinja.macros();
        let own = |found: &&Arc<MacroDefinition>| found.package != BUILT_IN;
        let found = macros.find(name).filter(own);
        // dbt's own macro dispatches, so that a project may write `default__generate_schema_name` as well.
        let found = found.or_else(|| macros.dispatch(name, Some("dbt")).filter(own));
        let Some(definition) = found else {
            return Ok(default(custom));
        };
        let custom = custom.map_or_else(|| Value::from(()), Value::from);
        let scope = Scope::new(Arc::clone(&self.shared), Phase::Parse, self.names.clone());
        let (value, _) = self.jinja.call(definition, &[custom, node()], scope)?;
        Ok(value.to_string().trim().to_owned())
    }
}
