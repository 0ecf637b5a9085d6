//! Replacements in a text, and the way back from its new bytes to its old ones.

use std::ops::Range;

/// A replacement in a text.
pub struct Edit {
    /// What is replaced.
    pub range: Range<usize>,
    /// What stands there instead.
    pub with: String,
}

/// Byte ranges of the rewritten text and where they came from.
#[derive(Debug, Clone, Default)]
pub struct OffsetMap {
    /// Start in the rewritten text, start in the file, length in the file.
    segments: Vec<(usize, usize, usize)>,
}

impl OffsetMap {
    /// The file's byte for a byte of the rewritten text; inside of a replacement, the nearest of the replaced bytes.
    pub fn original(&self, offset: usize) -> usize {
        let index = self
            .segments
            .partition_point(|(start, ..)| *start <= offset);
        let Some((start, origin, length)) = index.checked_sub(1).map(|i| self.segments[i]) else {
            return offset;
        };
        origin + (offset - start).min(length)
    }

    /// The byte of the rewritten text for a byte of the file that no replacement holds.
    pub fn rewritten(&self, origin: usize) -> usize {
        let index = self
            .segments
            .partition_point(|(_, start, _)| *start <= origin);
        let Some((start, from, length)) = index.checked_sub(1).map(|i| self.segments[i]) else {
            return origin;
        };
        start + (origin - from).min(length)
    }

    /// The file's range for a range of the rewritten text.
    pub fn original_range(&self, range: Range<usize>) -> Range<usize> {
        let start = self.original(range.start);
        start..self.original(range.end).max(start)
    }
}

/// Makes the edits, which do not overlap.
pub fn apply(text: &str, mut edits: Vec<Edit>) -> (String, OffsetMap) {
    edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    let mut out = String::with_capacity(text.len() + edits.len() * 16);
    let mut segments = Vec::with_capacity(edits.len() * 2 + 1);
    let mut at = 0;
    for edit in edits {
        segments.push((out.len(), at, edit.range.start - at));
        out.push_str(&text[at..edit.range.start]);
        segments.push((out.len(), edit.range.start, edit.range.len()));
        out.push_str(&edit.with);
        at = edit.range.end;
    }
    segments.push((out.len(), at, text.len() - at));
    out.push_str(&text[at..]);
    (out, OffsetMap { segments })
}
