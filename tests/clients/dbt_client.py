"""Runs dbt-core with dbt-risingwave against a running engine:

    python dbt_client.py PROJECT ENGINE_PORT KAFKA_PORT

PROJECT is the example project, whose models and macros dbt gets as they are; the second project is the folder `dbt`
beside this script, with every materialization that needs nothing outside. dbt is the one beside the interpreter.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml


class Project:
    def __init__(self, source: Path, engine: str, variables: dict):
        self.folder = Path(tempfile.mkdtemp(prefix="dbt-"))
        shutil.copytree(source, self.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".rwt", "target", ".git"))
        # dbt knows the project's file under this name only.
        if not (self.folder / "dbt_project.yml").exists():
            shutil.copy(self.folder / "project.yml", self.folder / "dbt_project.yml")
        target = {"type": "risingwave", "host": "127.0.0.1", "port": int(engine), "user": "root", "password": "", "dbname": "dev", "schema": "public", "threads": 1}
        (self.folder / "profiles.yml").write_text(yaml.safe_dump({"funnel": {"target": "dev", "outputs": {"dev": target}}}))
        self.variables = json.dumps(variables)

    def dbt(self, *arguments: str) -> dict:
        """The results by the node's name, of a command that succeeds."""
        program = Path(sys.executable).with_name("dbt")
        command = [str(program), "--no-use-colors", *arguments, "--project-dir", str(self.folder), "--profiles-dir", str(self.folder)]
        if arguments[0] != "debug":
            command += ["--vars", self.variables]
        environment = {**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=150)
        if done.returncode != 0:
            raise SystemExit(f"dbt {' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}")
        if arguments[0] in ("debug", "docs"):
            return {}
        results = json.loads((self.folder / "target/run_results.json").read_text())["results"]
        return {result["unique_id"].split(".")[2]: result for result in results}

    def catalog(self) -> dict:
        return json.loads((self.folder / "target/catalog.json").read_text())


def same(found, expected, what):
    if found != expected:
        raise SystemExit(f"{what}: {found!r} instead of {expected!r}")


def main(example: str, engine: str, kafka: str) -> None:
    lake = {"catalog": "hosted", "warehouse": "rwt"}
    project = Project(Path(example), engine, {"kafka": {"bootstrap": f"127.0.0.1:{kafka}"}, "lake": lake})
    project.dbt("debug")
    for arguments in (["run"], ["run"], ["run", "--full-refresh"]):
        results = project.dbt(*arguments)
        models = [result for result in results.values() if result["unique_id"].startswith("model.")]
        same({result["status"] for result in models}, {"success"}, f"{arguments}: statuses")
        same(len(models), 28, f"{arguments}: models")
    project.dbt("docs", "generate")
    same("model.realtime_funnel.funnel" in project.catalog()["nodes"], True, "the catalog has the funnel")

    every = Project(Path(__file__).parent / "dbt", engine, {})
    first = every.dbt("build")
    second = every.dbt("build")
    same(sorted(second), sorted(first), "nodes of the second build")
    same(first["as_table"]["adapter_response"]["_message"], "INSERT 0 2", "what CREATE TABLE AS says")
    same(second["as_materialized_view"]["adapter_response"]["code"], "skip", "a view that is there")
    every.dbt("build", "--full-refresh")
    every.dbt("docs", "generate")
    nodes = every.catalog()["nodes"]
    columns = {name: column["type"] for name, column in nodes["model.every.with_contract"]["columns"].items()}
    same(columns, {"code": "character varying", "people": "bigint"}, "columns in the catalog")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
