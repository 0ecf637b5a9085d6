//! GRANT, REVOKE and ALTER DEFAULT PRIVILEGES. Privileges are kept and shown, as lists of access; the embedded engine's only
//! user that matters is its owner, so nothing is refused for want of them.

use rwt_sql::{DataType, ObjectName};
use rwt_wire::{Outcome, SqlError};

use super::users::Words;
use super::{Session, not_implemented};
use crate::catalog::{Body, Catalog, DefaultGrant, Kind, ObjectId, SearchPath, invalid_input};

/// A class of objects that privileges are given on.
struct Class {
    /// As in `ON TABLE t`.
    singular: &'static str,
    /// As in `ON ALL TABLES IN SCHEMA s`; empty where there is no such form.
    plural: &'static str,
    kind: Option<Kind>,
    /// What ALL PRIVILEGES means.
    all: &'static str,
}

/// Longer names come first: a materialized view is no view.
const CLASSES: [Class; 11] = [
    class(
        "materialized view",
        "materialized views",
        Some(Kind::MaterializedView),
        "r",
    ),
    class("table", "tables", Some(Kind::Table), "darw"),
    class("view", "views", Some(Kind::View), "darw"),
    class("source", "sources", Some(Kind::Source), "r"),
    class("sink", "sinks", Some(Kind::Sink), "r"),
    class(
        "subscription",
        "subscriptions",
        Some(Kind::Subscription),
        "r",
    ),
    class("function", "functions", Some(Kind::Function), "X"),
    class("connection", "connections", Some(Kind::Connection), "U"),
    class("secret", "secrets", Some(Kind::Secret), "U"),
    class("schema", "schemas", None, "UC"),
    class("database", "", None, "Cc"),
];

const fn class(
    singular: &'static str,
    plural: &'static str,
    kind: Option<Kind>,
    all: &'static str,
) -> Class {
    Class {
        singular,
        plural,
        kind,
        all,
    }
}

/// What a statement gives or takes.
struct Change {
    /// Letters of PostgreSQL's access lists; `None` for ALL.
    letters: Option<String>,
    give: bool,
    /// With the right to give them on; of a REVOKE, that right alone.
    option: bool,
}

impl Change {
    /// The letters for a class of objects.
    fn on(&self, class: &Class) -> Result<String, SqlError> {
        let Some(letters) = &self.letters else {
            return Ok(class.all.to_owned());
        };
        if letters.chars().any(|letter| !class.all.contains(letter)) {
            return Err(SqlError::internal(
                "Bind error: Invalid privilege type for the given object.",
            ));
        }
        Ok(letters.clone())
    }

    fn apply(&self, held: &str, letters: &str) -> String {
        match (self.give, self.option) {
            (true, option) => given(held, letters, option),
            (false, option) => taken(held, letters, option),
        }
    }
}

/// A list of letters, each with whether it may be given on (`r*`).
fn pairs(letters: &str) -> Vec<(char, bool)> {
    let mut out: Vec<(char, bool)> = Vec::new();
    for letter in letters.chars() {
        match (letter, out.last_mut()) {
            ('*', Some(last)) => last.1 = true,
            _ => out.push((letter, false)),
        }
    }
    out
}

fn shown(pairs: Vec<(char, bool)>) -> String {
    let mut out = String::new();
    for (letter, option) in pairs {
        out.push(letter);
        out.extend(option.then_some('*'));
    }
    out
}

/// Privileges with further ones.
fn given(held: &str, letters: &str, option: bool) -> String {
    let mut held = pairs(held);
    for letter in letters.chars() {
        match held.iter_mut().find(|(l, _)| *l == letter) {
            Some((_, with)) => *with |= option,
            None => held.push((letter, option)),
        }
    }
    shown(held)
}

