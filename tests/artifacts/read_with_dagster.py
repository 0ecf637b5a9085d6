"""Reads a manifest with dagster-dbt, as an orchestrator does: `read_with_dagster.py <manifest.json>`.

Prints the assets with what they depend on, a line each, in order.
"""

import json
import sys
from pathlib import Path

from dagster_dbt import DbtCliResource, dbt_assets


def main() -> None:
    manifest = json.loads(Path(sys.argv[1]).read_text())

    @dbt_assets(manifest=manifest)
    def project(context, dbt: DbtCliResource):
        yield from dbt.cli(["build"], context=context).stream()

    for spec in sorted(project.specs, key=lambda spec: spec.key):
        above = ", ".join(sorted(dep.asset_key.to_user_string() for dep in spec.deps))
        print(f"{spec.key.to_user_string()} <- {above}")


if __name__ == "__main__":
    main()
