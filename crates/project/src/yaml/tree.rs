//! The tree that a YAML file becomes.

use indexmap::IndexMap;
use serde_json::Value;

use super::file::Location;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Yaml {
    /// What it is.
    pub kind: Kind,
    /// Where it stands; for a mapping or list, where its text begins and ends.
    pub at: Location,
}

/// The kinds of values.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// `null`, `~` or nothing.
    Null,
    /// `true`, `false` and YAML 1.1's `yes`, `no`, `on`, `off`, as PyYAML and so dbt reads them.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text, with its Jinja unrendered.
    Text(String),
    /// A sequence.
    List(Vec<Yaml>),
    /// A mapping, in the order written.
    Map(IndexMap<String, Entry>),
}

/// A key's place and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Where the key stands.
    pub key: Location,
    /// Its value.
    pub value: Yaml,
}

impl Yaml {
    /// For messages: what a reader would call the value.
    pub fn describe(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "a boolean",
            Kind::Int(_) | Kind::Float(_) => "a number",
            Kind::Text(_) => "text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }

    /// The mapping, if it is one.
    pub fn as_map(&self) -> Option<&IndexMap<String, Entry>> {
        match &self.kind {
            Kind::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The text, if it is text.
    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a key, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Yaml> {
        self.as_map()?.get(key).map(|entry| &entry.value)
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        self.kind == Kind::Null
    }

    /// The value without its places. A number that JSON has not (`.inf`, `.nan`) becomes text.
    pub fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Int(value) => Value::from(*value),
            Kind::Float(value) => serde_json::Number::from_f64(*value)
                .map_or_else(|| Value::String(value.to_string()), Value::Number),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => items.iter().map(Yaml::to_value).collect(),
            Kind::Map(map) => map
                .iter()
                .map(|(key, entry)| (key.clone(), entry.value.to_value()))
                .collect(),
        }
    }

    /// A value at a place; the inside of lists and mappings gets the same place.
    pub fn from_value(value: Value, at: &Location) -> Self {
        let kind = match value {
            Value::Null => Kind::Null,
            Value::Bool(value) => Kind::Bool(value),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(value), _) => Kind::Int(value),
                (None, Some(value)) => Kind::Float(value),
                (None, None) => Kind::Text(number.to_string()),
            },
            Value::String(text) => Kind::Text(text),
            Value::Array(items) => Kind::List(
                items
                    .into_iter()
                    .map(|item| Self::from_value(item, at))
                    .collect(),
            ),
            Value::Object(map) => Kind::Map(
                map.into_iter()
                    .map(|(key, value)| {
                        let entry = Entry {
                            key: at.clone(),
                            value: Self::from_value(value, at),
                        };
                        (key, entry)
                    })
                    .collect(),
            ),
        };
        Self {
            kind,
            at: at.clone(),
        }
    }
}
