//! Exposures as nodes: what their `depends_on` names, which is Jinja without its braces.

use std::collections::BTreeMap;
use std::sync::Arc;

use rwt_project::manifest::{Node, UniqueId};
use rwt_project::yaml::Location;

use super::Parser;
use crate::error::CompileError;
use crate::jinja::{Captured, Phase, Scope, TemplateError};

type Known<K> = BTreeMap<K, (UniqueId, bool)>;

impl Parser<'_> {
    /// The enabled exposures, with what they read; the others are added to `disabled`.
    pub(super) fn exposures(
        &self,
        models: &Known<String>,
        sources: &Known<(String, String)>,
        disabled: &mut Vec<Node>,
        errors: &mut Vec<CompileError>,
    ) -> Vec<Node> {
        let mut nodes = Vec::new();
        let declared = self.project.properties.exposures.values();
        for (exposure, mut node) in declared.zip(self.project.exposure_nodes()) {
            if !node.enabled {
                disabled.push(node);
                continue;
            }
            let scope = self.bare_scope();
            match self.described(&node.description, &scope) {
                Ok(description) => node.description = description,
                Err(error) => errors.push(at(error, &exposure.at)),
            }
            for (text, place) in &exposure.depends_on {
                match self.named(text, models, sources) {
                    Ok((found, captured)) => {
                        node.depends_on.extend(found);
                        node.declared.refs.extend(captured.refs);
                        node.declared.sources.extend(captured.sources);
                    }
                    Err(error) => errors.push(at(error, place)),
                }
            }
            node.depends_on.sort();
            node.depends_on.dedup();
            nodes.push(node);
        }
        nodes
    }

    fn bare_scope(&self) -> Arc<Scope> {
        let scope = Scope::new(Arc::clone(&self.shared), Phase::Parse, self.names.clone());
        Arc::new(scope)
    }

    /// The nodes that one line of `depends_on` names. A metric is none that rwt knows.
    fn named(
        &self,
        text: &str,
        models: &Known<String>,
        sources: &Known<(String, String)>,
    ) -> Result<(Vec<UniqueId>, Captured), TemplateError> {
        if text.trim_start().starts_with("metric") {
            return Ok((Vec::new(), Captured::default()));
        }
        let scope = self.bare_scope();
        self.jinja
            .render_text("depends_on", &format!("{{{{ {text} }}}}"), &scope)?;
        let captured = scope.captured();
        let models = captured
            .refs
            .iter()
            .filter_map(|reference| models.get(&reference.key()));
        let tables = captured.sources.iter().filter_map(|key| sources.get(key));
        let found = models.chain(tables).filter(|(_, enabled)| *enabled);
        let found: Vec<UniqueId> = found.map(|(id, _)| id.clone()).collect();
        if captured.refs.is_empty() && captured.sources.is_empty() {
            let file = rwt_project::yaml::SourceFile::new("depends_on", text);
            return Err(TemplateError::at(
                "rwt::project::depends_on",
                format!("an exposure cannot depend on `{text}`"),
                Some("write ref('model') or source('source', 'table'), without braces".to_owned()),
                &file,
                0..text.len(),
            ));
        }
        Ok((found, captured.clone()))
    }
}

/// The error, pointing into the property file.
fn at(error: TemplateError, place: &Location) -> CompileError {
    let mut located = TemplateError::at(
        error.code,
        error.message,
        error.help,
        place.file(),
        place.range(),
    );
    located.database = error.database;
    CompileError::template(located, None)
}
