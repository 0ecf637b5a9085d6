//! Who may do what, for the queries that ask: owners and superusers everything, others what was granted.

use std::sync::Arc;

use rwt_query::{Access, Named, Privilege, QueryError, Securable};

use crate::catalog::{Catalog, ObjectId, SearchPath, User};
use crate::session::privileges::{function_of_text, holds};

/// The user that owns the databases.
const ROOT: u32 = 1;

/// The users and grants of a catalog, as a session with this search path names its objects.
pub(crate) struct Grants {
    pub catalog: Arc<Catalog>,
    pub path: SearchPath,
}

fn missing(what: &'static str, text: impl std::fmt::Display) -> QueryError {
    QueryError::Evaluation(format!("Invalid parameter {what}: {text}"))
}

fn number(id: i32) -> ObjectId {
    ObjectId::try_from(id).unwrap_or(ObjectId::MAX)
}

impl Grants {
    fn user(&self, user: Named<'_>) -> Result<&User, QueryError> {
        let found = match user {
            Named::Id(id) => u32::try_from(id)
                .ok()
                .and_then(|id| self.catalog.users.get(&id)),
            Named::Name(name) => self.catalog.user(name),
        };
        found.ok_or_else(|| match user {
            Named::Id(id) => missing("user", format!("User {id} not found")),
            Named::Name(name) => missing("user", format!("User {name} not found")),
        })
    }

    /// An object's number and its owner; `None` for a system table, which everybody may read.
    fn object(
        &self,
        on: Securable,
        object: Named<'_>,
    ) -> Result<Option<(ObjectId, u32)>, QueryError> {
        let catalog = &self.catalog;
        let found = match (on, object) {
            (Securable::Schema, _) => {
                let mut schemas = catalog.schemas.values();
                let found = schemas.find(|schema| match object {
                    Named::Id(id) => schema.id == number(id),
                    Named::Name(name) => schema.name == name,
                });
                let system = || Some((crate::system::system_schema(object)?, ROOT));
                found
                    .map(|schema| (schema.id, schema.owner))
                    .or_else(system)
            }
            (Securable::Database, _) => {
                let fits = |(id, name): &&(ObjectId, String)| match object {
                    Named::Id(wanted) => *id == number(wanted),
                    Named::Name(wanted) => name == wanted,
                };
                let database = catalog.databases.iter().find(fits);
                database.map(|(id, _)| (*id, ROOT))
            }
            (Securable::Function, Named::Name(text)) => {
                let id = function_of_text(catalog, text, &self.path);
                let id = id.map_err(|e| missing("function", e.root_cause()))?;
                catalog.get(id).map(|o| (o.id, o.owner))
            }
            (_, Named::Id(id)) => match catalog.get(number(id)) {
                Some(object) => Some((object.id, object.owner)),
                None if on == Securable::Object && crate::system::is_system(id) => {
                    return Ok(None);
                }
                None => return Err(missing("oid", format!("Table {id} not found"))),
            },
            (Securable::Object, Named::Name(name)) => {
                return Err(missing("name", format!("class not found: {name}")));
            }
        };
        let kind = match on {
            Securable::Database => "database",
            _ => "schema",
        };
        let lost = || match object {
            Named::Id(id) => missing(kind, format!("{kind} not found: {id}")),
            Named::Name(name) => missing(kind, format!("{kind} not found: {name}")),
        };
        found.ok_or_else(lost).map(Some)
    }
}

impl Access for Grants {
    fn holds(
        &self,
        user: Named<'_>,
        on: Securable,
        object: Named<'_>,
        privileges: &[Privilege],
    ) -> Result<bool, QueryError> {
        let Some((object, owner)) = self.object(on, object)? else {
            return Ok(true);
        };
        let user = self.user(user)?;
        if user.superuser || user.id == owner {
            return Ok(true);
        }
        let letters = self.catalog.granted(object, user.id);
        let mut wanted = privileges.iter();
        Ok(wanted.all(|p| holds(&letters, p.letter, p.grant_option)))
    }
}
