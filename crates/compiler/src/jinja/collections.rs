//! Lists and dictionaries that change in place, as Python's do. minijinja's own are values: `append` and `update` would
//! have nothing to change. Everything that a template may want to change is made of these.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use minijinja::value::{DynObject, Enumerator, Kwargs, Object, ObjectRepr, Tuple, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use serde_json::Value as Json;

/// A list with `append`, `extend`, `insert`, `pop`, `remove`, `index`, `count`, `reverse`, `clear`, `copy`.
#[derive(Default)]
pub struct MutList(Mutex<Vec<Value>>);

/// A dictionary in order of insertion with `get`, `update`, `setdefault`, `pop`, `items`, `keys`, `values`, `clear`, `copy`.
#[derive(Default)]
pub struct MutDict(Mutex<IndexMap<Value, Value>>);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for MutList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(locked(&self.0).iter()).finish()
    }
}

impl fmt::Debug for MutDict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(locked(&self.0).iter()).finish()
    }
}

/// A changeable list.
pub fn list(items: impl IntoIterator<Item = Value>) -> Value {
    Value::from_object(MutList(Mutex::new(items.into_iter().collect())))
}

/// A changeable dictionary.
pub fn dict(items: impl IntoIterator<Item = (Value, Value)>) -> Value {
    Value::from_object(MutDict(Mutex::new(items.into_iter().collect())))
}

/// The most items that are copied from a value that makes them as it is asked.
const MOST_COPIED: usize = 1_000_000;

/// The value with every plain list and dictionary in it made changeable, and what an operator or a slice made of lists.
/// Everything else stays.
pub fn mutable(value: &Value) -> Value {
    let Some(object) = value.as_object() else {
        return value.clone();
    };
    if object.is::<MutList>() || object.is::<MutDict>() {
        return value.clone();
    }
    if let Some(collection) = collection(value, object) {
        return collection;
    }
    // Nothing is asked of any other object: `model` is worked out by whoever looks into it.
    let is_made = matches!(object.repr(), ObjectRepr::Seq | ObjectRepr::Iterable)
        && !value.is_tuple()
        && object.type_name().starts_with("minijinja::value::")
        && object.enumerator_len().unwrap_or(0) <= MOST_COPIED;
    match is_made.then(|| object.try_iter()).flatten() {
        Some(items) => list(items.map(|item| mutable(&item))),
        None => value.clone(),
    }
}

/// What a loop goes over: changeable items, and the characters of a text.
pub fn each(value: &Value) -> Value {
    if let Some(text) = value.as_str() {
        return list(text.chars().map(Value::from));
    }
    value
        .as_object()
        .and_then(|object| collection(value, object))
        .unwrap_or_else(|| value.clone())
}

/// A literal, and whatever else is one of minijinja's own lists, dictionaries or tuples, with all in it changeable.
fn collection(value: &Value, object: &DynObject) -> Option<Value> {
    if value.is_tuple() {
        let holds_objects = |items: &Tuple| items.iter().any(|item| item.as_object().is_some());
        let items = object
            .downcast_ref::<Tuple>()
            .filter(|items| holds_objects(items))?;
        let items: Vec<Value> = items.iter().map(mutable).collect();
        return Some(Value::from(Tuple::from(items)));
    }
    if object.is::<Vec<Value>>() {
        let items = object.try_iter().into_iter().flatten();
        return Some(list(items.map(|item| mutable(&item))));
    }
    if object.is::<IndexMap<Value, Value>>() && !value.is_kwargs() {
        let pairs = object.try_iter_pairs().into_iter().flatten();
        return Some(dict(pairs.map(|(key, item)| (key, mutable(&item)))));
    }
    None
}

