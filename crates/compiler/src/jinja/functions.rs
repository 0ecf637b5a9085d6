//! dbt's functions: `ref`, `source`, `var`, `env_var`, `log`, `return`, `run_query`, conversions and the rest.

use std::collections::BTreeSet;
use std::sync::Arc;

use minijinja::value::{Kwargs, Object, Rest, Tuple, ValueOrKwargs, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value};
use rwt_project::manifest::Reference;
use rwt_project::profile::{is_secret_name, marker};
use rwt_project::yaml::{SourceFile, nearest, parse};
use serde_json::Value as Json;

use super::collections::{dict, each, from_json, list, mutable, pairs_of, to_json};
use super::column::{self, Column};
use super::contract;
use super::error::raise;
use super::itertools::Cycler;
use super::macros::{Loaded, return_value};
use super::moment::places;
use super::relation::{self, Relation};
use super::rewrite::{DONE, EACH, MUTABLE};
use super::scope::{Captured, Level, Phase, Scope, ScopeValue, scope_of};
use super::sets::SetValue;
use super::statement;
use crate::checksum;

type Args = Rest<ValueOrKwargs>;

/// Adds every function to an environment.
pub fn add_to(env: &mut Environment<'static>) {
    machinery(env);
    nodes(env);
    variables(env);
    messages(env);
    statements(env);
    conversions(env);
}

/// What the rewritten templates and the driver call.
fn machinery(env: &mut Environment<'static>) {
    env.add_function("rwt__begin", |state: &mut State<'_, '_>, loader: Value| {
        let scope = state
            .lookup("rwt__scope")
            .and_then(|value| value.downcast_object::<ScopeValue>());
        if let Some(scope) = scope {
            let scope = Arc::clone(&scope.0);
            state.get_or_insert_extension_with(|| scope);
        }
        state.get_or_insert_extension_with(|| Loaded::new(loader));
    });
    env.add_function(
        "rwt__imported",
        |state: &mut State<'_, '_>, template: String, module: Value| {
            if let Some(loaded) = state.get_extension_mut::<Loaded>() {
                loaded.insert(template, module);
            }
        },
    );
    env.add_function(MUTABLE, |values: Rest<Value>| match values.as_slice() {
        [value] => mutable(value),
        values => mutable(&Value::from(Tuple::from(values))),
    });
    env.add_function(EACH, |values: Rest<Value>| match values.as_slice() {
        [value] => each(value),
        values => Value::from(Tuple::from(values)),
    });
    env.add_function(DONE, |_: Rest<Value>| Value::from(()));
    env.add_function("cycler", |items: Rest<Value>| Cycler::build(&items));
    env.add_function("joiner", minijinja_contrib::globals::joiner);
    env.add_function("return", |value: Option<Value>| {
        return_value(&value.unwrap_or_else(|| Value::from(())))
    });
    env.add_function("namespace", |defaults: Args| {
        let defaults = defaults.into_values();
        let defaults: Vec<Vec<(Value, Value)>> =
            defaults.iter().map(pairs_of).collect::<Result<_, _>>()?;
        let defaults = defaults.concat();
        let defaults = dict(
            defaults
                .into_iter()
                .map(|(key, value)| (key, mutable(&value))),
        );
        let argument = from_args::<(Option<ValueOrKwargs>,)>(std::slice::from_ref(&defaults))?.0;
        minijinja::functions::namespace(argument)
    });
    env.add_function("dict", |value: Option<Value>, keywords: Kwargs| {
        // Python takes a list of pairs too.
        let pairs = match value {
            Some(value) if value.kind() != minijinja::value::ValueKind::Map => {
                let pair = |pair: Value| {
                    let items: Vec<Value> = pair.try_iter()?.collect();
                    match <[Value; 2]>::try_from(items) {
                        Ok([key, value]) => Ok((key, value)),
                        Err(_) => Err(raise(
                            "rwt::jinja::dict",
                            "dict() takes a dictionary or a list of pairs",
                            None,
                        )),
                    }
                };
                value
                    .try_iter()?
                    .map(pair)
                    .collect::<Result<Vec<_>, Error>>()?
            }
            Some(value) => pairs_of(&value)?,
            None => Vec::new(),
        };
        let keywords = pairs_of(&Value::from(keywords))?;
        let all = pairs.into_iter().chain(keywords);
        Ok::<_, Error>(dict(all.map(|(key, value)| (key, mutable(&value)))))
    });
}

