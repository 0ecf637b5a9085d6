//! Values that are built when a template first looks into them. Most models never ask for `model` or `graph`.

use std::fmt;
use std::sync::{Arc, OnceLock};

use minijinja::value::{Enumerator, Object, ObjectRepr};
use minijinja::{Error, State, Value};

struct Lazy<F> {
    build: F,
    value: OnceLock<Value>,
}

/// A dictionary that `build` makes at most once, when it is needed.
pub fn lazy(build: impl Fn() -> Value + Send + Sync + 'static) -> Value {
    Value::from_object(Lazy {
        build,
        value: OnceLock::new(),
    })
}

impl<F: Fn() -> Value> Lazy<F> {
    fn value(&self) -> &Value {
        self.value.get_or_init(&self.build)
    }
}

impl<F: Fn() -> Value> fmt::Debug for Lazy<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.value(), f)
    }
}

impl<F: Fn() -> Value + Send + Sync + 'static> Object for Lazy<F> {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.value().as_object()?.get_value(key)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let object = self.value().as_object();
        object.map_or(Enumerator::Empty, |object| object.enumerate())
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        self.value().call_method(state, method, args)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.value(), f)
    }
}
