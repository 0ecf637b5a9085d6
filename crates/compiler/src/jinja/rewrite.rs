//! dbt's block tags, rewritten to what minijinja knows, without moving a line.
//!
//! minijinja has no custom tags. A scan over the text finds the tags outside of comments, strings and raw blocks, and
//! replaces the inside of those that dbt adds: `materialization`, `test`, `snapshot`, `docs`, `return`. Macros get an
//! internal name, so that a call by the bare name always goes through [`super::macros::MacroValue`], which catches
//! `return`, fills `varargs` and `kwargs` and keeps the call chain for errors. The right side of `set` is wrapped, so
//! that lists and dictionaries can be changed in place. Each replacement keeps its number of line breaks, and an
//! [`OffsetMap`] leads from a byte of the rewritten text to the byte of the file. A file that holds nothing but macros
//! also says where each of them begins and ends, so that a rendering can load only those that it calls.

use std::ops::Range;

use super::arithmetic;
use super::edits::{Edit, OffsetMap, apply};
use super::scan::{
    assigned, assignment, blanks, end_of_raw, find_after, has_word, identifier_len, is_call,
    loop_items, operand_end, parameters, parameters_end, string_end, tag_end, tuple_end,
};

/// What a template file is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Macros of a `macro-paths` folder: definitions are renamed and callable from everywhere.
    Macros,
    /// A model, a hook or a configuration value: macros in it are its own.
    Model,
}

/// A rewritten file.
#[derive(Debug, Clone)]
pub struct Rewritten {
    /// The text for minijinja.
    pub text: String,
    /// The way back to the file's bytes.
    pub map: OffsetMap,
    /// Macros in the order of the file; empty for models.
    pub definitions: Vec<Definition>,
}

/// A macro, materialization or generic test that a file defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// dbt's name: `rate`, `materialization_sink_risingwave`, `test_not_null`.
    pub name: String,
    /// The tag in the file.
    pub range: Range<usize>,
    /// The tag, its end tag and what is between, in the file.
    pub block: Range<usize>,
    /// The same in the rewritten text, if macros are all that the file holds: then nothing in the file can mean anything
    /// to it but its own text.
    pub alone: Option<Range<usize>>,
}

/// A tag that cannot be rewritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagError {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes of the file.
    pub range: Range<usize>,
}

/// The name under which minijinja knows a macro of a macro file.
pub fn internal_name(name: &str) -> String {
    format!("rwt__{name}")
}

/// The function that the right side of `set` goes through. No macro's internal name begins as these names do.
pub const MUTABLE: &str = "rwt_mutable";

/// The function that what `for` goes over goes through.
pub const EACH: &str = "rwt_each";

/// The function that makes a call of what `do` works out.
pub const DONE: &str = "rwt_done";

/// Rewrites a file. Text without dbt's own tags comes back as it is.
///
/// # Errors
/// A `materialization` or `test` tag whose words are not dbt's.
pub fn rewrite(text: &str, kind: FileKind) -> Result<Rewritten, TagError> {
    let mut scan = Scan {
        text,
        kind,
        edits: Vec::new(),
        definitions: Vec::new(),
        open: Vec::new(),
        times: arithmetic::speaks_of_times(text),
        only_macros: true,
    };
    scan.run()?;
    let (rewritten, map) = apply(text, with_line_feeds(text, scan.edits));
    let mut definitions = scan.definitions;
    if scan.only_macros && scan.open.is_empty() {
        for definition in &mut definitions {
            let Range { start, end } = definition.block;
            definition.alone = Some(map.rewritten(start)..map.rewritten(end));
        }
    }
    Ok(Rewritten {
        text: rewritten,
        map,
        definitions,
    })
}

/// As in Jinja2, lines end with `\n` in what is rendered, whatever the file has.
fn with_line_feeds(text: &str, mut edits: Vec<Edit>) -> Vec<Edit> {
    if !text.contains("\r\n") {
        return edits;
    }
    let is_replaced = |at: &usize| edits.iter().any(|edit| edit.range.contains(at));
    let ends: Vec<Edit> = text
        .match_indices("\r\n")
        .map(|(at, _)| at)
        .filter(|at| !is_replaced(at))
        .map(|at| Edit {
            range: at..at + 1,
            with: String::new(),
        })
        .collect();
    for edit in &mut edits {
        edit.with = edit.with.replace("\r\n", "\n");
    }
    edits.extend(ends);
    edits
}

