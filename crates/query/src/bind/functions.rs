//! The table of ordinary scalar functions: name, argument types, result type, and the closure over one row.

use datafusion::logical_expr::Volatility;
use rust_decimal::{Decimal, MathematicalOps};
use rwt_sql::DataType;

use crate::error::QueryError;
use crate::kernel::{degrees, pattern, strings};
use crate::numeric::Numeric;
use crate::value::Value;

/// A function's closure over the values of one row.
pub(crate) type Eval = for<'a> fn(&[Value<'a>]) -> Result<Value<'a>, QueryError>;

/// One signature of a function.
pub(crate) struct Overload {
    pub(crate) params: Vec<DataType>,
    /// How many of the last parameters may be left out.
    optional: usize,
    pub(crate) returns: DataType,
    /// A NULL argument gives NULL.
    pub(crate) strict: bool,
    pub(crate) volatility: Volatility,
    pub(crate) eval: Eval,
}

impl Overload {
    pub(crate) fn takes(&self, count: usize) -> bool {
        (self.params.len() - self.optional..=self.params.len()).contains(&count)
    }

    pub(crate) fn param(&self, index: usize) -> Option<&DataType> {
        self.params.get(index)
    }

    fn optional(self, count: usize) -> Self {
        Self {
            optional: count,
            ..self
        }
    }

    fn volatile(self) -> Self {
        Self {
            volatility: Volatility::Volatile,
            ..self
        }
    }

    fn nullable(self) -> Self {
        Self {
            strict: false,
            ..self
        }
    }
}

fn f(params: &[DataType], returns: DataType, eval: Eval) -> Overload {
    Overload {
        params: params.to_vec(),
        optional: 0,
        returns,
        strict: true,
        volatility: Volatility::Immutable,
        eval,
    }
}

fn text<'a>(value: impl Into<std::borrow::Cow<'a, str>>) -> Result<Value<'a>, QueryError> {
    Ok(Value::text(value))
}

fn int<'a>(value: usize) -> Result<Value<'a>, QueryError> {
    i64::try_from(value)
        .map(Value::Int)
        .map_err(|_| QueryError::out_of_range())
}

fn float<'a>(value: f64) -> Result<Value<'a>, QueryError> {
    Ok(Value::Float(value))
}

/// A function of a number; `special` says what it gives of not-a-number and the infinities.
fn numeric<'a>(
    value: &Value<'_>,
    number: impl FnOnce(Decimal) -> Option<Decimal>,
    special: impl FnOnce(f64) -> f64,
) -> Result<Value<'a>, QueryError> {
    let value = value.decimal();
    match value {
        Numeric::Finite(value) => number(value).map(Numeric::from),
        other => Numeric::from_double(special(other.to_double())),
    }
    .map(Value::Decimal)
    .ok_or_else(QueryError::out_of_range)
}

/// RisingWave stops the series of `exp` when its terms are as small as this.
fn exp(value: Decimal) -> Option<Decimal> {
    value.checked_exp_with_tolerance(Decimal::new(2, 7))
}

fn power(base: Numeric, exponent: Numeric) -> Result<Numeric, QueryError> {
    let undefined = || QueryError::parameter("rhs", "zero raised to a negative power is undefined");
    let complex = || {
        QueryError::parameter(
            "rhs",
            "a negative number raised to a non-integer power yields a complex result",
        )
    };
    let (Numeric::Finite(l), Numeric::Finite(r)) = (base, exponent) else {
        if base.is_zero() && exponent.is_negative() {
            return Err(undefined());
        }
        let whole = match exponent {
            Numeric::Finite(r) => r.fract().is_zero(),
            _ => true,
        };
        if base.is_negative() && !whole {
            return Err(complex());
        }
        return Numeric::from_double(base.to_double().powf(exponent.to_double()))
            .ok_or_else(QueryError::out_of_range);
    };
    if l.is_zero() && exponent.is_negative() {
        return Err(undefined());
    }
    if base.is_negative() && !r.fract().is_zero() {
        return Err(complex());
    }
    let result = if r.fract().is_zero() || l.is_zero() {
        l.checked_powd(r)
    } else {
        Numeric::ln(l)
            .and_then(|ln| ln.checked_mul(r))
            .and_then(exp)
    };
    result.map(Numeric::from).ok_or_else(QueryError::overflow)
}

