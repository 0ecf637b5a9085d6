//! What can be wrong with profiles, besides their YAML.

use std::sync::Arc;

use miette::{Diagnostic, SourceSpan};
use thiserror::Error;

use crate::yaml::SourceFile;

/// A profile or target that cannot be used.
#[derive(Debug, Error, Diagnostic)]
pub enum ProfileError {
    /// No `profiles.yml` anywhere.
    #[error("no profiles.yml was found")]
    #[diagnostic(code(rwt::profile::no_file))]
    NoFile {
        /// Where it was looked for, and what to write.
        #[help]
        help: String,
    },

    /// The directory that was named for profiles has none.
    #[error("{directory} has no profiles.yml")]
    #[diagnostic(code(rwt::profile::no_file))]
    NotInDirectory {
        /// The directory.
        directory: String,
        /// Who named it.
        #[help]
        help: String,
    },

    /// The project names no profile.
    #[error("{path} names no profile")]
    #[diagnostic(code(rwt::profile::not_named))]
    NotNamed {
        /// The project file.
        path: String,
        /// What to write.
        #[help]
        help: String,
    },

    /// The named profile is not in the file.
    #[error("the profile `{profile}` is not in {path}")]
    #[diagnostic(code(rwt::profile::missing))]
    MissingProfile {
        /// The profile that was asked for.
        profile: String,
        /// The profiles file.
        path: String,
        /// The nearest name, and the names that exist.
        #[help]
        help: String,
        /// The file that names the profile, if a file does.
        #[source_code]
        file: Option<Arc<SourceFile>>,
        /// Its place there.
        #[label("named here")]
        at: Option<SourceSpan>,
    },

    /// The named target is not an output of the profile.
    #[error("the profile `{profile}` in {path} has no target `{target}`")]
    #[diagnostic(code(rwt::profile::missing_target))]
    MissingTarget {
        /// The profile.
        profile: String,
        /// The profiles file.
        path: String,
        /// The target that was asked for.
        target: String,
        /// The nearest name, and the names that exist.
        #[help]
        help: String,
        /// The profiles file's text.
        #[source_code]
        file: Arc<SourceFile>,
        /// The outputs.
        #[label("the targets of the profile")]
        at: SourceSpan,
    },

    /// A secret's environment variable is not set.
    #[error("`{key}` in {path} needs the environment variable {name}, which is not set")]
    #[diagnostic(code(rwt::profile::missing_secret), help("export {name}=…"))]
    MissingSecret {
        /// Dotted path of the key.
        key: String,
        /// The profiles file.
        path: String,
        /// The variable.
        name: String,
        /// The file's text.
        #[source_code]
        file: Arc<SourceFile>,
        /// The value.
        #[label("read here")]
        at: SourceSpan,
    },
}
