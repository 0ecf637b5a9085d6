//! Advice on what hooks send.

use rwt_sql::parse_script;
use rwt_sql::statement::Statement;

use super::{Advice, Code};
use crate::desired::Desired;

/// What to do instead of CASCADE.
pub(super) const CASCADE: &str = "CASCADE takes every view, sink and subscription below along, those of other projects too: drop them by name";

/// Advice on the project's own hooks.
pub(super) fn lint(desired: &Desired) -> Vec<Advice> {
    let hooks = [
        ("on-run-start", &desired.on_run_start),
        ("on-run-end", &desired.on_run_end),
    ];
    let cascading = hooks.into_iter().flat_map(|(key, statements)| {
        let cascading = statements.iter().filter(|sql| drops_with_cascade(sql));
        cascading.map(move |sql| (key, sql))
    });
    cascading
        .map(|(key, sql)| {
            let project = &desired.project;
            let sql = rwt_sql::redact(sql);
            Advice {
                code: Code::CascadeInHook,
                unique_id: format!("operation.{project}.{project}-{key}"),
                file: desired.file.clone(),
                place: None,
                message: format!("{key} drops with CASCADE: {}", sql.trim()),
                help: CASCADE.to_owned(),
            }
        })
        .collect()
}

/// Whether a hook's text has a DROP … CASCADE.
pub(super) fn drops_with_cascade(sql: &str) -> bool {
    let statements = parse_script(sql).unwrap_or_default();
    let mut statements = statements.iter().map(|located| &located.value);
    statements.any(|statement| matches!(statement, Statement::Drop(drop) if drop.cascade))
}
