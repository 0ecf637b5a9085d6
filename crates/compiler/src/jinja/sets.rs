//! Python's sets: items that are in it once, in the order in which they came.

use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexSet;
use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::collections::each;
use super::error::raise;

/// What `set(…)` gives.
pub struct SetValue(Mutex<IndexSet<Value>>);

impl SetValue {
    /// A set of what can be gone over.
    ///
    /// # Errors
    /// Something that cannot.
    pub fn build(items: &Value) -> Result<Value, Error> {
        Ok(Self::value(items_of(items)?))
    }

    fn value(items: IndexSet<Value>) -> Value {
        Value::from_object(Self(Mutex::new(items)))
    }

    fn items(&self) -> MutexGuard<'_, IndexSet<Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn items_of(items: &Value) -> Result<IndexSet<Value>, Error> {
    Ok(each(items).try_iter()?.collect())
}

fn missing(item: &Value) -> Error {
    raise(
        "rwt::jinja::set",
        format!("the set has no item {item:?}"),
        None,
    )
}

impl fmt::Debug for SetValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items: Vec<String> = self
            .items()
            .iter()
            .map(|item| format!("{item:?}"))
            .collect();
        match items.is_empty() {
            true => f.write_str("set()"),
            false => write!(f, "{{{}}}", items.join(", ")),
        }
    }
}

impl Object for SetValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.items().iter().cloned().collect())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.items().len())
    }

    fn is_true(self: &Arc<Self>) -> bool {
        !self.items().is_empty()
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let sorted = |set: &Self| {
            let mut items: Vec<Value> = set.items().iter().cloned().collect();
            items.sort();
            items
        };
        Some(sorted(self).cmp(&sorted(other.downcast_ref::<Self>()?)))
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        // A copy: an argument may be the set itself.
        let own = self.items().clone();
        let one = || from_args::<(Value,)>(args).map(|(value,)| value);
        let others = || args.iter().map(items_of).collect::<Result<Vec<_>, Error>>();
        let other = || items_of(&one()?);
        let changed = match method {
            "copy" => return Ok(Self::value(own)),
            "union" => {
                let all = own.into_iter().chain(others()?.into_iter().flatten());
                return Ok(Self::value(all.collect()));
            }
            "difference" | "intersection" => {
                let (others, keeps) = (others()?, method == "intersection");
                let stays = |item: &Value| match keeps {
                    true => others.iter().all(|other| other.contains(item)),
                    false => !others.iter().any(|other| other.contains(item)),
                };
                return Ok(Self::value(own.into_iter().filter(stays).collect()));
            }
            "symmetric_difference" => {
                let other = other()?;
                let items = own.symmetric_difference(&other).cloned().collect();
                return Ok(Self::value(items));
            }
            "issubset" => return Ok(Value::from(own.is_subset(&other()?))),
            "issuperset" => return Ok(Value::from(own.is_superset(&other()?))),
            "isdisjoint" => return Ok(Value::from(own.is_disjoint(&other()?))),
            "pop" => {
                let mut items = self.items();
                return items
                    .shift_remove_index(0)
                    .ok_or_else(|| raise("rwt::jinja::set", "pop from an empty set", None));
            }
            "add" => {
                let mut own = own;
                own.insert(one()?);
                own
            }
            "discard" | "remove" => {
                let (mut own, item) = (own, one()?);
                if !own.shift_remove(&item) && method == "remove" {
                    return Err(missing(&item));
                }
                own
            }
            "update" => own
                .into_iter()
                .chain(others()?.into_iter().flatten())
                .collect(),
            "difference_update" => {
                let others = others()?;
                let stays = |item: &Value| !others.iter().any(|other| other.contains(item));
                own.into_iter().filter(stays).collect()
            }
            "clear" => IndexSet::new(),
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        };
        *self.items() = changed;
        Ok(Value::from(()))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
