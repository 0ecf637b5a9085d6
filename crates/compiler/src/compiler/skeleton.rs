//! Statements of nodes that are configured alike: what rwt's own materializations write for two of them differs in the
//! node's name and its query. So their macros run for the first ones, and what those gave is filled in for the others.
//!
//! What keeps this right: only nodes with an equal configuration share a skeleton; a rendering that calls another's
//! macro, says something or reads more of its node than that makes none; a query that the macros look into
//! (`macros/validation.sql`) takes no part; and a skeleton counts when it has given a second node's statements exactly.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use rwt_project::manifest::Node;
use rwt_sql::Ident;

use crate::materialize::{DatabaseError, RecordedStatement, is_query};

/// How often nodes are compared before a configuration is given up. A name that happens to be part of another word makes
/// a bad skeleton, which says nothing of the next one.
const TRIES: u8 = 3;

/// Configuration that rwt's own materializations do not read.
const UNREAD: [&str; 6] = ["alias", "docs", "group", "access", "meta", "tags"];

/// The skeletons of a command, by what nodes have in common.
#[derive(Debug, Default)]
pub(super) struct Skeletons(Mutex<HashMap<String, Known>>);

#[derive(Debug)]
enum Known {
    /// One node's, the query that it was taken from, and how many others it did not fit.
    Guessed(Skeleton, String, u8),
    /// It gave the statements of a node with another query too.
    Proven(Arc<Skeleton>),
    /// Nodes of this configuration differ in more.
    Unfit,
}

/// What a node is known by here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Particulars<'a> {
    identifier: &'a str,
    query: &'a str,
}

#[derive(Debug)]
struct Skeleton {
    statements: Vec<Vec<Piece>>,
}

#[derive(Debug)]
enum Piece {
    Text(String),
    Identifier,
    Query,
}

impl Skeletons {
    /// The statements of a node like those that were learned of.
    pub fn fill(
        &self,
        key: &str,
        node: Particulars<'_>,
    ) -> Option<Result<Vec<RecordedStatement>, DatabaseError>> {
        let skeleton = match self.known().get(key)? {
            Known::Proven(skeleton) => Arc::clone(skeleton),
            Known::Guessed(..) | Known::Unfit => return None,
        };
        let texts = skeleton.statements.iter().map(|pieces| fill(pieces, node));
        let statements = texts.map(|text| RecordedStatement::parse_all(&text));
        let statements: Result<Vec<_>, _> = statements.collect();
        Some(statements.map(|all| all.into_iter().flatten().collect()))
    }

    /// Learns from a node that was rendered.
    pub fn learn(&self, key: String, node: Particulars<'_>, statements: &[RecordedStatement]) {
        let Some(skeleton) = Skeleton::of(node, statements) else {
            return;
        };
        let guess = |tries| Known::Guessed(skeleton, node.query.to_owned(), tries);
        let mut known = self.known();
        let next = match known.remove(&key) {
            None => guess(0),
            // That fits whatever the query does to the statements.
            Some(same @ Known::Guessed(..)) if same.is_of(node.query) => same,
            Some(Known::Guessed(known, ..)) if known.gives(node, statements) => {
                Known::Proven(Arc::new(known))
            }
            Some(Known::Guessed(_, _, tries)) if tries < TRIES => guess(tries + 1),
            Some(Known::Guessed(..)) => Known::Unfit,
            Some(known) => known,
        };
        known.insert(key, next);
    }

    /// Gives a configuration up.
    pub fn give_up(&self, key: String) {
        self.known().insert(key, Known::Unfit);
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn is_of(&self, query: &str) -> bool {
        matches!(self, Self::Guessed(_, of, _) if of == query)
    }
}

impl<'a> Particulars<'a> {
    /// None for a node whose statements may depend on what its text or its name says.
    pub fn of(node: &'a Node, query: &'a str) -> Option<Self> {
        let has_hooks = ["pre-hook", "post-hook"]
            .iter()
            .any(|key| node.config.get(*key).is_some_and(|hooks| !is_none(hooks)));
        let is_plain = Ident::new(node.identifier.as_str()).to_string() == node.identifier;
        let is_opaque = !query.contains(';')
            && !query.to_ascii_lowercase().contains("retention_seconds")
            && is_query(query);
        (!has_hooks && is_plain && is_opaque).then_some(Self {
            identifier: &node.identifier,
            query,
        })
    }
}

fn is_none(hooks: &serde_json::Value) -> bool {
    hooks.is_null() || hooks.as_array().is_some_and(Vec::is_empty)
}

/// What nodes with the same statements, but for name and query, have in common.
pub(super) fn key(node: &Node) -> String {
    let mut key = format!(
        "{:?}\0{}\0{}\0{}\0{}",
        node.resource_type, node.materialized, node.package_name, node.database, node.schema
    );
    for (name, value) in &node.config {
        if !UNREAD.contains(&name.as_str()) {
            let _ = write!(key, "\0{name}\0{value}");
        }
    }
    key
}

impl Skeleton {
    /// None where the query is nowhere as it is: a statement is kept without the comments at its end.
    fn of(node: Particulars<'_>, statements: &[RecordedStatement]) -> Option<Self> {
        let texts = statements.iter().map(|statement| statement.text.as_str());
        let statements: Vec<Vec<Piece>> = texts.map(|text| pieces(text, node)).collect();
        let mut all = statements.iter().flatten();
        let has_query = all.any(|piece| matches!(piece, Piece::Query));
        has_query.then_some(Self { statements })
    }

