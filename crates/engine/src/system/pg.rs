//! `pg_catalog`, as far as RisingWave has it: what clients read when they start and list objects.

use super::{Cell, Context, Rows, SystemTable, T, none, row, schema_id, system_schemas};
use crate::catalog::{Body, Kind, Object};

macro_rules! table {
    ($name:literal, $rows:expr, $($column:literal : $t:ident),* $(,)?) => {
        SystemTable { schema: "pg_catalog", name: $name, columns: &[$(($column, T::$t)),*], rows: $rows }
    };
}

/// Oid, name, length and element type of the types.
pub(super) const TYPES: &[(i32, &str, i16, i32)] = &[
    (16, "bool", 1, 0),
    (17, "bytea", -1, 0),
    (20, "int8", 8, 0),
    (21, "int2", 2, 0),
    (23, "int4", 4, 0),
    (25, "text", -1, 0),
    (26, "oid", 4, 0),
    (700, "float4", 4, 0),
    (701, "float8", 8, 0),
    (1000, "_bool", -1, 16),
    (1001, "_bytea", -1, 17),
    (1005, "_int2", -1, 21),
    (1007, "_int4", -1, 23),
    (1015, "_varchar", -1, 1043),
    (1016, "_int8", -1, 20),
    (1021, "_float4", -1, 700),
    (1022, "_float8", -1, 701),
    (1043, "varchar", -1, 0),
    (1082, "date", 4, 0),
    (1083, "time", 8, 0),
    (1114, "timestamp", 8, 0),
    (1115, "_timestamp", -1, 1114),
    (1182, "_date", -1, 1082),
    (1183, "_time", -1, 1083),
    (1184, "timestamptz", 8, 0),
    (1185, "_timestamptz", -1, 1184),
    (1186, "interval", 16, 0),
    (1187, "_interval", -1, 1186),
    (1231, "_numeric", -1, 1700),
    (1301, "rw_int256", -1, 0),
    (1700, "numeric", -1, 0),
    (2249, "record", -1, 0),
    (3802, "jsonb", -1, 0),
    (3807, "_jsonb", -1, 3802),
];

/// The short name that `udt_name` columns have of a RisingWave type's name.
pub(super) fn udt_name(data_type: &str) -> String {
    match data_type {
        list if list.ends_with("[]") => "list".into(),
        row if row.starts_with("struct<") => "struct".into(),
        map if map.starts_with("map(") => "map".into(),
        other => short_name(other),
    }
}

/// PostgreSQL's short name of a RisingWave type's name.
fn short_name(data_type: &str) -> String {
    if let Some(item) = data_type.strip_suffix("[]") {
        return format!("_{}", short_name(item));
    }
    match data_type {
        "boolean" => "bool",
        "smallint" => "int2",
        "integer" => "int4",
        "bigint" | "serial" => "int8",
        "real" => "float4",
        "double precision" => "float8",
        "character varying" => "varchar",
        "time without time zone" => "time",
        "timestamp without time zone" => "timestamp",
        "timestamp with time zone" => "timestamptz",
        other if other.starts_with("struct<") => "record",
        other => other,
    }
    .to_owned()
}

/// The oid of a RisingWave type's name.
pub(super) fn type_oid(data_type: &str) -> i64 {
    let name = short_name(data_type);
    TYPES
        .iter()
        .find(|(_, n, ..)| *n == name)
        .map_or(1043, |(oid, ..)| i64::from(*oid))
}

pub(super) fn type_len(data_type: &str) -> i64 {
    let name = short_name(data_type);
    TYPES
        .iter()
        .find(|(_, n, ..)| *n == name)
        .map_or(-1, |(_, _, len, _)| i64::from(*len))
}

