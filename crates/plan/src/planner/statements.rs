//! The statements that the planner writes itself.

use rwt_sql::lexer::{Lexer, Token};
use rwt_sql::{Ident, Literal, Mention, Role, rename};

use crate::catalog::{CatalogObject, ObjectId};
use crate::desired::DesiredObject;
use crate::name::{Kind, RelationName};
use crate::step::{Effect, Fact, StepStatement};

pub(super) fn shows(sql: String, fact: Fact) -> StepStatement {
    StepStatement {
        sql,
        effect: Effect::Shows(fact),
    }
}

pub(super) fn repeatable(sql: String) -> StepStatement {
    StepStatement {
        sql,
        effect: Effect::Repeatable,
    }
}

pub(super) fn exists(relation: &RelationName, kind: Kind) -> Fact {
    Fact::Exists {
        relation: relation.clone(),
        kind,
    }
}

pub(super) fn absent(relation: &RelationName, kind: Kind) -> Fact {
    Fact::Absent {
        relation: relation.clone(),
        kind,
    }
}

pub(super) fn is(relation: &RelationName, kind: Kind, id: ObjectId) -> Fact {
    Fact::Is {
        relation: relation.clone(),
        kind,
        id,
    }
}

/// `DROP … <name>`, never with CASCADE.
pub(super) fn drop_of(relation: &RelationName, kind: Kind) -> String {
    format!("DROP {} {relation}", kind.sql())
}

pub(super) fn drop_if_exists(relation: &RelationName, kind: Kind) -> String {
    format!("DROP {} IF EXISTS {relation}", kind.sql())
}

pub(super) fn rename_to(from: &RelationName, kind: Kind, to: &RelationName) -> String {
    format!(
        "ALTER {} {from} RENAME TO {}",
        kind.sql(),
        Ident::new(&to.name)
    )
}

pub(super) fn set_schema(from: &RelationName, kind: Kind, schema: &str) -> String {
    format!(
        "ALTER {} {from} SET SCHEMA {}",
        kind.sql(),
        Ident::new(schema)
    )
}

pub(super) fn swap(relation: &RelationName, kind: Kind, with: &RelationName) -> String {
    format!("ALTER {} {relation} SWAP WITH {with}", kind.sql())
}

pub(super) fn rename_index(schema: &str, from: &str, to: &str) -> StepStatement {
    let from = RelationName::new(schema, from);
    shows(
        format!("ALTER INDEX {from} RENAME TO {}", Ident::new(to)),
        Fact::IndexExists {
            relation: from.sibling(to),
        },
    )
}

/// `REPLACE SINK` out of a sink's CREATE.
pub(super) fn replace_sink(create: &str) -> String {
    let create = crate::desired::without_if_not_exists(create);
    let first = Lexer::new(&create).find(|token| !token.kind.is_trivia());
    match first {
        Some(first) => format!(
            "{}REPLACE{}",
            &create[..first.span.start],
            &create[first.span.end..]
        ),
        None => create,
    }
}

/// The CREATE of a sink that begins with what comes from now on.
pub(super) fn without_snapshot(create: &str) -> String {
    let tokens: Vec<Token> = Lexer::new(create)
        .filter(|token| !token.kind.is_trivia())
        .collect();
    let symbol = |n: usize, symbol: &str| {
        tokens
            .get(n)
            .is_some_and(|token| token.is_symbol(create, symbol))
    };
    let mut depth = 0_usize;
    for n in 0..tokens.len() {
        if depth == 0 && tokens[n].is_word(create, "with") && symbol(n + 1, "(") {
            let end = tokens[n + 1].span.end;
            let said = tokens[n..].windows(3).find(|three| {
                three[0].is_word(create, "snapshot") && three[1].is_symbol(create, "=")
            });
            return match said {
                Some(three) => format!(
                    "{}'false'{}",
                    &create[..three[2].span.start],
                    &create[three[2].span.end..]
                ),
                None => format!(
                    "{}snapshot = 'false', {}",
                    &create[..end],
                    create[end..].trim_start()
                ),
            };
        }
        if symbol(n, "(") {
            depth += 1;
        } else if symbol(n, ")") {
            depth = depth.saturating_sub(1);
        }
    }
    format!("{} with (snapshot = 'false')", create.trim_end())
}

