//! Users, databases and SQL functions: the small part that projects use.

use rwt_sql::lexer::{Token, tokenize};
use rwt_sql::{DataType, Ident, ObjectName};
use rwt_wire::{Outcome, SqlError};

use super::{Session, not_implemented, query_error};
use crate::catalog::{Body, Catalog, Definition, Function, Kind, User, invalid_input};
use crate::engine::{Altering, internal};

/// The words of a statement: identifiers by value, symbols and literals as written.
pub(super) struct Words {
    text: String,
    /// Each word, where it begins, and whether it is a string.
    words: Vec<(String, usize, bool)>,
    at: usize,
}

impl Words {
    pub(super) fn new(text: &str) -> Self {
        let words = tokenize(text)
            .iter()
            .filter(|t: &&Token| !t.kind.is_trivia())
            .map(|t| (t.value(text), t.span.start, t.kind.is_string()))
            .filter(|(word, ..)| !word.is_empty() && word != ";")
            .collect();
        Self {
            text: text.to_owned(),
            words,
            at: 0,
        }
    }

    /// Takes what is left, as it was written.
    fn rest(&mut self) -> String {
        let start = self.words.get(self.at).map(|(_, start, _)| *start);
        self.at = self.words.len();
        start.map_or("", |start| &self.text[start..]).to_owned()
    }

    pub(super) fn peek(&self) -> &str {
        self.words.get(self.at).map_or("", |(w, ..)| w.as_str())
    }

    pub(super) fn next(&mut self) -> String {
        let word = self.peek().to_owned();
        self.at += 1;
        word
    }

    /// Takes these words if they come next.
    pub(super) fn take(&mut self, words: &str) -> bool {
        let wanted: Vec<&str> = words.split(' ').collect();
        let there = wanted.iter().enumerate().all(|(i, w)| {
            self.words
                .get(self.at + i)
                .is_some_and(|(word, _, string)| !string && word.eq_ignore_ascii_case(w))
        });
        if there {
            self.at += wanted.len();
        }
        there
    }

    /// Takes these words, which have to come next.
    pub(super) fn expect(&mut self, words: &str) -> Result<(), SqlError> {
        if self.take(words) {
            return Ok(());
        }
        Err(SqlError::internal(format!(
            "sql parser error: expected {}, found: {}",
            words.to_uppercase(),
            self.peek()
        )))
    }

    pub(super) fn name(&mut self) -> ObjectName {
        let mut parts = vec![Ident::new(self.next())];
        while self.peek() == "." {
            self.at += 1;
            parts.push(Ident::new(self.next()));
        }
        ObjectName(parts)
    }
}

/// What a user may do, as CREATE USER and ALTER USER say it.
fn attributes(words: &mut Words, user: &mut User) -> Result<(), SqlError> {
    while words.at < words.words.len() {
        match words.next().to_ascii_lowercase().as_str() {
            "superuser" => user.superuser = true,
            "nosuperuser" => user.superuser = false,
            "createdb" => user.create_db = true,
            "nocreatedb" => user.create_db = false,
            "login" => user.login = true,
            "nologin" => user.login = false,
            "with" | "createuser" | "nocreateuser" | "admin" | "noadmin" => {}
            // passwords are not asked for: the engine listens on this machine only
            "password" | "encrypted" => words.at += 1,
            other => {
                return Err(not_implemented(format!(
                    "the user's attribute {other} in the embedded engine"
                )));
            }
        }
    }
    Ok(())
}

impl Session {
    pub(super) async fn create_user(&mut self, text: &str) -> Result<Outcome, SqlError> {
        let mut words = Words::new(text);
        words.take("create user");
        let name = words.next();
        let mut user = User {
            id: 0,
            name: name.clone(),
            superuser: false,
            login: true,
            create_db: false,
        };
        attributes(&mut words, &mut user)?;
        self.with_catalog(|catalog| {
            if catalog.user(&name).is_some() {
                return Err(SqlError::exists("user", &name));
            }
            user.id = catalog.take_id();
            catalog.users.insert(user.id, user);
            Ok(())
        })
        .await?;
        Ok(Outcome::done("CREATE_USER"))
    }