pub(super) const TABLES: &[SystemTable] = &[
    table!("pg_class", class, "oid": Int4, "relname": Text, "relnamespace": Int4, "relowner": Int4, "relpersistence": Text, "relkind": Text, "relpages": Int2, "relam": Int4, "reltablespace": Int4, "reloptions": Texts, "relispartition": Bool, "relpartbound": Text),
    table!("pg_namespace", namespace, "oid": Int4, "nspname": Text, "nspowner": Int4, "nspacl": Texts),
    table!("pg_attribute", attribute, "attrelid": Int4, "attname": Text, "atttypid": Int4, "attlen": Int2, "attnum": Int2, "attnotnull": Bool, "atthasdef": Bool, "attisdropped": Bool, "attidentity": Text, "attgenerated": Text, "atttypmod": Int4, "attoptions": Texts, "attcollation": Int4, "attndims": Int4),
    table!("pg_index", index, "indexrelid": Int4, "indrelid": Int4, "indnatts": Int2, "indnkeyatts": Int2, "indisunique": Bool, "indkey": Int2s, "indoption": Int2s, "indexprs": Text, "indpred": Text, "indimmediate": Bool, "indisprimary": Bool, "indisclustered": Bool, "indisvalid": Bool, "indisreplident": Bool, "indclass": Int4s),
    table!("pg_indexes", indexes, "schemaname": Text, "tablename": Text, "indexname": Text, "tablespace": Text, "indexdef": Text),
    table!("pg_database", database, "oid": Int4, "datname": Text, "datdba": Int4, "encoding": Int4, "datcollate": Text, "datctype": Text, "datistemplate": Bool, "datallowconn": Bool, "datconnlimit": Int4, "dattablespace": Int4, "datacl": Texts),
    table!("pg_roles", roles, "oid": Int4, "rolname": Text, "rolsuper": Bool, "rolinherit": Bool, "rolcreaterole": Bool, "rolcreatedb": Bool, "rolcanlogin": Bool, "rolreplication": Bool, "rolconnlimit": Int4, "rolvaliduntil": Tz, "rolbypassrls": Bool, "rolpassword": Text, "rolconfig": Texts),
    table!("pg_user", user, "usesysid": Int4, "usename": Text, "usecreatedb": Bool, "usesuper": Bool, "passwd": Text),
    table!("pg_type", types, "oid": Int4, "typname": Text, "typelem": Int4, "typarray": Int4, "typinput": Text, "typlen": Int4, "typnotnull": Bool, "typbasetype": Int4, "typtypmod": Int4, "typcollation": Int4, "typnamespace": Int4, "typtype": Text, "typrelid": Int4, "typdefault": Text, "typcategory": Text, "typreceive": Int4),
    table!("pg_constraint", constraint, "oid": Int4, "conname": Text, "connamespace": Int4, "contype": Text, "condeferrable": Bool, "convalidated": Bool, "conrelid": Int4, "contypid": Int4, "conindid": Int4, "conparentid": Int4, "confrelid": Int4, "conislocal": Bool, "coninhcount": Int4, "connoinherit": Bool, "conkey": Int2s, "confkey": Int2s, "confupdtype": Text, "confdeltype": Text, "confmatchtype": Text, "conpfeqop": Int4s, "conppeqop": Int4s, "conffeqop": Int4s, "confdelsetcols": Int2s, "conexclop": Int4s, "conbin": Text),
    table!("pg_description", description, "objoid": Int4, "classoid": Int4, "objsubid": Int4, "description": Text),
    table!("pg_tables", pg_tables, "schemaname": Text, "tablename": Text, "tableowner": Text, "tablespace": Text),
    table!("pg_views", views, "schemaname": Text, "viewname": Text, "viewowner": Text, "definition": Text),
    table!("pg_matviews", matviews, "schemaname": Text, "matviewname": Text, "matviewowner": Int4, "definition": Text),
    table!("pg_settings", settings, "name": Text, "setting": Text, "source": Text, "context": Text),
    table!("pg_attrdef", none, "oid": Int4, "adrelid": Int4, "adnum": Int2, "adbin": Text),
    table!("pg_am", none, "oid": Int4, "amname": Text, "amhandler": Int4, "amtype": Text),
    table!("pg_auth_members", none, "oid": Int4, "roleid": Int4, "member": Int4, "grantor": Int4, "admin_option": Bool, "inherit_option": Bool, "set_option": Bool),
    table!("pg_cast", none, "oid": Int4, "castsource": Int4, "casttarget": Int4, "castcontext": Text),
    table!("pg_collation", none, "oid": Int4, "collname": Text, "collnamespace": Int4, "collowner": Int4, "collprovider": Int4, "collisdeterministic": Bool, "collencoding": Int4, "collcollate": Text, "collctype": Text, "colliculocale": Text, "collversion": Text),
    table!("pg_conversion", none, "oid": Int4, "conname": Text, "connamespace": Int4, "conowner": Int4, "conforencoding": Int4, "contoencoding": Int4, "conproc": Text, "condefault": Bool),
    table!("pg_depend", none, "classid": Int4, "objid": Int4, "objsubid": Int2, "refclassid": Int4, "refobjid": Int4, "refobjsubid": Int4, "deptype": Text),
    table!("pg_enum", none, "oid": Int4, "enumtypid": Int4, "enumsortorder": Int4, "enumlabel": Text),
    table!("pg_event_trigger", none, "oid": Int4, "evtname": Text, "evtevent": Text, "evtowner": Int4, "evtfoid": Int4, "evtenabled": Text, "evttags": Texts),
    table!("pg_extension", none, "oid": Int4, "extname": Text, "extowner": Int4, "extnamespace": Int4, "extrelocatable": Bool, "extversion": Text, "extconfig": Int2s, "extcondition": Texts),
    table!("pg_inherits", none, "inhrelid": Int4, "inhparent": Int4, "inhseqno": Int4, "inhdetachpending": Bool),
    table!("pg_keywords", none, "word": Text, "catcode": Text, "catdesc": Text),
    table!("pg_language", none, "oid": Int4, "lanname": Text, "lanowner": Int4, "lanispl": Bool, "lanpltrusted": Bool),
    table!("pg_locks", none, "locktype": Text, "database": Int4, "relation": Int4, "pid": Int4, "mode": Text, "granted": Bool),
    table!("pg_opclass", none, "oid": Int4, "opcmethod": Int4, "opcname": Text, "opcnamespace": Int4, "opcowner": Int4, "opcfamily": Int4, "opcintype": Int4, "opcdefault": Bool, "opckeytype": Int4),
    table!("pg_operator", none, "oid": Int4, "oprname": Text, "oprnamespace": Int4, "oprowner": Int4, "oprleft": Int4, "oprright": Int4, "oprresult": Int4),
    table!("pg_partitioned_table", none, "partrelid": Int4, "partstrat": Text, "partnatts": Int2, "partdefid": Int4, "partattrs": Int2s, "partclass": Int4s, "partcollation": Int4s, "partexprs": Text),
    table!("pg_policy", none, "oid": Int4, "polname": Text, "polrelid": Int4),
    table!("pg_prepared_statements", none, "name": Text, "statement": Text, "prepare_time": Tz, "parameter_types": Texts, "from_sql": Bool),
    table!("pg_prepared_xacts", none, "transaction": Text, "gid": Text, "prepared": Tz, "owner": Text, "database": Text),
    table!("pg_proc", none, "oid": Int4, "proname": Text, "pronamespace": Int4, "proowner": Int4, "proargdefaults": Int4, "prokind": Text, "prorettype": Int4, "proargtypes": Texts),
    table!("pg_publication", none, "oid": Int4, "pubname": Text),
    table!("pg_publication_rel", none, "oid": Int4, "prpubid": Int4, "prrelid": Int4),
    table!("pg_rewrite", none, "oid": Int4, "rulename": Text, "ev_class": Int4, "ev_type": Text, "ev_enabled": Text, "is_instead": Bool, "ev_qual": Text, "ev_action": Text),
    table!("pg_range", none, "rngtypid": Int4, "rngsubtype": Int4, "rngmultitypid": Int4, "rngcollation": Int4, "rngsubopc": Int4, "rngcanonical": Text, "rngsubdiff": Text),
    table!("pg_sequence", none, "seqrelid": Int4, "seqtypid": Int4, "seqstart": Int8, "seqincrement": Int8, "seqmax": Int8, "seqmin": Int8, "seqcache": Int8, "seqcycle": Bool),
    table!("pg_sequences", none, "schemaname": Text, "sequencename": Text, "sequenceowner": Text, "increment_by": Int8, "last_value": Int8, "cycle": Bool, "start_value": Int8, "max_value": Int8, "min_value": Int8),
    table!("pg_shadow", shadow, "usename": Text, "usesysid": Int4, "usecreatedb": Bool, "usesuper": Bool, "userepl": Bool, "usebypassrls": Bool, "passwd": Text, "valuntil": Tz, "useconfig": Texts),
    table!("pg_shdescription", none, "objoid": Int4, "classoid": Int4, "description": Text),
    table!("pg_stat_activity", none, "pid": Int4, "datid": Int4, "leader_pid": Int4, "datname": Text, "usesysid": Int4, "usename": Text, "application_name": Text, "client_addr": Text, "client_hostname": Text, "client_port": Int2, "state": Text, "query": Text),
    table!("pg_stat_user_tables", none, "relid": Int4, "schemaname": Text, "relname": Text, "seq_scan": Int8, "n_live_tup": Int8),
    table!("pg_statistic_ext", none, "oid": Int4, "stxrelid": Int4, "stxname": Text),
    table!("pg_subscription", none, "oid": Int4, "subdbid": Int4, "subname": Text),
    table!("pg_tablespace", none, "oid": Int4, "spcname": Text, "spcowner": Int4, "spcacl": Text, "spcoptions": Text),
    table!("pg_timezone_names", none, "name": Text, "abbrev": Text, "is_dst": Bool),
    table!("pg_trigger", none, "oid": Int4, "tgrelid": Int4, "tgparentid": Int4, "tgname": Text, "tgfoid": Int4, "tgtype": Int2, "tgenabled": Text, "tgisinternal": Bool, "tgconstrrelid": Int4, "tgconstrindid": Int4, "tgconstraint": Int4, "tgdeferrable": Bool, "tginitdeferred": Bool, "tgnargs": Int2, "tgattr": Int2s, "tgargs": Bytes, "tgqual": Text, "tgoldtable": Text, "tgnewtable": Text),
];

