//! Text to tree, from the events of granit-parser. Anchors, merge keys, tags and scalars are PyYAML's, as dbt reads files.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use indexmap::IndexMap;
use indexmap::map::Entry as Slot;

use super::error::YamlError;
use super::file::{Location, SourceFile};
use super::scalar::plain;
use super::tree::{Entry, Kind, Yaml};

/// How many values the aliases of a file may stand for, so that a small file does not become a tree that fills the memory.
const MOST_ALIASED: usize = 1_000_000;

/// Reads a YAML document. An empty file is `null`.
///
/// # Errors
/// One error for text that is not YAML; every key that a mapping has twice.
pub fn parse(file: &Arc<SourceFile>) -> Result<Yaml, Vec<YamlError>> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let mut reader = Reader {
        file,
        events: Parser::new_from_str_with_options(file.text(), options),
        anchors: HashMap::new(),
        aliased: 0,
        errors: Vec::new(),
    };
    match reader.stream() {
        Ok(tree) if reader.errors.is_empty() => Ok(tree),
        Ok(_) => Err(reader.errors),
        Err(Stop(error)) => Err(vec![*error]),
    }
}

/// An error behind which nothing can be read.
struct Stop(Box<YamlError>);

/// What an alias stands for.
struct Anchored {
    value: Yaml,
    /// Values in it, itself included.
    size: usize,
}

struct Reader<'a> {
    file: &'a Arc<SourceFile>,
    events: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Anchored>,
    /// Values that aliases stood for so far.
    aliased: usize,
    /// What is wrong and hinders no reading.
    errors: Vec<YamlError>,
}

