//! A snapshot of the catalog.

use std::collections::{BTreeMap, BTreeSet};

use rwt_compiler::materialize::DatabaseError;
use rwt_plan::catalog::{
    CatalogColumn, CatalogIndex, CatalogObject, CatalogSnapshot, Job, ObjectId, Server, ServerKind,
};
use rwt_plan::{Kind, RelationName, ServerVersion};

use crate::client::Connection;

/// The schema of rwt's own tables.
pub const STATE_SCHEMA: &str = "rwt";

const SERVER: &str = "select version(), current_user";

/// Objects and schemas: id, schema, name, kind, owner, definition, rights. The source that RisingWave keeps for a table
/// with a connector has the table's name and is left out.
const OBJECTS: &str = "\
select r.id, s.name, r.name, r.relation_type, u.name, r.definition, r.acl \
from rw_catalog.rw_relations r \
join rw_catalog.rw_schemas s on r.schema_id = s.id \
join rw_catalog.rw_users u on r.owner = u.id \
left join rw_catalog.rw_sources o on r.id = o.id \
where r.relation_type <> 'system table' and o.associated_table_id is null \
union all \
select c.id, s.name, c.name, 'connection', u.name, '', c.acl \
from rw_catalog.rw_connections c \
join rw_catalog.rw_schemas s on c.schema_id = s.id \
join rw_catalog.rw_users u on c.owner = u.id \
union all \
select k.id, s.name, k.name, 'secret', u.name, '', k.acl \
from rw_catalog.rw_secrets k \
join rw_catalog.rw_schemas s on k.schema_id = s.id \
join rw_catalog.rw_users u on k.owner = u.id \
union all \
select f.id, s.name, f.name, 'function', u.name, '', f.acl \
from rw_catalog.rw_functions f \
join rw_catalog.rw_schemas s on f.schema_id = s.id \
join rw_catalog.rw_users u on f.owner = u.id \
union all \
select s.id, s.name, s.name, 'schema', u.name, '', s.acl \
from rw_catalog.rw_schemas s \
join rw_catalog.rw_users u on s.owner = u.id";

const DEPENDENCIES: &str = "select objid, refobjid from rw_catalog.rw_depend";

const INDEXES: &str = "select id, primary_table_id from rw_catalog.rw_indexes";

const COLUMNS: &str = "\
select c.relation_id, c.name, c.data_type \
from rw_catalog.rw_columns c \
join rw_catalog.rw_relations r on c.relation_id = r.id \
where not c.is_hidden and r.relation_type not in ('system table', 'index') \
order by c.relation_id, c.position";

/// Jobs with their progress, and those that are so young that they have none yet.
const JOBS: &str = "\
select ddl_id, ddl_statement, create_type, progress from rw_catalog.rw_ddl_progress \
union all \
select cast(id as bigint), name, '', '' from rw_catalog.rw_streaming_jobs where status <> 'CREATED'";

/// Messages that a job has not read yet of its topics, on servers that show them.
const LAGS: &str = "\
select job_id, sum(\"lag\") from rw_catalog.rw_kafka_job_lag where \"lag\" is not null group by job_id";

/// The queries that [`read`] sends, in order.
pub const QUERIES: [&str; 6] = [SERVER, OBJECTS, DEPENDENCIES, INDEXES, COLUMNS, JOBS];

/// One row's cells, NULL as an empty text.
type Row = Vec<Option<String>>;

/// Reads the catalog.
///
/// # Errors
/// What the server refused, or an answer that is not RisingWave's.
pub fn read(connection: &Connection) -> Result<CatalogSnapshot, DatabaseError> {
    let server = connection.query(SERVER)?.rows;
    let objects = connection.query(OBJECTS)?.rows;
    let dependencies = connection.query(DEPENDENCIES)?.rows;
    let indexes = connection.query(INDEXES)?.rows;
    let columns = connection.query(COLUMNS)?.rows;
    let jobs = creating_jobs(connection)?;
    let (version, user) = match server.first().map(Vec::as_slice) {
        Some([Some(version), user]) => (version.clone(), user.clone().unwrap_or_default()),
        _ => (String::new(), String::new()),
    };
    let server = server_of(&version).ok_or_else(|| DatabaseError {
        sqlstate: None,
        message: format!("this is no RisingWave: version() says `{version}`"),
        statement: SERVER.to_owned(),
        line: None,
    })?;
    let mut snapshot = CatalogSnapshot::empty(server, &user);
    snapshot.schemas.clear();
    snapshot.dependencies = pairs(&dependencies);
    snapshot.jobs = jobs;
    let on: BTreeMap<ObjectId, ObjectId> = pairs(&indexes).into_iter().collect();
    add_objects(&mut snapshot, objects, &on);
    for row in columns {
        let mut cells = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || cells.next().unwrap_or_default();
        let (id, name, data_type) = (next(), next(), next());
        let object = id.parse().ok().and_then(|id| snapshot.objects.get_mut(&id));
        if let Some(object) = object {
            object.columns.push(CatalogColumn { name, data_type });
        }
    }
    add_targets(&mut snapshot);
    Ok(snapshot)
}