/// Privileges without some of them, or without the right to give those on.
fn taken(held: &str, letters: &str, option_only: bool) -> String {
    let mut held = pairs(held);
    if option_only {
        for (letter, option) in &mut held {
            *option &= !letters.contains(*letter);
        }
    } else {
        held.retain(|(letter, _)| !letters.contains(*letter));
    }
    shown(held)
}

/// What comes between GRANT or REVOKE and ON.
fn change(words: &mut Words) -> Result<Change, SqlError> {
    let give = words.next().eq_ignore_ascii_case("grant");
    let option = words.take("grant option for");
    let mut letters = Some(String::new());
    loop {
        let word = words.next().to_ascii_lowercase();
        let letter = match word.as_str() {
            "all" => {
                words.take("privileges");
                letters = None;
                ""
            }
            "select" => "r",
            "insert" => "a",
            "update" => "w",
            "delete" => "d",
            "usage" => "U",
            "create" => "C",
            "connect" => "c",
            "execute" => "X",
            _ => {
                return Err(SqlError::internal(format!(
                    "sql parser error: expected a privilege keyword, found: {word}"
                )));
            }
        };
        if let Some(letters) = &mut letters {
            letters.push_str(letter);
        }
        if words.peek() != "," {
            break;
        }
        words.next();
    }
    words.expect("on")?;
    Ok(Change {
        letters,
        give,
        option,
    })
}

/// Names with commas between them.
fn listed<T>(words: &mut Words, one: impl Fn(&mut Words) -> T) -> Vec<T> {
    let mut out = vec![one(words)];
    while words.take(",") {
        out.push(one(words));
    }
    out
}

/// A name, and the types behind that of a function.
fn object(words: &mut Words) -> (ObjectName, Option<Vec<String>>) {
    let name = words.name();
    if !words.take("(") {
        return (name, None);
    }
    let (mut types, mut text) = (Vec::new(), String::new());
    loop {
        match words.next().as_str() {
            "" | ")" => break,
            "," => types.push(std::mem::take(&mut text)),
            word => {
                text.push_str(word);
                text.push(' ');
            }
        }
    }
    if !text.is_empty() {
        types.push(text);
    }
    let canonical = |text: String| DataType::parse(text.trim()).map_or(text, |t| t.to_string());
    (name, Some(types.into_iter().map(canonical).collect()))
}

/// The function of this name, and of these types of its arguments where they are given.
fn function(
    catalog: &Catalog,
    name: &ObjectName,
    types: Option<&[String]>,
    path: &SearchPath,
) -> Result<ObjectId, SqlError> {
    let found = catalog.require(Kind::Function, name, path)?;
    let Some(types) = types else {
        return Ok(found.id);
    };
    let mut same = catalog.of_kind(Kind::Function).filter(|o| {
        o.schema == found.schema
            && o.name == found.name
            && matches!(&o.body, Body::Function(f) if f.params.iter().map(|(_, t)| t).eq(types))
    });
    let missing = || SqlError::not_found(Kind::Function.noun(), name.name());
    Ok(same.next().ok_or_else(missing)?.id)
}

/// The function that a text such as `f(int, varchar)` names.
pub(crate) fn function_of_text(
    catalog: &Catalog,
    text: &str,
    path: &SearchPath,
) -> Result<ObjectId, SqlError> {
    let (name, types) = object(&mut Words::new(text));
    function(catalog, &name, types.as_deref(), path)
}

/// Whether a list of access has a letter, with the right to give it on if that is wanted.
pub(crate) fn holds(letters: &str, letter: char, grant_option: bool) -> bool {
    pairs(letters)
        .iter()
        .any(|(held, option)| *held == letter && (*option || !grant_option))
}

