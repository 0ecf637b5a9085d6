//! Avro messages without a schema registry, as RisingWave 2.8 reads them: the schema is a file, its fields are the
//! columns, and each message is an Avro object container of which the first record counts
//! (`src/connector/src/parser/avro` and `src/connector/codec/src/decoder/avro` of RisingWave).

use std::collections::HashMap;

use apache_avro::schema::{Name, RecordSchema, ResolvedSchema, UnionSchema};
use apache_avro::types::Value;
use apache_avro::{Decimal, Reader, Schema};
use arrow::datatypes::i256;
use rwt_sql::DataType;

use super::json::Json;
use crate::catalog::Avro;

/// Debezium's record for numbers whose scale is not fixed.
const VARIABLE_SCALE: (&str, &str) = ("VariableScaleDecimal", "io.debezium.data");

/// The schema of a source's messages, ready to read them.
#[derive(Debug)]
pub struct AvroSchema {
    schema: Schema,
    /// What references stand for.
    names: HashMap<Name, Schema>,
    maps_as_jsonb: bool,
}

impl AvroSchema {
    /// A source's schema; the error says what is wrong with its text.
    pub fn new(avro: &Avro) -> Result<Self, String> {
        let schema = Schema::parse_str(&avro.schema)
            .map_err(|error| format!("failed to parse avro schema: {error}"))?;
        let resolved = ResolvedSchema::try_from(&schema).map_err(|error| error.to_string())?;
        let names = resolved.get_names().iter();
        let names = names
            .map(|(name, schema)| (name.clone(), (*schema).clone()))
            .collect();
        Ok(Self {
            names,
            schema,
            maps_as_jsonb: avro.maps_as_jsonb,
        })
    }

    /// Names and types of the columns; the error names a type that RisingWave or this engine has no column for.
    pub fn columns(&self) -> Result<Vec<(String, DataType)>, String> {
        let Schema::Record(record) = &self.schema else {
            return Err("schema invalid, record type required at top level of the schema.".into());
        };
        let fields = record.fields.iter();
        fields
            .map(|field| {
                let data_type = self.data_type(&field.schema, &mut Vec::new())?;
                Ok((field.name.clone(), data_type))
            })
            .collect()
    }

    fn resolved<'s>(&'s self, schema: &'s Schema) -> &'s Schema {
        match schema {
            Schema::Ref { name } => self.names.get(name).unwrap_or(schema),
            other => other,
        }
    }

    fn data_type(&self, schema: &Schema, above: &mut Vec<String>) -> Result<DataType, String> {
        Ok(match self.resolved(schema) {
            Schema::Boolean => DataType::Boolean,
            Schema::Int => DataType::Integer,
            Schema::Long => DataType::BigInt,
            Schema::Float => DataType::Real,
            Schema::Double => DataType::Double,
            Schema::Decimal(_) => DataType::Numeric,
            Schema::String | Schema::Enum(_) | Schema::Uuid => DataType::Varchar,
            Schema::Bytes => DataType::Bytea,
            Schema::Date => DataType::Date,
            Schema::TimeMillis | Schema::TimeMicros => DataType::Time,
            Schema::LocalTimestampMillis | Schema::LocalTimestampMicros => DataType::Timestamp,
            Schema::TimestampMillis | Schema::TimestampMicros => DataType::Timestamptz,
            Schema::Duration => DataType::Interval,
            Schema::Record(record) if is_variable_scale(&record.name) => DataType::Numeric,
            Schema::Record(record) => {
                let name = record.name.fullname(None);
                if above.contains(&name) {
                    return Err(format!(
                        "circular reference detected in Avro schema: {} -> {name}",
                        above.join(" -> ")
                    ));
                }
                above.push(name);
                let fields = record.fields.iter();
                let fields = fields
                    .map(|field| Ok((field.name.clone(), self.data_type(&field.schema, above)?)))
                    .collect::<Result<_, String>>()?;
                above.pop();
                DataType::Struct(fields)
            }
            Schema::Array(array) => DataType::List(Box::new(self.data_type(&array.items, above)?)),
            Schema::Map(map) if self.maps_as_jsonb => match is_plain(&map.types) {
                true => DataType::Jsonb,
                false => {
                    return Err(format!(
                        "Feature is not yet implemented: Avro map type to jsonb: {:?}",
                        map.types
                    ));
                }
            },
            Schema::Map(_) => {
                return Err("Feature is not yet implemented: Avro maps as type map in the embedded engine; map.handling.mode = 'jsonb' makes jsonb of them".into());
            }
            Schema::Union(union) => match nullable(union) {
                Some(inner) => self.data_type(inner, above)?,
                None => {
                    let variants = union.variants().iter().filter(|v| !is_null(v));
                    let fields = variants
                        .map(|variant| {
                            Ok((
                                variant_name(variant)?.to_owned(),
                                self.data_type(variant, above)?,
                            ))
                        })
                        .collect::<Result<_, String>>()?;
                    DataType::Struct(fields)
                }
            },
            other => {
                return Err(format!(
                    "Feature is not yet implemented: Avro type: {other:?}"
                ));
            }
        })
    }

