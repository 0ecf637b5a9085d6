//! JSON messages as rows, with RisingWave's rules for what does not fit (`golden/facts.md` 7): text that is no JSON makes
//! no row, everything else makes exactly one, and a value that does not fit its column is NULL.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A JSON value, whose texts are those of the message where they can be. Objects keep their fields in order, repeated
/// ones too.
#[derive(Debug, Clone, PartialEq)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number beyond `i64`.
    BigInt(u64),
    /// Any other number.
    Float(f64),
    /// A string.
    Text(Cow<'a, str>),
    /// An array.
    List(Vec<Json<'a>>),
    /// An object.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
    /// Bytes, as Avro has them and no JSON.
    Bytes(Vec<u8>),
    /// Microseconds since 1970, the same.
    Micros(i64),
}

/// Fields of an object for which there is room at once.
const FIELDS: usize = 8;

impl<'a> Json<'a> {
    /// Parses a whole message.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The field of this name: upper and lower case are the same, the first of several counts.
    pub fn field(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(fields) => fields
                .iter()
                .find(|(key, _)| is_same_name(key, name))
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// The value without the message.
    pub fn into_owned(self) -> Json<'static> {
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(value),
            Self::Int(value) => Json::Int(value),
            Self::BigInt(value) => Json::BigInt(value),
            Self::Float(value) => Json::Float(value),
            Self::Text(text) => Json::Text(text.into_owned().into()),
            Self::List(items) => Json::List(items.into_iter().map(Json::into_owned).collect()),
            Self::Object(fields) => {
                let fields = fields.into_iter();
                let owned =
                    fields.map(|(key, value)| (key.into_owned().into(), value.into_owned()));
                Json::Object(owned.collect())
            }
            Self::Bytes(bytes) => Json::Bytes(bytes),
            Self::Micros(micros) => Json::Micros(micros),
        }
    }

    /// What kind of value it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::BigInt(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
            Self::Bytes(_) => "bytes",
            Self::Micros(_) => "a timestamp",
        }
    }

    /// The text of a number, string or boolean.
    pub fn scalar_text(&self) -> Option<String> {
        Some(match self {
            Self::Text(text) => text.to_string(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::BigInt(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            _ => return None,
        })
    }

    /// As `jsonb` prints it: a blank behind `:` and `,`, fields sorted, the last of repeated fields.
    pub fn jsonb_text(&self) -> String {
        let mut out = String::new();
        self.write_jsonb(&mut out);
        out
    }

    fn write_jsonb(&self, out: &mut String) {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        match self {
            Self::Null => out.push_str("null"),
            // These are for people: no jsonb column is made of them.
            Self::Bytes(bytes) => out.push_str(&format!("{} bytes", bytes.len())),
            Self::Micros(micros) => out.push_str(&micros.to_string()),
            Self::Bool(value) => out.push_str(&value.to_string()),
            Self::Int(value) => out.push_str(&value.to_string()),
            Self::BigInt(value) => out.push_str(&value.to_string()),
            Self::Float(value) => out.push_str(&serde_json::Value::from(*value).to_string()),
            Self::Text(text) => out.push_str(&quoted(text)),
            Self::List(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push_str(", ");
                    }
                    item.write_jsonb(out);
                }
                out.push(']');
            }
            Self::Object(fields) => {
                let sorted: std::collections::BTreeMap<&str, &Self> =
                    fields.iter().map(|(k, v)| (k.as_ref(), v)).collect();
                out.push('{');
                for (i, (key, value)) in sorted.into_iter().enumerate() {
                    if i > 0 {
                        out.push_str(", ");
                    }
                    out.push_str(&quoted(key));
                    out.push_str(": ");
                    value.write_jsonb(out);
                }
                out.push('}');
            }
        }
    }
}

fn is_same_name(a: &str, b: &str) -> bool {
    let beyond_ascii = || !(a.is_ascii() && b.is_ascii());
    a.eq_ignore_ascii_case(b) || (beyond_ascii() && a.to_lowercase() == b.to_lowercase())
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct JsonVisitor;

        impl<'de> Visitor<'de> for JsonVisitor {
            type Value = Json<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_unit<E>(self) -> Result<Json<'de>, E> {
                Ok(Json::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
                Ok(Json::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
                Ok(Json::Int(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
                Ok(i64::try_from(value).map_or(Json::BigInt(value), Json::Int))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Json<'de>, E> {
                Ok(Json::Float(value))
            }
            fn visit_str<E>(self, value: &str) -> Result<Json<'de>, E> {
                Ok(Json::Text(value.to_owned().into()))
            }
            fn visit_string<E>(self, value: String) -> Result<Json<'de>, E> {
                Ok(Json::Text(value.into()))
            }
            fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'de>, E> {
                Ok(Json::Text(value.into()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json<'de>, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Json::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Json<'de>, A::Error> {
                let mut object = Vec::with_capacity(FIELDS);
                while let Some((key, value)) = fields.next_entry()? {
                    if let Json::Text(key) = key {
                        object.push((key, value));
                    }
                }
                Ok(Json::Object(object))
            }
        }

        deserializer.deserialize_any(JsonVisitor)
    }
}
