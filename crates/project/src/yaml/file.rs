//! A file's text with its name, and a place in it.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

/// A file that was read, under the name that users see.
#[derive(PartialEq, Eq)]
pub struct SourceFile {
    path: PathBuf,
    text: String,
    shown: Option<String>,
}

impl SourceFile {
    /// A file's text under the name to show, which is relative to the project where it lies in it.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            path: path.into(),
            text: text.into(),
            shown: None,
        })
    }

    /// A file that holds secrets: diagnostics show `shown` in its place, in which each secret is covered up. Both must
    /// be of one length, so that a place in one is the same place in the other.
    pub fn covered(
        path: impl Into<PathBuf>,
        text: impl Into<String>,
        shown: impl Into<String>,
    ) -> Arc<Self> {
        let (text, shown) = (text.into(), shown.into());
        debug_assert_eq!(text.len(), shown.len(), "covering up moves no byte");
        Arc::new(Self {
            path: path.into(),
            text,
            shown: Some(shown),
        })
    }

    /// The name to show.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for SourceFile {
    /// The name only: the text may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SourceFile").field(&self.path).finish()
    }
}

impl SourceCode for SourceFile {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        context_lines_before: usize,
        context_lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let shown = self.shown.as_ref().unwrap_or(&self.text);
        let inner = shown.read_span(span, context_lines_before, context_lines_after)?;
        Ok(Box::new(MietteSpanContents::new_named(
            self.path.display().to_string(),
            inner.data(),
            *inner.span(),
            inner.line(),
            inner.column(),
            inner.line_count(),
        )))
    }
}

/// A range of bytes in a file.
#[derive(Clone, PartialEq, Eq)]
pub struct Location {
    file: Arc<SourceFile>,
    start: usize,
    end: usize,
}

impl Location {
    /// The bytes `range` of `file`; a range that does not lie on characters of the text is cut to the part that does.
    pub fn new(file: Arc<SourceFile>, range: Range<usize>) -> Self {
        let text = file.text();
        let start = text.floor_char_boundary(range.start.min(text.len()));
        let end = text.ceil_char_boundary(range.end.clamp(start, text.len()));
        Self { file, start, end }
    }

    /// The file.
    pub fn file(&self) -> &Arc<SourceFile> {
        &self.file
    }

    /// The bytes.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// The text at this place, as the file has it.
    pub fn text(&self) -> &str {
        &self.file.text()[self.start..self.end]
    }

    /// Line, counted from 1.
    pub fn line(&self) -> usize {
        self.before().bytes().filter(|byte| *byte == b'\n').count() + 1
    }

    /// Column in characters, counted from 1.
    pub fn column(&self) -> usize {
        let line_start = self.before().rfind('\n').map_or(0, |at| at + 1);
        self.file.text()[line_start..self.start].chars().count() + 1
    }

    /// For miette's labels.
    pub fn span(&self) -> SourceSpan {
        (self.start, self.end - self.start).into()
    }

    /// The part `range` of the value whose text is `value`, if the file spells the value as it is; else the whole.
    pub fn within(&self, value: &str, range: Range<usize>) -> Self {
        match self.text().find(value) {
            Some(offset) if !value.is_empty() => Self::new(
                Arc::clone(&self.file),
                self.start + offset + range.start..self.start + offset + range.end,
            ),
            _ => self.clone(),
        }
    }

    fn before(&self) -> &str {
        &self.file.text()[..self.start]
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}",
            self.file.path().display(),
            self.line(),
            self.column()
        )
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_lines_and_characters() {
        let file = SourceFile::new("a.yml", "x: ü\nkey: wért\n");
        let at = Location::new(file, 11..16);
        assert_eq!(at.text(), "wért");
        assert_eq!(at.to_string(), "a.yml:2:6");
    }

    #[test]
    fn ranges_outside_of_the_text_or_inside_of_a_character_are_moved() {
        let file = SourceFile::new("a.yml", "ü");
        assert_eq!(Location::new(Arc::clone(&file), 1..1).range(), 0..2);
        assert_eq!(Location::new(file, 5..9).range(), 2..2);
    }

    #[test]
    fn a_part_of_a_value_is_found_behind_its_quote() {
        let file = SourceFile::new("a.yml", "x: \"{{ y }}\"");
        let value = Location::new(file, 3..12);
        assert_eq!(value.within("{{ y }}", 3..4).text(), "y");
    }
}
