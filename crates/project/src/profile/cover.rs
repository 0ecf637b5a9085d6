//! Covering up the secrets of a `profiles.yml` before lines of it are shown. This works on the text, so that a file that
//! is not YAML shows none either.

/// Whether a key holds a secret, by its name.
pub(super) fn is_secret_key(key: &str) -> bool {
    let key = key.to_lowercase();
    ["pass", "secret", "token", "credential", "access_key", "pem"]
        .iter()
        .any(|word| key.contains(word))
}

/// The text with every secret value as stars; each byte keeps its place. Jinja stays, but for what follows a comma: the
/// default of `env_var`.
pub(super) fn cover(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // The indentation of the key whose value goes on in the lines below.
    let mut inside: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches(['\n', '\r']);
        let indent = content.len() - content.trim_start_matches([' ', '-']).len();
        if let Some(parent) = inside {
            if content.trim().is_empty() || indent > parent {
                cover_into(&mut out, content);
                out.push_str(&line[content.len()..]);
                continue;
            }
            inside = None;
        }
        if cover_line(&mut out, content) {
            inside = Some(indent);
        }
        out.push_str(&line[content.len()..]);
    }
    out
}

/// Covers the secret values of one line; whether the last one's value goes on in the next line.
fn cover_line(out: &mut String, line: &str) -> bool {
    let mut rest = line;
    while let Some((before_value, value)) = next_secret(rest) {
        out.push_str(&rest[..before_value]);
        let value = &rest[before_value..before_value + value];
        let is_block = value.is_empty() || value.starts_with(['|', '>']);
        // Of Jinja only a default is secret.
        let open = match value.find(',') {
            _ if is_block => value.len(),
            Some(comma) if value.contains("{{") => comma,
            None if value.contains("{{") => value.len(),
            _ => 0,
        };
        out.push_str(&value[..open]);
        cover_into(out, &value[open..]);
        rest = &rest[before_value + value.len()..];
        let at_end = rest.trim().is_empty();
        // A text that is quoted, or one without an end, may go on as well.
        let is_open = value.starts_with(['"', '\'']) && !value[1..].ends_with(&value[..1]);
        if at_end && (is_block || is_open || !value.starts_with(['"', '\'', '{'])) {
            out.push_str(rest);
            return true;
        }
    }
    out.push_str(rest);
    false
}

/// Where the value of the next secret key begins, and its length.
fn next_secret(line: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    while let Some(colon) = line[from..].find(':').map(|at| at + from) {
        let after = &line[colon + 1..];
        let key = line[..colon].trim_end_matches(['"', '\'']);
        let key = key
            .rsplit(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '.' | '-'))
            .next()
            .unwrap_or_default();
        let ends_key = after.is_empty() || after.starts_with([' ', '\t']);
        if ends_key && is_secret_key(key) {
            let value = after.trim_start_matches([' ', '\t']);
            let in_flow = line[..colon].contains('{');
            return Some((line.len() - value.len(), value_length(value, in_flow)));
        }
        from = colon + 1;
    }
    None
}

/// The length of a value at the start of a text: to the closing quote, in a flow mapping to its comma or brace, else to
/// the end of the line.
fn value_length(text: &str, in_flow: bool) -> usize {
    if let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        return match text[1..].find(quote) {
            Some(at) => at + 2,
            None => text.len(),
        };
    }
    if in_flow {
        return text.find([',', '}']).unwrap_or(text.len());
    }
    text.len()
}

fn cover_into(out: &mut String, text: &str) {
    for c in text.chars() {
        if c.is_whitespace() {
            out.push(c);
        } else {
            out.extend(std::iter::repeat_n('*', c.len_utf8()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::cover;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn covering_moves_no_byte(text in "([a-z:{},|>\"' \n-]|pass|token: |ü|\r){0,40}") {
            let covered = cover(&text);
            prop_assert_eq!(covered.len(), text.len());
            for (at, c) in covered.char_indices().filter(|(_, c)| *c != '*') {
                prop_assert!(text[at..].starts_with(c));
            }
        }
    }

    #[test]
    fn secret_values_are_covered_and_keep_their_length() {
        let cases = [
            ("password: hunter2\nport: 1", "password: *******\nport: 1"),
            ("pass: \"hünter\"", "pass: *********"),
            (
                "{user: me, pass: a b, port: 1}",
                "{user: me, pass: * *, port: 1}",
            ),
            ("{\"pass\": 'x', port: 1}", "{\"pass\": ***, port: 1}"),
            (
                "pass: \"{{ env_var('X') }}\"",
                "pass: \"{{ env_var('X') }}\"",
            ),
            (
                "pass: \"{{ env_var('X', 'dflt') }}\"",
                "pass: \"{{ env_var('X'* ******* ***",
            ),
            (
                "  ssl.key.pem: |\n    AB\n    CD\n  a: b",
                "  ssl.key.pem: |\n    **\n    **\n  a: b",
            ),
            ("  token:\n    abc\n  a: b", "  token:\n    ***\n  a: b"),
            (
                "  token: abc\n    def\n  a: b",
                "  token: ***\n    ***\n  a: b",
            ),
            (
                "uri: http://host:80/pass:word",
                "uri: http://host:80/pass:word",
            ),
            ("ütoken: x", "ütoken: *"),
            ("- secret_key: x\n  a: b", "- secret_key: *\n  a: b"),
        ];
        for (text, expected) in cases {
            assert_eq!(cover(text), expected);
            assert_eq!(cover(text).len(), text.len());
        }
    }
}
