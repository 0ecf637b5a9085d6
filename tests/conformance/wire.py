"""A PostgreSQL-wire server that has no engine: it keeps a catalog of what DDL made and answers dbt's catalog queries from it.

Every other statement is logged and answered with a tag, or with the rows that the case gives for it.
"""

import re
import socket
import socketserver
import struct
import threading

OIDS = {"int4": 23, "int8": 20, "text": 25, "varchar": 1043, "bool": 16, "float8": 701, "numeric": 1700, "date": 1082, "timestamp": 1114}

# A type as SQL spells it, to the type of a column.
TYPES = {"int": "int4", "integer": "int4", "bigint": "int8", "varchar": "varchar", "string": "varchar", "boolean": "bool", "numeric": "numeric", "timestamp": "timestamp", "date": "date"}

NAME = r'((?:"[^"]+"|[\w$]+)(?:\s*\.\s*(?:"[^"]+"|[\w$]+))*)'
KINDS = r"(source|table|sink|materialized\s+view|view|connection|secret|subscription|schema|function)"
CREATE = re.compile(rf"\s*create\s+(?:or\s+replace\s+)?{KINDS}\s+(?:if\s+not\s+exists\s+)?{NAME}", re.I)
CREATE_INDEX = re.compile(rf"\s*create\s+index\s+(?:if\s+not\s+exists\s+)?{NAME}\s+on\s+{NAME}\s*\(([^)]*)\)", re.I)
DROP = re.compile(rf"\s*drop\s+(?:{KINDS}|index)\s+(?:if\s+exists\s+)?{NAME}", re.I)
RENAME = re.compile(rf"\s*alter\s+(\w+(?:\s+view)?)\s+{NAME}\s+rename\s+to\s+{NAME}", re.I)
SWAP = re.compile(rf"\s*alter\s+(\w+(?:\s+view)?)\s+{NAME}\s+swap\s+with\s+{NAME}", re.I)
GRANT = re.compile(rf"\s*(grant|revoke)\s+(\w+)\s+on\s+(?:materialized\s+view|\w+)\s+{NAME}\s+(?:to|from)\s+(.*)", re.I | re.S)


def strip_comments(sql: str) -> str:
    return re.sub(r"^(?:\s+|--[^\n]*\n?|/\*.*?\*/)*", "", sql, flags=re.S)


def split(sql: str) -> list[str]:
    """Statements of a message: `;` outside of quotes, dollar quotes and comments."""
    pieces, start, i = [], 0, 0
    while i < len(sql):
        if sql[i] in "'\"":
            i = sql.find(sql[i], i + 1)
            i = len(sql) if i < 0 else i + 1
        elif sql.startswith("$$", i):
            i = sql.find("$$", i + 2)
            i = len(sql) if i < 0 else i + 2
        elif sql.startswith("--", i):
            i = sql.find("\n", i)
            i = len(sql) if i < 0 else i
        elif sql.startswith("/*", i):
            i = sql.find("*/", i)
            i = len(sql) if i < 0 else i + 2
        elif sql[i] == ";":
            pieces.append(sql[start:i])
            i += 1
            start = i
        else:
            i += 1
    pieces.append(sql[start:])
    return [piece for piece in (strip_comments(piece) for piece in pieces) if piece.strip()]


