//! Fingerprints: hashes of what a statement makes, whatever it and what it reads are called.

use std::collections::BTreeMap;

use rwt_sql::lexer::{Lexer, Token};
use rwt_sql::{Ident, Mention, ObjectName, Role, mentions};
use sha2::{Digest, Sha256};

use super::{FINGERPRINT_FORMAT, Fingerprint};
use crate::name::{Kind, RelationName};

/// SHA-256 of texts, each with its length, so that none runs into the next one; hexadecimal.
pub(crate) fn hash<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A statement as it is fingerprinted.
#[derive(Debug)]
pub(crate) struct Nameless {
    /// What it says without names: the object that it makes is `self`, a node is its place among `nodes`, another relation
    /// its full name. `IF NOT EXISTS` is left out.
    text: String,
    /// The fingerprint of `text`.
    print: String,
    /// The nodes that it names, each once, in the order of the text; not the one that it makes.
    pub nodes: Vec<(String, Role)>,
}

impl Nameless {
    /// Takes the names out of a statement. `node` tells the nodes by their relations.
    pub(crate) fn of(
        sql: &str,
        schema: &str,
        node: &dyn Fn(&RelationName) -> Option<String>,
    ) -> Self {
        let sql = without_if_not_exists(sql);
        let mentions = mentions(&sql);
        let mut nodes: Vec<(String, Role)> = Vec::new();
        for mention in mentions
            .iter()
            .filter(|mention| mention.role != Role::Subject)
        {
            if let Some(id) = node(&RelationName::of(&mention.name, schema))
                && !nodes.iter().any(|(known, _)| *known == id)
            {
                nodes.push((id, mention.role));
            }
        }
        let mut text = String::with_capacity(sql.len());
        let mut at = 0;
        for Mention {
            name, span, role, ..
        } in mentions
        {
            let relation = RelationName::of(&name, schema);
            let place =
                node(&relation).and_then(|id| nodes.iter().position(|(known, _)| *known == id));
            let other = match (role, place) {
                (Role::Subject, _) => placeholder("self".to_owned()),
                (_, Some(place)) => placeholder(place.to_string()),
                (_, None) => relation.to_object_name(),
            };
            text.push_str(&sql[at..span.start]);
            text.push_str(&other.to_string());
            at = span.end;
        }
        text.push_str(&sql[at..]);
        let text = with_sorted_options(&text);
        Self {
            print: rwt_sql::fingerprint(&text),
            text,
            nodes,
        }
    }
}

fn placeholder(of: String) -> ObjectName {
    ObjectName(vec![Ident::new("rwt"), Ident::new(of)])
}

/// A CREATE statement that fails where the object exists.
pub(crate) fn without_if_not_exists(sql: &str) -> String {
    let tokens: Vec<Token> = Lexer::new(sql)
        .filter(|token| !token.kind.is_trivia())
        .take(8)
        .collect();
    let found = tokens.windows(3).find(|three| {
        three
            .iter()
            .zip(["if", "not", "exists"])
            .all(|(token, word)| token.is_word(sql, word))
    });
    let Some([first, _, last]) = found else {
        return sql.to_owned();
    };
    let rest = sql[last.span.end..].trim_start();
    format!("{}{rest}", &sql[..first.span.start])
}

/// The statement with the options of `WITH (…)` and `ENCODE … (…)` by their keys, for their order says nothing.
fn with_sorted_options(sql: &str) -> String {
    let tokens: Vec<Token> = Lexer::new(sql)
        .filter(|token| !token.kind.is_trivia())
        .collect();
    let mut out = String::with_capacity(sql.len());
    let (mut at, mut depth) = (0, 0_usize);
    for (index, token) in tokens.iter().enumerate() {
        if token.is_symbol(sql, ")") {
            depth = depth.saturating_sub(1);
        }
        if !token.is_symbol(sql, "(") {
            continue;
        }
        depth += 1;
        let before = &tokens[..index];
        let is_word = |back: usize, word: &str| {
            let found = before.len().checked_sub(back).map(|place| &before[place]);
            found.is_some_and(|token| token.is_word(sql, word))
        };
        if depth == 1 && (is_word(1, "with") || is_word(2, "encode")) {
            let (options, end) = options(sql, &tokens[index + 1..]);
            out.push_str(&sql[at..token.span.end]);
            out.push_str(&options.join(", "));
            at = end;
        }
    }
    out.push_str(&sql[at..]);
    out
}

/// The options behind an opening bracket, sorted, and where the last one ends.
fn options<'a>(sql: &'a str, tokens: &[Token]) -> (Vec<&'a str>, usize) {
    let mut options: Vec<&str> = Vec::new();
    let mut depth = 0_usize;
    let mut first: Option<&Token> = None;
    let mut end = tokens.first().map_or(sql.len(), |token| token.span.start);
    for token in tokens {
        let is = |symbol| token.is_symbol(sql, symbol);
        if depth == 0 && (is(",") || is(")")) {
            options.extend(first.take().map(|first| &sql[first.span.start..end]));
            if is(")") {
                break;
            }
        } else {
            first.get_or_insert(token);
        }
        depth += usize::from(is("("));
        depth = depth.saturating_sub(usize::from(depth > 0 && is(")")));
        end = token.span.end;
    }
    // A bracket that nobody closes.
    options.extend(first.map(|first| &sql[first.span.start..end]));
    options.sort_by_key(|option| {
        option
            .split('=')
            .next()
            .map(|key| key.trim().to_lowercase())
    });
    (options, end)
}