/// Python's methods of the lists, tuples and dictionaries that no template can hold on to: they change a copy.
pub fn method(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Option<Result<Value, Error>> {
    let object = value.as_object()?;
    if value.is_tuple() {
        let items = || list(object.try_iter().into_iter().flatten());
        return matches!(method, "index" | "count")
            .then(|| items().call_method(state, method, args));
    }
    let copy = mutable(value);
    let copied = copy.as_object()?;
    let is_copy = copied.is::<MutList>() || copied.is::<MutDict>();
    let is_plain = !object.is::<MutList>() && !object.is::<MutDict>();
    (is_copy && is_plain).then(|| copy.call_method(state, method, args))
}

/// Refuses to put a collection into itself: nothing could print it.
fn no_cycle(target: *const (), item: &Value) -> Result<(), Error> {
    let Some(object) = item.as_object() else {
        return Ok(());
    };
    let address = object
        .downcast_ref::<MutList>()
        .map(|list| std::ptr::from_ref(list).cast::<()>())
        .or_else(|| {
            object
                .downcast_ref::<MutDict>()
                .map(|dict| std::ptr::from_ref(dict).cast())
        });
    if address == Some(target) {
        return Err(operation("a collection cannot hold itself"));
    }
    let Some(inner) = object.try_iter() else {
        return Ok(());
    };
    if object.is::<MutDict>() {
        return object
            .try_iter_pairs()
            .into_iter()
            .flatten()
            .try_for_each(|(_, value)| no_cycle(target, &value));
    }
    if address.is_some() || object.is::<Vec<Value>>() || item.is_tuple() {
        return inner
            .into_iter()
            .try_for_each(|value| no_cycle(target, &value));
    }
    Ok(())
}

/// JSON and YAML values as templates see them.
pub fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => number.as_i64().map_or_else(
            || {
                number.as_u64().map_or_else(
                    || Value::from(number.as_f64().unwrap_or(f64::NAN)),
                    Value::from,
                )
            },
            Value::from,
        ),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => list(items.iter().map(from_json)),
        Json::Object(map) => dict(
            map.iter()
                .map(|(key, value)| (Value::from(key.as_str()), from_json(value))),
        ),
    }
}

/// A template's value as JSON.
///
/// # Errors
/// A value without a JSON form, such as a function.
pub fn to_json(value: &Value) -> Result<Json, Error> {
    if value.is_undefined() {
        return Ok(Json::Null);
    }
    serde_json::to_value(value).map_err(|error| {
        Error::new(ErrorKind::BadSerialization, "the value has no JSON form").with_source(error)
    })
}

