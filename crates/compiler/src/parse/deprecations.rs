//! Models that are to go: who is past its `deprecation_date`, and who reads such a model (dbt-core 1.12,
//! `ManifestLoader.check_for_model_deprecations`).

use chrono::{DateTime, FixedOffset, Local, TimeZone};
use rwt_project::Project;
use rwt_project::manifest::{Manifest, Node, ResourceType, Version};
use rwt_project::yaml::Warning;

use super::Parser;
use crate::error::CompileError;
use crate::jinja::TemplateError;
use crate::microbatch::moment;

/// When a model goes: a day is its beginning, and a time without a zone is this machine's, as in dbt. None where nothing is
/// said, or nothing that can be read.
pub(crate) fn deprecation_date(project: &Project, node: &Node) -> Option<DateTime<FixedOffset>> {
    if node.resource_type != ResourceType::Model {
        return None;
    }
    let properties = project.properties.models.get(&node.ref_key())?;
    let (text, _) = properties.deprecation_date.as_ref()?;
    read(text)
}

fn read(text: &str) -> Option<DateTime<FixedOffset>> {
    if let Ok(zoned) = DateTime::parse_from_rfc3339(&text.replacen(' ', "T", 1)) {
        return Some(zoned);
    }
    let local = Local.from_local_datetime(&moment(text)?).earliest()?;
    Some(local.fixed_offset())
}

fn named(node: &Node) -> String {
    match node.version.as_ref().map(Version::text) {
        Some(version) => format!("{}.v{version}", node.name),
        None => node.name.clone(),
    }
}

impl Parser<'_> {
    pub(super) fn check_deprecations(
        &self,
        manifest: &Manifest,
        errors: &mut Vec<CompileError>,
        warnings: &mut Vec<Warning>,
    ) {
        for node in manifest.nodes.values() {
            if node.resource_type != ResourceType::Model {
                continue;
            }
            let properties = self.project.properties.models.get(&node.ref_key());
            let Some((text, at)) = properties.and_then(|known| known.deprecation_date.as_ref())
            else {
                continue;
            };
            let Some(date) = read(text) else {
                let error = TemplateError::at(
                    "rwt::project::deprecation_date",
                    format!("the deprecation_date of {} is `{text}`", named(node)),
                    Some(
                        "a day (2030-01-31) or a time (2030-01-31 12:00:00) is expected".to_owned(),
                    ),
                    at.file(),
                    at.range(),
                );
                errors.push(CompileError::template(error, Some(node.into())));
                continue;
            };
            let mut warn = |message: String, help: &str| {
                let range = at.range();
                warnings.push(Warning::Deprecated {
                    message,
                    help: help.to_owned(),
                    file: at.file().clone(),
                    at: (range.start, range.len()).into(),
                });
            };
            let is_past = date < self.shared.started_at;
            let shown = date.to_rfc3339();
            let name = named(node);
            if is_past {
                warn(
                    format!("Model {name} has passed its deprecation date of {shown}"),
                    "This model should be disabled or removed.",
                );
            }
            let version = node.version.as_ref();
            let help = match version.filter(|version| !version.is_latest()) {
                Some(version) => format!(
                    "A new version of '{0}' is available: ref('{1}', '{0}', v={2})",
                    node.name, node.package_name, version.latest
                ),
                None => "read another model, before this one is gone".to_owned(),
            };
            let when = if is_past {
                "was deprecated"
            } else {
                "is slated for deprecation"
            };
            let readers = manifest.nodes.values().filter(|reader| {
                reader.resource_type == ResourceType::Model
                    && reader.depends_on.contains(&node.unique_id)
            });
            for reader in readers {
                let message = format!(
                    "While compiling '{}': Found a reference to {name}, which {when} on '{shown}'",
                    reader.name
                );
                warn(message, &help);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_a_day_or_a_time_with_or_without_a_zone() {
        let shown = |text: &str| read(text).map(|date| date.to_rfc3339());
        assert_eq!(
            shown("2030-01-31 12:00:00+02:00").as_deref(),
            Some("2030-01-31T12:00:00+02:00")
        );
        let day = read("2030-01-31").expect("a date");
        assert_eq!(day.naive_local(), moment("2030-01-31").expect("a time"));
        assert_eq!(shown("soon"), None);
    }
}
