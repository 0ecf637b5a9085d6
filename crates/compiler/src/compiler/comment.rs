//! The comment that dbt sends with every statement (`query-comment`), so that whoever looks at the database's logs sees
//! where a statement comes from. It is put on a statement at the last moment, so that nothing that is compiled, planned
//! or compared has it.

use std::sync::Arc;

use minijinja::Value;
use rwt_project::manifest::UniqueId;
use rwt_project::yaml::SourceFile;
use serde_json::Value as Json;

use super::Compiler;
use super::build::model_value;
use crate::DBT_VERSION;
use crate::error::CompileError;
use crate::jinja::{Phase, TemplateError};

/// A rendered comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryComment {
    text: String,
    append: bool,
}

impl QueryComment {
    /// The statement with the comment before it, or behind it where the project says so.
    pub fn on(&self, sql: &str) -> String {
        if !self.append {
            return format!("/* {} */\n{sql}", self.text);
        }
        let trimmed = sql.trim_end();
        let (body, end) = match trimmed.strip_suffix(';') {
            Some(body) => (body, ";"),
            None => (trimmed, ""),
        };
        format!("{body}\n/* {} */{end}", self.text)
    }

    /// Lines that stand before the statement's own first one.
    pub fn lines_before(&self) -> u32 {
        match self.append {
            true => 0,
            false => u32::try_from(self.text.matches('\n').count()).unwrap_or(0) + 1,
        }
    }
}

impl Compiler {
    /// The comment for a node's statements, or for those of no node; none where the project wants none.
    ///
    /// # Errors
    /// What the comment's template does wrong, or a comment that would end before its end.
    pub fn query_comment(
        &self,
        id: Option<&UniqueId>,
    ) -> Result<Option<QueryComment>, CompileError> {
        let (template, append) = match &self.project.file.query_comment {
            None => (None, false),
            Some(Json::String(text)) => (Some(text.clone()), false),
            Some(Json::Object(map)) => {
                let append = map.get("append").and_then(Json::as_bool).unwrap_or(false);
                match map.get("comment") {
                    None => (None, append),
                    Some(Json::String(text)) => (Some(text.clone()), append),
                    Some(_) => (Some(String::new()), append),
                }
            }
            Some(_) => return Ok(None),
        };
        let text = match template {
            None => self.default_comment(id),
            Some(template) => self.own_comment(&template, id)?,
        };
        Ok((!text.is_empty()).then_some(QueryComment { text, append }))
    }

    fn default_comment(&self, id: Option<&UniqueId>) -> String {
        let text = |text: &str| Json::from(text).to_string();
        let target = &self.project.target;
        let (key, value) = match id {
            Some(id) => ("node_id", id.0.as_str()),
            None => ("connection_name", "master"),
        };
        let comment = format!(
            "{{\"app\": \"dbt\", \"dbt_version\": {}, \"profile_name\": {}, \"target_name\": {}, \"{key}\": {}}}",
            text(DBT_VERSION),
            text(&target.profile_name),
            text(&target.name),
            text(value)
        );
        // A name could hold what ends a comment.
        comment.replace("*/", "* /")
    }

    fn own_comment(&self, template: &str, id: Option<&UniqueId>) -> Result<String, CompileError> {
        const NAME: &str = "query-comment";
        if template.trim().is_empty() {
            return Ok(String::new());
        }
        let node = id.and_then(|id| self.manifest.nodes.get(id));
        let mut scope = self.scope(Phase::Compile);
        let value = node.map_or_else(|| Value::from(()), model_value);
        scope.extra.insert("node", value);
        let connection = id.map_or("master", |id| id.0.as_str());
        scope
            .extra
            .insert("connection_name", Value::from(connection));
        let rendered = self
            .jinja
            .render_text(NAME, template, &Arc::new(scope))
            .map_err(|error| CompileError::template(error, None))?;
        let text = rendered.trim();
        if text.contains("*/") {
            let error = TemplateError::at(
                "rwt::project::query_comment",
                "the query-comment contains `*/`, which would end it",
                Some("leave `*/` out of query-comment in the project file".to_owned()),
                &SourceFile::new(NAME, template),
                0..template.len(),
            );
            return Err(CompileError::template(error, None));
        }
        Ok(text.to_owned())
    }
}