/// `ref` and `source`
fn nodes(env: &mut Environment<'static>) {
    let reference = Value::from_function(|state: &mut State<'_, '_>, args: Args| {
        let args = args.into_values();
        let (first, second, keywords): (String, Option<String>, Kwargs) = from_args(&args)
            .map_err(|_| {
                raise(
                    "rwt::jinja::ref",
                    "ref() takes a model's name, or a package's and a model's",
                    Some("for example ref('funnel')".to_owned()),
                )
            })?;
        let short: Option<Value> = keywords.get("v")?;
        let long: Option<Value> = keywords.get("version")?;
        keywords.assert_all_used()?;
        // As in dbt, a version that is nothing or 0 means the latest one.
        let version = long.or(short).filter(Value::is_true);
        refer(
            state,
            first,
            second,
            version.map(|version| version.to_string()),
            |captured| &mut captured.refs,
        )
    });
    let source =
        Value::from_function(|state: &mut State<'_, '_>, source: String, table: String| {
            let scope = scope_of(state)?;
            let relation = scope.resolver.source(&source, &table)?;
            scope.capture(|captured| captured.sources.insert((source, table)));
            Ok::<_, Error>(relation)
        });
    env.add_global("ref", reference.clone());
    env.add_global("source", source.clone());
    env.add_function(
        "function",
        |state: &mut State<'_, '_>, first: String, second: Option<String>| {
            refer(state, first, second, None, |captured| {
                &mut captured.functions
            })
        },
    );
    env.add_function("doc", |state: &mut State<'_, '_>, first: String, second: Option<String>| {
        let name = second.unwrap_or(first);
        let docs = &scope_of(state)?.shared.docs;
        docs.get(&name).map(|text| Value::from(text.as_str())).ok_or_else(|| {
            raise(
                "rwt::jinja::unknown_doc",
                format!("there is no docs block `{name}`"),
                Some(nearest(&name, docs.keys().map(String::as_str)).map_or_else(
                    || format!("write {{% docs {name} %}} … {{% enddocs %}} in a .md file of the project"),
                    |near| format!("did you mean `{near}`?"),
                )),
            )
        })
    });
    env.add_global(
        "builtins",
        Value::from_object(Builtins { reference, source }),
    );
    env.add_global("api", Value::from_object(Api));
}

/// The relation of `ref` or `function`, which are noted.
fn refer(
    state: &State<'_, '_>,
    first: String,
    second: Option<String>,
    version: Option<String>,
    among: fn(&mut Captured) -> &mut BTreeSet<Reference>,
) -> Result<Value, Error> {
    let (package, name) = match second {
        Some(name) => (Some(first), name),
        None => (None, first),
    };
    let reference = Reference {
        package,
        name,
        version,
    };
    let scope = scope_of(state)?;
    let relation = scope.resolver.reference(&reference)?;
    scope.capture(|captured| among(captured).insert(reference));
    Ok(relation)
}

/// `builtins`: what `ref`, `source` and `config` were before a project's macros of these names.
#[derive(Debug)]
struct Builtins {
    reference: Value,
    source: Value,
}

impl Object for Builtins {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "ref" => Some(self.reference.clone()),
            "source" => Some(self.source.clone()),
            _ => None,
        }
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "ref" => self.reference.call(state, args),
            "source" => self.source.call(state, args),
            "config" => super::config::ConfigValue::value(&scope_of(state)?).call(state, args),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// `api.Column`, whose methods do not need a column.
