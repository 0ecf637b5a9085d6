//! DROP.

use rwt_sql::ObjectName;
use rwt_sql::statement::{Drop, ObjectKind};
use rwt_wire::{Outcome, SqlError};

use super::{Session, not_implemented};
use crate::catalog::{Kind, ObjectId, invalid_input, kind_of};
use crate::engine::{Altering, internal};
use crate::storage::Change;

impl Session {
    pub(super) async fn drop_object(&mut self, drop: Drop) -> Result<Outcome, SqlError> {
        let tag = format!("DROP_{}", drop.kind.to_string().replace(' ', "_"));
        for name in &drop.names {
            match drop.kind {
                ObjectKind::Schema => {
                    self.drop_schema(name.name(), drop.if_exists, drop.cascade)
                        .await?
                }
                ObjectKind::Database => self.drop_database(name.name(), drop.if_exists).await?,
                ObjectKind::User => self.drop_user(name.name(), drop.if_exists).await?,
                _ => self.drop_named(&drop, name).await?,
            }
        }
        Ok(Outcome::done(tag))
    }

    async fn drop_named(&mut self, drop: &Drop, name: &ObjectName) -> Result<(), SqlError> {
        let kind =
            kind_of(drop.kind).ok_or_else(|| not_implemented(format!("DROP {}", drop.kind)))?;
        let Some(id) = self.dropped(kind, name, drop)? else {
            self.notice(format!(
                "{} \"{}\" does not exist, skipping",
                kind.noun(),
                name.name()
            ));
            return Ok(());
        };
        let cascade = drop.cascade;
        let gone = self
            .inner
            .clone()
            .alter(async |altering: &mut Altering<'_>| {
                let gone = altering.catalog.removal(id, cascade)?;
                remove(altering, &gone)?;
                Ok(gone)
            })
            .await?;
        self.after_removal(&gone).await
    }

    /// The object to drop; `None` when it is missing and IF EXISTS was said.
    fn dropped(
        &self,
        kind: Kind,
        name: &ObjectName,
        drop: &Drop,
    ) -> Result<Option<ObjectId>, SqlError> {
        let catalog = self.inner.catalog();
        let path = self.path();
        if let Some(object) = catalog.find(kind, name, &path) {
            if object.part_of.is_some() {
                return Err(SqlError::internal(format!(
                    "Permission denied: {} belongs to a table with ENGINE = iceberg; drop the table",
                    object.name
                )));
            }
            return Ok(Some(object.id));
        }
        if let Some(other) = catalog.find_relation(name, &path) {
            // RisingWave keeps these three in one map, looks there for sources as well, and says which DROP fits.
            let is_kept = |k: Kind| matches!(k, Kind::Table | Kind::MaterializedView | Kind::Index);
            if (is_kept(kind) || kind == Kind::Source) && is_kept(other.kind()) {
                let noun = other.kind().noun();
                let article = if noun.starts_with('i') { "an" } else { "a" };
                return Err(invalid_input(format!(
                    "Use `DROP {}` to drop {article} {noun}.",
                    noun.to_uppercase()
                )));
            }
        }
        if drop.if_exists {
            return Ok(None);
        }
        catalog.check_schema(name)?;
        Err(SqlError::not_found(kind.noun(), name.name()))
    }

    async fn drop_schema(
        &mut self,
        name: &str,
        if_exists: bool,
        cascade: bool,
    ) -> Result<(), SqlError> {
        let Some(schema) = self.inner.catalog().schema(name).map(|s| s.id) else {
            if if_exists {
                self.notice(format!("schema \"{name}\" does not exist, skipping"));
                return Ok(());
            }
            return Err(SqlError::not_found("schema", name));
        };
        let gone = self
            .inner
            .clone()
            .alter(async |altering: &mut Altering<'_>| {
                let gone = altering.catalog.schema_removal(schema, cascade)?;
                remove(altering, &gone)?;
                altering.catalog.remove_schema(schema);
                Ok(gone)
            })
            .await?;
        self.after_removal(&gone).await
    }

    async fn drop_database(&mut self, name: &str, if_exists: bool) -> Result<(), SqlError> {
        if name == crate::catalog::DATABASE {
            return Err(SqlError::internal(
                "Permission denied: cannot drop the currently open database",
            ));
        }
        let known = |c: &crate::catalog::Catalog| c.databases.iter().any(|(_, n)| n == name);
        if !known(&self.inner.catalog()) {
            if if_exists {
                self.notice(format!("database \"{name}\" does not exist, skipping"));
                return Ok(());
            }
            return Err(
                SqlError::new(rwt_wire::SqlState::UndefinedDatabase, "Catalog error")
                    .because(format!("database not found: {name}")),
            );
        }
        self.inner
            .clone()
            .alter(async |altering: &mut Altering<'_>| {
                altering.catalog.databases.retain(|(_, n)| n != name);
                altering.set_catalog()
            })
            .await
    }

    /// What is left to do outside of the log: threads and files.
    async fn after_removal(&self, gone: &[ObjectId]) -> Result<(), SqlError> {
        self.inner.stop_sources(gone).await;
        let lake = &self.inner.lake;
        let noted = self.inner.catalog().lake_drops.clone();
        if noted.is_empty() {
            return Ok(());
        }
        for (namespace, name) in &noted {
            if lake.table_exists(namespace, name).await.map_err(internal)? {
                lake.drop_table(namespace, name).await.map_err(internal)?;
            }
        }
        self.inner
            .clone()
            .alter(async |altering: &mut Altering<'_>| {
                altering.catalog.lake_drops.retain(|d| !noted.contains(d));
                altering.set_catalog()
            })
            .await
    }
}

/// Takes objects and their rows away, and notes which tables leave the lake.
fn remove(altering: &mut Altering<'_>, gone: &[ObjectId]) -> Result<(), SqlError> {
    let dropped: Vec<(String, String)> = gone
        .iter()
        .filter_map(|id| altering.catalog.get(*id)?.lake())
        .map(|lake| (lake.namespace.clone(), lake.table.clone()))
        .collect();
    altering.catalog.lake_drops.extend(dropped);
    altering.catalog.remove(gone);
    altering.set_catalog()?;
    for id in gone {
        altering.staged.writer.keys.remove(id);
        altering.staged.writer.outputs.remove(id);
        if altering.staged.state.tables.contains_key(id) {
            altering.apply(Change::Drop(*id))?;
        }
    }
    Ok(())
}