/// A macro whose end tag is still ahead.
struct OpenMacro {
    /// Where `varargs` and `kwargs` can be added to the parameters, and whether a comma must come before.
    parameters_end: Option<(usize, bool)>,
    varargs: bool,
    kwargs: bool,
    /// Its place among the definitions.
    definition: Option<usize>,
}

struct Scan<'a> {
    text: &'a str,
    kind: FileKind,
    edits: Vec<Edit>,
    definitions: Vec<Definition>,
    open: Vec<OpenMacro>,
    /// Whether operators may stand between times.
    times: bool,
    /// Whether nothing but macros, comments and text was seen outside of macros.
    only_macros: bool,
}

impl Scan<'_> {
    fn run(&mut self) -> Result<(), TagError> {
        let bytes = self.text.as_bytes();
        let mut at = 0;
        while let Some(found) = self.text[at..].find('{') {
            at += found;
            match bytes.get(at + 1) {
                Some(b'#') => at = find_after(self.text, at + 2, "#}"),
                Some(b'{') => {
                    let end = tag_end(bytes, at + 2, b"}}").unwrap_or(bytes.len());
                    self.only_macros &= !self.open.is_empty();
                    self.note_special_names(at..end);
                    self.percent_formats(at + 2..end.saturating_sub(2).max(at + 2));
                    self.operators(inner(bytes, at, end));
                    at = end;
                }
                Some(b'%') => at = self.tag(at)?,
                _ => at += 1,
            }
        }
        Ok(())
    }

    /// Handles the tag that begins at `start` and returns the byte behind it.
    fn tag(&mut self, start: usize) -> Result<usize, TagError> {
        let bytes = self.text.as_bytes();
        // A tag that does not end is minijinja's to complain about.
        let Some(end) = tag_end(bytes, start + 2, b"%}") else {
            self.only_macros = false;
            return Ok(bytes.len());
        };
        let mut inner = start + 2..end - 2;
        if inner.start < inner.end && matches!(bytes[inner.start], b'-' | b'+') {
            inner.start += 1;
        }
        if inner.end > inner.start && matches!(bytes[inner.end - 1], b'-' | b'+') {
            inner.end -= 1;
        }
        while inner.start < inner.end && bytes[inner.start].is_ascii_whitespace() {
            inner.start += 1;
        }
        while inner.end > inner.start && bytes[inner.end - 1].is_ascii_whitespace() {
            inner.end -= 1;
        }
        let words = &self.text[inner.clone()];
        let keyword_len = identifier_len(words);
        let keyword = &words[..keyword_len];
        let rest = inner.start + keyword_len..inner.end;
        if !matches!(keyword, "raw" | "docs" | "materialization" | "snapshot") {
            self.percent_formats(rest.clone());
        }
        if matches!(
            keyword,
            "set" | "if" | "elif" | "do" | "for" | "call" | "return"
        ) {
            self.operators(rest.clone());
        }
        let defines = matches!(keyword, "macro" | "materialization" | "test" | "data_test");
        // Outside of macros there is nothing but macros, and inside of macros there are none.
        self.only_macros &= self.open.is_empty() == defines;
        match keyword {
            "raw" => return Ok(end_of_raw(self.text, end, "endraw").1),
            "docs" => {
                self.replace(inner, "raw".to_owned());
                let (end_tag, behind) = end_of_raw(self.text, end, "enddocs");
                if let Some(tag) = end_tag {
                    self.replace(tag, "endraw".to_owned());
                }
                return Ok(behind);
            }
            "materialization" => {
                let name = materialization_name(&self.text[rest.clone()])
                    .ok_or_else(|| materialization_error(&inner))?;
                self.open(None);
                self.define(name.clone(), start..end);
                self.replace(inner, format!("macro {}()", internal_name(&name)));
            }
            "test" | "data_test" => {
                self.test(&rest, inner.start..rest.start, start..end)?;
                self.defaults(&rest, inner.end);
            }
            "snapshot" => {
                let name = self.text[rest].trim().to_owned();
                self.replace(inner, format!("set snapshot_{name}"));
            }
            "endsnapshot" => self.replace(inner, "endset".to_owned()),
            "macro" => {
                self.open(parameters_end(self.text, &rest));
                self.defaults(&rest, inner.end);
                if self.kind == FileKind::Macros {
                    self.name_macro(&rest, start..end);
                }
            }
            "endmaterialization" | "endtest" | "enddata_test" => {
                self.replace(inner, "endmacro".to_owned());
                self.close(end);
            }
            "endmacro" => self.close(end),
            "return" => self.replace(inner.start..rest.start, "do return".to_owned()),
            "set" => {
                self.note_special_names(rest.clone());
                self.wrap_assignment(rest);
            }
            "for" => {
                self.note_special_names(rest.clone());
                if let Some(items) = loop_items(self.text.as_bytes(), rest) {
                    self.wrap(items, EACH);
                }
            }
            "with" => {
                self.note_special_names(rest.clone());
                for value in assigned(self.text.as_bytes(), rest) {
                    self.wrap(value, MUTABLE);
                }
            }
            "do" => {
                self.note_special_names(rest.clone());
                if !is_call(self.text.as_bytes(), &rest) {
                    self.wrap(rest, DONE);
                }
            }
            _ => self.note_special_names(rest),
        }
        Ok(end)
    }

    fn test(
        &mut self,
        rest: &Range<usize>,
        keyword: Range<usize>,
        tag: Range<usize>,
    ) -> Result<(), TagError> {
        let words = &self.text[rest.clone()];
        let skipped = words.len() - words.trim_start().len();
        let name_start = rest.start + skipped;
        let length = identifier_len(&self.text[name_start..rest.end]);
        if length == 0 {
            return Err(TagError {
                message: "a test needs a name and parameters: {% test name(model, column_name) %}"
                    .to_owned(),
                range: tag,
            });
        }
        let name = format!("test_{}", &self.text[name_start..name_start + length]);
        self.open(parameters_end(self.text, rest));
        self.define(name.clone(), tag);
        self.replace(
            keyword.start..name_start + length,
            format!("macro {}", internal_name(&name)),
        );
        Ok(())
    }

    fn name_macro(&mut self, rest: &Range<usize>, tag: Range<usize>) {
        let words = &self.text[rest.clone()];
        let name_start = rest.start + (words.len() - words.trim_start().len());
        let length = identifier_len(&self.text[name_start..rest.end]);
        if length > 0 {
            let name = self.text[name_start..name_start + length].to_owned();
            self.replace(name_start..name_start + length, internal_name(&name));
            self.define(name, tag);
        }
    }

    /// `set a = b` becomes `set a = rwt_mutable(b)`; block assignments stay.
    fn wrap_assignment(&mut self, rest: Range<usize>) {
        let Some(equals) = assignment(&self.text.as_bytes()[rest.clone()]) else {
            return;
        };
        let value = rest.start + equals + 1..rest.end;
        if self.text[value.clone()].trim().is_empty() {
            return;
        }
        self.wrap(value, MUTABLE);
    }

    /// `x` becomes ` function(x)`.
    fn wrap(&mut self, value: Range<usize>, function: &str) {
        self.edits.push(Edit {
            range: value.start..value.start,
            with: format!(" {function}("),
        });
        self.edits.push(Edit {
            range: value.end..value.end,
            with: ")".to_owned(),
        });
    }

    /// `macro m(a=[])` becomes `macro m(a= rwt_mutable([]))`. minijinja knows no parameter while it works a default out,
    /// so that `macro m(a, b=a)` sets `b` behind the tag, which ends at `tag_end`.
    fn defaults(&mut self, rest: &Range<usize>, tag_end: usize) {
        let parameters = parameters(self.text, rest);
        let mut late = String::new();
        for (index, (name, default)) in parameters.iter().enumerate() {
            let Some(default) = default.clone() else {
                continue;
            };
            let text = &self.text[default.clone()];
            let is_named =
                |(earlier, _): &(Range<usize>, _)| has_word(text, &self.text[earlier.clone()]);
            if parameters[..index].iter().any(is_named) {
                let name = &self.text[name.clone()];
                let value = self.taken_out(default);
                late.push_str(&format!(
                    " %}}{{% if {name} is undefined %}}{{% set {name} = {MUTABLE}({value}) %}}{{% endif"
                ));
            } else if text.starts_with(['[', '{']) {
                self.wrap(default, MUTABLE);
            }
        }
        if !late.is_empty() {
            self.edits.push(Edit {
                range: tag_end..tag_end,
                with: late,
            });
        }
    }

    /// A default as it is rewritten; in its place stays a name of nothing.
    fn taken_out(&mut self, range: Range<usize>) -> String {
        let is_inside =
            |edit: &mut Edit| edit.range.start >= range.start && edit.range.end <= range.end;
        let inside: Vec<Edit> = self.edits.extract_if(.., is_inside).collect();
        let inside = inside.into_iter().map(|edit| Edit {
            range: edit.range.start - range.start..edit.range.end - range.start,
            with: edit.with,
        });
        let (text, _) = apply(&self.text[range.clone()], inside.collect());
        self.replace(range, "rwt_default".to_owned());
        text.replace(['\r', '\n'], " ")
    }

    /// Operators between times become filters.
    fn operators(&mut self, range: Range<usize>) {
        if self.times {
            arithmetic::edits(self.text, range, &mut self.edits);
        }
    }

    /// `'%s' % x` becomes `'%s' |format(x)`: minijinja's `%` is for numbers only.
    fn percent_formats(&mut self, range: Range<usize>) {
        let bytes = &self.text.as_bytes()[..range.end];
        let mut at = range.start;
        while at < range.end {
            let quote = bytes[at];
            if !matches!(quote, b'\'' | b'"') {
                at += 1;
                continue;
            }
            at = string_end(bytes, at, quote);
            let percent = at + blanks(bytes, at);
            if bytes.get(percent) != Some(&b'%') {
                continue;
            }
            let start = percent + 1 + blanks(bytes, percent + 1);
            let Some(end) = operand_end(bytes, start) else {
                continue;
            };
            let is_tuple = bytes[start] == b'(' && end == tuple_end(bytes, start);
            self.edits.push(Edit {
                range: percent..start,
                with: if is_tuple { "|format" } else { "|format(" }.to_owned(),
            });
            if !is_tuple {
                self.edits.push(Edit {
                    range: end..end,
                    with: ")".to_owned(),
                });
            }
            at = start;
        }
    }

    fn define(&mut self, name: String, range: Range<usize>) {
        let block = range.clone();
        self.definitions.push(Definition {
            name,
            range,
            block,
            alone: None,
        });
        if let Some(open) = self.open.last_mut() {
            open.definition = Some(self.definitions.len() - 1);
        }
    }

    fn open(&mut self, parameters_end: Option<(usize, bool)>) {
        self.open.push(OpenMacro {
            parameters_end,
            varargs: false,
            kwargs: false,
            definition: None,
        });
    }

    /// Closes the innermost macro, whose end tag ends at `end`.
    fn close(&mut self, end: usize) {
        let Some(open) = self.open.pop() else { return };
        if let Some(index) = open.definition {
            self.definitions[index].block.end = end;
        }
        let Some((at, comma)) = open.parameters_end else {
            return;
        };
        let hidden: Vec<&str> = [(open.varargs, "varargs=[]"), (open.kwargs, "kwargs={}")]
            .into_iter()
            .filter_map(|(used, text)| used.then_some(text))
            .collect();
        if self.kind == FileKind::Macros && !hidden.is_empty() {
            let comma = if comma { ", " } else { "" };
            self.edits.push(Edit {
                range: at..at,
                with: format!("{comma}{}", hidden.join(", ")),
            });
        }
    }

    /// Remembers that the innermost open macro reads `varargs` or `kwargs`.
    fn note_special_names(&mut self, range: Range<usize>) {
        let Some(open) = self.open.last_mut() else {
            return;
        };
        let text = &self.text[range];
        open.varargs |= has_word(text, "varargs");
        open.kwargs |= has_word(text, "kwargs");
    }

    fn replace(&mut self, range: Range<usize>, mut with: String) {
        let lines = self.text[range.clone()].matches('\n').count();
        let kept = with.matches('\n').count();
        with.push_str(&"\n".repeat(lines.saturating_sub(kept)));
        self.edits.push(Edit { range, with });
    }
}

