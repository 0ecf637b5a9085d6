"""Puts a running engine through its paces with psycopg, which speaks the extended protocol, in text and in binary.

    python postgres_clients.py PORT

Exits with an error at the first thing that is not as it should be.
"""

import datetime
import decimal
import sys

import psycopg


def same(found, expected, what):
    if found != expected:
        raise AssertionError(f"{what}: {found!r} instead of {expected!r}")


COLUMNS = {
    "flag": "boolean",
    "small": "smallint",
    "whole": "integer",
    "big": "bigint",
    "share": "double precision",
    "amount": "numeric",
    "name": "varchar",
    "day": "date",
    "at": "timestamp",
    "at_zone": "timestamptz",
}

ROWS = [
    (
        True,
        -7,
        2_147_483_647,
        -9_223_372_036_854_775_808,
        0.5,
        decimal.Decimal("12.34"),
        "it's a naïve \"name\"; drop table t",
        datetime.date(2026, 2, 14),
        datetime.datetime(2026, 2, 14, 12, 0, 1, 250_000),
        datetime.datetime(2026, 2, 14, 12, 0, 1, tzinfo=datetime.timezone.utc),
    ),
    (None,) * len(COLUMNS),
]


def types(connection, binary):
    table = "psycopg_binary" if binary else "psycopg_text"
    with connection.cursor(binary=binary) as cursor:
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        cursor.execute(f"create table {table} (id integer primary key, {columns})")
        marks = ", ".join(["%b" if binary else "%s"] * (len(COLUMNS) + 1))
        for number, row in enumerate(ROWS):
            cursor.execute(f"insert into {table} values ({marks})", (number, *row))
            same(cursor.rowcount, 1, "rows of an INSERT")
        cursor.execute("flush")
        cursor.execute(f"select {', '.join(COLUMNS)} from {table} order by id")
        same([column.name for column in cursor.description], list(COLUMNS), "names")
        same(cursor.fetchall(), ROWS, "rows")
        cursor.execute(f"select name from {table} where id = %s and big < %s", (0, 0))
        same(cursor.fetchall(), [(ROWS[0][6],)], "a row by parameters")
        cursor.execute(f"drop table {table}")


def many(connection):
    with connection.cursor() as cursor:
        cursor.execute("create table psycopg_many (id integer primary key, name varchar)")
        cursor.executemany("insert into psycopg_many values (%s, %s)", [(i, f"n{i}") for i in range(200)])
        cursor.execute("flush")
        # Beyond psycopg's threshold the statement is prepared on the server.
        for i in range(10):
            cursor.execute("select name from psycopg_many where id = %s", (i,))
            same(cursor.fetchone(), (f"n{i}",), "a prepared row")
        cursor.execute("update psycopg_many set name = %s where id < %s", ("changed", 50))
        same(cursor.rowcount, 50, "rows of an UPDATE")
        cursor.execute("delete from psycopg_many where id >= %s", (100,))
        same(cursor.rowcount, 100, "rows of a DELETE")
        cursor.execute("flush")
        cursor.execute("select count(*), count(distinct name) from psycopg_many")
        same(cursor.fetchone(), (100, 51), "counts")
        cursor.execute("drop table psycopg_many")


def errors(connection):
    for sql in ["select * from no_such_table", "selec 1", "select 'a'::int"]:
        try:
            connection.execute(sql)
        except psycopg.Error as error:
            if not error.sqlstate:
                raise AssertionError(f"{sql}: an error without SQLSTATE")
        else:
            raise AssertionError(f"{sql}: no error")
        # The connection goes on.
        same(connection.execute("select 1").fetchone(), (1,), "a query after an error")


def main(port):
    with psycopg.connect(f"host=127.0.0.1 port={port} user=root dbname=dev", autocommit=True) as connection:
        types(connection, binary=False)
        types(connection, binary=True)
        many(connection)
        errors(connection)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
