//! A node's text and statements: rendering with `execute` true, ephemeral models as common table expressions, and what
//! becomes of it on disk ([`output`]) and as one script ([`script`]).

pub mod output;
pub mod script;

use std::path::PathBuf;

use rwt_project::manifest::UniqueId;
use rwt_sql::ObjectName;
use rwt_sql::lexer::{Lexer, TokenKind};
use serde::Serialize;

use crate::jinja::LineMap;
use crate::materialize::{DatabaseError, RecordedStatement, created};

/// A node as it would be built on an empty database.
#[derive(Debug, Clone, Serialize)]
pub struct CompiledNode {
    /// Its id.
    pub unique_id: UniqueId,
    /// Its name.
    pub name: String,
    /// Its materialization.
    pub materialized: String,
    /// The model's file, relative to the project.
    pub original_file_path: PathBuf,
    /// The same, relative to its model path.
    pub path: PathBuf,
    /// The model's text, rendered. Secrets are markers.
    pub compiled_code: String,
    /// What its materialization sends, in order.
    #[serde(skip)]
    pub statements: Vec<RecordedStatement>,
    /// Whether its text asks for what the database holds (`run_query`, `adapter.get_columns_in_relation`, …), so that
    /// it is another one when that is another.
    #[serde(skip)]
    pub asks: bool,
}

impl CompiledNode {
    /// What the statements make, in order: the kind in dbt-risingwave's words, and the name as written.
    pub fn objects(&self) -> Vec<(&'static str, &ObjectName)> {
        self.statements
            .iter()
            .filter_map(|recorded| created(&recorded.statement))
            .map(|(kind, name, _)| (kind, name))
            .collect()
    }
}

/// A model's rendered text and the way back to the model's lines.
#[derive(Debug, Clone, Default)]
pub(crate) struct Body {
    /// What the materialization gets as `sql`.
    pub code: String,
    /// The part of `code` that is the model's own text, without common table expressions of ephemeral models.
    pub own: String,
    /// Where `own` begins in the rendered text.
    pub own_start: usize,
    /// The whole rendered text.
    pub rendered: String,
    /// The same with ephemeral models in front.
    pub compiled: String,
    /// From the rendered text to the file's lines.
    pub lines: LineMap,
}

impl Body {
    /// Takes a rendered text: without white space around it and without its closing `;`.
    pub fn new(rendered: String, lines: LineMap) -> Self {
        let trimmed = without_end(&rendered);
        let own_start = trimmed.len() - trimmed.trim_start().len();
        let own = trimmed[own_start..].to_owned();
        Self {
            code: own.clone(),
            own,
            own_start,
            compiled: rendered.clone(),
            rendered,
            lines,
        }
    }

    /// Puts common table expressions before the query: name and query of each. The white space is dbt's
    /// (`inject_ctes_into_sql`), so that compiled texts are the same to the byte.
    pub fn add_ctes(&mut self, ctes: &[(String, String)]) {
        if ctes.is_empty() {
            return;
        }
        let list: Vec<String> = ctes
            .iter()
            .map(|(name, query)| format!(" {name} as (\n{query}\n)"))
            .collect();
        let list = list.join(", ");
        let text = &self.rendered;
        let from = leading_with(text).unwrap_or(0);
        let at = from + (text[from..].len() - text[from..].trim_start().len());
        let (head, rest) = text.split_at(at);
        self.compiled = match from {
            0 => format!("{head}with{list} {rest}"),
            _ => format!("{head}{list}, {rest}"),
        };
        self.own = without_end(rest).to_owned();
        self.own_start = at;
        self.code = without_end(self.compiled.trim_start()).to_owned();
    }

    /// The text as dbt keeps it.
    pub fn into_compiled_code(self) -> String {
        self.compiled
    }

    /// The text as part of another query.
    pub fn as_cte(&self) -> &str {
        match self.rendered.trim_end().ends_with(';') {
            true => &self.code,
            false => &self.rendered,
        }
    }

    /// The line of the model's file that a refused statement with the model's text is about, and whether it is the very
    /// line: the one that the server names, or that of the expression or the name that the error quotes where the text
    /// has it once; else the text's first line. None if the statement does not hold the text.
    pub fn source_line(&self, refused: &DatabaseError) -> Option<(usize, bool)> {
        let statement = refused.statement.as_str();
        let own_at = statement.find(&self.own)?;
        let offset = match refused.line {
            Some(line) => {
                let start = line_start(statement, usize::try_from(line).ok()?)?;
                let content = statement[start..].len()
                    - statement[start..].trim_start_matches([' ', '\t']).len();
                let offset = (start + content).checked_sub(own_at);
                Some(offset.filter(|offset| *offset <= self.own.len())?)
            }
            None => (refused.quoted()).find_map(|part| only_place(&self.own, part)),
        };
        let line = self
            .lines
            .line(&self.rendered, self.own_start + offset.unwrap_or(0))?;
        Some((line, offset.is_some()))
    }
}

/// Where a part of a text stands, if that is in one place only. White space and case do not count, nor do quotes of names.
fn only_place(text: &str, part: &str) -> Option<usize> {
    let words = |text: &str| -> Vec<(usize, bool, String)> {
        let tokens = Lexer::new(text).filter(|token| !token.kind.is_trivia());
        let is_name = |kind| matches!(kind, TokenKind::Word | TokenKind::QuotedIdent);
        tokens
            .map(|token| {
                let value = token.value(text).to_ascii_lowercase();
                (token.span.start, is_name(token.kind), value)
            })
            .collect()
    };
    let (text, part) = (words(text), words(part));
    let is_part = |window: &&[(usize, bool, String)]| {
        let mut pairs = window.iter().zip(&part);
        pairs.all(|((_, a, b), (_, c, d))| (a, b) == (c, d))
    };
    let mut found = text.windows(part.len().max(1)).filter(is_part);
    match (found.next(), found.next()) {
        (Some(only), None) if !part.is_empty() => Some(only[0].0),
        _ => None,
    }
}

fn line_start(text: &str, line: usize) -> Option<usize> {
    if line <= 1 {
        return Some(0);
    }
    text.match_indices('\n').nth(line - 2).map(|(at, _)| at + 1)
}

/// A text without its closing `;` and white space.
fn without_end(text: &str) -> &str {
    text.trim_end().trim_end_matches(';').trim_end()
}

/// The byte behind a query's leading `WITH [RECURSIVE]`, comments before it included.
fn leading_with(sql: &str) -> Option<usize> {
    let mut words = Lexer::new(sql).filter(|token| !token.kind.is_trivia());
    let first = words.next().filter(|token| token.is_word(sql, "with"))?;
    match words.next() {
        Some(second) if second.is_word(sql, "recursive") => Some(second.span.end),
        _ => Some(first.span.end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_cte(sql: &str) -> String {
        let mut body = Body::new(sql.to_owned(), LineMap::default());
        body.add_ctes(&[("__dbt__cte__a".to_owned(), "select 1".to_owned())]);
        body.code
    }

    #[test]
    fn ephemeral_models_become_the_first_expressions() {
        assert_eq!(
            with_cte("select * from __dbt__cte__a;\n"),
            "with __dbt__cte__a as (\nselect 1\n) select * from __dbt__cte__a"
        );
        assert_eq!(
            with_cte("-- note\nWITH b as (select 2) select * from b"),
            "-- note\nWITH  __dbt__cte__a as (\nselect 1\n), b as (select 2) select * from b"
        );
        assert_eq!(
            with_cte("with recursive b as (select 2) select 3"),
            "with recursive  __dbt__cte__a as (\nselect 1\n), b as (select 2) select 3"
        );
    }
}
