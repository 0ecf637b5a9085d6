"""Runs dbt-core with dbt-risingwave against a running engine:

    python dbt_client.py example PROJECT ENGINE_PORT KAFKA_PORT
    python dbt_client.py every PROJECT ENGINE_PORT KAFKA_PORT

The example project's models and macros dbt gets as they are. `every` is a project with every materialization that needs
nothing outside.
"""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import yaml
from dbt.cli.main import dbtRunner


class Project:
    def __init__(self, source: Path, engine: str, variables: dict):
        self.work = tempfile.TemporaryDirectory()
        self.folder = Path(self.work.name)
        shutil.copytree(source, self.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".rwt", "target", ".git"))
        # dbt knows the project's file under this name only.
        if not (self.folder / "dbt_project.yml").exists():
            shutil.copy(self.folder / "project.yml", self.folder / "dbt_project.yml")
        target = {"type": "risingwave", "host": "127.0.0.1", "port": int(engine), "user": "root", "password": "", "dbname": "dev", "schema": "public", "threads": 1}
        (self.folder / "profiles.yml").write_text(yaml.safe_dump({"funnel": {"target": "dev", "outputs": {"dev": target}}}))
        self.variables = json.dumps(variables)

    def dbt(self, *arguments: str) -> dict:
        """The results by the node's name, of a command that succeeds."""
        command = ["--no-use-colors", *arguments, "--project-dir", str(self.folder), "--profiles-dir", str(self.folder)]
        if arguments[0] != "debug":
            command += ["--vars", self.variables]
        done = dbtRunner().invoke(command)
        if not done.success:
            raise SystemExit(f"dbt {' '.join(arguments)} failed: {done.exception}")
        if arguments[0] in ("debug", "docs"):
            return {}
        results = json.loads((self.folder / "target/run_results.json").read_text())["results"]
        return {result["unique_id"].split(".")[2]: result for result in results}

    def catalog(self) -> dict:
        return json.loads((self.folder / "target/catalog.json").read_text())


def same(found, expected, what):
    if found != expected:
        raise SystemExit(f"{what}: {found!r} instead of {expected!r}")


def example(source: Path, engine: str, kafka: str) -> None:
    lake = {"catalog": "hosted", "warehouse": "rwt"}
    project = Project(source, engine, {"kafka": {"bootstrap": f"127.0.0.1:{kafka}"}, "lake": lake})
    project.dbt("debug")
    for arguments in (["run"], ["run"], ["run", "--full-refresh"]):
        results = project.dbt(*arguments)
        models = [result for result in results.values() if result["unique_id"].startswith("model.")]
        same({result["status"] for result in models}, {"success"}, f"{arguments}: statuses")
        same(len(models), 28, f"{arguments}: models")
    project.dbt("docs", "generate")
    same("model.realtime_funnel.funnel" in project.catalog()["nodes"], True, "the catalog has the funnel")


def every(source: Path, engine: str, _: str) -> None:
    project = Project(source, engine, {})
    first = project.dbt("build")
    second = project.dbt("build")
    same(sorted(second), sorted(first), "nodes of the second build")
    same(first["as_table"]["adapter_response"]["_message"], "INSERT 0 2", "what CREATE TABLE AS says")
    same(second["as_materialized_view"]["adapter_response"]["code"], "skip", "a view that is there")
    same(second["incremental_append"]["adapter_response"]["rows_affected"], 2, "rows that were appended")
    project.dbt("build", "--full-refresh")
    project.dbt("docs", "generate")
    nodes = project.catalog()["nodes"]
    columns = {name: column["type"] for name, column in nodes["model.every.with_contract"]["columns"].items()}
    same(columns, {"code": "character varying", "people": "bigint"}, "columns in the catalog")


if __name__ == "__main__":
    if len(sys.argv) != 5 or sys.argv[1] not in ("example", "every"):
        raise SystemExit(__doc__)
    os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"
    {"example": example, "every": every}[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
