//! Everything of the catalog that a statement names, fetched once before binding, views included.

use std::collections::HashMap;
use std::sync::Arc;

use sqlparser::ast::{Query, Statement};

use crate::error::QueryError;
use crate::names::{self, Mentions};
use crate::parse;
use crate::relation::{Access, Relation, RelationData, Relations, SqlFunction};

/// A relation's name as written: the schema, if any, and the name.
pub(crate) type Key = (Option<String>, String);

/// What the statement may refer to.
#[derive(Default)]
pub(crate) struct Catalog {
    relations: HashMap<Key, Relation>,
    views: HashMap<Key, Query>,
    functions: HashMap<Key, Vec<SqlFunction>>,
    object_ids: HashMap<String, i32>,
    all_ids: HashMap<Key, i32>,
    definitions: HashMap<i32, String>,
    access: Option<Arc<dyn Access>>,
}

impl Catalog {
    /// Fetches what the statement mentions, and what its views mention, each once.
    pub(crate) async fn load(
        statement: &Statement,
        relations: &dyn Relations,
    ) -> Result<Self, QueryError> {
        let mut catalog = Self::default();
        catalog.add(statement, relations).await?;
        Ok(catalog)
    }

    /// The same of a further statement.
    pub(crate) async fn add(
        &mut self,
        statement: &Statement,
        relations: &dyn Relations,
    ) -> Result<(), QueryError> {
        let mut pending = vec![names::mentions(statement)];
        while let Some(mentions) = pending.pop() {
            self.fetch(mentions, relations, &mut pending).await?;
        }
        Ok(())
    }

    async fn fetch(
        &mut self,
        mentions: Mentions,
        relations: &dyn Relations,
        pending: &mut Vec<Mentions>,
    ) -> Result<(), QueryError> {
        for key in mentions.relations {
            if self.relations.contains_key(&key) {
                continue;
            }
            let Some(relation) = relations.relation(key.0.as_deref(), &key.1).await? else {
                continue;
            };
            if let RelationData::View { sql, .. } = &relation.data {
                let query = parse::query(sql)?;
                pending.push(names::mentions_of_query(&query));
                self.views.insert(key.clone(), query);
            }
            self.relations.insert(key, relation);
        }
        for key in mentions.functions {
            if self.functions.contains_key(&key) {
                continue;
            }
            if matches!(key.1.as_str(), "pg_get_viewdef" | "pg_get_indexdef") {
                self.definitions = relations.definitions().await?;
            }
            if names::asks_for_privileges(&key.1) {
                self.access = Some(relations.access());
            }
            let found = relations.functions(key.0.as_deref(), &key.1).await?;
            for function in &found {
                pending.push(names::mentions_of_query(&parse::function_body(
                    &function.body,
                )?));
            }
            self.functions.insert(key, found);
        }
        if mentions.any_object {
            self.all_ids = relations.object_ids().await?;
        }
        for name in mentions.object_names {
            let (schema, table) = names::key_of_text(&name);
            if let Some(id) = relations.object_id(schema.as_deref(), &table).await? {
                self.object_ids.insert(name, id);
            }
        }
        Ok(())
    }

    pub(crate) fn relation(&self, key: &Key) -> Option<&Relation> {
        self.relations.get(key)
    }

    pub(crate) fn view(&self, key: &Key) -> Option<&Query> {
        self.views.get(key)
    }

    pub(crate) fn functions(&self, key: &Key) -> &[SqlFunction] {
        self.functions.get(key).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn definitions(&self) -> &HashMap<i32, String> {
        &self.definitions
    }

    /// Who may do what; only for statements that call a function of privileges.
    pub(crate) fn access(&self) -> Option<&Arc<dyn Access>> {
        self.access.as_ref()
    }

    /// The numbers of all relations; empty where only literals are cast to regclass.
    pub(crate) fn all_ids(&self) -> &HashMap<Key, i32> {
        &self.all_ids
    }

    pub(crate) fn object_id(&self, name: &str) -> Option<i32> {
        self.object_ids.get(name).copied()
    }
}
