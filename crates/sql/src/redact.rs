//! Secrets out of texts that are shown, logged or stored.

use crate::lexer::{Span, Token, TokenKind, tokenize};

/// `sql` with its secrets replaced by `'***'`: values of secret options (see [`is_secret_key`]), the value of
/// `CREATE SECRET` and `ALTER SECRET`, and passwords of users. Inside of URLs a password becomes `***`, both in
/// `scheme://user:password@host` and in a query part (`?user=a&password=b`). It works on any text, also on one that no
/// parser accepts. References stay as they are: `secret name`, `:'NAME'`.
pub fn redact(sql: &str) -> String {
    let mut shown = String::with_capacity(sql.len());
    let mut at = 0;
    for hidden in hidden_parts(sql) {
        shown.push_str(&sql[at..hidden.span.start]);
        shown.push_str(hidden.replacement);
        at = hidden.span.end;
    }
    shown.push_str(&sql[at..]);
    shown
}

/// Whether an option's value is a secret. It is if the key holds one of RisingWave's default words for
/// `redact_sql_option_keywords`: credential, key, password, private, secret, token, such as `s3.access.key`,
/// `aws.credentials.access_key_id`, `properties.sasl.password`, `auth_token`, `apikey`. Unlike RisingWave, it is not if
/// - `key` is a key of rows or messages, or opens the name: `primary_key`, `partition_key`, `keyspace`, `key.format`;
/// - the last word says that the value is something about the secret: `ssl.key.location`, `token.type`;
/// - the key belongs to a column of a generator: `fields.token.kind`.
pub fn is_secret_key(key: &str) -> bool {
    const ABOUT: [&str; 14] = [
        "arn", "class", "column", "columns", "enabled", "encode", "expiry", "field", "file",
        "format", "location", "mode", "path", "type",
    ];
    let lower = key.to_ascii_lowercase();
    let words: Vec<&str> = lower
        .split(['.', '_', '-'])
        .filter(|word| !word.is_empty())
        .collect();
    match (words.first(), words.last()) {
        (Some(first), Some(last)) if *first != "fields" && !ABOUT.contains(last) => {
            ["credential", "password", "private", "secret", "token"]
                .iter()
                .any(|word| lower.contains(word))
                || opens_something(&words)
        }
        _ => false,
    }
}

/// Whether one of a key's words is a `key` in the sense of a lock's, not one of rows or messages.
fn opens_something(words: &[&str]) -> bool {
    const OF_ROWS: [&str; 13] = [
        "distributed",
        "distribution",
        "document",
        "foreign",
        "group",
        "include",
        "message",
        "order",
        "partition",
        "primary",
        "routing",
        "shard",
        "sort",
    ];
    words
        .iter()
        .enumerate()
        .any(|(i, word)| match word.trim_end_matches('s') {
            "key" => i > 0 && !OF_ROWS.contains(&words[i - 1]),
            word => word
                .strip_suffix("key")
                .is_some_and(|of| !OF_ROWS.contains(&of)),
        })
}

/// A part of a text that must not be seen, and what stands in its place.
pub(crate) struct Hidden {
    pub(crate) span: Span,
    pub(crate) replacement: &'static str,
}

/// The parts of a text that must not be seen, in order.
pub(crate) fn hidden_parts(sql: &str) -> Vec<Hidden> {
    let tokens = tokenize(sql);
    let mut parts = Vec::new();
    let mut before = Before {
        sql,
        tokens: Vec::new(),
        brackets: 0,
        options: None,
    };
    let mut at = 0;
    while let Some(token) = tokens.get(at).copied() {
        let mut last = at;
        if before.is_secret_here(token) {
            let ends: &[&str] = if before.options.is_some() {
                &[",", ")", ";"]
            } else {
                &[";"]
            };
            let is_end = |t: &Token| ends.iter().any(|end| t.is_symbol(sql, end));
            let run = tokens[at..]
                .iter()
                .position(is_end)
                .unwrap_or(tokens.len() - at);
            last = at
                + tokens[at..at + run]
                    .iter()
                    .rposition(|t| !t.kind.is_trivia())
                    .unwrap_or(0);
            let span = Span {
                start: token.span.start,
                end: tokens[last].span.end,
            };
            parts.push(Hidden {
                span,
                replacement: "'***'",
            });
        } else if is_value(token.kind) && before.names_secret() {
            parts.push(Hidden {
                span: token.span,
                replacement: "'***'",
            });
        } else {
            parts.extend(url_passwords(sql, token));
        }
        before.add(tokens[last]);
        at = last + 1;
    }
    parts
}

