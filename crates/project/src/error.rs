//! Everything that can keep a project from being loaded.

use std::fmt;

use miette::Diagnostic;
use thiserror::Error;

use crate::profile::ProfileError;
use crate::project::ProjectError;
use crate::yaml::{RenderError, YamlError};

/// One thing that is wrong with a project.
#[derive(Debug, Error, Diagnostic)]
#[error(transparent)]
#[diagnostic(transparent)]
#[allow(missing_docs)]
pub enum LoadError {
    Yaml(#[from] YamlError),
    Render(#[from] RenderError),
    Profile(#[from] ProfileError),
    Project(#[from] ProjectError),
}

/// All that is wrong with a project; at least one. Each has its own source text, so that each is to be shown by itself.
#[derive(Debug)]
pub struct LoadErrors(pub Vec<LoadError>);

impl fmt::Display for LoadErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadErrors {}

impl<E: Into<LoadError>> From<E> for LoadErrors {
    fn from(error: E) -> Self {
        Self(vec![error.into()])
    }
}

impl IntoIterator for LoadErrors {
    type Item = LoadError;
    type IntoIter = std::vec::IntoIter<LoadError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
