//! Materializations: macros that turn a node into statements, and the sessions that the statements go to.
//!
//! The built-in ones are in `macros/`, written as a project would write its own, and found after the project's.

mod bridge;
mod drop;
mod effects;
mod recorder;
mod session;
mod settings;

pub(crate) use bridge::{lend, with_stack};
pub use drop::drop_statement;
pub use effects::{Effects, created};
pub use recorder::{RecordedStatement, Recorder};
pub use session::{DatabaseError, ExistingRelation, Response, Session, Table};
pub(crate) use settings::{add_functions, is_query};

/// The package that the built-in macros belong to.
pub const BUILT_IN: &str = "rwt";

/// The directory of their files in names of templates; no project can have one of this name on every system.
pub(crate) const BUILT_IN_FILES: &str = "rwt:materialize";

/// Name and text of each file of built-in macros.
pub const BUILT_IN_MACROS: [(&str, &str); 10] = [
    (
        "rwt:materialize/create.sql",
        include_str!("macros/create.sql"),
    ),
    (
        "rwt:materialize/connection.sql",
        include_str!("macros/connection.sql"),
    ),
    (
        "rwt:materialize/materialized_view.sql",
        include_str!("macros/materialized_view.sql"),
    ),
    (
        "rwt:materialize/secret.sql",
        include_str!("macros/secret.sql"),
    ),
    ("rwt:materialize/sink.sql", include_str!("macros/sink.sql")),
    (
        "rwt:materialize/source.sql",
        include_str!("macros/source.sql"),
    ),
    (
        "rwt:materialize/subscription.sql",
        include_str!("macros/subscription.sql"),
    ),
    (
        "rwt:materialize/table.sql",
        include_str!("macros/table.sql"),
    ),
    (
        "rwt:materialize/table_with_connector.sql",
        include_str!("macros/table_with_connector.sql"),
    ),
    ("rwt:materialize/view.sql", include_str!("macros/view.sql")),
];
