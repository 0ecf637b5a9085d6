//! The columns of what a model reads, without a database: from the statement that makes it, bound in the engine where it
//! is a query; else from `data_type` in property files.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use rwt_compiler::materialize::created;
use rwt_compiler::{CompiledNode, Compiler};
use rwt_project::manifest::{Node, ResourceType, UniqueId};
use rwt_query::{Column, Relation, Settings, SqlFunction};
use rwt_sql::statement::{Columns, Include, SinkFrom};
use rwt_sql::{DataType, Ident, Statement};

use super::engine::{Known, UnitEngine};

/// What is known of a relation's columns.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    /// The columns whose types are known.
    pub columns: Vec<Column>,
    /// Whether there are no others.
    pub is_complete: bool,
    /// Why the statement that makes it does not tell.
    pub why_not: Option<String>,
}

impl Shape {
    /// The column of a name; case counts only where two differ in it.
    pub fn column(&self, name: &str) -> Option<&Column> {
        let exact = self.columns.iter().find(|column| column.name == name);
        exact.or_else(|| {
            let mut columns = self.columns.iter();
            columns.find(|column| column.name.eq_ignore_ascii_case(name))
        })
    }
}

/// Columns of nodes, each found out once.
pub struct Schemas<'a> {
    compiler: &'a Compiler,
    engine: UnitEngine,
    settings: Settings,
    compiled: HashMap<&'a UniqueId, &'a CompiledNode>,
    /// The nodes that make relations of the project, by schema and name.
    makers: HashMap<(&'a str, &'a str), &'a UniqueId>,
    shapes: HashMap<UniqueId, Arc<Shape>>,
}

impl<'a> Schemas<'a> {
    /// Nothing found out yet.
    pub fn new(compiler: &'a Compiler, engine: &UnitEngine) -> Self {
        let schema = &compiler.project().target.schema;
        let nodes = compiler.manifest().nodes.values();
        let makers = nodes
            .filter(|node| node.resource_type.is_built() && node.materialized != "ephemeral")
            .map(|node| {
                (
                    (node.schema.as_str(), node.identifier.as_str()),
                    &node.unique_id,
                )
            });
        Self {
            makers: makers.collect(),
            compiler,
            engine: engine.clone(),
            settings: UnitEngine::settings(schema, UnitEngine::epoch()),
            compiled: HashMap::new(),
            shapes: HashMap::new(),
        }
    }

    /// The same where nodes are compiled already.
    #[must_use]
    pub fn with(mut self, compiled: &'a [CompiledNode]) -> Self {
        self.compiled = compiled
            .iter()
            .map(|node| (&node.unique_id, node))
            .collect();
        self
    }

    /// The columns of a node.
    pub async fn of(&mut self, id: &UniqueId) -> Arc<Shape> {
        let compiler = self.compiler;
        let nodes = &compiler.manifest().nodes;
        // What it reads first, so that its query can be bound. The graph has no circles, but a model may read a source
        // that is its own relation.
        let mut entered = HashSet::new();
        let mut stack = vec![(id.clone(), false)];
        while let Some((id, is_ready)) = stack.pop() {
            if self.shapes.contains_key(&id) {
                continue;
            }
            let Some(node) = nodes.get(&id) else { continue };
            if is_ready {
                let shape = self.find_out(node).await;
                self.shapes.insert(id, Arc::new(shape));
            } else if entered.insert(id.clone()) {
                stack.push((id, true));
                let above = node.depends_on.iter().chain(self.maker(node));
                stack.extend(above.map(|id| (id.clone(), false)));
            }
        }
        self.shapes.get(id).cloned().unwrap_or_default()
    }

    /// What was found out about a node.
    pub fn known(&self, id: &UniqueId) -> Option<&Arc<Shape>> {
        self.shapes.get(id)
    }

