//! The statement behind an object as SHOW CREATE and the catalogs print it. It is kept in parts, so that its own name
//! and the names that it reads can follow a rename.

use rwt_sql::statement::{Format, OptionValue, Options};
use rwt_sql::{Ident, ObjectName};
use serde::{Deserialize, Serialize};

use super::rewrite::replace;
use super::{Catalog, ObjectId};

/// A CREATE statement in parts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Definition {
    /// `CREATE SINK`
    pub head: String,
    /// The name as it was written, with its schema if that was written.
    pub name: Vec<String>,
    /// What stands behind the name.
    pub parts: Vec<Part>,
}

/// A part of a definition.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Part {
    /// Text that never changes.
    Text(String),
    /// The name of another object.
    Name(ObjectId, Vec<String>),
    /// A query.
    Query(String),
}

impl Definition {
    /// A definition that begins like this.
    pub fn new(head: &str, name: &ObjectName) -> Self {
        Self {
            head: head.into(),
            name: parts_of(name),
            parts: Vec::new(),
        }
    }

    /// Adds text.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Text(text.into()));
        self
    }

    /// Adds another object's name.
    #[must_use]
    pub fn object(mut self, id: ObjectId, name: &ObjectName) -> Self {
        self.parts.push(Part::Name(id, parts_of(name)));
        self
    }

    /// Adds a query as RisingWave prints it; of what is not printed so, the white space is folded outside of quotes and
    /// comments.
    #[must_use]
    pub fn query(mut self, sql: &str) -> Self {
        let text = rwt_query::shown_query(sql).unwrap_or_else(|| fold(sql));
        self.parts.push(Part::Query(text));
        self
    }

    /// The query in it, if there is one.
    pub fn query_text(&self) -> Option<String> {
        self.parts.iter().find_map(|part| match part {
            Part::Query(sql) => Some(sql.trim().to_owned()),
            _ => None,
        })
    }

    /// Follows a change of the object's own name.
    pub fn rename(&mut self, name: &str) {
        if let Some(last) = self.name.last_mut() {
            *last = name.into();
        }
    }

    /// Follows changes of the names that it reads: `(id, old name, new name)`.
    pub fn follow(&mut self, catalog: &Catalog, changed: &[(ObjectId, String, String)]) {
        for part in &mut self.parts {
            match part {
                Part::Text(_) => {}
                Part::Name(id, name) => {
                    if let (Some((.., new)), Some(last)) = (
                        changed.iter().find(|(changed, ..)| changed == id),
                        name.last_mut(),
                    ) {
                        *last = new.clone();
                    }
                }
                Part::Query(sql) => {
                    *sql = replace(sql, |reference| {
                        let (id, _, new) = changed
                            .iter()
                            .find(|(_, old, _)| old == reference.name.name())?;
                        if let (Some(schema), Some(object)) =
                            (reference.name.schema(), catalog.get(*id))
                            && catalog.schema_name(object.schema) != schema
                        {
                            return None;
                        }
                        let mut name = reference.name.clone();
                        name.0.pop();
                        name.0.push(Ident::new(new.clone()));
                        Some(name)
                    });
                }
            }
        }
    }
}

impl std::fmt::Display for Definition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.head, dotted(&self.name))?;
        for part in &self.parts {
            match part {
                Part::Text(text) | Part::Query(text) => f.write_str(text)?,
                Part::Name(_, name) => f.write_str(&dotted(name))?,
            }
        }
        Ok(())
    }
}

fn parts_of(name: &ObjectName) -> Vec<String> {
    name.0.iter().map(|p| p.value().to_owned()).collect()
}

fn dotted(parts: &[String]) -> String {
    parts.iter().map(|p| ident(p)).collect::<Vec<_>>().join(".")
}

/// An identifier as definitions print it.
pub fn ident(name: &str) -> String {
    Ident::new(name).to_string()
}

/// One blank for each run of white space; quoted text stays, comments go.
fn fold(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut chars = sql.chars().peekable();
    let mut depth = 0_usize;
    let mut quote: Option<char> = None;
    while let Some(c) = chars.next() {
        if let Some(open) = quote {
            out.push(c);
            if c == open {
                quote = None;
            }
            continue;
        }
        if depth > 0 {
            match (c, chars.peek()) {
                ('*', Some('/')) => {
                    chars.next();
                    depth -= 1;
                }
                ('/', Some('*')) => {
                    chars.next();
                    depth += 1;
                }
                _ => {}
            }
            continue;
        }
        match (c, chars.peek()) {
            ('-', Some('-')) => {
                for skipped in chars.by_ref() {
                    if skipped == '\n' {
                        break;
                    }
                }
                push_blank(&mut out);
            }
            ('/', Some('*')) => {
                chars.next();
                depth = 1;
                push_blank(&mut out);
            }
            ('\'' | '"', _) => {
                quote = Some(c);
                out.push(c);
            }
            _ if c.is_whitespace() => push_blank(&mut out),
            _ => out.push(c),
        }
    }
    out.trim().to_owned()
}

fn push_blank(out: &mut String) {
    if !out.ends_with(' ') {
        out.push(' ');
    }
}

/// ` WITH (key = 'value', …)`, or nothing without options.
pub fn options_text(options: &Options) -> String {
    if options.0.is_empty() {
        return String::new();
    }
    let items: Vec<String> = options
        .0
        .iter()
        .map(|(key, value)| match value {
            OptionValue::Text(text) => format!("{key} = '{}'", text.replace('\'', "''")),
            OptionValue::Bare(text) => format!("{key} = {text}"),
            OptionValue::Secret(name) => format!("{key} = secret {name}"),
            OptionValue::SecretFile(name) => format!("{key} = secret {name} as file"),
            OptionValue::Variable(name) => format!("{key} = {name}"),
        })
        .collect();
    format!(" WITH ({})", items.join(", "))
}

/// ` FORMAT PLAIN ENCODE JSON`, or nothing.
pub(crate) fn format_text(format: Option<&Format>) -> String {
    format.map_or_else(String::new, |f| {
        format!(" FORMAT {} ENCODE {}", f.format, f.encode)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_comments_fold() {
        assert_eq!(
            fold("SELECT  a, -- first\n 'x  -- y',\n\t/* c /* d */ */ b\nFROM t "),
            "SELECT a, 'x  -- y', b FROM t"
        );
    }
}