class Catalog:
    def __init__(self, schema: str, columns: dict, answers: list):
        self.schema = schema
        self.columns = columns
        self.answers = answers
        self.schemas = ["public", "pg_catalog", "information_schema", "rw_catalog"]
        self.relations: dict = {}
        self.indexes: dict = {}
        self.grants: dict = {}

    def key(self, name: str) -> tuple:
        parts = [part.strip().strip('"') for part in re.findall(r'"[^"]+"|[\w$]+', name)]
        return (parts[-2] if len(parts) > 1 else self.schema, parts[-1])

    def apply(self, sql: str) -> str:
        if match := CREATE_INDEX.match(sql):
            index, relation = self.key(match[1]), self.key(match[2])
            columns = [column.strip().strip('"') for column in match[3].split(",")]
            self.indexes[(relation[0], index[1])] = [relation[1], columns]
            return "CREATE_INDEX"
        if match := CREATE.match(sql):
            kind = re.sub(r"\s+", " ", match[1].lower())
            if kind == "schema":
                self.schemas.append(match[2].strip('"'))
            else:
                self.relations[self.key(match[2])] = kind
            return "CREATE_" + kind.replace(" ", "_").upper()
        if match := DROP.match(sql):
            key = self.key(match[2])
            self.relations.pop(key, None)
            self.grants.pop(key, None)
            self.indexes.pop(key, None)
            for index in [name for name, (relation, _) in self.indexes.items() if (name[0], relation) == key]:
                self.indexes.pop(index)
            return "DROP_" + sql.split()[1].upper()
        if match := RENAME.match(sql):
            old, new = self.key(match[2]), self.key(match[3])
            new = (old[0], new[1])
            if match[1].lower() == "index":
                self.indexes[new] = self.indexes.pop(old)
            elif old in self.relations:
                self.relations[new] = self.relations.pop(old)
                self.grants[new] = self.grants.pop(old, [])
                self.reown({old: new})
            return "ALTER_" + match[1].upper().replace(" ", "_")
        if match := SWAP.match(sql):
            first, second = self.key(match[2]), self.key(match[3])
            for store in (self.relations, self.grants):
                a, b = store.get(first), store.get(second)
                for key, value in ((first, b), (second, a)):
                    store.pop(key, None) if value is None else store.__setitem__(key, value)
            self.reown({first: second, second: first})
            return "ALTER_" + match[1].upper().replace(" ", "_")
        if match := GRANT.match(sql):
            held = self.grants.setdefault(self.key(match[3]), [])
            for user in re.split(r"\s*,\s*", match[4].strip()):
                entry = (user.strip('"'), match[2].lower())
                if match[1].lower() == "grant" and entry not in held:
                    held.append(entry)
                elif match[1].lower() == "revoke" and entry in held:
                    held.remove(entry)
            return match[1].upper() + "_PRIVILEGE"
        return re.split(r"\W", sql.strip(), maxsplit=1)[0].upper()

    def reown(self, names: dict) -> None:
        for (schema, _), entry in self.indexes.items():
            new = names.get((schema, entry[0]))
            if new:
                entry[0] = new[1]

    def query(self, sql: str):
        """Columns and rows for one of dbt's own catalog queries; None if it is none."""
        text = re.sub(r"\s+", " ", sql).strip()

        def literal(pattern):
            found = re.search(pattern + r" ?= ?'((?:[^']|'')*)'", text)
            return found[1].replace("''", "'") if found else ""

        if text.startswith("select distinct nspname from pg_namespace"):
            return [("nspname", "text")], [[name] for name in self.schemas]
        if "select 1" in text[:200] and "pg_namespace" in text or "count(*) from pg_namespace" in text:
            return [("count", "int8")], [[1]]
        if text.startswith("with rw_schema_relations"):
            schema = literal("rw_schemas.name")
            known = ("table", "view", "source", "sink", "subscription", "materialized view", "function")
            rows = [["dev", name, at, kind.replace(" ", "_")] for (at, name), kind in sorted(self.relations.items()) if at == schema and kind in known]
            rows += [["dev", name, at, "index"] for (at, name) in sorted(self.indexes) if at == schema]
            return [(c, "text") for c in ("database", "name", "schema", "type")], rows
        if "from rw_catalog.rw_connections c" in text:
            found = any(name == literal("c.name") and kind == "connection" for (_, name), kind in self.relations.items())
            return [("?column?", "int4")], [[1]] if found else []
        if "from rw_catalog.rw_secrets s" in text:
            found = self.relations.get((literal("sc.name"), literal("s.name"))) == "secret"
            return [("?column?", "int4")], [[1]] if found else []
        if "information_schema" in text.lower() and "column_name, data_type" in text:
            table = literal("table_name")
            table = re.sub(r"(_dbt_zero_down_tmp_.*|__dbt_tmp.*)$", "", table) if table not in self.columns else table
            rows = [[name, kind, None, None, None] for name, kind in self.columns.get(table, [])]
            names = ("column_name", "data_type", "character_maximum_length", "numeric_precision", "numeric_scale")
            return [(name, "text") for name in names], rows
        if text.startswith("with index_info as"):
            table = literal("t.relname")
            schema = literal("n.nspname")
            rows = [[name, ",".join(columns)] for (at, name), (relation, columns) in sorted(self.indexes.items()) if at == schema and relation == table]
            return [("name", "text"), ("column_names", "text")], rows
        if text.startswith("select t.relname as parent_name"):
            found = self.indexes.get((literal("n.nspname"), literal("i.relname")))
            return [("parent_name", "text")], [[found[0]]] if found else []
        if text.startswith("with relation_acl"):
            name = literal("rw_relations.name") or literal("rw_secrets.name")
            held = self.grants.get((literal("rw_schemas.name"), name), [])
            return [("grantee", "text"), ("privilege_type", "text")], [list(entry) for entry in held]
        if text.startswith("select rw_tables.name from rw_catalog.rw_tables"):
            prefix = re.search(r"starts_with\(rw_tables.name, '([^']*)'", text)[1]
            rows = [[name] for (_, name), kind in self.relations.items() if kind == "table" and name.startswith(prefix)]
            return [("name", "text")], rows
        if text.startswith("select exists ( select 1 from rw_catalog."):
            return [("exists", "bool")], [["f"]]
        if text.startswith("select distinct coalesce(dependent_relation"):
            return [("dependent_type", "text"), ("dependent_name", "text")], []
        if text.lower().startswith("show processlist"):
            return [("Id", "text"), ("Info", "text")], [["1:1", "SHOW PROCESSLIST"]]
        return None

    def answer(self, sql: str):
        """Columns and rows for a query of the case's own."""
        text = re.sub(r"\s+", " ", sql).strip()
        asks = re.match(r"(select|with|show|values|explain|describe)\b", text, re.I)
        for answer in self.answers:
            if asks and answer["contains"] in text:
                return [tuple(column) for column in answer["columns"]], answer["rows"]
        if "__dbt_sbq where false" in text and re.search(r"from \( select cast\(null as", text):
            found = re.findall(r'cast\(null as (.*?)\) as ("[^"]+"|\w+)(?=,| \) as __dbt_sbq)', text)
            return [(name.strip('"'), TYPES.get(kind.split("(")[0].strip().lower(), "text")) for kind, name in found], []
        if re.match(r"select count\(\*\) as failures|select .* as failures, .* as should_warn", text, re.S):
            return [("failures", "int8"), ("should_warn", "bool"), ("should_error", "bool")], [[0, "f", "f"]]
        if asks:
            return [("?column?", "int4")], []
        return None


