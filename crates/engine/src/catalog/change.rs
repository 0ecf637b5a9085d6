//! Changes of names: RENAME, SWAP, SET SCHEMA, and what follows from them.

use rwt_sql::ObjectName;
use rwt_sql::statement::{Alter, AlterAction, ObjectKind};
use rwt_wire::{SqlError, SqlState};

use super::names::invalid_input;
use super::{Catalog, Kind, ObjectId, SearchPath};

impl Catalog {
    /// The object of an ALTER statement. RisingWave calls tables and materialized views `table` when they are missing.
    pub fn altered(&self, alter: &Alter, path: &SearchPath) -> Result<ObjectId, SqlError> {
        let kind = kind_of(alter.kind).ok_or_else(|| invalid_input("not a relation"))?;
        self.check_schema(&alter.name)?;
        let missing = || SqlError::not_found(alter_noun(kind), alter.name.name());
        let is_swap = matches!(alter.action, AlterAction::SwapWith(_));
        if let Some(object) = self.find(kind, &alter.name, path) {
            return Ok(object.id);
        }
        let is_of_columns = matches!(
            alter.action,
            AlterAction::AddColumn { .. }
                | AlterAction::DropColumn { .. }
                | AlterAction::ColumnType { .. }
        );
        match self.find_relation(&alter.name, path) {
            Some(other) if kind == Kind::Source && other.kind() == Kind::Table => {
                Err(match other.source() {
                    Some(_) => invalid_input("Use `ALTER TABLE` to alter a table with connector."),
                    None => missing(),
                })
            }
            Some(other)
                if is_of_columns
                    && kind == Kind::Table
                    && matches!(other.kind(), Kind::MaterializedView | Kind::Index) =>
            {
                Err(invalid_input(format!(
                    "\"{}\" is not a table or cannot be altered",
                    alter.name
                )))
            }
            Some(other)
                if tabular(kind) && tabular(other.kind()) && !(is_swap && kind == Kind::Table) =>
            {
                if is_swap {
                    return Ok(other.id);
                }
                Err(invalid_input(format!(
                    "\"{}\" is not a {}",
                    other.name,
                    kind.noun().to_uppercase()
                )))
            }
            _ => Err(missing()),
        }
    }

    /// RENAME TO.
    pub fn rename(&mut self, id: ObjectId, name: &str) -> Result<(), SqlError> {
        let Some(object) = self.get(id) else {
            return Ok(());
        };
        self.check_free(object.schema, object.kind(), name)?;
        let old = object.name.clone();
        self.set_names(&[(id, old, name.to_owned())]);
        Ok(())
    }

    /// SWAP WITH: exchanges the names of two objects of one kind.
    pub fn swap(
        &mut self,
        id: ObjectId,
        other: &ObjectName,
        path: &SearchPath,
    ) -> Result<(), SqlError> {
        let Some(object) = self.get(id) else {
            return Ok(());
        };
        let kind = object.kind();
        let partner = self
            .find_relation(other, path)
            .filter(|o| o.kind() == kind || (tabular(kind) && tabular(o.kind())))
            .ok_or_else(|| SqlError::not_found(alter_noun(kind), other.name()))?;
        if partner.kind() != kind {
            return Err(SqlError::new(
                SqlState::Internal,
                format!(
                    "Permission denied: cannot swap between {} and {}: type mismatch",
                    object.name, partner.name
                ),
            ));
        }
        if partner.id == id {
            return Ok(());
        }
        if partner.schema != object.schema {
            return Err(invalid_input("cannot swap objects of different schemas"));
        }
        let (a, b) = (object.name.clone(), partner.name.clone());
        let partner = partner.id;
        self.set_names(&[(id, a.clone(), b.clone()), (partner, b, a)]);
        Ok(())
    }

    /// Gives the objects their new names: `(id, old, new)`.
    fn set_names(&mut self, changed: &[(ObjectId, String, String)]) {
        let before = self.clone();
        for object in self.objects.values_mut() {
            if let Some((.., new)) = changed.iter().find(|(id, ..)| *id == object.id) {
                object.name.clone_from(new);
                object.definition.rename(new);
            }
            let read: Vec<_> = changed
                .iter()
                .filter(|(id, ..)| object.depends_on.contains(id) || writes(object, *id))
                .cloned()
                .collect();
            if !read.is_empty() {
                object.definition.follow(&before, &read);
            }
        }
        for (id, _, new) in changed {
            for part in self.objects.values_mut().filter(|o| o.part_of == Some(*id)) {
                let prefix = match part.kind() {
                    Kind::Sink => "__iceberg_sink_",
                    _ => "__iceberg_source_",
                };
                part.name = format!("{prefix}{new}");
                let name = part.name.clone();
                part.definition.rename(&name);
            }
        }
    }

    /// SET SCHEMA.
    pub fn move_to(&mut self, id: ObjectId, schema: &str) -> Result<(), SqlError> {
        let target = self.find_schema(schema)?.id;
        let Some(object) = self.get(id) else {
            return Ok(());
        };
        if object.schema == target {
            return Ok(());
        }
        self.check_free(target, object.kind(), &object.name)?;
        let indexes: Vec<ObjectId> = self.indexes_of(id).map(|o| o.id).collect();
        for object in self.objects.values_mut() {
            if object.id == id || object.part_of == Some(id) || indexes.contains(&object.id) {
                object.schema = target;
            }
        }
        Ok(())
    }
}

fn writes(object: &super::Object, table: ObjectId) -> bool {
    object
        .sink()
        .is_some_and(|s| s.into.as_ref().is_some_and(|(id, _)| *id == table))
}

/// ALTER's messages do not tell materialized views from tables.
fn alter_noun(kind: Kind) -> &'static str {
    match kind {
        Kind::Table | Kind::MaterializedView => "table",
        other => other.noun(),
    }
}

fn tabular(kind: Kind) -> bool {
    matches!(kind, Kind::Table | Kind::MaterializedView)
}

/// The catalog's kind for a statement's kind; `None` for databases, schemas and users.
pub fn kind_of(kind: ObjectKind) -> Option<Kind> {
    Some(match kind {
        ObjectKind::Table => Kind::Table,
        ObjectKind::Source => Kind::Source,
        ObjectKind::View => Kind::View,
        ObjectKind::MaterializedView => Kind::MaterializedView,
        ObjectKind::Sink => Kind::Sink,
        ObjectKind::Connection => Kind::Connection,
        ObjectKind::Secret => Kind::Secret,
        ObjectKind::Index => Kind::Index,
        ObjectKind::Subscription => Kind::Subscription,
        ObjectKind::Function => Kind::Function,
        _ => return None,
    })
}
