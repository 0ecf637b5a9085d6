//! YAML as rwt reads it: a tree in which every key and value knows its place ([`Yaml`], [`Location`]), a reader that
//! takes typed fields out of a mapping and notices unknown keys ([`Fields`]), and the errors that show the line.
//!
//! Values that hold Jinja stay text here. This crate knows no Jinja: whoever loads a project hands in a [`Render`].

mod error;
mod fields;
mod file;
mod nearest;
mod parse;
mod render;
mod scalar;
mod tree;

pub use error::{Warning, YamlError};
pub use fields::Fields;
pub use file::{Location, SourceFile};
pub use nearest::nearest;
pub use parse::parse;
pub use render::{Render, RenderError, RenderFailure, Scope, render_tree};
pub use tree::{Entry, Kind, Yaml};

pub(crate) use error::first_line;
pub(crate) use fields::scalar_text;
pub(crate) use render::{holds_jinja, render_text};