/// The tokens of a statement so far, blanks and comments left out.
struct Before<'a> {
    sql: &'a str,
    tokens: Vec<Token>,
    brackets: usize,
    /// How many brackets were open outside of the options that `WITH (` began.
    options: Option<usize>,
}

impl Before<'_> {
    fn add(&mut self, token: Token) {
        if token.kind.is_trivia() {
            return;
        }
        if token.is_symbol(self.sql, "(") {
            if self.options.is_none()
                && self
                    .tokens
                    .last()
                    .is_some_and(|t| t.is_word(self.sql, "with"))
            {
                self.options = Some(self.brackets);
            }
            self.brackets += 1;
        } else if token.is_symbol(self.sql, ")") {
            self.brackets = self.brackets.saturating_sub(1);
            self.options = self.options.filter(|outside| self.brackets > *outside);
        }
        if token.is_symbol(self.sql, ";") {
            *self = Self {
                sql: self.sql,
                tokens: Vec::new(),
                brackets: 0,
                options: None,
            };
        } else {
            self.tokens.push(token);
        }
    }

    /// Whether all that comes next is secret, in whatever form it is written: the value of a secret, or of an option.
    fn is_secret_here(&self, token: Token) -> bool {
        if token.kind.is_trivia() || token.kind == TokenKind::Variable {
            return false;
        }
        let Some(last) = self.tokens.last() else {
            return false;
        };
        if self.options.is_some() {
            let is_reference = token.is_word(self.sql, "secret");
            let is_assigned = last.kind == TokenKind::Operator;
            return is_assigned
                && token.kind != TokenKind::Operator
                && !is_reference
                && self.names_secret();
        }
        let is_secret_statement = matches!(self.tokens.as_slice(), [verb, object, ..]
            if (verb.is_word(self.sql, "create") || verb.is_word(self.sql, "alter"))
                && object.is_word(self.sql, "secret"));
        last.is_word(self.sql, "as") && is_secret_statement
    }

    /// Whether the tokens end in a secret's key, with or without an assignment behind it.
    fn names_secret(&self) -> bool {
        let is_assignment = |token: &Token| {
            token.kind == TokenKind::Operator
                || token.is_symbol(self.sql, ":")
                || token.is_word(self.sql, "to")
        };
        let assignments = self
            .tokens
            .iter()
            .rev()
            .take_while(|token| is_assignment(token))
            .count();
        is_secret_key(&key_at_end(
            self.sql,
            &self.tokens[..self.tokens.len() - assignments],
        ))
    }
}

fn is_value(kind: TokenKind) -> bool {
    kind.is_string()
        || matches!(
            kind,
            TokenKind::PrefixedString | TokenKind::Number | TokenKind::Unterminated
        )
}

/// The dotted name that ends a list of tokens.
fn key_at_end(sql: &str, tokens: &[Token]) -> String {
    let mut start = tokens.len();
    let mut expects_name = true;
    while let Some(token) = start.checked_sub(1).map(|i| tokens[i]) {
        let is_name = matches!(token.kind, TokenKind::Word | TokenKind::QuotedIdent)
            || token.kind.is_string();
        if !(if expects_name {
            is_name
        } else {
            token.is_symbol(sql, ".")
        }) {
            break;
        }
        expects_name = !expects_name;
        start -= 1;
    }
    tokens[start..]
        .iter()
        .map(|token| token.value(sql))
        .collect()
}