    fn gives(&self, node: Particulars<'_>, statements: &[RecordedStatement]) -> bool {
        let is_same = |(pieces, statement): (&Vec<Piece>, &RecordedStatement)| {
            fill(pieces, node) == statement.text
        };
        self.statements.len() == statements.len()
            && self.statements.iter().zip(statements).all(is_same)
    }
}

fn pieces(text: &str, node: Particulars<'_>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (index, around) in text.split(node.query).enumerate() {
        if index > 0 {
            pieces.push(Piece::Query);
        }
        for (index, text) in around.split(node.identifier).enumerate() {
            if index > 0 {
                pieces.push(Piece::Identifier);
            }
            pieces.push(Piece::Text(text.to_owned()));
        }
    }
    pieces
}

fn fill(pieces: &[Piece], node: Particulars<'_>) -> String {
    let texts = pieces.iter().map(|piece| match piece {
        Piece::Text(text) => text.as_str(),
        Piece::Identifier => node.identifier,
        Piece::Query => node.query,
    });
    texts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Particulars<'_> = Particulars {
        identifier: "orders",
        query: "select * from orders_raw",
    };
    const SECOND: Particulars<'_> = Particulars {
        identifier: "users",
        query: "select 1 as orders",
    };

    fn statements(node: Particulars<'_>, end: &str) -> Vec<RecordedStatement> {
        let Particulars { identifier, query } = node;
        let create = format!("create view \"{identifier}\" as\n{query}");
        let index = format!("create index \"index_{identifier}\" on \"{identifier}\" (a){end}");
        [create, index]
            .iter()
            .map(|text| RecordedStatement::parse(text))
            .collect()
    }

    fn texts(statements: Vec<RecordedStatement>) -> Vec<String> {
        statements.into_iter().map(|s| s.text).collect()
    }

    #[test]
    fn two_nodes_prove_what_the_third_one_gets() {
        let skeletons = Skeletons::default();
        skeletons.learn("a".to_owned(), FIRST, &statements(FIRST, ""));
        assert!(skeletons.fill("a", SECOND).is_none());
        skeletons.learn("a".to_owned(), SECOND, &statements(SECOND, ""));
        let third = Particulars {
            identifier: "x",
            query: "select 'users', 'orders'",
        };
        let filled = skeletons
            .fill("a", third)
            .expect("is proven")
            .expect("reads");
        assert_eq!(texts(filled), texts(statements(third, "")));
        assert!(skeletons.fill("b", third).is_none());
    }

    #[test]
    fn nodes_that_differ_in_more_have_no_skeleton() {
        let skeletons = Skeletons::default();
        for (node, end) in [FIRST, SECOND]
            .into_iter()
            .zip(["", " include (b)"])
            .cycle()
            .take(5)
        {
            skeletons.learn("a".to_owned(), node, &statements(node, end));
        }
        assert!(matches!(skeletons.known().get("a"), Some(Known::Unfit)));
    }

    #[test]
    fn the_same_query_proves_nothing() {
        let skeletons = Skeletons::default();
        let other = Particulars {
            identifier: "other",
            ..FIRST
        };
        skeletons.learn("a".to_owned(), FIRST, &statements(FIRST, ""));
        skeletons.learn("a".to_owned(), other, &statements(other, ""));
        assert!(skeletons.fill("a", SECOND).is_none());
    }

    #[test]
    fn a_name_inside_of_another_word_is_tried_again() {
        let skeletons = Skeletons::default();
        let bad = Particulars {
            identifier: "view",
            query: "select 2",
        };
        skeletons.learn("a".to_owned(), bad, &statements(bad, ""));
        skeletons.learn("a".to_owned(), FIRST, &statements(FIRST, ""));
        skeletons.learn("a".to_owned(), SECOND, &statements(SECOND, ""));
        assert!(matches!(skeletons.known().get("a"), Some(Known::Proven(_))));
    }
}
