//! Columns that a table or a source can gain while it lives.

use rwt_sql::statement::{ColumnDef, Columns, Statement};
use rwt_sql::{Ident, parse_statement};

use crate::catalog::CatalogColumn;
use crate::desired::AdditiveColumn;

/// What a changed CREATE TABLE or CREATE SOURCE comes to.
#[derive(Debug, PartialEq)]
pub(crate) enum Columned {
    /// The same but for these columns more.
    Adds(Vec<ColumnDef>),
    /// Something else has changed.
    Other,
}

/// Compares two CREATE statements of one kind, whatever they call the object.
pub(crate) fn compare(old: &str, new: &str) -> Columned {
    let (Ok(old), Ok(new)) = (parse_statement(old), parse_statement(new)) else {
        return Columned::Other;
    };
    match (old, new) {
        (Statement::CreateTable(mut old), Statement::CreateTable(mut new)) => {
            let (before, after) = (old.columns, new.columns);
            old.columns = Columns::default();
            new.columns = Columns::default();
            new.name.clone_from(&old.name);
            new.if_not_exists = old.if_not_exists;
            if old != new || new.query.is_some() {
                return Columned::Other;
            }
            added(before, after)
        }
        (Statement::CreateSource(mut old), Statement::CreateSource(mut new)) => {
            let (before, after) = (old.columns, new.columns);
            old.columns = Columns::default();
            new.columns = Columns::default();
            new.name.clone_from(&old.name);
            new.if_not_exists = old.if_not_exists;
            if old != new {
                return Columned::Other;
            }
            added(before, after)
        }
        _ => Columned::Other,
    }
}

fn added(old: Columns, new: Columns) -> Columned {
    let known = |column: &ColumnDef| old.columns.contains(column);
    let is_there = |column: &ColumnDef| new.columns.contains(column);
    let same_rest = old.wildcard == new.wildcard
        && old.primary_key == new.primary_key
        && old.watermarks == new.watermarks
        && !old.columns.is_empty();
    let kept: Vec<&ColumnDef> = new.columns.iter().filter(|c| known(c)).collect();
    let in_order = kept.iter().zip(&old.columns).all(|(new, old)| *new == old);
    let more: Vec<ColumnDef> = new.columns.iter().filter(|c| !known(c)).cloned().collect();
    let can_be_added = |column: &ColumnDef| {
        !column.primary_key
            && column.generated.is_none()
            && column.data_type.is_some()
            && (!column.not_null || column.default.is_some())
            && !old.columns.iter().any(|other| other.name == column.name)
    };
    if same_rest && in_order && old.columns.iter().all(is_there) && more.iter().all(can_be_added) {
        Columned::Adds(more)
    } else {
        Columned::Other
    }
}

/// `<name> <type> [DEFAULT …] [NOT NULL]`
pub(crate) fn definition(column: &ColumnDef) -> String {
    let mut text = column.name.to_string();
    if let Some(data_type) = &column.data_type {
        text.push_str(&format!(" {data_type}"));
    }
    if let Some(default) = &column.default {
        text.push_str(&format!(" default {default}"));
    }
    if column.not_null {
        text.push_str(" not null");
    }
    text
}

/// The columns of `additive_schema_evolution` that are not there, with their definitions.
pub(crate) fn missing(wanted: &[AdditiveColumn], there: &[CatalogColumn]) -> Vec<(String, String)> {
    wanted
        .iter()
        .filter(|column| !there.iter().any(|c| c.name == column.name))
        .map(|column| {
            let mut text = format!("{} {}", Ident::new(&column.name), column.data_type);
            if let Some(default) = &column.default {
                text.push_str(&format!(" default {default}"));
            }
            if column.not_null {
                text.push_str(" not null");
            }
            (column.name.clone(), text)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adds(old: &str, new: &str) -> Option<Vec<String>> {
        match compare(old, new) {
            Columned::Adds(columns) => Some(columns.iter().map(definition).collect()),
            Columned::Other => None,
        }
    }

    #[test]
    fn a_column_more_is_an_addition_wherever_it_stands() {
        let old = "create table if not exists t (a int primary key, b varchar)";
        let new = "create table dev.public.t (a int primary key, c varchar default 'x', b varchar)";
        assert_eq!(
            adds(old, new),
            Some(vec!["c character varying default 'x'".to_owned()])
        );
        assert_eq!(adds(old, old), Some(vec![]));
    }

    #[test]
    fn anything_else_is_none() {
        let old = "create source s (a int, b varchar) with (topic = 't') format plain encode json";
        for new in [
            "create source s (a int) with (topic = 't') format plain encode json",
            "create source s (a bigint, b varchar) with (topic = 't') format plain encode json",
            "create source s (b varchar, a int) with (topic = 't') format plain encode json",
            "create source s (a int, b varchar) with (topic = 'u') format plain encode json",
            "create source s (a int, b varchar, c int not null) with (topic = 't') format plain encode json",
            "create source s (a int, b varchar, primary key (a)) with (topic = 't') format plain encode json",
        ] {
            assert_eq!(adds(old, new), None, "{new}");
        }
    }
}
