//! Property tests: what the encoders print the decoders read back, and no bytes make a decoder panic.

use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::Union;
use rwt_sql::DataType;

use crate::decode;
use crate::encode::{Format, TextFormat, put_value};
use crate::message::{Message, Opening};
use crate::param::Param;

const DAY: i64 = 86_400_000_000;
/// 0001-01-01 and 10000-01-01, in days: what the text form of a date can say.
const DAYS: std::ops::Range<i32> = -719_162..2_932_897;

/// A type without inner types, and values of it.
fn leaf() -> impl Strategy<Value = (DataType, BoxedStrategy<Param>)> {
    let micros = i64::from(DAYS.start) * DAY..i64::from(DAYS.end) * DAY;
    let float = any::<f64>().prop_filter("NaN equals nothing", |v| !v.is_nan());
    prop::sample::select(vec![
        (
            DataType::Boolean,
            any::<bool>().prop_map(Param::Boolean).boxed(),
        ),
        (
            DataType::SmallInt,
            any::<i16>().prop_map(Param::SmallInt).boxed(),
        ),
        (
            DataType::Integer,
            any::<i32>().prop_map(Param::Integer).boxed(),
        ),
        (
            DataType::BigInt,
            any::<i64>().prop_map(Param::BigInt).boxed(),
        ),
        (
            DataType::Real,
            float.clone().prop_map(|v| Param::Real(v as f32)).boxed(),
        ),
        (DataType::Double, float.prop_map(Param::Double).boxed()),
        (DataType::Numeric, numeric().boxed()),
        (
            DataType::Varchar,
            any::<String>().prop_map(Param::Varchar).boxed(),
        ),
        (
            DataType::Varchar,
            "[a-c \"\\\\{}(),\t\n]{0,6}|NULL|null"
                .prop_map(Param::Varchar)
                .boxed(),
        ),
        (
            DataType::Bytea,
            vec(any::<u8>(), 0..9).prop_map(Param::Bytea).boxed(),
        ),
        (DataType::Date, DAYS.prop_map(Param::Date).boxed()),
        (DataType::Time, (0..DAY).prop_map(Param::Time).boxed()),
        (
            DataType::Timestamp,
            micros.clone().prop_map(Param::Timestamp).boxed(),
        ),
        (
            DataType::Timestamptz,
            micros.prop_map(Param::Timestamptz).boxed(),
        ),
        (DataType::Interval, interval().boxed()),
        (DataType::Jsonb, json().boxed()),
        (
            DataType::Int256,
            "0|-?[1-9][0-9]{0,75}".prop_map(Param::Int256).boxed(),
        ),
    ])
}

/// Digits and scales that fit into the 38 digits of one Arrow column together, as the items of a list have to.
fn numeric() -> impl Strategy<Value = Param> {
    let digits = -(10_i128.pow(19))..10_i128.pow(19);
    (digits, 0_u8..=19).prop_map(|(unscaled, scale)| Param::Numeric { unscaled, scale })
}

fn interval() -> impl Strategy<Value = Param> {
    let micros = -9_000_000_000_000_000..9_000_000_000_000_000_i64;
    (-9999..9999_i32, any::<i32>(), micros).prop_map(|(months, days, micros)| Param::Interval {
        months,
        days,
        micros,
    })
}

fn json() -> impl Strategy<Value = Param> {
    let scalar = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    let tree = scalar.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Into::into),
            vec((any::<String>(), inner), 0..4)
                .prop_map(|pairs| serde_json::Value::Object(pairs.into_iter().collect())),
        ]
    });
    tree.prop_map(|value| Param::Jsonb(value.to_string()))
}

fn or_null(values: BoxedStrategy<Param>) -> impl Strategy<Value = Param> {
    prop_oneof![1 => Just(Param::Null), 4 => values]
}

fn list_of((item, values): (DataType, BoxedStrategy<Param>)) -> (DataType, BoxedStrategy<Param>) {
    let list = DataType::List(Box::new(item.clone()));
    let lists = vec(or_null(values), 0..4).prop_map(move |values| Param::List {
        item: item.clone(),
        values,
    });
    (list, lists.boxed())
}

