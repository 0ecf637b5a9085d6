//! INSERT of literal values without a planner: the text is scanned once, straight into columns.

use std::borrow::Cow;

use arrow::record_batch::RecordBatch;
use rwt_sql::DataType;

use crate::dml::{Changes, DmlKind, Target, check_not_null};
use crate::error::QueryError;
use crate::kernel::cast::{Typed, convert};
use crate::kernel::datetime::parse_zone;
use crate::numeric::{NUMERIC, Numeric};
use crate::queries::Queries;
use crate::read_text::read_as;
use crate::relation::Settings;
use crate::text::Style;
use crate::types::{arrow_type, is_number, schema};
use crate::value::{self, Value};

/// Rows of one batch; a larger INSERT gives several.
const BATCH: usize = 65_536;

impl Queries {
    /// Reads `INSERT INTO t [(columns)] VALUES (literal, …), …` of strings, numbers, booleans and NULL. `None` for every
    /// other INSERT (expressions, casts, SELECT, RETURNING, parameters, a wrong number of values): plan that one.
    ///
    /// # Errors
    /// A text that cannot be read as its column's type, NULL in a NOT NULL column.
    pub fn insert_literals(
        &self,
        sql: &str,
        target: &Target,
        settings: &Settings,
    ) -> Result<Option<Changes>, QueryError> {
        let style = Style {
            zone: parse_zone(&settings.timezone)?,
        };
        let mut scanner = Scanner { text: sql, at: 0 };
        let Some(places) = scanner.head(target) else {
            return Ok(None);
        };
        if target
            .columns
            .iter()
            .enumerate()
            .any(|(i, c)| c.default.is_some() && !places.contains(&i))
        {
            return Ok(None);
        }
        let mut rows = Vec::new();
        let mut columns: Vec<Vec<Value<'_>>> = vec![Vec::new(); target.columns.len()];
        loop {
            if !scanner.row(&places, target, style, &mut columns)? {
                return Ok(None);
            }
            let height = columns.first().map_or(0, Vec::len);
            let more = scanner.symbol(b',');
            if height >= BATCH || !more {
                rows.push(batch(&mut columns, target)?);
            }
            if !more {
                break;
            }
        }
        scanner.symbol(b';');
        scanner.blanks();
        if scanner.at < sql.len() {
            return Ok(None);
        }
        check_not_null(target, &rows)?;
        Ok(Some(Changes {
            kind: DmlKind::Insert,
            row_ids: Vec::new(),
            rows,
            returning: None,
        }))
    }
}

