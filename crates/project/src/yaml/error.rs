//! What can be wrong with a YAML file, and what is only suspicious.

use std::sync::Arc;

use miette::{Diagnostic, SourceSpan};
use thiserror::Error;

use super::file::{Location, SourceFile};

/// A YAML file that cannot be used as it is.
#[derive(Debug, Error, Diagnostic)]
pub enum YamlError {
    /// The text is not YAML.
    #[error("{path} is not valid YAML: {message}")]
    #[diagnostic(
        code(rwt::yaml::syntax),
        help(
            "indent with spaces, and quote text that holds `: `, ` #` or begins with `{{{{`, `[`, `*` or `&`"
        )
    )]
    Syntax {
        /// The file.
        path: String,
        /// The parser's words.
        message: String,
        /// The file's text.
        #[source_code]
        file: Arc<SourceFile>,
        /// Where the parser gave up.
        #[label("here")]
        at: SourceSpan,
    },

    /// A mapping has a key twice.
    #[error("{path} has the key `{key}` twice in one mapping")]
    #[diagnostic(
        code(rwt::yaml::duplicate_key),
        help("remove or rename one of them: which of the two values is meant cannot be told")
    )]
    DuplicateKey {
        /// The file.
        path: String,
        /// The key.
        key: String,
        /// The file's text.
        #[source_code]
        file: Arc<SourceFile>,
        /// The first of the two.
        #[label("first here")]
        first: SourceSpan,
        /// The second.
        #[label("and again here")]
        second: SourceSpan,
    },

    /// A value is of the wrong kind or out of range.
    #[error("`{key}` in {path} must be {expected}, not {found}")]
    #[diagnostic(code(rwt::yaml::wrong_type))]
    WrongType {
        /// The file.
        path: String,
        /// Dotted path of the key.
        key: String,
        /// What would be right, with its article.
        expected: String,
        /// What is there.
        found: String,
        /// What to write, where more can be said.
        #[help]
        help: Option<String>,
        /// The file's text.
        #[source_code]
        file: Arc<SourceFile>,
        /// The value.
        #[label("this is {found}")]
        at: SourceSpan,
    },

    /// A required key is not there.
    #[error("{path} lacks `{key}`")]
    #[diagnostic(code(rwt::yaml::missing_key))]
    MissingKey {
        /// The file.
        path: String,
        /// Dotted path of the key.
        key: String,
        /// What to write.
        #[help]
        help: String,
        /// The file's text.
        #[source_code]
        file: Arc<SourceFile>,
        /// The mapping that should have it.
        #[label("in here")]
        at: SourceSpan,
    },

    /// The file cannot be read.
    #[error("cannot read {path}: {cause}")]
    #[diagnostic(
        code(rwt::yaml::unreadable),
        help("check that the file is UTF-8 text and that you may read it")
    )]
    Unreadable {
        /// The file.
        path: String,
        /// The operating system's words.
        cause: String,
    },
}

impl YamlError {
    /// `key` must be `expected`, but the value at `at` is `found`.
    pub fn wrong_type(
        key: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
        at: &Location,
    ) -> Self {
        Self::WrongType {
            path: at.file().path().display().to_string(),
            key: key.into(),
            expected: expected.into(),
            found: found.into(),
            help: None,
            file: Arc::clone(at.file()),
            at: first_line(at),
        }
    }

    /// The same error with advice.
    #[must_use]
    pub fn with_help(mut self, advice: impl Into<String>) -> Self {
        if let Self::WrongType { help, .. } = &mut self {
            *help = Some(advice.into());
        }
        self
    }

    /// The mapping at `at` lacks `key`.
    pub fn missing(key: impl Into<String>, help: impl Into<String>, at: &Location) -> Self {
        Self::MissingKey {
            path: at.file().path().display().to_string(),
            key: key.into(),
            help: help.into(),
            file: Arc::clone(at.file()),
            at: first_line(at),
        }
    }
}

/// A label over many lines hides what it marks: its first line is enough.
pub(crate) fn first_line(at: &Location) -> SourceSpan {
    let text = at.text();
    let end = text.find('\n').unwrap_or(text.len());
    (at.range().start, text[..end].trim_end().len()).into()
}