fn owner<'a>(context: &'a Context<'_>, object: &Object) -> &'a str {
    context
        .catalog
        .users
        .get(&object.owner)
        .map_or("root", |u| u.name.as_str())
}

fn relkind(kind: Kind) -> &'static str {
    match kind {
        Kind::View => "v",
        Kind::MaterializedView => "m",
        Kind::Index => "i",
        Kind::Source => "x",
        Kind::Sink => "s",
        Kind::Subscription => "u",
        _ => "r",
    }
}

fn class(context: &Context<'_>) -> Rows {
    let class = |id: Cell, name: &str, schema: Cell, owner: Cell, kind: &str| {
        vec![
            id,
            name.into(),
            schema,
            owner,
            "p".into(),
            kind.into(),
            Cell::Int(0),
            Cell::Int(0),
            Cell::Int(0),
            Cell::Texts(Vec::new()),
            Cell::Bool(false),
            Cell::Null,
        ]
    };
    let own = context.relations().map(|o| {
        class(
            o.id.into(),
            &o.name,
            o.schema.into(),
            o.owner.into(),
            relkind(o.kind()),
        )
    });
    let system = super::tables().map(|t| {
        class(
            super::system_id(t).into(),
            t.name,
            schema_id(t.schema).into(),
            1_i64.into(),
            "r",
        )
    });
    own.chain(system).collect()
}

