//! Macros of all files and packages: how a name finds its macro, and how a macro is called.
//!
//! minijinja's macros belong to one template. A macro's template is therefore imported into the running one the first
//! time that it is called ([`Loaded`]), so that everything shares one state and `{% call %}` blocks work across files.
//! That template is the macro alone, or the whole file where the file holds more than macros. [`MacroValue`] stands
//! between caller and macro: it packs `varargs` and `kwargs`, turns a `return` into a value and leaves a trace of the call
//! in errors.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use indexmap::IndexMap;
use minijinja::value::{Kwargs, Object};
use minijinja::{Error, ErrorKind, State, Value};

use super::collections;
use super::error::InMacro;
use super::scope::Scope;

/// Prefixes that `adapter.dispatch` tries, the most specific first. dbt-risingwave's parent is dbt-postgres.
pub const DISPATCH_PREFIXES: [&str; 3] = ["risingwave__", "postgres__", "default__"];

/// dbt's own macros and the adapter's are rwt's built-in ones, for who names their package.
fn own_package(package: &str) -> &str {
    match package {
        "dbt" | "dbt_postgres" | "dbt_risingwave" => crate::materialize::BUILT_IN,
        other => other,
    }
}

/// A macro of a macro file.
#[derive(Debug)]
pub struct MacroDefinition {
    /// dbt's name.
    pub name: String,
    /// The project or package it belongs to.
    pub package: String,
    /// The file, as errors show it.
    pub file: String,
    /// The bytes of its block in the file, from tag to tag.
    pub block: Range<usize>,
    /// The template that defines it.
    template: String,
    /// The name under which minijinja knows it.
    internal: String,
    /// What it takes; known once it was called.
    parameters: OnceLock<Parameters>,
}

/// What a macro takes, besides what `pack` adds.
#[derive(Debug)]
struct Parameters {
    names: Vec<String>,
    varargs: bool,
    kwargs: bool,
    caller: bool,
}

impl MacroDefinition {
    /// A macro of a file, which the template holds. `block` is its place in the file, in bytes.
    pub fn new(
        name: String,
        package: &str,
        file: &str,
        block: Range<usize>,
        template: String,
    ) -> Self {
        Self {
            internal: super::rewrite::internal_name(&name),
            name,
            package: package.to_owned(),
            file: file.to_owned(),
            block,
            template,
            parameters: OnceLock::new(),
        }
    }

    /// `macro.<package>.<name>`. What rwt brings along is called as dbt calls what it stands for.
    pub fn unique_id(&self) -> String {
        format!("macro.{}.{}", self.public_package(), self.name)
    }

    /// The package under which the macro is known: dbt's own for what rwt brings along.
    pub fn public_package(&self) -> &str {
        if self.package != crate::materialize::BUILT_IN {
            &self.package
        } else if self.name.starts_with("risingwave__") || self.name.ends_with("_risingwave") {
            "dbt_risingwave"
        } else if self.name.starts_with("postgres__") {
            "dbt_postgres"
        } else {
            "dbt"
        }
    }
}

/// All macros, in the order of their packages: the project, then its packages, then what rwt brings along.
#[derive(Debug, Default, Clone)]
pub struct MacroTable {
    packages: IndexMap<String, HashMap<String, Arc<MacroDefinition>>>,
    /// Every name that a template looks up and has not set itself is looked for here first.
    bare: OnceLock<BareTables>,
    /// The root project; the first package that has macros where nobody said.
    root: Option<String>,
    /// `dispatch` of the project file: namespace and packages to search.
    search_order: HashMap<String, Vec<String>>,
}

/// Macros by the names that need no package, and as values.
type Bare = HashMap<String, (Arc<MacroDefinition>, Value)>;

/// What bare names mean: in the root project's nodes, and in those of other packages that have macros.
#[derive(Debug, Clone)]
struct BareTables {
    root: Bare,
    others: HashMap<String, Bare>,
}

impl MacroTable {
    /// Adds a macro. The first of a package wins; the second is returned as a mistake of the project.
    ///
    /// # Errors
    /// The definition that was there before.
    pub fn add(&mut self, definition: MacroDefinition) -> Result<(), Arc<MacroDefinition>> {
        let package = self.packages.entry(definition.package.clone()).or_default();
        if let Some(first) = package.get(&definition.name) {
            return Err(Arc::clone(first));
        }
        package.insert(definition.name.clone(), Arc::new(definition));
        self.bare.take();
        Ok(())
    }