    pub(super) async fn alter_user(&mut self, name: &str, text: &str) -> Result<(), SqlError> {
        let mut words = Words::new(text);
        self.with_catalog(|catalog| {
            let user = catalog
                .users
                .values_mut()
                .find(|u| u.name == name)
                .ok_or_else(|| SqlError::not_found("user", name))?;
            attributes(&mut words, user)
        })
        .await
    }

    pub(super) async fn rename_user(&mut self, name: &str, new: &str) -> Result<(), SqlError> {
        self.with_catalog(|catalog| {
            if catalog.user(new).is_some() {
                return Err(SqlError::exists("user", new));
            }
            let user = catalog
                .users
                .values_mut()
                .find(|u| u.name == name)
                .ok_or_else(|| SqlError::not_found("user", name))?;
            new.clone_into(&mut user.name);
            Ok(())
        })
        .await
    }

    pub(super) async fn drop_user(&mut self, name: &str, if_exists: bool) -> Result<(), SqlError> {
        let Some(user) = self.inner.catalog().user(name).map(|u| u.id) else {
            if if_exists {
                self.notice(format!("user \"{name}\" does not exist, skipping"));
                return Ok(());
            }
            return Err(SqlError::not_found("user", name));
        };
        self.with_catalog(|catalog| {
            if catalog.objects.values().any(|o| o.owner == user) {
                return Err(SqlError::internal(format!(
                    "Permission denied: user {name} owns objects"
                )));
            }
            catalog.users.remove(&user);
            catalog.grants.retain(|g| g.user != user);
            catalog
                .default_grants
                .retain(|g| g.user != user && g.owner != user);
            Ok(())
        })
        .await
    }

    pub(super) async fn create_database(&mut self, text: &str) -> Result<Outcome, SqlError> {
        let mut words = Words::new(text);
        words.take("create database");
        let if_not_exists = words.take("if not exists");
        let name = words.next();
        if self
            .inner
            .catalog()
            .databases
            .iter()
            .any(|(_, n)| *n == name)
        {
            if if_not_exists {
                self.notice(format!("database \"{name}\" exists, skipping"));
                return Ok(Outcome::done("CREATE_DATABASE"));
            }
            return Err(SqlError::exists("database", &name));
        }
        self.with_catalog(|catalog| {
            let id = catalog.take_id();
            catalog.databases.push((id, name));
            Ok(())
        })
        .await?;
        Ok(Outcome::done("CREATE_DATABASE"))
    }

    pub(super) async fn rename_database(&mut self, old: &str, new: &str) -> Result<(), SqlError> {
        let catalog = self.inner.catalog();
        let known = |name: &str| catalog.databases.iter().any(|(_, n)| n == name);
        if !known(old) {
            return Err(
                SqlError::new(rwt_wire::SqlState::UndefinedDatabase, "Catalog error")
                    .because(format!("database not found: {old}")),
            );
        }
        if old == self.database {
            return Err(SqlError::internal(
                "Permission denied: Current database cannot be renamed",
            ));
        }
        if known(new) {
            return Err(SqlError::exists("database", new));
        }
        let (old, new) = (old.to_owned(), new.to_owned());
        self.with_catalog(move |catalog| {
            for (_, name) in &mut catalog.databases {
                if *name == old {
                    name.clone_from(&new);
                }
            }
            Ok(())
        })
        .await
    }