fn namespace(context: &Context<'_>) -> Rows {
    let own = context
        .catalog
        .schemas
        .values()
        .map(|s| row![s.id, s.name.as_str(), s.owner, Cell::Null]);
    let system = system_schemas()
        .into_iter()
        .filter(|(_, name)| *name != "rwt_engine")
        .map(|(id, name)| row![id, name, 1_i64, Cell::Null]);
    own.chain(system).collect()
}

fn attribute(context: &Context<'_>) -> Rows {
    let mut rows = Vec::new();
    for object in context.relations() {
        let mut visible = object
            .columns
            .iter()
            .filter(|c| !c.hidden)
            .collect::<Vec<_>>();
        if object.kind() == Kind::Index {
            visible.clear();
            if let Body::Index(index) = &object.body {
                visible.extend(
                    index
                        .columns
                        .iter()
                        .filter_map(|(p, ..)| object.columns.get((*p)?)),
                );
            }
        }
        for (i, column) in visible.into_iter().enumerate() {
            rows.push(attribute_row(
                object.id.into(),
                &column.name,
                &column.data_type.to_string(),
                i + 1,
                column.generated.is_some(),
            ));
        }
    }
    for table in super::tables() {
        for (i, (name, t)) in table.columns.iter().enumerate() {
            rows.push(attribute_row(
                super::system_id(table).into(),
                name,
                &t.data_type().to_string(),
                i + 1,
                false,
            ));
        }
    }
    rows
}

