//! Identifiers and literals: the only way a name or a value reaches SQL text.

use std::fmt;

/// Words that name no column or table without quotes: PostgreSQL's reserved words (its appendix "SQL Key Words", also
/// those that may name functions or types), which RisingWave follows but for [`NAMES_FOR_RISINGWAVE`].
#[rustfmt::skip]
const RESERVED: [&str; 100] = [
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "authorization", "binary", "both",
    "case", "cast", "check", "collate", "collation", "column", "concurrently", "constraint", "create", "cross",
    "current_catalog", "current_date", "current_role", "current_schema", "current_time", "current_timestamp",
    "current_user", "default", "deferrable", "desc", "distinct", "do", "else", "end", "except", "false", "fetch", "for",
    "foreign", "freeze", "from", "full", "grant", "group", "having", "ilike", "in", "initially", "inner", "intersect",
    "into", "is", "isnull", "join", "lateral", "leading", "left", "like", "limit", "localtime", "localtimestamp",
    "natural", "not", "notnull", "null", "offset", "on", "only", "or", "order", "outer", "overlaps", "placing",
    "primary", "references", "returning", "right", "select", "session_user", "similar", "some", "symmetric", "table",
    "tablesample", "then", "to", "trailing", "true", "union", "unique", "user", "using", "variadic", "verbose", "when",
    "where", "window", "with",
];

/// Reserved words that RisingWave takes as the name of a new column all the same (`CREATE TABLE t (user varchar)`).
#[rustfmt::skip]
const NAMES_FOR_RISINGWAVE: [&str; 15] = [
    "analyse", "collation", "current_catalog", "current_date", "current_role", "current_schema", "current_time",
    "current_timestamp", "current_user", "localtime", "localtimestamp", "select", "session_user", "user", "with",
];

/// Words that begin an expression of their own, so that RisingWave does not take them for a column's name in a query.
#[rustfmt::skip]
const EXPRESSION_WORDS: [&str; 12] = [
    "exists", "extract", "interval", "map", "operator", "overlay", "position", "row", "substring", "trim", "try_cast",
    "values",
];

/// Whether RisingWave refuses this unquoted word, in lower case, as a new column's name.
pub(crate) fn is_reserved_column(word: &str) -> bool {
    is_reserved(word) && !NAMES_FOR_RISINGWAVE.contains(&word)
}

fn is_reserved(word: &str) -> bool {
    RESERVED.binary_search(&word).is_ok()
}

/// An identifier by its value, that is without quotes and with case as stored. RisingWave cannot write a value that
/// holds a double quote; it is written with the quote doubled, which RisingWave refuses and other databases read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ident(String);

impl Ident {
    /// An identifier with exactly this value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The stored value.
    pub fn value(&self) -> &str {
        &self.0
    }

    /// Always with double quotes, inner quotes doubled.
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.0.replace('"', "\"\""))
    }

    fn needs_quotes(&self) -> bool {
        if is_reserved(&self.0) || EXPRESSION_WORDS.contains(&self.0.as_str()) {
            return true;
        }
        let mut chars = self.0.chars();
        let plain_start = chars
            .next()
            .is_some_and(|c| c.is_ascii_lowercase() || c == '_');
        !(plain_start
            && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '$'))
    }
}

impl fmt::Display for Ident {
    /// With quotes only where the value would not survive without them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.needs_quotes() {
            f.write_str(&self.quoted())
        } else {
            f.write_str(&self.0)
        }
    }
}

/// A dotted name of one to three parts: `[database.][schema.]name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName(pub Vec<Ident>);

impl ObjectName {
    /// The last part.
    pub fn name(&self) -> &str {
        self.0.last().map_or("", Ident::value)
    }

    /// The part before the last, if it is written.
    pub fn schema(&self) -> Option<&str> {
        self.0.len().checked_sub(2).map(|i| self.0[i].value())
    }

    /// The first of three parts, if it is written.
    pub fn database(&self) -> Option<&str> {
        self.0.len().checked_sub(3).map(|i| self.0[i].value())
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, part) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            write!(f, "{part}")?;
        }
        Ok(())
    }
}

/// A literal value on its way into SQL text.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal<'a> {
    /// A string; quotes are doubled. RisingWave's strings know no backslash escapes.
    Text(&'a str),
    /// A whole number.
    Int(i64),
    /// A double; not-a-number and the infinities become quoted casts.
    Double(f64),
    /// `true` or `false`.
    Bool(bool),
    /// `NULL`.
    Null,
}

impl fmt::Display for Literal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Self::Int(value) => write!(f, "{value}"),
            Self::Double(value) if value.is_finite() => write!(f, "{value:?}"),
            Self::Double(value) if value.is_nan() => f.write_str("'NaN'::double precision"),
            Self::Double(value) if *value > 0.0 => f.write_str("'Infinity'::double precision"),
            Self::Double(_) => f.write_str("'-Infinity'::double precision"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Null => f.write_str("NULL"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_quoted_only_where_needed() {
        assert_eq!(Ident::new("src_page").to_string(), "src_page");
        assert_eq!(Ident::new("Src").to_string(), "\"Src\"");
        assert_eq!(Ident::new("a\"b").quoted(), "\"a\"\"b\"");
        assert_eq!(Ident::new("").to_string(), "\"\"");
        for word in ["user", "order", "table", "select", "values", "position"] {
            assert_eq!(Ident::new(word).to_string(), format!("\"{word}\""));
        }
        // Recorded: RisingWave takes these as they are.
        for word in [
            "value",
            "key",
            "type",
            "date",
            "timestamp",
            "count",
            "source",
            "version",
            "index",
            "comment",
        ] {
            assert_eq!(Ident::new(word).to_string(), word);
        }
    }

    #[test]
    fn reserved_words_are_in_search_order() {
        assert!(RESERVED.is_sorted());
    }

    #[test]
    fn literals_escape_quotes() {
        assert_eq!(Literal::Text("it's").to_string(), "'it''s'");
        assert_eq!(Literal::Double(1.0).to_string(), "1.0");
    }
}
