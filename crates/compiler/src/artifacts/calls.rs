//! Which macros a macro's text calls, as dbt finds out without running it (`statically_extract_macro_calls`).

use std::ops::Range;

use crate::jinja::scan::{blanks, identifier_len, string_end, tag_end};
use crate::jinja::{MacroDefinition, MacroTable};

/// Macros of dbt that are functions here.
const NATIVE: [&str; 6] = [
    "is_incremental",
    "load_relation",
    "run_hooks",
    "run_query",
    "should_full_refresh",
    "statement",
];

/// Ids of the macros that a macro calls, in the order of its text, each once. `text` is its block.
pub(super) fn calls(definition: &MacroDefinition, text: &str, table: &MacroTable) -> Vec<String> {
    let own = definition.unique_id();
    let mut found: Vec<String> = Vec::new();
    let mut note = |id: Option<String>| {
        // One that calls itself does not depend on itself.
        if let Some(id) = id.filter(|id| *id != own && !found.contains(id)) {
            found.push(id);
        }
    };
    let bytes = text.as_bytes();
    let mut at = signature(text).end;
    while let Some(open) = text[at..].find('{') {
        at += open;
        let delimiter: &[u8] = match bytes.get(at + 1) {
            Some(b'{') => b"}}",
            Some(b'%') => b"%}",
            Some(b'#') => {
                at = text[at..].find("#}").map_or(text.len(), |end| at + end + 2);
                continue;
            }
            _ => {
                at += 1;
                continue;
            }
        };
        let end = tag_end(bytes, at + 2, delimiter).unwrap_or(text.len());
        for call in in_tag(text, at + 2..end) {
            match call {
                Call::Plain(name) => note(id_of(definition, table, name)),
                Call::Of(package, name) => {
                    note(table.find_in(package, name).map(|found| found.unique_id()));
                }
                Call::Dispatch(name, namespace) => {
                    note(
                        table
                            .dispatch(name, namespace)
                            .map(|found| found.unique_id()),
                    );
                }
            }
        }
        at = end.max(at + 2);
    }
    found
}

fn id_of(definition: &MacroDefinition, table: &MacroTable, name: &str) -> Option<String> {
    match table.find_from(&definition.package, name) {
        Some(found) => Some(found.unique_id()),
        None => NATIVE.contains(&name).then(|| format!("macro.dbt.{name}")),
    }
}

/// The bytes of a block's first tag.
fn signature(text: &str) -> Range<usize> {
    let open = text.find("{%").unwrap_or(0);
    let end = tag_end(text.as_bytes(), open + 2, b"%}").unwrap_or(text.len());
    open..end
}

/// The names of a macro's parameters.
pub(super) fn parameters(text: &str) -> Vec<&str> {
    let tag = &text[signature(text)];
    let (Some(open), Some(close)) = (tag.find('('), tag.rfind(')')) else {
        return Vec::new();
    };
    let bytes = tag.as_bytes();
    let mut names = Vec::new();
    let (mut at, mut depth, mut expects_name) = (open + 1, 0_usize, true);
    while at < close {
        match bytes[at] {
            quote @ (b'\'' | b'"') => {
                at = string_end(bytes, at, quote);
                continue;
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => expects_name = true,
            _ if expects_name => {
                let length = identifier_len(&tag[at..close]);
                if length > 0 {
                    names.push(&tag[at..at + length]);
                    expects_name = false;
                    at += length;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    names
}

/// `supported_languages` of a materialization: what its tag says, or dbt's default.
pub(super) fn languages(text: &str) -> Vec<String> {
    let tag = &text[signature(text)];
    let said = tag
        .split_once("supported_languages")
        .and_then(|(_, rest)| rest.split_once('['))
        .and_then(|(_, rest)| rest.split_once(']'))
        .map(|(inner, _)| inner);
    match said {
        Some(inner) => inner
            .split(',')
            .map(|word| word.trim().trim_matches(['\'', '"']).to_owned())
            .filter(|word| !word.is_empty())
            .collect(),
        None => vec!["sql".to_owned()],
    }
}

enum Call<'a> {
    Plain(&'a str),
    Of(&'a str, &'a str),
    Dispatch(&'a str, Option<&'a str>),
}

fn in_tag(text: &str, range: Range<usize>) -> Vec<Call<'_>> {
    let bytes = &text.as_bytes()[..range.end];
    let mut found = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let byte = bytes[at];
        if matches!(byte, b'\'' | b'"') {
            at = string_end(bytes, at, byte);
            continue;
        }
        let length = identifier_len(&text[at..range.end]);
        if length == 0 {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
            continue;
        }
        // A member, or a filter, which may be called like a macro.
        let is_inner = text[range.start..at].trim_end().ends_with(['.', '|']);
        let name = &text[at..at + length];
        at += length;
        if is_inner {
            continue;
        }
        match bytes.get(at) {
            Some(b'.') => {
                let inner = identifier_len(&text[at + 1..range.end]);
                let (member, behind) = (&text[at + 1..at + 1 + inner], at + 1 + inner);
                if bytes.get(behind) == Some(&b'(') {
                    if name == "adapter" && member == "dispatch" {
                        found.extend(dispatch(&text[behind..range.end]));
                    } else {
                        found.push(Call::Of(name, member));
                    }
                }
            }
            _ if bytes.get(at + blanks(bytes, at)) == Some(&b'(') => found.push(Call::Plain(name)),
            // `{% call statement %}` names its macro without brackets.
            _ => {}
        }
    }
    found
}

/// The arguments of `adapter.dispatch('name', 'namespace')`, where they are plain text.
fn dispatch(arguments: &str) -> Option<Call<'_>> {
    let end = arguments.find(')').unwrap_or(arguments.len());
    let mut words = arguments[1..end].split(',').map(|word| {
        let word = word.split_once('=').map_or(word, |(_, value)| value);
        let word = word.trim();
        word.strip_prefix(['\'', '"'])
            .and_then(|word| word.strip_suffix(['\'', '"']))
    });
    let name = words.next()??;
    Some(Call::Dispatch(name, words.next().flatten()))
}