fn power_double(base: f64, exponent: f64) -> Result<f64, QueryError> {
    if base == 0.0 && exponent < 0.0 {
        return Err(QueryError::parameter(
            "rhs",
            "zero raised to a negative power is undefined",
        ));
    }
    if base < 0.0 && exponent.is_finite() && exponent.fract() != 0.0 {
        return Err(QueryError::parameter(
            "rhs",
            "a negative number raised to a non-integer power yields a complex result",
        ));
    }
    let value = base.powf(exponent);
    let finite = base.is_finite() && exponent.is_finite();
    match value {
        v if finite && v.is_infinite() => Err(QueryError::overflow()),
        0.0 if finite && base != 0.0 => Err(QueryError::underflow()),
        v => Ok(v),
    }
}

/// Functions that RisingWave has and this engine has not.
pub(crate) fn is_left_out(name: &str) -> bool {
    matches!(
        name,
        "hex_to_int256"
            | "l1_distance"
            | "l2_distance"
            | "cosine_distance"
            | "inner_product"
            | "vector_norm"
            | "l2_normalize"
            | "openai_embedding"
            | "pgp_sym_encrypt"
            | "pgp_sym_decrypt"
            | "pgp_sym_encrypt_bytea"
            | "pgp_sym_decrypt_bytea"
            | "pg_index_column_has_property"
            | "pg_get_keywords"
            | "rw_vnode"
            | "rw_license"
            | "rw_test_feature"
            | "rw_test_paid_tier"
            | "rw_cluster_id"
            | "iceberg_transform"
            | "file_scan"
            | "postgres_query"
            | "mysql_query"
            | "internal_backfill_progress"
            | "internal_source_backfill_progress"
    )
}

/// The signatures of a function; none if there is no such function.
pub(crate) fn overloads(name: &str) -> Vec<Overload> {
    let found = strings_table(name);
    if !found.is_empty() {
        return found;
    }
    let found = numbers_table(name);
    if !found.is_empty() {
        return found;
    }
    let found = other_table(name);
    if !found.is_empty() {
        return found;
    }
    catalog_table(name)
}

