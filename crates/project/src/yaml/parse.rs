//! Text to tree, by way of serde-saphyr.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use indexmap::map::Entry as Slot;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{MessageFormatter, Spanned, UserMessageFormatter};

use super::error::YamlError;
use super::file::{Location, SourceFile};
use super::tree::{Entry, Kind, Yaml};

/// Reads a YAML document. An empty file is `null`.
///
/// # Errors
/// One error for text that is not YAML; every key that a mapping has twice.
pub fn parse(file: &Arc<SourceFile>) -> Result<Yaml, Vec<YamlError>> {
    let nothing = |file: &Arc<SourceFile>| Yaml {
        kind: Kind::Null,
        at: Location::new(Arc::clone(file), 0..0),
    };
    let is_empty = file.text().lines().all(|line| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#') || line == "---"
    });
    if is_empty {
        return Ok(nothing(file));
    }
    // Duplicates are collected below, so that all of them are reported and not only the first.
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        with_snippet: false,
    };
    let raw: Spanned<Raw> = serde_saphyr::from_str_with_options(file.text(), options)
        .map_err(|error| vec![syntax_error(file, &error)])?;
    let mut errors = Vec::new();
    let tree = Builder {
        file,
        errors: &mut errors,
    }
    .build(raw);
    if errors.is_empty() {
        Ok(tree)
    } else {
        Err(errors)
    }
}

fn syntax_error(file: &Arc<SourceFile>, error: &serde_saphyr::Error) -> YamlError {
    let at = error
        .location()
        .map_or(0..0, |location| range(file, &location));
    let at = Location::new(Arc::clone(file), at);
    YamlError::Syntax {
        path: file.path().display().to_string(),
        message: UserMessageFormatter.format_message(error).into_owned(),
        file: Arc::clone(file),
        at: super::error::first_line(&at),
    }
}

/// Bytes of a parser's location. The parser counts characters where it does not know bytes.
fn range(file: &SourceFile, location: &serde_saphyr::Location) -> std::ops::Range<usize> {
    let span = location.span();
    if let (Some(start), Some(len)) = (span.byte_offset(), span.byte_len()) {
        let clamp = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        return clamp(start)..clamp(start.saturating_add(len));
    }
    let line = usize::try_from(location.line()).unwrap_or(1).max(1);
    let column = usize::try_from(location.column()).unwrap_or(1).max(1);
    let text = file.text();
    let line_start: usize = text
        .split_inclusive('\n')
        .take(line - 1)
        .map(str::len)
        .sum();
    let within: usize = text[line_start..]
        .chars()
        .take(column - 1)
        .map(char::len_utf8)
        .sum();
    line_start + within..line_start + within
}

