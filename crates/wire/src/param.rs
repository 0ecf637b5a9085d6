//! Values of a prepared statement's parameters.

use rwt_sql::DataType;

/// A parameter's value. Its variant follows the [`DataType`] that the prepared statement asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Param {
    /// NULL of any type.
    Null,
    /// `boolean`
    Boolean(bool),
    /// `smallint`
    SmallInt(i16),
    /// `integer`
    Integer(i32),
    /// `bigint` and `serial`
    BigInt(i64),
    /// `real`
    Real(f32),
    /// `double precision`
    Double(f64),
    /// `numeric`: `unscaled * 10^-scale`, with at most 38 digits.
    Numeric {
        /// All digits as one integer.
        unscaled: i128,
        /// How many of them stand behind the point.
        scale: u8,
    },
    /// `character varying`
    Varchar(String),
    /// `bytea`
    Bytea(Vec<u8>),
    /// `date`: days since 1970-01-01.
    Date(i32),
    /// `time`: microseconds since midnight.
    Time(i64),
    /// `timestamp`: microseconds since 1970-01-01 00:00:00.
    Timestamp(i64),
    /// `timestamptz`: microseconds since 1970-01-01 00:00:00 UTC.
    Timestamptz(i64),
    /// `interval`, its three parts kept apart.
    Interval {
        /// Whole months.
        months: i32,
        /// Whole days.
        days: i32,
        /// Microseconds.
        micros: i64,
    },
    /// `jsonb`, as JSON text.
    Jsonb(String),
    /// `rw_int256`, as decimal digits with an optional minus sign.
    Int256(String),
    /// `T[]`
    List {
        /// The type of the items.
        item: DataType,
        /// The items; an item that is a list makes a nested array.
        values: Vec<Param>,
    },
    /// `struct<…>`: one value per field.
    Struct(Vec<Param>),
}
