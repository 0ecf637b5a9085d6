#!/usr/bin/env python3
"""Records what dbt-core 1.12.6 with dbt-risingwave 1.12.1 makes of the projects in this directory.

    tests/conformance/record.py            # all cases
    tests/conformance/record.py hooks …    # some of them

Run by hand, needs the network once: the packages go into target/conformance-env. dbt runs in this process against a
PostgreSQL-wire server (`wire.py`) that answers as RisingWave's catalog would and logs every statement. Each case gets

    expected/manifest.json    the manifest of `dbt compile`, without what dbt brings along and without times
    expected/nodes.json       what `dbt compile` put into the manifest, per node
    expected/compiled/*.sql   compiled code, byte for byte
    expected/runs.json        statements per node: first run, second run, --full-refresh, zero downtime
    expected/inputs/*/*.sql   the same with options that say what is read (--empty, --sample), as `inputs` of case.json names them
    expected/ls.json          what `dbt ls` answers, for the selectors in case.json

A case's `case.json` may hold: `env`, `vars` (--vars), `columns` (relation -> [[name, type], …], for
information_schema), `answers` (rows for queries that contain a text), `ls` (lists of arguments), `runs` (which of the
four are recorded, all by default), `inputs` (name -> the arguments, and what they say), `event_time` (--event-time-start and --event-time-end of the runs), `comments` (the
query comment is kept), `build` (dbt build instead of dbt run).
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENV = HERE.parent.parent / "target" / "conformance-env"
RUNS = ["first", "second", "full_refresh", "zero_downtime"]


def environment() -> Path:
    """The interpreter that has dbt; made when it is not there."""
    python = ENV / "bin" / "python"
    marker = ENV / "complete"
    if not marker.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", ENV], check=True)
        pip = [python, "-m", "pip", "install", "--quiet"]
        parser = "dbt-core-experimental-parser==2.0.0a4"
        subprocess.run([*pip, "dbt-risingwave==1.12.1", "dbt-core==1.12.0", parser], check=True)
        # A plain install of 1.12.6 wants a parser that PyPI does not have.
        subprocess.run([*pip, "--no-deps", "dbt-core==1.12.6"], check=True)
        marker.touch()
    return python


PROFILES = """{profile}:
  target: dev
  outputs:
    dev:
      type: risingwave
      host: 127.0.0.1
      port: {port}
      user: root
      pass: ""
      dbname: dev
      schema: {schema}
      threads: 1
"""

# Names that dbt makes from the time, as the comparison sees them.
STAMPS = [
    (re.compile(r"_dbt_zero_down_tmp_[0-9T_]+\+0000"), "_dbt_zero_down_tmp_STAMP"),
    (re.compile(r"__dbt_tmp_?[0-9]+"), "__dbt_tmpSTAMP"),
]

COMMENT = re.compile(r"^/\* (\{.*?\}) \*/\s*", re.S)


def stable(text: str) -> str:
    for pattern, name in STAMPS:
        text = pattern.sub(name, text)
    return text


class Case:
    """One project, copied to a directory of its own, and the server it runs against."""

    def __init__(self, name: str, work: Path):
        from wire import Server

        self.source = HERE / name
        self.dir = work / name
        shutil.copytree(self.source, self.dir, ignore=shutil.ignore_patterns("expected", "target"))
        spec = self.source / "case.json"
        self.spec = json.loads(spec.read_text()) if spec.exists() else {}
        self.schema = self.spec.get("schema", "public")
        self.server = Server(self.schema, self.spec.get("columns", {}), self.spec.get("answers", []))
        project = next(p for p in [self.dir / "dbt_project.yml"] if p.exists()).read_text()
        profile = re.search(r"^profile:\s*['\"]?(\w+)", project, re.M).group(1)
        profiles = PROFILES.format(profile=profile, port=self.server.port, schema=self.schema)
        extra = "".join(f"      {key}: {json.dumps(value)}\n" for key, value in self.spec.get("target", {}).items())
        (self.dir / "profiles.yml").write_text(profiles + extra)

    def dbt(self, *args: str, vars: dict | None = None):
        from dbt.cli.main import dbtRunner

        self.node = ""

        def seen(event):
            info = getattr(event.data, "node_info", None)
            if event.info.name in ("NodeStart", "LogStartLine", "LogHookStartLine") and info is not None:
                self.node = info.unique_id

        merged = {**self.spec.get("vars", {}), **(vars or {})}
        common = ["--project-dir", str(self.dir), "--profiles-dir", str(self.dir)]
        if args[0] != "deps":
            common += ["--target-path", str(self.dir / "target"), "--no-version-check", "--no-static-parser"]
        quiet = ["--quiet", "--no-partial-parse", "--no-use-colors", "--log-path", str(self.dir / "logs")]
        if merged:
            common += ["--vars", json.dumps(merged)]
        os.environ.update(self.spec.get("env", {}))
        self.server.current = lambda: self.node
        try:
            return dbtRunner(callbacks=[seen]).invoke([*quiet, *args, *common])
        finally:
            for key in self.spec.get("env", {}):
                os.environ.pop(key, None)

    def manifest(self) -> dict:
        return json.loads((self.dir / "target" / "manifest.json").read_text())

    def nodes(self) -> dict:
        manifest = self.manifest()
        kept = {}
        for section in ("nodes", "sources", "functions", "exposures", "unit_tests"):
            for unique_id, node in manifest.get(section, {}).items():
                if node["resource_type"] == "operation":
                    continue
                columns = node.get("columns") or {}
                kept[unique_id] = {
                    **{key: node.get(key) for key in NODE_KEYS if key in node},
                    "depends_on": sorted((node.get("depends_on") or {}).get("nodes", [])),
                    "columns": {name: {key: column.get(key) for key in ("description", "data_type")} for name, column in columns.items()},
                }
        return kept

    def own_manifest(self) -> dict:
        """The manifest without the macros and docs of dbt's packages, and without what says nothing about the project."""
        manifest = self.manifest()
        for section in ("macros", "docs"):
            found = manifest[section].items()
            manifest[section] = {key: value for key, value in found if value["package_name"] not in INTERNAL}
        manifest["metadata"] = {key: manifest["metadata"][key] for key in METADATA_KEYS}
        return without_times(manifest)

    def compiled(self) -> dict:
        manifest = self.manifest()
        nodes = {**manifest["nodes"], **manifest.get("functions", {})}
        found = {unique_id: node.get("compiled_code") for unique_id, node in nodes.items()}
        return {unique_id: code for unique_id, code in found.items() if code is not None and not unique_id.startswith("operation.")}

    def run(self, kind: str) -> dict:
        self.server.log.clear()
        args = ["build" if self.spec.get("build") else "run"]
        vars = {}
        if kind == "full_refresh":
            args.append("--full-refresh")
        if kind == "zero_downtime":
            vars["zero_downtime"] = True
        if times := self.spec.get("event_time"):
            args += ["--event-time-start", times[0], "--event-time-end", times[1]]
        result = self.dbt(*args, vars=vars)
        statements: dict = {}
        keep = self.spec.get("comments")
        for node, text in self.server.log:
            comment = COMMENT.match(text)
            if comment and not keep:
                node = json.loads(comment.group(1)).get("node_id", node)
                text = text[comment.end() :]
            statements.setdefault(node, []).append(stable(text.strip()))
        errors = {}
        for item in getattr(result.result, "results", None) or []:
            status = str(item.status)
            if status in ("error", "fail", "runtime error"):
                errors[item.node.unique_id] = stable(item.message or "")
        if result.exception is not None:
            errors[""] = stable(str(result.exception))
        return {"statements": statements, "errors": errors}