fn strings_table(name: &str) -> Vec<Overload> {
    use DataType::{Boolean, Bytea, Integer, List, Varchar};
    let texts = || List(Box::new(Varchar));
    vec![match name {
        // RisingWave changes the case of ASCII letters only.
        "upper" => f(&[Varchar], Varchar, |a| {
            text(a[0].str().to_ascii_uppercase())
        }),
        "lower" => f(&[Varchar], Varchar, |a| {
            text(a[0].str().to_ascii_lowercase())
        }),
        "initcap" => f(&[Varchar], Varchar, |a| text(strings::initcap(a[0].str()))),
        "length" | "char_length" | "character_length" => {
            let chars = f(&[Varchar], Integer, |a| int(a[0].str().chars().count()));
            if name == "length" {
                return vec![chars, f(&[Bytea], Integer, |a| int(a[0].bytes().len()))];
            }
            chars
        }
        "octet_length" => {
            return vec![
                f(&[Varchar], Integer, |a| int(a[0].str().len())),
                f(&[Bytea], Integer, |a| int(a[0].bytes().len())),
            ];
        }
        "bit_length" => {
            return vec![
                f(&[Varchar], Integer, |a| int(a[0].str().len() * 8)),
                f(&[Bytea], Integer, |a| int(a[0].bytes().len() * 8)),
            ];
        }
        "reverse" => f(&[Varchar], Varchar, |a| {
            text(a[0].str().chars().rev().collect::<String>())
        }),
        "repeat" => f(&[Varchar, Integer], Varchar, |a| {
            strings::repeat(a[0].str(), a[1].int())
        }),
        "trim" | "btrim" => f(&[Varchar, Varchar], Varchar, |a| {
            let set = strings::trim_set(a);
            text(
                a[0].str()
                    .trim_matches(|c: char| set.contains(&c))
                    .to_owned(),
            )
        })
        .optional(1),
        "ltrim" => f(&[Varchar, Varchar], Varchar, |a| {
            let set = strings::trim_set(a);
            text(
                a[0].str()
                    .trim_start_matches(|c: char| set.contains(&c))
                    .to_owned(),
            )
        })
        .optional(1),
        "rtrim" => f(&[Varchar, Varchar], Varchar, |a| {
            let set = strings::trim_set(a);
            text(
                a[0].str()
                    .trim_end_matches(|c: char| set.contains(&c))
                    .to_owned(),
            )
        })
        .optional(1),
        "substring" | "substr" => {
            f(&[Varchar, Integer, Integer], Varchar, strings::substring).optional(1)
        }
        "split_part" => f(&[Varchar, Varchar, Integer], Varchar, strings::split_part),
        "position" | "strpos" => f(&[Varchar, Varchar], Integer, |a| {
            let (text, part) = (a[0].str(), a[1].str());
            int(text
                .find(part)
                .map_or(0, |at| text[..at].chars().count() + 1))
        }),
        "replace" => f(&[Varchar, Varchar, Varchar], Varchar, |a| {
            if a[1].str().is_empty() {
                return Ok(a[0].clone());
            }
            text(a[0].str().replace(a[1].str(), a[2].str()))
        }),
        "translate" => f(&[Varchar, Varchar, Varchar], Varchar, |a| {
            text(strings::translate(a[0].str(), a[1].str(), a[2].str()))
        }),
        "left" => f(&[Varchar, Integer], Varchar, |a| {
            text(strings::left(a[0].str(), a[1].int()))
        }),
        "right" => f(&[Varchar, Integer], Varchar, |a| {
            text(strings::right(a[0].str(), a[1].int()))
        }),
        "lpad" => f(&[Varchar, Integer, Varchar], Varchar, |a| {
            strings::pad(a, true)
        })
        .optional(1),
        "rpad" => f(&[Varchar, Integer, Varchar], Varchar, |a| {
            strings::pad(a, false)
        })
        .optional(1),
        "ascii" => f(&[Varchar], Integer, |a| {
            Ok(Value::Int(
                a[0].str()
                    .chars()
                    .next()
                    .map_or(0, |c| i64::from(u32::from(c))),
            ))
        }),
        "chr" => f(&[Integer], Varchar, |a| {
            let code = u32::try_from(a[0].int()).ok().and_then(char::from_u32);
            text(code.map(String::from).unwrap_or_default())
        }),
        "starts_with" => f(&[Varchar, Varchar], Boolean, |a| {
            Ok(Value::Bool(a[0].str().starts_with(a[1].str())))
        }),
        "overlay" => f(
            &[Varchar, Varchar, Integer, Integer],
            Varchar,
            strings::overlay,
        )
        .optional(1),
        "quote_ident" => f(&[Varchar], Varchar, |a| {
            text(strings::quote_ident(a[0].str()))
        }),
        "quote_literal" => f(&[Varchar], Varchar, |a| {
            text(strings::quote_literal(a[0].str()))
        }),
        "quote_nullable" => f(&[Varchar], Varchar, |a| {
            text(if a[0].is_null() {
                "NULL".into()
            } else {
                strings::quote_literal(a[0].str())
            })
        })
        .nullable(),
        "to_ascii" => f(&[Varchar], Varchar, |a| text(strings::to_ascii(a[0].str()))),
        "string_to_array" => f(
            &[Varchar, Varchar, Varchar],
            texts(),
            strings::string_to_array,
        )
        .optional(1)
        .nullable(),
        "regexp_replace" => {
            let text = [Varchar, Varchar, Varchar];
            let from = |more: &[DataType]| {
                f(
                    &[&text, more].concat(),
                    Varchar,
                    pattern::regexp_replace_from,
                )
            };
            return vec![
                f(
                    &[&text[..], &[Varchar]].concat(),
                    Varchar,
                    pattern::regexp_replace,
                )
                .optional(1),
                from(&[Integer]),
                from(&[Integer, Varchar]),
                from(&[Integer, Integer]),
                from(&[Integer, Integer, Varchar]),
            ];
        }
        "regexp_match" => {
            f(&[Varchar, Varchar, Varchar], texts(), pattern::regexp_match).optional(1)
        }
        "regexp_count" => f(
            &[Varchar, Varchar, Integer, Varchar],
            Integer,
            pattern::regexp_count,
        )
        .optional(2),
        "regexp_split_to_array" => f(
            &[Varchar, Varchar, Varchar],
            texts(),
            pattern::regexp_split_to_array,
        )
        .optional(1),
        "md5" => {
            return vec![
                f(&[Varchar], Varchar, |a| {
                    text(strings::md5(a[0].str().as_bytes()))
                }),
                f(&[Bytea], Varchar, |a| text(strings::md5(a[0].bytes()))),
            ];
        }
        "sha1" | "sha224" | "sha256" | "sha384" | "sha512" => {
            return strings::sha(name).map_or_else(Vec::new, |[of_text, of_bytes]| {
                vec![f(&[Varchar], Bytea, of_text), f(&[Bytea], Bytea, of_bytes)]
            });
        }
        "encode" => f(&[Bytea, Varchar], Varchar, |a| {
            strings::encode(a[0].bytes(), a[1].str())
        }),
        "decode" => f(&[Varchar, Varchar], Bytea, |a| {
            strings::decode(a[0].str(), a[1].str())
        }),
        "convert_from" => f(&[Bytea, Varchar], Varchar, |a| {
            strings::check_charset(a[1].str())?;
            String::from_utf8(a[0].bytes().to_vec())
                .map(Value::text)
                .map_err(|error| QueryError::parameter("data", error))
        }),
        "convert_to" => f(&[Varchar, Varchar], Bytea, |a| {
            strings::check_charset(a[1].str())?;
            Ok(Value::Bytes(a[0].str().as_bytes().to_vec().into()))
        }),
        "to_hex" => {
            return vec![
                f(&[Integer], Varchar, |a| {
                    text(format!("{:x}", a[0].int() as i32))
                }),
                f(&[DataType::BigInt], Varchar, |a| {
                    text(format!("{:x}", a[0].int()))
                }),
            ];
        }
        _ => return Vec::new(),
    }]
}