    /// The seed or model whose relation a source of the project names, as projects do that load their seeds as raw data.
    fn maker(&self, node: &Node) -> Option<&'a UniqueId> {
        let name = (node.schema.as_str(), node.identifier.as_str());
        let maker = self.makers.get(&name).copied();
        maker.filter(|_| node.source_name.is_some())
    }

    async fn find_out(&self, node: &Node) -> Shape {
        let declared = declared(node);
        let found = match node.resource_type {
            ResourceType::Source => {
                let made = self.maker(node).and_then(|id| self.shapes.get(id));
                let made = made.filter(|shape| shape.is_complete);
                made.map(|shape| shape.columns.clone()).ok_or(None)
            }
            ResourceType::Model | ResourceType::Seed | ResourceType::Snapshot => {
                self.made(node).await.map_err(Some)
            }
            _ => return Shape::default(),
        };
        match found {
            Ok(columns) => Shape {
                columns,
                is_complete: true,
                why_not: None,
            },
            Err(why_not) => Shape {
                columns: declared,
                is_complete: false,
                why_not,
            },
        }
    }

    /// The columns of what a node's materialization creates.
    async fn made(&self, node: &Node) -> Result<Vec<Column>, String> {
        let compiled = match self.compiled.get(&node.unique_id) {
            Some(compiled) => Cow::Borrowed(*compiled),
            None => {
                let compiled = self.compiler.compile(&node.unique_id);
                Cow::Owned(compiled.map_err(|error| error.to_string())?)
            }
        };
        if node.materialized == "ephemeral" {
            return self
                .columns_of(node, compiled.compiled_code.trim().trim_end_matches(';'))
                .await;
        }
        let statement = compiled
            .statements
            .iter()
            .map(|recorded| &recorded.statement)
            .find(|statement| {
                created(statement).is_some_and(|(kind, name, _)| {
                    kind != "index" && name.name() == node.identifier
                })
            })
            .ok_or("no statement creates it")?;
        match statement {
            Statement::CreateTable(create) => match &create.query {
                Some(query) => self.columns_of(node, query).await,
                None => self.written(&create.columns, &create.include).await,
            },
            Statement::CreateSource(create) => {
                let is_bytes = create
                    .format
                    .as_ref()
                    .is_some_and(|format| format.encode == "BYTES");
                if is_bytes && create.columns.columns.is_empty() {
                    return Ok(vec![Column::new("data", DataType::Bytea)]);
                }
                self.written(&create.columns, &create.include).await
            }
            Statement::CreateView(create) => {
                renamed(self.columns_of(node, &create.query).await?, &create.columns)
            }
            Statement::CreateMaterializedView(create) => {
                renamed(self.columns_of(node, &create.query).await?, &create.columns)
            }
            Statement::CreateSink(create) => match &create.from {
                SinkFrom::Query(query) => self.columns_of(node, query).await,
                SinkFrom::Relation(_) => Err("a sink has no columns of its own".to_owned()),
            },
            _ => Err("it has no columns".to_owned()),
        }
    }

    /// The columns of a query over what the node reads.
    async fn columns_of(&self, node: &Node, query: &str) -> Result<Vec<Column>, String> {
        let mut known = Known::default();
        let nodes = &self.compiler.manifest().nodes;
        let mut pending: Vec<&UniqueId> = node.depends_on.iter().collect();
        while let Some(id) = pending.pop() {
            let (Some(read), Some(shape)) = (nodes.get(id), self.shapes.get(id)) else {
                continue;
            };
            if read.materialized == "ephemeral" {
                // Its text is part of the query, and reads what it reads.
                pending.extend(&read.depends_on);
            }
            let relation = Relation::rows(shape.columns.clone(), Arc::default());
            known.insert(Some(&read.schema), &read.identifier, relation);
        }
        let plan = self.engine.plan(query, false, &known, &self.settings).await;
        Ok(plan.map_err(|error| error.to_string())?.columns().to_vec())
    }

    /// The columns that a CREATE TABLE or CREATE SOURCE writes out.
    async fn written(&self, columns: &Columns, include: &[Include]) -> Result<Vec<Column>, String> {
        if columns.columns.is_empty() || columns.wildcard {
            return Err("its columns come from outside of the statement".to_owned());
        }
        let mut out: Vec<Column> = Vec::new();
        let mut open: Vec<(usize, &str)> = Vec::new();
        for (place, column) in columns.columns.iter().enumerate() {
            let data_type = match (&column.data_type, &column.generated) {
                (Some(data_type), _) => data_type.clone(),
                (None, Some(expression)) => {
                    open.push((place, expression));
                    DataType::Varchar
                }
                (None, None) => return Err(format!("{} has no type", column.name)),
            };
            out.push(Column::new(column.name.value(), data_type));
        }
        for (place, expression) in open {
            // RisingWave's rule: a generated column names no other generated one.
            let given: Vec<Column> = (columns.columns.iter().zip(&out))
                .filter(|(column, _)| column.generated.is_none())
                .map(|(_, column)| column.clone())
                .collect();
            let mut known = Known::default();
            known.insert(None, "given", Relation::rows(given, Arc::default()));
            let query = format!("select {expression} as value from given");
            let plan = self
                .engine
                .plan(&query, false, &known, &self.settings)
                .await;
            let plan = plan.map_err(|error| error.to_string())?;
            if let Some(column) = plan.columns().first() {
                out[place].data_type = column.data_type.clone();
            }
        }
        for included in include {
            let Some(data_type) = included_type(included) else {
                continue;
            };
            let name = match &included.alias {
                Some(alias) => alias.value().to_owned(),
                None => continue,
            };
            if out.iter().all(|column| column.name != name) {
                out.push(Column::new(name, data_type));
            }
        }
        Ok(out)
    }
}

