//! RisingWave's catalog as far as DDL goes: names, bindings by id, what a DROP, a RENAME and a SWAP refuse
//! (`tests/golden`, recorded from RisingWave 2.8.4).

use std::collections::{BTreeMap, BTreeSet};

use rwt_plan::catalog::{
    CatalogColumn, CatalogIndex, CatalogObject, CatalogSnapshot, ObjectId, Server, ServerKind,
};
use rwt_plan::{Kind, RelationName, ServerVersion};
use rwt_sql::statement::{Alter, AlterAction, ColumnDef, Drop, ObjectKind, Statement};
use rwt_sql::{Mention, ObjectName, Role, mentions, parse_statement};

#[derive(Clone)]
pub struct Database {
    pub catalog: CatalogSnapshot,
    next: ObjectId,
}

type Done = Result<(), String>;

impl Database {
    pub fn new(version: ServerVersion) -> Self {
        let server = Server {
            version,
            kind: ServerKind::Risingwave,
        };
        Self {
            catalog: CatalogSnapshot::empty(server, "root"),
            next: 1,
        }
    }

    /// Every name that can be read.
    pub fn readable(&self) -> BTreeSet<RelationName> {
        let objects = self.catalog.objects.values();
        objects
            .filter(|object| {
                object.kind.is_readable() && !object.creating && !object.relation.is_hidden()
            })
            .map(|object| object.relation.clone())
            .collect()
    }

    /// Every name with its kind, indexes among them.
    pub fn names(&self) -> BTreeSet<String> {
        let objects = self.catalog.objects.values();
        let objects = objects.map(|object| format!("{} {}", object.kind, object.relation));
        let indexes = self.catalog.indexes.values();
        objects
            .chain(indexes.map(|index| format!("index {}", index.relation)))
            .collect()
    }

    pub fn id(&self, name: &str) -> ObjectId {
        let (schema, name) = name.split_once('.').unwrap_or(("public", name));
        let relation = RelationName::new(schema, name);
        let found = self.catalog.find(&relation, Kind::Table);
        found.unwrap_or_else(|| panic!("there is no {relation}")).0
    }

    /// Runs a statement, or refuses it as RisingWave does.
    pub fn execute(&mut self, sql: &str) -> Done {
        let statement = parse_statement(sql).map_err(|error| format!("{error}\nin: {sql}"))?;
        let kind = match &statement {
            Statement::CreateSource(_) => Kind::Source,
            Statement::CreateTable(_) => Kind::Table,
            Statement::CreateView(_) => Kind::View,
            Statement::CreateMaterializedView(_) => Kind::MaterializedView,
            Statement::CreateSink(_) => Kind::Sink,
            Statement::CreateSubscription(_) => Kind::Subscription,
            Statement::CreateConnection(_) => Kind::Connection,
            Statement::CreateSecret(_) => Kind::Secret,
            Statement::CreateIndex(index) => {
                return self.create_index(&index.name, &index.table, sql, index.if_not_exists);
            }
            Statement::CreateSchema(schema) => {
                self.catalog.schemas.insert(schema.name.name().to_owned());
                return Ok(());
            }
            Statement::Drop(drop) => return self.drop(drop),
            Statement::Alter(alter) => return self.alter(alter),
            Statement::Comment { on, name, .. } => {
                let mut name = name.clone();
                if on == "column" {
                    name.0.pop();
                }
                return self.resolve(&name).map(|_| ());
            }
            Statement::Other { verb, .. } => return self.other(verb, sql),
            _ => return Ok(()),
        };
        self.create(kind, &statement, sql)
    }

    fn named(name: &ObjectName) -> RelationName {
        RelationName::of(name, "public")
    }

    fn resolve(&self, name: &ObjectName) -> Result<ObjectId, String> {
        let relation = Self::named(name);
        let found = self.catalog.find(&relation, Kind::Table);
        found
            .filter(|(_, object)| !object.creating)
            .map(|(id, _)| id)
            .ok_or_else(|| format!("table or source not found: {relation}"))
    }