fn numbers_table(name: &str) -> Vec<Overload> {
    use DataType::{Double, Numeric};
    let unary = |double: Eval, numeric: Option<Eval>| {
        let mut both = vec![f(&[Double], Double, double)];
        if let Some(numeric) = numeric {
            both.push(f(&[Numeric], Numeric, numeric));
        }
        both
    };
    match name {
        "sqrt" => unary(
            |a| match a[0].float() {
                v if v < 0.0 => Err(QueryError::parameter(
                    "sqrt input",
                    "input cannot be negative value",
                )),
                v => float(v.sqrt()),
            },
            Some(|a| {
                if a[0].decimal().is_negative() {
                    return Err(QueryError::parameter(
                        "sqrt input",
                        "input cannot be negative value",
                    ));
                }
                numeric(&a[0], |v| v.sqrt().map(|v| v.normalize()), f64::sqrt)
            }),
        ),
        "cbrt" => unary(|a| float(a[0].float().cbrt()), None),
        "exp" => unary(
            |a| {
                let exponent = a[0].float();
                let value = exponent.exp();
                match value {
                    _ if !exponent.is_finite() => float(value),
                    v if v.is_infinite() => Err(QueryError::overflow()),
                    0.0 => Err(QueryError::underflow()),
                    v => float(v),
                }
            },
            Some(|a| numeric(&a[0], exp, f64::exp).map_err(|_| QueryError::overflow())),
        ),
        "ln" => unary(
            |a| positive(a[0].float()).and_then(|v| float(v.ln())),
            Some(|a| positive_numeric(&a[0], crate::numeric::Numeric::ln, f64::ln)),
        ),
        "log10" | "log" => unary(
            |a| positive(a[0].float()).and_then(|v| float(v.log10())),
            Some(|a| positive_numeric(&a[0], |v| v.checked_log10(), f64::log10)),
        ),
        "power" | "pow" => vec![
            f(&[Double, Double], Double, |a| {
                power_double(a[0].float(), a[1].float()).map(Value::Float)
            }),
            f(&[Numeric, Numeric], Numeric, |a| {
                power(a[0].decimal(), a[1].decimal()).map(Value::Decimal)
            }),
        ],
        "sin" => unary(|a| float(a[0].float().sin()), None),
        "cos" => unary(|a| float(a[0].float().cos()), None),
        "tan" => unary(|a| float(a[0].float().tan()), None),
        "asin" => unary(|a| float(a[0].float().asin()), None),
        "acos" => unary(|a| float(a[0].float().acos()), None),
        "atan" => unary(|a| float(a[0].float().atan()), None),
        "atan2" => vec![f(&[Double, Double], Double, |a| {
            float(a[0].float().atan2(a[1].float()))
        })],
        "degrees" => unary(|a| float(a[0].float().to_degrees()), None),
        "radians" => unary(|a| float(a[0].float().to_radians()), None),
        "sind" => unary(|a| float(degrees::sin(a[0].float())), None),
        "cosd" => unary(|a| float(degrees::cos(a[0].float())), None),
        "tand" => unary(|a| float(degrees::tan(a[0].float())), None),
        "cotd" => unary(|a| float(degrees::cot(a[0].float())), None),
        "asind" => unary(|a| float(degrees::asin(a[0].float())), None),
        "acosd" => unary(|a| float(degrees::acos(a[0].float())), None),
        "atand" => unary(|a| float(degrees::atan(a[0].float())), None),
        "atan2d" => vec![f(&[Double, Double], Double, |a| {
            float(degrees::atan2(a[0].float(), a[1].float()))
        })],
        "sinh" => unary(|a| float(a[0].float().sinh()), None),
        "cosh" => unary(|a| float(a[0].float().cosh()), None),
        "tanh" => unary(|a| float(a[0].float().tanh()), None),
        "cot" => unary(|a| float(1.0 / a[0].float().tan()), None),
        "coth" => unary(
            |a| {
                let value = a[0].float();
                float(match value == 0.0 {
                    true => f64::NAN,
                    false => value.cosh() / value.sinh(),
                })
            },
            None,
        ),
        "asinh" => unary(|a| float(a[0].float().asinh()), None),
        "acosh" => unary(|a| float(a[0].float().acosh()), None),
        "atanh" => unary(|a| float(a[0].float().atanh()), None),
        "scale" => vec![f(&[Numeric], DataType::Integer, |a| {
            Ok(match a[0].decimal() {
                crate::numeric::Numeric::Finite(value) => Value::Int(value.scale().into()),
                _ => Value::Null,
            })
        })],
        "min_scale" => vec![f(&[Numeric], DataType::Integer, |a| {
            Ok(match a[0].decimal().normalize() {
                crate::numeric::Numeric::Finite(value) => Value::Int(value.scale().into()),
                _ => Value::Null,
            })
        })],
        "pi" => vec![f(&[], Double, |_| float(std::f64::consts::PI))],
        "random" => vec![f(&[], Double, |_| float(crate::kernel::numbers::random())).volatile()],
        "trim_scale" => vec![f(&[Numeric], Numeric, |a| {
            Ok(Value::Decimal(a[0].decimal().normalize()))
        })],
        _ => Vec::new(),
    }
}

