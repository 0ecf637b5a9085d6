//! What can be wrong with a project, besides its YAML.

use std::sync::Arc;

use miette::{Diagnostic, SourceSpan};
use thiserror::Error;

use crate::yaml::SourceFile;

/// A project that cannot be loaded.
#[derive(Debug, Error, Diagnostic)]
pub enum ProjectError {
    /// There is no project file.
    #[error("{directory} is not a project: it has no project.yml and no dbt_project.yml{above}")]
    #[diagnostic(
        code(rwt::project::not_found),
        help("change to the project's directory, or name it with --project-dir")
    )]
    NotFound {
        /// Where it was looked for.
        directory: String,
        /// ", and neither has a directory above it", where it was looked for there.
        above: &'static str,
    },

    /// A directory cannot be read.
    #[error("cannot read {path}: {cause}")]
    #[diagnostic(
        code(rwt::project::unreadable),
        help("check that it is there, that you may read it, and that its files are UTF-8 text")
    )]
    Unreadable {
        /// The file or directory.
        path: String,
        /// The operating system's words.
        cause: String,
    },

    /// The project's name is no name.
    #[error("the project's name `{name}` in {path} is not a name")]
    #[diagnostic(
        code(rwt::project::bad_name),
        help("begin with a letter or `_` and go on with letters, digits and `_`")
    )]
    BadName {
        /// The project file.
        path: String,
        /// The name as written.
        name: String,
        /// The file's text.
        #[source_code]
        file: Arc<SourceFile>,
        /// The name.
        #[label("not a name")]
        at: SourceSpan,
    },

    /// Two models have one name.
    #[error("two models are called `{name}`: {first} and {second}")]
    #[diagnostic(
        code(rwt::project::duplicate_model),
        help(
            "`ref('{name}')` could mean either: rename one of the files; `config(alias='{name}')` in it keeps the \
             relation's name"
        )
    )]
    DuplicateModel {
        /// The name.
        name: String,
        /// One file.
        first: String,
        /// The other.
        second: String,
    },

    /// A package that `rwt deps` has not fetched.
    #[error("the package {package} is not in {directory}")]
    #[diagnostic(code(rwt::project::not_installed), help("fetch it with `rwt deps`"))]
    NotInstalled {
        /// The package.
        package: String,
        /// Where packages are.
        directory: String,
    },

    /// Variables in two places.
    #[error("variables cannot be defined in both vars.yml and the project file")]
    #[diagnostic(code(rwt::project::vars_twice), help("keep `vars` in one of the two"))]
    VarsTwice {
        /// The project file.
        #[source_code]
        file: Arc<SourceFile>,
        /// Its `vars`.
        #[label("and vars.yml has some, too")]
        at: SourceSpan,
    },

    /// A block of a snapshot does not end.
    #[error("a snapshot of {path} does not end")]
    #[diagnostic(
        code(rwt::project::snapshot),
        help("close it with {{% endsnapshot %}}")
    )]
    Snapshot {
        /// The file.
        path: String,
        /// Its text.
        #[source_code]
        file: Arc<SourceFile>,
        /// Where it begins.
        #[label("begins here")]
        at: SourceSpan,
    },

    /// A model, source table or macro is described twice.
    #[error("{kind} `{name}` is described in {first} and again in {second}")]
    #[diagnostic(
        code(rwt::project::duplicate_properties),
        help("put all of it into one of the two places")
    )]
    DuplicateProperties {
        /// `the model`, `the source table` or `the macro`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Where it is described first, with its line.
        first: String,
        /// The second place.
        second: String,
        /// The second file's text.
        #[source_code]
        file: Arc<SourceFile>,
        /// The second name.
        #[label("described again here")]
        at: SourceSpan,
    },
}