/// What stands between the braces of `{{- … -}}`, the signs left out.
fn inner(bytes: &[u8], start: usize, end: usize) -> Range<usize> {
    let is_sign = |at: usize| matches!(bytes.get(at), Some(b'-' | b'+'));
    let first = start + 2 + usize::from(is_sign(start + 2));
    let last = end.saturating_sub(2).max(first);
    let last = last - usize::from(last > first && is_sign(last - 1));
    first..last
}

fn materialization_error(range: &Range<usize>) -> TagError {
    TagError {
        message: "a materialization needs a name, and `default` or `adapter='risingwave'`"
            .to_owned(),
        range: range.clone(),
    }
}

/// ` sink, adapter='risingwave'` → `materialization_sink_risingwave`.
fn materialization_name(words: &str) -> Option<String> {
    let mut parts = words.split(',');
    let name = parts.next()?.trim();
    if name.is_empty() || identifier_len(name) != name.len() {
        return None;
    }
    let mut adapter = None;
    for part in parts {
        let part = part.trim();
        if part == "default" {
            adapter = Some("default".to_owned());
        } else if let Some((key, value)) = part.split_once('=')
            && key.trim() == "adapter"
        {
            adapter = Some(value.trim().trim_matches(['\'', '"']).to_owned());
        }
    }
    Some(format!(
        "materialization_{name}_{}",
        adapter.unwrap_or_else(|| "default".to_owned())
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn macros(text: &str) -> Rewritten {
        rewrite(text, FileKind::Macros).expect("rewrites")
    }

    #[test]
    fn a_materialization_becomes_a_macro_on_the_same_lines() {
        let text = "{# x #}\n{%- materialization sink, adapter='risingwave' -%}\n body\n{%- endmaterialization %}\n";
        let out = macros(text);
        assert_eq!(
            out.text,
            "{# x #}\n{%- macro rwt__materialization_sink_risingwave() -%}\n body\n{%- endmacro %}\n"
        );
        assert_eq!(out.definitions[0].name, "materialization_sink_risingwave");
        assert_eq!(
            out.map.original(out.text.find("body").unwrap_or(0)),
            text.find("body").unwrap_or(0)
        );
    }

    #[test]
    fn line_breaks_inside_of_a_tag_survive() {
        let text = "{% materialization\n  a,\n  default %}{% endmaterialization %}";
        let out = macros(text);
        assert_eq!(out.text.matches('\n').count(), 2);
        assert_eq!(out.definitions[0].name, "materialization_a_default");
    }

    #[test]
    fn comments_strings_and_raw_blocks_are_left_alone() {
        let text =
            "{# {% return(1) %} #}{{ '{% return(1) %}' }}{% raw %}{% return(1) %}{% endraw %}";
        assert_eq!(macros(text).text, text);
    }

    #[test]
    fn assignments_are_wrapped_and_block_assignments_are_not() {
        let out = macros(
            "{% set a = {'x': [1]} %}{% set b %}x{% endset %}{% set c | replace(a='=') %}y{% endset %}",
        );
        assert_eq!(
            out.text,
            "{% set a = rwt_mutable( {'x': [1]}) %}{% set b %}x{% endset %}{% set c | replace(a='=') %}y{% endset %}"
        );
    }

    #[test]
    fn percent_behind_a_string_formats() {
        let out = macros(
            "{{ '%s' % x.y(1)['z'] ~ 'b' }}{{ \"%s %s\" % (a, 'b') }}{% set c = '%d' % 5 %}{{ 7 % 2 }}{% if x == 'a' %}{% endif %}",
        );
        assert_eq!(
            out.text,
            "{{ '%s' |format(x.y(1)['z']) ~ 'b' }}{{ \"%s %s\" |format(a, 'b') }}{% set c = rwt_mutable( '%d' |format(5)) %}{{ 7 % 2 }}{% if x == 'a' %}{% endif %}"
        );
    }

    #[test]
    fn loops_do_and_late_defaults() {
        let out = macros(
            "{% for x in [1] if x %}{% endfor %}{% do a.b(1) %}{% do a.b() or c %}{% macro m(a, b=a ~ 1) -%}{% endmacro %}",
        );
        assert_eq!(
            out.text,
            "{% for x in  rwt_each([1]) if x %}{% endfor %}{% do a.b(1) %}{% do rwt_done( a.b() or c) %}{% macro rwt__m(a, b=rwt_default) %}{% if b is undefined %}{% set b = rwt_mutable(a ~ 1) %}{% endif -%}{% endmacro %}"
        );
    }

    #[test]
    fn varargs_become_parameters() {
        let out = macros(
            "{% macro m(a) %}{{ varargs | join }}{{ kwargs }}{% endmacro %}{% macro n() %}{{ varargs }}{% endmacro %}",
        );
        assert!(
            out.text.contains("rwt__m(a, varargs=[], kwargs={})"),
            "{}",
            out.text
        );
        assert!(out.text.contains("rwt__n(varargs=[])"), "{}", out.text);
    }

    #[test]
    fn docs_and_tests() {
        let out = macros(
            "{% docs x %}{{ nothing }}{% enddocs %}{% test not_null(model, column_name) %}1{% endtest %}",
        );
        assert_eq!(
            out.text,
            "{% raw %}{{ nothing }}{% endraw %}{% macro rwt__test_not_null(model, column_name) %}1{% endmacro %}"
        );
    }

    /// Texts made of the pieces that the scan looks at.
    fn template() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("{% "),
            Just(" %}"),
            Just("{{"),
            Just("}}"),
            Just("{#"),
            Just("#}"),
            Just("{%-"),
            Just("-%}"),
            Just("\n"),
            Just("macro m(a, b=1)"),
            Just("macro m(a, b='%s' % a,\n c=[b])"),
            Just("for x in "),
            Just(" if "),
            Just("do "),
            Just("with a="),
            Just("endmacro"),
            Just("set x = "),
            Just("set y"),
            Just("endset"),
            Just("materialization t, default"),
            Just("endmaterialization"),
            Just("test t(model)"),
            Just("raw"),
            Just("endraw"),
            Just("docs d"),
            Just("enddocs"),
            Just("'"),
            Just("\""),
            Just("("),
            Just(")"),
            Just("["),
            Just("é"),
            Just("varargs"),
            Just("kwargs"),
            Just("return(1)"),
            Just("=="),
            Just("\\"),
            Just("snapshot s"),
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn lines_stay_and_the_way_back_never_runs_backwards(text in template()) {
            for kind in [FileKind::Macros, FileKind::Model] {
                let Ok(out) = rewrite(&text, kind) else { continue };
                prop_assert_eq!(out.text.matches('\n').count(), text.matches('\n').count());
                let line = |text: &str, at: usize| text.as_bytes()[..at].iter().filter(|b| **b == b'\n').count();
                let mut before = 0;
                for at in 0..=out.text.len() {
                    let origin = out.map.original(at);
                    prop_assert!(origin >= before && origin <= text.len());
                    before = origin;
                }
                // A line break of the file that was not inside of a replaced tag keeps its line.
                for (at, _) in out.text.match_indices('\n') {
                    let origin = out.map.original(at);
                    if text.as_bytes().get(origin) == Some(&b'\n') {
                        prop_assert_eq!(line(&text, origin), line(&out.text, at));
                    }
                }
            }
        }

        #[test]
        fn text_without_braces_keeps_all_but_its_line_ends(text in "[^{]*") {
            let rewritten = rewrite(&text, FileKind::Macros).expect("rewrites").text;
            prop_assert_eq!(rewritten, text.replace("\r\n", "\n"));
        }
    }

    #[test]
    fn a_materialization_without_a_name_is_an_error() {
        let error = rewrite(
            "{% materialization %}{% endmaterialization %}",
            FileKind::Macros,
        );
        assert!(error.is_err());
    }
}
