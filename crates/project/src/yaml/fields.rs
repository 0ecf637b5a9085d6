//! Typed fields out of a mapping.

use std::cell::RefCell;

use indexmap::IndexMap;

use super::error::{Warning, YamlError};
use super::file::Location;
use super::tree::{Entry, Kind, Yaml};

/// Reads a mapping field by field. What is wrong is collected and the field taken as absent, so that one look at a file
/// tells all that is wrong with it. [`Fields::finish`] warns of the keys that nobody asked for.
pub struct Fields<'a> {
    map: &'a IndexMap<String, Entry>,
    at: &'a Location,
    prefix: String,
    asked: RefCell<Vec<&'static str>>,
    errors: &'a RefCell<Vec<YamlError>>,
}

impl<'a> Fields<'a> {
    /// The fields of `yaml`; none, and an error, if it is no mapping. `name` is what errors call it, empty at the top.
    pub fn of(yaml: &'a Yaml, name: &str, errors: &'a RefCell<Vec<YamlError>>) -> Option<Self> {
        match &yaml.kind {
            Kind::Map(map) => Some(Self {
                map,
                at: &yaml.at,
                prefix: if name.is_empty() {
                    String::new()
                } else {
                    format!("{name}.")
                },
                asked: RefCell::default(),
                errors,
            }),
            _ => {
                let key = if name.is_empty() { "the file" } else { name };
                errors.borrow_mut().push(YamlError::wrong_type(
                    key,
                    "a mapping (`key: value` lines)",
                    yaml.describe(),
                    &yaml.at,
                ));
                None
            }
        }
    }

    /// Where the mapping stands.
    pub fn at(&self) -> &'a Location {
        self.at
    }

    /// The value of the first of `names` that is there and not null.
    pub fn any(&self, names: &[&'static str]) -> Option<(&'static str, &'a Entry)> {
        self.asked.borrow_mut().extend_from_slice(names);
        names.iter().find_map(|name| {
            let entry = self.map.get(*name)?;
            (!entry.value.is_null()).then_some((*name, entry))
        })
    }

    /// Where a key is null, for what means something by it.
    pub fn null(&self, name: &str) -> Option<&'a Location> {
        let entry = self.map.get(name)?;
        entry.value.is_null().then_some(&entry.value.at)
    }

    /// The value of a key, unless it is null.
    pub fn value(&self, name: &'static str) -> Option<&'a Yaml> {
        self.any(&[name]).map(|(_, entry)| &entry.value)
    }

    /// Text under the first of `names`; a number or boolean is taken as its text, as dbt does for strings.
    pub fn text(&self, names: &[&'static str]) -> Option<(String, &'a Location)> {
        let (name, entry) = self.any(names)?;
        let value = &entry.value;
        match scalar_text(value) {
            Some(text) => Some((text, &value.at)),
            None => {
                self.wrong(name, "text", value);
                None
            }
        }
    }

    /// A list of texts; a single text is a list of one.
    pub fn texts(&self, name: &'static str) -> Option<Vec<(String, &'a Location)>> {
        let value = self.value(name)?;
        let items = match &value.kind {
            Kind::List(items) => items.iter().collect(),
            _ => vec![value],
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            match scalar_text(item) {
                Some(text) => texts.push((text, &item.at)),
                None => self.wrong(name, "a list of texts", item),
            }
        }
        Some(texts)
    }

    /// A whole number from `min` to `max`; also one written as text.
    pub fn int(&self, names: &[&'static str], min: i64, max: i64) -> Option<i64> {
        let (name, entry) = self.any(names)?;
        let value = &entry.value;
        let number = match &value.kind {
            Kind::Int(number) => Some(*number),
            Kind::Text(text) => text.trim().parse().ok(),
            _ => None,
        };
        match number {
            Some(number) if (min..=max).contains(&number) => Some(number),
            other => {
                let found = other.map_or_else(|| found(value), |number| number.to_string());
                let expected = match (min, max) {
                    (only, same) if only == same => format!("the number {only}"),
                    (min, i64::MAX) => format!("a whole number of at least {min}"),
                    (min, max) => format!("a whole number from {min} to {max}"),
                };
                self.errors.borrow_mut().push(YamlError::wrong_type(
                    self.path(name),
                    expected,
                    found,
                    &value.at,
                ));
                None
            }
        }
    }

    /// A boolean; also one written as text.
    pub fn bool(&self, name: &'static str) -> Option<bool> {
        let value = self.value(name)?;
        match &value.kind {
            Kind::Bool(value) => Some(*value),
            Kind::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Kind::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => {
                self.wrong(name, "`true` or `false`", value);
                None
            }
        }
    }

    /// A mapping below a key.
    pub fn map(&self, name: &'static str) -> Option<Fields<'a>> {
        let value = self.value(name)?;
        Fields::of(value, &self.path(name), self.errors)
    }

    /// The mappings of a list below a key.
    pub fn maps(&self, name: &'static str) -> Vec<Fields<'a>> {
        let Some(value) = self.value(name) else {
            return Vec::new();
        };
        match &value.kind {
            Kind::List(items) => items
                .iter()
                .filter_map(|item| Fields::of(item, &self.path(name), self.errors))
                .collect(),
            _ => {
                self.wrong(name, "a list (lines that begin with `- `)", value);
                Vec::new()
            }
        }
    }

    /// Adds the error that `name` is missing.
    pub fn missing(&self, name: &str, help: &str) {
        self.errors
            .borrow_mut()
            .push(YamlError::missing(self.path(name), help, self.at));
    }

    /// Adds the error that `name` should be `expected`.
    pub fn wrong(&self, name: &str, expected: &str, value: &Yaml) {
        self.errors.borrow_mut().push(YamlError::wrong_type(
            self.path(name),
            expected,
            found(value),
            &value.at,
        ));
    }

    /// Says that a key is known although it is not read.
    pub fn known(&self, names: &[&'static str]) {
        self.asked.borrow_mut().extend_from_slice(names);
    }

    /// Warnings for the keys that were not asked for.
    pub fn finish(self, warnings: &mut Vec<Warning>) {
        let asked = self.asked.borrow();
        for (key, entry) in self.map {
            if !asked.contains(&key.as_str()) {
                warnings.push(Warning::unknown_key(key, &asked, &entry.key));
            }
        }
    }

    /// The dotted path of a key, for messages.
    pub fn path(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

fn found(value: &Yaml) -> String {
    match &value.kind {
        Kind::Text(text) if text.len() <= 40 => format!("`{text}`"),
        _ => value.describe().to_owned(),
    }
}

/// Text, or the text of a number or boolean.
pub(crate) fn scalar_text(value: &Yaml) -> Option<String> {
    match &value.kind {
        Kind::Text(text) => Some(text.clone()),
        Kind::Int(number) => Some(number.to_string()),
        // As the file writes it: `1.10` is a version and not the number 1.1.
        Kind::Float(number) => Some(match value.at.text().parse::<f64>() {
            Ok(written) if written == *number => value.at.text().to_owned(),
            _ => number.to_string(),
        }),
        Kind::Bool(value) => Some(value.to_string()),
        Kind::Null | Kind::List(_) | Kind::Map(_) => None,
    }
}