/// What RisingWave makes of `INCLUDE …`.
fn included_type(include: &Include) -> Option<DataType> {
    Some(match include.what.as_str() {
        "key" => DataType::Bytea,
        "timestamp" => DataType::Timestamptz,
        "partition" | "offset" | "database_name" | "schema_name" | "table_name" | "file" => {
            DataType::Varchar
        }
        "payload" => DataType::Jsonb,
        "header" => match (&include.data_type, &include.field) {
            (Some(data_type), _) => data_type.clone(),
            (None, Some(_)) => DataType::Bytea,
            (None, None) => DataType::List(Box::new(DataType::Struct(vec![
                ("key".to_owned(), DataType::Varchar),
                ("value".to_owned(), DataType::Bytea),
            ]))),
        },
        _ => return None,
    })
}

fn renamed(mut columns: Vec<Column>, names: &[Ident]) -> Result<Vec<Column>, String> {
    for (column, name) in columns.iter_mut().zip(names) {
        name.value().clone_into(&mut column.name);
    }
    Ok(columns)
}

/// The columns that the property file gives a type.
fn declared(node: &Node) -> Vec<Column> {
    let columns = node.columns.values().filter_map(|column| {
        let data_type = DataType::parse(column.data_type.as_deref()?).ok()?;
        Some(Column::new(column.name.as_str(), data_type))
    });
    columns.collect()
}

/// The project's SQL functions by name, as queries expand them.
pub fn functions(compiler: &Compiler) -> HashMap<String, Vec<SqlFunction>> {
    let mut functions: HashMap<String, Vec<SqlFunction>> = HashMap::new();
    let properties: BTreeMap<_, _> = compiler.project().properties.functions.iter().collect();
    let nodes = compiler.manifest().nodes.values();
    for node in nodes.filter(|node| node.resource_type == ResourceType::Function) {
        let is_sql = node
            .original_file_path
            .extension()
            .is_some_and(|e| e == "sql");
        let Some(signature) = properties.get(&node.name).filter(|_| is_sql) else {
            continue;
        };
        let params = signature.arguments.iter().map(|argument| {
            let data_type = DataType::parse(&argument.data_type).ok()?;
            Some((Some(argument.name.clone()), data_type))
        });
        let (Some(params), Ok(returns), Ok(compiled)) = (
            params.collect::<Option<Vec<_>>>(),
            DataType::parse(&signature.returns),
            compiler.compile(&node.unique_id),
        ) else {
            continue;
        };
        functions
            .entry(node.identifier.clone())
            .or_default()
            .push(SqlFunction {
                params,
                returns,
                body: compiled
                    .compiled_code
                    .trim()
                    .trim_end_matches(';')
                    .to_owned(),
            });
    }
    functions
}
