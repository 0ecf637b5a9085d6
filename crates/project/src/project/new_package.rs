//! A package that is to be added to the list of `packages.yml`, whose other lines and comments stay as they are.

use std::sync::Arc;

use miette::{Diagnostic, SourceSpan};
use thiserror::Error;

use crate::yaml::{Kind, SourceFile, Yaml, YamlError, parse, scalar_text};

/// Where a package of the list comes from: the key of its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackageKey {
    /// `package: owner/name` of the hub.
    Hub,
    /// `git: address`
    Git,
    /// `local: directory`
    Local,
}

/// An entry for the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPackage {
    /// Where it comes from.
    pub key: PackageKey,
    /// Its name, address or directory.
    pub name: String,
    /// A version, several with commas between them, or a revision of a repository.
    pub version: Option<String>,
}

/// Why an entry cannot be added.
#[derive(Debug, Error, Diagnostic)]
pub enum NewPackageError {
    /// The list has it.
    #[error("{name} is in {path} already")]
    #[diagnostic(
        code(rwt::deps::named_already),
        help("change its version there, then `rwt deps`")
    )]
    NamedAlready {
        /// The package.
        name: String,
        /// The file.
        path: String,
        /// The file's text.
        #[source_code]
        file: Arc<SourceFile>,
        /// Its entry.
        #[label("here")]
        at: SourceSpan,
    },
    /// The list is written in a way that no line can be added to.
    #[error(
        "nothing can be added to `packages` in {path}: it is not a list with a line for each entry"
    )]
    #[diagnostic(
        code(rwt::deps::not_lines),
        help("write the entry by hand, or the list as lines that begin with `- `")
    )]
    NotLines {
        /// The file.
        path: String,
        /// The file's text.
        #[source_code]
        file: Arc<SourceFile>,
        /// The list.
        #[label("here")]
        at: SourceSpan,
    },
    /// The file is no YAML.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Yaml(#[from] YamlError),
}

impl NewPackage {
    /// The file's text with the entry behind those that it has.
    ///
    /// # Errors
    /// The package is there, or there is no place for it.
    pub fn added_to(&self, file: &Arc<SourceFile>) -> Result<String, Vec<NewPackageError>> {
        let yaml = parse(file).map_err(|errors| {
            errors
                .into_iter()
                .map(NewPackageError::from)
                .collect::<Vec<_>>()
        })?;
        let text = file.text();
        let Some(list) = yaml.get("packages") else {
            let gap = if text.is_empty() || text.ends_with('\n') {
                ""
            } else {
                "\n"
            };
            return Ok(format!("{text}{gap}packages:\n{}", self.lines("  ")));
        };
        let path = || file.path().display().to_string();
        let not_lines = || {
            vec![NewPackageError::NotLines {
                path: path(),
                file: Arc::clone(file),
                at: list.at.span(),
            }]
        };
        let Kind::List(items) = &list.kind else {
            return Err(not_lines());
        };
        if let Some(named) = items.iter().find(|item| self.is_named_by(item)) {
            return Err(vec![NewPackageError::NamedAlready {
                name: self.name.clone(),
                path: path(),
                file: Arc::clone(file),
                at: named.at.span(),
            }]);
        }
        let (Some(first), Some(last)) = (items.first(), items.last()) else {
            return Err(not_lines());
        };
        let start = first.at.range().start;
        let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let indent = text[line..start].trim_end().strip_suffix('-');
        let indent = indent.filter(|indent| indent.trim().is_empty());
        let indent = indent.ok_or_else(not_lines)?;
        let end = text[..last.at.range().end].trim_end().len();
        let end = text[end..].find('\n').map_or(text.len(), |at| end + at);
        let (before, after) = text.split_at(end);
        let entry = self.lines(indent);
        Ok(format!("{before}\n{}{after}", entry.trim_end_matches('\n')))
    }