    /// Changes the catalog alone.
    pub(super) async fn with_catalog(
        &self,
        change: impl FnOnce(&mut Catalog) -> Result<(), SqlError>,
    ) -> Result<(), SqlError> {
        self.inner
            .clone()
            .alter(async |altering: &mut Altering<'_>| {
                change(&mut altering.catalog)?;
                altering.set_catalog()
            })
            .await
    }

    pub(super) async fn create_function(&mut self, text: &str) -> Result<Outcome, SqlError> {
        const DONE: &str = "CREATE_FUNCTION";
        let (name, if_not_exists, function) = read_function(text)?;
        let types: Vec<String> = function.params.iter().map(|(_, t)| t.clone()).collect();
        let catalog = self.inner.catalog();
        let schema = catalog.target_schema(&name, &self.path())?;
        let same = catalog.of_kind(Kind::Function).any(|o| {
            o.schema == schema
                && o.name == name.name()
                && matches!(&o.body, Body::Function(f) if f.params.iter().map(|(_, t)| t).eq(types.iter()))
        });
        if same {
            let shown = format!("{}({})", name.name(), types.join(","));
            if if_not_exists {
                self.notice(format!("function \"{shown}\" already exists, skipping"));
                return Ok(Outcome::done(DONE));
            }
            return Err(SqlError::exists("function", shown));
        }
        self.check_function(&function).await?;
        let definition = Definition::new("CREATE FUNCTION", &name).text(declaration(&function));
        let (path, owner) = (self.path(), self.user_id());
        self.with_catalog(move |catalog| {
            // Functions may share a name if their arguments differ, which was looked at before.
            let schema = catalog.target_schema(&name, &path)?;
            let body = Body::Function(function);
            let object = catalog.draft_in(schema, &name, owner, definition, body);
            catalog.objects.insert(object.id, object);
            Ok(())
        })
        .await?;
        Ok(Outcome::done(DONE))
    }

    /// A function's body has to be of its result's type.
    async fn check_function(&self, function: &Function) -> Result<(), SqlError> {
        let body = super::functions::query_function(function)
            .ok_or_else(|| internal("a function of unknown types"))?;
        let reading = self.reading();
        let actual = self
            .inner
            .queries
            .function_type(&body, &reading, &reading.settings)
            .await
            .map_err(|error| query_error(&error))?
            .to_string();
        if actual != function.returns {
            return Err(invalid_input(format!(
                "return type mismatch detected\nexpected: [{}]\nactual: [{actual}]\nplease adjust your function definition accordingly",
                function.returns
            )));
        }
        Ok(())
    }
}

/// `CREATE FUNCTION [IF NOT EXISTS] name ([name] type, …) RETURNS type LANGUAGE sql [IMMUTABLE …] AS $$…$$`
fn read_function(text: &str) -> Result<(ObjectName, bool, Function), SqlError> {
    let mut words = Words::new(text);
    if words.take("create or replace") {
        return Err(not_implemented("CREATE OR REPLACE FUNCTION"));
    }
    words.take("create function");
    let if_not_exists = words.take("if not exists");
    let name = words.name();
    let mut params = Vec::new();
    let mut item: Vec<String> = Vec::new();
    let mut depth = 0;
    loop {
        match words.next().as_str() {
            "" => {
                return Err(SqlError::internal(
                    "sql parser error: expected ), found: end of statement",
                ));
            }
            "(" => depth += 1,
            ")" if depth == 1 => {
                if !item.is_empty() {
                    params.push(parameter(&item)?);
                }
                break;
            }
            ")" => depth -= 1,
            "," if depth == 1 => params.push(parameter(&std::mem::take(&mut item))?),
            word => item.push(word.to_owned()),
        }
    }
    let (body, returns) = clauses(&mut words)?.sql()?;
    // The blanks around a body are shown, the sign of its end is not.
    let ended = body.trim_end().strip_suffix(';').map(str::to_owned);
    let function = Function {
        params,
        returns,
        body: ended.unwrap_or(body),
    };
    Ok((name, if_not_exists, function))
}

/// What a function's statement says behind the parameters.
#[derive(Default)]
struct Clauses {
    returns: Vec<String>,
    language: Option<String>,
    /// The text behind AS, and whether it is a string.
    definition: Option<(String, bool)>,
    /// The expression behind RETURN.
    result: Option<String>,
    uses_link: bool,
}

