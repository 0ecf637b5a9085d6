//! What somebody asks for on the command line and no node is: a macro that is called by name, a query that is shown.

use std::sync::Arc;

use minijinja::Value;
use minijinja::value::Kwargs;
use rwt_project::yaml::nearest;
use serde_json::{Map, Value as Json};

use super::Compiler;
use super::build::read_keys;
use crate::compile::Body;
use crate::error::CompileError;
use crate::jinja::{LineMap, MacroDefinition, Phase, from_json};
use crate::materialize::{Session, lend};

impl Compiler {
    /// Calls a macro, `name` or `package.name`, through a session.
    ///
    /// # Errors
    /// No such macro, what it does wrong, or what the database refused.
    pub fn run_operation(
        &self,
        name: &str,
        args: &Map<String, Json>,
        session: &mut dyn Session,
    ) -> Result<(), CompileError> {
        let definition = self.named_macro(name)?;
        let args: Kwargs = args
            .iter()
            .map(|(key, value)| (key.as_str(), from_json(value)))
            .collect();
        lend(session, |session| {
            let mut scope = self.scope(Phase::Materialize);
            scope.session = Some(session);
            let called = self.jinja.call(definition, &[Value::from(args)], scope);
            // The scope holds the session, which goes back to its owner now.
            called
                .map(drop)
                .map_err(|error| CompileError::template(error, None))
        })?
    }

    /// Renders a query that no file holds, ephemeral models in front, as dbt's `--inline` does.
    ///
    /// # Errors
    /// What its template does wrong, or what the database refused.
    pub fn inline(&self, text: &str, session: &mut dyn Session) -> Result<String, CompileError> {
        lend(session, |session| {
            let mut scope = self.scope(Phase::Compile);
            scope.session = Some(Arc::clone(&session));
            let scope = Arc::new(scope);
            let rendered = self.jinja.render_text("--inline", text, &scope);
            let rendered = rendered.map_err(|error| CompileError::template(error, None))?;
            let mut body = Body::new(rendered, LineMap::default());
            body.add_ctes(&self.ctes(&read_keys(&scope), &session)?);
            Ok(body.into_compiled_code())
        })?
    }

    pub(super) fn named_macro(&self, name: &str) -> Result<&Arc<MacroDefinition>, CompileError> {
        let macros = self.jinja.macros();
        let found = match name.split_once('.') {
            Some((package, name)) => macros.find_in(package, name),
            // Who types a name means any package's.
            None => macros.find(name).or_else(|| macros.find_in_any(name)),
        };
        found.ok_or_else(|| CompileError::UnknownMacro {
            name: name.to_owned(),
            help: match nearest(name, macros.names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "a macro of a package is named with it: `package.macro`".to_owned(),
            },
        })
    }
}
