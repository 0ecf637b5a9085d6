//! dbt's relation: database, schema, name and kind of something in the database, and how it is written.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Kwargs, Object, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use rwt_sql::Ident;

use super::collections::{dict, list};
use super::error::raise;

/// A relation. Its text is `"database"."schema"."identifier"`, or what `include` and `quote` left of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// Database.
    pub database: Option<String>,
    /// Schema.
    pub schema: Option<String>,
    /// Name; none for a schema.
    pub identifier: Option<String>,
    /// dbt-risingwave's word for its kind: `table`, `view`, `materialized_view`, `source`, `sink`, …
    pub kind: Option<String>,
    /// Which parts are written: database, schema, identifier.
    pub include: [bool; 3],
    /// Which parts are quoted.
    pub quote: [bool; 3],
    /// What is left of its rows where it is read.
    pub event_time: Option<EventTimeFilter>,
    /// Nothing is left of its rows where it is read: `--empty`.
    pub is_emptied: bool,
    /// Text that stands for the whole, for an ephemeral model's CTE.
    pub literal: Option<String>,
}

/// The rows of a span of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTimeFilter {
    /// The column, as SQL.
    pub column: String,
    /// The first moment, as text.
    pub start: String,
    /// The first moment behind it, as text.
    pub end: String,
}

const PARTS: [&str; 3] = ["database", "schema", "identifier"];

impl Relation {
    /// A relation with all three parts, quoted.
    pub fn new(database: &str, schema: &str, identifier: &str) -> Self {
        let part = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Self {
            database: part(database),
            schema: part(schema),
            identifier: part(identifier),
            kind: None,
            include: [true; 3],
            quote: [true; 3],
            event_time: None,
            is_emptied: false,
            literal: None,
        }
    }

    /// The same with a kind.
    #[must_use]
    pub fn of_kind(mut self, kind: &str) -> Self {
        self.kind = Some(kind.to_owned());
        self
    }

    /// A common table expression under this name.
    pub fn cte(name: &str) -> Self {
        Self {
            literal: Some(name.to_owned()),
            ..Self::new("", "", name).of_kind("cte")
        }
    }

    /// The relation behind a template's value.
    ///
    /// # Errors
    /// The value is none.
    pub fn from_value(value: &Value) -> Result<Arc<Self>, Error> {
        value.downcast_object::<Self>().ok_or_else(|| {
            raise(
                "rwt::jinja::relation",
                format!("expected a relation, not {}", value.kind()),
                Some("`this`, ref(), source() and api.Relation.create() give relations".to_owned()),
            )
        })
    }

    /// The relation as a template's value.
    pub fn value(self) -> Value {
        Value::from_object(self)
    }

    fn parts(&self) -> [Option<&str>; 3] {
        [
            self.database.as_deref(),
            self.schema.as_deref(),
            self.identifier.as_deref(),
        ]
    }

    fn with(&self, keywords: &Kwargs) -> Result<Self, Error> {
        let mut out = self.clone();
        let path: Option<Value> = keywords.get("path")?;
        for (name, slot) in [
            ("database", &mut out.database),
            ("schema", &mut out.schema),
            ("identifier", &mut out.identifier),
        ] {
            let direct: Option<Value> = keywords.get(name)?;
            let from_path = path.as_ref().and_then(|path| path.get_attr(name).ok());
            if let Some(value) = direct.or(from_path).filter(|value| !value.is_undefined()) {
                *slot = (!value.is_none()).then(|| value.to_string());
            }
        }
        if let Some(kind) = keywords.get::<Option<Value>>("type")? {
            out.kind = (!kind.is_none() && !kind.is_undefined()).then(|| kind.to_string());
        }
        for (name, flags) in [("include_policy", 0), ("quote_policy", 1)] {
            if let Some(policy) = keywords.get::<Option<Value>>(name)? {
                for (i, part) in PARTS.iter().enumerate() {
                    if let Ok(flag) = policy.get_attr(part)
                        && !flag.is_undefined()
                    {
                        let target = if flags == 0 {
                            &mut out.include
                        } else {
                            &mut out.quote
                        };
                        target[i] = flag.is_true();
                    }
                }
            }
        }
        keywords.assert_all_used()?;
        Ok(out)
    }

    fn flags(now: [bool; 3], keywords: &Kwargs) -> Result<[bool; 3], Error> {
        let mut out = now;
        for (slot, name) in out.iter_mut().zip(PARTS) {
            if let Some(value) = keywords.get::<Option<Value>>(name)? {
                *slot = value.is_true();
            }
        }
        keywords.assert_all_used()?;
        Ok(out)
    }
}