/// A value before its places are turned into [`Location`]s.
enum Raw {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(i64::try_from(value).map_or_else(|_| Raw::Text(value.to_string()), Raw::Int))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
        Ok(i64::try_from(value).map_or_else(|_| Raw::Text(value.to_string()), Raw::Int))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Raw, E> {
        Ok(i64::try_from(value).map_or_else(|_| Raw::Text(value.to_string()), Raw::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

/// What PyYAML, which dbt uses, makes of a number that it does not read as YAML 1.2 does: `010` is 8, `08` and `1e3` are
/// text.
fn number(text: &str) -> Option<Kind> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let plain = || Some(Kind::Text(text.to_owned()));
    if digits.len() > 1 && digits.starts_with('0') {
        if digits.chars().all(|c| c.is_ascii_digit() || c == '_') {
            let octal = i64::from_str_radix(&digits.replace('_', ""), 8);
            return octal.map_or_else(|_| plain(), |value| Some(Kind::Int(sign * value)));
        }
        if digits.starts_with("0o") {
            return plain();
        }
    }
    let is_hex = digits.starts_with("0x") || digits.starts_with("0X");
    let (mantissa, exponent) = digits.split_once(['e', 'E']).filter(|_| !is_hex)?;
    let is_float = mantissa.contains('.') && exponent.starts_with(['+', '-']);
    (!is_float).then(plain)?
}

struct Builder<'a> {
    file: &'a Arc<SourceFile>,
    errors: &'a mut Vec<YamlError>,
}

impl Builder<'_> {
    fn at(&self, location: &serde_saphyr::Location) -> Location {
        Location::new(Arc::clone(self.file), range(self.file, location))
    }

    fn build(&mut self, raw: Spanned<Raw>) -> Yaml {
        let at = self.at(&raw.referenced);
        let (kind, at) = match raw.value {
            Raw::Null => (Kind::Null, at),
            // serde-saphyr's YAML 1.1 booleans are more than PyYAML's, which dbt uses.
            Raw::Bool(_) if matches!(at.text(), "y" | "Y" | "n" | "N") => {
                (Kind::Text(at.text().to_owned()), at)
            }
            Raw::Bool(value) => (Kind::Bool(value), at),
            Raw::Int(value) => (number(at.text()).unwrap_or(Kind::Int(value)), at),
            Raw::Float(value) => (number(at.text()).unwrap_or(Kind::Float(value)), at),
            Raw::Text(text) => (Kind::Text(text), at),
            Raw::List(items) => {
                let items: Vec<Yaml> = items.into_iter().map(|item| self.build(item)).collect();
                let end = items
                    .last()
                    .map_or(at.range().end, |last| last.at.range().end);
                (Kind::List(items), self.until(&at, end))
            }
            Raw::Map(entries) => {
                let mut map: IndexMap<String, Entry> = IndexMap::with_capacity(entries.len());
                let mut end = at.range().end;
                for (key, value) in entries {
                    let key_at = self.at(&key.referenced);
                    let value = self.build(value);
                    end = end.max(key_at.range().end).max(value.at.range().end);
                    let Some(name) = self.key(key.value, &key_at) else {
                        continue;
                    };
                    let entry = Entry { key: key_at, value };
                    self.insert(&mut map, name, entry);
                }
                (Kind::Map(map), self.until(&at, end))
            }
        };
        Yaml { kind, at }
    }

    /// A key is text; one that looks like a number or a boolean is what it looks like.
    fn key(&mut self, raw: Raw, at: &Location) -> Option<String> {
        match raw {
            Raw::Text(text) => Some(text),
            Raw::Null | Raw::Bool(_) | Raw::Int(_) | Raw::Float(_) => Some(at.text().to_owned()),
            Raw::List(_) | Raw::Map(_) => {
                self.errors.push(YamlError::Syntax {
                    path: self.file.path().display().to_string(),
                    message:
                        "a key must be text; a value that begins with `{{` needs quotes around it"
                            .to_owned(),
                    file: Arc::clone(self.file),
                    at: at.span(),
                });
                None
            }
        }
    }

    fn insert(&mut self, map: &mut IndexMap<String, Entry>, key: String, entry: Entry) {
        match map.entry(key) {
            Slot::Vacant(slot) => {
                slot.insert(entry);
            }
            Slot::Occupied(slot) => self.errors.push(YamlError::DuplicateKey {
                path: self.file.path().display().to_string(),
                key: slot.key().clone(),
                file: Arc::clone(self.file),
                first: slot.get().key.span(),
                second: entry.key.span(),
            }),
        }
    }

    /// The parser marks only where a collection begins; it ends where its last member does.
    fn until(&self, at: &Location, end: usize) -> Location {
        let start = at.range().start;
        Location::new(Arc::clone(self.file), start..end.max(start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_gives_places_inside_of_it(text in "([a-c]|: |\n|  |- |[\\[\\]{},&*#|>'\"\t?!%]|ü|<<: |\\{\\{ x \\}\\}){0,24}") {
            let file = SourceFile::new("t.yml", text.clone());
            match parse(&file) {
                Ok(tree) => prop_assert!(tree.at.range().end <= text.len()),
                Err(errors) => prop_assert!(!errors.is_empty()),
            }
        }
    }

    fn tree(text: &str) -> Yaml {
        parse(&SourceFile::new("t.yml", text)).unwrap_or_else(|errors| panic!("{errors:?}"))
    }

    #[test]
    fn values_and_keys_know_their_places() {
        let yaml =
            tree("# ü\nname: shop\nvars:\n  a: \"{{ env_var('X') }}\"\n  b: [1, 2.5, yes]\n");
        let vars = yaml.get("vars").unwrap();
        let map = vars.as_map().unwrap();
        assert_eq!(map["a"].key.to_string(), "t.yml:4:3");
        assert_eq!(map["a"].value.at.text(), "\"{{ env_var('X') }}\"");
        assert_eq!(map["a"].value.as_text(), Some("{{ env_var('X') }}"));
        assert_eq!(map["b"].value.to_value(), serde_json::json!([1, 2.5, true]));
        assert_eq!(yaml.get("name").unwrap().at.text(), "shop");
        assert!(vars.at.text().starts_with("a:"), "{}", vars.at.text());
    }

    #[test]
    fn quoted_numbers_stay_text_and_block_scalars_keep_lines() {
        let yaml = tree("port: \"4566\"\nsql: |\n  select 1\n  from t\nempty:\n1: one\n");
        assert_eq!(yaml.get("port").unwrap().as_text(), Some("4566"));
        assert_eq!(
            yaml.get("sql").unwrap().as_text(),
            Some("select 1\nfrom t\n")
        );
        assert!(yaml.get("empty").unwrap().is_null());
        assert_eq!(yaml.get("1").unwrap().as_text(), Some("one"));
    }

    #[test]
    fn words_are_booleans_where_they_are_for_dbt() {
        let yaml = tree("a: [yes, No, on, off, TRUE, y, n, 'yes']\non: 1\ny: 2\n1.50: 3\n");
        let expected = serde_json::json!([true, false, true, false, true, "y", "n", "yes"]);
        assert_eq!(yaml.get("a").unwrap().to_value(), expected);
        let keys: Vec<&String> = yaml.as_map().unwrap().keys().collect();
        assert_eq!(keys, ["a", "on", "y", "1.50"]);
    }

    #[test]
    fn numbers_are_what_they_are_for_dbt() {
        let yaml =
            tree("a: [10, 010, -017, 08, 0o17, 0x1F, 1_000, 1e3, 1.5e+3, 1.5e3, .5, '010']\n");
        let expected = serde_json::json!([
            10, 8, -15, "08", "0o17", 31, 1000, "1e3", 1500.0, "1.5e3", 0.5, "010"
        ]);
        assert_eq!(yaml.get("a").unwrap().to_value(), expected);
    }

    #[test]
    fn anchors_and_merge_keys_are_expanded() {
        let yaml = tree("base: &b {host: h, port: 1}\ndev:\n  <<: *b\n  port: 2\n");
        assert_eq!(
            yaml.get("dev").unwrap().to_value(),
            serde_json::json!({"port": 2, "host": "h"})
        );
    }

    #[test]
    fn empty_and_comment_only_files_are_null() {
        assert!(tree("").is_null());
        assert!(tree("# nothing\n---\n").is_null());
    }

    #[test]
    fn all_duplicate_keys_are_reported() {
        let file = SourceFile::new("t.yml", "a: 1\nb:\n  c: 1\n  c: 2\na: 3\n");
        let errors = parse(&file).unwrap_err();
        let keys: Vec<_> = errors
            .iter()
            .map(|error| match error {
                YamlError::DuplicateKey {
                    key, first, second, ..
                } => (key.as_str(), first.offset(), second.offset()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(keys, [("c", 10, 17), ("a", 0, 22)]);
    }

    #[test]
    fn unquoted_jinja_is_a_syntax_error_at_its_line() {
        let file = SourceFile::new("t.yml", "a: 1\nb: {{ x }}\n");
        let errors = parse(&file).unwrap_err();
        match &errors[..] {
            [YamlError::Syntax { at, .. }] => assert!((8..=14).contains(&at.offset()), "{at:?}"),
            other => panic!("{other:?}"),
        }
    }
}