/// The users at the end, and what may follow them.
fn receivers(words: &mut Words, change: &mut Change) -> Result<Vec<String>, SqlError> {
    words.expect(if change.give { "to" } else { "from" })?;
    let users = listed(words, |words| {
        words.take("user");
        words.next()
    });
    if change.give {
        change.option |= words.take("with grant option");
    }
    if words.take("granted by") {
        words.next();
    }
    if !change.give && !words.take("cascade") {
        words.take("restrict");
    }
    match words.peek() {
        "" => Ok(users),
        word => Err(SqlError::internal(format!(
            "sql parser error: expected end of statement, found: {word}"
        ))),
    }
}

fn user_id(catalog: &Catalog, name: &str) -> Result<u32, SqlError> {
    let user = catalog.user(name);
    let missing = || invalid_input(format!("User \"{name}\" does not exist"));
    Ok(user.ok_or_else(missing)?.id)
}

impl Session {
    pub(super) async fn change_privileges(&mut self, text: &str) -> Result<Outcome, SqlError> {
        let mut words = Words::new(text);
        let mut change = change(&mut words)?;
        let targets = self.targets(&mut words, &change)?;
        let users = receivers(&mut words, &mut change)?;
        let catalog = self.inner.catalog();
        let users = users.iter().map(|name| user_id(&catalog, name));
        let users = users.collect::<Result<Vec<_>, _>>()?;
        let tag = if change.give {
            "GRANT_PRIVILEGE"
        } else {
            "REVOKE_PRIVILEGE"
        };
        self.with_catalog(move |catalog| {
            for (object, letters) in &targets {
                for user in &users {
                    let held = catalog.granted(*object, *user);
                    let now = change.apply(&held, letters);
                    catalog.set_granted(*object, *user, now);
                }
            }
            Ok(())
        })
        .await?;
        Ok(Outcome::done(tag))
    }

    /// The objects behind ON, each with the letters that the statement is about.
    fn targets(
        &self,
        words: &mut Words,
        change: &Change,
    ) -> Result<Vec<(ObjectId, String)>, SqlError> {
        let catalog = self.inner.catalog();
        let all = words.take("all");
        let named = |words: &mut Words, class: &Class| match all {
            true => !class.plural.is_empty() && words.take(class.plural),
            false => words.take(class.singular),
        };
        let class = CLASSES.iter().find(|class| named(words, class));
        if all {
            let kind = class
                .and_then(|class| class.kind)
                .ok_or_else(|| not_implemented("this form of GRANT in the embedded engine"))?;
            words.expect("in schema")?;
            let letters = class.map_or(Ok(String::new()), |class| change.on(class))?;
            let schemas = listed(words, Words::next);
            let schemas = schemas.iter().map(|name| catalog.find_schema(name));
            let schemas: Vec<ObjectId> = schemas
                .map(|found| found.map(|schema| schema.id))
                .collect::<Result<_, _>>()?;
            let objects = catalog.objects.values();
            // An index goes with the materialized views, as in RisingWave.
            let fits = |found: Kind| {
                found == kind || (kind == Kind::MaterializedView && found == Kind::Index)
            };
            return Ok(objects
                .filter(|o| schemas.contains(&o.schema) && fits(o.kind()))
                .map(|o| (o.id, letters.clone()))
                .collect());
        }
        // Without a word it is a table, or something that is read like one.
        let class = class.unwrap_or(&CLASSES[1]);
        let letters = change.on(class)?;
        let targets = listed(words, object).into_iter().map(|(name, types)| {
            let id = self.target(&catalog, class, &name, types.as_deref())?;
            Ok((id, letters.clone()))
        });
        targets.collect()
    }

    fn target(
        &self,
        catalog: &Catalog,
        class: &Class,
        name: &ObjectName,
        types: Option<&[String]>,
    ) -> Result<ObjectId, SqlError> {
        let missing = || SqlError::not_found(class.singular, name.name());
        let Some(kind) = class.kind else {
            return match class.singular {
                "schema" => Ok(catalog.find_schema(name.name())?.id),
                _ => {
                    let mut databases = catalog.databases.iter();
                    let found = databases.find(|(_, n)| n == name.name());
                    Ok(found.ok_or_else(missing)?.0)
                }
            };
        };
        if kind == Kind::Table {
            catalog.check_schema(name)?;
            let found = catalog.find_relation(name, &self.path());
            return Ok(found.ok_or_else(missing)?.id);
        }
        if kind == Kind::Function {
            return function(catalog, name, types, &self.path());
        }
        Ok(catalog.require(kind, name, &self.path())?.id)
    }

