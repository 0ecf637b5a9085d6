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
pub(crate) use settings::add_functions;

/// The package that the built-in macros belong to.
pub const BUILT_IN: &str = "rwt";

/// Name and text of each file of built-in macros.
pub const BUILT_IN_MACROS: [(&str, &str); 10] = [
    ("rwt/create.sql", include_str!("macros/create.sql")),
    ("rwt/connection.sql", include_str!("macros/connection.sql")),
    (
        "rwt/materialized_view.sql",
        include_str!("macros/materialized_view.sql"),
    ),
    ("rwt/secret.sql", include_str!("macros/secret.sql")),
    ("rwt/sink.sql", include_str!("macros/sink.sql")),
    ("rwt/source.sql", include_str!("macros/source.sql")),
    (
        "rwt/subscription.sql",
        include_str!("macros/subscription.sql"),
    ),
    ("rwt/table.sql", include_str!("macros/table.sql")),
    (
        "rwt/table_with_connector.sql",
        include_str!("macros/table_with_connector.sql"),
    ),
    ("rwt/view.sql", include_str!("macros/view.sql")),
];