    fn lines(&self, indent: &str) -> String {
        // JSON's texts are YAML's, too.
        let quoted = |text: &str| serde_json::Value::from(text.trim()).to_string();
        let (key, of_version) = match self.key {
            PackageKey::Hub => ("package", "version"),
            PackageKey::Git => ("git", "revision"),
            PackageKey::Local => ("local", "version"),
        };
        let mut lines = format!("{indent}- {key}: {}\n", quoted(&self.name));
        if let Some(version) = &self.version {
            let parts: Vec<String> = version.split(',').map(quoted).collect();
            let value = match parts.as_slice() {
                [one] => one.clone(),
                several => format!("[{}]", several.join(", ")),
            };
            lines.push_str(&format!("{indent}  {of_version}: {value}\n"));
        }
        lines
    }

    /// Whether an entry is of this package, from wherever: names on the hub and in addresses differ in `_` and `-`.
    fn is_named_by(&self, item: &Yaml) -> bool {
        let short = |name: &str| {
            let name = name.trim_end_matches('/').trim_end_matches(".git");
            let last = name.rsplit(['/', ':']).next().unwrap_or(name);
            last.replace('-', "_").to_lowercase()
        };
        let keys = ["package", "git", "local", "tarball"];
        let name = keys
            .iter()
            .find_map(|key| item.get(key).and_then(scalar_text));
        name.is_some_and(|name| short(&name) == short(&self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(
        text: &str,
        key: PackageKey,
        name: &str,
        version: Option<&str>,
    ) -> Result<String, String> {
        let package = NewPackage {
            key,
            name: name.to_owned(),
            version: version.map(str::to_owned),
        };
        let added = package.added_to(&SourceFile::new("packages.yml", text));
        added.map_err(|errors| errors[0].to_string())
    }

    #[test]
    fn an_entry_is_added_behind_the_others() {
        let hub = |text: &str| added(text, PackageKey::Hub, "dbt-labs/dbt_utils", Some("1.3.0"));
        assert_eq!(
            hub("").as_deref(),
            Ok("packages:\n  - package: \"dbt-labs/dbt_utils\"\n    version: \"1.3.0\"\n")
        );
        assert_eq!(
            hub("packages:\n- local: ../shop # ours\n# the end\nother: 1\n").as_deref(),
            Ok(
                "packages:\n- local: ../shop # ours\n- package: \"dbt-labs/dbt_utils\"\n  version: \"1.3.0\"\n# the end\nother: 1\n"
            )
        );
        assert_eq!(
            added(
                "packages:\n  - git: a/b.git\n    revision: x",
                PackageKey::Hub,
                "c/d",
                Some(">=1, <2")
            )
            .as_deref(),
            Ok(
                "packages:\n  - git: a/b.git\n    revision: x\n  - package: \"c/d\"\n    version: [\">=1\", \"<2\"]"
            )
        );
        assert_eq!(
            added(
                "packages:\n  - local: x\n",
                PackageKey::Git,
                "https://h/d.git",
                Some("main")
            )
            .as_deref(),
            Ok("packages:\n  - local: x\n  - git: \"https://h/d.git\"\n    revision: \"main\"\n")
        );
    }

    #[test]
    fn what_is_there_or_has_no_place_is_refused() {
        for text in [
            "packages:\n  - package: dbt-labs/dbt_utils\n    version: 1.0.0\n",
            "packages:\n  - git: https://github.com/dbt-labs/dbt-utils.git\n",
        ] {
            let refused = added(text, PackageKey::Hub, "dbt-labs/dbt_utils", None);
            assert_eq!(
                refused,
                Err("dbt-labs/dbt_utils is in packages.yml already".to_owned())
            );
        }
        for text in [
            "packages: [{local: x}]",
            "packages: []",
            "packages:\n",
            "packages: 1",
        ] {
            let refused = added(text, PackageKey::Local, "y", None).expect_err(text);
            assert!(refused.starts_with("nothing can be added"), "{refused}");
        }
    }
}