INTERNAL = ("dbt", "dbt_postgres", "dbt_risingwave")

METADATA_KEYS = ("dbt_schema_version", "dbt_version", "project_name", "project_id", "adapter_type", "quoting")

NODE_KEYS = [
    "resource_type", "name", "package_name", "path", "original_file_path", "fqn", "alias", "identifier", "database",
    "schema", "relation_name", "tags", "config", "description", "source_name", "language", "test_metadata", "column_name",
    "attached_node",
]  # fmt: skip


def write(path: Path, value) -> None:
    text = value if isinstance(value, str) else json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def without_times(value):
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in ("created_at", "compiled_path")}
    if isinstance(value, list):
        return [without_times(item) for item in value]
    return value


def without_places(value, root: str):
    """Paths and times of this machine say nothing about dbt."""
    if isinstance(value, dict):
        return {key: without_places(item, root) for key, item in value.items()}
    if isinstance(value, list):
        return [without_places(item, root) for item in value]
    return value.replace(root, "ROOT") if isinstance(value, str) else value


def record(name: str, work: Path) -> None:
    case = Case(name, work)
    expected = case.source / "expected"
    root = str(case.dir)
    if (case.dir / "packages.yml").exists():
        case.dbt("deps")
    result = case.dbt("compile")
    shutil.rmtree(expected, ignore_errors=True)
    if not result.success:
        message = str(result.exception) if result.exception else "; ".join(str(r.message) for r in result.result.results if r.message)
        write(expected / "error.json", without_places({"compile": message}, root))
        print(f"{name}: compile fails: {message.splitlines()[0] if message else ''}")
        return
    write(expected / "nodes.json", without_places(case.nodes(), root))
    write(expected / "manifest.json", json.dumps(without_places(case.own_manifest(), root), sort_keys=True, ensure_ascii=False) + "\n")
    for unique_id, text in case.compiled().items():
        write(expected / "compiled" / f"{unique_id}.sql", text)
    for said, inputs in case.spec.get("inputs", {}).items():
        case.dbt(*inputs["args"])
        for unique_id, text in case.compiled().items():
            write(expected / "inputs" / said / f"{unique_id}.sql", text)
    answers = []
    for args in case.spec.get("ls", []):
        result = case.dbt("ls", *args)
        found = sorted(result.result) if result.success else None
        answers.append({"args": args, "found": found, "error": str(result.exception) if not result.success else None})
    if answers:
        write(expected / "ls.json", without_places(answers, root))
    runs = {}
    for kind in case.spec.get("runs", RUNS):
        runs[kind] = case.run(kind)
    write(expected / "runs.json", without_places(runs, root))
    failed = {kind: run["errors"] for kind, run in runs.items() if run["errors"]}
    print(f"{name}: {len(case.compiled())} compiled" + (f", errors {failed}" if failed else ""))
    case.server.close()


def main() -> None:
    names = sys.argv[1:] or sorted(p.parent.name for p in HERE.glob("*/dbt_project.yml"))
    if not (Path(sys.prefix) == ENV or os.environ.get("RWT_CONFORMANCE_ENV") == sys.prefix):
        given = os.environ.get("RWT_CONFORMANCE_ENV")
        python = Path(given) / "bin" / "python" if given else environment()
        sys.exit(subprocess.run([python, __file__, *names]).returncode)
    sys.path.insert(0, str(HERE))
    os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"
    with tempfile.TemporaryDirectory() as work:
        for name in names:
            record(name, Path(work))


if __name__ == "__main__":
    main()
