//! The names that stand for secrets.

/// `X` of a text that is `{{ env_var('X') }}` or `{{ env_var('X', '…') }}` and nothing else. With a filter behind it
/// the value is not the variable's, so that its name cannot stand for it.
pub(super) fn variable_of(text: &str) -> Option<String> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.trim_matches(['-', '+']).trim();
    let arguments = inner.strip_prefix("env_var")?.trim_start();
    let arguments = arguments.strip_prefix('(')?.strip_suffix(')')?.trim();
    let (name, rest) = quoted(arguments)?;
    let rest = rest.trim();
    let plain_default = match rest.strip_prefix(',') {
        Some(default) => quoted(default.trim()).is_some_and(|(_, rest)| rest.trim().is_empty()),
        None => rest.is_empty(),
    };
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    (plain_default && is_name).then(|| name.to_owned())
}

fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| *c == '\'' || *c == '"')?;
    text[1..].split_once(quote)
}

/// A name made of the field's place, where no variable gives one.
pub(super) fn name_of(path: &str) -> String {
    let mut name = String::from("RWT_");
    name.extend(path.chars().map(|c| match c {
        c if c.is_ascii_alphanumeric() => c.to_ascii_uppercase(),
        _ => '_',
    }));
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_of_a_secret_is_found_in_its_text() {
        let cases = [
            ("{{ env_var('PGPASSWORD') }}", Some("PGPASSWORD")),
            ("{{env_var(\"A_1\", '')}}", Some("A_1")),
            ("{{- env_var('A') -}}", Some("A")),
            ("{{ env_var('A') | trim }}", None),
            ("x{{ env_var('A') }}", None),
            ("{{ env_var('A', env_var('B')) }}", None),
            ("{{ env_var('A B') }}", None),
            ("plain", None),
        ];
        for (text, expected) in cases {
            assert_eq!(variable_of(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn other_secrets_are_named_by_their_place() {
        assert_eq!(name_of("lake.s3.secret_key"), "RWT_LAKE_S3_SECRET_KEY");
        assert_eq!(
            name_of("kafka.security.sasl.password"),
            "RWT_KAFKA_SECURITY_SASL_PASSWORD"
        );
    }
}
