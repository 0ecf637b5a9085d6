//! Parameters in the binary format.

use arrow::datatypes::i256;
use rwt_sql::DataType;

use super::{MAX_DEPTH, number};
use crate::encode::binary::{EPOCH_DAYS, EPOCH_MICROS};
use crate::param::Param;
use crate::types::oid;

pub(super) fn decode(bytes: &[u8], data_type: &DataType) -> Result<Param, String> {
    decode_at(bytes, data_type, 0)
}

fn decode_at(bytes: &[u8], data_type: &DataType, depth: usize) -> Result<Param, String> {
    if depth > MAX_DEPTH {
        return Err("the value is nested too deeply".into());
    }
    let mut input = Input(bytes);
    let param = match data_type {
        DataType::Boolean => Param::Boolean(u8::from_be_bytes(input.take()?) != 0),
        DataType::SmallInt => Param::SmallInt(i16::from_be_bytes(input.take()?)),
        DataType::Integer => Param::Integer(i32::from_be_bytes(input.take()?)),
        DataType::BigInt | DataType::Serial => Param::BigInt(i64::from_be_bytes(input.take()?)),
        DataType::Real => Param::Real(f32::from_be_bytes(input.take()?)),
        DataType::Double => Param::Double(f64::from_be_bytes(input.take()?)),
        DataType::Numeric => {
            let count = i16::from_be_bytes(input.take()?);
            let weight = i16::from_be_bytes(input.take()?);
            let sign = u16::from_be_bytes(input.take()?);
            let scale = u16::from_be_bytes(input.take()?);
            let groups = (0..count)
                .map(|_| input.take().map(i16::from_be_bytes))
                .collect::<Result<Vec<_>, _>>()?;
            number::from_groups(&groups, weight, sign, scale)?
        }
        DataType::Varchar => Param::Varchar(utf8(input.rest())?),
        DataType::Bytea => Param::Bytea(input.rest().to_vec()),
        DataType::Date => {
            let days = i32::from_be_bytes(input.take()?);
            Param::Date(days.checked_add(EPOCH_DAYS).ok_or_else(out_of_range)?)
        }
        DataType::Time => {
            let micros = i64::from_be_bytes(input.take()?);
            if !(0..86_400_000_000).contains(&micros) {
                return Err(out_of_range());
            }
            Param::Time(micros)
        }
        DataType::Timestamp => Param::Timestamp(instant(input.take()?)?),
        DataType::Timestamptz => Param::Timestamptz(instant(input.take()?)?),
        DataType::Interval => {
            let micros = i64::from_be_bytes(input.take()?);
            let days = i32::from_be_bytes(input.take()?);
            let months = i32::from_be_bytes(input.take()?);
            Param::Interval {
                months,
                days,
                micros,
            }
        }
        DataType::Jsonb => {
            if input.take()? != [1] {
                return Err("unsupported jsonb version number".into());
            }
            let text = utf8(input.rest())?;
            serde_json::from_str::<serde::de::IgnoredAny>(&text).map_err(|e| e.to_string())?;
            Param::Jsonb(text)
        }
        DataType::Int256 => Param::Int256(i256::from_be_bytes(input.take()?).to_string()),
        DataType::List(item) => list(&mut input, item, depth)?,
        DataType::Struct(types) => {
            let count = i32::from_be_bytes(input.take()?);
            if usize::try_from(count) != Ok(types.len()) {
                return Err(format!(
                    "a struct of {} fields got {count} values",
                    types.len()
                ));
            }
            let mut values = Vec::with_capacity(types.len());
            for (_, field) in types {
                input.take::<4>()?;
                values.push(item_value(&mut input, field, depth)?);
            }
            Param::Struct(values)
        }
        DataType::Map(..) => {
            return Err("Feature is not yet implemented: a map as parameter".into());
        }
    };
    if input.0.is_empty() {
        Ok(param)
    } else {
        Err("incorrect binary data format".into())
    }
}

/// An array of any number of dimensions, as nested lists.
fn list(input: &mut Input<'_>, item: &DataType, depth: usize) -> Result<Param, String> {
    let count = i32::from_be_bytes(input.take()?);
    input.take::<4>()?;
    let declared = u32::from_be_bytes(input.take()?);
    let mut leaf = item;
    let mut levels = 1;
    while let DataType::List(inner) = leaf {
        leaf = inner;
        levels += 1;
    }
    // clients that know strings as text say so here too
    let expected = oid(leaf);
    if declared != expected && !(expected == 1043 && declared == 25) {
        return Err(format!(
            "wrong element type: {declared} instead of {expected}"
        ));
    }
    if count == 0 {
        return Ok(Param::List {
            item: item.clone(),
            values: Vec::new(),
        });
    }
    if count != levels {
        return Err(format!("an array of {levels} dimensions got {count}"));
    }
    let mut dimensions = Vec::new();
    for _ in 0..levels {
        let length = i32::from_be_bytes(input.take()?);
        dimensions.push(usize::try_from(length).map_err(|_| malformed())?);
        input.take::<4>()?;
    }
    // an empty array has no dimensions; only lists of one level are sent with a length of zero by some clients
    if levels > 1 && dimensions.contains(&0) {
        return Err(malformed());
    }
    nested(input, item, &dimensions, depth)
}

fn nested(
    input: &mut Input<'_>,
    item: &DataType,
    dimensions: &[usize],
    depth: usize,
) -> Result<Param, String> {
    let (&length, inner) = dimensions.split_first().ok_or_else(malformed)?;
    // every item has at least its length of four bytes, so this bounds what a hostile count can ask for
    if length > input.0.len() / 4 {
        return Err(malformed());
    }
    let mut values = Vec::with_capacity(length);
    for _ in 0..length {
        values.push(match item {
            DataType::List(next) => nested(input, next, inner, depth + 1)?,
            _ => item_value(input, item, depth)?,
        });
    }
    Ok(Param::List {
        item: item.clone(),
        values,
    })
}

/// A length, -1 for NULL, and as many bytes.
fn item_value(input: &mut Input<'_>, data_type: &DataType, depth: usize) -> Result<Param, String> {
    let length = i32::from_be_bytes(input.take()?);
    if length == -1 {
        return Ok(Param::Null);
    }
    let length = usize::try_from(length).map_err(|_| malformed())?;
    let (value, rest) = input.0.split_at_checked(length).ok_or_else(malformed)?;
    input.0 = rest;
    decode_at(value, data_type, depth + 1)
}

fn instant(bytes: [u8; 8]) -> Result<i64, String> {
    i64::from_be_bytes(bytes)
        .checked_add(EPOCH_MICROS)
        .ok_or_else(out_of_range)
}

fn utf8(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|error| error.to_string())
}

fn out_of_range() -> String {
    "Numeric out of range".into()
}

fn malformed() -> String {
    "incorrect binary data format".into()
}

/// The bytes not read yet.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (head, rest) = self.0.split_first_chunk().ok_or_else(malformed)?;
        self.0 = rest;
        Ok(*head)
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}