class Handler(socketserver.BaseRequestHandler):
    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            chunk = self.request.recv(size - len(data))
            if not chunk:
                raise ConnectionError
            data += chunk
        return data

    def send(self, kind: bytes, body: bytes = b"") -> None:
        self.request.sendall(kind + struct.pack("!I", len(body) + 4) + body)

    def ready(self) -> None:
        self.send(b"Z", self.status)

    def handle(self) -> None:
        self.status = b"I"
        try:
            self.startup()
            while True:
                kind = self.read(1)
                body = self.read(struct.unpack("!I", self.read(4))[0] - 4)
                if kind == b"X":
                    return
                if kind == b"Q":
                    self.message(body[:-1].decode())
        except ConnectionError:
            return

    def startup(self) -> None:
        while True:
            length, code = struct.unpack("!II", self.read(8))
            self.read(length - 8)
            if code == 196608:
                break
            self.request.sendall(b"N")
        self.send(b"R", struct.pack("!I", 0))
        settings = {"server_version": "13.14.0", "client_encoding": "UTF8", "DateStyle": "ISO, MDY", "standard_conforming_strings": "on", "integer_datetimes": "on", "TimeZone": "UTC"}
        for key, value in settings.items():
            self.send(b"S", f"{key}\0{value}\0".encode())
        self.send(b"K", struct.pack("!II", 1, 1))
        self.ready()

    def message(self, text: str) -> None:
        server: Server = self.server.owner
        with server.lock:
            statements = split(text)
            if not statements:
                self.send(b"I")
            logged = False
            for sql in statements:
                word = sql.strip().split(None, 1)[0].lower().rstrip(";")
                if word in ("begin", "commit", "rollback"):
                    self.status = b"T" if word == "begin" else b"I"
                    self.send(b"C", word.upper().encode() + b"\0")
                    continue
                rows = server.catalog.query(sql)
                if rows is None and not re.match(r"set rw_implicit_flush", sql.strip(), re.I):
                    if not logged:
                        server.log.append((server.current(), text))
                        logged = True
                    rows = server.catalog.answer(sql)
                if rows is not None:
                    self.rows(*rows)
                else:
                    self.send(b"C", server.catalog.apply(sql).encode() + b"\0")
            self.ready()

    def rows(self, columns: list, rows: list) -> None:
        body = struct.pack("!H", len(columns))
        for name, kind in columns:
            body += name.encode() + b"\0" + struct.pack("!IHIhiH", 0, 0, OIDS.get(kind, 25), -1, -1, 0)
        self.send(b"T", body)
        for row in rows:
            body = struct.pack("!H", len(row))
            for value in row:
                if value is None:
                    body += struct.pack("!i", -1)
                else:
                    text = {True: "t", False: "f"}.get(value, value) if isinstance(value, bool) else value
                    data = str(text).encode()
                    body += struct.pack("!i", len(data)) + data
            self.send(b"D", body)
        self.send(b"C", f"SELECT {len(rows)}\0".encode())


class Server:
    """Listens on a free port of this machine until it is closed."""

    def __init__(self, schema: str, columns: dict, answers: list):
        self.catalog = Catalog(schema, columns, answers)
        self.log: list = []
        self.current = lambda: ""
        self.lock = threading.Lock()

        class Listener(socketserver.ThreadingTCPServer):
            daemon_threads = True
            address_family = socket.AF_INET

        self.listener = Listener(("127.0.0.1", 0), Handler)
        self.listener.owner = self
        self.port = self.listener.server_address[1]
        threading.Thread(target=self.listener.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.listener.shutdown()
        self.listener.server_close()