fn attribute_row(
    relation: Cell,
    name: &str,
    data_type: &str,
    position: usize,
    generated: bool,
) -> Vec<Cell> {
    vec![
        relation,
        name.into(),
        type_oid(data_type).into(),
        type_len(data_type).into(),
        position.into(),
        // RisingWave says so of every column
        Cell::Bool(false),
        Cell::Bool(false),
        Cell::Bool(false),
        "".into(),
        if generated { "s" } else { "" }.into(),
        Cell::Int(-1),
        Cell::Null,
        Cell::Int(0),
        Cell::Int(i64::from(data_type.ends_with("[]"))),
    ]
}

fn positions(indexes: impl Iterator<Item = usize>) -> Cell {
    Cell::Int2s(indexes.filter_map(|i| i16::try_from(i + 1).ok()).collect())
}

fn index(context: &Context<'_>) -> Rows {
    let row = |id: u32, table: u32, all: usize, keys: usize, primary: bool, key: Cell| {
        row![
            id,
            table,
            all,
            keys,
            primary,
            key,
            Cell::Int2s(vec![0; keys]),
            Cell::Null,
            Cell::Null,
            true,
            primary,
            false,
            true,
            false,
        ]
    };
    let mut rows = Vec::new();
    for object in context.catalog.objects.values() {
        match &object.body {
            Body::Index(index) => rows.push(row(
                object.id,
                index.table,
                index.columns.len() + index.include.len(),
                index.columns.len(),
                false,
                positions(index.columns.iter().filter_map(|(p, ..)| *p)),
            )),
            Body::Table(table) if !table.key.is_empty() => rows.push(row(
                object.id,
                object.id,
                table.key.len(),
                table.key.len(),
                true,
                positions(table.key.iter().copied()),
            )),
            _ => {}
        }
    }
    rows
}

fn indexes(context: &Context<'_>) -> Rows {
    let mut rows = Vec::new();
    for object in context.catalog.objects.values() {
        let schema = context.catalog.schema_name(object.schema);
        match &object.body {
            Body::Index(index) => {
                if let Some(table) = context.catalog.get(index.table) {
                    rows.push(row![
                        schema,
                        table.name.as_str(),
                        object.name.as_str(),
                        Cell::Null,
                        object.definition.to_string(),
                    ]);
                }
            }
            Body::Table(table) if !table.key.is_empty() => rows.push(row![
                schema,
                object.name.as_str(),
                format!("{}_pkey", object.name),
                Cell::Null,
                "",
            ]),
            _ => {}
        }
    }
    rows
}

fn database(context: &Context<'_>) -> Rows {
    context
        .catalog
        .databases
        .iter()
        .map(|(id, name)| {
            row![
                *id,
                name.as_str(),
                1_i64,
                6_i64,
                "C",
                "C",
                false,
                true,
                -1_i64,
                1663_i64,
                Cell::Null,
            ]
        })
        .collect()
}

fn roles(context: &Context<'_>) -> Rows {
    context
        .catalog
        .users
        .values()
        .map(|u| {
            row![
                u.id,
                u.name.as_str(),
                u.superuser,
                true,
                u.superuser,
                u.create_db,
                u.login,
                true,
                -1_i64,
                Cell::Null,
                true,
                "********",
                Cell::Null,
            ]
        })
        .collect()
}