/// The statement without the brackets of columns right behind the object's name.
fn without_columns(sql: &str) -> String {
    let Some(subject) = mentions(sql)
        .into_iter()
        .find(|mention| mention.role == Role::Subject)
    else {
        return sql.to_owned();
    };
    let mut depth = 0_usize;
    for token in Lexer::new(&sql[subject.span.end..]).filter(|token| !token.kind.is_trivia()) {
        let tail = &sql[subject.span.end..];
        if token.is_symbol(tail, "(") {
            depth += 1;
        } else if token.is_symbol(tail, ")") {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return format!("{}{}", &sql[..subject.span.end], &tail[token.span.end..]);
            }
        } else if depth == 0 {
            break;
        }
    }
    sql.to_owned()
}

/// Whether a query takes all columns of something, so that a column more in there is a column more in it.
pub(crate) fn takes_all_columns(sql: &str) -> bool {
    let tokens: Vec<Token> = Lexer::new(sql)
        .filter(|token| !token.kind.is_trivia())
        .collect();
    tokens.windows(2).any(|two| {
        let before = &two[0];
        two[1].is_symbol(sql, "*")
            && (["select", "distinct", "all"]
                .iter()
                .any(|word| before.is_word(sql, word))
                || before.is_symbol(sql, ",")
                || before.is_symbol(sql, "."))
    })
}

/// What [`fingerprint`] needs to know of an object.
pub(crate) struct Made<'a> {
    pub kind: Kind,
    pub create: &'a Nameless,
    /// Settings that make another object of it, as statements.
    pub settings: &'a [String],
    pub hooks: &'a [String],
    pub imperative: bool,
}

/// What stands for an object where others read it.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// All of it.
    pub full: String,
    /// The same without columns that can be added while it lives.
    pub without_columns: String,
}

/// The fingerprint of an object, and what stands for it in those that read it. `inputs` tells what stands for each that
/// the object is bound to.
pub(crate) fn fingerprint(
    made: &Made<'_>,
    schema: &str,
    inputs: BTreeMap<String, String>,
) -> (Fingerprint, Identity) {
    let kind = made.kind.to_string();
    let create_of = |print: &str| {
        let mut parts = vec![kind.clone(), print.to_owned()];
        parts.extend(made.settings.iter().map(|sql| rwt_sql::fingerprint(sql)));
        hash(parts.iter().map(String::as_str))
    };
    let create = create_of(&made.create.print);
    let identity_of = |create: &str| {
        let pairs = inputs.iter().flat_map(|(id, of)| [id.as_str(), of]);
        hash(["identity", create].into_iter().chain(pairs))
    };
    let identity = if made.imperative {
        // Running it changes its rows; what reads it stays bound to the same table.
        Identity {
            full: hash(["imperative"]),
            without_columns: hash(["imperative"]),
        }
    } else {
        let full = identity_of(&create);
        let without_columns = match made.kind {
            Kind::Table | Kind::Source => {
                let rest = without_columns(&made.create.text);
                identity_of(&create_of(&rwt_sql::fingerprint(&rest)))
            }
            _ => full.clone(),
        };
        Identity {
            full,
            without_columns,
        }
    };
    let hooks: Vec<String> = made
        .hooks
        .iter()
        .map(|sql| rwt_sql::fingerprint(sql))
        .collect();
    let fingerprint = Fingerprint {
        format: FINGERPRINT_FORMAT,
        schema: schema.to_owned(),
        create,
        inputs,
        identity: identity.full.clone(),
        hooks: hash(hooks.iter().map(String::as_str)),
    };
    (fingerprint, identity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_the_brackets_behind_the_name() {
        assert_eq!(
            without_columns("create table s.t (a int, primary key (a)) with (x = 'y')"),
            "create table s.t with (x = 'y')"
        );
        assert_eq!(
            without_columns("create source s with (x = 'y')"),
            "create source s with (x = 'y')"
        );
    }

    #[test]
    fn if_not_exists_is_left_out() {
        assert_eq!(
            without_if_not_exists("-- c\ncreate materialized view IF not EXISTS v as select 1"),
            "-- c\ncreate materialized view v as select 1"
        );
        assert_eq!(
            without_if_not_exists("create view v as select 1"),
            "create view v as select 1"
        );
    }

    #[test]
    fn options_are_sorted_by_their_keys() {
        for (sql, sorted) in [
            (
                "create sink self from t with (topic = 'a,b', -- note\n connector = 'kafka') format plain encode json (b = 'x', a = '(')",
                "create sink self from t with (connector = 'kafka', topic = 'a,b') format plain encode json (a = '(', b = 'x')",
            ),
            (
                "create materialized view self with (z = f(1, 2), a.b = 3) as with x (b, a) as (select 2, 1) select * from x",
                "create materialized view self with (a.b = 3, z = f(1, 2)) as with x (b, a) as (select 2, 1) select * from x",
            ),
            (
                "create table self (b int, a int) with ()",
                "create table self (b int, a int) with ()",
            ),
            (
                "create source self with (b = 1, a",
                "create source self with (a, b = 1",
            ),
        ] {
            assert_eq!(
                rwt_sql::fingerprint(&with_sorted_options(sql)),
                rwt_sql::fingerprint(sorted),
                "{}",
                with_sorted_options(sql)
            );
        }
    }

    #[test]
    fn a_star_is_no_product_and_no_count() {
        for sql in [
            "select * from t",
            "select a.* from a",
            "select 1, * from t",
            "select distinct * from t",
        ] {
            assert!(takes_all_columns(sql), "{sql}");
        }
        for sql in ["select count(*) from t", "select a * 2, (a) * b from t"] {
            assert!(!takes_all_columns(sql), "{sql}");
        }
    }
}
