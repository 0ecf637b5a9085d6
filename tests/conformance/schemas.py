#!/usr/bin/env python3
"""Writes the JSON schemas of dbt's artifacts, as dbt-core 1.12.6 has them, into schemas/.

    tests/conformance/schemas.py

Run by hand in the environment of `record.py`, which it makes where it is not there. The schemas are those that dbt
publishes under https://schemas.getdbt.com, made from the same classes.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from record import ENV, HERE, environment


def main() -> None:
    given = os.environ.get("RWT_CONFORMANCE_ENV")
    wanted = Path(given) if given else ENV
    if Path(sys.prefix) != wanted:
        python = wanted / "bin" / "python" if given else environment()
        sys.exit(subprocess.run([python, __file__]).returncode)
    from dbt.artifacts.schemas.catalog import CatalogArtifact
    from dbt.artifacts.schemas.manifest import WritableManifest
    from dbt.artifacts.schemas.run import RunResultsArtifact

    folder = HERE / "schemas"
    folder.mkdir(exist_ok=True)
    artifacts = {"manifest-v12": WritableManifest, "run-results-v6": RunResultsArtifact, "catalog-v1": CatalogArtifact}
    for name, artifact in artifacts.items():
        text = json.dumps(artifact.json_schema(), sort_keys=True, separators=(",", ":"))
        (folder / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
