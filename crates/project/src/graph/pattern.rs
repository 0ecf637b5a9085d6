//! Wildcards: `*`, `?`, `[abc]`, `[!abc]`.

use globset::{GlobBuilder, GlobMatcher};

/// A text that may hold wildcards.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    text: String,
    glob: Option<GlobMatcher>,
}

impl Pattern {
    /// A pattern whose `*` matches any letters, as Python's `fnmatch`.
    pub fn words(text: &str) -> Result<Self, String> {
        Self::build(text, false)
    }

    /// A pattern whose `*` stays in one folder and whose `**` does not, as Python's `Path.glob`.
    pub fn path(text: &str) -> Result<Self, String> {
        Self::build(text, true)
    }

    fn build(text: &str, literal_separator: bool) -> Result<Self, String> {
        let glob = if has_wildcard(text) {
            // Braces mean themselves in dbt's patterns.
            let escaped: String = text
                .chars()
                .map(|c| match c {
                    '{' => "[{]".to_owned(),
                    '}' => "[}]".to_owned(),
                    other => other.to_string(),
                })
                .collect();
            let glob = GlobBuilder::new(&escaped)
                .literal_separator(literal_separator)
                .backslash_escape(false)
                .build()
                .map_err(|error| error.kind().to_string())?;
            Some(glob.compile_matcher())
        } else {
            None
        };
        Ok(Self {
            text: text.to_owned(),
            glob,
        })
    }

    /// Whether the whole of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        match &self.glob {
            Some(glob) => glob.is_match(text),
            None => self.text == text,
        }
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Whether a text holds a wildcard.
pub(super) fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?', '[', ']'])
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn wildcards_match_as_fnmatch_does() {
        let cases = [
            ("sink_*", "sink_users", true),
            ("sink_*", "asink_users", false),
            ("src_?age", "src_page", true),
            ("src_[pc]a*", "src_cart", true),
            ("src_[!p]*", "src_page", false),
            ("a{b}*", "a{b}c", true),
            ("*", "any.thing/at all", true),
            ("plain", "plain", true),
            ("plain", "plain2", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(
                Pattern::words(pattern).unwrap().matches(text),
                expected,
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn a_star_in_a_path_stays_in_its_folder() {
        let one = Pattern::path("models/*").unwrap();
        assert!(one.matches("models/a.sql") && !one.matches("models/rich/a.sql"));
        assert!(
            Pattern::path("models/**/*.sql")
                .unwrap()
                .matches("models/rich/a.sql")
        );
    }

    #[test]
    fn an_open_bracket_is_refused() {
        assert!(Pattern::words("src_[p").is_err());
    }
}
