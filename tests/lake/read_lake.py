"""Reads every table of a lake folder with PyIceberg and with DuckDB and prints what they saw as JSON.

    python read_lake.py <lake folder>

    {"public.t": {"pyiceberg": {"rows": 3, "columns": {"id": {...}, ...}}, "duckdb": {...}}, ...}

The two readers share nothing but the files. For a column the summary is, by its Iceberg type (all values are text or numbers,
independent of row order; NULLs count only in `rows` minus `non_null`):

    always                    non_null
    int, long                 sum, min, max                                  decimal text
    boolean                   true: how many
    float, double             min, max, nan: NaNs are left out of min and max
    decimal                   sum, min, max     decimal text without trailing zeros: 1.5, 0, -3
    date, time                min, max          ISO text: 2024-05-06, 07:08:09.123456 (fraction without trailing zeros)
    timestamp, timestamptz    min, max          2024-05-06 07:08:09.123456, timestamptz in UTC without the offset
    string                    length: characters in all, min, max             by code point
    binary                    length: bytes in all
    list                      items: in all
    struct, map               nothing more

so that SQL can say the same: count(c), sum(c), min(c), max(c), sum(length(c)), sum(cardinality(c)).
"""

import datetime
import decimal
import json
import math
import pathlib
import sqlite3
import sys

decimal.getcontext().prec = 76


def number(value):
    text = format(decimal.Decimal(value), "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) if value else "0"


def instant(value):
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
        text = value.isoformat(" ")
    else:
        text = value.isoformat()
    return text.rstrip("0") if "." in text else text


def summary(kind, values):
    """The summary of one column, given its non-null values."""
    result = {"non_null": len(values)}
    if kind in ("int", "long") or kind.startswith("decimal"):
        result["sum"] = number(sum(values))
        write = number
    elif kind == "boolean":
        result["true"] = sum(1 for value in values if value)
        return result
    elif kind in ("float", "double"):
        result["nan"] = sum(1 for value in values if math.isnan(value))
        values = [value for value in values if not math.isnan(value)]
        write = str if any(map(math.isinf, values)) else float
    elif kind in ("date", "time", "timestamp", "timestamptz"):
        write = instant
    elif kind == "string":
        result["length"] = sum(map(len, values))
        write = str
    elif kind == "binary":
        result["length"] = sum(map(len, values))
        return result
    elif kind.startswith("list"):
        result["items"] = sum(map(len, values))
        return result
    elif kind.startswith(("struct", "map")):
        return result
    else:
        raise SystemExit(f"no summary is defined for the type {kind}")
    result["min"] = write(min(values)) if values else None
    result["max"] = write(max(values)) if values else None
    return result


def summaries(kinds, rows, columns):
    return {
        "rows": rows,
        "columns": {name: summary(kind, [v for v in columns[name] if v is not None]) for name, kind in kinds.items()},
    }


def with_pyiceberg(table, kinds):
    arrow = table.scan().to_arrow()
    return summaries(kinds, arrow.num_rows, {name: arrow.column(name).to_pylist() for name in kinds})


def duckdb_connection():
    import duckdb
    import duckdb_extension_avro
    import duckdb_extension_iceberg

    connection = duckdb.connect()
    for module in (duckdb_extension_avro, duckdb_extension_iceberg):
        folder = pathlib.Path(module.__file__).parent
        (extension,) = folder.rglob("*.duckdb_extension")
        connection.execute("LOAD '" + str(extension).replace("'", "''") + "'")
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def with_duckdb(connection, metadata, kinds):
    result = connection.execute("SELECT * FROM iceberg_scan(?)", [metadata])
    names = [column[0] for column in result.description]
    rows = result.fetchall()
    return summaries(kinds, len(rows), {name: [row[i] for row in rows] for i, name in enumerate(names)})


def main(lake):
    from pyiceberg.catalog.sql import SqlCatalog

    database = lake / "catalog.db"
    # The catalog's name is part of its key.
    catalog = SqlCatalog("rwt", uri=f"sqlite:///{database}", warehouse=f"file://{lake / 'warehouse'}")
    with sqlite3.connect(database) as connection:
        recorded = connection.execute("SELECT table_namespace, table_name, metadata_location FROM iceberg_tables").fetchall()
    connection.close()
    listed = {name for namespace in catalog.list_namespaces() for name in catalog.list_tables(namespace)}
    if listed != {(namespace, name) for namespace, name, _ in recorded}:
        raise SystemExit(f"PyIceberg lists {sorted(listed)}, the catalog holds {recorded}")

    duck = duckdb_connection()
    report = {}
    for namespace, name, _ in sorted(recorded):
        table = catalog.load_table((namespace, name))
        kinds = {field.name: str(field.field_type) for field in table.schema().fields}
        report[f"{namespace}.{name}"] = {
            "pyiceberg": with_pyiceberg(table, kinds),
            "duckdb": with_duckdb(duck, table.metadata_location, kinds),
        }
    json.dump(report, sys.stdout, indent=1, ensure_ascii=False)
    print()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(pathlib.Path(sys.argv[1]).resolve())
