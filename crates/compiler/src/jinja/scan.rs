//! Where strings, brackets, tags and names end in a template's text, in bytes.

use std::ops::Range;

/// Where a macro's parameter list closes, and whether it has parameters.
pub(crate) fn parameters_end(text: &str, rest: &Range<usize>) -> Option<(usize, bool)> {
    let open = rest.start + text[rest.clone()].find('(')?;
    let close = rest.start + text[rest.clone()].rfind(')')?;
    let inner = text.get(open + 1..close)?.trim_end();
    Some((close, !inner.trim().is_empty() && !inner.ends_with(',')))
}

/// The parameters of a macro: names and defaults.
pub(crate) fn parameters(
    text: &str,
    rest: &Range<usize>,
) -> Vec<(Range<usize>, Option<Range<usize>>)> {
    let Some((close, _)) = parameters_end(text, rest) else {
        return Vec::new();
    };
    let open = text[rest.clone()].find('(').map_or(0, |open| open + 1);
    let bytes = text.as_bytes();
    pieces(bytes, rest.start + open..close)
        .into_iter()
        .map(|piece| match assignment(&bytes[piece.clone()]) {
            Some(equals) => {
                let at = piece.start + equals;
                (
                    trimmed(bytes, piece.start..at),
                    Some(trimmed(bytes, at + 1..piece.end)).filter(|value| !value.is_empty()),
                )
            }
            None => (piece, None),
        })
        .collect()
}

/// The values of `a=[], b=c`.
pub(crate) fn assigned(bytes: &[u8], range: Range<usize>) -> Vec<Range<usize>> {
    let value = |piece: Range<usize>| {
        let equals = assignment(&bytes[piece.clone()])?;
        Some(trimmed(bytes, piece.start + equals + 1..piece.end)).filter(|value| !value.is_empty())
    };
    pieces(bytes, range).into_iter().filter_map(value).collect()
}

/// What commas outside of strings and brackets part.
fn pieces(bytes: &[u8], range: Range<usize>) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let (mut start, mut at) = (range.start, range.start);
    while at < range.end {
        match bytes[at] {
            b',' => {
                pieces.push(trimmed(bytes, start..at));
                start = at + 1;
                at += 1;
            }
            _ => at = token_end(bytes, at).min(range.end),
        }
    }
    pieces.push(trimmed(bytes, start..range.end));
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// What `for x in … if …` goes over.
pub(crate) fn loop_items(bytes: &[u8], range: Range<usize>) -> Option<Range<usize>> {
    let (mut start, mut end) = (None, range.end);
    let mut at = range.start;
    while at < range.end {
        let next = token_end(bytes, at).min(range.end);
        match &bytes[at..next] {
            b"in" if start.is_none() => start = Some(next),
            b"if" if start.is_some() => {
                end = at;
                break;
            }
            b"recursive"
                if start.is_some() && blanks(&bytes[..range.end], next) + next == range.end =>
            {
                end = at;
            }
            _ => {}
        }
        at = next;
    }
    Some(trimmed(bytes, start?..end)).filter(|items| !items.is_empty())
}

/// Whether a text is one call: `a.b(…)`.
pub(crate) fn is_call(bytes: &[u8], range: &Range<usize>) -> bool {
    let range = trimmed(bytes, range.clone());
    let bytes = &bytes[..range.end];
    let starts = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    range.is_empty()
        || bytes[range.start..].first().is_some_and(starts)
            && bytes.last() == Some(&b')')
            && operand_end(bytes, range.start) == Some(range.end)
}

/// The byte behind the word, string or bracket at a place, or the place's next byte.
fn token_end(bytes: &[u8], at: usize) -> usize {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || !byte.is_ascii();
    match bytes[at] {
        quote @ (b'\'' | b'"') => string_end(bytes, at, quote),
        b'(' | b'[' | b'{' => tuple_end(bytes, at),
        byte if is_word(&byte) => at + bytes[at..].iter().take_while(|byte| is_word(byte)).count(),
        _ => at + 1,
    }
}