impl<'a> Reader<'a> {
    /// The one document of a file.
    fn stream(&mut self) -> Result<Yaml, Stop> {
        let mut tree = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentEnd => {}
                Event::DocumentStart(..) if tree.is_none() => {
                    let (event, span) = self.next()?;
                    tree = Some(self.node(event, span)?.0);
                }
                _ => return Err(self.stop("it holds a second document", bytes(self.file, span))),
            }
        }
        Ok(tree.unwrap_or_else(|| Yaml {
            kind: Kind::Null,
            at: self.at(0..0),
        }))
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Stop> {
        match self.events.next_event() {
            Some(Ok(found)) => Ok(found),
            Some(Err(error)) => Err(self.syntax_error(&error)),
            None => Err(self.stop(
                "it ends too early",
                self.file.text().len()..self.file.text().len(),
            )),
        }
    }

    /// The value that begins with an event, and how many values are in it, itself included.
    fn node(&mut self, event: Event<'a>, span: Span) -> Result<(Yaml, usize), Stop> {
        let at = bytes(self.file, span);
        let (value, size, anchor) = match event {
            Event::Alias(anchor) => return self.alias(anchor, at),
            Event::Scalar(text, style, anchor, tag) => {
                let kind = self.scalar(&text, style, tag.as_deref(), &at)?;
                let at = self.at(at);
                (Yaml { kind, at }, 1, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_collection(tag.as_deref(), "seq", &at)?;
                let (value, size) = self.list(at)?;
                (value, size, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_collection(tag.as_deref(), "map", &at)?;
                let (value, size) = self.map(at)?;
                (value, size, anchor)
            }
            _ => return Err(self.stop("a value is missing", at)),
        };
        if anchor != 0 {
            let value = value.clone();
            self.anchors.insert(anchor, Anchored { value, size });
        }
        Ok((value, size))
    }

    fn alias(&mut self, anchor: usize, at: Range<usize>) -> Result<(Yaml, usize), Stop> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            return Err(self.stop("an alias stands for what it is in", at));
        };
        let (kind, size) = (anchored.value.kind.clone(), anchored.size);
        self.aliased += size;
        if self.aliased > MOST_ALIASED {
            return Err(self.stop("its aliases stand for too many values", at));
        }
        let at = self.at(at);
        Ok((Yaml { kind, at }, size))
    }

    fn list(&mut self, at: Range<usize>) -> Result<(Yaml, usize), Stop> {
        let (mut items, mut size) = (Vec::new(), 1);
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                break;
            }
            let (item, inner) = self.node(event, span)?;
            size += inner;
            items.push(item);
        }
        // The parser marks where a collection begins; it ends where its last member does.
        let end = items
            .last()
            .map_or(at.end, |last: &Yaml| last.at.range().end);
        let at = self.at(at.start..end.max(at.start));
        let kind = Kind::List(items);
        Ok((Yaml { kind, at }, size))
    }

    fn map(&mut self, at: Range<usize>) -> Result<(Yaml, usize), Stop> {
        let mut map: IndexMap<String, Entry> = IndexMap::new();
        let (mut merged, mut size, mut end) = (Vec::new(), 1, at.end);
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let is_merge =
                matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let name = match &event {
                Event::Scalar(text, ..) => Some(text.clone().into_owned()),
                _ => None,
            };
            let (key, _) = self.node(event, span)?;
            let (event, span) = self.next()?;
            let (value, inner) = self.node(event, span)?;
            size += inner;
            end = end.max(key.at.range().end).max(value.at.range().end);
            if is_merge {
                self.merge(value, &mut merged)?;
            } else if let Some(name) = name.or_else(|| key.as_text().map(str::to_owned)) {
                let key = key.at;
                self.insert(&mut map, name, Entry { key, value });
            } else {
                let message =
                    "a key must be text; a value that begins with `{{` needs quotes around it";
                let error = self.error(message, key.at.range());
                self.errors.push(error);
            }
        }
        if !merged.is_empty() {
            // What is merged comes first, and what the mapping itself says counts.
            let own = std::mem::take(&mut map);
            map.extend(merged.into_iter().rev().flatten());
            map.extend(own);
        }
        let at = self.at(at.start..end.max(at.start));
        let kind = Kind::Map(map);
        Ok((Yaml { kind, at }, size))
    }

    /// Takes the mappings of a merge key; of several, the first counts.
    fn merge(&self, value: Yaml, into: &mut Vec<IndexMap<String, Entry>>) -> Result<(), Stop> {
        match value.kind {
            Kind::Map(map) => into.push(map),
            Kind::List(items) => {
                for item in items {
                    self.merge(item, into)?;
                }
            }
            _ => {
                let message = "`<<` takes a mapping or a list of mappings";
                return Err(self.stop(message, value.at.range()));
            }
        }
        Ok(())
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

    fn scalar(
        &self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        at: &Range<usize>,
    ) -> Result<Kind, Stop> {
        let as_text = || Kind::Text(text.to_owned());
        let Some(tag) = tag else {
            return Ok(if style == ScalarStyle::Plain {
                plain(text)
            } else {
                as_text()
            });
        };
        let kind = match tag.core_suffix() {
            Some("str") => Some(as_text()),
            Some("null") => Some(Kind::Null),
            Some("bool") => Some(plain(text)).filter(|kind| matches!(kind, Kind::Bool(_))),
            Some("int") => Some(plain(text)).filter(|kind| matches!(kind, Kind::Int(_))),
            Some("float") => match plain(text) {
                Kind::Int(value) => Some(Kind::Float(value as f64)),
                kind => Some(kind).filter(|kind| matches!(kind, Kind::Float(_))),
            },
            // `!` alone: not by its looks.
            None if tag.parts() == ("", "!") => Some(as_text()),
            _ => None,
        };
        kind.ok_or_else(|| {
            self.stop(
                &format!("its value is not what `{}` says", tag.original()),
                at.clone(),
            )
        })
    }

    fn check_collection(
        &self,
        tag: Option<&Tag>,
        suffix: &str,
        at: &Range<usize>,
    ) -> Result<(), Stop> {
        match tag {
            Some(tag) if tag.core_suffix() != Some(suffix) => {
                let message = format!("the tag `{}` means nothing here", tag.original());
                Err(self.stop(&message, at.clone()))
            }
            _ => Ok(()),
        }
    }

    fn at(&self, range: Range<usize>) -> Location {
        Location::new(Arc::clone(self.file), range)
    }

    fn stop(&self, message: &str, at: Range<usize>) -> Stop {
        Stop(Box::new(self.error(message, at)))
    }

    fn error(&self, message: &str, at: Range<usize>) -> YamlError {
        YamlError::Syntax {
            path: self.file.path().display().to_string(),
            message: message.to_owned(),
            file: Arc::clone(self.file),
            at: super::error::first_line(&self.at(at)),
        }
    }

    fn syntax_error(&self, error: &ScanError) -> Stop {
        let marker = *error.marker();
        let start = marker
            .byte_offset()
            .unwrap_or_else(|| self.file.text().len());
        self.stop(&error.info(), start..start)
    }
}