    fn is_free(&self, relation: &RelationName, kind: Kind) -> Done {
        if !self.catalog.schemas.contains(&relation.schema) {
            return Err(format!("schema not found: {}", relation.schema));
        }
        let taken = self.catalog.find(relation, kind).is_some()
            || (kind.namespace() == Kind::Table && self.catalog.find_index(relation).is_some());
        if taken {
            return Err(format!("{kind} with name {relation} exists"));
        }
        Ok(())
    }

    fn add(&mut self, object: CatalogObject, reads: &BTreeSet<ObjectId>) -> ObjectId {
        let id = self.next;
        self.next += 1;
        self.catalog.objects.insert(id, object);
        for read in reads {
            self.catalog.dependencies.insert((id, *read));
        }
        id
    }

    fn create(&mut self, kind: Kind, statement: &Statement, sql: &str) -> Done {
        let (_, name) = statement.verb_and_object();
        let relation = Self::named(name.ok_or("a statement without a name")?);
        let if_not_exists = sql.to_lowercase().contains("if not exists");
        if let Err(error) = self.is_free(&relation, kind) {
            return if if_not_exists { Ok(()) } else { Err(error) };
        }
        let columns: &[ColumnDef] = match statement {
            Statement::CreateSource(source) => &source.columns.columns,
            Statement::CreateTable(table) => &table.columns.columns,
            _ => &[],
        };
        let once = matches!(statement, Statement::CreateTable(table) if table.query.is_some());
        let mut reads = BTreeSet::new();
        let mut sink_into = None;
        for Mention { name, role, .. } in mentions(sql) {
            match role {
                Role::Subject => {}
                Role::Read => {
                    reads.insert(self.resolve(&name)?);
                }
                Role::Target => sink_into = Some(self.resolve(&name)?),
            }
        }
        if once {
            reads.clear();
        }
        let object = CatalogObject {
            relation: relation.clone(),
            kind,
            owner: self.catalog.user.clone(),
            definition: Some(sql.replace("if not exists ", "")),
            creating: false,
            columns: columns.iter().map(column).collect(),
            acl: Vec::new(),
            sink_into,
        };
        let id = self.add(object.clone(), &reads);
        if let Some(target) = sink_into {
            self.catalog.dependencies.insert((target, id));
        }
        let lake = matches!(statement, Statement::CreateTable(table) if table.engine.as_deref() == Some("iceberg"));
        if lake {
            for (prefix, kind) in [
                ("__iceberg_sink_", Kind::Sink),
                ("__iceberg_source_", Kind::Source),
            ] {
                let helper = CatalogObject {
                    relation: relation.sibling(format!("{prefix}{}", relation.name)),
                    kind,
                    columns: Vec::new(),
                    ..object.clone()
                };
                let reads = if kind == Kind::Sink {
                    BTreeSet::from([id])
                } else {
                    BTreeSet::new()
                };
                self.add(helper, &reads);
            }
        }
        Ok(())
    }

    fn create_index(
        &mut self,
        name: &ObjectName,
        on: &ObjectName,
        sql: &str,
        if_not_exists: bool,
    ) -> Done {
        let on = self.resolve(on)?;
        let relation = self.catalog.objects[&on].relation.sibling(name.name());
        if let Err(error) = self.is_free(&relation, Kind::Table) {
            return if if_not_exists && self.catalog.find_index(&relation).is_some() {
                Ok(())
            } else {
                Err(error)
            };
        }
        let id = self.next;
        self.next += 1;
        let definition = Some(sql.replace("if not exists ", ""));
        self.catalog.indexes.insert(
            id,
            CatalogIndex {
                relation,
                on,
                definition,
            },
        );
        Ok(())
    }

    fn find(&self, name: &ObjectName, kind: ObjectKind) -> Result<ObjectId, String> {
        let relation = Self::named(name);
        let kind = Kind::parse(&kind.to_string()).ok_or("a kind that has no names here")?;
        let (id, object) = self
            .catalog
            .find(&relation, kind)
            .ok_or_else(|| format!("{kind} not found: {relation}"))?;
        if object.kind != kind {
            return Err(format!(
                "Use `DROP {}` to drop a {}",
                object.kind, object.kind
            ));
        }
        Ok(id)
    }