/// Something that is allowed and probably not meant.
#[derive(Debug, Clone, Error, Diagnostic)]
pub enum Warning {
    /// A key that nothing reads.
    #[error("{path} has the unknown key `{key}`, which nothing reads")]
    #[diagnostic(code(rwt::yaml::unknown_key), severity(Warning))]
    UnknownKey {
        /// The file.
        path: String,
        /// The key as written.
        key: String,
        /// The nearest key that exists, or those that exist.
        #[help]
        help: String,
        /// The file's text.
        #[source_code]
        file: Arc<SourceFile>,
        /// The key.
        #[label("unknown")]
        at: SourceSpan,
    },

    /// A configuration key close to one that exists.
    #[error("{path} configures `{key}`, which nothing reads")]
    #[diagnostic(code(rwt::config::unknown_key), severity(Warning))]
    UnknownConfig {
        /// The file.
        path: String,
        /// The key as written.
        key: String,
        /// The nearest key that exists.
        #[help]
        help: String,
        /// The file's text.
        #[source_code]
        file: Arc<SourceFile>,
        /// The key.
        #[label("unknown")]
        at: SourceSpan,
    },

    /// A configuration of a folder or model that does not exist.
    #[error("{path} configures `{key}`, but no model lies there")]
    #[diagnostic(code(rwt::config::unused_path), severity(Warning))]
    UnusedConfigPath {
        /// The file.
        path: String,
        /// Dotted path below `models:`.
        key: String,
        /// What to write instead.
        #[help]
        help: String,
        /// The file's text.
        #[source_code]
        file: Arc<SourceFile>,
        /// The key.
        #[label("no such folder or model")]
        at: SourceSpan,
    },

    /// A model that is to go, or that reads one.
    #[error("{message}")]
    #[diagnostic(code(rwt::project::deprecated), severity(Warning))]
    Deprecated {
        /// dbt's words.
        message: String,
        /// What to do instead.
        #[help]
        help: String,
        /// The file's text.
        #[source_code]
        file: Arc<SourceFile>,
        /// The date.
        #[label("this date")]
        at: SourceSpan,
    },

    /// A property file describes a model that does not exist.
    #[error("{path} describes the model `{name}`, which does not exist")]
    #[diagnostic(code(rwt::project::unknown_model), severity(Warning))]
    UnknownModel {
        /// The file.
        path: String,
        /// The name as written.
        name: String,
        /// The nearest model.
        #[help]
        help: String,
        /// The file's text.
        #[source_code]
        file: Arc<SourceFile>,
        /// The name.
        #[label("no .sql file of this name")]
        at: SourceSpan,
    },

    /// A property file describes a seed or a function that does not exist.
    #[error("{path} describes the {kind} `{name}`, which does not exist")]
    #[diagnostic(code(rwt::project::unknown_node), severity(Warning))]
    UnknownNode {
        /// The file.
        path: String,
        /// `seed` or `function`.
        kind: &'static str,
        /// The name as written.
        name: String,
        /// The nearest one.
        #[help]
        help: String,
        /// The file's text.
        #[source_code]
        file: Arc<SourceFile>,
        /// The name.
        #[label("no file of this name")]
        at: SourceSpan,
    },

    /// A section of dbt's Semantic Layer.
    #[error("{path} has `{section}`, which rwt does not support")]
    #[diagnostic(
        code(rwt::yaml::not_supported),
        severity(Warning),
        help(
            "they belong to dbt's Semantic Layer; the models they are about are built as usual, and nothing lists or selects them"
        )
    )]
    NotSupported {
        /// The file.
        path: String,
        /// The section's key.
        section: String,
        /// The file's text.
        #[source_code]
        file: Arc<SourceFile>,
        /// The key.
        #[label("not read")]
        at: SourceSpan,
    },

    /// A directory that the project file names is not there.
    #[error("{path} names the directory `{directory}`, which does not exist")]
    #[diagnostic(
        code(rwt::project::missing_directory),
        severity(Warning),
        help("create it or remove it from `{key}`")
    )]
    MissingDirectory {
        /// The file.
        path: String,
        /// The key that names it.
        key: String,
        /// The directory as written.
        directory: String,
        /// The file's text.
        #[source_code]
        file: Arc<SourceFile>,
        /// The name.
        #[label("not found")]
        at: SourceSpan,
    },
}

impl Warning {
    /// The key at `at` is none of `known`.
    pub fn unknown_key(key: &str, known: &[&str], at: &Location) -> Self {
        let help = match super::nearest(key, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known keys here: {}", known.join(", ")),
        };
        Self::UnknownKey {
            path: at.file().path().display().to_string(),
            key: key.to_owned(),
            help,
            file: Arc::clone(at.file()),
            at: at.span(),
        }
    }
}
