//! How each kind of object is dropped.

/// `drop <kind> if exists <name>`, never with CASCADE: what hangs on an object is named and dropped before it. `kind` is
/// dbt-risingwave's word, as [`super::ExistingRelation::kind`] gives it; `name` is SQL text.
pub fn drop_statement(kind: &str, name: &str) -> String {
    let words = match kind {
        "materialized_view" | "materializedview" | "materialized view" => "materialized view",
        "table_with_connector" => "table",
        other => other,
    };
    format!("drop {words} if exists {name}")
}
