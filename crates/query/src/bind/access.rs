//! `has_table_privilege` and its like: whether a user may do something with an object.

use rwt_sql::DataType;

use super::{Binder, Bound, CastContext};
use crate::error::QueryError;
use crate::relation::{Named, Privilege, Securable};
use crate::value::Value;

/// The names of privileges and their letters in PostgreSQL's access lists.
const PRIVILEGES: [(&str, char); 8] = [
    ("SELECT", 'r'),
    ("INSERT", 'a'),
    ("UPDATE", 'w'),
    ("DELETE", 'd'),
    ("USAGE", 'U'),
    ("CREATE", 'C'),
    ("CONNECT", 'c'),
    ("EXECUTE", 'X'),
];

/// The letters that a function may be asked about.
fn allowed(function: &str) -> &'static str {
    match function {
        "has_any_column_privilege" => "raw",
        "has_schema_privilege" => "CU",
        "has_database_privilege" => "Cc",
        "has_function_privilege" => "X",
        _ => "rawdUCcX",
    }
}

/// A list as in `INSERT, SELECT WITH GRANT OPTION`. The option counts in upper case only, as in RisingWave.
fn privileges(text: &str, allowed: &str) -> Result<Vec<Privilege>, QueryError> {
    let one = |part: &str| {
        let (name, grant_option) = match part.rsplit_once(" WITH GRANT OPTION") {
            Some((name, _)) => (name, true),
            None => (part, false),
        };
        let found = PRIVILEGES
            .iter()
            .find(|(n, letter)| n.eq_ignore_ascii_case(name) && allowed.contains(*letter));
        let unknown = || {
            QueryError::parameter(
                "privilege",
                format!("unrecognized privilege type: \"{part}\""),
            )
        };
        let (_, letter) = found.ok_or_else(unknown)?;
        Ok(Privilege {
            letter: *letter,
            grant_option,
        })
    };
    text.split(',').map(|part| one(part.trim())).collect()
}

fn named<'a>(value: &'a Value<'_>, is_text: bool) -> Named<'a> {
    match is_text {
        true => Named::Name(value.str()),
        false => Named::Id(i32::try_from(value.int()).unwrap_or(-1)),
    }
}

impl Binder<'_> {
    /// A call `f([user,] object, privileges)`; without a user it is about the current one.
    pub(crate) fn has_privilege(&self, name: &str, args: &[Bound]) -> Result<Bound, QueryError> {
        let (user, object, text) = match args {
            [object, text] => (self.constant_text(&self.settings.user)?, object, text),
            [user, object, text] => (user.clone(), object, text),
            _ => {
                return Err(QueryError::Evaluation(format!(
                    "Too many/few arguments for pg_catalog.{name}()"
                )));
            }
        };
        let on = match name {
            "has_schema_privilege" => Securable::Schema,
            "has_database_privilege" => Securable::Database,
            "has_function_privilege" => Securable::Function,
            _ => Securable::Object,
        };
        let (user, user_is_text) = self.name_or_number(user)?;
        let (mut object, mut object_is_text) = self.name_or_number(object.clone())?;
        if object_is_text && on == Securable::Object {
            (object, object_is_text) = (self.regclass(object)?, false);
        }
        let text = self.cast(text.clone(), &DataType::Varchar, CastContext::Implicit)?;
        let access = self.catalog.access().cloned();
        let access = access.ok_or_else(|| QueryError::Internal(format!("{name} without users")))?;
        let allowed = allowed(name);
        let exprs = vec![user.expr, object.expr, text.expr];
        Ok(
            self.session_value(name, &DataType::Boolean, exprs, move |a| {
                let wanted = privileges(a[2].str(), allowed)?;
                let user = named(&a[0], user_is_text);
                let object = named(&a[1], object_is_text);
                access.holds(user, on, object, &wanted).map(Value::Bool)
            }),
        )
    }

    /// An argument that is a name or a number, and which of them.
    fn name_or_number(&self, value: Bound) -> Result<(Bound, bool), QueryError> {
        let value = self.default_type(value)?;
        if value.data_type == DataType::Varchar {
            return Ok((value, true));
        }
        let value = self.cast(value, &DataType::Integer, CastContext::Implicit)?;
        Ok((value, false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_privileges_are_read_as_risingwave_does() {
        let read = |text: &str| privileges(text, allowed("has_table_privilege"));
        let expected = |letter, grant_option| Privilege {
            letter,
            grant_option,
        };
        assert_eq!(
            read("INSERT, select WITH GRANT OPTION").unwrap(),
            [expected('a', false), expected('r', true)]
        );
        for wrong in [
            "SELE CT",
            "SELECT INSERT",
            "INSERT  WITH GRANT OPTION",
            "select with grant option",
        ] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(
                error.contains(&format!("unrecognized privilege type: \"{wrong}\"")),
                "{error}"
            );
        }
        assert!(privileges("INSERT", allowed("has_schema_privilege")).is_err());
    }
}