/// Passwords inside of URLs in a string or comment.
fn url_passwords(sql: &str, token: Token) -> Vec<Hidden> {
    let mut found = Vec::new();
    if !is_value(token.kind) && token.kind != TokenKind::Comment {
        return found;
    }
    let text = token.text(sql);
    let ends = |c: char| c.is_whitespace() || c == '\'' || c == '"';
    let mut at = 0;
    while let Some(i) = text[at..].find("://") {
        let start = at + i + 3;
        let end = text[start..].find(ends).map_or(text.len(), |i| start + i);
        let authority_end = text[start..end]
            .find(['/', '?', '#'])
            .map_or(end, |i| start + i);
        let mut hide = |from: usize, to: usize| {
            let span = Span {
                start: token.span.start + from,
                end: token.span.start + to,
            };
            found.push(Hidden {
                span,
                replacement: "***",
            });
        };
        if let Some(user_end) = text[start..authority_end].rfind('@').map(|i| start + i)
            && let Some(colon) = text[start..user_end].find(':').map(|i| start + i)
        {
            hide(colon + 1, user_end);
        }
        let mut field = authority_end;
        while let Some(name) = text[field..end]
            .find(['?', '&', ';'])
            .map(|i| field + i + 1)
        {
            let field_end = text[name..end].find(['&', ';']).map_or(end, |i| name + i);
            if let Some(equals) = text[name..field_end].find('=').map(|i| name + i)
                && is_secret_key(&text[name..equals])
            {
                hide(equals + 1, field_end);
            }
            field = field_end;
        }
        at = end;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn option_values_with_secret_keys_are_hidden() {
        assert_eq!(
            redact(
                "CREATE CONNECTION c WITH (type = 'iceberg', s3.access.key = 'AK', s3.secret.key='it''s', \
                 \"auth.token\" = E'x\\'y', s3.region = 'eu', primary_key = 'id', catalog.credential = secret k)"
            ),
            "CREATE CONNECTION c WITH (type = 'iceberg', s3.access.key = '***', s3.secret.key='***', \
             \"auth.token\" = '***', s3.region = 'eu', primary_key = 'id', catalog.credential = secret k)"
        );
    }

    #[test]
    fn the_key_decides() {
        let secret = [
            "s3.access.key",
            "aws.credentials.access_key_id",
            "properties.sasl.password",
            "auth_token",
            "apikey",
            "private_key",
            "ssl.key.pem",
            "schema.registry.password",
            "gcs.credential",
            "license_key",
            "Account-Key",
        ];
        let open = [
            "primary_key",
            "partition_key",
            "key",
            "keyspace",
            "key.format",
            "key_encode",
            "ssl.key.location",
            "private_key_path",
            "token.type",
            "fields.token.kind",
            "distribution_keys",
            "primarykey",
            "topic",
            "",
        ];
        for key in secret {
            assert!(is_secret_key(key), "{key} must be secret");
        }
        for key in open {
            assert!(!is_secret_key(key), "{key} must stay readable");
        }
    }

    #[test]
    fn secret_statements_users_and_settings() {
        assert_eq!(
            redact("CREATE SECRET s WITH (backend = 'meta') AS 'x'; SELECT 'y'"),
            "CREATE SECRET s WITH (backend = 'meta') AS '***'; SELECT 'y'"
        );
        assert_eq!(
            redact("create secret s as $$a;b$$"),
            "create secret s as '***'"
        );
        assert_eq!(
            redact("ALTER SECRET s AS 'never ends"),
            "ALTER SECRET s AS '***'"
        );
        assert_eq!(
            redact("CREATE USER u WITH PASSWORD 'p'"),
            "CREATE USER u WITH PASSWORD '***'"
        );
        assert_eq!(
            redact("ALTER SYSTEM SET license_key TO 'p'"),
            "ALTER SYSTEM SET license_key TO '***'"
        );
        assert_eq!(
            redact("CREATE SECRET s AS :'KEY'"),
            "CREATE SECRET s AS :'KEY'"
        );
    }

    #[test]
    fn secrets_in_texts_that_are_no_sql() {
        for sql in [
            "CREATE SECRET s AS hunter2 'hunter2' hunter2-x",
            "WITH (s3.secret.key = hunter2-x/y, a = 1)",
            "WITH (s3.secret.key 'hunter2', a = 1)",
            "WITH (s3.secret.key == = 'hunter2' || 'hunter2', a = 1)",
            "WITH (s3.secret.key = 'hunter2",
            "s3.secret.key = 'hunter2' 'x",
            "WITH (\"s3.secret.key\" = $$hunter2$$",
            "s3.secret.key := 'hunter2'",
            "{\"s3.secret.key\": 'hunter2'}",
        ] {
            let shown = redact(sql);
            assert!(
                !shown.contains("hunter2") && shown.contains("'***'"),
                "{shown}"
            );
        }
        for sql in [
            "WITH (my_key = secret a.b, n = 1) x",
            "WITH (my_key = :'KEY', n = 1) x",
            "SELECT * FROM a JOIN b ON a.token = b.token",
        ] {
            assert_eq!(redact(sql), sql);
        }
    }

    #[test]
    fn passwords_in_urls() {
        assert_eq!(
            redact(
                "WITH (jdbc.url = 'jdbc:postgresql://h:5432/d?user=u&password=p&ssl=true') -- pg://a:b@c/d"
            ),
            "WITH (jdbc.url = 'jdbc:postgresql://h:5432/d?user=u&password=***&ssl=true') -- pg://a:***@c/d"
        );
        assert_eq!(
            redact("'mongodb://u:p@h, redis://:q@h'"),
            "'mongodb://u:***@h, redis://:***@h'"
        );
        assert_eq!(redact("'http://h:80/a@b'"), "'http://h:80/a@b'");
    }
}