fn batch(columns: &mut [Vec<Value<'_>>], target: &Target) -> Result<RecordBatch, QueryError> {
    let mut arrays = Vec::with_capacity(columns.len());
    let mut visible = Vec::with_capacity(columns.len());
    for (values, out) in columns.iter_mut().zip(&target.columns) {
        arrays.push(value::build(values, &arrow_type(&out.column.data_type))?);
        visible.push(out.column.clone());
        values.clear();
    }
    Ok(RecordBatch::try_new(schema(&visible), arrays)?)
}

/// A place in the statement's text. Every method that gives `None` or `false` means "not a simple INSERT".
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn blanks(&mut self) {
        self.at += self
            .rest()
            .iter()
            .take_while(|b| b.is_ascii_whitespace())
            .count();
    }

    fn symbol(&mut self, wanted: u8) -> bool {
        self.blanks();
        let found = self.rest().first() == Some(&wanted);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self) -> &'a str {
        self.blanks();
        let length = self
            .rest()
            .iter()
            .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_' || **b == b'$')
            .count();
        let word = &self.text[self.at..self.at + length];
        self.at += length;
        word
    }

    fn keyword(&mut self, wanted: &str) -> Option<()> {
        self.word().eq_ignore_ascii_case(wanted).then_some(())
    }

    fn name(&mut self) -> Option<String> {
        self.blanks();
        if self.rest().first() == Some(&b'"') {
            let inner = &self.text[self.at + 1..];
            let end = inner.find('"')?;
            self.at += end + 2;
            return (self.rest().first() != Some(&b'"')).then(|| inner[..end].to_owned());
        }
        let word = self.word();
        (!word.is_empty() && !word.starts_with(|c: char| c.is_ascii_digit()))
            .then(|| word.to_lowercase())
    }

    /// `INSERT INTO name [(columns)] VALUES`: the places of the target's columns.
    fn head(&mut self, target: &Target) -> Option<Vec<usize>> {
        self.keyword("insert")?;
        self.keyword("into")?;
        self.name()?;
        while self.symbol(b'.') {
            self.name()?;
        }
        let mut places = Vec::new();
        if self.symbol(b'(') {
            loop {
                let name = self.name()?;
                let place = target.columns.iter().position(|c| c.column.name == name)?;
                if places.contains(&place) {
                    return None;
                }
                places.push(place);
                if !self.symbol(b',') {
                    break;
                }
            }
            if !self.symbol(b')') {
                return None;
            }
        } else {
            places = (0..target.columns.len()).collect();
        }
        self.keyword("values")?;
        Some(places)
    }

    /// `(literal, …)`, pushed to the columns; false if it is anything else.
    fn row(
        &mut self,
        places: &[usize],
        target: &Target,
        style: Style,
        columns: &mut [Vec<Value<'a>>],
    ) -> Result<bool, QueryError> {
        if !self.symbol(b'(') {
            return Ok(false);
        }
        for (i, place) in places.iter().enumerate() {
            if i > 0 && !self.symbol(b',') {
                return Ok(false);
            }
            let Some(value) = self.literal(&target.columns[*place].column.data_type, style)? else {
                return Ok(false);
            };
            columns[*place].push(value);
        }
        if places.len() < columns.len() {
            for (i, column) in columns.iter_mut().enumerate() {
                if !places.contains(&i) {
                    column.push(Value::Null);
                }
            }
        }
        Ok(self.symbol(b')'))
    }

    fn literal(
        &mut self,
        data_type: &DataType,
        style: Style,
    ) -> Result<Option<Value<'a>>, QueryError> {
        self.blanks();
        match self.rest().first() {
            Some(b'\'') => match self.string() {
                Some(Cow::Borrowed(text)) => read_as(text, data_type, style).map(Some),
                Some(Cow::Owned(text)) => {
                    read_as(&text, data_type, style).map(|v| Some(v.into_owned()))
                }
                None => Ok(None),
            },
            Some(b'-' | b'0'..=b'9' | b'.') => self.number(data_type, style),
            Some(_) => {
                let word = self.word();
                Ok(if word.eq_ignore_ascii_case("null") {
                    Some(Value::Null)
                } else if *data_type != DataType::Boolean {
                    None
                } else if word.eq_ignore_ascii_case("true") {
                    Some(Value::Bool(true))
                } else if word.eq_ignore_ascii_case("false") {
                    Some(Value::Bool(false))
                } else {
                    None
                })
            }
            None => Ok(None),
        }
    }

    /// A string with doubled quotes; none of its bytes are escapes.
    fn string(&mut self) -> Option<Cow<'a, str>> {
        let start = self.at + 1;
        let bytes = self.text.as_bytes();
        let mut end = start;
        let mut doubled = false;
        loop {
            end += bytes.get(end..)?.iter().position(|b| *b == b'\'')?;
            if bytes.get(end + 1) != Some(&b'\'') {
                break;
            }
            doubled = true;
            end += 2;
        }
        self.at = end + 1;
        let raw = &self.text[start..end];
        Some(if doubled {
            Cow::Owned(raw.replace("''", "'"))
        } else {
            Cow::Borrowed(raw)
        })
    }

    fn number(
        &mut self,
        data_type: &DataType,
        style: Style,
    ) -> Result<Option<Value<'a>>, QueryError> {
        let length = self
            .rest()
            .iter()
            .take_while(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .count();
        let text = &self.text[self.at..self.at + length];
        self.at += length;
        if !is_number(data_type) {
            return Ok(None);
        }
        let (value, from) = if let Ok(whole) = text.parse::<i64>() {
            (
                Value::Int(whole),
                Typed::new(DataType::BigInt, arrow::datatypes::DataType::Int64),
            )
        } else {
            // The planner knows the errors of numbers that are none.
            let Ok(decimal) = text.parse::<Numeric>() else {
                return Ok(None);
            };
            (
                Value::Decimal(decimal),
                Typed::new(DataType::Numeric, NUMERIC),
            )
        };
        if matches!(
            self.rest().iter().find(|b| !b.is_ascii_whitespace()),
            Some(b',' | b')')
        ) {
            let to = Typed::new(data_type.clone(), arrow_type(data_type));
            return convert(&value, &from, &to, style).map(Some);
        }
        Ok(None)
    }
}
