//! Functions of bytea that look at single bytes and bits, checksums and keyed hashes.

use crate::error::QueryError;
use crate::value::Value;

type Out<'a> = Result<Value<'a>, QueryError>;

/// The place of an index below a length.
fn place(index: i64, length: usize) -> Result<usize, QueryError> {
    usize::try_from(index)
        .ok()
        .filter(|i| *i < length)
        .ok_or_else(|| {
            let last = i64::try_from(length).unwrap_or(i64::MAX) - 1;
            QueryError::parameter("n", format!("index {index} out of valid range, 0..{last}"))
        })
}

pub(crate) fn get_byte<'a>(a: &[Value<'a>]) -> Out<'a> {
    let bytes = a[0].bytes();
    Ok(Value::Int(bytes[place(a[1].int(), bytes.len())?].into()))
}

pub(crate) fn set_byte<'a>(a: &[Value<'a>]) -> Out<'a> {
    let mut bytes = a[0].bytes().to_vec();
    let at = place(a[1].int(), bytes.len())?;
    bytes[at] = (a[2].int() & 0xff) as u8;
    Ok(Value::Bytes(bytes.into()))
}

pub(crate) fn get_bit<'a>(a: &[Value<'a>]) -> Out<'a> {
    let bytes = a[0].bytes();
    let at = place(a[1].int(), bytes.len() * 8)?;
    Ok(Value::Int((bytes[at / 8] >> (at % 8) & 1).into()))
}

pub(crate) fn set_bit<'a>(a: &[Value<'a>]) -> Out<'a> {
    let mut bytes = a[0].bytes().to_vec();
    let at = place(a[1].int(), bytes.len() * 8)?;
    match a[2].int() {
        0 => bytes[at / 8] &= !(1 << (at % 8)),
        1 => bytes[at / 8] |= 1 << (at % 8),
        value => {
            return Err(QueryError::parameter(
                "bit",
                format!("value {value} is invalid,new bit must be 0 or 1"),
            ));
        }
    }
    Ok(Value::Bytes(bytes.into()))
}

pub(crate) fn bit_count<'a>(a: &[Value<'a>]) -> Out<'a> {
    let ones: u32 = a[0].bytes().iter().map(|b| b.count_ones()).sum();
    Ok(Value::Int(ones.into()))
}

/// The reflected checksum of a polynomial: CRC-32 and CRC-32C.
pub(crate) fn crc(bytes: &[u8], polynomial: u32) -> i64 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 {
                sum >> 1 ^ polynomial
            } else {
                sum >> 1
            };
        }
    }
    i64::from(!sum)
}

/// `1.2.3.4` as a number.
pub(crate) fn inet_aton<'a>(a: &[Value<'a>]) -> Out<'a> {
    let text = a[0].str();
    let address: std::net::Ipv4Addr = text
        .parse()
        .map_err(|_| QueryError::parameter("str", format!("Invalid IP address: {text}")))?;
    Ok(Value::Int(u32::from(address).into()))
}

/// The inverse of [`inet_aton`].
pub(crate) fn inet_ntoa<'a>(a: &[Value<'a>]) -> Out<'a> {
    let number = a[0].int();
    let address = u32::try_from(number)
        .map_err(|_| QueryError::parameter("num", format!("Invalid IP number: {number}")))?;
    Ok(Value::text(std::net::Ipv4Addr::from(address).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standards() {
        assert_eq!(crc(b"123456789", 0xEDB8_8320), 0xCBF4_3926);
        assert_eq!(crc(b"123456789", 0x82F6_3B78), 0xE306_9283);
    }

    #[test]
    fn bits_count_from_the_lowest() {
        let bytes = || Value::Bytes(vec![1, 128].into());
        assert_eq!(get_bit(&[bytes(), Value::Int(0)]).unwrap(), Value::Int(1));
        assert_eq!(get_bit(&[bytes(), Value::Int(15)]).unwrap(), Value::Int(1));
        assert!(get_byte(&[bytes(), Value::Int(2)]).is_err());
    }
}
