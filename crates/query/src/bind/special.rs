//! Functions with a syntax, a typing or a session of their own: EXTRACT, SUBSTRING, round, date_trunc, jsonb operators,
//! functions of the session and of the catalog.

use arrow::datatypes::DataType as ArrowType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use rwt_sql::DataType;
use sqlparser::ast::{BinaryOperator, CeilFloorKind, DateTimeField, Expr as Ast, TrimWhereField};

use super::{Binder, Bound, CastContext, Comparison, Env};
use crate::error::QueryError;
use crate::kernel::{arithmetic, datetime, jsonb, map, numbers, to_char};
use crate::types::{arrow_type, is_number};
use crate::value::Value;

/// What an index has at a place, counted from one through its columns and those that it includes; nothing beyond them.
fn indexed(definition: &str, place: i64) -> String {
    let mut items: Vec<String> = Vec::new();
    let mut rest = definition;
    while let Some(open) = rest.find('(') {
        let (mut depth, mut item, mut end) = (0_usize, String::new(), rest.len());
        for (at, c) in rest.char_indices().skip(open) {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            match (c, depth) {
                (')', 0) => {
                    end = at + 1;
                    break;
                }
                (',', 1) => items.push(std::mem::take(&mut item)),
                ('(', 1) => {}
                _ => item.push(c),
            }
        }
        items.push(item);
        rest = &rest[end..];
    }
    let place = usize::try_from(place - 1).ok();
    let item = place.and_then(|place| items.get(place));
    let column = item.map_or("", |item| item.trim());
    let column = column.strip_suffix(" DESC").unwrap_or(column);
    column.strip_suffix(" ASC").unwrap_or(column).to_owned()
}

fn int_literal(value: i32) -> Bound {
    Bound::of(
        Expr::Literal(ScalarValue::Int32(Some(value)), None),
        DataType::Integer,
    )
}

