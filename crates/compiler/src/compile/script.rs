//! `all_models.sql`: everything that builds the project from an empty database, for psql.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use rwt_project::profile::{marker, replace_markers};
use rwt_sql::Literal;
use rwt_sql::lexer::tokenize;

use super::CompiledNode;
use crate::materialize::{Effects, RecordedStatement};

/// The parts of a script, in order.
#[derive(Debug)]
pub struct Parts<'a> {
    /// The project's name.
    pub project: &'a str,
    /// The target's name.
    pub target: &'a str,
    /// The target's database and schema.
    pub database: &'a str,
    /// See `database`.
    pub schema: &'a str,
    /// Schemas that the nodes live in and that no database has from the start.
    pub schemas: Vec<RecordedStatement>,
    /// `on-run-start`
    pub before: Vec<RecordedStatement>,
    /// Nodes in the order in which they are built.
    pub nodes: Vec<&'a CompiledNode>,
    /// `on-run-end`
    pub after: Vec<RecordedStatement>,
}

/// Writes the script. The same parts give the same bytes. A statement that an earlier one has made superfluous (a setting
/// that is in effect, a connection that is there) is left out, as all statements share one session.
pub fn script(parts: &Parts<'_>) -> String {
    let mut body = Script {
        effects: Effects::new(parts.database, parts.schema),
        secrets: Secrets::default(),
        out: String::new(),
    };
    body.section("Schemas", &parts.schemas);
    body.section("Hooks: on-run-start", &parts.before);
    for node in &parts.nodes {
        let title = format!(
            "Model: {} ({}) [{}]",
            node.name,
            node.materialized,
            node.original_file_path.display()
        );
        body.section(&title, &node.statements);
    }
    body.section("Hooks: on-run-end", &parts.after);
    let mut out = String::new();
    let _ = writeln!(
        out,
        "-- {}: builds the project from an empty database. Target: {}.\n\
         -- Written by `rwt compile`; changes here are lost. Run it with: psql -f all_models.sql\n\
         \\set ON_ERROR_STOP on",
        parts.project, parts.target
    );
    for name in &body.secrets.names {
        let _ = writeln!(out, "\\getenv {name} {name}");
    }
    for (variable, value) in &body.secrets.composed {
        let _ = writeln!(out, "\\set {variable} {value}");
    }
    out.push_str(&body.out);
    out
}

struct Script {
    effects: Effects,
    secrets: Secrets,
    out: String,
}

/// What the head of the script has to define.
#[derive(Default)]
struct Secrets {
    names: BTreeSet<String>,
    /// psql variables for strings with a secret inside, and psql's words for their value.
    composed: BTreeMap<String, String>,
}

impl Script {
    fn section(&mut self, title: &str, statements: &[RecordedStatement]) {
        let kept: Vec<&RecordedStatement> = statements
            .iter()
            .filter(|recorded| self.effects.apply(&recorded.statement))
            .collect();
        if kept.is_empty() {
            return;
        }
        let _ = write!(self.out, "\n-- {title}\n");
        for recorded in kept {
            let text = self.secrets.with_variables(&recorded.text);
            self.out.push_str(&text);
            // A comment at the end would swallow the semicolon.
            let last = text.rsplit('\n').next().unwrap_or_default();
            self.out
                .push_str(if last.contains("--") { "\n;\n" } else { ";\n" });
        }
    }
}

impl Secrets {
    /// Turns strings with markers in them into references to psql's variables.
    fn with_variables(&mut self, sql: &str) -> String {
        if !sql.contains(marker("").trim_end_matches('_')) {
            return sql.to_owned();
        }
        let mut out = String::with_capacity(sql.len());
        let mut at = 0;
        for token in tokenize(sql)
            .into_iter()
            .filter(|token| token.kind.is_string())
        {
            let value = token.value(sql);
            if let Some(variable) = self.variable(&value) {
                out.push_str(&sql[at..token.span.start]);
                let _ = write!(out, ":'{variable}'");
                at = token.span.end;
            }
        }
        out.push_str(&sql[at..]);
        out
    }

    /// The variable that holds a string's value, if there is a secret in it.
    fn variable(&mut self, value: &str) -> Option<String> {
        let mut names = Vec::new();
        // NUL cannot stand in SQL text, so that it marks where the secrets were.
        let pattern = replace_markers(value, |name| {
            names.push(name.to_owned());
            Some("\0".to_owned())
        });
        if names.is_empty() {
            return None;
        }
        self.names.extend(names.iter().cloned());
        if pattern == "\0" {
            return names.pop();
        }
        let mut words = String::new();
        let mut secrets = names.iter();
        for (i, part) in pattern.split('\0').enumerate() {
            if i > 0
                && let Some(name) = secrets.next()
            {
                let _ = write!(words, ":{name} ");
            }
            if !part.is_empty() {
                let _ = write!(words, "{} ", Literal::Text(&part.replace('\\', "\\\\")));
            }
        }
        let variable = format!("rwt_secret_{}", names.join("_"));
        let words = words.trim_end().to_owned();
        let variable = (0..)
            .map(|i| {
                if i == 0 {
                    variable.clone()
                } else {
                    format!("{variable}_{i}")
                }
            })
            .find(|candidate| {
                self.composed
                    .get(candidate)
                    .is_none_or(|known| *known == words)
            })
            .unwrap_or(variable);
        self.composed.insert(variable.clone(), words);
        Some(variable)
    }
}

/// `create schema if not exists` for each schema but `public`, which every database has.
pub fn schema_statements<'a>(schemas: impl Iterator<Item = &'a str>) -> Vec<RecordedStatement> {
    let schemas: BTreeSet<&str> = schemas.filter(|schema| *schema != "public").collect();
    schemas
        .into_iter()
        .map(|schema| {
            let name = rwt_sql::Ident::new(schema).quoted();
            RecordedStatement::parse(&format!("create schema if not exists {name}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(statements: &[&str]) -> String {
        let before = statements
            .iter()
            .map(|sql| RecordedStatement::parse(sql))
            .collect();
        script(&Parts {
            project: "p",
            target: "t",
            database: "dev",
            schema: "public",
            schemas: Vec::new(),
            before,
            nodes: Vec::new(),
            after: Vec::new(),
        })
    }

    #[test]
    fn a_secret_is_read_from_the_environment_when_the_script_runs() {
        let out =
            text(&["create secret s with (backend = 'meta') as '__rwt_secret__RWT_SECRET_A__'"]);
        assert!(
            out.contains("\\getenv RWT_SECRET_A RWT_SECRET_A\n"),
            "{out}"
        );
        assert!(out.contains("as :'RWT_SECRET_A';\n"), "{out}");
    }

    #[test]
    fn a_secret_inside_of_a_string_is_put_together_by_psql() {
        let out = text(&[
            "create connection c with (uri = 'kafka://it''s:__rwt_secret__RWT_SECRET_A__@host')",
        ]);
        assert!(
            out.contains("\\set rwt_secret_RWT_SECRET_A 'kafka://it''s:' :RWT_SECRET_A '@host'\n"),
            "{out}"
        );
        assert!(out.contains("uri = :'rwt_secret_RWT_SECRET_A')"), "{out}");
    }

    #[test]
    fn a_comment_at_the_end_does_not_swallow_the_semicolon() {
        assert!(text(&["create table t (a int) -- done"]).ends_with("-- done\n;\n"));
    }
}