    /// Sets the root project and its `dispatch` rules. Its macros come before all others.
    pub fn set_root(&mut self, name: &str, search_order: HashMap<String, Vec<String>>) {
        self.packages.entry(name.to_owned()).or_default();
        self.root = Some(name.to_owned());
        self.search_order = search_order;
        self.bare.take();
    }

    /// The macro that a bare name means: the root project's, or one that rwt brings along. A package's macros are named
    /// with the package, as in dbt.
    pub fn find(&self, name: &str) -> Option<&Arc<MacroDefinition>> {
        self.bare("").get(name).map(|(definition, _)| definition)
    }

    /// The same in the nodes of a package, whose own macros come first.
    pub fn find_from(&self, package: &str, name: &str) -> Option<&Arc<MacroDefinition>> {
        let found = self.bare(package).get(name);
        found.map(|(definition, _)| definition)
    }

    /// The same as a value.
    pub fn value_from(&self, package: &str, name: &str) -> Option<Value> {
        self.bare(package).get(name).map(|(_, value)| value.clone())
    }

    fn bare(&self, package: &str) -> &Bare {
        let tables = self.bare.get_or_init(|| {
            let root = match &self.root {
                Some(root) => self.packages.get_key_value(root),
                None => self.packages.first(),
            };
            let built_in = self.packages.get(crate::materialize::BUILT_IN);
            let table = |own: Option<&HashMap<String, Arc<MacroDefinition>>>| {
                let mut table = Bare::new();
                let levels = [built_in, root.map(|(_, macros)| macros), own];
                for (name, definition) in levels.into_iter().flatten().flatten() {
                    let value = MacroValue::value(definition);
                    table.insert(name.clone(), (Arc::clone(definition), value));
                }
                table
            };
            let is_other = |package: &String| {
                root.is_none_or(|(root, _)| root != package)
                    && package != crate::materialize::BUILT_IN
            };
            let others = self.packages.iter().filter(|(name, _)| is_other(name));
            BareTables {
                root: table(None),
                others: others
                    .map(|(package, macros)| (package.clone(), table(Some(macros))))
                    .collect(),
            }
        });
        tables.others.get(package).unwrap_or(&tables.root)
    }

    /// The macro of one package.
    pub fn find_in(&self, package: &str, name: &str) -> Option<&Arc<MacroDefinition>> {
        self.packages.get(own_package(package))?.get(name)
    }

    /// The macro of the first package that has one of this name.
    pub fn find_in_any(&self, name: &str) -> Option<&Arc<MacroDefinition>> {
        self.packages.values().find_map(|package| package.get(name))
    }

    /// What `adapter.dispatch(name, namespace)` finds: the packages of the project's `dispatch` rule, or the root project
    /// and then the namespace, the most specific prefix first. Without a namespace, every package in order.
    pub fn dispatch(&self, name: &str, namespace: Option<&str>) -> Option<&Arc<MacroDefinition>> {
        let order: Vec<&str> = match namespace {
            None => self.packages.keys().map(String::as_str).collect(),
            Some(namespace) => match self.search_order.get(namespace) {
                Some(order) => order.iter().map(String::as_str).collect(),
                None => self
                    .root
                    .as_deref()
                    .into_iter()
                    .chain([namespace])
                    .collect(),
            },
        };
        let of = |package: &str| {
            let macros = self.packages.get(own_package(package))?;
            let prefixed = |prefix: &&str| macros.get(&format!("{prefix}{name}"));
            DISPATCH_PREFIXES.iter().find_map(prefixed)
        };
        order.into_iter().find_map(of)
    }

    /// The macro of a materialization: the project's before a package's before the built-in one.
    pub fn materialization(&self, name: &str) -> Option<&Arc<MacroDefinition>> {
        self.packages.values().find_map(|macros| {
            ["risingwave", "default"]
                .iter()
                .find_map(|adapter| macros.get(&format!("materialization_{name}_{adapter}")))
        })
    }