/// The bytes of what an event speaks of. For text in memory the parser always knows them.
fn bytes(file: &SourceFile, span: Span) -> Range<usize> {
    span.byte_range()
        .unwrap_or_else(|| file.text().len()..file.text().len())
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
    fn plain_scalars_are_what_they_look_like_and_others_are_text() {
        let yaml = tree("a: [yes, 'yes', y, 010, \"010\", 1e3]\non: 1\ny: 2\n1.50: 3\n");
        let expected = serde_json::json!([true, "yes", "y", 8, "010", "1e3"]);
        assert_eq!(yaml.get("a").unwrap().to_value(), expected);
        let keys: Vec<&String> = yaml.as_map().unwrap().keys().collect();
        assert_eq!(keys, ["a", "on", "y", "1.50"]);
    }

    #[test]
    fn tags_say_what_a_scalar_is() {
        let yaml = tree("a: [!!str 10, !!int '10', !!float 1, !!bool 'no', !!null x, ! 10]\n");
        let expected = serde_json::json!(["10", 10, 1.0, false, null, "10"]);
        assert_eq!(yaml.get("a").unwrap().to_value(), expected);
        for wrong in ["a: !secret x\n", "a: !!int x\n", "a: !!python/none\n"] {
            let errors = parse(&SourceFile::new("t.yml", wrong)).unwrap_err();
            assert!(matches!(errors[..], [YamlError::Syntax { .. }]), "{wrong}");
        }
    }

    #[test]
    fn anchors_and_merge_keys_are_expanded() {
        let yaml = tree("base: &b {host: h, port: 1}\ndev:\n  <<: *b\n  port: 2\n");
        assert_eq!(
            yaml.get("dev").unwrap().to_value(),
            serde_json::json!({"port": 2, "host": "h"})
        );
        let yaml = tree("a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {z: 3, <<: [*a, *b]}\nd: *a\n");
        let merged = yaml.get("c").unwrap();
        assert_eq!(
            merged.to_value(),
            serde_json::json!({"x": 1, "y": 1, "z": 3})
        );
        assert_eq!(
            yaml.get("d").unwrap().to_value(),
            serde_json::json!({"x": 1, "y": 1})
        );
        assert_eq!(yaml.get("d").unwrap().at.text(), "*a");
    }

    #[test]
    fn what_cannot_be_expanded_is_an_error() {
        let bomb = (1..12).fold(
            "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned(),
            |text, n| {
                let alias = format!("*a{}", n - 1);
                format!("{text}a{n}: &a{n} [{}]\n", vec![alias; 10].join(", "))
            },
        );
        for wrong in [
            "a: &a [*a]\n",
            "a: *b\n",
            "a: {<<: 1}\n",
            "a: 1\n---\nb: 2\n",
            &bomb,
        ] {
            let errors = parse(&SourceFile::new("t.yml", wrong)).unwrap_err();
            assert!(
                matches!(errors[..], [YamlError::Syntax { .. }]),
                "{wrong}: {errors:?}"
            );
        }
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