    fn drop(&mut self, drop: &Drop) -> Done {
        let name = drop.names.first().ok_or("a name")?;
        assert!(!drop.cascade, "CASCADE");
        if drop.kind == ObjectKind::Index {
            let relation = Self::named(name);
            let found = self.catalog.find_index(&relation).map(|(id, _)| id);
            return match found {
                Some(id) if self.catalog.dependencies.iter().any(|(_, on)| *on == id) => {
                    Err(format!("index {relation} used by other objects"))
                }
                Some(id) => {
                    self.catalog.indexes.remove(&id);
                    Ok(())
                }
                None if drop.if_exists => Ok(()),
                None => Err(format!("index not found: {relation}")),
            };
        }
        let id = match self.find(name, drop.kind) {
            Ok(id) => id,
            Err(_)
                if drop.if_exists
                    && self.catalog.find(&Self::named(name), Kind::Table).is_none() =>
            {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let dependents = self.catalog.dependents(id);
        let sinks_into: Vec<&CatalogObject> = self
            .catalog
            .objects
            .values()
            .filter(|object| object.sink_into == Some(id))
            .collect();
        // RisingWave drops them without a word.
        if let Some(sink) = sinks_into.first() {
            return Err(format!("{} would go with its target", sink.relation));
        }
        if !dependents.is_empty() {
            return Err(format!("{name} used by {} other objects", dependents.len()));
        }
        let relation = self.catalog.objects[&id].relation.clone();
        self.remove(id);
        for prefix in ["__iceberg_sink_", "__iceberg_source_"] {
            let helper = relation.sibling(format!("{prefix}{}", relation.name));
            if drop.kind == ObjectKind::Table
                && let Some((helper, _)) = self.catalog.find(&helper, Kind::Table)
            {
                self.remove(helper);
            }
        }
        Ok(())
    }

    fn remove(&mut self, id: ObjectId) {
        self.catalog.objects.remove(&id);
        self.catalog.indexes.retain(|_, index| index.on != id);
        self.catalog
            .dependencies
            .retain(|(reader, read)| *reader != id && *read != id);
    }

    fn alter(&mut self, alter: &Alter) -> Done {
        if alter.kind == ObjectKind::Index {
            let AlterAction::RenameTo(to) = &alter.action else {
                return Ok(());
            };
            let relation = Self::named(&alter.name);
            let (id, _) = self
                .catalog
                .find_index(&relation)
                .ok_or_else(|| format!("index not found: {relation}"))?;
            let to = relation.sibling(to.value());
            self.is_free(&to, Kind::Table)?;
            if let Some(index) = self.catalog.indexes.get_mut(&id) {
                index.relation = to;
            }
            return Ok(());
        }
        let id = self.find(&alter.name, alter.kind)?;
        let kind = self.catalog.objects[&id].kind;
        let relation = self.catalog.objects[&id].relation.clone();
        match &alter.action {
            AlterAction::RenameTo(to) => {
                let to = relation.sibling(to.value());
                self.is_free(&to, kind)?;
                self.change(id, |object| object.relation = to);
            }
            AlterAction::SetSchema(schema) => {
                let to = RelationName::new(schema.value(), relation.name);
                self.is_free(&to, kind)?;
                for index in self
                    .catalog
                    .indexes
                    .values_mut()
                    .filter(|index| index.on == id)
                {
                    index.relation.schema.clone_from(&to.schema);
                }
                self.change(id, |object| object.relation = to);
            }
            AlterAction::SwapWith(other) => {
                let other = self.resolve(other)?;
                let with = self.catalog.objects[&other].relation.clone();
                if self.catalog.objects[&other].kind != kind {
                    return Err(format!(
                        "cannot swap between {relation} and {with}: type mismatch"
                    ));
                }
                self.change(id, |object| object.relation = with);
                self.change(other, |object| object.relation = relation);
            }
            AlterAction::OwnerTo(owner) => {
                self.change(id, |object| object.owner = owner.value().to_owned())
            }
            AlterAction::AddColumn { column: added, .. } => {
                if self.catalog.objects[&id]
                    .columns
                    .iter()
                    .any(|c| c.name == added.name.value())
                {
                    return Err(format!("column {} of {relation} exists", added.name));
                }
                self.change(id, |object| object.columns.push(column(added)));
            }
            AlterAction::DropColumn { column, .. } => {
                self.change(id, |object| {
                    object.columns.retain(|c| c.name != column.value())
                });
            }
            AlterAction::ColumnType { .. }
            | AlterAction::SecretValue { .. }
            | AlterAction::SetParameter { .. }
            | AlterAction::Other(_) => {}
        }
        Ok(())
    }

    pub fn change(&mut self, id: ObjectId, change: impl FnOnce(&mut CatalogObject)) {
        if let Some(object) = self.catalog.objects.get_mut(&id) {
            change(object);
        }
    }

    fn other(&mut self, verb: &str, sql: &str) -> Done {
        let mentioned = mentions(sql);
        if verb.starts_with("REPLACE") {
            let (mut sink, mut reads) = (None, BTreeSet::new());
            for Mention { name, role, .. } in mentioned {
                let id = self.resolve(&name)?;
                if role == Role::Subject {
                    sink = Some(id);
                } else {
                    reads.insert(id);
                }
            }
            let sink = sink.ok_or("a sink")?;
            self.catalog
                .dependencies
                .retain(|(reader, _)| *reader != sink);
            self.catalog
                .dependencies
                .extend(reads.into_iter().map(|read| (sink, read)));
        } else if verb.starts_with("CREATE FUNCTION") {
            let name = mentioned.first().ok_or("a function without a name")?;
            let relation = Self::named(&name.name);
            self.is_free(&relation, Kind::Function)?;
            let function = CatalogObject {
                relation,
                kind: Kind::Function,
                owner: self.catalog.user.clone(),
                definition: None,
                creating: false,
                columns: Vec::new(),
                acl: Vec::new(),
                sink_into: None,
            };
            self.add(function, &BTreeSet::new());
        } else if verb.starts_with("GRANT") || verb.starts_with("REVOKE") {
            for Mention { name, .. } in mentioned {
                let id = self.resolve(&name)?;
                self.grant(id, sql);
            }
        }
        Ok(())
    }

    /// Rights to select, which is all that the fixtures grant.
    fn grant(&mut self, id: ObjectId, sql: &str) {
        let give = sql.to_lowercase().starts_with("grant");
        let word = if give { " to " } else { " from " };
        let at = sql.to_lowercase().rfind(word).expect("who");
        for user in sql[at + word.len()..].split(',') {
            let entry = format!("{}=r/root", user.trim().trim_matches('"'));
            self.change(id, |object| {
                object.acl.retain(|other| *other != entry);
                if give {
                    object.acl.push(entry);
                }
            });
        }
    }

    /// Binds a reader to an index of what it reads, or back to that, as RisingWave does when it plans a view on an index.
    pub fn bind_to_index(&mut self, reader: &str, index: Option<&str>, on: &str) {
        let (reader, on) = (self.id(reader), self.id(on));
        let of_it = |id: &ObjectId| self.catalog.indexes.get(id).is_some_and(|i| i.on == on);
        let mut bound: BTreeSet<(ObjectId, ObjectId)> = self.catalog.dependencies.clone();
        bound.retain(|(from, to)| *from != reader || (*to != on && !of_it(to)));
        let to = index.map_or(on, |index| {
            let relation = RelationName::new("public", index);
            let found = self.catalog.find_index(&relation);
            found.unwrap_or_else(|| panic!("there is no {relation}")).0
        });
        bound.insert((reader, to));
        self.catalog.dependencies = bound;
    }

    /// What rwt would find in `rw_depend`, by name: each reader with what it reads.
    pub fn bindings(&self) -> BTreeMap<String, Vec<String>> {
        let mut bindings: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (reader, read) in &self.catalog.dependencies {
            let name = |id| {
                self.catalog
                    .objects
                    .get(id)
                    .map(|object| object.relation.to_string())
            };
            if let (Some(reader), Some(read)) = (name(reader), name(read)) {
                bindings.entry(reader).or_default().push(read);
            }
        }
        bindings
    }
}

fn column(column: &ColumnDef) -> CatalogColumn {
    CatalogColumn {
        name: column.name.value().to_owned(),
        data_type: column
            .data_type
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
    }
}
