//! Literals and type names.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use rwt_sql::DataType;
use sqlparser::ast::{
    ArrayElemTypeDef, DataType as Ast, DateTimeField, ExactNumberInfo, Expr as AstExpr, Interval,
    TimezoneInfo, Value,
};

use super::{Binder, Bound, Env};
use crate::error::QueryError;
use crate::interval_text::{self, Unit};
use crate::names;
use crate::numeric::{NUMERIC, Numeric};
use crate::types::arrow_type;
use crate::value;

/// RisingWave's type of a type name as sqlparser reads it.
pub(crate) fn data_type(ast: &Ast) -> Result<DataType, QueryError> {
    use DataType as T;
    let unknown = || {
        QueryError::NotImplemented(format!(
            "unsupported data type: {}",
            ast.to_string().to_lowercase()
        ))
    };
    let no_length = |has: bool| {
        if has {
            Err(QueryError::Syntax(format!(
                "expected end of statement, found: (: {} takes no length",
                ast.to_string().to_lowercase()
            )))
        } else {
            Ok(())
        }
    };
    Ok(match ast {
        Ast::Boolean | Ast::Bool => T::Boolean,
        Ast::SmallInt(None) | Ast::Int2(None) => T::SmallInt,
        Ast::Int(None) | Ast::Integer(None) | Ast::Int4(None) => T::Integer,
        Ast::BigInt(None) | Ast::Int8(None) => T::BigInt,
        Ast::Real | Ast::Float4 => T::Real,
        Ast::DoublePrecision | Ast::Double(ExactNumberInfo::None) | Ast::Float8 | Ast::Float64 => {
            T::Double
        }
        Ast::Float(ExactNumberInfo::None) => T::Double,
        Ast::Float(ExactNumberInfo::Precision(precision)) if *precision <= 24 => T::Real,
        Ast::Float(ExactNumberInfo::Precision(_)) => T::Double,
        Ast::Numeric(info) | Ast::Decimal(info) | Ast::Dec(info) => match info {
            ExactNumberInfo::None => T::Numeric,
            _ => return Err(unknown()),
        },
        Ast::Varchar(length) | Ast::CharacterVarying(length) => {
            no_length(length.is_some())?;
            T::Varchar
        }
        Ast::Text | Ast::String(None) | Ast::Character(_) | Ast::Char(_) => T::Varchar,
        Ast::Bytea => T::Bytea,
        Ast::Date => T::Date,
        Ast::Time(None, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => T::Time,
        Ast::Timestamp(None, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => T::Timestamp,
        Ast::Timestamp(None, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => T::Timestamptz,
        Ast::Interval { .. } => T::Interval,
        Ast::JSONB => T::Jsonb,
        Ast::Array(
            ArrayElemTypeDef::SquareBracket(item, _) | ArrayElemTypeDef::AngleBracket(item),
        ) => T::List(Box::new(data_type(item)?)),
        Ast::Struct(fields, _) => T::Struct(
            fields
                .iter()
                .map(|field| {
                    let name = field
                        .field_name
                        .as_ref()
                        .map(names::folded)
                        .unwrap_or_default();
                    Ok((name, data_type(&field.field_type)?))
                })
                .collect::<Result<_, QueryError>>()?,
        ),
        // Names that sqlparser does not know, and `pg_catalog.text`.
        Ast::Custom(name, args) if args.is_empty() => match names::parts(name).last() {
            Some(name) if name == "name" => T::Varchar,
            Some(name) => DataType::parse(name).map_err(|_| unknown())?,
            None => return Err(unknown()),
        },
        _ => return Err(unknown()),
    })
}

impl Binder<'_> {
    pub(crate) fn value(&self, value: &Value) -> Result<Bound, QueryError> {
        let text = |text: &str| Bound {
            untyped: true,
            ..Bound::of(
                Expr::Literal(ScalarValue::Utf8(Some(text.to_owned())), None),
                DataType::Varchar,
            )
        };
        match value {
            Value::Number(number, _) => self.number(number),
            Value::SingleQuotedString(s) | Value::EscapedStringLiteral(s) => Ok(text(s)),
            Value::Boolean(v) => Ok(Bound::boolean(Expr::Literal(
                ScalarValue::Boolean(Some(*v)),
                None,
            ))),
            Value::Null => Ok(Bound {
                untyped: true,
                ..Bound::of(
                    Expr::Literal(ScalarValue::Utf8(None), None),
                    DataType::Varchar,
                )
            }),
            Value::Placeholder(id) => self.param(id),
            Value::HexStringLiteral(digits) => self.number(&format!("0x{digits}")),
            Value::DollarQuotedString(_) => Err(QueryError::NotImplemented(format!(
                "dollar quoted string: {value}"
            ))),
            other => Err(QueryError::NotImplemented(format!("literal {other}"))),
        }
    }

    /// A number: the smallest of integer, bigint and numeric that holds it.
    pub(crate) fn number(&self, text: &str) -> Result<Bound, QueryError> {
        let literal = |value| Expr::Literal(value, None);
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let lower = digits.to_ascii_lowercase();
        let radix = match lower.get(..2) {
            Some("0x") => Some(16),
            Some("0o") => Some(8),
            Some("0b") => Some(2),
            _ => None,
        };
        let parsed = match radix {
            Some(radix) => i64::from_str_radix(&lower[2..], radix)
                .ok()
                .map(|v| sign * v),
            None => text.parse::<i64>().ok(),
        };
        if let Some(value) = parsed {
            return Ok(match i32::try_from(value) {
                Ok(value) => Bound::of(literal(ScalarValue::Int32(Some(value))), DataType::Integer),
                Err(_) => Bound::of(literal(ScalarValue::Int64(Some(value))), DataType::BigInt),
            });
        }
        let overflows = || QueryError::bind(format!("Number {text} overflows"));
        let value: Numeric = text
            .trim_end_matches('.')
            .parse()
            .map_err(|_| overflows())?;
        let array = value::build(&[value::Value::Decimal(value)], &NUMERIC)?;
        let scalar = ScalarValue::try_from_array(&array, 0)?;
        Ok(Bound::of(literal(scalar), DataType::Numeric))
    }

    /// `INTERVAL '1' DAY`, `INTERVAL '1 day'`.
    pub(crate) fn interval(&self, interval: &Interval, env: &Env<'_>) -> Result<Bound, QueryError> {
        let text = match interval.value.as_ref() {
            AstExpr::Value(v) => match &v.value {
                Value::SingleQuotedString(text) => text.clone(),
                Value::Number(number, _) => number.clone(),
                other => return Err(QueryError::invalid_input(format!("interval {other}"))),
            },
            other => match self.expr(other, env)?.literal_text() {
                Some(text) => text.to_owned(),
                None => return Err(QueryError::invalid_input(format!("interval {other}"))),
            },
        };
        let unsupported = || QueryError::NotImplemented(interval.to_string());
        if interval.last_field.is_some()
            || interval.leading_precision.is_some()
            || interval.fractional_seconds_precision.is_some()
        {
            return Err(unsupported());
        }
        let value = match &interval.leading_field {
            // Any other word behind the text is an alias to RisingWave, and the text a number of seconds.
            Some(field) => {
                let unit = match field {
                    DateTimeField::Year => Unit::Year,
                    DateTimeField::Month => Unit::Month,
                    DateTimeField::Day => Unit::Day,
                    DateTimeField::Hour => Unit::Hour,
                    DateTimeField::Minute => Unit::Minute,
                    DateTimeField::Second => Unit::Second,
                    _ => return Err(unsupported()),
                };
                interval_text::read_in(&text, unit)
            }
            None => interval_text::read(text.trim()),
        };
        let value = value::Value::Interval(value.map_err(QueryError::bind)?);
        let arrow = arrow_type(&DataType::Interval);
        let array = value::build(&[value], &arrow)?;
        let scalar = ScalarValue::try_from_array(&array, 0)?;
        Ok(Bound::of(Expr::Literal(scalar, None), DataType::Interval))
    }
}
