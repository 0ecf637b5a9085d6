//! SQL/JSON paths: `$.a[*] ? (@.b > $min)`. They look into one jsonb value and give a sequence of values.

mod eval;
mod parse;

use regex::Regex;
use serde_json::Value as Json;

use crate::error::QueryError;

/// A path as it was written.
#[derive(Debug)]
pub(crate) struct Path {
    /// A member or an item that is not there is an error instead of nothing.
    strict: bool,
    root: Node,
}

#[derive(Debug)]
enum Node {
    /// `$`
    Root,
    /// `@`, in a filter.
    Current,
    /// `last`, in a subscript.
    Last,
    /// `$name`
    Variable(String),
    Literal(Json),
    Access(Box<Node>, Accessor),
    Sign(Sign, Box<Node>),
    Arithmetic(Arithmetic, Box<Node>, Box<Node>),
    Test(Test),
}

#[derive(Debug)]
enum Accessor {
    Member(String),
    AnyMember,
    AnyItem,
    /// Places and ranges of places.
    Items(Vec<(Node, Option<Node>)>),
    Filter(Test),
    Method(Method),
}

#[derive(Debug, Clone, Copy)]
enum Method {
    Type,
    Size,
    Double,
    Ceiling,
    Floor,
    Abs,
    KeyValue,
}

impl Method {
    const ALL: [(&'static str, Self); 7] = [
        ("type", Self::Type),
        ("size", Self::Size),
        ("double", Self::Double),
        ("ceiling", Self::Ceiling),
        ("floor", Self::Floor),
        ("abs", Self::Abs),
        ("keyvalue", Self::KeyValue),
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Size => "size",
            Self::Double => "double",
            Self::Ceiling => "ceiling",
            Self::Floor => "floor",
            Self::Abs => "abs",
            Self::KeyValue => "keyvalue",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Plus,
    Minus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulus,
}

impl Arithmetic {
    fn sign(self) -> char {
        match self {
            Self::Add => '+',
            Self::Subtract => '-',
            Self::Multiply => '*',
            Self::Divide => '/',
            Self::Modulus => '%',
        }
    }
}

/// What is true, false or unknown.
#[derive(Debug)]
enum Test {
    Compare(Compare, Box<Node>, Box<Node>),
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
    Not(Box<Test>),
    IsUnknown(Box<Test>),
    Exists(Box<Node>),
    StartsWith(Box<Node>, Box<Node>),
    Like(Box<Node>, Regex),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Path {
    pub(crate) fn parse(text: &str) -> Result<Self, QueryError> {
        parse::path(text)
    }

    /// All values at the path.
    pub(crate) fn query(
        &self,
        target: &Json,
        vars: Option<&Json>,
    ) -> Result<Vec<Json>, QueryError> {
        eval::query(self, target, vars)
    }
}