pub(super) fn column_class() -> Value {
    Column::default().value()
}

/// `api.Relation` and `api.Column`
#[derive(Debug)]
struct Api;

impl Object for Api {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "Relation" => Some(Relation::new("", "", "").value()),
            "Column" => Some(column_class()),
            _ => None,
        }
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "Relation" => relation::create(args),
            "Column" => column::create(args),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// `var` and `env_var`
fn variables(env: &mut Environment<'static>) {
    env.add_global("var", Value::from_object(Var));
    env.add_function("env_var", |state: &mut State<'_, '_>, args: Args| {
        let args = args.into_values();
        let (name, _, keywords): (String, Option<Value>, Kwargs) = from_args(&args)?;
        let default = match keywords.has("default") {
            true => Some(keywords.get::<Value>("default")?),
            false => args.get(1).filter(|value| !value.is_kwargs()).cloned(),
        };
        keywords.assert_all_used()?;
        let scope = scope_of(state)?;
        if let Some(value) = scope.overridden_env_var(&name) {
            return Ok(Value::from(value));
        }
        env_var(&scope.shared.environment, &name, default)
    });
}

/// `env_var(name, default)`; a secret's name gives its marker.
///
/// # Errors
/// The variable is not set and there is no default.
pub fn env_var(
    environment: &rwt_project::environment::Environment,
    name: &str,
    default: Option<Value>,
) -> Result<Value, Error> {
    match environment.get(name) {
        Some(_) if is_secret_name(name) => Ok(Value::from(marker(name))),
        Some(value) => Ok(Value::from(value)),
        None => default.ok_or_else(|| {
            raise(
                "rwt::jinja::missing_env_var",
                format!("the environment variable {name} is not set"),
                Some(format!(
                    "set it, or give a default: env_var('{name}', 'default')"
                )),
            )
        }),
    }
}

/// The value of a variable that is text: as in dbt, Jinja in it is rendered where the variable is asked for.
fn text_of_variable(
    state: &mut State<'_, '_>,
    scope: &Scope,
    name: &str,
    text: &str,
) -> Result<String, Error> {
    if !["{{", "{%", "{#"].iter().any(|open| text.contains(open)) {
        return Ok(text.to_owned());
    }
    if !scope.enter_variable(name) {
        return Err(raise(
            "rwt::jinja::circular_var",
            format!("the variable `{name}` is made of itself"),
            Some("its text may name other variables, but none that leads back to it".to_owned()),
        ));
    }
    let rendered = super::environment::render_text(state, &format!("variable {name}"), text);
    scope.leave_variable(name);
    rendered
}

/// `var('name', default)` and `var.has_var('name')`
#[derive(Debug)]
pub(super) struct Var;