    /// The first record of a message.
    pub fn read(&self, payload: &[u8]) -> Result<Json<'static>, String> {
        let mut reader = Reader::with_schema(&self.schema, payload)
            .map_err(|error| format!("no Avro object container: {error}"))?;
        match reader.next() {
            Some(Ok(value)) => Ok(self.value(&self.schema, value)),
            Some(Err(error)) => Err(error.to_string()),
            None => Err("avro parse unexpected eof".into()),
        }
    }

    /// A value of a schema; NULL where it does not fit it.
    fn value(&self, schema: &Schema, value: Value) -> Json<'static> {
        match (self.resolved(schema), value) {
            (Schema::Union(union), Value::Union(at, value)) => self.variant(union, at, *value),
            (Schema::Record(record), Value::Record(fields)) if is_variable_scale(&record.name) => {
                variable_scale(fields).map_or(Json::Null, |text| Json::Text(text.into()))
            }
            (Schema::Record(record), Value::Record(fields)) => self.record(record, fields),
            (Schema::Array(array), Value::Array(items)) => {
                let items = items.into_iter();
                Json::List(items.map(|item| self.value(&array.items, item)).collect())
            }
            (Schema::Map(map), Value::Map(entries)) => {
                let entries = entries.into_iter();
                let entries =
                    entries.map(|(key, value)| (key.into(), self.value(&map.types, value)));
                Json::Object(entries.collect())
            }
            (Schema::Decimal(decimal), Value::Decimal(value)) => {
                let scale = i32::try_from(decimal.scale).ok();
                scale
                    .and_then(|scale| decimal_text(&value, scale))
                    .map_or(Json::Null, |text| Json::Text(text.into()))
            }
            (_, Value::Boolean(value)) => Json::Bool(value),
            (_, Value::Int(value)) => Json::Int(value.into()),
            (_, Value::Long(value)) => Json::Int(value),
            (_, Value::Float(value)) => Json::Float(value.into()),
            (_, Value::Double(value)) => Json::Float(value),
            (_, Value::String(text) | Value::Enum(_, text)) => Json::Text(text.into()),
            (_, Value::Uuid(id)) => Json::Text(id.as_hyphenated().to_string().into()),
            (_, Value::Bytes(bytes)) => Json::Bytes(bytes),
            // Days and microseconds are what columns of these types hold.
            (_, Value::Date(days)) => Json::Int(days.into()),
            (_, Value::TimeMillis(millis)) => Json::Int(i64::from(millis) * 1000),
            (_, Value::TimeMicros(micros)) => Json::Int(micros),
            (_, Value::TimestampMillis(millis) | Value::LocalTimestampMillis(millis)) => {
                millis.checked_mul(1000).map_or(Json::Null, Json::Micros)
            }
            (_, Value::TimestampMicros(micros) | Value::LocalTimestampMicros(micros)) => {
                Json::Micros(micros)
            }
            _ => Json::Null,
        }
    }

    fn variant(&self, union: &UnionSchema, at: u32, value: Value) -> Json<'static> {
        if let Some(inner) = nullable(union) {
            return match value {
                Value::Null => Json::Null,
                value => self.value(inner, value),
            };
        }
        let variants = union.variants();
        let variant = usize::try_from(at).ok().and_then(|at| variants.get(at));
        // Which variant it is stands in the field's name; the other fields are NULL.
        match variant.map(|variant| (variant, variant_name(variant))) {
            Some((variant, Ok(name))) if !is_null(variant) => {
                Json::Object(vec![(name.to_owned().into(), self.value(variant, value))])
            }
            _ => Json::Null,
        }
    }

    fn record(&self, record: &RecordSchema, fields: Vec<(String, Value)>) -> Json<'static> {
        let fields = fields.into_iter().zip(&record.fields);
        let fields =
            fields.map(|((name, value), field)| (name.into(), self.value(&field.schema, value)));
        Json::Object(fields.collect())
    }
}