/// A GRANT statement's parts: privileges, the text from ON to before TO, users as written.
fn grant_parts(grant: &str) -> Option<(Vec<&str>, &str, Vec<&str>)> {
    let tokens: Vec<Token> = Lexer::new(grant)
        .filter(|token| !token.kind.is_trivia())
        .collect();
    let first = tokens
        .first()
        .filter(|token| token.is_word(grant, "grant"))?;
    let on = tokens.iter().find(|token| token.is_word(grant, "on"))?;
    let to = tokens.iter().rfind(|token| token.is_word(grant, "to"))?;
    let parts = |from: usize, until: usize| -> Vec<&str> {
        grant[from..until].split(',').map(str::trim).collect()
    };
    Some((
        parts(first.span.end, on.span.start),
        grant[on.span.start..to.span.start].trim(),
        parts(to.span.end, grant.trim_end().len()),
    ))
}

/// REVOKE statements for what the old GRANT statements have given and no new one gives.
pub(super) fn revocations(old: &[String], new: &[String]) -> Vec<String> {
    let kept: Vec<(String, String)> = new
        .iter()
        .filter_map(|grant| grant_parts(grant))
        .flat_map(|(privileges, _, users)| pairs(&privileges, &users))
        .collect();
    let mut statements = Vec::new();
    for (privileges, on, users) in old.iter().filter_map(|grant| grant_parts(grant)) {
        for (privilege, user) in pairs(&privileges, &users) {
            if !kept.contains(&(privilege.clone(), user.clone())) {
                statements.push(format!("REVOKE {privilege} {on} FROM {user}"));
            }
        }
    }
    statements
}

fn pairs(privileges: &[&str], users: &[&str]) -> Vec<(String, String)> {
    let each = privileges.iter().flat_map(|privilege| {
        users
            .iter()
            .map(|user| (privilege.to_uppercase(), (*user).to_owned()))
    });
    each.collect()
}

/// COMMENT that takes a comment away.
pub(super) fn uncomment(comment: &str) -> Option<String> {
    let token = Lexer::new(comment)
        .filter(|token| !token.kind.is_trivia())
        .find(|token| token.is_word(comment, "is"))?;
    Some(format!("{} null", &comment[..token.span.end]))
}

/// A statement about an object, with another name for the object and for relations that it reads.
pub(super) fn about(
    sql: &str,
    schema: &str,
    subject: (&RelationName, &RelationName),
    reads: &dyn Fn(&RelationName) -> Option<RelationName>,
) -> String {
    rename(sql, |Mention { name, role, .. }| {
        let written = RelationName::of(name, schema);
        match role {
            Role::Subject => (written == *subject.0 && subject.0 != subject.1)
                .then(|| subject.1.to_object_name()),
            Role::Read | Role::Target => {
                let other = if written == *subject.0 && subject.0 != subject.1 {
                    Some(subject.1.clone())
                } else {
                    reads(&written)
                };
                other.map(|other| other.to_object_name())
            }
        }
    })
}

/// An index statement with another name for the index, on another relation.
pub(super) fn index_on(sql: &str, name: &str, on: &RelationName) -> String {
    let mut subject = Some(name.to_owned());
    rename(sql, |Mention { role, .. }| match role {
        Role::Subject => subject
            .take()
            .map(|name| rwt_sql::ObjectName(vec![Ident::new(name)])),
        _ => Some(on.to_object_name()),
    })
}

