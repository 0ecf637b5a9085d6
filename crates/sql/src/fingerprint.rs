//! A hash of what a statement says, not of how it is written.

use sha2::{Digest, Sha256};

use crate::lexer::{Lexer, Token, TokenKind};

/// A hash (SHA-256, 64 hexadecimal digits) of a text's tokens. Comments, blanks, closing `;` and the case of keywords
/// and unquoted names do not matter, nor how a string is quoted, nor the order of options in `WITH (…)`; what strings and
/// quoted names hold does.
pub fn fingerprint(sql: &str) -> String {
    let mut tokens: Vec<Token> = Lexer::new(sql)
        .filter(|token| !token.kind.is_trivia())
        .collect();
    while tokens.last().is_some_and(|token| token.is_symbol(sql, ";")) {
        tokens.pop();
    }
    let mut hash = Sha256::new();
    let mut at = 0;
    while at < tokens.len() {
        hash.update(bytes(sql, &tokens[at..=at]));
        if tokens[at].is_word(sql, "with")
            && let Some((mut options, end)) = options(sql, &tokens, at + 1)
        {
            options.sort_unstable();
            options.iter().for_each(|option| hash.update(option));
            at = end;
        }
        at += 1;
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Tokens as they are hashed. The length keeps one token's text from running into the next one's.
fn bytes(sql: &str, tokens: &[Token]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for token in tokens {
        let value = token.value(sql);
        bytes.push(tag(token.kind));
        bytes.extend((value.len() as u64).to_le_bytes());
        bytes.extend(value.as_bytes());
    }
    bytes
}

/// The options in the brackets that begin at a token, each as it is hashed, and the place of the closing bracket. `None`
/// where there are no brackets, or other things than `name = value` in them.
fn options(sql: &str, tokens: &[Token], open: usize) -> Option<(Vec<Vec<u8>>, usize)> {
    tokens.get(open).filter(|token| token.is_symbol(sql, "("))?;
    let mut options = Vec::new();
    let (mut depth, mut begin) = (0_usize, open + 1);
    for (at, token) in tokens.iter().enumerate().skip(open) {
        let (opens, closes) = (token.is_symbol(sql, "("), token.is_symbol(sql, ")"));
        depth += usize::from(opens);
        if depth == 1 && (closes || token.is_symbol(sql, ",")) {
            let option = &tokens[begin..at];
            let is_one = option.iter().any(|token| token.is_symbol(sql, "="));
            if !is_one {
                return None;
            }
            options.push(bytes(sql, option));
            begin = at + 1;
        }
        depth -= usize::from(closes);
        if depth == 0 {
            return Some((options, at));
        }
    }
    None
}

/// Tells tokens apart whose values may be equal. Stored fingerprints depend on it.
fn tag(kind: TokenKind) -> u8 {
    match kind {
        TokenKind::Word => b'w',
        TokenKind::QuotedIdent => b'q',
        TokenKind::String | TokenKind::EscapeString | TokenKind::DollarString => b's',
        TokenKind::PrefixedString => b'p',
        TokenKind::Number => b'n',
        TokenKind::Parameter => b'$',
        TokenKind::Variable => b':',
        TokenKind::Operator | TokenKind::Punctuation => b'o',
        TokenKind::Unterminated => b'u',
        TokenKind::Whitespace | TokenKind::Comment | TokenKind::Unknown => b'?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_does_not_matter() {
        let one = fingerprint("SELECT a.B, 'x' FROM T -- c\nWHERE x=1;");
        assert_eq!(
            one,
            fingerprint("/* dbt */ select A . b ,'x'\n\tfrom t where X = 1 ;; ")
        );
        assert_eq!(one, fingerprint("select a.b, $$x$$ from t where x = 1"));
        assert_eq!(one.len(), 64);
    }

    #[test]
    fn the_order_of_options_does_not_matter() {
        let one = fingerprint(
            "create source s with (connector = 'kafka', a.b = 1, c = f(2, 3)) format plain",
        );
        for same in [
            "create source s with (c = f(2, 3), a.b = 1, connector = 'kafka') format plain",
            "CREATE SOURCE s WITH (a.b=1, connector='kafka', c=f(2,3)) FORMAT PLAIN;",
        ] {
            assert_eq!(one, fingerprint(same), "{same}");
        }
        for other in [
            "create source s with (connector = 'kafka', a.b = 1, c = f(3, 2)) format plain",
            "create source s with (connector = 'kafka', a.b = 1) format plain",
            "create source s with (connector = 1, a.b = 'kafka', c = f(2, 3)) format plain",
        ] {
            assert_ne!(one, fingerprint(other), "{other}");
        }
        // other lists have an order
        assert_ne!(
            fingerprint("create table t (a int, b int) with (x = 1)"),
            fingerprint("create table t (b int, a int) with (x = 1)")
        );
        assert_ne!(
            fingerprint("with a as (select 1 = 2, 2 = 3) select * from a"),
            fingerprint("with a as (select 2 = 3, 1 = 2) select * from a")
        );
        for broken in [
            "with (",
            "with (a = 1",
            "with (a = 1,, b = 2)",
            "with ()",
            "with )",
        ] {
            assert_ne!(fingerprint(broken), one);
        }
    }

    #[test]
    fn meaning_does() {
        let all = [
            "select 'a'",
            "select 'A'",
            "select \"a\"",
            "select \"A\"",
            "select a",
            "select 'a' b",
            "select 'ab'",
            "select a b",
            "select ab",
            "select :'a'",
            "select a; select b",
            "select a select b",
            "",
        ];
        let mut hashes: Vec<String> = all.iter().map(|sql| fingerprint(sql)).collect();
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), all.len());
    }

    #[test]
    fn it_is_the_documented_hash() {
        // Computed independently: kind, length as eight bytes, text of each token.
        assert_eq!(
            fingerprint("CREATE VIEW v AS SELECT 1"),
            "c856a89b0880d64d113d6ac2e873f697098db844804277ed29b5a2c2c804b0d5"
        );
    }
}
