//! Functions of maps and jsonb whose arguments settle one another's types.

use datafusion::logical_expr::Expr;
use rwt_sql::DataType;

use super::{Binder, Bound, CastContext};
use crate::error::QueryError;
use crate::kernel::{array, json_path, jsonb, map, record};

impl Binder<'_> {
    /// The functions of maps beside those of [`map::function`].
    pub(super) fn map_function(&self, name: &str, args: &[Bound]) -> Result<Bound, QueryError> {
        let missing = || self.no_function(name, args);
        let of = |i: usize| args.get(i).filter(|a| !a.untyped).map(|a| &a.data_type);
        if let ("map_from_key_values", Some(DataType::List(key)), Some(DataType::List(item))) =
            (name, of(0), of(1))
        {
            map::check_key(key)?;
            let to = DataType::Map(key.clone(), item.clone());
            return Ok(map::from_lists(args[0].clone(), args[1].clone(), to));
        }
        let Some(DataType::Map(key, item)) = of(0) else {
            return Err(missing());
        };
        let cast = |i: usize, to: &DataType| -> Result<Expr, QueryError> {
            let arg = args.get(i).cloned().ok_or_else(missing)?;
            Ok(self
                .cast(arg, to, CastContext::Implicit)
                .map_err(|_| missing())?
                .expr)
        };
        let value = args[0].clone();
        Ok(match (name, args.len()) {
            ("map_access", 2) => map::item(value, cast(1, key)?),
            ("map_contains", 2) => map::contains(value, cast(1, key)?),
            ("map_length", 1) => map::length(value),
            ("map_entries", 1) => map::entries(value, key, item),
            ("map_cat", 2) => {
                let other = cast(1, &args[0].data_type)?;
                map::merged(value, other)
            }
            ("map_insert", 3) => map::inserted(value, cast(1, key)?, cast(2, item)?),
            ("map_delete", 2) => map::deleted(value, cast(1, key)?),
            _ => return Err(missing()),
        })
    }

    /// `jsonb_path_…(value, path [, vars [, silent]])`
    pub(super) fn json_path_function(
        &self,
        name: &str,
        args: &[Bound],
    ) -> Result<Bound, QueryError> {
        let types = [
            DataType::Jsonb,
            DataType::Varchar,
            DataType::Jsonb,
            DataType::Boolean,
        ];
        let path = match args[1].literal_text() {
            Some(text) => Some(crate::json_path::Path::parse(text)?),
            None => None,
        };
        let mut exprs = Vec::with_capacity(args.len());
        for (arg, to) in args.iter().zip(&types) {
            let cast = self.cast(arg.clone(), to, CastContext::Implicit);
            exprs.push(cast.map_err(|_| self.no_function(name, args))?.expr);
        }
        Ok(json_path::function(name, path, exprs))
    }

    /// `jsonb_populate_record(base, value)` and its kind.
    pub(super) fn populated(&self, name: &str, args: &[Bound]) -> Result<Bound, QueryError> {
        let missing = || self.no_function(name, args);
        let base = args[0].clone();
        let fits = match base.data_type {
            DataType::Map(..) => name == "jsonb_populate_map",
            DataType::Struct(_) => name != "jsonb_populate_map",
            _ => false,
        };
        if !fits || base.untyped {
            return Err(missing());
        }
        let value = self.cast(args[1].clone(), &DataType::Jsonb, CastContext::Implicit);
        let value = value.map_err(|_| missing())?;
        Ok(record::populate(name, base, value.expr, self.style))
    }

    /// `generate_subscripts(list, dimension [, reverse])` and `_pg_expandarray(list)`
    pub(super) fn list_rows(&self, name: &str, args: &[Bound]) -> Result<Bound, QueryError> {
        let missing = || self.no_function(name, args);
        let list = args[0].clone();
        if !matches!(list.data_type, DataType::List(_)) || list.untyped {
            return Err(missing());
        }
        if name == "_pg_expandarray" {
            return array::expanded(list).ok_or_else(missing);
        }
        let mut rest = Vec::with_capacity(2);
        for (arg, to) in args[1..].iter().zip([DataType::Integer, DataType::Boolean]) {
            let cast = self.cast(arg.clone(), &to, CastContext::Implicit);
            rest.push(cast.map_err(|_| missing())?.expr);
        }
        Ok(array::subscripts(list, rest))
    }

    /// `jsonb_set`, `jsonb_delete_path` and `jsonb_object`.
    pub(super) fn json_function(&self, name: &str, args: &[Bound]) -> Result<Bound, QueryError> {
        let texts = || DataType::List(Box::new(DataType::Varchar));
        let types: Vec<DataType> = match name {
            "jsonb_object" => vec![texts(), texts()],
            "jsonb_delete_path" => vec![DataType::Jsonb, texts()],
            _ => vec![DataType::Jsonb, texts(), DataType::Jsonb, DataType::Boolean],
        };
        let mut exprs = Vec::with_capacity(args.len());
        for (arg, to) in args.iter().zip(&types) {
            let cast = self.cast(arg.clone(), to, CastContext::Implicit);
            exprs.push(cast.map_err(|_| self.no_function(name, args))?.expr);
        }
        Ok(match (name, exprs.as_slice()) {
            ("jsonb_object", _) => jsonb::object(exprs),
            ("jsonb_delete_path", [value, path]) => jsonb::delete_path(value.clone(), path.clone()),
            _ => jsonb::set(exprs),
        })
    }
}
