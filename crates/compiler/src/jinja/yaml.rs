//! Jinja in the values of YAML files: `env_var`, `var`, `target` and conversions, without macros.

use std::collections::HashMap;
use std::sync::Arc;

use minijinja::{Error, Value};
use rwt_project::environment::Environment;
use rwt_project::yaml::{Location, RenderFailure, Scope as YamlScope};
use serde_json::Value as Json;

use super::collections::{from_json, to_json};
use super::environment::{Jinja, KEEP};
use super::error::{TemplateError, raise};
use super::macros::MacroTable;
use super::scope::{Phase, Quiet, Resolve, Scope, Shared};

/// Renders values for [`rwt_project`].
#[derive(Debug)]
pub struct YamlRenderer {
    jinja: Jinja,
}

/// The name that errors would show; the project's loader puts the value's own place there.
const NAME: &str = "value";

impl YamlRenderer {
    /// A renderer with nothing in it.
    pub fn new() -> Self {
        Self {
            jinja: Jinja::default(),
        }
    }

    /// The value of a text: of its expression, if it is one, else the rendered text.
    ///
    /// # Errors
    /// Whatever the text does wrong, in its own bytes.
    pub fn render(
        &self,
        text: &str,
        _at: &Location,
        scope: &YamlScope<'_>,
        environment: &Environment,
    ) -> Result<Json, RenderFailure> {
        let scope = jinja_scope(scope, environment);
        let (rendered, shift) = match single_expression(text) {
            Some(expression) => {
                let value = self.jinja.evaluate(NAME, expression, scope);
                let json = value.and_then(|value| {
                    // As in dbt, a value is text unless it is a boolean or a filter says that it is not.
                    if !value.is_undefined()
                        && value.kind() != minijinja::value::ValueKind::Bool
                        && !is_native(expression)
                    {
                        return Ok(Json::from(value.to_string()));
                    }
                    to_json(&value).map_err(|error| TemplateError {
                        code: "rwt::jinja::error",
                        message: error.to_string(),
                        help: None,
                        places: Vec::new(),
                        database: None,
                    })
                });
                // The renderer saw the expression behind words of its own.
                let before = text.find(expression).unwrap_or(0) as i64 - KEEP.len() as i64;
                (json, before)
            }
            None => {
                let text = self.jinja.render_text(NAME, text, &Arc::new(scope));
                (text.map(Json::from), 0)
            }
        };
        rendered.map_err(|error| RenderFailure {
            range: error.places.last().and_then(|place| {
                let range = place.at.range();
                let start = usize::try_from(range.start as i64 + shift).ok()?;
                let end = usize::try_from(range.end as i64 + shift).ok()?;
                (start < end && end <= text.len()).then_some(start..end)
            }),
            message: error.message,
            help: error.help,
            code: Some(error.code.to_owned()),
        })
    }
}

impl Default for YamlRenderer {
    fn default() -> Self {
        Self::new()
    }
}

/// The inside of `{{ … }}`, if that is the whole text.
fn single_expression(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.strip_prefix('-').unwrap_or(inner);
    let inner = inner.strip_suffix('-').unwrap_or(inner);
    (!inner.contains("{{") && !inner.contains("}}")).then_some(inner.trim())
}

/// Whether an expression asks for a value that is no text.
fn is_native(expression: &str) -> bool {
    ["as_number", "as_native", "as_bool"]
        .iter()
        .any(|filter| expression.contains(filter))
}

fn jinja_scope(scope: &YamlScope<'_>, environment: &Environment) -> Scope {
    let target = scope
        .target
        .map_or_else(|| Value::from(()), |target| from_json(&target.to_value()));
    let shared = Shared {
        project_name: String::new(),
        macros: Arc::new(MacroTable::default()),
        target,
        default_database: String::new(),
        default_schema: String::new(),
        vars: scope.vars.clone(),
        cli_vars: Default::default(),
        package_vars: HashMap::new(),
        project_flags: Default::default(),
        full_refresh: false,
        store_failures: false,
        event_time: None,
        empty: false,
        sample: None,
        command: String::new(),
        invocation_id: String::new(),
        started_at: chrono::Utc::now(),
        docs: HashMap::new(),
        environment: environment.clone(),
        reporter: Arc::new(Quiet),
        selected: Arc::default(),
        warned: Default::default(),
    };
    Scope::new(Arc::new(shared), Phase::Parse, Arc::new(NoNodes))
}

/// `ref` and `source` mean nothing in a YAML value.
struct NoNodes;

impl Resolve for NoNodes {
    fn reference(&self, _: &rwt_project::manifest::Reference) -> Result<Value, Error> {
        Err(raise("rwt::jinja::ref", "ref() has no meaning here", None))
    }

    fn source(&self, _: &str, _: &str) -> Result<Value, Error> {
        Err(raise(
            "rwt::jinja::source",
            "source() has no meaning here",
            None,
        ))
    }

    fn graph(&self) -> Value {
        Value::from(())
    }
}