fn is_null(schema: &Schema) -> bool {
    matches!(schema, Schema::Null)
}

fn is_variable_scale(name: &Name) -> bool {
    (
        name.name.as_str(),
        name.namespace.as_deref().unwrap_or_default(),
    ) == VARIABLE_SCALE
}

/// The type of a union that is one type or null.
fn nullable(union: &UnionSchema) -> Option<&Schema> {
    match union.variants() {
        [one, other] if is_null(one) => Some(other),
        [one, other] if is_null(other) => Some(one),
        _ => None,
    }
}

/// The field that a variant of a union becomes: the name of its type, which RisingWave has for types without a name only.
fn variant_name(variant: &Schema) -> Result<&'static str, String> {
    Ok(match variant {
        Schema::Boolean => "boolean",
        Schema::Int => "int",
        Schema::Long => "long",
        Schema::Float => "float",
        Schema::Double => "double",
        Schema::Bytes => "bytes",
        Schema::String => "string",
        Schema::Array(_) => "array",
        Schema::Map(_) => "map",
        other => {
            return Err(format!(
                "failed to convert Avro union to struct: Feature is not yet implemented: Avro type used in Union type: {other:?}"
            ));
        }
    })
}

/// Whether RisingWave makes jsonb of a map's values.
fn is_plain(schema: &Schema) -> bool {
    match schema {
        Schema::Null | Schema::Boolean | Schema::Int | Schema::String => true,
        Schema::Map(map) => is_plain(&map.types),
        Schema::Array(array) => is_plain(&array.items),
        Schema::Record(record) => record.fields.iter().all(|field| is_plain(&field.schema)),
        _ => false,
    }
}

fn variable_scale(fields: Vec<(String, Value)>) -> Option<String> {
    let (mut scale, mut bytes) = (None, None);
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("scale", Value::Int(value)) => scale = Some(value),
            ("value", Value::Bytes(value)) => bytes = Some(value),
            _ => {}
        }
    }
    unscaled_text(&bytes?, scale?)
}

fn decimal_text(decimal: &Decimal, scale: i32) -> Option<String> {
    let bytes: Vec<u8> = decimal.try_into().ok()?;
    unscaled_text(&bytes, scale)
}

/// A number of two's complement bytes, the first one the highest, with its decimal point.
fn unscaled_text(bytes: &[u8], scale: i32) -> Option<String> {
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut wide = [if negative { 0xff } else { 0 }; 32];
    let start = wide.len().checked_sub(bytes.len())?;
    wide[start..].copy_from_slice(bytes);
    Some(format!("{}e{}", i256::from_be_bytes(wide), -scale))
}