impl Binder<'_> {
    /// Expressions that sqlparser reads with a syntax of their own.
    pub(crate) fn special(&self, ast: &Ast, env: &Env<'_>) -> Result<Bound, QueryError> {
        match ast {
            Ast::Extract { field, expr, .. } => {
                let value = self.expr(expr, env)?;
                self.extract(&field_name(field), value, false)
            }
            Ast::Ceil { expr, field } | Ast::Floor { expr, field } => {
                if !matches!(
                    field,
                    CeilFloorKind::DateTimeField(DateTimeField::NoDateTime)
                ) {
                    return Err(QueryError::NotImplemented(ast.to_string()));
                }
                let name = if matches!(ast, Ast::Ceil { .. }) {
                    "ceil"
                } else {
                    "floor"
                };
                let value = self.expr(expr, env)?;
                self.scalar(name, vec![value])
            }
            Ast::Substring {
                expr,
                substring_from,
                substring_for,
                ..
            } => {
                let mut args = vec![self.expr(expr, env)?];
                match (substring_from, substring_for) {
                    (Some(from), length) => {
                        args.push(self.expr(from, env)?);
                        if let Some(length) = length {
                            args.push(self.expr(length, env)?);
                        }
                    }
                    (None, Some(length)) => {
                        args.push(int_literal(1));
                        args.push(self.expr(length, env)?);
                    }
                    (None, None) => {}
                }
                self.scalar("substring", args)
            }
            Ast::Trim {
                expr,
                trim_where,
                trim_what,
                trim_characters,
            } => {
                let name = match trim_where {
                    Some(TrimWhereField::Leading) => "ltrim",
                    Some(TrimWhereField::Trailing) => "rtrim",
                    _ => "trim",
                };
                let mut args = vec![self.expr(expr, env)?];
                if let Some(what) = trim_what {
                    args.push(self.expr(what, env)?);
                }
                for what in trim_characters.iter().flatten() {
                    args.push(self.expr(what, env)?);
                }
                self.scalar(name, args)
            }
            Ast::Position { expr, r#in } => {
                let args = vec![self.expr(r#in, env)?, self.expr(expr, env)?];
                self.scalar("position", args)
            }
            Ast::Overlay {
                expr,
                overlay_what,
                overlay_from,
                overlay_for,
            } => {
                let mut args = vec![
                    self.expr(expr, env)?,
                    self.expr(overlay_what, env)?,
                    self.expr(overlay_from, env)?,
                ];
                if let Some(length) = overlay_for {
                    args.push(self.expr(length, env)?);
                }
                self.scalar("overlay", args)
            }
            Ast::AtTimeZone {
                timestamp,
                time_zone,
            } => {
                let value = self.expr(timestamp, env)?;
                let zone = self.cast(
                    self.expr(time_zone, env)?,
                    &DataType::Varchar,
                    CastContext::Implicit,
                )?;
                self.at_time_zone(value, zone)
            }
            Ast::Map(map) => {
                let mut keys = Vec::new();
                let mut values = Vec::new();
                for entry in &map.entries {
                    keys.push(self.expr(&entry.key, env)?);
                    values.push(self.expr(&entry.value, env)?);
                }
                if keys.is_empty() {
                    return Err(QueryError::bind(
                        "cannot determine type of empty map\nHINT:  Explicitly cast to the desired type, for example MAP{}::map(int,int).",
                    ));
                }
                let (keys, key_type, key_arrow) = self.align(keys)?;
                map::check_key(&key_type)?;
                let (values, value_type, value_arrow) = self.align(values)?;
                Ok(map::literal(
                    keys,
                    (key_type, key_arrow),
                    values,
                    (value_type, value_arrow),
                ))
            }
            other => Err(QueryError::NotImplemented(format!(
                "unsupported expression: {other}"
            ))),
        }
    }

    fn at_time_zone(&self, value: Bound, zone: Bound) -> Result<Bound, QueryError> {
        if let Some(name) = zone.literal_text() {
            datetime::parse_zone(name)?;
        }
        let value = match value.data_type {
            DataType::Timestamp | DataType::Timestamptz if !value.untyped => value,
            _ => self.cast(value, &DataType::Timestamptz, CastContext::Implicit)?,
        };
        let (data_type, expr) = datetime::at_time_zone(value.expr, &value.data_type, zone.expr);
        Ok(Bound::of(expr, data_type))
    }

    /// Functions written without parentheses.
    pub(crate) fn bare_function(&self, name: &str) -> Result<Option<Bound>, QueryError> {
        Ok(Some(match name {
            "current_timestamp" => self.now(),
            "current_user" | "session_user" | "user" => self.constant_text(&self.settings.user)?,
            "current_schema" => self.current_schema()?,
            "current_catalog" | "current_database" => {
                self.constant_text(&self.settings.database)?
            }
            "current_role" => self.constant_text(&self.settings.user)?,
            _ => return Ok(None),
        }))
    }

    fn current_schema(&self) -> Result<Bound, QueryError> {
        match self.settings.search_path.first() {
            Some(schema) => self.constant_text(schema),
            None => Ok(Bound::of(
                Expr::Literal(ScalarValue::Utf8(None), None),
                DataType::Varchar,
            )),
        }
    }

    /// Functions that the table of ordinary functions cannot describe.
    pub(crate) fn special_function(
        &self,
        name: &str,
        args: &[Bound],
    ) -> Result<Option<Bound>, QueryError> {
        let first = args.first();
        let known = |i: usize| args.get(i).filter(|a| !a.untyped).map(|a| &a.data_type);
        let found = match (name, args.len()) {
            ("now" | "current_timestamp", 0) if self.settings.in_columns => {
                return Err(QueryError::invalid_input(
                    "Cannot use `NOW()` function in generated columns. Do you want `PROCTIME()`?",
                ));
            }
            ("now" | "current_timestamp", 0) => self.now(),
            ("proctime", 0) if self.settings.in_columns => self.now(),
            ("proctime", 0) => {
                return Err(QueryError::invalid_input(
                    "Function `PROCTIME()` is only allowed in CREATE TABLE/SOURCE. Is `NOW()` what you want?",
                ));
            }
            ("booleq" | "boolne", 2) => {
                let op = match name {
                    "booleq" => Comparison::Equal,
                    _ => Comparison::NotEqual,
                };
                let side = |i: usize| {
                    self.cast(args[i].clone(), &DataType::Boolean, CastContext::Implicit)
                };
                self.comparison(op, side(0)?, side(1)?)?
            }
            ("date", 1) => self.cast(args[0].clone(), &DataType::Date, CastContext::Explicit)?,
            (
                "jsonb_path_exists"
                | "jsonb_path_match"
                | "jsonb_path_query"
                | "jsonb_path_query_array"
                | "jsonb_path_query_first",
                2..=4,
            ) => self.json_path_function(name, args)?,
            ("jsonb_populate_record" | "jsonb_populate_recordset" | "jsonb_populate_map", 2) => {
                self.populated(name, args)?
            }
            ("generate_subscripts", 2..=3) | ("_pg_expandarray", 1) => {
                self.list_rows(name, args)?
            }
            ("arraycontains" | "arraycontained", 2) => {
                let name = match name {
                    "arraycontains" => "array_contains",
                    _ => "array_contained",
                };
                self.list_function(name, args.to_vec())?
            }
            ("generate_series" | "range", 2..=3) => self.generate_series(name, args.to_vec())?,
            ("unnest", _) => self.unnest(args.to_vec())?,
            ("round", 1..=2) | ("ceil" | "ceiling" | "floor" | "trunc" | "abs" | "sign", 1) => {
                self.rounding(name, args.to_vec())?
            }
            ("mod", 2) => self.arithmetic(
                arithmetic::Operator::Modulus,
                args[0].clone(),
                args[1].clone(),
            )?,
            ("date_trunc", 2..=3) => self.date_trunc(args.to_vec())?,
            ("date_part", 2) => {
                let field = args[0]
                    .literal_text()
                    .ok_or_else(|| {
                        QueryError::invalid_input("the field of date_part must be a literal")
                    })?
                    .to_ascii_lowercase();
                self.extract(&field, args[1].clone(), true)?
            }
            ("to_char", 2) => {
                let value = args[0].clone();
                if !matches!(
                    known(0),
                    Some(
                        DataType::Timestamp
                            | DataType::Timestamptz
                            | DataType::Date
                            | DataType::Interval
                    )
                ) {
                    return Err(self.no_function("to_char", args));
                }
                let format =
                    self.cast(args[1].clone(), &DataType::Varchar, CastContext::Implicit)?;
                Bound::of(
                    to_char::to_char(value, format.expr, self.style.zone),
                    DataType::Varchar,
                )
            }
            ("to_timestamp" | "to_date", 2) => {
                let mut texts = Vec::new();
                for arg in args {
                    texts.push(
                        self.cast(arg.clone(), &DataType::Varchar, CastContext::Implicit)?
                            .expr,
                    );
                }
                let data_type = if name == "to_date" {
                    DataType::Date
                } else {
                    DataType::Timestamptz
                };
                Bound::of(
                    to_char::from_char(name == "to_date", texts, self.style.zone),
                    data_type,
                )
            }
            (
                "array_append" | "array_prepend" | "array_cat" | "array_remove" | "array_position"
                | "array_contains",
                2,
            ) => self.list_function(name, args.to_vec())?,
            (
                "array_length" | "cardinality" | "array_distinct" | "array_sort" | "array_max"
                | "array_min" | "array_sum",
                1..=2,
            ) if !matches!(known(0), Some(DataType::Map(..))) => {
                self.list_function(name, args.to_vec())?
            }
            (
                "array_to_string" | "array_join" | "array_replace" | "array_position"
                | "array_positions" | "array_reverse" | "array_flatten" | "trim_array"
                | "array_ndims" | "array_dims" | "array_lower" | "array_upper" | "array_contained",
                1..=3,
            ) => self.list_function(name, args.to_vec())?,
            ("map_from_entries", 1) if args[0].untyped => {
                return Err(no_list(&args[0]));
            }
            ("map_from_entries" | "map_keys" | "map_values", 1) => {
                map::function(name, args[0].clone())?.ok_or_else(|| self.no_function(name, args))?
            }
            (
                "map_from_key_values"
                | "map_access"
                | "map_contains"
                | "map_length"
                | "map_entries"
                | "map_cat"
                | "map_insert"
                | "map_delete",
                1..=3,
            ) => self.map_function(name, args)?,
            ("cardinality", 1) if matches!(known(0), Some(DataType::Map(..))) => {
                self.map_function("map_length", args)?
            }
            ("jsonb_set", 3..=4) | ("jsonb_delete_path", 2) | ("jsonb_object", 1..=2) => {
                self.json_function(name, args)?
            }
            (
                "jsonb_object_field"
                | "jsonb_object_field_text"
                | "jsonb_array_element"
                | "jsonb_array_element_text",
                2,
            ) => {
                let key = match name.contains("array") {
                    true => DataType::Integer,
                    false => DataType::Varchar,
                };
                let value = self.cast(args[0].clone(), &DataType::Jsonb, CastContext::Implicit)?;
                let key = self.cast(args[1].clone(), &key, CastContext::Implicit)?;
                jsonb::access(value.expr, key.expr, name.ends_with("_text"))
            }
            ("jsonb_to_array", 1) => {
                let value = self.cast(args[0].clone(), &DataType::Jsonb, CastContext::Implicit)?;
                jsonb::to_array(value.expr)
            }
            (
                "jsonb_concat" | "jsonb_contains" | "jsonb_contained" | "jsonb_exists"
                | "jsonb_exists_any" | "jsonb_exists_all" | "jsonb_delete",
                2,
            ) => {
                let left = self.cast(args[0].clone(), &DataType::Jsonb, CastContext::Implicit)?;
                let op = match name {
                    "jsonb_concat" => BinaryOperator::StringConcat,
                    "jsonb_contains" => BinaryOperator::AtArrow,
                    "jsonb_contained" => BinaryOperator::ArrowAt,
                    "jsonb_exists" => BinaryOperator::Question,
                    "jsonb_exists_any" => BinaryOperator::QuestionPipe,
                    "jsonb_exists_all" => BinaryOperator::QuestionAnd,
                    _ => BinaryOperator::Minus,
                };
                self.operator(&op, left, args[1].clone())?
            }
            ("timezone", 2) => {
                let zone = self.cast(args[0].clone(), &DataType::Varchar, CastContext::Implicit)?;
                self.at_time_zone(args[1].clone(), zone)?
            }
            ("jsonb_each" | "jsonb_each_text", 1) => {
                let value = self.cast(args[0].clone(), &DataType::Jsonb, CastContext::Implicit)?;
                jsonb::each(name, value.expr)
            }
            ("regexp_matches", 2..=3) => {
                let mut texts = Vec::new();
                for arg in args {
                    texts.push(
                        self.cast(arg.clone(), &DataType::Varchar, CastContext::Implicit)?
                            .expr,
                    );
                }
                crate::kernel::pattern::regexp_matches(texts)
            }
            ("date_bin", 2..=3) => self.date_bin(args)?,
            ("make_timestamptz", 6..=7) => self.make_timestamptz(args)?,
            ("to_jsonb", 1) => jsonb::to_jsonb(self.default_type(args[0].clone())?, self.style),
            ("jsonb_build_object" | "jsonb_build_array", _) => {
                let mut fields = Vec::with_capacity(args.len());
                for arg in args {
                    fields.push(self.default_type(arg.clone())?);
                }
                jsonb::build(name == "jsonb_build_object", fields, self.style)
            }
            ("jsonb_array_elements" | "jsonb_array_elements_text" | "jsonb_object_keys", 1) => {
                let value = self.cast(args[0].clone(), &DataType::Jsonb, CastContext::Implicit)?;
                jsonb::elements(name, value.expr)
            }
            ("jsonb_extract_path" | "jsonb_extract_path_text", 1..) => {
                let mut path = args[1..].to_vec();
                path.insert(
                    0,
                    self.cast(args[0].clone(), &DataType::Jsonb, CastContext::Implicit)?,
                );
                let mut exprs = Vec::new();
                for arg in path {
                    exprs.push(if exprs.is_empty() {
                        arg.expr
                    } else {
                        self.cast(arg, &DataType::Varchar, CastContext::Implicit)?
                            .expr
                    });
                }
                jsonb::extract_path(name.ends_with("_text"), exprs)
            }
            ("version", 0) => self.constant_text(&self.settings.version)?,
            ("current_database" | "current_catalog", 0) => {
                self.constant_text(&self.settings.database)?
            }
            ("current_schema", 0) => self.current_schema()?,
            ("current_schemas", 1) => {
                let arg = self.cast(args[0].clone(), &DataType::Boolean, CastContext::Implicit)?;
                let list = DataType::List(Box::new(DataType::Varchar));
                if arg.literal().is_some_and(ScalarValue::is_null) {
                    let null = Expr::Literal(ScalarValue::try_from(&arrow_type(&list))?, None);
                    return Ok(Some(Bound::of(null, list)));
                }
                let implicit = matches!(arg.literal(), Some(ScalarValue::Boolean(Some(true))));
                let system: &[&str] = if implicit {
                    &["pg_catalog", "rw_catalog"]
                } else {
                    &[]
                };
                let path = self.settings.search_path.iter().map(String::as_str);
                let schemas: Vec<&str> = system.iter().copied().chain(path).collect();
                self.literal_of(&format!("{{{}}}", schemas.join(",")), &list)?
            }
            ("current_user" | "session_user" | "user" | "current_role", 0) => {
                self.constant_text(&self.settings.user)?
            }
            ("current_setting", 1) => {
                let name = first.and_then(Bound::literal_text).ok_or_else(|| {
                    QueryError::invalid_input("the name of a setting must be a literal")
                })?;
                match self.settings.variables.get(&name.to_lowercase()) {
                    Some(value) => self.constant_text(value)?,
                    None => {
                        return Err(QueryError::Bind(format!(
                            "Unrecognized config entry `{name}`"
                        )));
                    }
                }
            }
            ("round", _) | ("to_timestamp", 0 | 3..) => {
                return Err(QueryError::Evaluation("unexpected arguments number".into()));
            }
            // The session itself is changed by the engine, which sees the call; the query gives the new value.
            ("set_config", 3) => {
                let mut texts = Vec::new();
                for arg in &args[..2] {
                    texts.push(
                        self.cast(arg.clone(), &DataType::Varchar, CastContext::Implicit)?
                            .expr,
                    );
                }
                self.session_text("set_config", texts, |a| Ok(a[1].clone()))
            }
            ("pg_get_userbyid", 1) => {
                let id = self.cast(args[0].clone(), &DataType::Integer, CastContext::Implicit)?;
                let users = self.settings.users.clone();
                self.session_text("pg_get_userbyid", vec![id.expr], move |a| {
                    let id = i32::try_from(a[0].int()).unwrap_or(-1);
                    Ok(users
                        .get(&id)
                        .map_or(Value::Null, |name| Value::text(name.clone())))
                })
            }
            ("pg_get_viewdef" | "pg_get_indexdef", 1..=3) => {
                let integer =
                    |arg: &Bound| self.cast(arg.clone(), &DataType::Integer, CastContext::Implicit);
                let mut exprs = vec![integer(&args[0])?.expr];
                let index = name == "pg_get_indexdef";
                if index && let Some(place) = args.get(1) {
                    exprs.push(integer(place)?.expr);
                }
                let definitions = self.catalog.definitions().clone();
                self.session_text(name, exprs, move |a| {
                    let id = i32::try_from(a[0].int()).unwrap_or(-1);
                    let found = definitions.get(&id);
                    let Some(text) = found.filter(|t| t.starts_with("CREATE INDEX ") == index)
                    else {
                        let what = match index {
                            true => "index not found",
                            false => "view or materialized view does not exist",
                        };
                        return Err(QueryError::parameter("oid", format!("{what}: {id}")));
                    };
                    Ok(Value::text(match a.get(1).map(Value::int) {
                        None | Some(0) => text.clone(),
                        Some(place) => indexed(text, place),
                    }))
                })
            }
            (name, _) if crate::names::asks_for_privileges(name) => {
                self.has_privilege(name, args)?
            }
            ("pg_sleep_for", 1) => {
                let span =
                    self.cast(args[0].clone(), &DataType::Interval, CastContext::Implicit)?;
                let seconds = self.extract("epoch", span, true)?;
                crate::execute::sleep(seconds.expr)
            }
            ("pg_sleep", 1) => {
                let seconds =
                    self.cast(args[0].clone(), &DataType::Double, CastContext::Implicit)?;
                crate::execute::sleep(seconds.expr)
            }
            _ => return Ok(None),
        };
        Ok(Some(found))
    }

    fn rounding(&self, name: &str, mut args: Vec<Bound>) -> Result<Bound, QueryError> {
        let missing = self.no_function(if args.len() == 2 { "round_digit" } else { name }, &args);
        let digits = (args.len() == 2).then(|| args.pop()).flatten();
        let Some(value) = args.pop() else {
            return Err(missing);
        };
        // A literal is a double, unless digits are counted.
        let value = match (value.untyped, &digits) {
            (true, None) => self.settle(value, &DataType::Double)?,
            (true, Some(_)) => self.settle(value, &DataType::Numeric)?,
            _ => value,
        };
        if !is_number(&value.data_type) {
            return Err(missing);
        }
        let name = if name == "ceiling" { "ceil" } else { name };
        if let Some(digits) = digits {
            if matches!(value.data_type, DataType::Real | DataType::Double) {
                return Err(missing);
            }
            let value = self.cast(value, &DataType::Numeric, CastContext::Implicit)?;
            let digits = self.cast(digits, &DataType::Integer, CastContext::Implicit)?;
            let expr = numbers::round_digits(value.expr, digits.expr);
            return Ok(Bound::of(expr, DataType::Numeric));
        }
        let Bound {
            expr,
            data_type,
            arrow,
            ..
        } = value.clone();
        Ok(match (name, &data_type) {
            (_, DataType::Numeric) => {
                Bound::of(numbers::numeric_function(name, expr), DataType::Numeric)
            }
            ("abs", _) => Bound::new(arithmetic::abs(&arrow, expr), data_type, arrow),
            ("sign", DataType::Real | DataType::Double) => {
                let value = self.force(value, &DataType::Double, ArrowType::Float64);
                Bound::of(
                    numbers::double_function("sign", value.expr),
                    DataType::Double,
                )
            }
            ("sign", _) => {
                let value = self.cast(value, &DataType::Numeric, CastContext::Implicit)?;
                Bound::of(
                    numbers::numeric_function("sign", value.expr),
                    DataType::Numeric,
                )
            }
            _ => {
                let value = self.force(value, &DataType::Double, ArrowType::Float64);
                Bound::of(
                    arithmetic::round_double(rounding_name(name), value.expr),
                    DataType::Double,
                )
            }
        })
    }

    fn date_trunc(&self, args: Vec<Bound>) -> Result<Bound, QueryError> {
        let missing = self.no_function("date_trunc", &args);
        let mut args = args.into_iter();
        let (Some(field), Some(value)) = (args.next(), args.next()) else {
            return Err(missing);
        };
        let field = self.cast(field, &DataType::Varchar, CastContext::Implicit)?;
        if let Some(text) = field.literal_text() {
            datetime::check_trunc_field(&text.to_ascii_lowercase())?;
        }
        let value = match value.data_type {
            _ if value.untyped => self.settle(value, &DataType::Timestamptz)?,
            // RisingWave has no date_trunc of a date: it is taken as a timestamptz.
            DataType::Date => self.cast(value, &DataType::Timestamptz, CastContext::Implicit)?,
            DataType::Timestamp | DataType::Timestamptz | DataType::Interval => value,
            _ => return Err(missing),
        };
        let mut exprs = vec![field.expr, value.expr];
        if let Some(zone) = args.next() {
            if value.data_type != DataType::Timestamptz {
                return Err(missing);
            }
            exprs.push(
                self.cast(zone, &DataType::Varchar, CastContext::Implicit)?
                    .expr,
            );
        }
        let expr = datetime::date_trunc(exprs, &value.data_type, self.style.zone);
        Ok(Bound::of(expr, value.data_type))
    }

    /// `date_bin(stride, time [, origin])`
    fn date_bin(&self, args: &[Bound]) -> Result<Bound, QueryError> {
        let missing = || self.no_function("date_bin", args);
        let data_type = match &args[1].data_type {
            DataType::Timestamp | DataType::Timestamptz if !args[1].untyped => {
                args[1].data_type.clone()
            }
            _ => return Err(missing()),
        };
        let types = [DataType::Interval, data_type.clone(), data_type.clone()];
        let mut exprs = Vec::with_capacity(args.len());
        for (arg, to) in args.iter().zip(&types) {
            let cast = self.cast(arg.clone(), to, CastContext::Implicit);
            exprs.push(cast.map_err(|_| missing())?.expr);
        }
        Ok(Bound::of(datetime::date_bin(exprs, &data_type), data_type))
    }

    /// `make_timestamptz(year, month, day, hour, minute, second [, zone])`
    fn make_timestamptz(&self, args: &[Bound]) -> Result<Bound, QueryError> {
        let plain = self.scalar("make_timestamp", args[..6].to_vec())?;
        let Some(zone) = args.get(6) else {
            return self.cast(plain, &DataType::Timestamptz, CastContext::Implicit);
        };
        let zone = self.cast(zone.clone(), &DataType::Varchar, CastContext::Implicit)?;
        let (data_type, expr) = datetime::at_time_zone(plain.expr, &DataType::Timestamp, zone.expr);
        Ok(Bound::of(expr, data_type))
    }

    fn extract(&self, field: &str, value: Bound, double: bool) -> Result<Bound, QueryError> {
        use DataType as T;
        let value = if value.untyped {
            self.settle(value, &T::Timestamp)?
        } else {
            value
        };
        if !matches!(
            value.data_type,
            T::Timestamp | T::Timestamptz | T::Date | T::Time | T::Interval
        ) {
            let name = if double { "date_part" } else { "extract" };
            return Err(self.no_function(name, &[self.constant_text(field)?, value]));
        }
        // An unknown field is an error of the statement, not of a row.
        let probe = match value.data_type {
            T::Date => Value::Date(0),
            T::Time => Value::Time(0),
            T::Interval => Value::Interval(crate::value::Interval::default()),
            _ => Value::Timestamp(0),
        };
        datetime::extract(field, &probe, &value.data_type, 0)?;
        let expr = datetime::extract_call(
            field.to_owned(),
            value.expr,
            &value.data_type,
            self.style.zone,
            double,
        );
        Ok(if double {
            Bound::of(expr, T::Double)
        } else {
            Bound::of(expr, T::Numeric)
        })
    }
}

/// A literal where any list would do.
fn no_list(value: &Bound) -> QueryError {
    let text = value.literal_text().unwrap_or("null");
    QueryError::bind(format!(
        "Cannot implicitly cast '{text}:Varchar' to polymorphic type AnyArray"
    ))
}

fn rounding_name(name: &str) -> &'static str {
    match name {
        "ceil" => "ceil",
        "floor" => "floor",
        "trunc" => "trunc",
        _ => "round",
    }
}

/// The lower-case name of EXTRACT's field.
fn field_name(field: &DateTimeField) -> String {
    field
        .to_string()
        .trim_matches(['"', '\''])
        .to_ascii_lowercase()
}
