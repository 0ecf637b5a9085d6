//! Secret values and the markers that stand for them in rendered text.

use std::fmt;

use serde::{Serialize, Serializer};

/// A value that is never shown. Printing gives `***NAME***`, serialising gives the marker.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    name: String,
    value: String,
}

impl Secret {
    /// A secret under the name that stands for it: an environment variable's, or one made of its place in the profile.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }

    /// The name that stands for it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value itself, for the one who sends it.
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// Whether it is the empty text, which is as good as no secret.
    pub fn is_empty(&self) -> bool {
        self.value.is_empty()
    }

    /// The text that stands for it in rendered SQL.
    pub fn marker(&self) -> String {
        marker(&self.name)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret(***{}***)", self.name)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "***{}***", self.name)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.marker())
    }
}

const PREFIX: &str = "__rwt_secret__";
const SUFFIX: &str = "__";

/// The text that stands for the secret `name` wherever text is rendered: `__rwt_secret__NAME__`.
pub fn marker(name: &str) -> String {
    format!("{PREFIX}{name}{SUFFIX}")
}

/// Whether an environment variable holds a secret by its name: it begins with `DBT_ENV_SECRET` (dbt's rule) or
/// `RWT_SECRET`.
pub fn is_secret_name(name: &str) -> bool {
    name.starts_with("DBT_ENV_SECRET") || name.starts_with("RWT_SECRET")
}

/// Puts something else in the place of every marker. `replace` gets a name and returns what to write, or none if it
/// knows no such secret; a marker that nobody knows stays. As a marker may touch letters that follow it, the longest
/// name that `replace` knows wins.
pub fn replace_markers(text: &str, mut replace: impl FnMut(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(PREFIX) {
        let after = &rest[start + PREFIX.len()..];
        let word = after
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(after.len());
        let word = &after[..word];
        let word = &word[..word.find(PREFIX).unwrap_or(word.len())];
        let known = (1..word.len())
            .rev()
            .filter(|end| word[*end..].starts_with(SUFFIX))
            .find_map(|end| replace(&word[..end]).map(|text| (end, text)));
        out.push_str(&rest[..start]);
        match known {
            Some((end, replacement)) => {
                out.push_str(&replacement);
                rest = &after[end + SUFFIX.len()..];
            }
            None => {
                out.push_str(PREFIX);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_its_name_only() {
        let secret = Secret::new("PGPASSWORD", "hunter2");
        let shown = format!(
            "{secret} {secret:?} {}",
            serde_json::to_string(&secret).unwrap()
        );
        assert_eq!(
            shown,
            "***PGPASSWORD*** Secret(***PGPASSWORD***) \"__rwt_secret__PGPASSWORD__\""
        );
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn markers_are_replaced_by_the_longest_known_name() {
        let known = |name: &str| match name {
            "A" => Some("1".to_owned()),
            "A__B" => Some("2".to_owned()),
            "RWT_SECRET_" => Some("3".to_owned()),
            _ => None,
        };
        let cases = [
            ("'__rwt_secret__A__'", "'1'"),
            ("__rwt_secret__A____rwt_secret__A__B__!", "12!"),
            ("__rwt_secret__A__x", "1x"),
            ("__rwt_secret__RWT_SECRET___", "3"),
            (
                "__rwt_secret__NOBODY__ __rwt_secret__A__",
                "__rwt_secret__NOBODY__ 1",
            ),
            ("ü__rwt_secret__", "ü__rwt_secret__"),
        ];
        for (text, expected) in cases {
            assert_eq!(replace_markers(text, known), expected, "{text}");
        }
    }

    #[test]
    fn secret_names_are_known_by_their_beginning() {
        assert!(is_secret_name("DBT_ENV_SECRET_TOKEN"));
        assert!(is_secret_name("RWT_SECRET_S3"));
        assert!(!is_secret_name("S3_SECRET"));
    }
}