/// Creations that go on. A job that has only just begun is among them without a progress.
///
/// # Errors
/// What the server refused.
pub fn creating_jobs(connection: &Connection) -> Result<Vec<Job>, DatabaseError> {
    let mut jobs: BTreeMap<ObjectId, Job> = BTreeMap::new();
    for row in connection.query(JOBS)?.rows {
        let mut cells = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || cells.next().unwrap_or_default();
        let (id, statement, create_type, progress) = (next(), next(), next(), next());
        let Ok(id) = id.parse() else { continue };
        // The first row has the progress.
        jobs.entry(id).or_insert(Job {
            id,
            statement,
            progress,
            background: create_type.eq_ignore_ascii_case("background"),
        });
    }
    Ok(jobs.into_values().collect())
}

/// How many messages jobs are behind the ends of the topics that they read.
///
/// # Errors
/// The server has no such table, which came behind 2.8, or refused it.
pub fn source_lags(connection: &Connection) -> Result<BTreeMap<ObjectId, u64>, DatabaseError> {
    let rows = connection.query(LAGS)?.rows;
    let number = |cell: &Option<String>| cell.as_deref()?.parse().ok();
    Ok(rows
        .iter()
        .filter_map(|row| match row.as_slice() {
            [job, lag] => Some((number(job)?, number(lag)?)),
            _ => None,
        })
        .collect())
}

fn server_of(version: &str) -> Option<Server> {
    if !version.contains("RisingWave") {
        return None;
    }
    Some(Server {
        version: ServerVersion::parse(version)?,
        kind: if version.contains("embedded") {
            ServerKind::Embedded
        } else {
            ServerKind::Risingwave
        },
    })
}

fn pairs(rows: &[Row]) -> BTreeSet<(ObjectId, ObjectId)> {
    let id = |cell: &Option<String>| cell.as_deref()?.parse().ok();
    rows.iter()
        .filter_map(|row| match row.as_slice() {
            [a, b] => Some((id(a)?, id(b)?)),
            _ => None,
        })
        .collect()
}

fn add_objects(
    snapshot: &mut CatalogSnapshot,
    rows: Vec<Row>,
    indexes: &BTreeMap<ObjectId, ObjectId>,
) {
    let creating: BTreeSet<ObjectId> = snapshot.jobs.iter().map(|job| job.id).collect();
    for row in rows {
        let mut cells = row.into_iter();
        let mut next = || cells.next().flatten();
        let Some(id) = next().and_then(|id| id.parse::<ObjectId>().ok()) else {
            continue;
        };
        let (schema, name) = (next().unwrap_or_default(), next().unwrap_or_default());
        let (kind, owner) = (next().unwrap_or_default(), next().unwrap_or_default());
        let definition = next().filter(|text| !text.is_empty());
        let acl = next().map(|text| array(&text)).unwrap_or_default();
        if kind == "schema" {
            snapshot.schemas.insert(name);
            continue;
        }
        let relation = RelationName::new(schema, name);
        match Kind::parse(&kind) {
            _ if relation.schema == STATE_SCHEMA => {}
            Some(Kind::Index) => {
                if let Some(on) = indexes.get(&id) {
                    let index = CatalogIndex {
                        relation,
                        on: *on,
                        definition,
                    };
                    snapshot.indexes.insert(id, index);
                }
            }
            Some(kind) => {
                let object = CatalogObject {
                    relation,
                    kind,
                    owner,
                    definition,
                    creating: creating.contains(&id),
                    columns: Vec::new(),
                    acl,
                    sink_into: None,
                };
                snapshot.objects.insert(id, object);
            }
            None => {}
        }
    }
}

/// The target of a sink INTO depends on the sink; nothing else depends on a sink.
fn add_targets(snapshot: &mut CatalogSnapshot) {
    let is = |id: &ObjectId, kind: Kind| {
        let object = snapshot.objects.get(id);
        object.is_some_and(|object| object.kind == kind)
    };
    let targets: Vec<(ObjectId, ObjectId)> = snapshot
        .dependencies
        .iter()
        .filter(|(table, sink)| is(table, Kind::Table) && is(sink, Kind::Sink))
        .copied()
        .collect();
    for (table, sink) in targets {
        if let Some(sink) = snapshot.objects.get_mut(&sink) {
            sink.sink_into = Some(table);
        }
    }
}

/// The elements of an array as the server writes it: `{a,"b c"}`.
fn array(text: &str) -> Vec<String> {
    let Some(inner) = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
    else {
        return Vec::new();
    };
    let mut elements = Vec::new();
    let mut current = String::new();
    let mut quoted = false;
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => quoted = !quoted,
            '\\' => current.extend(chars.next()),
            ',' if !quoted => elements.push(std::mem::take(&mut current)),
            c => current.push(c),
        }
    }
    if !inner.is_empty() {
        elements.push(current);
    }
    elements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_read_out_of_an_array() {
        assert_eq!(array("{}"), Vec::<String>::new());
        assert_eq!(
            array(r#"{root=arwdU/root,"a b=r/root","q\"x=r/root"}"#),
            ["root=arwdU/root", "a b=r/root", "q\"x=r/root"]
        );
    }

    #[test]
    fn the_embedded_engine_is_told_from_risingwave() {
        let embedded = server_of("PostgreSQL 13.14.0-RisingWave-2.8.4 (rwt 0.1.0 embedded)");
        assert_eq!(embedded.map(|s| s.kind), Some(ServerKind::Embedded));
        let real = server_of("PostgreSQL 13.14.0-RisingWave-3.1.0 (abc)");
        assert_eq!(real.map(|s| s.kind), Some(ServerKind::Risingwave));
        assert_eq!(server_of("PostgreSQL 16.2 on x86_64"), None);
    }
}