fn user(context: &Context<'_>) -> Rows {
    context
        .catalog
        .users
        .values()
        .map(|u| row![u.id, u.name.as_str(), u.create_db, u.superuser, "********"])
        .collect()
}

fn shadow(context: &Context<'_>) -> Rows {
    context
        .catalog
        .users
        .values()
        .map(|u| {
            row![
                u.name.as_str(),
                u.id,
                u.create_db,
                u.superuser,
                false,
                false,
                Cell::Null,
                Cell::Null,
                Cell::Null,
            ]
        })
        .collect()
}

fn types(_: &Context<'_>) -> Rows {
    let array_of = |oid: i32| {
        TYPES
            .iter()
            .find(|(_, _, _, element)| *element == oid)
            .map_or(0, |(o, ..)| *o)
    };
    TYPES
        .iter()
        .map(|(oid, name, _, element)| {
            row![
                i64::from(*oid),
                *name,
                i64::from(*element),
                i64::from(array_of(*oid)),
                if *element == 0 { "" } else { "array_in" },
                // RisingWave says 0 of every type
                0_i64,
                false,
                0_i64,
                -1_i64,
                0_i64,
                schema_id("pg_catalog"),
                "b",
                0_i64,
                Cell::Null,
                Cell::Null,
                Cell::Null,
            ]
        })
        .collect()
}

/// Every stored relation has a key of its own, under its name and `_pkey`.
fn constraint(context: &Context<'_>) -> Rows {
    context
        .relations()
        .filter_map(|o| {
            let key = match &o.body {
                Body::Table(table) => table.key.clone(),
                Body::MaterializedView(view) => view.key.clone(),
                Body::Index(index) => index.columns.iter().filter_map(|(p, ..)| *p).collect(),
                _ => return None,
            };
            Some(row![
                o.id,
                format!("{}_pkey", o.name),
                o.schema,
                "p",
                false,
                true,
                o.id,
                0_i64,
                o.id,
                0_i64,
                0_i64,
                true,
                0_i64,
                true,
                positions(key.into_iter()),
                Cell::Null,
            ])
        })
        .collect()
}

fn description(context: &Context<'_>) -> Rows {
    let mut rows = Vec::new();
    let class = super::object_id(Some("rw_catalog"), "rw_tables").map(i64::from);
    for object in context.catalog.objects.values() {
        if object.kind() == Kind::MaterializedView {
            // comments on materialized views are stored and not shown, as in RisingWave
            continue;
        }
        if let Some(comment) = &object.comment {
            rows.push(row![object.id, class, 0_i64, comment.as_str()]);
        }
        for (i, column) in object.columns.iter().enumerate() {
            if let Some(comment) = &column.comment {
                rows.push(row![object.id, class, i + 1, comment.as_str()]);
            }
        }
    }
    rows
}

fn pg_tables(context: &Context<'_>) -> Rows {
    context
        .catalog
        .of_kind(Kind::Table)
        .map(|o| {
            row![
                context.catalog.schema_name(o.schema),
                o.name.as_str(),
                owner(context, o),
                Cell::Null,
            ]
        })
        .chain(super::tables().map(|t| row![t.schema, t.name, "root", Cell::Null]))
        .collect()
}

fn views(context: &Context<'_>) -> Rows {
    context
        .catalog
        .of_kind(Kind::View)
        .map(|o| {
            row![
                context.catalog.schema_name(o.schema),
                o.name.as_str(),
                owner(context, o),
                o.definition.to_string(),
            ]
        })
        .collect()
}

fn matviews(context: &Context<'_>) -> Rows {
    context
        .catalog
        .of_kind(Kind::MaterializedView)
        .map(|o| {
            row![
                context.catalog.schema_name(o.schema),
                o.name.as_str(),
                o.owner,
                o.definition.to_string(),
            ]
        })
        .collect()
}

fn settings(context: &Context<'_>) -> Rows {
    let mut names: Vec<(&String, &String)> = context.reading.settings.variables.iter().collect();
    names.sort();
    names
        .into_iter()
        .filter(|(name, _)| *name != "datestyle" && *name != "intervalstyle")
        .map(|(name, value)| row![name.as_str(), value.as_str(), "session", "user"])
        .collect()
}