fn no_logarithm() -> QueryError {
    QueryError::parameter(
        "input",
        "cannot take logarithm of zero or a negative number",
    )
}

/// A number that has a logarithm, or is none.
fn positive(value: f64) -> Result<f64, QueryError> {
    if value <= 0.0 {
        return Err(no_logarithm());
    }
    Ok(value)
}

fn positive_numeric<'a>(
    value: &Value<'_>,
    number: impl FnOnce(Decimal) -> Option<Decimal>,
    special: impl FnOnce(f64) -> f64,
) -> Result<Value<'a>, QueryError> {
    if value.decimal() <= Numeric::ZERO {
        return Err(no_logarithm());
    }
    numeric(value, number, special).map_err(|_| no_logarithm())
}

fn other_table(name: &str) -> Vec<Overload> {
    use crate::kernel::{bytes, cipher, jsonb, to_char};
    use DataType::{
        BigInt, Boolean, Bytea, Date, Double, Integer, Jsonb, Time, Timestamp, Timestamptz, Varchar,
    };
    match name {
        "get_byte" => vec![f(&[Bytea, Integer], Integer, bytes::get_byte)],
        "set_byte" => vec![f(&[Bytea, Integer, Integer], Bytea, bytes::set_byte)],
        "get_bit" => vec![f(&[Bytea, BigInt], Integer, bytes::get_bit)],
        "set_bit" => vec![f(&[Bytea, BigInt, Integer], Bytea, bytes::set_bit)],
        "bit_count" => vec![f(&[Bytea], BigInt, bytes::bit_count)],
        "crc32" => vec![f(&[Bytea], BigInt, |a| {
            Ok(Value::Int(bytes::crc(a[0].bytes(), 0xEDB8_8320)))
        })],
        "crc32c" => vec![f(&[Bytea], BigInt, |a| {
            Ok(Value::Int(bytes::crc(a[0].bytes(), 0x82F6_3B78)))
        })],
        "hmac" => vec![f(&[Bytea, Bytea, Varchar, Varchar], Bytea, cipher::hmac).optional(1)],
        "encrypt" => vec![f(&[Bytea, Bytea, Varchar], Bytea, cipher::encrypt)],
        "decrypt" => vec![f(&[Bytea, Bytea, Varchar], Bytea, cipher::decrypt)],
        "secure_compare" => vec![f(&[Bytea, Bytea], Boolean, |a| {
            Ok(Value::Bool(a[0].bytes() == a[1].bytes()))
        })],
        "int8send" => vec![f(&[BigInt], Bytea, |a| {
            Ok(Value::Bytes(a[0].int().to_be_bytes().to_vec().into()))
        })],
        "int8recv" => vec![f(&[Bytea], BigInt, |a| {
            let bytes = a[0]
                .bytes()
                .try_into()
                .map_err(|_| QueryError::parameter("bytes", "could not convert slice to array"))?;
            Ok(Value::Int(i64::from_be_bytes(bytes)))
        })],
        // RisingWave's epochs: milliseconds since April 2021, above 16 bits of a counter.
        "rw_epoch_to_ts" => vec![f(&[BigInt], Timestamptz, |a| {
            Ok(Value::Timestamp(
                ((a[0].int() >> 16) + 1_617_235_200_000) * 1000,
            ))
        })],
        "inet_aton" => vec![f(&[Varchar], BigInt, bytes::inet_aton)],
        "inet_ntoa" => vec![f(&[BigInt], Varchar, bytes::inet_ntoa)],
        "make_date" => vec![f(&[Integer, Integer, Integer], Date, to_char::make_date)],
        "make_time" => vec![f(&[Integer, Integer, Double], Time, to_char::make_time)],
        "make_timestamp" => vec![f(
            &[Integer, Integer, Integer, Integer, Integer, Double],
            Timestamp,
            to_char::make_timestamp,
        )],
        "to_timestamp" => vec![f(&[Double], Timestamptz, |a| {
            let micros = (a[0].float() * 1e6).round_ties_even();
            let inside = (i64::MIN as f64..i64::MAX as f64).contains(&micros);
            inside
                .then_some(Value::Timestamp(micros as i64))
                .ok_or_else(QueryError::out_of_range)
        })],
        "jsonb_typeof" => vec![f(&[Jsonb], Varchar, |a| {
            text(crate::json::type_name(&crate::json::parse(a[0].str())?).to_owned())
        })],
        "jsonb_array_length" => vec![f(&[Jsonb], Integer, jsonb::array_length)],
        "jsonb_strip_nulls" => vec![f(&[Jsonb], Jsonb, jsonb::strip_nulls)],
        "jsonb_pretty" => vec![f(&[Jsonb], Varchar, |a| {
            let value = crate::json::parse(a[0].str())?;
            text(crate::json::pretty(&value))
        })],
        "is_json" => vec![f(&[Varchar], Boolean, |a| {
            Ok(Value::Bool(crate::json::parse(a[0].str()).is_ok()))
        })],
        _ => Vec::new(),
    }
}

