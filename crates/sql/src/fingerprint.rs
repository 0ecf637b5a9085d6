//! A hash of what a statement says, not of how it is written.

use sha2::{Digest, Sha256};

use crate::lexer::{Lexer, Token, TokenKind};

/// A hash (SHA-256, 64 hexadecimal digits) of a text's tokens. Comments, blanks, closing `;` and the case of keywords
/// and unquoted names do not matter, nor how a string is quoted; what strings and quoted names hold does.
pub fn fingerprint(sql: &str) -> String {
    let mut tokens: Vec<Token> = Lexer::new(sql)
        .filter(|token| !token.kind.is_trivia())
        .collect();
    while tokens.last().is_some_and(|token| token.is_symbol(sql, ";")) {
        tokens.pop();
    }
    let mut hash = Sha256::new();
    for token in tokens {
        let value = token.value(sql);
        // The length keeps one token's text from running into the next one's.
        hash.update([tag(token.kind)]);
        hash.update((value.len() as u64).to_le_bytes());
        hash.update(value);
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
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