fn trimmed(bytes: &[u8], range: Range<usize>) -> Range<usize> {
    let text = &bytes[range.clone()];
    let start = range.start + blanks(text, 0);
    start..range.start + text.trim_ascii_end().len().max(start - range.start)
}

/// The `=` of an assignment, outside of strings and brackets, that is not part of `==`, `<=` and so on.
pub(crate) fn assignment(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut i = 0;
    while i < bytes.len() {
        match bytes[i] {
            quote @ (b'\'' | b'"') => {
                i = string_end(bytes, i, quote);
                continue;
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            // A filter before the `=` makes it a block assignment with an argument: `set x | replace(a='b')`.
            b'|' if depth == 0 => return None,
            b'=' if depth == 0 => return Some(i),
            _ => {}
        }
        i += 1;
    }
    None
}

/// How many blanks follow.
pub(crate) fn blanks(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.iter()
        .take_while(|byte| byte.is_ascii_whitespace())
        .count()
}

/// The byte behind the bracket that closes the one at `start`.
pub(crate) fn tuple_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut i = start;
    while i < bytes.len() {
        match bytes[i] {
            quote @ (b'\'' | b'"') => {
                i = string_end(bytes, i, quote);
                continue;
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return i + 1;
                }
            }
            _ => {}
        }
        i += 1;
    }
    bytes.len()
}

/// The byte behind a string, number, name or bracket, with the attributes, calls and indexes that follow it.
pub(crate) fn operand_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut end = match bytes.get(start)? {
        quote @ (b'\'' | b'"') => string_end(bytes, start, *quote),
        b'(' | b'[' | b'{' => tuple_end(bytes, start),
        c if c.is_ascii_alphanumeric() || *c == b'_' => start,
        _ => return None,
    };
    loop {
        match bytes.get(end) {
            Some(c) if c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.') => end += 1,
            Some(b'(' | b'[') => end = tuple_end(bytes, end),
            _ => return Some(end),
        }
    }
}

/// How long the name at the start of a text is.
pub(crate) fn identifier_len(text: &str) -> usize {
    text.bytes()
        .take_while(|b| b.is_ascii_alphanumeric() || *b == b'_')
        .count()
}

/// Whether a text holds a word by itself.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part)
    })
}

/// The byte behind the next place of a text.
pub(crate) fn find_after(text: &str, from: usize, what: &str) -> usize {
    text[from..]
        .find(what)
        .map_or(text.len(), |at| from + at + what.len())
}

/// The byte behind a string that begins at `start`.
pub(crate) fn string_end(bytes: &[u8], start: usize, quote: u8) -> usize {
    let mut i = start + 1;
    while i < bytes.len() {
        match bytes[i] {
            b'\\' => i += 2,
            b if b == quote => return i + 1,
            _ => i += 1,
        }
    }
    bytes.len()
}

/// The byte behind the closing delimiter, if it closes; delimiters in strings and inside of brackets do not count.
pub(crate) fn tag_end(bytes: &[u8], from: usize, delimiter: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut i = from;
    while i < bytes.len() {
        match bytes[i] {
            quote @ (b'\'' | b'"') => {
                i = string_end(bytes, i, quote);
                continue;
            }
            _ if depth == 0 && bytes[i..].starts_with(delimiter) => {
                return Some(i + delimiter.len());
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        i += 1;
    }
    None
}

/// The inside of the end tag of a raw block, and the byte behind it.
pub(crate) fn end_of_raw(text: &str, from: usize, word: &str) -> (Option<Range<usize>>, usize) {
    let mut at = from;
    while let Some(found) = text[at..].find("{%") {
        let open = at + found;
        let close = find_after(text, open, "%}");
        let inside = text[open + 2..close].trim_end_matches("%}");
        let trimmed = inside.trim_matches(|c: char| c.is_whitespace() || c == '-' || c == '+');
        if trimmed == word {
            let start = open + 2 + inside.find(word).unwrap_or(0);
            return (Some(start..start + word.len()), close);
        }
        at = open + 2;
    }
    (None, text.len())
}
