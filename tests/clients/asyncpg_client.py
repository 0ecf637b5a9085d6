"""Puts a running engine through its paces with asyncpg, which prepares every statement and speaks the binary format.

    python asyncpg_client.py PORT

Arrays are left out: asyncpg asks for their types in a way that RisingWave refuses.
"""

import asyncio
import datetime
import decimal
import sys

import asyncpg

UTC = datetime.timezone.utc
VALUES = [
    ("boolean", True),
    ("smallint", -32768),
    ("integer", 2147483647),
    ("bigint", -(2**63)),
    ("real", 0.5),
    ("double precision", 0.1),
    ("numeric", decimal.Decimal("-12.340")),
    ("numeric", decimal.Decimal("99999999999999999999.12")),
    ("varchar", "naïve 𝄞"),
    ("bytea", b"\x00\xff"),
    ("date", datetime.date(1999, 12, 31)),
    ("time", datetime.time(23, 59, 59, 999999)),
    ("timestamp", datetime.datetime(1999, 12, 31, 23, 59, 59, 999999)),
    ("timestamptz", datetime.datetime(2026, 1, 1, 12, tzinfo=UTC)),
    ("interval", datetime.timedelta(days=1, hours=2)),
    ("jsonb", '{"a":[1,null]}'),
]


def same(found, expected, what):
    if found != expected:
        raise AssertionError(f"{what}: {found!r} instead of {expected!r}")


async def fails(awaitable, text):
    try:
        await awaitable
    except asyncpg.PostgresError as error:
        same(text in str(error), True, f"{text!r} in {str(error)!r}")
    else:
        raise AssertionError(f"{text}: no error")


async def main(port):
    connection = await asyncpg.connect(host="127.0.0.1", port=int(port), user="root", database="dev")
    for kind, value in VALUES:
        for given in (value, None):
            same(await connection.fetchval(f"select $1::{kind}", given), given, kind)
    not_a_number = await connection.fetchval("select $1::numeric", decimal.Decimal("NaN"))
    same(not_a_number.is_nan(), True, "numeric NaN")
    same(tuple(await connection.fetchval("select row(1, 'a', null)")), (1, "a", None), "a row")

    await connection.execute("create table asyncpg_rows (id integer primary key, name varchar)")
    await connection.executemany("insert into asyncpg_rows values ($1, $2)", [(i, f"n{i}") for i in range(100)])
    await connection.execute("flush")
    statement = await connection.prepare("select name from asyncpg_rows where id = $1")
    same([kind.name for kind in statement.get_parameters()], ["int4"], "types of parameters")
    same([await statement.fetchval(i) for i in (1, 99, 100)], ["n1", "n99", None], "a prepared statement")
    async with connection.transaction(readonly=True):
        same(await connection.fetchval("select count(*) from asyncpg_rows"), 100, "in a read-only transaction")
        rows = [row["id"] async for row in connection.cursor("select id from asyncpg_rows order by id", prefetch=1000)]
        same(rows, list(range(100)), "a cursor")

    await fails(connection.fetch("select nope"), "Invalid column: nope")
    await fails(connection.fetch("select 1 / $1", 0), "Division by zero")
    await connection.execute("set statement_timeout = '500ms'")
    await fails(connection.fetch("select pg_sleep(20)"), "Query cancelled: timeout after 0.5 seconds")
    await connection.execute("set statement_timeout = 0")
    try:
        await connection.fetch("select pg_sleep(20)", timeout=0.5)
    except TimeoutError:
        pass
    else:
        raise AssertionError("a cancelled query ended without an error")
    same(await connection.fetchval("select 1"), 1, "a query after a cancelled one")
    await connection.execute("drop table asyncpg_rows")
    await connection.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    asyncio.run(main(sys.argv[1]))