impl Object for MutList {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let items = locked(&self.0);
        let index = key.as_i64()?;
        let index = if index < 0 {
            index + items.len() as i64
        } else {
            index
        };
        items.get(usize::try_from(index).ok()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(locked(&self.0).clone())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(locked(&self.0).len())
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let none = Ok(Value::from(()));
        match method {
            "append" => {
                let (item,): (Value,) = from_args(args)?;
                no_cycle(Arc::as_ptr(self).cast(), &item)?;
                locked(&self.0).push(mutable(&item));
                none
            }
            "extend" => {
                let (items,): (Value,) = from_args(args)?;
                let items: Vec<Value> = items.try_iter()?.map(|item| mutable(&item)).collect();
                for item in &items {
                    no_cycle(Arc::as_ptr(self).cast(), item)?;
                }
                locked(&self.0).extend(items);
                none
            }
            "insert" => {
                let (at, item): (i64, Value) = from_args(args)?;
                no_cycle(Arc::as_ptr(self).cast(), &item)?;
                let mut items = locked(&self.0);
                let at = position(at, items.len()).unwrap_or(0).min(items.len());
                items.insert(at, mutable(&item));
                none
            }
            "pop" => {
                let (at,): (Option<i64>,) = from_args(args)?;
                let mut items = locked(&self.0);
                let at = position(at.unwrap_or(-1), items.len()).filter(|at| *at < items.len());
                at.map(|at| items.remove(at))
                    .ok_or_else(|| operation("pop from a list without such an item"))
            }
            "remove" => {
                let (item,): (Value,) = from_args(args)?;
                let mut items = locked(&self.0);
                let at = items.iter().position(|other| *other == item);
                at.map(|at| items.remove(at))
                    .map(|_| Value::from(()))
                    .ok_or_else(|| operation(format!("the list has no item {item:?}")))
            }
            "index" => {
                let (item, start, stop): (Value, Option<i64>, Option<i64>) = from_args(args)?;
                let items = locked(&self.0);
                let bound = |at: Option<i64>, default| {
                    at.map_or(default, |at| position(at, items.len()).unwrap_or(0))
                };
                let start = bound(start, 0);
                let mut places = items.iter().enumerate().take(bound(stop, items.len()));
                let at = places.find(|(at, other)| *at >= start && **other == item);
                at.map(|(at, _)| Value::from(at))
                    .ok_or_else(|| operation(format!("the list has no item {item:?}")))
            }
            "count" => {
                let (item,): (Value,) = from_args(args)?;
                Ok(Value::from(
                    locked(&self.0)
                        .iter()
                        .filter(|other| **other == item)
                        .count(),
                ))
            }
            "reverse" => {
                locked(&self.0).reverse();
                none
            }
            "sort" => {
                let (keywords,): (Kwargs,) = from_args(args)?;
                let reverse = keywords.get::<Option<Value>>("reverse")?;
                let key = keywords.get::<Option<Value>>("key")?;
                keywords.assert_all_used()?;
                let mut items = locked(&self.0).clone();
                let mut failed = None;
                let mut keyed: Vec<(Value, Value)> = Vec::with_capacity(items.len());
                for item in items.drain(..) {
                    let by = match key.as_ref().filter(|key| !key.is_none()) {
                        Some(key) => {
                            key.call(state, std::slice::from_ref(&item))
                                .unwrap_or_else(|error| {
                                    failed.get_or_insert(error);
                                    Value::UNDEFINED
                                })
                        }
                        None => item.clone(),
                    };
                    keyed.push((by, item));
                }
                if let Some(error) = failed {
                    return Err(error);
                }
                // Equal items keep their order, backwards too.
                match reverse.is_some_and(|reverse| reverse.is_true()) {
                    true => keyed.sort_by(|a, b| b.0.cmp(&a.0)),
                    false => keyed.sort_by(|a, b| a.0.cmp(&b.0)),
                }
                *locked(&self.0) = keyed.into_iter().map(|(_, item)| item).collect();
                none
            }
            "clear" => {
                locked(&self.0).clear();
                none
            }
            "copy" => Ok(list(locked(&self.0).clone())),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

impl Object for MutDict {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        locked(&self.0).get(key).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(locked(&self.0).keys().cloned().collect())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(locked(&self.0).len())
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "get" => {
                let (key, default): (Value, Option<Value>) = from_args(args)?;
                Ok(locked(&self.0)
                    .get(&key)
                    .cloned()
                    .unwrap_or_else(|| default.unwrap_or_else(|| Value::from(()))))
            }
            "items" => {
                let pairs: Vec<Value> = locked(&self.0)
                    .iter()
                    .map(|(key, value)| Value::from(Tuple::from([key.clone(), value.clone()])))
                    .collect();
                Ok(list(pairs))
            }
            "keys" => Ok(list(locked(&self.0).keys().cloned())),
            "values" => Ok(list(locked(&self.0).values().cloned())),
            "update" => {
                for pairs in args {
                    let pairs = pairs_of(pairs)?;
                    for (_, value) in &pairs {
                        no_cycle(Arc::as_ptr(self).cast(), value)?;
                    }
                    let pairs = pairs.into_iter().map(|(key, value)| (key, mutable(&value)));
                    locked(&self.0).extend(pairs);
                }
                Ok(Value::from(()))
            }
            "setdefault" => {
                let (key, default): (Value, Option<Value>) = from_args(args)?;
                let default = mutable(&default.unwrap_or_else(|| Value::from(())));
                no_cycle(Arc::as_ptr(self).cast(), &default)?;
                Ok(locked(&self.0).entry(key).or_insert(default).clone())
            }
            "pop" => {
                let (key, default): (Value, Option<Value>) = from_args(args)?;
                locked(&self.0)
                    .shift_remove(&key)
                    .or(default)
                    .ok_or_else(|| operation(format!("the dictionary has no key {key:?}")))
            }
            "clear" => {
                locked(&self.0).clear();
                Ok(Value::from(()))
            }
            "copy" => Ok(dict(locked(&self.0).clone())),
            "popitem" => {
                let last = locked(&self.0).pop();
                last.map(|(key, value)| Value::from(Tuple::from([key, value])))
                    .ok_or_else(|| operation("popitem from an empty dictionary"))
            }
            "fromkeys" => {
                let (keys, value): (Value, Option<Value>) = from_args(args)?;
                let value = mutable(&value.unwrap_or_else(|| Value::from(())));
                Ok(dict(keys.try_iter()?.map(|key| (key, value.clone()))))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// Keys and values of a dictionary or of keyword arguments.
///
/// # Errors
/// The value is neither.
pub fn pairs_of(value: &Value) -> Result<Vec<(Value, Value)>, Error> {
    value
        .as_object()
        .filter(|object| object.repr() == ObjectRepr::Map)
        .and_then(DynObject::try_iter_pairs)
        .map(Iterator::collect)
        .ok_or_else(|| operation(format!("expected a dictionary, not {}", value.kind())))
}

fn position(at: i64, len: usize) -> Option<usize> {
    let at = if at < 0 { at + len as i64 } else { at };
    usize::try_from(at).ok()
}

fn operation(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}
