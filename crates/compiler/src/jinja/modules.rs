//! `modules`: `datetime`, `pytz`, `re` and `itertools`, as far as projects use them.

use std::sync::Arc;

use minijinja::Value;
use minijinja::value::Object;

use super::itertools::Itertools;
use super::moment::Class;
use super::regex_module::Re;
use super::zones::Pytz;

/// `modules`
pub fn modules() -> Value {
    Value::from_object(Modules)
}

#[derive(Debug)]
struct Modules;

impl Object for Modules {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(match key.as_str()? {
            "datetime" => Value::from_object(Class::Module),
            "pytz" => Value::from_object(Pytz),
            "re" => Value::from_object(Re),
            "itertools" => Value::from_object(Itertools),
            _ => return None,
        })
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }
}