impl Object for Var {
    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let (name, _, keywords): (String, Option<Value>, Kwargs) = from_args(args)?;
        // None is a default like any other.
        let default = match keywords.has("default") {
            true => Some(keywords.get::<Value>("default")?),
            false => args.get(1).filter(|value| !value.is_kwargs()).cloned(),
        };
        keywords.assert_all_used()?;
        let scope = scope_of(state)?;
        if let Some(value) = scope.overridden_var(&name) {
            return Ok(from_json(value));
        }
        let vars = scope.vars();
        if let Some(Json::String(text)) = vars.get(&name) {
            return text_of_variable(state, &scope, &name, text).map(Value::from);
        }
        vars.get(&name).map(from_json).or(default).ok_or_else(|| {
            let near = nearest(&name, vars.keys().map(String::as_str));
            raise(
                "rwt::jinja::missing_var",
                format!("the variable `{name}` has no value"),
                Some(near.map_or_else(
                    || format!("set it under vars: in project.yml, or with --vars '{name}: value'"),
                    |near| format!("did you mean `{near}`?"),
                )),
            )
        })
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "has_var" => {
                let (name,): (&str,) = from_args(args)?;
                let scope = scope_of(state)?;
                Ok(Value::from(
                    scope.overridden_var(name).is_some() || scope.vars().contains_key(name),
                ))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// `log`, `print`, `exceptions`
fn messages(env: &mut Environment<'static>) {
    env.add_function(
        "log",
        |state: &mut State<'_, '_>, message: Value, info: Option<bool>, keywords: Kwargs| {
            let named: Option<bool> = keywords.get("info")?;
            keywords.assert_all_used()?;
            let level = if named.or(info).unwrap_or(false) {
                Level::Info
            } else {
                Level::Debug
            };
            scope_of(state)?.report(level, &message.to_string());
            Ok::<_, Error>("")
        },
    );
    env.add_function("print", |state: &mut State<'_, '_>, message: Value| {
        scope_of(state)?.report(Level::Print, &message.to_string());
        Ok::<_, Error>("")
    });
    env.add_global("exceptions", Value::from_object(Exceptions));
}

/// `exceptions.raise_compiler_error(…)` and its relatives.
#[derive(Debug)]
struct Exceptions;

impl Object for Exceptions {
    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "raise_contract_error" => return contract::raise_contract_error(args),
            "column_type_missing" => return contract::column_type_missing(args),
            _ => {}
        }
        let (message, _rest): (Value, Rest<ValueOrKwargs>) = from_args(args)?;
        let message = message.to_string();
        match method {
            "warn" => {
                scope_of(state)?.report(Level::Warn, &message);
                Ok(Value::from(""))
            }
            "raise_compiler_error" | "raise_fail_fast_error" => {
                Err(raise("rwt::jinja::raised", message, None))
            }
            "raise_not_implemented" => Err(raise("rwt::jinja::not_implemented", message, None)),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// Statements, results, relations in the database.
fn statements(env: &mut Environment<'static>) {
    env.add_function("statement", |state: &mut State<'_, '_>, args: Args| {
        statement::statement(state, &args.into_values())
    });
    env.add_function("run_query", |state: &mut State<'_, '_>, sql: Value| {
        statement::run_query(state, &sql)
    });
    env.add_function("load_result", |state: &mut State<'_, '_>, name: String| {
        statement::load_result(state, &name)
    });
    for name in ["store_result", "store_raw_result"] {
        env.add_function(name, |state: &mut State<'_, '_>, args: Args| {
            statement::store_raw_result(state, &args.into_values())
        });
    }
    env.add_function(
        "load_relation",
        |state: &mut State<'_, '_>, relation: Value| {
            let relation = Relation::from_value(&relation)?;
            let scope = scope_of(state)?;
            scope.note_native("load_relation");
            statement::find_relation(&scope, &relation)
        },
    );
    env.add_function("should_full_refresh", |state: &mut State<'_, '_>| {
        let scope = scope_of(state)?;
        scope.note_native("should_full_refresh");
        Ok::<_, Error>(!scope.is_incremental_batch && should_full_refresh(&scope))
    });
    env.add_function("is_incremental", |state: &mut State<'_, '_>| {
        let scope = scope_of(state)?;
        scope.note_native("is_incremental");
        let Some(node) = scope
            .node
            .as_ref()
            .filter(|node| node.materialized == "incremental")
        else {
            return Ok(false);
        };
        if scope.is_incremental_batch {
            return Ok(true);
        }
        let found = statement::find_relation(&scope, &node.this)?;
        let is_table = found
            .get_attr("is_table")
            .is_ok_and(|value| value.is_true());
        Ok::<_, Error>(scope.phase != Phase::Parse && is_table && !should_full_refresh(&scope))
    });
    env.add_function(
        "run_hooks",
        |state: &mut State<'_, '_>, hooks: Value, keywords: Kwargs| {
            let inside: Option<bool> = keywords.get("inside_transaction")?;
            keywords.assert_all_used()?;
            run_hooks(state, &hooks, inside)
        },
    );
    env.add_function("render", |state: &mut State<'_, '_>, text: String| {
        super::environment::render_text(state, "text", &text)
    });
    env.add_function("write", |text: Value| text);
}

/// `full_refresh` of the node, else of the command.
fn should_full_refresh(scope: &Scope) -> bool {
    let own = scope.config_value("full_refresh");
    let own = own.and_then(|value| value.as_bool());
    own.unwrap_or(scope.shared.full_refresh)
}

/// Renders and sends a node's hooks. A hook is `{sql, transaction}`; `inside_transaction` picks one sort of them.
fn run_hooks(
    state: &mut State<'_, '_>,
    hooks: &Value,
    inside: Option<bool>,
) -> Result<Value, Error> {
    let scope = scope_of(state)?;
    let name = scope.node.as_ref().map_or_else(
        || "hook".to_owned(),
        |node| format!("hook of {}", node.name),
    );
    for hook in hooks.try_iter()? {
        let transaction = hook
            .get_attr("transaction")
            .map_or(true, |value| value.is_undefined() || value.is_true());
        if inside.is_some_and(|inside| inside != transaction) {
            continue;
        }
        let text = match hook.as_str() {
            Some(text) => text.to_owned(),
            None => hook.get_attr("sql")?.to_string(),
        };
        let sql = super::environment::render_text(state, &name, &text)?;
        if scope.phase != Phase::Parse {
            statement::perform(&scope, &sql)?;
        }
    }
    Ok(Value::from(""))
}

/// Conversions between Python's, JSON's and YAML's values.
fn conversions(env: &mut Environment<'static>) {
    env.add_function(
        "tojson",
        |value: Value, default: Option<Value>, keywords: Kwargs| {
            let sorted: Option<bool> = keywords.get("sort_keys")?;
            let named: Option<Value> = keywords.get("default")?;
            keywords.assert_all_used()?;
            match to_json(&value) {
                Ok(json) => Ok(Value::from(python_json(&if sorted == Some(true) {
                    sort_keys(json)
                } else {
                    json
                }))),
                Err(error) => named.or(default).ok_or(error),
            }
        },
    );
    env.add_function(
        "fromjson",
        |text: String, default: Option<Value>| match serde_json::from_str::<Json>(&text) {
            Ok(json) => from_json(&json),
            Err(_) => default.unwrap_or_else(|| Value::from(())),
        },
    );
    env.add_function("toyaml", |value: Value| {
        serde_saphyr::to_string(&to_json(&value)?)
            .map_err(|error| raise("rwt::jinja::yaml", format!("no YAML form: {error}"), None))
    });
    env.add_function(
        "fromyaml",
        |text: String, default: Option<Value>| match parse(&SourceFile::new("fromyaml", text)) {
            Ok(yaml) => from_json(&yaml.to_value()),
            Err(_) => default.unwrap_or_else(|| Value::from(())),
        },
    );
    env.add_function("zip_strict", |sequences: Rest<Value>| zipped(&sequences));
    env.add_function("zip", |args: Args| or_default(args, zipped));
    env.add_function("set_strict", |items: Value| distinct(&[items]));
    env.add_function("set", |args: Args| or_default(args, distinct));
    env.add_function("local_md5", |text: String| checksum::md5(&text));
    env.add_function("diff_of_two_dicts", difference);
    env.add_global("modules", super::modules::modules());
    env.add_global("dbt_version", Value::from(crate::DBT_VERSION));
    env.add_global("thread_id", Value::from("main"));
}

/// What a function gives, or its `default` where its arguments are not what it takes.
fn or_default(args: Args, function: fn(&[Value]) -> Result<Value, Error>) -> Result<Value, Error> {
    let (places, keywords) = places(&args.into_values())?;
    let default: Option<Value> = keywords.get("default")?;
    keywords.assert_all_used()?;
    Ok(function(&places).unwrap_or_else(|_| default.unwrap_or_else(|| Value::from(()))))
}

fn zipped(sequences: &[Value]) -> Result<Value, Error> {
    let mut columns = Vec::new();
    for sequence in sequences {
        columns.push(each(sequence).try_iter()?.collect::<Vec<_>>());
    }
    let length = columns.iter().map(Vec::len).min().unwrap_or(0);
    let row = |i: usize| {
        let items: Vec<Value> = columns.iter().map(|column| column[i].clone()).collect();
        Value::from(Tuple::from(items))
    };
    Ok(list((0..length).map(row)))
}

/// `set(items)`
fn distinct(args: &[Value]) -> Result<Value, Error> {
    SetValue::build(args.first().unwrap_or(&list([])))
}

/// dbt's `diff_of_two_dicts`: of lists by key, what the second dictionary does not have; names in any case are the same.
fn difference(first: Value, second: Value) -> Result<Value, Error> {
    let folded = |value: &Value| match value.as_str() {
        Some(text) => Value::from(text.to_lowercase()),
        None => value.clone(),
    };
    let items =
        |value: &Value| -> Result<Vec<Value>, Error> { Ok(each(value).try_iter()?.collect()) };
    let mut known = Vec::new();
    for (key, values) in pairs_of(&second)? {
        let values: Vec<Value> = items(&values)?.iter().map(folded).collect();
        known.push((folded(&key), values));
    }
    let mut rest = Vec::new();
    for (key, values) in pairs_of(&first)? {
        let Some((_, without)) = known.iter().find(|(other, _)| *other == folded(&key)) else {
            rest.push((key, mutable(&values)));
            continue;
        };
        let mut left = items(&values)?;
        left.retain(|value| !without.contains(&folded(value)));
        if !left.is_empty() {
            rest.push((key, list(left)));
        }
    }
    Ok(dict(rest))
}

/// JSON with Python's spaces behind commas and colons, as `json.dumps` writes it.
fn python_json(json: &Json) -> String {
    match json {
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(python_json).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(map) => {
            let pairs: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{}: {}", ascii_json(key), python_json(value)))
                .collect();
            format!("{{{}}}", pairs.join(", "))
        }
        Json::String(text) => ascii_json(text),
        other => other.to_string(),
    }
}

/// JSON as `json.dumps` writes it with an indentation.
fn indented_json(json: &Json, indent: usize, depth: usize) -> String {
    let items: Vec<String> = match json {
        Json::Array(items) => items
            .iter()
            .map(|item| indented_json(item, indent, depth + 1))
            .collect(),
        Json::Object(map) => map
            .iter()
            .map(|(key, value)| {
                let value = indented_json(value, indent, depth + 1);
                format!("{}: {value}", ascii_json(key))
            })
            .collect(),
        _ => Vec::new(),
    };
    if items.is_empty() {
        return python_json(json);
    }
    let (open, close) = if json.is_array() {
        ('[', ']')
    } else {
        ('{', '}')
    };
    let inside = format!("\n{}", " ".repeat(indent * depth));
    let items = items.join(&format!(",{inside}"));
    let end = " ".repeat(indent * (depth - 1));
    format!("{open}{inside}{items}\n{end}{close}")
}

/// Jinja2's filter `tojson`: sorted keys, and nothing that HTML would read.
pub(super) fn html_safe_json(value: &Value, indent: Option<usize>) -> Result<String, Error> {
    let json = sort_keys(to_json(value)?);
    let json = match indent {
        Some(indent) => indented_json(&json, indent.min(100), 1),
        None => python_json(&json),
    };
    Ok(json
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\'', "\\u0027"))
}

/// A JSON string with everything beyond ASCII escaped, as `json.dumps` does.
fn ascii_json(text: &str) -> String {
    let mut out = String::new();
    for c in Json::from(text).to_string().chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

fn sort_keys(json: Json) -> Json {
    match json {
        Json::Object(map) => {
            let mut pairs: Vec<(String, Json)> =
                map.into_iter().map(|(k, v)| (k, sort_keys(v))).collect();
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            Json::Object(pairs.into_iter().collect())
        }
        Json::Array(items) => Json::Array(items.into_iter().map(sort_keys).collect()),
        other => other,
    }
}
