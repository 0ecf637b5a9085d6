//! RisingWave's data types.

use std::fmt;

use crate::{Ident, ParseError};

/// A RisingWave type. `Display` gives the name that RisingWave's catalogs show.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DataType {
    /// `boolean`
    Boolean,
    /// `smallint`
    SmallInt,
    /// `integer`
    Integer,
    /// `bigint`
    BigInt,
    /// `real`
    Real,
    /// `double precision`
    Double,
    /// `numeric`; RisingWave keeps no precision and scale.
    Numeric,
    /// `character varying`, also written `varchar`, `text`, `string`.
    Varchar,
    /// `bytea`
    Bytea,
    /// `date`
    Date,
    /// `time without time zone`
    Time,
    /// `timestamp without time zone`
    Timestamp,
    /// `timestamp with time zone`
    Timestamptz,
    /// `interval`
    Interval,
    /// `jsonb`
    Jsonb,
    /// `rw_int256`
    Int256,
    /// `serial`, the type of hidden row ids.
    Serial,
    /// `T[]`
    List(Box<DataType>),
    /// `struct<name type, …>`
    Struct(Vec<(String, DataType)>),
    /// `map(K,V)`
    Map(Box<DataType>, Box<DataType>),
}

impl DataType {
    /// Parses a type's name in any of RisingWave's spellings: `int4`, `varchar`, `timestamp with time zone`,
    /// `struct<a int, b varchar[]>`, `map(varchar, int)`.
    ///
    /// # Errors
    /// It is no type's name, or RisingWave does not implement the type (`char(3)`, `numeric(10, 2)`, `json`).
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        crate::parse::parse_data_type(text)
    }

    /// As definitions and errors print it: `CHARACTER VARYING`, `TIMESTAMP WITH TIME ZONE`.
    pub fn in_definitions(&self) -> String {
        match self {
            Self::Boolean => "BOOLEAN".into(),
            Self::SmallInt => "SMALLINT".into(),
            Self::Integer => "INT".into(),
            Self::BigInt => "BIGINT".into(),
            Self::Real => "REAL".into(),
            Self::Double => "DOUBLE".into(),
            Self::Numeric => "NUMERIC".into(),
            Self::Varchar => "CHARACTER VARYING".into(),
            Self::Bytea => "BYTEA".into(),
            Self::Date => "DATE".into(),
            Self::Time => "TIME".into(),
            Self::Timestamp => "TIMESTAMP".into(),
            Self::Timestamptz => "TIMESTAMP WITH TIME ZONE".into(),
            Self::Interval => "INTERVAL".into(),
            Self::Jsonb => "JSONB".into(),
            Self::Int256 => "rw_int256".into(),
            Self::Serial => "SERIAL".into(),
            Self::List(item) => format!("{}[]", item.in_definitions()),
            Self::Struct(fields) => {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|(name, t)| {
                        format!("{} {}", Ident::new(name.as_str()), t.in_definitions())
                    })
                    .collect();
                format!("STRUCT<{}>", fields.join(", "))
            }
            Self::Map(key, value) => {
                format!("MAP({},{})", key.in_definitions(), value.in_definitions())
            }
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("boolean"),
            Self::SmallInt => f.write_str("smallint"),
            Self::Integer => f.write_str("integer"),
            Self::BigInt => f.write_str("bigint"),
            Self::Real => f.write_str("real"),
            Self::Double => f.write_str("double precision"),
            Self::Numeric => f.write_str("numeric"),
            Self::Varchar => f.write_str("character varying"),
            Self::Bytea => f.write_str("bytea"),
            Self::Date => f.write_str("date"),
            Self::Time => f.write_str("time without time zone"),
            Self::Timestamp => f.write_str("timestamp without time zone"),
            Self::Timestamptz => f.write_str("timestamp with time zone"),
            Self::Interval => f.write_str("interval"),
            Self::Jsonb => f.write_str("jsonb"),
            Self::Int256 => f.write_str("rw_int256"),
            Self::Serial => f.write_str("serial"),
            Self::List(item) => write!(f, "{item}[]"),
            Self::Struct(fields) => {
                f.write_str("struct<")?;
                for (i, (name, data_type)) in fields.iter().enumerate() {
                    let comma = if i > 0 { ", " } else { "" };
                    write!(f, "{comma}{name} {data_type}")?;
                }
                f.write_str(">")
            }
            Self::Map(key, value) => write!(f, "map({key},{value})"),
        }
    }
}