/// Lists of lists are rectangular, without NULL lists and not empty, as the binary format can hold them.
fn grid_of((item, values): (DataType, BoxedStrategy<Param>)) -> (DataType, BoxedStrategy<Param>) {
    let inner = DataType::List(Box::new(item.clone()));
    let list = DataType::List(Box::new(inner.clone()));
    let grids = (1_usize..4, 1_usize..4).prop_flat_map(move |(rows, width)| {
        let (item, inner) = (item.clone(), inner.clone());
        let row = vec(or_null(values.clone()), width).prop_map(move |values| Param::List {
            item: item.clone(),
            values,
        });
        vec(row, rows).prop_map(move |values| Param::List {
            item: inner.clone(),
            values,
        })
    });
    (list, grids.boxed())
}

fn struct_of(fields: Vec<(DataType, BoxedStrategy<Param>)>) -> (DataType, BoxedStrategy<Param>) {
    let (types, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    let names = types.into_iter().enumerate();
    let data_type = DataType::Struct(names.map(|(i, field)| (format!("f{i}"), field)).collect());
    let values: Vec<_> = values.into_iter().map(|v| or_null(v).boxed()).collect();
    (data_type, values.prop_map(Param::Struct).boxed())
}

fn any_type() -> impl Strategy<Value = (DataType, BoxedStrategy<Param>)> {
    let flat = || Union::new([leaf().boxed(), leaf().prop_map(list_of).boxed()]);
    let structs = || vec(flat(), 1..4).prop_map(struct_of);
    prop_oneof![
        leaf(),
        leaf().prop_map(list_of),
        leaf().prop_map(grid_of),
        structs(),
        structs().prop_map(list_of),
        (structs(), leaf()).prop_map(|(a, b)| struct_of(vec![a, b])),
    ]
}

fn typed_value() -> impl Strategy<Value = (DataType, Param)> {
    any_type().prop_flat_map(|(data_type, values)| (Just(data_type), or_null(values)))
}

/// What a value means, whatever its spelling: numerics without trailing zeros, JSON without blanks and in key order.
fn meaning(param: Param) -> Param {
    match param {
        Param::Numeric {
            mut unscaled,
            mut scale,
        } => {
            while scale > 0 && unscaled % 10 == 0 {
                unscaled /= 10;
                scale -= 1;
            }
            Param::Numeric { unscaled, scale }
        }
        Param::Jsonb(text) => {
            let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
            value.sort_all_objects();
            Param::Jsonb(value.to_string())
        }
        Param::List { item, values } => Param::List {
            item,
            values: values.into_iter().map(meaning).collect(),
        },
        Param::Struct(values) => Param::Struct(values.into_iter().map(meaning).collect()),
        other => other,
    }
}

fn reread(param: &Param, data_type: &DataType, format: Format, timezone: &str) -> Param {
    let array = param.to_array(data_type).unwrap();
    let mut out = BytesMut::new();
    put_value(
        &mut out,
        &array,
        0,
        data_type,
        format,
        &TextFormat::new(timezone),
    )
    .unwrap();
    let length = i32::from_be_bytes(out[..4].try_into().unwrap());
    let value = (length >= 0).then(|| &out[4..]);
    assert_eq!(value.map_or(-1, |value| value.len() as i32), length);
    decode::param(value, data_type, format, timezone).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn text_reads_back((data_type, param) in typed_value()) {
        let again = reread(&param, &data_type, Format::Text, "+05:45");
        prop_assert_eq!(meaning(again), meaning(param));
    }

    #[test]
    fn binary_reads_back((data_type, param) in typed_value()) {
        let again = reread(&param, &data_type, Format::Binary, "UTC");
        prop_assert_eq!(meaning(again), meaning(param));
    }

    #[test]
    fn no_bytes_make_a_value_decoder_panic(
        (data_type, _) in typed_value(),
        bytes in vec(any::<u8>(), 0..64),
        text in "[-+0-9a-z:. TZ{}()\",\\\\]{0,24}",
    ) {
        for format in [Format::Text, Format::Binary] {
            let _ = decode::param(Some(&bytes), &data_type, format, "UTC");
        }
        let _ = decode::param(Some(text.as_bytes()), &data_type, Format::Text, "Europe/Berlin");
    }

    #[test]
    fn no_bytes_make_the_message_decoder_panic(tag: u8, body in vec(any::<u8>(), 0..64)) {
        let _ = Opening::decode(Bytes::from(body.clone()));
        let _ = Message::decode(tag, Bytes::from(body.clone()));
        for tag in *b"QPBDCEHSXFp" {
            let _ = Message::decode(tag, Bytes::from(body.clone()));
        }
    }
}