impl Relation {
    /// The name, whatever is left of the rows.
    fn write_name(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(literal) = &self.literal {
            return f.write_str(literal);
        }
        let mut first = true;
        for (i, part) in self.parts().into_iter().enumerate() {
            let Some(part) = part.filter(|_| self.include[i]) else {
                continue;
            };
            if !first {
                f.write_str(".")?;
            }
            first = false;
            if self.quote[i] {
                f.write_str(&Ident::new(part).quoted())?;
            } else {
                f.write_str(part)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.identifier.as_deref().unwrap_or_default();
        for _ in 0..usize::from(self.event_time.is_some()) + usize::from(self.is_emptied) {
            f.write_str("(select * from ")?;
        }
        self.write_name(f)?;
        if self.is_emptied {
            write!(f, " where false limit 0) _dbt_limit_subq_{name}")?;
        }
        match &self.event_time {
            Some(EventTimeFilter { column, start, end }) => write!(
                f,
                " where {column} >= '{start}' and {column} < '{end}') _dbt_et_filter_subq_{name}"
            ),
            None => Ok(()),
        }
    }
}

impl Object for Relation {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let optional = |part: &Option<String>| Value::from(part.clone());
        let is = |kinds: &[&str]| {
            Value::from(
                self.kind
                    .as_deref()
                    .is_some_and(|kind| kinds.contains(&kind)),
            )
        };
        Some(match key.as_str()? {
            "database" => optional(&self.database),
            "schema" => optional(&self.schema),
            "identifier" | "table" | "name" => optional(&self.identifier),
            "type" => optional(&self.kind),
            // dbt_utils tells relations from other values by this.
            "metadata" => dict([(Value::from("type"), Value::from("RisingWaveRelation"))]),
            "path" => dict([
                (Value::from("database"), optional(&self.database)),
                (Value::from("schema"), optional(&self.schema)),
                (Value::from("identifier"), optional(&self.identifier)),
            ]),
            "quote_character" => Value::from("\""),
            "is_table" => is(&["table"]),
            "is_view" => is(&["view"]),
            "is_cte" => is(&["cte"]),
            "is_materialized_view" => is(&["materialized_view", "materializedview"]),
            "is_source" => is(&["source"]),
            "is_sink" => is(&["sink"]),
            "is_connection" => is(&["connection"]),
            "is_secret" => is(&["secret"]),
            "is_subscription" => is(&["subscription"]),
            "is_index" => is(&["index"]),
            "is_external" => is(&["external"]),
            "is_function" => is(&["function"]),
            _ => return None,
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&["database", "schema", "identifier", "type"])
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "render" => {
                let all = Self {
                    event_time: None,
                    is_emptied: false,
                    ..Self::clone(self)
                };
                Ok(Value::from(all.to_string()))
            }
            "__str__" => Ok(Value::from(self.to_string())),
            "include" => {
                let (keywords,): (Kwargs,) = from_args(args)?;
                let include = Self::flags(self.include, &keywords)?;
                Ok(Self {
                    include,
                    ..Self::clone(self)
                }
                .value())
            }
            "quote" => {
                let (keywords,): (Kwargs,) = from_args(args)?;
                let quote = Self::flags(self.quote, &keywords)?;
                Ok(Self {
                    quote,
                    ..Self::clone(self)
                }
                .value())
            }
            "incorporate" | "replace" | "replace_path" => {
                let (keywords,): (Kwargs,) = from_args(args)?;
                Ok(self.with(&keywords)?.value())
            }
            "information_schema" => {
                let (view,): (Option<String>,) = from_args(args)?;
                let database = self
                    .database
                    .as_deref()
                    .map(|name| format!("{}.", Ident::new(name).quoted()));
                let view = view.map(|view| format!(".{view}"));
                let text = format!(
                    "{}INFORMATION_SCHEMA{}",
                    database.unwrap_or_default(),
                    view.unwrap_or_default()
                );
                Ok(Self {
                    literal: Some(text),
                    identifier: None,
                    ..Self::clone(self)
                }
                .value())
            }
            "get" => {
                let (key, default): (Value, Option<Value>) = from_args(args)?;
                Ok(self
                    .get_value(&key)
                    .or(default)
                    .unwrap_or_else(|| Value::from(())))
            }
            "relation_max_name_length" => Ok(Value::from(1024)),
            "without_identifier" => Ok(Self {
                identifier: None,
                ..Self::clone(self)
            }
            .value()),
            "add_ephemeral_prefix" => {
                let (name,): (String,) = from_args(args)?;
                Ok(Value::from(format!("__dbt__cte__{name}")))
            }
            "create" => create(args),
            "scd_args" => {
                let (key, updated_at): (Value, Value) = from_args(args)?;
                let keys = match key.kind() {
                    ValueKind::Seq => key.try_iter()?.collect(),
                    _ => vec![key],
                };
                Ok(list(keys.into_iter().chain([updated_at])))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// `api.Relation.create(database=…, schema=…, identifier=…, type=…)`
///
/// # Errors
/// An argument that relations do not have.
pub fn create(args: &[Value]) -> Result<Value, Error> {
    let (database, schema, identifier, keywords): (
        Option<Value>,
        Option<Value>,
        Option<Value>,
        Kwargs,
    ) = from_args(args)?;
    let mut out = Relation::new("", "", "").with(&keywords)?;
    let text = |value: Option<Value>| value.filter(|v| !v.is_none()).map(|v| v.to_string());
    out.database = out.database.or_else(|| text(database));
    out.schema = out.schema.or_else(|| text(schema));
    out.identifier = out.identifier.or_else(|| text(identifier));
    Ok(out.value())
}
