//! Snapshots: `{% snapshot name %}` blocks of the files under `snapshot-paths`, and entries of property files that name a
//! `relation`.

use std::ops::Range;
use std::sync::Arc;

use super::discover::NodeFile;
use crate::yaml::{Location, SourceFile};

/// An entry of a property file that is a snapshot by itself.
#[derive(Debug, Clone)]
pub(super) struct SnapshotEntry {
    /// Its name.
    pub name: String,
    /// `relation`: a call of `ref` or `source`.
    pub relation: String,
    /// Where `relation` stands.
    pub at: Location,
    /// Folders below the model path in which the property file lies.
    pub folders: Vec<String>,
}

/// The snapshots of a file: each with the block's text at the place where it stands, the rest blanked out. A file whose
/// blocks do not end comes back with where the first of them begins.
pub(super) fn blocks(file: &NodeFile) -> Result<Vec<NodeFile>, Range<usize>> {
    let text = file.file.text();
    let mut found = Vec::new();
    let mut rest = 0;
    while let Some(tag) = next_tag(text, rest) {
        rest = tag.range.end;
        let Some(name) = tag.words.strip_prefix("snapshot ").map(str::trim) else {
            continue;
        };
        let begin = tag.range.end;
        let end = loop {
            let Some(next) = next_tag(text, rest) else {
                return Err(tag.range);
            };
            rest = next.range.end;
            if next.words == "endsnapshot" {
                break next.range.start;
            }
        };
        let mut fqn = file.fqn.clone();
        fqn.push(name.to_owned());
        found.push(NodeFile {
            name: name.to_owned(),
            fqn,
            path: file.path.clone(),
            original_file_path: file.original_file_path.clone(),
            file: SourceFile::new(
                &file.original_file_path,
                format!("{}{}", blanked(&text[..begin]), &text[begin..end]),
            ),
            whole: Some(Arc::clone(&file.file)),
        });
    }
    Ok(found)
}

/// The snapshot of a property file's entry; its text stands in the line that names the relation.
pub(super) fn of_entry(project: &str, entry: &SnapshotEntry) -> NodeFile {
    let file = entry.at.file();
    let lines = "\n".repeat(entry.at.line().saturating_sub(1));
    let path = file.path().to_path_buf();
    let fqn = std::iter::once(project.to_owned())
        .chain(entry.folders.iter().cloned())
        .chain([entry.name.clone()]);
    NodeFile {
        name: entry.name.clone(),
        fqn: fqn.collect(),
        path: format!("{}.sql", entry.name).into(),
        file: SourceFile::new(
            &path,
            format!("{{#{lines}#}}select * from {{{{ {} }}}}", entry.relation),
        ),
        original_file_path: path,
        whole: Some(Arc::clone(file)),
    }
}

/// The query in a snapshot's text, without what was blanked out before it.
pub fn snapshot_query(text: &str) -> &str {
    let behind = text
        .strip_prefix("{#")
        .and_then(|rest| rest.split_once("#}"));
    behind.map_or(text, |(_, query)| query)
}

/// A comment that is as long as a text, which ends in a tag, and has its lines.
fn blanked(text: &str) -> String {
    let blank = |c: char| match c {
        '\n' | '\r' => c.to_string(),
        other => " ".repeat(other.len_utf8()),
    };
    let blank: String = text.chars().map(blank).collect();
    format!("{{#{}#}}", &blank[..blank.len().saturating_sub(4)])
}

struct Tag<'a> {
    range: Range<usize>,
    words: &'a str,
}

/// The next `{% … %}` that stands in no comment.
fn next_tag(text: &str, from: usize) -> Option<Tag<'_>> {
    let mut at = from;
    loop {
        let start = at + text[at..].find("{")?;
        let here = &text[start..];
        if here.starts_with("{#") {
            at = start + here.find("#}")? + 2;
        } else if here.starts_with("{%") {
            let end = start + here.find("%}")? + 2;
            let inside = &text[start + 2..end - 2];
            return Some(Tag {
                range: start..end,
                words: inside.trim_matches(|c: char| c.is_whitespace() || c == '-' || c == '+'),
            });
        } else {
            at = start + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> NodeFile {
        NodeFile {
            name: "orders".to_owned(),
            fqn: vec!["shop".to_owned(), "orders".to_owned()],
            path: "orders.sql".into(),
            original_file_path: "snapshots/orders.sql".into(),
            file: SourceFile::new("snapshots/orders.sql", text),
            whole: None,
        }
    }

    #[test]
    fn blocks_keep_their_places() {
        let text = "{# {% snapshot no %} #}\n{% snapshot a %}\nselect 1\n{% endsnapshot %}\n{%- snapshot b -%}select ü{%- endsnapshot -%}";
        let found = blocks(&file(text)).expect("two blocks");
        let names: Vec<&str> = found.iter().map(|found| found.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        for (found, query) in found.iter().zip(["\nselect 1\n", "select ü"]) {
            let own = found.file.text();
            assert_eq!(snapshot_query(own), query);
            let at = own.find("select").expect("a query");
            assert!(text[at..].starts_with(query.trim()), "{own}");
        }
        assert_eq!(found[1].fqn, ["shop", "orders", "b"]);
    }

    #[test]
    fn a_block_without_an_end_is_told() {
        assert_eq!(blocks(&file("x {% snapshot a %}")).err(), Some(2..18));
        assert!(blocks(&file("select 1")).expect("none").is_empty());
    }
}