fn clauses(words: &mut Words) -> Result<Clauses, SqlError> {
    let mut found = Clauses::default();
    let mut in_returns = false;
    while words.at < words.words.len() {
        let is_string = words.words.get(words.at + 1).is_some_and(|(.., s)| *s);
        let word = words.next();
        let lower = word.to_ascii_lowercase();
        in_returns = match lower.as_str() {
            "returns" if words.take("table") => {
                return Err(not_implemented(
                    "CREATE FUNCTION ... RETURNS TABLE in the embedded engine",
                ));
            }
            "returns" => true,
            "language" => {
                found.language = Some(words.next());
                false
            }
            "as" => {
                found.definition = Some((words.next(), is_string));
                false
            }
            "return" => {
                found.result = Some(words.rest());
                false
            }
            "using" => {
                found.uses_link = true;
                words.rest();
                false
            }
            "with" => {
                return Err(SqlError::internal(
                    "Invalid Parameter Value: SQL UDF does not support WITH options yet",
                ));
            }
            "immutable" | "stable" | "volatile" | "strict" => false,
            _ if in_returns => {
                found.returns.push(word);
                true
            }
            other => {
                return Err(not_implemented(format!(
                    "CREATE FUNCTION ... {other} in the embedded engine"
                )));
            }
        };
    }
    Ok(found)
}

impl Clauses {
    /// The body and the type of an SQL function; the others are refused.
    fn sql(self) -> Result<(String, String), SqlError> {
        let wrong = |why: &str| SqlError::internal(format!("Invalid Parameter Value: {why}"));
        match self.language.map(|l| l.to_lowercase()).as_deref() {
            Some("sql") => {}
            Some(other @ ("python" | "javascript" | "rust" | "java" | "wasm")) => {
                return Err(not_implemented(format!(
                    "CREATE FUNCTION ... LANGUAGE {other} in the embedded engine"
                )));
            }
            Some(other) => return Err(wrong(&format!("language {other} is not supported"))),
            None if self.uses_link => {
                return Err(not_implemented(
                    "CREATE FUNCTION ... USING LINK in the embedded engine",
                ));
            }
            None => return Err(wrong("LANGUAGE must be specified")),
        }
        let body = match (self.definition, self.result) {
            (Some((text, true)), _) => text,
            (Some(_), _) => return Err(wrong("expect quoted string")),
            (None, Some(result)) => format!("SELECT {result}"),
            (None, None) => return Err(wrong("AS or RETURN must be specified")),
        };
        if self.uses_link {
            return Err(wrong("USING must NOT be specified with sql udf function"));
        }
        if self.returns.is_empty() {
            return Err(wrong("return type must be specified"));
        }
        Ok((body, canonical(&self.returns.join(" "))?))
    }
}

/// What stands behind a function's name.
fn declaration(function: &Function) -> String {
    let params: Vec<String> = function
        .params
        .iter()
        .map(|(name, data_type)| match name {
            Some(name) => format!("{} {data_type}", Ident::new(name.as_str())),
            None => data_type.clone(),
        })
        .collect();
    format!(
        "({}) RETURNS {} LANGUAGE sql AS $${}$$",
        params.join(", "),
        function.returns,
        function.body
    )
}

fn parameter(words: &[String]) -> Result<(Option<String>, String), SqlError> {
    if let Ok(data_type) = canonical(&words.join(" ")) {
        return Ok((None, data_type));
    }
    match words.split_first() {
        Some((name, rest)) if !rest.is_empty() => {
            Ok((Some(name.clone()), canonical(&rest.join(" "))?))
        }
        _ => canonical(&words.join(" ")).map(|t| (None, t)),
    }
}

fn canonical(text: &str) -> Result<String, SqlError> {
    DataType::parse(text)
        .map(|t| t.to_string())
        .map_err(|e| SqlError::internal(e.to_string()))
}
