//! From a written name to an object: databases, schemas, the search path, kinds.

use rwt_sql::{Ident, ObjectName};
use rwt_wire::{SqlError, SqlState};

use super::{Body, Catalog, DATABASE, Definition, Kind, Object, ObjectId, SYSTEM_SCHEMAS, Schema};

/// The schemas of a session's search path, `"$user"` replaced.
#[derive(Debug, Clone)]
pub struct SearchPath(pub Vec<String>);

impl Catalog {
    /// The schema of a name that says one.
    pub fn find_schema(&self, name: &str) -> Result<&Schema, SqlError> {
        self.schema(name)
            .ok_or_else(|| SqlError::not_found("schema", name))
    }

    /// The first schema of the path that exists.
    pub fn current_schema(&self, path: &SearchPath) -> Option<&Schema> {
        path.0.iter().find_map(|name| self.schema(name))
    }

    /// The schema in which a statement creates an object.
    pub fn target_schema(
        &self,
        name: &ObjectName,
        path: &SearchPath,
    ) -> Result<ObjectId, SqlError> {
        if let Some(database) = name.database()
            && database != DATABASE
        {
            return Err(SqlError::internal(format!(
                "Invalid input syntax: cross-database references are not implemented: \"{}\"",
                name.0
                    .iter()
                    .map(Ident::value)
                    .collect::<Vec<_>>()
                    .join(".")
            )));
        }
        match name.schema() {
            Some(schema) if SYSTEM_SCHEMAS.contains(&schema) => Err(SqlError::internal(format!(
                "Protocol error: permission denied to write on \"{schema}\", System catalog modifications are currently disallowed."
            ))),
            Some(schema) => Ok(self.find_schema(schema)?.id),
            None => self
                .current_schema(path)
                .map(|s| s.id)
                .ok_or_else(|| SqlError::not_found("first valid schema", "search_path")),
        }
    }

    /// The object that a test accepts, under this name.
    fn lookup(
        &self,
        name: &ObjectName,
        path: &SearchPath,
        accept: impl Fn(&Object) -> bool,
    ) -> Option<&Object> {
        if name.database().is_some_and(|d| d != DATABASE) {
            return None;
        }
        let in_schema = |schema: &str| {
            let schema = self.schema(schema)?.id;
            self.objects
                .values()
                .find(|o| o.schema == schema && o.name == name.name() && accept(o))
        };
        match name.schema() {
            Some(schema) => in_schema(schema),
            None => path.0.iter().find_map(|schema| in_schema(schema)),
        }
    }

    /// The object of a kind.
    pub fn find(&self, kind: Kind, name: &ObjectName, path: &SearchPath) -> Option<&Object> {
        self.lookup(name, path, |o| o.kind() == kind)
    }

    /// Any relation of this name.
    pub fn find_relation(&self, name: &ObjectName, path: &SearchPath) -> Option<&Object> {
        self.lookup(name, path, |o| o.kind().is_relation())
    }

    /// A relation that a query can read.
    pub fn find_readable(&self, name: &ObjectName, path: &SearchPath) -> Option<&Object> {
        self.lookup(name, path, |o| {
            matches!(
                o.kind(),
                Kind::Table | Kind::Source | Kind::View | Kind::MaterializedView
            )
        })
    }

    /// The object of a kind, or RisingWave's words for its absence.
    pub fn require(
        &self,
        kind: Kind,
        name: &ObjectName,
        path: &SearchPath,
    ) -> Result<&Object, SqlError> {
        self.check_schema(name)?;
        self.find(kind, name, path)
            .ok_or_else(|| SqlError::not_found(kind.noun(), name.name()))
    }

    /// An error if the name says a schema that does not exist.
    pub fn check_schema(&self, name: &ObjectName) -> Result<(), SqlError> {
        match name.schema() {
            Some(schema) if !SYSTEM_SCHEMAS.contains(&schema) => {
                self.find_schema(schema).map(|_| ())
            }
            _ => Ok(()),
        }
    }

    /// An error if something of the same name space has this name.
    pub fn check_free(&self, schema: ObjectId, kind: Kind, name: &str) -> Result<(), SqlError> {
        let taken = if kind.is_relation() {
            self.relation(schema, name)
        } else {
            self.object(schema, kind, name)
        };
        match taken {
            None => Ok(()),
            Some(object) => Err(SqlError::exists(object.kind().noun(), name)),
        }
    }
}

impl Catalog {
    /// A new object where `name` means it, with a number of its own; it has no columns and reads nothing yet, and is not
    /// in the catalog.
    ///
    /// # Errors
    /// There is no such schema, or the name is taken.
    pub fn draft(
        &mut self,
        name: &ObjectName,
        path: &SearchPath,
        owner: u32,
        definition: Definition,
        body: Body,
    ) -> Result<Object, SqlError> {
        let schema = self.target_schema(name, path)?;
        self.check_free(schema, body.kind(), name.name())?;
        Ok(self.draft_in(schema, name, owner, definition, body))
    }

    /// The same in a schema that the caller has found to have room for it.
    pub fn draft_in(
        &mut self,
        schema: ObjectId,
        name: &ObjectName,
        owner: u32,
        definition: Definition,
        body: Body,
    ) -> Object {
        let id = self.take_id();
        self.grant_defaults(id, owner, Some(schema), body.kind().noun());
        Object {
            id,
            schema,
            name: name.name().to_owned(),
            owner,
            definition,
            columns: Vec::new(),
            depends_on: Vec::new(),
            created_at: chrono::Utc::now().timestamp_micros(),
            comment: None,
            part_of: None,
            body,
        }
    }
}

/// An `XX000` whose only cause is `Invalid input syntax: …`.
pub(crate) fn invalid_input(text: impl std::fmt::Display) -> SqlError {
    SqlError::new(SqlState::Internal, format!("Invalid input syntax: {text}"))
}
