//! Materializations: macros that turn a node into statements, and the sessions that the statements go to.
//!
//! The built-in ones are in `macros/`, written as a project would write its own, and found after the project's.

mod bridge;
mod drop;
mod effects;
mod inquiry;
mod recorder;
mod session;
mod settings;

pub(crate) use bridge::{RENDERING_STACK, lend};
pub use drop::drop_statement;
pub use effects::{Effects, created};
pub(crate) use inquiry::Inquiry;
pub use recorder::{RecordedStatement, Recorder};
pub use session::{DatabaseError, ExistingRelation, Response, Session, Table, TextOf};
pub(crate) use settings::{add_functions, is_query};

/// The package that the built-in macros belong to.
pub const BUILT_IN: &str = "rwt";

/// The directory of their files in names of templates; no project can have one of this name on every system.
pub(crate) const BUILT_IN_FILES: &str = "rwt:materialize";

/// Name and text of each file of built-in macros.
pub const BUILT_IN_MACROS: [(&str, &str); 15] = [
    (
        "rwt:materialize/create.sql",
        include_str!("macros/create.sql"),
    ),
    (
        "rwt:materialize/contract.sql",
        include_str!("macros/contract.sql"),
    ),
    (
        "rwt:materialize/materializations.sql",
        include_str!("macros/materializations.sql"),
    ),
    (
        "rwt:materialize/statements.sql",
        include_str!("macros/statements.sql"),
    ),
    (
        "rwt:materialize/relations.sql",
        include_str!("macros/relations.sql"),
    ),
    (
        "rwt:materialize/incremental.sql",
        include_str!("macros/incremental.sql"),
    ),
    (
        "rwt:materialize/temporary.sql",
        include_str!("macros/temporary.sql"),
    ),
    (
        "rwt:materialize/freshness.sql",
        include_str!("macros/freshness.sql"),
    ),
    ("rwt:materialize/seed.sql", include_str!("macros/seed.sql")),
    (
        "rwt:materialize/snapshot.sql",
        include_str!("macros/snapshot.sql"),
    ),
    ("rwt:materialize/test.sql", include_str!("macros/test.sql")),
    (
        "rwt:materialize/naming.sql",
        include_str!("macros/naming.sql"),
    ),
    (
        "rwt:materialize/types.sql",
        include_str!("macros/types.sql"),
    ),
    (
        "rwt:materialize/utils.sql",
        include_str!("macros/utils.sql"),
    ),
    (
        "rwt:materialize/validation.sql",
        include_str!("macros/validation.sql"),
    ),
];