/// `ALTER …` for a setting of a living object; none where RisingWave has no statement for it.
pub(super) fn tune(
    object: &DesiredObject,
    setting: &str,
    value: Option<&String>,
) -> Option<String> {
    let parameter = match setting {
        "streaming_parallelism" => "parallelism",
        "source_rate_limit" => "source_rate_limit",
        "sink_rate_limit" => "sink_rate_limit",
        other => {
            let of = other.strip_prefix("streaming_parallelism_for_")?;
            (Kind::parse(of) == Some(object.kind)).then_some("parallelism")?
        }
    };
    let applies = match parameter {
        "parallelism" => matches!(
            object.kind,
            Kind::Table | Kind::Source | Kind::MaterializedView | Kind::Sink
        ),
        "source_rate_limit" => matches!(object.kind, Kind::Source | Kind::Table),
        _ => object.kind == Kind::Sink,
    };
    if !applies {
        return None;
    }
    let value = match value.map(|value| value.to_lowercase()) {
        None => "default".to_owned(),
        Some(value) if value.parse::<i64>().is_ok() => value,
        Some(value) if ["default", "adaptive"].contains(&value.as_str()) => value,
        Some(value) => Literal::Text(&value).to_string(),
    };
    Some(format!(
        "ALTER {} {} SET {parameter} = {value}",
        object.kind.sql(),
        object.relation
    ))
}

/// GRANT statements for rights that the old object has and the project does not name.
pub(super) fn inherited_grants(
    old: &CatalogObject,
    wanted: &[String],
    kind: Kind,
    to: &RelationName,
) -> Vec<String> {
    const RIGHTS: [(char, &str); 5] = [
        ('r', "SELECT"),
        ('a', "INSERT"),
        ('w', "UPDATE"),
        ('d', "DELETE"),
        ('U', "USAGE"),
    ];
    // Who may do all anyway (dbt-risingwave leaves them out, too).
    const ALWAYS: [&str; 4] = ["root", "rwadmin", "postgres", ""];
    let mut statements = Vec::new();
    for entry in &old.acl {
        let Some((user, rights)) = entry.split_once('=') else {
            continue;
        };
        let rights = rights.split('/').next().unwrap_or_default();
        if ALWAYS.contains(&user) || user == old.owner {
            continue;
        }
        let grantee = Ident::new(user);
        let named = |privilege: &str| {
            wanted.iter().any(|sql| {
                let words: Vec<String> = Lexer::new(sql)
                    .filter(|token| !token.kind.is_trivia())
                    .map(|token| token.value(sql))
                    .collect();
                words.iter().any(|w| w == user)
                    && words
                        .iter()
                        .any(|w| w.eq_ignore_ascii_case(privilege) || w == "all")
            })
        };
        let privileges: Vec<&str> = RIGHTS
            .iter()
            .filter(|(letter, name)| rights.contains(*letter) && !named(name))
            .map(|(_, name)| *name)
            .collect();
        if !privileges.is_empty() {
            statements.push(format!(
                "GRANT {} ON {} {to} TO {grantee}",
                privileges.join(", "),
                kind.sql()
            ));
        }
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_without_its_snapshot() {
        assert_eq!(
            without_snapshot("create sink s as select (1) with (\n    connector = 'kafka')"),
            "create sink s as select (1) with (snapshot = 'false', connector = 'kafka')"
        );
        assert_eq!(
            without_snapshot("create sink s from v with (snapshot = 'true', connector = 'kafka')"),
            "create sink s from v with (snapshot = 'false', connector = 'kafka')"
        );
        assert_eq!(
            without_snapshot("create sink s into t from v"),
            "create sink s into t from v with (snapshot = 'false')"
        );
    }

    #[test]
    fn statements_are_turned_round() {
        assert_eq!(
            revocations(
                &["grant select, insert on table \"p\".\"to\" to \"a\", b".to_owned()],
                &["grant select on table \"p\".\"to\" to b".to_owned()],
            ),
            [
                "REVOKE SELECT on table \"p\".\"to\" FROM \"a\"",
                "REVOKE INSERT on table \"p\".\"to\" FROM \"a\"",
                "REVOKE INSERT on table \"p\".\"to\" FROM b",
            ]
        );
        assert_eq!(
            uncomment("comment on table p.t is 'is'").as_deref(),
            Some("comment on table p.t is null")
        );
        assert_eq!(
            replace_sink("create sink if not exists s from v with (connector = 'kafka')"),
            "REPLACE sink s from v with (connector = 'kafka')"
        );
    }
}