    /// `ALTER DEFAULT PRIVILEGES [FOR USER …] [IN SCHEMA …] GRANT | REVOKE …`: what users get on objects that are made later.
    pub(super) async fn default_privileges(&mut self, text: &str) -> Result<Outcome, SqlError> {
        let mut words = Words::new(text);
        words.expect("alter default privileges")?;
        let catalog = self.inner.catalog();
        let owners = match words.take("for user") {
            true => listed(&mut words, Words::next)
                .iter()
                .map(|name| user_id(&catalog, name))
                .collect::<Result<Vec<_>, _>>()?,
            false => vec![self.user_id()],
        };
        let schemas = match words.take("in schema") {
            true => listed(&mut words, Words::next)
                .iter()
                .map(|name| Ok(Some(catalog.find_schema(name)?.id)))
                .collect::<Result<Vec<_>, SqlError>>()?,
            false => vec![None],
        };
        let mut change = change(&mut words)?;
        let mut classes = CLASSES.iter().filter(|class| !class.plural.is_empty());
        let class = classes
            .find(|class| words.take(class.plural))
            .ok_or_else(|| {
                SqlError::internal(format!(
                    "sql parser error: expected TABLES, VIEWS, SOURCES or another kind of objects after ON, found: {}",
                    words.peek()
                ))
            })?;
        if class.singular == "schema" && schemas != [None] {
            return Err(invalid_input(
                "cannot use IN SCHEMA clause when using GRANT/REVOKE ON SCHEMAS",
            ));
        }
        let letters = change.on(class)?;
        let users = receivers(&mut words, &mut change)?;
        let users = users.iter().map(|name| user_id(&catalog, name));
        let users = users.collect::<Result<Vec<_>, _>>()?;
        self.with_catalog(move |catalog| {
            for (owner, schema, user) in combinations(&owners, &schemas, &users) {
                let same = |g: &DefaultGrant| {
                    g.owner == owner
                        && g.schema == schema
                        && g.user == user
                        && g.class == class.singular
                };
                let at = catalog.default_grants.iter().position(same);
                let held = match at {
                    Some(at) => catalog.default_grants.remove(at).letters,
                    None => String::new(),
                };
                let now = change.apply(&held, &letters);
                if !now.is_empty() {
                    catalog.default_grants.push(DefaultGrant {
                        owner,
                        schema,
                        class: class.singular.to_owned(),
                        user,
                        letters: now,
                    });
                }
            }
            Ok(())
        })
        .await?;
        Ok(Outcome::done("ALTER_DEFAULT_PRIVILEGES"))
    }
}

/// Every owner with every schema and every user.
fn combinations(
    owners: &[u32],
    schemas: &[Option<ObjectId>],
    users: &[u32],
) -> Vec<(u32, Option<ObjectId>, u32)> {
    let mut out = Vec::new();
    for owner in owners {
        for schema in schemas {
            out.extend(users.iter().map(|user| (*owner, *schema, *user)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_given_and_taken_with_their_options() {
        assert_eq!(given("r", "ra", true), "r*a*");
        assert_eq!(given("r*", "r", false), "r*");
        assert_eq!(taken("r*a*w", "ra", true), "raw");
        assert_eq!(taken("r*a*w", "ra", false), "w");
        assert!(holds("r*a", 'r', true) && holds("r*a", 'a', false));
        assert!(!holds("r*a", 'a', true) && !holds("r*a", 'w', false));
    }
}
