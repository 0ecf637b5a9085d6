//! Groups and access: a private model is for its group alone (dbt-core 1.12, `Manifest.is_invalid_private_ref`).

use std::collections::BTreeMap;

use rwt_project::manifest::{Node, ResourceType, UniqueId};
use rwt_project::yaml::{SourceFile, nearest};
use serde_json::Value as Json;

use super::{Parser, located};
use crate::error::CompileError;

const ACCESS: [&str; 3] = ["private", "protected", "public"];

fn access(node: &Node) -> Option<&str> {
    node.config.get("access").and_then(Json::as_str)
}

impl Parser<'_> {
    /// Groups that are not declared, access that is none, and reads of private models from outside of their group.
    pub(super) fn check_groups(
        &self,
        nodes: &BTreeMap<UniqueId, Node>,
        errors: &mut Vec<CompileError>,
    ) {
        let groups = &self.project.properties.groups;
        for node in nodes.values() {
            let mut say = |code: &'static str, message: String, help: String, word: &str| {
                let file = SourceFile::new(&node.original_file_path, node.raw_code.as_str());
                let error = located(code, message, Some(help), &file, word);
                errors.push(CompileError::template(error, Some(node.into())));
            };
            if let Some(group) = node.group()
                && !groups.contains_key(group)
            {
                let names: Vec<&str> = groups.keys().map(String::as_str).collect();
                let help = match nearest(group, names.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if names.is_empty() => {
                        "declare it under `groups:` of a property file".to_owned()
                    }
                    None => format!("there are: {}", names.join(", ")),
                };
                let message = format!(
                    "{} belongs to the group `{group}`, which does not exist",
                    node.name
                );
                say("rwt::project::unknown_group", message, help, group);
            }
            if let Some(found) = access(node).filter(|found| !ACCESS.contains(found)) {
                let message = format!("the access of {} is `{found}`, which is none", node.name);
                let help = format!("access is one of {}", ACCESS.join(", "));
                say("rwt::project::access", message, help, found);
            }
            // A generic test and a unit test belong to what they test.
            let belongs =
                node.test_macro().is_some() || node.resource_type == ResourceType::UnitTest;
            if belongs {
                continue;
            }
            for read in node.depends_on.iter().filter_map(|id| nodes.get(id)) {
                let outside = read.group().is_none() || node.group() != read.group();
                if access(read) == Some("private") && outside {
                    let group = read.group().unwrap_or_default();
                    let message = format!(
                        "{} reads {}, which is private to the group `{group}`",
                        node.name, read.name
                    );
                    let help = format!(
                        "put {} into the same group, or make {} protected or public",
                        node.name, read.name
                    );
                    say("rwt::project::private_ref", message, help, &read.name);
                }
            }
        }
    }
}
