//! What objects are called and which kinds there are.

use std::fmt;

use rwt_sql::statement::ObjectKind;
use rwt_sql::{Ident, ObjectName};
use serde::{Deserialize, Serialize};

/// An object's schema and name, as stored. A plan is about one database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RelationName {
    /// Its schema.
    pub schema: String,
    /// Its name in the schema.
    pub name: String,
}

impl RelationName {
    /// From its parts.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            schema: schema.into(),
            name: name.into(),
        }
    }

    /// A name as a statement writes it; without a schema it means `default_schema`.
    pub fn of(name: &ObjectName, default_schema: &str) -> Self {
        Self::new(name.schema().unwrap_or(default_schema), name.name())
    }

    /// Another name in the same schema.
    pub fn sibling(&self, name: impl Into<String>) -> Self {
        Self::new(self.schema.clone(), name)
    }

    /// Whether RisingWave made the object for an engine table, so that no listing shows it and no plan touches it.
    pub fn is_hidden(&self) -> bool {
        self.name.starts_with("__iceberg_")
    }

    /// As SQL: `schema.name`.
    pub fn to_object_name(&self) -> ObjectName {
        ObjectName(vec![Ident::new(&self.schema), Ident::new(&self.name)])
    }
}

impl fmt::Display for RelationName {
    /// As SQL: `schema.name`, quoted where needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_object_name().fmt(f)
    }
}

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Kind {
    Table,
    Source,
    View,
    MaterializedView,
    Sink,
    Subscription,
    Connection,
    Secret,
    Index,
    Function,
}

impl Kind {
    const ALL: [Self; 10] = [
        Self::Table,
        Self::Source,
        Self::View,
        Self::MaterializedView,
        Self::Sink,
        Self::Subscription,
        Self::Connection,
        Self::Secret,
        Self::Index,
        Self::Function,
    ];

    /// A kind by its words in the catalog or in dbt: `materialized view` and `materialized_view` are one.
    pub fn parse(words: &str) -> Option<Self> {
        let words = words.replace('_', " ");
        Self::ALL
            .into_iter()
            .find(|kind| kind.to_string().eq_ignore_ascii_case(&words))
    }

    /// The kind's words in SQL.
    pub fn sql(self) -> ObjectKind {
        match self {
            Self::Table => ObjectKind::Table,
            Self::Source => ObjectKind::Source,
            Self::View => ObjectKind::View,
            Self::MaterializedView => ObjectKind::MaterializedView,
            Self::Sink => ObjectKind::Sink,
            Self::Subscription => ObjectKind::Subscription,
            Self::Connection => ObjectKind::Connection,
            Self::Secret => ObjectKind::Secret,
            Self::Index => ObjectKind::Index,
            Self::Function => ObjectKind::Function,
        }
    }

    /// Objects of one namespace cannot have the same name in a schema: tables, sources, views, materialized views,
    /// sinks, subscriptions and indexes are one; connections, secrets and functions are each their own.
    pub fn namespace(self) -> Self {
        match self {
            Self::Connection | Self::Secret | Self::Function => self,
            _ => Self::Table,
        }
    }

    /// Whether `ALTER … RENAME TO` gives it another name.
    pub fn is_renamable(self) -> bool {
        !matches!(self, Self::Connection | Self::Secret | Self::Function)
    }

    /// Whether `SELECT` reads it: a view, a materialized view, a table or a source.
    pub fn is_readable(self) -> bool {
        matches!(
            self,
            Self::Table | Self::Source | Self::View | Self::MaterializedView
        )
    }
}

impl fmt::Display for Kind {
    /// Its words, lower case: `materialized view`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sql().to_string().to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_known_by_both_spellings() {
        assert_eq!(
            Kind::parse("materialized view"),
            Some(Kind::MaterializedView)
        );
        assert_eq!(
            Kind::parse("materialized_view"),
            Some(Kind::MaterializedView)
        );
        assert_eq!(Kind::parse("system table"), None);
    }

    #[test]
    fn names_are_quoted_where_needed() {
        assert_eq!(RelationName::new("public", "a").to_string(), "public.a");
        assert_eq!(
            RelationName::new("Raw", "order").to_string(),
            "\"Raw\".\"order\""
        );
    }
}
