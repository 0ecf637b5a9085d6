//! `modules.itertools`, as far as lists go: `product`, `chain`, `combinations`, `permutations`, `zip_longest`, `repeat`, `islice`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::value::{Object, Rest, ValueOrKwargs, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::collections::{list, pairs_of};
use super::table::tuple;

/// `modules.itertools`
#[derive(Debug)]
pub struct Itertools;

/// The most items that a product or the like may have: a template cannot use the machine up.
const MOST: usize = 100_000;

fn too_many() -> Error {
    Error::new(
        ErrorKind::InvalidOperation,
        format!("more than {MOST} items"),
    )
}

impl Object for Itertools {
    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        // `chain.from_iterable(…)` asks for the name first.
        (key.as_str()? == "chain").then(|| Value::from_object(Chain))
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let (values,): (Rest<ValueOrKwargs>,) = from_args(args)?;
        let mut keywords = Vec::new();
        let mut sequences = Vec::new();
        for value in values.into_values() {
            if value.is_kwargs() {
                keywords = pairs_of(&value)?;
            } else {
                sequences.push(value);
            }
        }
        let keyword = |name: &str| {
            let found = keywords.iter().find(|(key, _)| key.as_str() == Some(name));
            found.map(|(_, value)| value.clone())
        };
        let count = |index: usize| sequences.get(index).and_then(Value::as_usize);
        match method {
            "product" => {
                let repeat = keyword("repeat")
                    .and_then(|value| value.as_usize())
                    .unwrap_or(1);
                let pools = items(&sequences)?;
                let pools: Vec<&Vec<Value>> = (0..repeat).flat_map(|_| &pools).collect();
                product(&pools)
            }
            "chain" => chain(&sequences),
            "combinations" | "permutations" => {
                let pool: Vec<Value> = sequences
                    .first()
                    .map(Value::try_iter)
                    .transpose()?
                    .into_iter()
                    .flatten()
                    .collect();
                let size = count(1)
                    .or_else(|| keyword("r")?.as_usize())
                    .unwrap_or(pool.len());
                let mut out = Vec::new();
                pick(
                    &pool,
                    size,
                    method == "combinations",
                    &mut Vec::new(),
                    &mut out,
                )?;
                Ok(list(out))
            }
            "zip_longest" => {
                let fill = keyword("fillvalue").unwrap_or_else(|| Value::from(()));
                let columns = items(&sequences)?;
                let length = columns.iter().map(Vec::len).max().unwrap_or(0);
                Ok(list((0..length).map(|i| {
                    tuple(
                        columns
                            .iter()
                            .map(|column| column.get(i).unwrap_or(&fill).clone()),
                    )
                })))
            }
            "repeat" => {
                let times = count(1)
                    .or_else(|| keyword("times")?.as_usize())
                    .filter(|times| *times <= MOST);
                let value = sequences.first().cloned().unwrap_or_default();
                Ok(list(std::iter::repeat_n(
                    value,
                    times.ok_or_else(too_many)?,
                )))
            }
            "islice" => {
                let all: Vec<Value> = sequences
                    .first()
                    .map(Value::try_iter)
                    .transpose()?
                    .into_iter()
                    .flatten()
                    .collect();
                let (start, stop) = match (count(1), count(2)) {
                    (Some(stop), None) => (0, stop),
                    (start, stop) => (start.unwrap_or(0), stop.unwrap_or(all.len())),
                };
                let step = count(3).unwrap_or(1).max(1);
                Ok(list(all.into_iter().take(stop).skip(start).step_by(step)))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// Jinja2's `cycler('a', 'b')`.
#[derive(Debug)]
pub struct Cycler {
    items: Vec<Value>,
    at: AtomicUsize,
}

impl Cycler {
    /// Of so many values.
    ///
    /// # Errors
    /// There are none.
    pub fn build(items: &[Value]) -> Result<Value, Error> {
        if items.is_empty() {
            return Err(Error::new(
                ErrorKind::MissingArgument,
                "cycler() takes the values to go through",
            ));
        }
        Ok(Value::from_object(Self {
            items: items.to_vec(),
            at: AtomicUsize::new(0),
        }))
    }
}

impl Object for Cycler {
    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let at = self.at.load(Ordering::Relaxed);
        (key.as_str()? == "current").then(|| self.items[at % self.items.len()].clone())
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        _args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "next" => {
                let at = self.at.fetch_add(1, Ordering::Relaxed);
                Ok(self.items[at % self.items.len()].clone())
            }
            "reset" => {
                self.at.store(0, Ordering::Relaxed);
                Ok(Value::from(()))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// `itertools.chain`
#[derive(Debug)]
struct Chain;

impl Object for Chain {
    fn call(self: &Arc<Self>, _state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        chain(args)
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match (method, args) {
            ("from_iterable", [lists]) => chain(&lists.try_iter()?.collect::<Vec<_>>()),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

fn items(sequences: &[Value]) -> Result<Vec<Vec<Value>>, Error> {
    sequences
        .iter()
        .map(|sequence| Ok(sequence.try_iter()?.collect()))
        .collect()
}

fn chain(sequences: &[Value]) -> Result<Value, Error> {
    Ok(list(items(sequences)?.into_iter().flatten()))
}

fn product(pools: &[&Vec<Value>]) -> Result<Value, Error> {
    let size = pools
        .iter()
        .try_fold(1_usize, |size, pool| size.checked_mul(pool.len()));
    if size.is_none_or(|size| size > MOST) {
        return Err(too_many());
    }
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for pool in pools {
        rows = rows
            .iter()
            .flat_map(|row| {
                pool.iter().map(move |item| {
                    let mut row = row.clone();
                    row.push(item.clone());
                    row
                })
            })
            .collect();
    }
    Ok(list(rows.into_iter().map(tuple)))
}

/// Every way to take `size` items: in the order of the pool, or in any order.
fn pick(
    pool: &[Value],
    size: usize,
    ordered: bool,
    taken: &mut Vec<usize>,
    out: &mut Vec<Value>,
) -> Result<(), Error> {
    if taken.len() == size {
        if out.len() >= MOST {
            return Err(too_many());
        }
        out.push(tuple(taken.iter().map(|index| pool[*index].clone())));
        return Ok(());
    }
    let first = match (ordered, taken.last()) {
        (true, Some(last)) => last + 1,
        _ => 0,
    };
    for index in first..pool.len() {
        if ordered || !taken.contains(&index) {
            taken.push(index);
            pick(pool, size, ordered, taken, out)?;
            taken.pop();
        }
    }
    Ok(())
}
