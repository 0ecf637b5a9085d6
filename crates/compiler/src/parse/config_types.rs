//! Configuration whose values cannot be meant: where it stands, and what is expected there.

use std::ops::Range;
use std::sync::Arc;

use rwt_project::project::{PropertyConfig, ResolvedConfig};
use rwt_project::yaml::SourceFile;
use serde_json::Value as Json;

use super::{Parser, find_word};
use crate::jinja::TemplateError;

/// A node, as far as its configuration can be wrong.
pub(super) struct Configured<'a> {
    /// dbt's word for what it is.
    pub what: &'a str,
    pub name: &'a str,
    /// What its property file says.
    pub property: Option<&'a PropertyConfig>,
    /// Its own file, where `config()` may stand.
    pub file: &'a Arc<SourceFile>,
}

impl Parser<'_> {
    /// Tells a value that cannot be meant, at the place where it stands.
    pub(super) fn check_config(
        &self,
        node: &Configured<'_>,
        config: &ResolvedConfig,
    ) -> Result<(), TemplateError> {
        let Some((key, expected, value)) = config.wrong_type(node.what == "test") else {
            return Ok(());
        };
        let (outer, _) = key.split_once('.').unwrap_or((key, ""));
        let whole = config.values.get(outer).unwrap_or(value);
        let property = node.property.and_then(|property| property.get(outer));
        let (file, range) = match property {
            Some((found, at)) if holds(whole, found) => (at.file(), at.range()),
            _ => [node.file, &self.project.file.source]
                .into_iter()
                .find_map(|file| Some((file, find_setting(file.text(), outer, value)?)))
                .unwrap_or((node.file, 0..0)),
        };
        Err(TemplateError::at(
            "rwt::compile::wrong_config",
            format!("{} {}: the config `{key}` is {value}", node.what, node.name),
            Some(format!("{expected} is expected")),
            file,
            range,
        ))
    }
}

/// Whether a value came from this one: hooks of all levels are one list.
fn holds(all: &Json, found: &Json) -> bool {
    all == found
        || all.as_array().is_some_and(|items| {
            items.contains(found)
                || found
                    .as_array()
                    .is_some_and(|some| some.iter().all(|item| items.contains(item)))
        })
        || all
            .as_object()
            .zip(found.as_object())
            .is_some_and(|(all, some)| some.iter().all(|(key, value)| all.get(key) == Some(value)))
}

/// Where a key stands in one line with the first text of its value.
fn find_setting(text: &str, key: &str, value: &Json) -> Option<Range<usize>> {
    let first = match value {
        Json::Array(items) => items.first().and_then(Json::as_str),
        Json::Object(fields) => fields.keys().next().map(String::as_str),
        value => value.as_str(),
    };
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if let Some(found) = find_word(line, key)
            && first.is_none_or(|first| line[found.end..].contains(first))
        {
            return Some(at + found.start..at + found.end);
        }
        at += line.len();
    }
    None
}