/// Functions of PostgreSQL's catalogs, for the queries that clients send.
fn catalog_table(name: &str) -> Vec<Overload> {
    use DataType::{BigInt, Boolean, Integer, Timestamptz, Varchar};
    let yes: Eval = |_| Ok(Value::Bool(true));
    let null: Eval = |_| Ok(Value::Null);
    let empty: Eval = |_| text("");
    match name {
        "pg_table_is_visible" | "pg_type_is_visible" | "pg_function_is_visible" => {
            vec![f(&[Integer], Boolean, yes)]
        }
        "pg_is_in_recovery" => vec![f(&[], Boolean, |_| Ok(Value::Bool(false)))],
        "pg_backend_pid" => vec![f(&[], Integer, |_| Ok(Value::Int(0)))],
        "pg_cancel_backend" | "pg_terminate_backend" => {
            vec![f(&[Integer], Boolean, |_| Ok(Value::Bool(false)))]
        }
        "pg_my_temp_schema" => vec![f(&[], Integer, |_| Ok(Value::Int(0)))],
        "pg_stat_get_numscans" => vec![f(&[Integer], BigInt, |_| Ok(Value::Int(0)))],
        "pg_tablespace_location" => vec![f(&[Integer], Varchar, null)],
        "pg_get_serial_sequence" => vec![f(&[Varchar, Varchar], Varchar, null)],
        "rw_recovery_status" => vec![f(&[], Varchar, |_| text("RUNNING"))],
        "pg_postmaster_start_time" => vec![f(&[], Timestamptz, null)],
        "obj_description" | "col_description" | "shobj_description" => vec![
            f(&[Integer], Varchar, empty).nullable(),
            f(&[Integer, Varchar], Varchar, empty).nullable(),
            f(&[Integer, Integer], Varchar, empty).nullable(),
        ],
        "pg_get_expr" => vec![f(&[Varchar, Integer, Boolean], Varchar, |_| text("")).optional(1)],
        "pg_get_constraintdef" | "pg_get_partkeydef" => {
            vec![
                f(&[Integer, Integer, Boolean], Varchar, null)
                    .optional(2)
                    .nullable(),
                f(&[Integer, Boolean], Varchar, null).nullable(),
            ]
        }
        "pg_encoding_to_char" => vec![f(&[Integer], Varchar, |a| {
            text(if a[0].int() == 6 { "UTF8" } else { "" })
        })],
        "pg_relation_size" | "pg_table_size" | "pg_total_relation_size" | "pg_indexes_size" => {
            vec![
                f(&[Integer, Varchar], BigInt, |_| Ok(Value::Int(0))).optional(1),
                f(&[Varchar, Varchar], BigInt, |_| Ok(Value::Int(0))).optional(1),
            ]
        }
        "format_type" => vec![
            f(&[Integer, Integer], Varchar, |a| match a[0] {
                Value::Int(oid) => text(type_of_oid(oid)),
                _ => Ok(Value::Null),
            })
            .nullable(),
        ],
        _ => Vec::new(),
    }
}

/// The name of a type's OID (`wire.md` section 4); arrays with brackets.
fn type_of_oid(oid: i64) -> &'static str {
    match oid {
        16 => "boolean",
        17 => "bytea",
        20 => "bigint",
        21 => "smallint",
        23 => "integer",
        700 => "real",
        701 => "double precision",
        1043 => "character varying",
        1082 => "date",
        1083 => "time without time zone",
        1114 => "timestamp without time zone",
        1184 => "timestamp with time zone",
        1186 => "interval",
        1700 => "numeric",
        3802 => "jsonb",
        1000 => "boolean[]",
        1001 => "bytea[]",
        1005 => "smallint[]",
        1007 => "integer[]",
        1016 => "bigint[]",
        1021 => "real[]",
        1022 => "double precision[]",
        1015 => "character varying[]",
        1182 => "date[]",
        1183 => "time without time zone[]",
        1115 => "timestamp without time zone[]",
        1185 => "timestamp with time zone[]",
        1187 => "interval[]",
        1231 => "numeric[]",
        3807 => "jsonb[]",
        _ => "???",
    }
}