    /// All names of materializations, sorted.
    pub fn materializations(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .names()
            .filter_map(|name| name.strip_prefix("materialization_"))
            .filter_map(|name| name.rsplit_once('_').map(|(name, _)| name.to_owned()))
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Every macro, by package and name.
    pub fn definitions(&self) -> impl Iterator<Item = &Arc<MacroDefinition>> {
        self.packages.values().flat_map(HashMap::values)
    }

    /// Every macro's name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.packages
            .values()
            .flat_map(|macros| macros.keys().map(String::as_str))
    }

    /// Whether a package of this name has macros.
    pub fn has_package(&self, name: &str) -> bool {
        self.packages.contains_key(own_package(name))
    }
}

/// A macro as templates see it.
#[derive(Debug)]
pub struct MacroValue {
    /// What it calls.
    pub definition: Arc<MacroDefinition>,
}

impl MacroValue {
    /// A value to call.
    pub fn value(definition: &Arc<MacroDefinition>) -> Value {
        Value::from_object(Self {
            definition: Arc::clone(definition),
        })
    }
}

impl Object for MacroValue {
    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        call(&self.definition, state, args)
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "name" => Some(Value::from(self.definition.name.as_str())),
            "package_name" => Some(Value::from(self.definition.package.as_str())),
            _ => None,
        }
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<macro {}>", self.definition.name)
    }
}

/// `package.macro`
#[derive(Debug)]
pub struct PackageValue {
    /// The macros of all packages.
    pub table: Arc<MacroTable>,
    /// The package.
    pub package: String,
    /// The rendering, in which a unit test may have overridden a macro.
    pub scope: Arc<Scope>,
}

impl PackageValue {
    fn overridden(&self, name: &str) -> Option<Value> {
        self.scope
            .overridden_macro(&format!("{}.{name}", self.package))
    }
}

impl Object for PackageValue {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        if let Some(value) = self.overridden(key.as_str()?) {
            return Some(value);
        }
        self.table
            .find_in(&self.package, key.as_str()?)
            .map(MacroValue::value)
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        if let Some(value) = self.overridden(method) {
            return value.call(state, args);
        }
        match self.table.find_in(&self.package, method) {
            Some(definition) => call(definition, state, args),
            None => Err(Error::new(
                ErrorKind::UnknownFunction,
                format!("{}.{method} is unknown", self.package),
            )),
        }
    }
}

/// What `return(value)` raises.
#[derive(Debug)]
struct Returned(Value);

impl fmt::Display for Returned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("return outside of a macro")
    }
}

impl std::error::Error for Returned {}

/// `return(value)`: ends the macro; the value is what the call gives.
///
/// # Errors
/// Always: that is how it leaves the macro.
pub fn return_value(value: &Value) -> Result<Value, Error> {
    Err(
        Error::new(ErrorKind::InvalidOperation, "return outside of a macro")
            .with_source(Returned(collections::mutable(value))),
    )
}

/// The macros that the running template has imported, and the macro of [`super::environment`] that imports.
pub struct Loaded {
    /// Imports a template by its name and hands the module to [`Loaded::insert`].
    pub loader: Value,
    modules: HashMap<String, Value>,
    /// minijinja's macros, by the place of their definition in memory.
    macros: HashMap<usize, Value>,
}

impl Loaded {
    /// Nothing imported yet.
    pub fn new(loader: Value) -> Self {
        Self {
            loader,
            modules: HashMap::new(),
            macros: HashMap::new(),
        }
    }

    /// Takes an imported template.
    pub fn insert(&mut self, template: String, module: Value) {
        self.modules.insert(template, module);
    }
}

fn call(
    definition: &Arc<MacroDefinition>,
    state: &mut State<'_, '_>,
    args: &[Value],
) -> Result<Value, Error> {
    let target = native(definition, state)?;
    let args = pack(definition, &target, args)?;
    let scope = state.get_extension::<Arc<Scope>>();
    let outermost = scope.filter(|scope| scope.enter_macro(definition)).cloned();
    let result = target.call(state, &args);
    if let Some(scope) = outermost {
        scope.leave_macro();
    }
    match result {
        Ok(value) => Ok(value),
        Err(error) => match returned(&error) {
            Some(value) => Ok(value),
            None => Err(
                Error::new(error.kind(), error.detail().unwrap_or_default().to_owned())
                    .with_source(InMacro {
                        name: definition.name.clone(),
                        cause: error,
                    }),
            ),
        },
    }
}

