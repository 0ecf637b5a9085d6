"""Puts a running engine through its paces with SQLAlchemy over psycopg2 and pg8000, in the dialect of PostgreSQL.

    python sqlalchemy_client.py PORT

Columns are not reflected, and psycopg 3 is not below SQLAlchemy: RisingWave refuses what they ask for.
"""

import datetime
import decimal
import sys

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

UTC = datetime.timezone.utc
COLUMNS = {
    "amount": (sa.Numeric, decimal.Decimal("1.50")),
    "at": (sa.DateTime, datetime.datetime(2026, 1, 2, 3, 4, 5, 6)),
    "at_zone": (sa.DateTime(timezone=True), datetime.datetime(2026, 1, 2, tzinfo=UTC)),
    "big": (sa.BigInteger, 2**40),
    "bytes": (sa.LargeBinary, b"\x00\xff"),
    "day": (sa.Date, datetime.date(2026, 1, 2)),
    "document": (JSONB, {"a": [1, None]}),
    "flag": (sa.Boolean, True),
    "name": (sa.String, "it's a naïve \"name\""),
    "numbers": (ARRAY(sa.Integer), [1, 2]),
    "share": (sa.Float, 0.5),
    "small": (sa.SmallInteger, -3),
    "time": (sa.Time, datetime.time(1, 2, 3)),
}


def same(found, expected, what):
    if found != expected:
        raise AssertionError(f"{what}: {found!r} instead of {expected!r}")


def main(port, driver):
    engine = sa.create_engine(f"postgresql+{driver}://root@127.0.0.1:{port}/dev")
    metadata = sa.MetaData()
    columns = [sa.Column(name, kind) for name, (kind, _) in COLUMNS.items()]
    table = sa.Table(f"of_{driver}", metadata, sa.Column("id", sa.Integer, primary_key=True, autoincrement=False), *columns)
    metadata.create_all(engine)
    # The second time it sees that the table is there.
    metadata.create_all(engine)
    row = {name: value for name, (_, value) in COLUMNS.items()}
    with engine.begin() as connection:
        connection.execute(sa.insert(table), [{"id": i, **row} for i in range(20)])
        connection.execute(sa.insert(table), {"id": 20})
        connection.execute(sa.text("flush"))
    with engine.connect() as connection:
        found = connection.execute(sa.select(table).where(table.c.id.in_([3, 20])).order_by(table.c.id)).mappings().all()
        same(dict(found[0]), {"id": 3, **row}, "a row")
        same(dict(found[1]), {"id": 20, **dict.fromkeys(row)}, "a row of NULLs")
        before = table.c.at < datetime.datetime(2027, 1, 1)
        same(connection.execute(sa.select(sa.func.count()).where(before, table.c.name.contains("it's", autoescape=True))).scalar(), 20, "a count")
        same(connection.execute(sa.select(table.c.name).where(table.c.name.like("it/%", escape="/"))).all(), [], "LIKE … ESCAPE")
        try:
            connection.execute(sa.text("select nope"))
        except sa.exc.DBAPIError as error:
            same("Invalid column: nope" in str(error), True, str(error))
        else:
            raise AssertionError("an unknown column is no error")
        same(connection.execute(sa.text("select 1")).scalar(), 1, "a query after an error")
    with engine.begin() as connection:
        same(connection.execute(sa.update(table).where(table.c.id < 5).values(name="x")).rowcount, 5, "rows of an UPDATE")
        same(connection.execute(sa.delete(table).where(table.c.id >= 10)).rowcount, 11, "rows of a DELETE")
    inspector = sa.inspect(engine)
    same("public" in inspector.get_schema_names(), True, "schemas")
    same(table.name in inspector.get_table_names(), True, "tables")
    same(inspector.get_view_names(), [], "views")
    same((inspector.has_table(table.name), inspector.has_table("nope")), (True, False), "has_table")
    same(inspector.get_pk_constraint(table.name)["constrained_columns"], ["id"], "the key")
    same((inspector.get_foreign_keys(table.name), inspector.get_table_comment(table.name)), ([], {"text": None}), "keys and comments")
    metadata.drop_all(engine)
    same(sa.inspect(engine).has_table(table.name), False, "a dropped table")
    engine.dispose()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    for name in ("psycopg2", "pg8000"):
        main(sys.argv[1], name)
