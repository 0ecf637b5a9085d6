//! What statements leave behind: which objects exist and which settings are in effect.

use std::collections::HashMap;

use rwt_sql::statement::ObjectKind;
use rwt_sql::{ObjectName, Statement};

use super::session::ExistingRelation;

/// The state of a session on a database that was empty before.
#[derive(Debug, Clone)]
pub struct Effects {
    database: String,
    schema: String,
    objects: HashMap<(String, String), &'static str>,
    settings: HashMap<String, Vec<String>>,
}

/// An object that a statement makes: its kind in dbt-risingwave's words, its name, and whether it may be there already.
pub fn created(statement: &Statement) -> Option<(&'static str, &ObjectName, bool)> {
    Some(match statement {
        Statement::CreateSource(create) => ("source", &create.name, create.if_not_exists),
        Statement::CreateTable(create) => ("table", &create.name, create.if_not_exists),
        Statement::CreateView(create) => ("view", &create.name, create.if_not_exists),
        Statement::CreateMaterializedView(create) => {
            ("materialized_view", &create.name, create.if_not_exists)
        }
        Statement::CreateSink(create) => ("sink", &create.name, create.if_not_exists),
        Statement::CreateConnection(create) => ("connection", &create.name, create.if_not_exists),
        Statement::CreateSecret(create) => ("secret", &create.name, create.if_not_exists),
        Statement::CreateIndex(create) => ("index", &create.name, create.if_not_exists),
        Statement::CreateSubscription(create) => {
            ("subscription", &create.name, create.if_not_exists)
        }
        Statement::CreateSchema(create) => ("schema", &create.name, create.if_not_exists),
        _ => return None,
    })
}

impl Effects {
    /// An empty database; names without a schema mean `schema`.
    pub fn new(database: &str, schema: &str) -> Self {
        Self {
            database: database.to_owned(),
            schema: schema.to_owned(),
            objects: HashMap::new(),
            settings: HashMap::new(),
        }
    }

    /// Takes a statement in. False if it changes nothing that earlier ones have not done: a setting that already has
    /// the value, an object that is there and may be.
    pub fn apply(&mut self, statement: &Statement) -> bool {
        if let Statement::Set { name, values } = statement {
            let before = self.settings.get(name);
            if values.is_empty() {
                return self.settings.remove(name).is_some();
            }
            if before == Some(values) {
                return false;
            }
            self.settings.insert(name.clone(), values.clone());
            return true;
        }
        if let Some((kind, name, if_not_exists)) = created(statement) {
            let key = self.key(kind, name);
            if if_not_exists && self.objects.contains_key(&key) {
                return false;
            }
            self.objects.insert(key, kind);
            return true;
        }
        if let Statement::Drop(drop) = statement {
            for name in &drop.names {
                let kind = if drop.kind == ObjectKind::Schema {
                    "schema"
                } else {
                    ""
                };
                self.objects.remove(&self.key(kind, name));
            }
        }
        true
    }

    fn key(&self, kind: &str, name: &ObjectName) -> (String, String) {
        if kind == "schema" {
            return (String::new(), name.name().to_owned());
        }
        let schema = name.schema().unwrap_or(&self.schema);
        (schema.to_owned(), name.name().to_owned())
    }

    /// The object of this name.
    pub fn relation(&self, schema: &str, identifier: &str) -> Option<ExistingRelation> {
        let kind = self
            .objects
            .get(&(schema.to_owned(), identifier.to_owned()))?;
        Some(ExistingRelation {
            database: self.database.clone(),
            schema: schema.to_owned(),
            identifier: identifier.to_owned(),
            kind: (*kind).to_owned(),
        })
    }
}