fn returned(error: &Error) -> Option<Value> {
    let mut source = std::error::Error::source(error);
    while let Some(current) = source {
        if let Some(returned) = current.downcast_ref::<Returned>() {
            return Some(returned.0.clone());
        }
        source = current.source();
    }
    None
}

/// minijinja's macro, from the template that defines it.
fn native(definition: &Arc<MacroDefinition>, state: &mut State<'_, '_>) -> Result<Value, Error> {
    let gone = || Error::new(ErrorKind::InvalidOperation, "macros cannot be called here");
    let place = Arc::as_ptr(definition) as usize;
    let loaded = state.get_extension_mut::<Loaded>().ok_or_else(gone)?;
    if let Some(known) = loaded.macros.get(&place) {
        return Ok(known.clone());
    }
    if !loaded.modules.contains_key(&definition.template) {
        let loader = loaded.loader.clone();
        loader.call(state, &[Value::from(definition.template.as_str())])?;
    }
    let loaded = state.get_extension_mut::<Loaded>().ok_or_else(gone)?;
    let module = loaded.modules.get(&definition.template);
    let found = module.ok_or_else(gone)?.get_attr(&definition.internal)?;
    loaded.macros.insert(place, found.clone());
    Ok(found)
}

fn parameters(target: &Value) -> Result<Parameters, Error> {
    let spec = target.get_attr("arguments")?;
    let mut names: Vec<String> = spec
        .try_iter()?
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect();
    let kwargs = names.last().is_some_and(|name| name == "kwargs") && names.pop().is_some();
    let varargs = names.last().is_some_and(|name| name == "varargs") && names.pop().is_some();
    Ok(Parameters {
        names,
        varargs,
        kwargs,
        caller: target.get_attr("caller").is_ok_and(|value| value.is_true()),
    })
}

/// Puts surplus arguments into `varargs` and `kwargs`, where the macro reads them.
fn pack(definition: &MacroDefinition, target: &Value, args: &[Value]) -> Result<Vec<Value>, Error> {
    let (positional, keywords) = match args.split_last() {
        Some((last, rest)) if last.is_kwargs() => (rest, collections::pairs_of(last)?),
        _ => (args, Vec::new()),
    };
    let known = match definition.parameters.get() {
        Some(known) => known,
        None => {
            let read = parameters(target)?;
            definition.parameters.get_or_init(|| read)
        }
    };
    let (names, takes_varargs, takes_kwargs) = (&known.names, known.varargs, known.kwargs);
    if positional.len() > names.len() && !takes_varargs {
        return Err(Error::new(
            ErrorKind::TooManyArguments,
            format!(
                "macro {} takes {} arguments, not {}",
                definition.name,
                names.len(),
                positional.len()
            ),
        ));
    }
    let mut passed = Vec::with_capacity(keywords.len() + 2);
    let mut surplus = Vec::new();
    for (key, value) in keywords {
        let name = key.as_str().unwrap_or_default();
        if names.iter().any(|known| known == name) || (name == "caller" && known.caller) {
            passed.push((key, value));
        } else if takes_kwargs {
            surplus.push((key, value));
        } else {
            return Err(Error::new(
                ErrorKind::TooManyArguments,
                format!("macro {} has no argument `{name}`", definition.name),
            ));
        }
    }
    let (direct, rest) = positional.split_at(positional.len().min(names.len()));
    if takes_varargs {
        passed.push((
            Value::from("varargs"),
            super::table::tuple(rest.iter().cloned()),
        ));
    }
    if takes_kwargs {
        passed.push((Value::from("kwargs"), collections::dict(surplus)));
    }
    // A literal of the call is the macro's to change.
    let mut out: Vec<Value> = direct.iter().map(collections::mutable).collect();
    if !passed.is_empty() {
        let keywords: Kwargs = passed
            .iter()
            .map(|(key, value)| {
                (
                    key.as_str().unwrap_or_default(),
                    collections::mutable(value),
                )
            })
            .collect();
        out.push(Value::from(keywords));
    }
    Ok(out)
}
