//! `.env`: variables beside the project, as dbt-core 1.12 reads them (python-dotenv): the file in the current directory or
//! the nearest one above it, and never over what the process already has.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

/// The variables of the nearest `.env`, read once.
pub(crate) fn variables() -> &'static BTreeMap<String, String> {
    static VARIABLES: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    VARIABLES.get_or_init(|| {
        let here = std::env::current_dir().ok();
        here.as_deref()
            .and_then(nearest)
            .map(|text| parse(&text))
            .unwrap_or_default()
    })
}

fn nearest(from: &Path) -> Option<String> {
    let file = from
        .ancestors()
        .map(|directory| directory.join(".env"))
        .find(|file| file.is_file())?;
    std::fs::read_to_string(file).ok()
}

/// `NAME=value` lines: `export` before them, quotes around values, comments, and `${NAME}` or `${NAME:-default}` in values
/// that are not in single quotes.
fn parse(text: &str) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let mut rest = text;
    while !rest.is_empty() {
        let line_end = rest.find('\n').map_or(rest.len(), |at| at + 1);
        let (line, behind) = rest.split_at(line_end);
        let entry = line.trim_start();
        let entry = entry.strip_prefix("export ").unwrap_or(entry).trim_start();
        let Some((name, value)) = entry.split_once('=').filter(|_| !entry.starts_with('#')) else {
            rest = behind;
            continue;
        };
        let value = value.trim_start_matches([' ', '\t']);
        let quote = value.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let (value, after) = match quote {
            // A quoted value may go on over lines.
            Some(quote) => {
                let start = rest.len() - (value.len() + behind.len()) + 1;
                quoted(&rest[start..], quote).map_or_else(
                    || (value.trim().to_owned(), behind),
                    |(value, length)| (value, line_behind(&rest[start + length..])),
                )
            }
            None => {
                let value = value.split(" #").next().unwrap_or_default().trim();
                (value.to_owned(), behind)
            }
        };
        let value = match quote {
            Some('\'') => value,
            _ => expanded(&value, &variables),
        };
        variables.insert(name.trim().to_owned(), value);
        rest = after;
    }
    variables
}

fn line_behind(text: &str) -> &str {
    text.find('\n').map_or("", |at| &text[at + 1..])
}

/// A quoted value and the bytes up to and with its closing quote.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Some((value, at + c.len_utf8())),
            '\\' => {
                let (_, escaped) = chars.next()?;
                match (quote, escaped) {
                    ('"', 'n') => value.push('\n'),
                    ('"', 't') => value.push('\t'),
                    (_, c) if c == quote || c == '\\' => value.push(c),
                    (_, c) => value.extend(['\\', c]),
                }
            }
            c => value.push(c),
        }
    }
    None
}

fn expanded(value: &str, before: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = value;
    while let Some((text, behind)) = rest.split_once("${") {
        let Some((inside, after)) = behind.split_once('}') else {
            break;
        };
        out.push_str(text);
        let (name, default) = inside.split_once(":-").unwrap_or((inside, ""));
        let known = std::env::var(name)
            .ok()
            .or_else(|| before.get(name).cloned());
        out.push_str(&known.unwrap_or_else(|| default.to_owned()));
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_python_dotenv_does() {
        let text = "# comment\nA=1\nexport B = 'two # not a comment' # one\nC=\"line\\nbreak\nand more\"\nD=${A}-${NOT_SET_HERE:-x} # note\n\nE=\nF='${A}'\nnot a line\n";
        let found = parse(text);
        let get = |name: &str| found.get(name).map(String::as_str);
        assert_eq!(get("A"), Some("1"));
        assert_eq!(get("B"), Some("two # not a comment"));
        assert_eq!(get("C"), Some("line\nbreak\nand more"));
        assert_eq!(get("D"), Some("1-x"));
        assert_eq!(get("E"), Some(""));
        assert_eq!(get("F"), Some("${A}"));
        assert_eq!(found.len(), 6);
    }
}
